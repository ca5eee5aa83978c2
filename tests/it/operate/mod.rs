//! Operation of the real process: signals, new secrets, the private address, and secrecy of its
//! output.

#![cfg(unix)]

mod process;
mod removal;

use std::{fs, process::Command, time::Duration};

use phasebot_forge_sim::sign;
use process::{ADMIN_TOKEN, FIRST, SECOND, Serving};

use crate::docs::shell_blocks;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_in_good_order() {
    let mut serving = Serving::new().await;
    serving.start().await;
    assert_eq!(serving.post(FIRST, "d-1").await, 202);
    assert_eq!(serving.terminate(), Some(0));
    assert!(serving.log().contains("ended in good order"), "{}", serving.log());
    serving.start().await;
    assert_eq!(serving.post(FIRST, "d-1").await, 200, "what was acknowledged is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_and_key_are_renewed_and_what_is_broken_changes_nothing() {
    let mut serving = Serving::new().await;
    serving.start().await;
    assert_eq!((serving.post(FIRST, "a").await, serving.post(SECOND, "b").await), (202, 401));

    // Two secrets at once, after a signal.
    fs::write(serving.path("secrets"), format!("{FIRST}\n{SECOND}\n")).unwrap();
    serving.hang_up();
    serving.until_logged("secrets, key and policy are renewed", 1).await;
    assert_eq!((serving.post(FIRST, "c").await, serving.post(SECOND, "d").await), (202, 202));

    // The old secret is removed; the change of the file is noticed without a signal.
    fs::write(serving.path("secrets"), format!("{SECOND}\n")).unwrap();
    serving.until_logged("secrets, key and policy are renewed", 2).await;
    assert_eq!((serving.post(FIRST, "e").await, serving.post(SECOND, "f").await), (401, 202));

    for (file, broken) in [
        ("secrets", "one\ntwo\nthree\n"),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nx\n"),
        ("policy.yml", "version: 7\n"),
    ] {
        let good = fs::read_to_string(serving.path(file)).unwrap();
        let before = serving.count("what was in force stays so");
        fs::write(serving.path(file), broken).unwrap();
        serving.hang_up();
        serving.until_logged("what was in force stays so", before + 1).await;
        assert_eq!(serving.post(SECOND, &format!("after {file}").replace(' ', "-")).await, 202, "{file}");
        let renewed = serving.count("secrets, key and policy are renewed");
        fs::write(serving.path(file), good).unwrap();
        serving.hang_up();
        serving.until_logged("secrets, key and policy are renewed", renewed + 1).await;
    }
    serving.shows_no_secret();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_private_address_does_what_the_page_says() {
    let mut serving = Serving::new().await;
    serving.start().await;
    assert_eq!(serving.post(FIRST, "a").await, 202);
    serving.until_logged("delivery decided", 1).await;
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let blocks: Vec<String> = shell_blocks(&page).into_iter().filter(|block| block.contains("curl ")).collect();
    let script = blocks.join("\n");
    let calls = script.matches("curl ").count();
    assert!(calls >= 8, "{script}");
    let done = Command::new("sh")
        .args(["-ec", &script])
        .env("ADMIN", format!("http://{}", serving.admin()))
        .env("TOKEN", ADMIN_TOKEN)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    for word in [
        "phasebot_received_total",
        "\"pending\"",
        "\"delivery\":1",
        "\"paused\"",
        "\"writing\":\"on\"",
        "phasebot::app=debug",
    ] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    serving.keep(&said);
    serving.shows_no_secret();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_red_switch_outlives_a_restart_and_the_token_is_asked_for() {
    let mut serving = Serving::new().await;
    serving.start().await;
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some(ADMIN_TOKEN), 200)] {
        assert_eq!(serving.ask("POST", "/admin/pause", token, r#"{"reason":"an incident"}"#).await.0, status);
    }
    assert!(serving.ready().await.contains(r#""writing":"paused""#));
    assert_eq!(serving.terminate(), Some(0));
    serving.start().await;
    let (_, status) = serving.ask("GET", "/admin/status", Some(ADMIN_TOKEN), "").await;
    assert!(status.contains("an incident") && status.contains("paused"), "{status}");
    assert_eq!(serving.ask("POST", "/admin/resume", Some(ADMIN_TOKEN), "").await.0, 200);
    assert!(!serving.ready().await.contains("paused"));
    for (method, path, body, wanted) in [
        ("PUT", "/admin/log", r#"{"filter":"loud"}"#, 400),
        ("POST", "/admin/pause", r#"{"reason":" "}"#, 400),
        ("GET", "/admin/deliveries?state=lost", "", 400),
        ("GET", "/admin/deliveries/9", "", 404),
        ("POST", "/admin/deliveries/9/replay", "", 404),
        ("GET", "/admin/pause", "", 405),
    ] {
        assert_eq!(serving.ask(method, path, Some(ADMIN_TOKEN), body).await.0, wanted, "{method} {path}");
    }
    serving.shows_no_secret();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_ever_shows_a_secret() {
    let mut serving = Serving::new().await;
    serving.level = "trace";
    serving.start().await;
    let issue = serving.bob().open_issue("Cart", "", &[]).unwrap().made;
    serving.sim.deliver_pending().await;
    serving.until(|serving| !serving.sim.visible_labels("acme/shop", issue).is_empty()).await;
    // Faults: revoked tokens, wrong signatures, bodies that are not JSON.
    serving.sim.revoke_tokens();
    serving.bob().open_issue("Till", "", &[]).unwrap();
    serving.sim.deliver_pending().await;
    serving.until(|serving| !serving.sim.visible_labels("acme/shop", issue + 1).is_empty()).await;
    assert_eq!(serving.post("wrong", "w").await, 401);
    assert_eq!(serving.send(b"not json", &sign(FIRST, b"not json"), "n").await, 202);
    assert_eq!(serving.ask("GET", "/admin/status", Some("wrong"), "").await.0, 401);
    fs::write(serving.path("secrets"), format!("{FIRST}\n{SECOND}\nthree\n")).unwrap();
    serving.hang_up();
    serving.until_logged("what was in force stays so", 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(serving.terminate(), Some(0));
    let log = serving.log();
    assert!(log.contains("TRACE") && log.contains("forge_call"), "the log says little");
    serving.shows_no_secret();
}
