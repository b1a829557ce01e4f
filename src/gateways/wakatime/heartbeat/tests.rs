use super::*;

fn agent() -> &'static str {
    "wakatime/13.1.0 (Linux-6.18.44-fc-v445-x86_64-with-glibc2.36) Python3.11.7.final.0 vim/9.0 vim-wakatime/8.1"
}

fn record() -> Value {
    json!({
        "time": 1_795_264_414.352_934, "entity": "/home/ana/acme/letter.py", "type": "file", "category": "coding",
        "is_write": true, "project": "acme", "branch": "fix/ana", "language": "Python",
        "dependencies": ["secretlib"], "lines": 12, "lineno": "3", "cursorpos": null, "user_agent": agent(),
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut record = record();
    record[key] = value;
    record
}

#[test]
fn what_may_go_on_is_built_anew_and_the_rest_stays() {
    let record = with("surprise", json!("secret"));
    let read = |record| Heartbeat::read(record, None).unwrap();
    let heartbeat = read(&record);
    assert_eq!(heartbeat.at.jiff().as_microsecond(), 1_795_264_414_352_934);
    assert_eq!(heartbeat.unknown, [8]);
    assert_eq!(heartbeat.main().category.id(), "code.activity");
    let names = heartbeat.names().unwrap();
    assert_eq!((names.category.id(), names.field.map(Field::id)), ("file.activity", Some("entity")));
    assert_eq!(names.bytes, 24 + 4 + 7);
    assert_eq!(heartbeat.list().unwrap().category.id(), "code.content");
    assert_eq!(heartbeat.editor().unwrap().category.id(), "app.usage");
    let least = Value::Object(heartbeat.reduced(false, false, false, false));
    let expected = json!({
        "time": 1_795_264_414.352_934, "entity": "HIDDEN.py", "type": "file", "category": "coding", "is_write": true,
        "language": "Python", "lines": 12, "lineno": 3,
        "user_agent": "wakatime/13.1.0 (linux-hidden) hidden Unknown/0",
    });
    assert_eq!(least, expected);
    let all = Value::Object(read(&record).reduced(true, true, true, true));
    assert_eq!(all["entity"], "/home/ana/acme/letter.py");
    assert_eq!((&all["project"], &all["branch"]), (&json!("acme"), &json!("fix/ana")));
    assert_eq!(all["dependencies"], json!(["secretlib"]));
    assert_eq!(all["user_agent"], "wakatime/13.1.0 (linux-hidden) hidden vim/9.0 vim-wakatime/8.1");
    assert!(!all.to_string().contains("surprise"));
}

#[test]
fn what_it_is_about_is_believed_only_where_it_fits() {
    for (kind, entity, subject) in [
        ("file", "C:\\work\\a.rs", Some("code.activity")),
        ("file", "https://example.com/a", Some("web.urls")),
        ("domain", "example.com", Some("web.domains")),
        ("domain", "example.com/a?b", Some("web.urls")),
        ("url", "example.com", Some("web.urls")),
        ("app", "Slack", Some("app.usage")),
        ("app", "HTTPS://example.com/", Some("web.urls")),
        ("event", "a talk", None),
        ("", "x", None),
    ] {
        let mut record = with("entity", json!(entity));
        record["type"] = json!(kind);
        let found = Heartbeat::read(&record, None).map(|heartbeat| heartbeat.main().category.id());
        assert_eq!(found, subject, "{kind} {entity}");
    }
}

#[test]
fn what_has_no_shape_is_not_read_and_odd_values_are_stripped() {
    for odd in
        [json!(null), json!([]), json!("x"), json!({}), with("time", json!("soon")), with("time", json!(-1))]
    {
        assert!(Heartbeat::read(&odd, None).is_none(), "{odd}");
    }
    for (key, value) in [
        ("category", json!("a letter to Bo")),
        ("language", json!("/home/ana/letter")),
        ("language", json!("a very long text that is no language")),
        ("lines", json!("many")),
        ("lines", json!(1.5)),
        ("lineno", json!(4_294_967_296_u64)),
        ("is_write", json!("yes")),
        ("project", json!(["a"])),
        ("dependencies", json!([1])),
        ("ai_session", json!("about Bo")),
        ("ai_input_tokens", json!("a few")),
    ] {
        let record = with(key, value);
        let heartbeat = Heartbeat::read(&record, None).unwrap();
        assert_eq!(heartbeat.unknown.len(), 1, "{key}");
        let out = heartbeat.reduced(true, true, true, true);
        assert!(!out.contains_key(key), "{key}: {out:?}");
    }
}

#[test]
fn an_ending_is_kept_only_when_it_is_a_known_one() {
    for (path, expected) in [
        ("/a/b.rs", "HIDDEN.rs"),
        ("C:\\a\\b.PY", "HIDDEN.py"),
        ("/a.d/letter", "HIDDEN"),
        ("/a/.bashrc", "HIDDEN"),
        ("/a/.rs", "HIDDEN"),
        ("/a/notes.for-bo", "HIDDEN"),
    ] {
        assert_eq!(hidden(path), expected, "{path}");
    }
    assert!(is_hidden("HIDDEN") && is_hidden("HIDDEN.rs"));
    for path in ["HIDDEN.bo", "HIDDEN/a.rs", "/HIDDEN.rs", "HIDDENbo.rs", "HIDDEN.bo.rs"] {
        assert!(!is_hidden(path), "{path}");
    }
}

#[test]
fn a_program_is_a_name_and_a_number() {
    let editor = |text: &str| Agent::read(&format!("wakatime/1 (Windows-11) Go1 {text}")).editor;
    assert_eq!(
        editor("vscode/1.93.0 vscode-wakatime/v24.6.2").as_deref(),
        Some("vscode/1.93.0 vscode-wakatime/v24.6.2")
    );
    for odd in ["Unknown/0", "", "letter/to-bo", "a letter", "x/1/2"] {
        assert_eq!(editor(odd), None, "{odd}");
    }
    assert_eq!(Agent::read("").system, "unknown");
    assert_eq!(Agent::read("x (bosmachine-1) y").system, "unknown");
    assert_eq!(version(Some("wakatime/v1.102.1 (linux-x) go")), Some("v1.102.1"));
}
