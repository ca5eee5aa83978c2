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

const FILES: [&str; 5] =
    ["Dockerfile", "fly.toml", "deploy/compose.yaml", "deploy/kubernetes/deployment.yaml", "deploy/phasebot.service"];

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
                "PHASEBOT_LISTEN" | "PHASEBOT_ADMIN_LISTEN" => "0.0.0.0:8080",
                "PHASEBOT_DATABASE_URL" => "sqlite:///data/phasebot.db",
                "PHASEBOT_LOG_FORMAT" => "json",
                "PHASEBOT_PUBLIC_URL" => "https://phasebot.example",
                _ => "a text of sixteen",
            };
            let loaded = Settings::load(None, [(name.clone(), value.to_owned())]);
            assert!(loaded.is_ok(), "{path}: {name}: {}", loaded.unwrap_err());
        }
    }
}

#[test]
fn the_container_runs_as_nobody_and_keeps_its_data() {
    let text = read("Dockerfile");
    for line in ["USER 10001:10001", "VOLUME /data", "STOPSIGNAL SIGTERM", "EXPOSE 8080"] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
    let ignored = read(".dockerignore");
    assert!(ignored.lines().any(|line| line == "*"), "only what is named is sent to the builder");
}

/// The builder gets every file that a manifest names.
#[test]
fn the_builder_gets_every_crate() {
    let folder = tempfile::tempdir().unwrap();
    for name in read(".dockerignore").lines().filter_map(|line| line.strip_prefix('!')) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let copied = Command::new("cp").arg("-r").arg(root.join(name)).arg(folder.path()).status().unwrap();
        assert!(copied.success(), "{name}");
    }
    let arguments = ["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"];
    let found = Command::new(env!("CARGO")).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let packages: Vec<_> =
        found["packages"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(packages, ["phasebot-core", "phasebot-forge-sim", "phasebot"]);
    for package in found["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            let path = target["src_path"].as_str().unwrap();
            assert!(Path::new(path).exists(), "{path}");
        }
    }
}

/// Runs the health check's command against a server.
#[test]
fn the_health_check_tells_ready_from_not_ready() {
    let text = read("Dockerfile");
    let line = text.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let command: Vec<String> = serde_json::from_str(line.split_once("CMD ").unwrap().1).unwrap();
    assert_eq!(command[0], "phasebot");
    let check = |listen: &str| {
        let program = env!("CARGO_BIN_EXE_phasebot");
        let variables = [("PHASEBOT_LISTEN", listen)];
        Command::new(program).args(&command[1..]).env_clear().envs(variables).output().unwrap()
    };
    for (status, healthy) in [("200 OK", true), ("503 Service Unavailable", false), ("", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; b"GET /readyz HTTP/1.0\r\n\r\n".len()];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"GET /readyz HTTP/1.0\r\n\r\n");
            write!(stream, "HTTP/1.0 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        // As in the container: every address of the machine.
        let said = check(&format!("0.0.0.0:{port}"));
        server.join().unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.success(), healthy, "{status}: {err}");
        assert!(healthy || err.contains("not ready"), "{err}");
    }
    let said = check("127.0.0.1:1");
    assert_eq!(said.status.code(), Some(1), "nobody there");
    assert!(String::from_utf8_lossy(&said.stderr).contains("Is `phasebot serve` running?"));
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
fn compose_runs_the_image_and_shows_one_port() {
    let compose: Value = serde_saphyr::from_str(&read("deploy/compose.yaml")).unwrap();
    let bot = &compose["services"]["phasebot"];
    assert_eq!(bot["image"], concat!("ghcr.io/phasebot/phasebot:", env!("CARGO_PKG_VERSION")));
    assert_eq!(bot["ports"], serde_json::json!(["127.0.0.1:8080:8080"]));
    assert_eq!(bot["depends_on"]["postgres"]["condition"], "service_healthy");
    let database = bot["environment"]["PHASEBOT_DATABASE_URL"].as_str().unwrap();
    assert!(database.starts_with("postgres://phasebot:${POSTGRES_PASSWORD"), "{database}");
    assert!(compose["services"]["postgres"]["ports"].is_null());
}

#[test]
fn kubernetes_runs_two_locked_down_replicas() {
    let text = read("deploy/kubernetes/deployment.yaml");
    let parts: Vec<Value> = text.split("\n---\n").map(|part| serde_saphyr::from_str(part).unwrap()).collect();
    let deployment = parts.iter().find(|part| part["kind"] == "Deployment").unwrap();
    let (spec, pod) = (&deployment["spec"], &deployment["spec"]["template"]["spec"]);
    let bot = &pod["containers"][0];
    assert_eq!((&spec["replicas"], &spec["strategy"]["rollingUpdate"]["maxUnavailable"]), (&2.into(), &0.into()));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert!(read("Dockerfile").contains(&format!("USER {0}:{0}\n", pod["securityContext"]["runAsUser"])));
    let confined = serde_json::json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
    });
    assert_eq!(bot["securityContext"], confined);
    assert_eq!(bot["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(bot["livenessProbe"]["httpGet"]["path"], "/healthz");
    // Longer than the pause before SIGTERM and the grace after it.
    let pause = bot["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let grace = Settings::default().shutdown_grace.unsigned_abs().as_secs();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > pause + grace);

    // Everything selects the pods by the one label.
    let label = serde_json::json!({ "app.kubernetes.io/name": "phasebot" });
    assert_eq!(spec["template"]["metadata"]["labels"], label);
    let object =
        |name: &str| -> Value { serde_saphyr::from_str(&read(&format!("deploy/kubernetes/{name}.yaml"))).unwrap() };
    let policy = &object("network-policy")["spec"];
    for selector in [
        &spec["selector"]["matchLabels"],
        &object("service")["spec"]["selector"],
        &object("pod-disruption-budget")["spec"]["selector"]["matchLabels"],
        &policy["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, &label);
    }
    assert_eq!(object("pod-disruption-budget")["spec"]["minAvailable"], 1);
    let open = policy["ingress"].as_array().unwrap().iter().filter(|rule| rule["from"].is_null());
    assert_eq!(open.map(|rule| &rule["ports"][0]["port"]).collect::<Vec<_>>(), [8080]);
    let listed = object("kustomization")["resources"].as_array().unwrap().len();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes")).unwrap().count();
    assert_eq!(listed, files - 1, "every file but the list itself");
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
