//! The packaging files read against the configuration: they can't be run in every place, but they can't
//! drift either.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use daylight::config::{Config, SETTINGS};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn known() -> BTreeSet<String> {
    let names = SETTINGS.iter().map(|(name, ..)| (*name).to_owned());
    names.chain(["DATABASE_URL_FILE", "SMTP_URL_FILE", "ENV_FILE"].map(Into::into)).collect()
}

#[test]
fn compose_waits_for_a_healthy_database_and_names_settings_that_exist() {
    let compose = read("docker-compose.yml");
    assert!(compose.contains("condition: service_healthy"));
    assert!(compose.contains("pg_isready"));
    assert!(compose.contains("DATABASE_URL"));
    let ours = compose.split("\n  database:\n").next().unwrap();
    let environment = ours.split("    environment:\n").nth(1).expect("the server's environment");
    let names: Vec<&str> = environment
        .lines()
        .map_while(|line| line.strip_prefix("      ")?.split_once(':').map(|(name, _)| name))
        .collect();
    assert!(names.len() > 3);
    let allowed = known();
    for name in names {
        assert!(allowed.contains(name), "docker-compose.yml sets {name}, which is no setting");
    }
}

#[test]
fn the_image_is_small_not_root_and_checks_its_health() {
    let file = read("Dockerfile");
    let last_stage = file.rsplit("\nFROM ").next().unwrap();
    assert!(file.matches("\nFROM ").count() + usize::from(file.starts_with("FROM ")) >= 2, "several stages");
    assert!(last_stage.contains("USER ") && !last_stage.contains("USER root"));
    assert!(last_stage.contains("HEALTHCHECK") && last_stage.contains("healthcheck"));
    assert!(file.contains("SQLX_OFFLINE=true") && file.contains("--locked"));
    let allowed = known();
    for line in last_stage.lines().filter_map(|l| l.trim().strip_prefix("ENV ")) {
        for pair in line.split_whitespace().filter(|w| w.contains('=')) {
            let name = pair.split('=').next().unwrap();
            assert!(allowed.contains(name), "the Dockerfile sets {name}, which is no setting");
        }
    }
}

#[test]
fn the_example_environment_is_a_valid_one() {
    let allowed = known();
    for line in read(".env.example").lines().filter(|l| !l.starts_with('#') && l.contains('=')) {
        let name = line.split('=').next().unwrap().trim();
        assert!(allowed.contains(name) || name.starts_with("POSTGRES_"), "{name} is no setting");
    }
}

#[test]
fn the_readme_lists_every_setting() {
    let readme = read("README.md");
    for (name, ..) in SETTINGS {
        assert!(readme.contains(&format!("`{name}`")), "README.md doesn't name {name}");
    }
}

#[test]
fn the_image_listens_where_its_configuration_allows() {
    let variables = [("LISTEN", "0.0.0.0:8080"), ("BASE_URL", "https://daylight.example")];
    let variables = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert!(Config::from_variables(variables).is_ok());
}
