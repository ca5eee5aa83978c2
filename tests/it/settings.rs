//! The operator's settings: their sources, values and error messages.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use phasebot::settings::{AlertKind, AlertType, DatabaseUrl, Loaded, LogFormat, Settings, SettingsError};
use secrecy::ExposeSecret;
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../config/phasebot.example.toml");
const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("phasebot.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(Some(&path), environment)
}

fn settings(file: &str, environment: &[(&str, &str)]) -> Settings {
    load(file, environment).unwrap_or_else(|error| panic!("{error}")).settings
}

/// Returns the error message for an invalid file or environment, without the folder.
fn complaint(file: &str, environment: &[(&str, &str)]) -> String {
    let text = load(file, environment).unwrap_err().to_string();
    text.lines()
        .map(|line| match line.find("/phasebot.toml") {
            Some(at) => &line[at + 1..],
            None => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn secrets(list: &[secrecy::SecretString]) -> Vec<&str> {
    list.iter().map(ExposeSecret::expose_secret).collect()
}

#[test]
fn the_example_file_holds_the_defaults() {
    let example = Settings::parse(Path::new("config/phasebot.example.toml"), EXAMPLE).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{:#?}", Settings::default()));
}

#[test]
fn the_example_file_names_every_setting() {
    // Settings without a default are commented out with a #; prose has a space after it.
    let all: String = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let whole = Settings::parse(Path::new("example"), &all).unwrap_or_else(|error| panic!("{error}"));
    let named: toml::Table = all.parse().unwrap();
    // Debug names of the types' fields: a field without a line fails here.
    let mut missing = Vec::new();
    // Some settings of a connection are for kinds that send no others.
    let mut alert = named["alerts"]["shop"].as_table().unwrap().clone();
    alert.extend(named["alerts"]["db"].as_table().unwrap().clone());
    let mut notice = named["notices"]["ops"].as_table().unwrap().clone();
    notice.extend(named["notices"]["log"].as_table().unwrap().clone());
    for (section, shown) in [
        (Some(&named), format!("{whole:#?}")),
        (named["github"].as_table(), format!("{:#?}", whole.github)),
        (Some(&alert), format!("{:#?}", whole.alerts["shop"])),
        (named["alerts"]["shop"]["fields"].as_table(), format!("{:#?}", whole.alerts["shop"].fields)),
        (named["events"]["argocd"].as_table(), format!("{:#?}", whole.events["argocd"])),
        (named["events"]["argocd"]["fields"].as_table(), format!("{:#?}", whole.events["argocd"].fields)),
        (Some(&notice), format!("{:#?}", whole.notices["ops"])),
    ] {
        let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": ")).map(|(name, _)| name);
        for field in fields.filter(|field| field.starts_with(|c: char| c.is_ascii_lowercase())) {
            if !section.unwrap().contains_key(field) {
                missing.push(field.to_owned());
            }
        }
    }
    // This setting may not be in a file; the prose names it.
    assert_eq!(missing, ["private_key"]);
    assert!(EXAMPLE.contains("PHASEBOT_GITHUB__PRIVATE_KEY"));
    // The alerts' defaults in the example are the real defaults.
    let shop = &whole.alerts["shop"];
    let bare = "[alerts.shop]\nkind = \"generic\"\nrepositories = [\"acme/shop\"]\nsecrets = [\"s\"]";
    assert_eq!(format!("{shop:?}"), format!("{:?}", settings(bare, &[]).alerts["shop"]));
    assert_eq!(whole.alerts["prod"].kind, AlertKind::Alertmanager);
    let argocd = &whole.events["argocd"];
    let bare = "[events.argocd]\nkind = \"generic\"\nrepositories = [\"acme/shop\"]\nsecrets = [\"s\"]";
    assert_eq!(format!("{argocd:?}"), format!("{:?}", settings(bare, &[]).events["argocd"]));
}

#[test]
fn every_line_of_the_example_is_explained() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            assert!(lines[index - 1].starts_with("# "), "{line}");
        }
    }
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = "workers = 7\nlog = \"debug\"\n[github]\napp_id = 5";
    let read = settings(file, &[("PHASEBOT_LOG", "warn"), ("PHASEBOT_GITHUB__APP_ID", "6"), ("LOG", "x")]);
    assert_eq!((read.workers, read.log.as_str(), read.github.app_id), (7, "warn", 6));
    assert_eq!(read.max_connections, 2048);
}

