//! What a bundle allows, and which ones are believed.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from(jiff::Timestamp::from_second(1_790_000_000 + seconds).unwrap())
}

fn category(id: &str) -> Category {
    Category::parse(id).unwrap()
}

fn rule(id: &str, source: &str, collect: bool, optional: bool) -> Rule {
    let purpose = Purpose::parse("dpv:EnforceSecurity").unwrap();
    Rule {
        processing: Uuid::nil(),
        category: category(id),
        purpose,
        source: source.into(),
        collect,
        optional,
    }
}

fn bundle(revision: u64, rules: Vec<Rule>) -> Bundle {
    Bundle {
        schema: BundleSchema::V1,
        agent_id: Uuid::from_u128(2),
        device_id: Uuid::from_u128(4),
        revision,
        issued_at: at(0),
        not_after: at(VALID_SECONDS),
        grace_seconds: 90,
        rules,
    }
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn titles(collect: bool) -> Bundle {
    bundle(17, vec![rule("window.titles", "activitywatch", collect, true)])
}

fn body(bundle: Bundle) -> Value {
    serde_json::to_value(bundle.sign(&key(7)).unwrap()).unwrap()
}

fn read(body: &Value) -> Result<Bundle, Unbelieved> {
    Bundle::read(body.to_string().as_bytes(), &key(7).verifying_key())
}

#[test]
fn a_signed_bundle_is_read_by_whoever_knows_the_key() {
    let signed = body(titles(true));
    let read_back = read(&signed).unwrap();
    assert_eq!(read_back.content_hash(), titles(true).content_hash());
    assert!(read_back.allows(category("window.titles"), "ActivityWatch/v0.12.0", at(0)));
    let other = Bundle::read(signed.to_string().as_bytes(), &key(8).verifying_key());
    assert!(matches!(other, Err(Unbelieved::Signature)));
    for (pointer, value) in [
        ("/revision", json!(18)),
        ("/not_after", json!("2099-01-01T00:00:00Z")),
        ("/rules/0/optional", json!(false)),
        ("/sig/value", json!("A".repeat(86))),
        ("/sig/kid", json!("somebody-else")),
        ("/sig", json!(null)),
    ] {
        let mut changed = signed.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert!(matches!(read(&changed), Err(Unbelieved::Signature)), "{pointer}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let text = body(titles(false)).to_string();
    let twice = text.replacen("\"collect\":false", "\"collect\":false,\"collect\":false", 1);
    let twice = Bundle::read(twice.as_bytes(), &key(7).verifying_key());
    assert!(matches!(twice, Err(Unbelieved::Shape(_))));
    for (name, value) in [
        ("extra", json!(1)),
        ("grace_seconds", json!(null)),
        ("schema", json!("policy/2")),
        // One id, written in another way.
        ("agent_id", json!("00000000000000000000000000000002")),
        ("revision", json!(1_u64 << 60)),
    ] {
        let mut fields = fields_of(&titles(true)).unwrap();
        fields.insert(name.into(), value);
        let (signed, _) = report::sign(fields, &key(7)).unwrap();
        assert!(matches!(read(&signed), Err(Unbelieved::Shape(_))), "{signed}");
    }
    for not_a_bundle in ["", "null", "[]", "{}", "<html>"] {
        assert!(Bundle::read(not_a_bundle.as_bytes(), &key(7).verifying_key()).is_err());
    }
}

#[test]
fn signing_anew_is_the_same_policy_and_another_rule_is_not() {
    let mut later = titles(true);
    (later.issued_at, later.not_after) = (at(300), at(300 + VALID_SECONDS));
    assert_eq!(later.content_hash(), titles(true).content_hash());
    assert_ne!(titles(false).content_hash(), titles(true).content_hash());
    let digits = titles(true).content_hash().to_string();
    assert!(digits.starts_with("sha256:") && digits.len() == 71);
}

#[test]
fn a_confirmation_is_its_agents() {
    let of = Confirmation::of(&titles(false).reference(), Uuid::from_u128(2), at(41));
    let text = serde_json::to_string(&of.sign(&key(9)).unwrap()).unwrap();
    let read = Confirmation::read(text.as_bytes(), &key(9).verifying_key()).unwrap();
    assert_eq!((read.revision, read.sha256, read.applied_at), (17, titles(false).content_hash(), at(41)));
    assert!(Confirmation::read(text.as_bytes(), &key(7).verifying_key()).is_err());
}

#[test]
fn a_policy_key_names_itself() {
    let given = PolicyKey::of(&key(7).verifying_key());
    assert_eq!(given.key(), Some(key(7).verifying_key()));
    assert_eq!(PolicyKey { kid: "other".into(), ..given.clone() }.key(), None);
    let weak = VerifyingKey::from_bytes(&[0; 32]).map(|key| PolicyKey::of(&key));
    assert!(weak.is_ok_and(|weak| weak.key().is_none()));
}

#[test]
fn openapi_shows_the_fields_with_the_signature_beside_them() {
    let mut schemas = Vec::new();
    <Signed<Bundle> as ToSchema>::schemas(&mut schemas);
    let own = serde_json::to_string(&<Signed<Bundle> as utoipa::PartialSchema>::schema()).unwrap();
    assert!(own.contains("sig") && own.contains("Bundle"), "{own}");
    assert!(schemas.iter().any(|(name, _)| name == "Rule"));
}

const PROGRAMS: [&str; 3] = ["activitywatch", "acme-agent", "wakatime"];

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let one = (0..Category::all().count(), 0..PROGRAMS.len(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 0..12).prop_map(|rules| {
        let made = |(n, program, collect, optional): (usize, usize, bool, bool)| {
            rule(Category::all().nth(n).unwrap().id(), PROGRAMS[program], collect, optional)
        };
        rules.into_iter().map(made).collect()
    })
}

proptest! {
    #[test]
    fn nothing_is_allowed_without_a_rule_that_says_so(rules in rules(), late in -VALID_SECONDS..VALID_SECONDS) {
        let bundle = bundle(1, rules);
        let now = bundle.not_after.plus_seconds(late);
        for category in Category::all() {
            for program in PROGRAMS {
                let said = bundle.rules.iter().any(|r| {
                    r.collect && r.category == category && r.source == program && (late < 0 || !r.optional)
                });
                prop_assert_eq!(bundle.allows(category, program, now), said);
            }
            prop_assert!(!bundle.allows(category, "another-program", now));
        }
    }

    #[test]
    fn time_takes_optional_rules_away_and_never_gives_any(rules in rules(), after in 0..1_000_000_i64) {
        let bundle = bundle(1, rules);
        let (before, now) = (bundle.not_after.plus_seconds(-1), bundle.not_after.plus_seconds(after));
        for category in Category::all() {
            for program in PROGRAMS {
                let still = bundle.allows(category, program, now);
                prop_assert!(!still || bundle.allows(category, program, before));
                let must = bundle.rules.iter().any(|r| {
                    r.category == category && r.source == program && r.collect && !r.optional
                });
                prop_assert_eq!(still, must, "a rule that isn't optional outlives its bundle, and no other");
            }
        }
    }

    #[test]
    fn what_is_signed_is_read_as_it_was(rules in rules(), revision in 0..1_u64 << 53) {
        let made = bundle(revision, rules);
        let read = read(&body(made.clone())).unwrap();
        prop_assert_eq!(read.content_hash(), made.content_hash());
        prop_assert_eq!((read.revision, read.rules), (made.revision, made.rules));
    }
}
