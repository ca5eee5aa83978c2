//! `phasebot doctor`: the built program with the simulated forge. Each test breaks one thing and
//! expects the line that names it, with its remedy.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
};

use jiff::SignedDuration;
use phasebot::{
    app::clock::{SimClock, SystemClock, after},
    port::clock::Clock,
};
use phasebot_forge_sim::{
    AppKey, FaultKind, NewCommit, Options, SimForge,
    planetscale::{self, SimPlanetScale},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    notices::receiver::{Answer, Receiver},
    openapi::{check_exchange, check_planetscale},
};

const APP: u64 = 4711;
const REPO: &str = "acme/shop";
const POLICY: &str = ".github/phasebot.yml";

/// One key for all tests: the private half in PEM, and the public one.
static KEY: LazyLock<(String, AppKey)> = LazyLock::new(|| AppKey::generate().unwrap());

/// A forge, a directory to run in, and the settings.
struct World {
    forge: SimForge,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// Output of `doctor`: exit status, text, and JSON by check.
struct Found {
    code: Option<i32>,
    text: String,
    checks: Vec<Value>,
}

impl World {
    /// Creates a world without faults, except for the changes that `change` makes to the forge.
    async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(APP, KEY.1.clone(), "a webhook secret".to_owned().into(), Arc::new(SystemClock));
        options.webhook_url = Some("https://bot.invalid/webhooks/github".to_owned());
        change(&mut options);
        let forge = SimForge::start(options).await.unwrap();
        forge.create_repo(REPO).unwrap();
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("key.pem");
        fs::write(&key, &KEY.0).unwrap();
        mode(&key, 0o600);
        let mut world = Self { forge, folder, variables: BTreeMap::new() };
        for (name, value) in [
            ("GITHUB__APP_ID", APP.to_string()),
            ("GITHUB__PRIVATE_KEY_FILE", "key.pem".to_owned()),
            ("GITHUB__WEBHOOK_SECRETS", "a webhook secret".to_owned()),
            ("GITHUB__API_URL", world.forge.api_url()),
            ("GITHUB__WEB_URL", world.forge.web_url()),
        ] {
            world.set(name, &value);
        }
        world
    }

    /// Creates the same world with the App installed.
    async fn installed(change: impl FnOnce(&mut Options)) -> Self {
        let world = Self::new(change).await;
        world.forge.install("alice", &[REPO]).unwrap();
        world
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(format!("PHASEBOT_{name}"), value.to_owned());
    }

    /// Sets a public address that only GitHub could reach.
    fn with_public_address(mut self) -> Self {
        self.set("PUBLIC_URL", "https://bot.invalid");
        self
    }

    fn commit_policy(&self, text: &str) {
        let files = vec![(POLICY.to_owned(), Some(text.to_owned()))];
        let alice = self.forge.person("alice", REPO).unwrap();
        alice.push("main", &[NewCommit { message: "Policy".to_owned(), files }]).unwrap();
    }

    fn run(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let said = Command::new(env!("CARGO_BIN_EXE_phasebot"))
            .arg("doctor")
            .args(more)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (said.status.code(), text(said.stdout), text(said.stderr))
    }

    fn doctor(&self) -> Found {
        tokio::task::block_in_place(|| {
            let (code, text, err) = self.run(&[]);
            assert_eq!(err, "");
            let (again, json, _) = self.run(&["--format", "json"]);
            assert_eq!(code, again);
            let mut json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["ok"], code == Some(0));
            let Value::Array(checks) = json["checks"].take() else { panic!("{json}") };
            let (entries, _sum) = text.split_once("\n\n").unwrap();
            let begun = entries.lines().filter(|line| !line.starts_with(' ')).count();
            assert_eq!(begun, checks.len(), "an entry each, then the sum:\n{text}");
            for exchange in self.forge.requests() {
                check_exchange(&exchange).unwrap();
            }
            Found { code, text, checks }
        })
    }
}

impl Found {
    /// Asserts a finding of this check and verdict whose text contains all these parts.
    fn has(&self, check: &str, verdict: &str, parts: &[&str]) {
        let fits = |found: &&Value| {
            let text = found.to_string();
            found["check"] == check && found["verdict"] == verdict && parts.iter().all(|part| text.contains(part))
        };
        assert!(self.checks.iter().any(|found| fits(&found)), "{check} {verdict} {parts:?} is missing:\n{}", self.text);
    }