#[test]
fn every_kind_of_value_can_be_set_in_the_environment() {
    let read = settings(
        "",
        &[
            ("PHASEBOT_LISTEN", "[::]:80"),
            ("PHASEBOT_PUBLIC_URL", "https://bot.example.com/"),
            ("PHASEBOT_DRY_RUN", "true"),
            ("PHASEBOT_LOG", "info,phasebot::app=debug"),
            ("PHASEBOT_LOG_FORMAT", "json"),
            ("PHASEBOT_POLICY_FILE", "/etc/policy.yml"),
            ("PHASEBOT_RETENTION", "2w"),
            ("PHASEBOT_SHUTDOWN_GRACE", "1m 30s"),
            ("PHASEBOT_GITHUB__WEBHOOK_SECRETS", "new, old"),
            ("PHASEBOT_ALERTS__SHOP__KIND", "generic"),
            ("PHASEBOT_ALERTS__SHOP__TYPE", "feedback"),
            ("PHASEBOT_ALERTS__SHOP__SECRETS", "a,b"),
            ("PHASEBOT_ALERTS__SHOP__REPOSITORIES", "acme/shop,acme/.github"),
            ("PHASEBOT_ALERTS__SHOP__SIGNATURE_HEADER", "X-Shop-Signature"),
            ("PHASEBOT_ALERTS__SHOP__FIELDS__TITLE", "/alert/title"),
            ("PHASEBOT_ALERTS__SHOP__FIRING", "up"),
        ],
    );
    assert_eq!(read.listen.to_string(), "[::]:80");
    assert_eq!(read.public_url, "https://bot.example.com");
    assert!(read.dry_run);
    assert_eq!(read.log_format, LogFormat::Json);
    assert_eq!(read.policy_file, Some(PathBuf::from("/etc/policy.yml")));
    assert_eq!(read.retention, SignedDuration::from_hours(14 * 24));
    assert_eq!(read.shutdown_grace, SignedDuration::from_secs(90));
    assert_eq!(secrets(&read.github.webhook_secrets), ["new", "old"]);
    let shop = &read.alerts["shop"];
    assert_eq!((shop.kind, shop.r#type), (AlertKind::Generic, AlertType::Feedback));
    assert_eq!(secrets(&shop.secrets), ["a", "b"]);
    assert_eq!(shop.repositories, ["acme/shop", "acme/.github"]);
    assert_eq!(shop.signature_header.as_ref().unwrap(), "x-shop-signature");
    assert_eq!((shop.fields.title.as_str(), shop.fields.key.as_str()), ("/alert/title", "/id"));
    assert_eq!(shop.firing, ["up"]);
}

#[test]
fn the_database_is_named_in_many_ways() {
    let path = |read: &Settings| match &read.database_url {
        DatabaseUrl::Sqlite(path) => path.display().to_string(),
        DatabaseUrl::Postgres(url) => url.expose_secret().to_owned(),
    };
    let postgres = "postgres://u:hunter2@db/phasebot";
    assert_eq!(path(&settings("database_url = \"sqlite:///var/lib/p.db\"", &[])), "/var/lib/p.db");
    assert_eq!(path(&settings("database_url = \"sqlite://a.db\"", &[("DATABASE_URL", postgres)])), postgres);
    let both = [("DATABASE_URL", postgres), ("PHASEBOT_DATABASE_URL", "sqlite:b.db")];
    assert_eq!(path(&settings("", &both)), "b.db");
    let wrong = complaint("", &[("DATABASE_URL", "mysql://u:hunter2@db")]);
    assert_eq!(wrong, "DATABASE_URL: expected sqlite://FILE or postgres://USER@HOST/DATABASE");
}

#[test]
fn secrets_may_be_in_files() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secrets");
    std::fs::write(&file, "new,with a comma\r\nold\n").unwrap();
    let name = file.to_str().unwrap();
    let read = settings("", &[("PHASEBOT_GITHUB__WEBHOOK_SECRETS_FILE", name)]);
    assert_eq!(secrets(&read.github.webhook_secrets), ["new,with a comma", "old"]);
    let twice = [("PHASEBOT_GITHUB__WEBHOOK_SECRETS_FILE", name), ("PHASEBOT_GITHUB__WEBHOOK_SECRETS", "x")];
    assert!(complaint("", &twice).contains("PHASEBOT_GITHUB__WEBHOOK_SECRETS is set too"));
    let absent = complaint("", &[("PHASEBOT_DATABASE_URL_FILE", "/nowhere/at/all")]);
    assert!(absent.starts_with("PHASEBOT_DATABASE_URL_FILE: the file /nowhere/at/all can't be read"), "{absent}");
    // Only secrets are read from files.
    assert!(complaint("", &[("PHASEBOT_LISTEN_FILE", name)]).contains("there is no such setting"));
}

#[test]
fn an_unknown_key_is_pointed_at() {
    insta::assert_snapshot!(complaint("listen = \"127.0.0.1:1\"\n\n[github]\n  app_idd = 5\n", &[]), @r"
    phasebot.toml:4:3: unknown setting `github.app_idd`
      4 |   app_idd = …
        |   ^^^^^^^
      help: did you mean `github.app_id`?
    ");
    insta::assert_snapshot!(complaint("[gihub]\napp_id = 5\n", &[]), @r"
    phasebot.toml:1:2: unknown setting `gihub`
      1 | [gihub]
        |  ^^^^^
      help: did you mean `github`?
    ");
    insta::assert_snapshot!(complaint("[alerts.prod]\nkind = \"grafana\"\nrepositories = [\"a/b\"]\nfields = { titel = \"/x\" }", &[]), @r#"
    phasebot.toml:4:12: unknown setting `alerts.prod.fields.titel`
      4 | fields = …
        |          ^
      help: did you mean `alerts.prod.fields.title`?
    "#);
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest() {
    insta::assert_snapshot!(complaint("", &[("PHASEBOT_GITHUB_APP_ID", "5"), ("PHASEBOT_NONSENSE_XYZ", "")]), @r"
    PHASEBOT_GITHUB_APP_ID: there is no such setting
      help: did you mean PHASEBOT_GITHUB__APP_ID?
    PHASEBOT_NONSENSE_XYZ: there is no such setting
    ");
    // Variables that Kubernetes sets for a service called phasebot are not our settings.
    let links = [
        ("PHASEBOT_PORT", "tcp://10.0.0.1:80"),
        ("PHASEBOT_SERVICE_HOST", "10.0.0.1"),
        ("PHASEBOT_SERVICE_PORT_HTTP", "80"),
        ("PHASEBOT_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    settings("", &links);
}

#[test]
fn a_wrong_value_is_pointed_at() {
    insta::assert_snapshot!(complaint("retention = \"3d\"\nworkers = 0\nlisten = 8080\n", &[]), @r#"
    phasebot.toml:1:13: `retention`: expected at least 168h
      1 | retention = "3d"
        |             ^^^^
    phasebot.toml:2:11: `workers`: expected at least 1
      2 | workers = 0
        |           ^
    phasebot.toml:3:10: `listen`: expected a string, found a value of type integer
      3 | listen = 8080
        |          ^^^^
    "#);
    for (name, value) in [
        ("PHASEBOT_LISTEN", "localhost"),
        ("PHASEBOT_PUBLIC_URL", "bot.example.com"),
        ("PHASEBOT_PUBLIC_URL", "https://user:pass@bot.example.com"),
        ("PHASEBOT_DRY_RUN", "yes"),
        ("PHASEBOT_LOG", "verbose"),
        ("PHASEBOT_LOG", "phasebot=loud"),
        ("PHASEBOT_LOG_FORMAT", "xml"),
        ("PHASEBOT_RETENTION", "a while"),
        ("PHASEBOT_WORKERS", "-1"),
        ("PHASEBOT_MAX_CONNECTIONS", "99999999999999999999"),
        ("PHASEBOT_SHUTDOWN_GRACE", "-5s"),
        ("PHASEBOT_GITHUB__APP_ID", "Iv1.abc"),
        ("PHASEBOT_GITHUB__WEBHOOK_SECRETS", "a,b,c"),
        ("PHASEBOT_GITHUB__PRIVATE_KEY", " "),
        ("PHASEBOT_DATABASE_URL", "sqlite://"),
    ] {
        let said = complaint("", &[(name, value)]);
        assert!(said.starts_with(&format!("{name}: ")) && !said.contains("no such setting"), "{name}={value}: {said}");
    }
    assert!(complaint("[github]\nwebhook_secrets = [\"\"]", &[]).contains("a secret is empty"));
}

#[test]
fn what_is_not_there_yet_says_so() {
    let forge = complaint("[forge.work]\nkind = \"gitea\"", &[]);
    assert!(forge.contains("only the forge [github] can be configured at present"), "{forge}");
    let variable = complaint("", &[("PHASEBOT_FORGE__WORK__KIND", "gitea")]);
    assert!(variable.contains("only the forge [github] can be configured at present"), "{variable}");
    let kind = complaint("[alerts.prod]\nkind = \"nagios\"\nrepositories = [\"a/b\"]", &[]);
    assert!(kind.contains("expected one of alertmanager, grafana, planetscale, pagerduty, sentry, datadog, newrelic, honeybadger, generic"), "{kind}");
}

#[test]
fn only_an_enterprise_server_may_be_without_rate_limits() {
    insta::assert_snapshot!(complaint("[github]\nrate_limits = false", &[]), @r"
    github.rate_limits is false, but github.com limits the writes of every App
      help: remove the setting, or set github.api_url to the Enterprise Server's
    ");
    let server = "[github]\napi_url = \"https://ghe.example.com/api/v3\"\nrate_limits = false";
    assert!(!settings(server, &[]).github.rate_limits);
    assert!(settings("", &[]).github.rate_limits);
    let cloud = "[github]\napi_url = \"https://api.acme.ghe.com\"\nrate_limits = false";
    assert!(complaint(cloud, &[]).starts_with("github.rate_limits is false"));
}

#[test]
fn a_webhook_secret_is_base64_of_something() {
    let complaint =
        |secret: &str| complaint(&format!("[verdicts.schema]\nrepositories = [\"a/b\"]\nsecrets = [{secret:?}]"), &[]);
    for wrong in ["whsec_", "whsec_not base64", "whsec_YQ"] {
        let said = complaint(wrong);
        assert!(said.contains("begins with `whsec_` and is not Base64") && !said.contains("YQ"), "{said}");
    }
    assert!(
        settings("[verdicts.schema]\nrepositories = [\"a/b\"]\nsecrets = [\"whsec_YWI=\"]", &[])
            .verdicts
            .contains_key("schema")
    );
}

#[test]
fn alert_connections_are_checked_as_a_whole() {
    insta::assert_snapshot!(complaint("[alerts.prod]\n[alerts.shop]\nkind = \"grafana\"\nrepositories = [\"a/b\"]\nfiring = []", &[]), @r#"
    alerts.prod.kind is missing
    alerts.prod.repositories is missing
    alerts.shop.firing is only for connections of kind "generic"
    "#);
    for wrong in [
        "repositories = []",
        "repositories = [\"shop\"]",
        "repositories = [\"a/b/c\"]",
        "signature_header = \"a b\"",
        "fields = { key = \"id\" }",
        "fields = { key = \"/a~2\" }",
        "fields = 5",
        "routes = [{ repository = \"a/b\" }]",
        "routes = [{ match = {}, repository = \"a/b\" }]",
        "routes = [{ match = { a = \"[\" }, repository = \"a/b\" }]",
        "routes = [{ match = { a = \"b\" }, repository = \"a/b\", assign = \"me\" }]",
        "heartbeat = \"1s\"",
        "heartbeat_match = { alertname = 5 }",
        "timestamp_header = \"a b\"",
    ] {
        let file = format!("[alerts.prod]\nkind = \"generic\"\n{wrong}");
        assert!(complaint(&file, &[]).starts_with("phasebot.toml:3:"), "{wrong}");
    }
    assert!(complaint("[alerts.Prod]\nkind = \"generic\"", &[]).contains("lower-case letters"));
}

#[test]
fn what_is_wrong_with_a_target_of_notices_is_told() {
    for (lines, said) in [
        ("", "notices.ops.kind is missing"),
        ("kind = \"pager\"", "expected one of webhook, slack, teams, discord, mattermost, matrix"),
        ("kind = \"email\"", "expected one of webhook, slack, teams, discord, mattermost, matrix"),
        ("kind = \"teams\"\nsecrets = [\"s\"]", "notices.ops.secrets is not for targets of kind \"teams\""),
        ("kind = \"webhook\"\nformat = \"cdevents\"", "unknown setting `notices.ops.format`"),
        ("kind = \"webhook\"\nsecrets = [\"whsec_!\"]", "is not Base64"),
        ("kind = \"webhook\"\nurl = \"ftp://x\"", "expected an address that begins with https://"),
        ("kind = \"webhook\"\nurl = \"http://hooks.example.com/hunter2\"", "notices.ops.url must begin with https://"),
        ("kind = \"webhook\"\nurl = \"https://u:hunter2@x.example\"", "may have no user name"),
        ("kind = \"slack\"\ntoken = \"hunter2\"", "expected at least 16 characters"),
        ("kind = \"slack\"\ntoken = \"xoxb-hunter2-hunter2\"", "notices.ops.channel is missing"),
        ("kind = \"slack\"\nchannel = \"#general\"", "expected the id of a channel"),
        (
            "kind = \"slack\"\ntoken = \"xoxb-hunter2-hunter2\"\nchannel = \"C1\"\napi_url = \"http://x.example\"",
            "must begin with https://",
        ),
        ("kind = \"matrix\"\nchannel = \"!r:e\"", "notices.ops.api_url is missing"),
        ("kind = \"webhook\"\nrepositories = [\"shop\"]", "owner/name"),
    ] {
        let told = complaint(&format!("[notices.ops]\n{lines}"), &[]);
        assert!(told.contains(said), "{lines}:\n{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    assert!(complaint("[notices.Ops]\nkind = \"teams\"", &[]).contains("a target's name"));
    let both = "[notices.ops]\nkind = \"slack\"\nurl = \"https://x.example/a\"\ntoken = \"xoxb-hunter2-hunter2\"";
    assert!(complaint(both, &[]).contains("can't be set together"));
}

#[test]
fn the_secrets_of_a_target_come_from_a_variable_or_a_file_and_are_needed_to_serve() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "https://hooks.example.com/hunter2\n").unwrap();
    let named = [("PHASEBOT_NOTICES__OPS__KIND", "teams"), ("PHASEBOT_NOTICES__OPS__URL_FILE", file.to_str().unwrap())];
    let read = settings("", &named);
    assert_eq!(read.notices["ops"].url.as_ref().unwrap().expose_secret(), "https://hooks.example.com/hunter2");
    assert!(!format!("{read:?}").contains("hunter2"));
    let said = settings("[notices.ops]\nkind = \"webhook\"", &[]).credentials().unwrap_err().to_string();
    assert!(said.contains("notices.ops.url is not set") && said.contains("notices.ops.secrets is not set"), "{said}");
}

#[test]
fn no_message_and_no_debug_output_holds_a_secret() {
    let secret = "hunter2";
    let file = "database_url = \"postgres://u:hunter2@db\"\n[github]\nwebhook_secrets = [\"hunter2\"]\n\
                [alerts.prod]\nkind = \"grafana\"\nrepositories = [\"a/b\"]\nsecrets = [\"hunter2\"]";
    let read = settings(file, &[("PHASEBOT_GITHUB__PRIVATE_KEY", secret)]);
    assert!(!format!("{read:?} {read:#?}").contains(secret));
    for wrong in [
        "[github]\nwebhook_secret = \"hunter2\"",
        "[github]\nwebhook_secrets = \"hunter2\"",
        "[github]\nwebhook_secrets = [\"hunter2\", 5]",
        "[github]\nwebhook_secrets = [\"hunter2]",
        "[github]\nwebhook_secrets = [\n\"hunter2\"\n\"hunter2\"\n]",
        "[github]\nprivate_key = \"hunter2\"",
        "database_url = \"hunter2\"",
        "datebase_url = \"hunter2\"",
        "webhook_secrets \"hunter2\"",
        "hunter2 hunter2",
        "x = 1\nx = \"hunter2\"",
    ] {
        let said = complaint(wrong, &[]);
        assert!(!said.contains(secret), "{said}");
        assert!(said.contains("phasebot.toml:"), "{said}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let nowhere = Path::new("/nowhere/phasebot.toml");
    let said = Settings::load(Some(nowhere), []).unwrap_err().to_string();
    assert!(said.starts_with("/nowhere/phasebot.toml: the settings file can't be read"), "{said}");
    let named = [("PHASEBOT_CONFIG".to_owned(), "/nowhere/else.toml".to_owned())];
    let said = Settings::load(None, named.clone()).unwrap_err().to_string();
    assert!(said.starts_with("/nowhere/else.toml: "), "{said}");
    // The command line takes precedence over the variable.
    let said = Settings::load(Some(nowhere), named).unwrap_err().to_string();
    assert!(said.starts_with("/nowhere/phasebot.toml: "), "{said}");
}

#[test]
fn serving_needs_credentials() {
    let said = settings("[alerts.prod]\nkind = \"grafana\"\nrepositories = [\"a/b\"]", &[]).credentials().unwrap_err();
    insta::assert_snapshot!(said, @r"
    github.app_id is not set
      help: set github.app_id or PHASEBOT_GITHUB__APP_ID; the App's number is on its settings page
    github.webhook_secrets is not set
      help: set github.webhook_secrets or PHASEBOT_GITHUB__WEBHOOK_SECRETS; use the secret that the App's webhook signs with
    alerts.prod.secrets is not set
      help: set alerts.prod.secrets or PHASEBOT_ALERTS__PROD__SECRETS; use the token or key that the sender has
    github.private_key_file is not set
      help: name the PEM file that GitHub gave you, or set PHASEBOT_GITHUB__PRIVATE_KEY to what is in it

    New here? `phasebot setup` registers a GitHub App and writes all three settings.
    ");
}

#[test]
fn the_private_key_comes_from_a_variable_or_a_file() {
    let others = [("PHASEBOT_GITHUB__APP_ID", "5"), ("PHASEBOT_GITHUB__WEBHOOK_SECRETS", "s")];
    let with = |more: &[(&str, &str)]| settings("", &[&others, more].concat()).credentials();
    for key in [KEY.to_owned(), KEY.replace('\n', "\\n")] {
        let credentials = with(&[("PHASEBOT_GITHUB__PRIVATE_KEY", &key)]).unwrap();
        assert_eq!(credentials.private_key.expose_secret(), KEY);
        assert_eq!((credentials.app_id, secrets(&credentials.webhook_secrets)), (5, vec!["s"]));
        assert!(!format!("{credentials:?}").contains("MIIB"));
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, KEY).unwrap();
    let name = file.to_str().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let credentials = with(&[("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", name)]).unwrap();
        assert_eq!(
            credentials.warnings,
            [format!("other users may read the private key {name} (mode 0640): chmod 600 {name}")]
        );
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let credentials = with(&[("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", name)]).unwrap();
    assert_eq!((credentials.private_key.expose_secret(), credentials.warnings.len()), (KEY, 0));
    let said = with(&[("PHASEBOT_GITHUB__PRIVATE_KEY", "hunter2")]).unwrap_err().to_string();
    assert!(said.contains("is not a private key in PEM form") && !said.contains("hunter2"), "{said}");
    let said = with(&[("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", "/nowhere.pem")]).unwrap_err().to_string();
    assert!(said.starts_with("/nowhere.pem: the key can't be read"), "{said}");
}
