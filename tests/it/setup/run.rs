//! Setup by HTTP, from the first page to a serving bot.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::stage::{Browser, PATIENCE, Setup, forge, form};
use crate::openapi::check_exchange;

const PUBLIC: &str = "https://bot.invalid";

/// Registers the App and installs it, as a person would.
async fn all_the_way(forge: &phasebot_forge_sim::SimForge, setup: &mut Setup) {
    let browser = Browser::new();
    let page = setup.page();
    let back = browser.register(forge, &page).await;
    let (status, _) = browser.get(&back).await;
    assert_eq!(status, 303);
    let to = setup.line("Now install it").split(": ").last().unwrap().to_owned();
    let (_, html) = browser.get(&page).await;
    assert!(html.contains(&to), "the page leads there too: {html}");
    let (status, html) = browser.get(&to).await;
    assert_eq!(status, 200, "{html}");
    let (status, _, html) = browser.submit(&form(&html, &to)).await;
    assert_eq!(status, 302, "{html}");
    setup.line("Installed for acme");
    let (_, html) = browser.get(&page).await;
    assert!(html.contains("Installed for acme"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_bot_that_serves() {
    let forge = forge().await;
    let pages = "https://pages.invalid";
    let mut setup = Setup::start(&forge, &["--org", "acme", "--public-url", PUBLIC, "--web-url", pages]);
    all_the_way(&forge, &mut setup).await;
    let (status, err) = setup.end();
    assert!(status.success(), "{}\n{err}", setup.said);

    // What people sign in with: GitHub knows where to send them back.
    let github = phasebot::forge::github::sign_in::GitHubSignIn::new(
        setup.variable("PHASEBOT_GITHUB__CLIENT_ID"),
        setup.variable("PHASEBOT_GITHUB__CLIENT_SECRET").into(),
        forge.api_url(),
        forge.web_url(),
    );
    let page = phasebot::port::sign_in::SignIn::authorize_url(
        &github.unwrap(),
        &format!("{}/callback", setup.variable("PHASEBOT_WEB_URL")),
        "state",
        "challenge",
    );
    let answer = Browser::new().request(&page).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let to = answer.headers()["location"].to_str().unwrap();
    assert!(to.starts_with("https://pages.invalid/callback?code="), "{to}");
    assert_eq!(setup.variable("PHASEBOT_WEB_SECRETS").len(), 64);

    // Stored files.
    let id = setup.variable("PHASEBOT_GITHUB__APP_ID");
    assert_eq!(setup.files(), [(format!("phasebot-{id}.pem"), 0o600), ("phasebot.env".to_owned(), 0o600)]);
    assert_eq!(setup.variable("PHASEBOT_PUBLIC_URL"), PUBLIC);
    assert_eq!(setup.variable("PHASEBOT_GITHUB__API_URL"), forge.api_url());

    // Requested permissions: exactly those in the file.
    let exchanges = forge.requests();
    for exchange in &exchanges {
        check_exchange(exchange).unwrap();
    }
    let made = exchanges.iter().find(|e| e.route == "/app-manifests/{code}/conversions").unwrap();
    let manifest: Value = serde_json::from_str(include_str!("../../../config/github-app.json")).unwrap();
    let made = made.response.as_ref().unwrap();
    assert_eq!(made["permissions"], manifest["default_permissions"]);
    assert_eq!(made["events"], manifest["default_events"]);
    assert_eq!(made["owner"]["login"], "acme");

    // No secret was shown.
    let secret = setup.variable("PHASEBOT_GITHUB__WEBHOOK_SECRETS");
    for secret in
        [&secret, made["client_secret"].as_str().unwrap(), made["pem"].as_str().unwrap().lines().nth(1).unwrap()]
    {
        assert!(!setup.said.contains(secret) && !err.contains(secret));
    }

    // It ended with the findings of doctor, and with the command that starts the bot.
    for part in
        ["ok    app", "ok    webhook", "ok    installed", "ok    permissions  acme", "ok    clock", "note  reachable"]
    {
        assert!(setup.said.contains(part), "{part} is missing:\n{}", setup.said);
    }
    let command = setup.said.lines().last().unwrap().trim();
    serves(command, &setup).await;
}

/// Runs exactly the command that setup shows, which starts the bot.
async fn serves(command: &str, setup: &Setup) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_phasebot"));
    let (listen, admin) = (free_port(), free_port());
    let mut shell = Command::new("sh")
        // Without the parentheses, so that `exec` replaces the shell and the process can be
        // stopped.
        .args(["-c", command.strip_prefix('(').and_then(|command| command.strip_suffix(')')).unwrap()])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.parent().unwrap().display()))
        .env("PHASEBOT_LISTEN", &listen)
        .env("PHASEBOT_ADMIN_LISTEN", &admin)
        .current_dir(setup.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let browser = Browser::new();
    let ready = async {
        loop {
            if let Ok(answer) = browser.request(&format!("http://{listen}/readyz")).send().await {
                return answer.status().as_u16();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let status = tokio::time::timeout(PATIENCE, ready).await;
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert_eq!(status.unwrap(), 200);
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_is_asked_for_only_when_told() {
    let forge = forge().await;
    let with =
        ["--org", "acme", "--public-url", PUBLIC, "--with", "gates,deploys", "--no-wait", "--name", "Acme's phases"];
    let mut setup = Setup::start(&forge, &with);
    let browser = Browser::new();
    let page = setup.page();
    browser.get(&browser.register(&forge, &page).await).await;
    setup.line("Install it: ");
    let (status, _) = setup.end();
    // The App is not installed: doctor reports this, so the exit code is not 0.
    assert_eq!(status.code(), Some(1));
    assert!(setup.said.contains("FAIL  installed"), "{}", setup.said);
    let exchanges = forge.requests();
    let made = exchanges.iter().find(|e| e.route == "/app-manifests/{code}/conversions").unwrap();
    let made = made.response.as_ref().unwrap();
    assert_eq!(made["slug"], "acme-s-phases");
    assert_eq!(
        (&made["permissions"]["deployments"], &made["permissions"]["checks"]),
        (&"write".into(), &"write".into())
    );
    assert!(made["events"].as_array().unwrap().contains(&"deployment_protection_rule".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_address_webhooks_go_nowhere() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &["--org", "acme", "--pull"]);
    all_the_way(&forge, &mut setup).await;
    let (status, err) = setup.end();
    assert!(status.success(), "{}\n{err}", setup.said);
    assert!(setup.variables().iter().all(|(name, _)| name != "PHASEBOT_PUBLIC_URL"));
    assert!(setup.said.contains("note  webhook"), "{}", setup.said);
}
