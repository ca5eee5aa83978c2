//! Files for installing the bot: they match the program and its settings.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
};

use phasebot::settings::Settings;
use serde_json::Value;

const FILES: [&str; 4] = ["Dockerfile", "fly.toml", "deploy/compose.yaml", "deploy/phasebot.service"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns every word in a text that begins with `PHASEBOT_`.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with("PHASEBOT_")).map(str::to_owned).collect()
}

/// Each variable is a setting; the settings reject unknown ones.
#[test]
fn they_name_only_settings_that_there_are() {
    for path in FILES {
        let names = variables(&read(path));
        assert!(!names.is_empty(), "{path}");
        // A variable of Compose's own, for the value of the setting next to it.
        for name in names.iter().filter(|name| *name != "PHASEBOT_PRIVATE_KEY") {
            let value = match name.as_str() {
                "PHASEBOT_LISTEN" => "0.0.0.0:8080",
                "PHASEBOT_DATABASE_URL" => "sqlite:///data/phasebot.db",
                "PHASEBOT_LOG_FORMAT" => "json",
                "PHASEBOT_PUBLIC_URL" => "https://phasebot.example",
                _ => "text",
            };
            let loaded = Settings::load(None, [(name.clone(), value.to_owned())]);
            assert!(loaded.is_ok(), "{path}: {name}: {}", loaded.unwrap_err());
        }
    }
}

#[test]
fn the_container_runs_as_nobody_and_keeps_its_data() {
    let text = read("Dockerfile");
    for line in ["USER phasebot", "VOLUME /data", "STOPSIGNAL SIGTERM", "EXPOSE 8080"] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
    let ignored = read(".dockerignore");
    assert!(ignored.lines().any(|line| line == "*"), "only what is named is sent to the builder");
}

/// Runs the health check's command against a server.
#[test]
fn the_health_check_tells_ready_from_not_ready() {
    let text = read("Dockerfile").replace("\\\n", " ");
    let line = text.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let command: Vec<String> = serde_json::from_str(line.split_once("CMD ").unwrap().1).unwrap();
    assert!(command[2].contains("/readyz"));
    for (status, healthy) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // bash writes line by line.
            let mut request = [0; b"GET /readyz HTTP/1.0\r\n\r\n".len()];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"GET /readyz HTTP/1.0\r\n\r\n");
            write!(stream, "HTTP/1.0 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let said = Command::new(&command[0]).args([&command[1], &command[2].replace("8080", &port)]).status().unwrap();
        server.join().unwrap();
        assert_eq!(said.success(), healthy, "{status}");
    }
    let said = Command::new(&command[0]).args([&command[1], &command[2].replace("8080", "1")]).output().unwrap();
    assert!(!said.status.success(), "nobody there");
}

#[test]
fn fly_checks_what_the_container_serves() {
    let fly: toml::Table = read("fly.toml").parse().unwrap();
    let service = &fly["http_service"];
    assert_eq!(service["internal_port"].as_integer(), Some(8080));
    assert_eq!(service["checks"][0]["path"].as_str(), Some("/readyz"));
    assert_eq!(service["auto_stop_machines"].as_str(), Some("off"));
    assert_eq!(fly["mounts"][0]["destination"].as_str(), Some("/data"));
    assert!(read("Dockerfile").contains("PHASEBOT_LISTEN=0.0.0.0:8080"));
    assert_eq!(fly["kill_signal"].as_str(), Some("SIGTERM"));
}

#[test]
fn compose_builds_the_container_and_shows_one_port() {
    let compose: Value = serde_saphyr::from_str(&read("deploy/compose.yaml")).unwrap();
    let bot = &compose["services"]["phasebot"];
    assert_eq!(bot["build"], "..");
    assert_eq!(bot["ports"], serde_json::json!(["127.0.0.1:8080:8080"]));
    assert_eq!(bot["depends_on"]["postgres"]["condition"], "service_healthy");
    let database = bot["environment"]["PHASEBOT_DATABASE_URL"].as_str().unwrap();
    assert!(database.starts_with("postgres://phasebot:${POSTGRES_PASSWORD"), "{database}");
    assert!(compose["services"]["postgres"]["ports"].is_null());
}

/// Runs systemd's own check, if systemd is installed.
#[test]
fn systemd_understands_the_unit() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/phasebot.service");
    match Command::new("systemd-analyze").arg("verify").arg(unit).output() {
        Ok(said) => {
            let err = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success() && !err.contains("phasebot.service"), "{err}");
        }
        Err(error) => eprintln!("SKIPPED: systemd-analyze can't be run: {error}"),
    }
}