    /// Asserts that only these checks fail.
    fn fails_only(&self, checks: &[&str]) {
        let failed: Vec<&str> =
            self.checks.iter().filter(|f| f["verdict"] == "fail").map(|f| f["check"].as_str().unwrap()).collect();
        assert_eq!(failed, checks, "{}", self.text);
        assert_eq!(self.code, Some(i32::from(!checks.is_empty())));
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_what_is_right() {
    let world = World::installed(|_| {}).await;
    let found = world.doctor();
    found.fails_only(&[]);
    for check in ["config", "key", "clock", "app", "installed", "permissions", "rate limit"] {
        found.has(check, "ok", &[]);
    }
    assert!(!world.folder.path().join("phasebot.db").exists(), "it makes no database");
    assert!(found.text.lines().next_back().is_some_and(|line| line.starts_with("Ready: ")), "{}", found.text);
    assert!(!found.text.contains("a webhook secret"));
    assert!(
        world.forge.requests().iter().all(|e| !e.is_write() || e.route.ends_with("/access_tokens")),
        "it writes nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_told() {
    let mut world = World::installed(|_| {}).await;
    world.set("LISTN", "x");
    let found = world.doctor();
    found.fails_only(&["config"]);
    found.has("config", "fail", &["did you mean PHASEBOT_LISTEN?"]);
    assert!(world.forge.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_named() {
    let mut world = World::installed(|_| {}).await;
    world.variables.remove("PHASEBOT_GITHUB__WEBHOOK_SECRETS");
    world.set("GITHUB__PRIVATE_KEY_FILE", "nowhere.pem");
    let found = world.doctor();
    found.fails_only(&["key", "key", "app"]);
    found.has("key", "fail", &["github.webhook_secrets is not set", "PHASEBOT_GITHUB__WEBHOOK_SECRETS"]);
    found.has("key", "fail", &["nowhere.pem", "can't be read"]);
    found.has("app", "fail", &["phasebot setup"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_may_read_is_a_warning() {
    let world = World::installed(|_| {}).await;
    mode(&world.folder.path().join("key.pem"), 0o644);
    let found = world.doctor();
    found.fails_only(&[]);
    found.has("key", "warn", &["mode 0644", "chmod 600 key.pem"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_apps_key_is_told() {
    let world = World::installed(|options| options.key = AppKey::generate().unwrap().1).await;
    let found = world.doctor();
    found.fails_only(&["app"]);
    found.has("app", "fail", &["401", "belong together"]);
    found.has("clock", "ok", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told() {
    // A minute and a half behind, GitHub still accepts the signature, because it is valid for nine
    // minutes.
    for (forges, verdict, says) in
        [(540, "fail", "behind"), (90, "warn", "behind"), (-90, "fail", "ahead of"), (-30, "warn", "ahead of")]
    {
        let clock = Arc::new(SimClock::new(after(SystemClock.now(), SignedDuration::from_secs(forges))));
        clock.set_speed(1.0);
        let world = World::installed(|options| options.auth_clock = Some(clock)).await;
        let found = world.doctor();
        found.has("clock", verdict, &[says, "NTP"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_none_is_told() {
    let mut world = World::installed(|_| {}).await;
    let elsewhere = format!("{}/elsewhere", world.forge.api_url());
    world.set("GITHUB__API_URL", &elsewhere);
    let found = tokio::task::block_in_place(|| world.run(&[]));
    assert_eq!(found.0, Some(1));
    assert!(found.1.contains("is there an API at"), "{}", found.1);
    world.forge.clear_requests();

    world.set("GITHUB__API_URL", "http://127.0.0.1:9");
    let found = world.doctor();
    found.fails_only(&["app"]);
    found.has("app", "fail", &["no connection to GitHub", "github.api_url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_installed_nowhere_is_told() {
    let world = World::new(|_| {}).await;
    let found = world.doctor();
    found.fails_only(&["installed"]);
    found.has("installed", "fail", &["/apps/phasebot/installations/new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_does_not_ask_for_is_named_with_its_page() {
    let world = World::installed(|options| {
        options.permissions.insert("issues".to_owned(), "read".to_owned());
        options.events.retain(|event| event != "release");
    })
    .await;
    let found = world.doctor();
    found.fails_only(&["permissions"]);
    let page = format!("{}/organizations/phasebot/settings/apps/phasebot/permissions", world.forge.web_url());
    found.has("permissions", "fail", &["acme", "does not ask for issues: write and the event release", &page]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_and_not_accepted_is_named_with_its_page() {
    let world = World::installed(|options| {
        options.permissions.insert("issues".to_owned(), "read".to_owned());
    })
    .await;
    world.forge.ask_for(&[("issues", "write")], &[]);
    let found = world.doctor();
    found.fails_only(&["permissions"]);
    found.has(
        "permissions",
        "fail",
        &["not granted: issues: write", "/settings/installations/", "/permissions/update"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_comfort_needs_is_a_note() {
    let world = World::installed(|options| {
        options.permissions.remove("merge_queues");
        options.events.retain(|event| event != "merge_group");
    })
    .await;
    let found = world.doctor();
    found.fails_only(&[]);
    found.has("permissions", "note", &["merge_queues: read and the event merge_group"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_github_does_not_tell_are_missed() {
    let world = World::installed(|_| {}).await;
    let route = "/repos/{owner}/{repo}/collaborators/{username}/permission";
    world.forge.weather(Box::new(move |_, asked| (asked == route).then_some(FaultKind::Forbidden403)));
    let found = world.doctor();
    found.fails_only(&["permissions"]);
    found.has("permissions", "fail", &[REPO, "who may write", "403", "metadata: read", "/permissions/update"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_right_is_told() {
    let world = World::installed(|_| {}).await;
    world.commit_policy("version: 1\nmod: act\n");
    let found = world.doctor();
    found.fails_only(&[]);
    found.has("policy", "warn", &[REPO, ".github/phasebot.yml:2:1", "phasebot check", "/blob/main/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_go_elsewhere_are_told() {
    let world = World::installed(|options| {
        options.webhook_url = Some("https://other.invalid/webhooks/github".to_owned());
        options.webhook_secret = String::new().into();
    })
    .await
    .with_public_address();
    let found = world.doctor();
    found.fails_only(&["webhook", "webhook", "reachable"]);
    found.has("webhook", "fail", &["https://other.invalid/webhooks/github", "https://bot.invalid/webhooks/github"]);
    found.has("webhook", "fail", &["has no secret"]);
    found.has("reachable", "fail", &["https://bot.invalid/readyz does not answer", "start phasebot serve"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_did_not_arrive_are_told() {
    let world = World::installed(|_| {}).await.with_public_address();
    for delivery in world.forge.take_pending() {
        world.forge.lose(&delivery);
    }
    let found = world.doctor();
    found.fails_only(&["reachable", "deliveries"]);
    found.has(
        "deliveries",
        "fail",
        &["1 of the newest 1 did not arrive", "502", "catch-up", "/settings/apps/phasebot/advanced"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_can_not_be_used_is_told() {
    let mut world = World::installed(|_| {}).await;
    fs::write(world.folder.path().join("other.db"), "no database at all, but a text that is long enough").unwrap();
    world.set("DATABASE_URL", "sqlite://other.db");
    world.doctor().has("database", "fail", &["other.db", "restore a backup"]);
    world.set("DATABASE_URL", "sqlite://nowhere/phasebot.db");
    let found = world.doctor();
    found.fails_only(&["database"]);
    found.has("database", "fail", &["nowhere", "make the folder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_for_repositories_that_are_not_served_are_told() {
    let mut world = World::installed(|_| {}).await;
    for (name, repositories) in [("GOOD", "Acme/Shop"), ("BAD", "acme/shop,acme/elsewhere")] {
        world.set(&format!("ALERTS__{name}__KIND"), "alertmanager");
        world.set(&format!("ALERTS__{name}__SECRETS"), "token");
        world.set(&format!("ALERTS__{name}__REPOSITORIES"), repositories);
    }
    let found = world.doctor();
    found.fails_only(&["alerts"]);
    found.has("alerts", "ok", &["good", "Acme/Shop"]);
    found.has("alerts", "fail", &["bad", "not installed on acme/elsewhere"]);
}

const GATED: &str = "version: 1
mode: act
gates:
  release:
    on: { tag: 'v*' }
    require:
      - checks: { named: [ci] }
environments:
  production:
    require:
      - approval: { count: 1 }
";

/// Adds a ruleset on these tags that requires our check from this App, or from anybody.
fn rule(world: &World, enforcement: &str, include: &str, app: Option<u64>) {
    let mut check = json!({ "context": "phasebot/release" });
    if let Some(app) = app {
        check["integration_id"] = app.into();
    }
    let conditions = json!({ "ref_name": { "include": [include], "exclude": [] } });
    let parameters = json!({ "required_status_checks": [check], "strict_required_status_checks_policy": false });
    let rules = json!([{ "type": "required_status_checks", "parameters": parameters }]);
    world.forge.add_ruleset(REPO, "Releases", "tag", enforcement, &conditions, &rules).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_that_nobody_keeps_are_called_advisory() {
    let world = World::installed(|_| {}).await;
    world.commit_policy(GATED);
    // A ruleset that is only evaluated, and one on other tags.
    rule(&world, "evaluate", "refs/tags/v*", Some(APP));
    rule(&world, "active", "refs/tags/api/*", Some(APP));
    let found = world.doctor();
    found.fails_only(&[]);
    let parts = [REPO, "release is advisory", "tags v*", "New tag ruleset", "/acme/shop/settings/rules"];
    found.has("gates", "note", &parts);
    found.has("gates", "note", &["GitHub knows no environment", "/settings/environments"]);
    world.forge.set_environment(REPO, "production", false).unwrap();
    world.doctor().has("gates", "note", &["environment production is advisory", "without asking"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_that_github_keeps_are_called_enforced() {
    let world = World::installed(|_| {}).await;
    world.commit_policy(GATED);
    rule(&world, "active", "refs/tags/v*", Some(APP));
    world.forge.set_environment(REPO, "production", true).unwrap();
    let found = world.doctor();
    found.fails_only(&[]);
    found.has("gates", "ok", &["release is enforced by the ruleset Releases", "is not shown to an App"]);
    found.has("gates", "ok", &["environment production is enforced"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_anybody_may_report_is_a_warning() {
    let world = World::installed(|_| {}).await;
    world.commit_policy(GATED);
    rule(&world, "active", "~ALL", None);
    world.doctor().has("gates", "warn", &["from others than this App", "choose this App"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_check_that_a_writer_could_report_is_told() {
    let world = World::installed(|_| {}).await;
    let named = "named: [ci, { name: e2e, app: github-actions }, lint]";
    world.commit_policy(&GATED.replace("named: [ci]", named));
    world.forge.protect_branch(REPO, "main", &[("lint", Some(9))]).unwrap();
    let found = world.doctor();
    found.fails_only(&[]);
    let parts = ["anybody with write access could report the check ci, which release names", "app: github-actions"];
    found.has("gates", "note", &parts);
    assert!(!found.text.contains("report the check e2e"), "it is bound by the policy: {}", found.text);
    assert!(!found.text.contains("report the check lint"), "it is bound by the branch's rules: {}", found.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_below_the_mode_act_are_not_applied() {
    let world = World::installed(|_| {}).await;
    world.commit_policy(&GATED.replace("mode: act", "mode: label"));
    world.doctor().has("gates", "note", &["not applied", "set mode: act"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_repositorys_policy_needs_is_missed() {
    let world = World::installed(|options| {
        options.permissions.insert("checks".to_owned(), "read".to_owned());
        options.permissions.insert("actions".to_owned(), "read".to_owned());
        options.events.retain(|event| event != "deployment_protection_rule");
    })
    .await;
    world.doctor().fails_only(&[]);
    world.commit_policy(GATED);
    let found = world.doctor();
    found.fails_only(&["permissions"]);
    let parts = ["actions: write, checks: write and the event deployment_protection_rule"];
    found.has("permissions", "fail", &parts);
}

/// A world with the database `acme/shop` behind the connection `db`.
async fn with_database() -> (World, SimPlanetScale) {
    let database = SimPlanetScale::start(Arc::new(SystemClock)).await.unwrap();
    let mut world = World::installed(|_| {}).await.with_public_address();
    for (name, value) in [
        ("KIND", "planetscale"),
        ("SECRETS", "a database's secret"),
        ("REPOSITORIES", REPO),
        ("ORGANIZATION", planetscale::ORGANIZATION),
        ("DATABASE", planetscale::DATABASE),
        ("SERVICE_TOKEN_ID", planetscale::TOKEN_ID),
        ("SERVICE_TOKEN", planetscale::TOKEN),
        ("API_URL", &database.url()),
    ] {
        world.set(&format!("ALERTS__DB__{name}"), value);
    }
    (world, database)
}

fn webhook() -> planetscale::Webhook {
    let states =
        ["opened", "queued", "in_progress", "pending_cutover", "schema_applied", "errored", "reverted", "closed"];
    let events = states.map(|state| format!("deploy_request.{state}")).into_iter().chain(["branch.anomaly".to_owned()]);
    planetscale::Webhook {
        url: "https://bot.invalid/alerts/db".to_owned(),
        enabled: true,
        last_sent_success: true,
        events: events.collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_checked_with_its_token_its_accesses_and_its_webhook() {
    let (world, database) = with_database().await;
    let found = world.doctor();
    found.has("schema", "ok", &["reads the deploy requests of acme/shop"]);
    found.has("schema", "warn", &["no webhook sends to https://bot.invalid/alerts/db"]);
    assert!(!found.text.contains(planetscale::TOKEN), "{}", found.text);
    database.add_webhook(webhook());
    world.doctor().has("schema", "ok", &["the webhook sends what phasebot needs"]);
    for exchange in database.requests() {
        check_planetscale(&exchange).unwrap();
        assert_eq!(exchange.method, "GET");
    }
    database.set_rights(&["read_database"]);
    world.doctor().has("schema", "fail", &["Not Found", "read_deploy_request"]);
    database.set_rights(&[]);
    world.doctor().has("schema", "fail", &["can't read acme/shop", "read_database"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_database_is_told() {
    for (change, says) in [
        (planetscale::Webhook { enabled: false, ..webhook() }, "is disabled"),
        (planetscale::Webhook { last_sent_success: false, ..webhook() }, "did not arrive"),
        (planetscale::Webhook { events: vec!["branch.anomaly".to_owned()], ..webhook() }, "deploy_request.closed"),
    ] {
        let (world, database) = with_database().await;
        database.add_webhook(change);
        world.doctor().has("schema", "warn", &[says]);
    }
    let (mut world, database) = with_database().await;
    database.set_kind("postgresql");
    world.doctor().has("schema", "fail", &["has no deploy requests"]);
    world.set("ALERTS__DB__SERVICE_TOKEN", "another token than it has");
    world.doctor().has("schema", "fail", &["The access token does not exist", "service_token"]);
    world.variables.remove("PHASEBOT_ALERTS__DB__SERVICE_TOKEN");
    world.doctor().has("config", "fail", &["service_token", "needs all four"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_notices_are_asked_without_a_message() {
    let receiver = Receiver::start().await;
    let mut world = World::installed(|_| {}).await.with_public_address();
    for (name, key, value) in [
        ("OPS", "KIND", "slack".to_owned()),
        ("OPS", "TOKEN", "xoxb-a-secret-token".to_owned()),
        ("OPS", "CHANNEL", "C0123".to_owned()),
        ("OPS", "API_URL", format!("{}/api", receiver.url)),
        ("OPS", "REPOSITORIES", REPO.to_owned()),
        ("ROOM", "KIND", "matrix".to_owned()),
        ("ROOM", "TOKEN", "syt_a_secret_token".to_owned()),
        ("ROOM", "CHANNEL", "!r:e".to_owned()),
        ("ROOM", "API_URL", receiver.url.clone()),
        ("CHAT", "KIND", "discord".to_owned()),
        ("CHAT", "URL", format!("{}/discord", receiver.url)),
        ("HOOK", "KIND", "teams".to_owned()),
        ("HOOK", "URL", format!("{}/teams", receiver.url)),
    ] {
        world.set(&format!("NOTICES__{name}__{key}"), &value);
    }
    let found = world.doctor();
    found.has("notices", "ok", &["ops", "slack: writes as phasebot in Acme"]);
    found.has("notices", "ok", &["ops", "takes notices of acme/shop"]);
    found.has("notices", "ok", &["room", "matrix: writes as @phasebot:example.com"]);
    found.has("notices", "ok", &["chat", "discord: writes by the webhook phasebot"]);
    found.has("notices", "note", &["hook", "phasebot notify --test hook can tell"]);
    found.has("notices", "note", &["hook", "takes notices of public repositories only"]);
    let mut lines = receiver.lines();
    lines.sort();
    // Both forms of the output ask.
    lines.dedup();
    assert_eq!(lines, ["GET /_matrix/client/v3/account/whoami", "GET /discord", "POST /api/auth.test"]);

    receiver.always(Some(Answer::Status(200, None, r#"{"ok":false,"error":"invalid_auth"}"#.to_owned())));
    let found = world.doctor();
    found.has("notices", "fail", &["ops", "slack: refused: Slack says invalid_auth"]);
    assert!(!found.text.contains("a-secret-token"));
}
