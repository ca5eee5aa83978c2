//! `phasebot demo` and `phasebot explain`, tested with the built program.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Runs the program in an empty directory, with a locale and no other environment.
fn phasebot(arguments: &[&str], locale: &str, input: &[u8]) -> Output {
    let folder = tempfile::TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_phasebot"))
        .args(arguments)
        .env_clear()
        .env("LANG", locale)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/github/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn explain(event: &str, name: &str, more: &[&str]) -> String {
    let file = fixture(name);
    let said = phasebot(&[&["explain", "--event", event, &file], more].concat(), "C.UTF-8", b"");
    assert_eq!((said.status.code(), text(&said.stderr).as_str()), (Some(0), ""));
    text(&said.stdout)
}

#[test]
fn the_demo_goes_through_all_eight_phases() {
    let said = phasebot(&["demo", "--exit", "--speed", "1000"], "C.UTF-8", b"");
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert_eq!((said.status.code(), err.as_str()), (Some(0), ""), "{out}");
    let mut rest = out.as_str();
    for phase in ["PLAN", "CODE", "BUILD", "TEST", "RELEASE", "DEPLOY", "OPERATE", "MONITOR"] {
        let drawn = format!("[{phase}]");
        let at = rest.find(&drawn).unwrap_or_else(|| panic!("{drawn} is missing or out of order:\n{out}"));
        rest = &rest[at..];
    }
    assert!(out.contains("200 duplicate"), "{out}");
    assert!(out.contains("phase/operate → phase/release"), "the rollback:\n{out}");
    let alert = &out[out.find("The alert").unwrap()..];
    for told in
        ["#3  no label → phase/plan", "  suspect  `", "before, by deployer[bot]: #2, #1", "/rollback production"]
    {
        assert!(alert.replace("\n           ", " ").contains(told), "{told}:\n{out}");
    }
    let services = &out[out.find("A second service").unwrap()..];
    let of_mail = "#4  phase/build → phase/release";
    assert!(services.contains(of_mail) && services.contains("deployed to `mail-production`"), "{out}");
    assert!(!services.contains("#2  phase"), "{out}");
    assert!(!out.contains("    wrong  "), "{out}");
    assert!(!out.contains('\u{1b}'), "colours outside a terminal");
}

#[test]
fn a_plain_terminal_gets_the_demo_in_ascii() {
    let said = phasebot(&["demo", "--exit", "--speed", "1000"], "C", b"");
    assert_eq!(said.status.code(), Some(0));
    let out = text(&said.stdout);
    assert!(out.is_ascii(), "{out}");
    assert!(out.contains("phase/plan -> phase/code"), "{out}");
}

#[test]
fn an_issue_is_explained() {
    insta::assert_snapshot!(explain("issues", "issues.opened", &[]), @r"
    issues.opened in acme/shop, 2026-11-02T09:00:00Z
      facts     item #12

    #12 phase: plan, since 2026-11-02T09:00:00Z
      why       the issue is open  [rule built-in:15]
      effect    put `phase/plan` on
      next      `code` when a pull request that closes it is open, or a branch for
                it is pushed

    This is told from the one event. What the bot saw before it may lead further.
    ");
}

#[test]
fn a_merge_is_explained() {
    insta::assert_snapshot!(explain("pull_request", "pull_request.closed", &[]), @r"
    pull_request.closed in acme/shop, 2026-11-02T12:00:01Z
      facts     item #34

    #34 phase: build, since 2026-11-02T12:00:00Z
      why       #34 merged into `main` as `ccccccc`  [rule built-in:27]
      effect    put `phase/build` on, take `phase/code` off
      next      `test` when the checks of its commit, or of a later one, have passed
      next      no checks have reported on `ccccccc`

    The bot would ask the forge first, which is not done here:
      which issues it links to #34
      which tags there are

    This is told from the one event. What the bot saw before it may lead further.
    ");
}

#[test]
fn no_phase_is_explained() {
    insta::assert_snapshot!(explain("issues", "issues.closed", &[]), @r"
    issues.closed in acme/shop, 2026-11-02T11:00:00Z
      facts     item #12

    #12 phase: none, since 2026-11-02T11:00:00Z
      why       it was closed as not planned
      effect    nothing

    This is told from the one event. What the bot saw before it may lead further.
    ");
}

#[test]
fn an_event_without_a_known_item_is_explained() {
    insta::assert_snapshot!(explain("deployment_status", "deployment_status.created", &[]), @r"
    deployment_status.created in acme/shop, 2026-11-03T10:05:00Z
      facts     deployment 5501

    It concerns no item that this event alone makes known.

    The bot would ask the forge first, which is not done here:
      whether ccccccc is on `main`

    This is told from the one event. What the bot saw before it may lead further.
    ");
}

#[test]
fn what_is_ignored_or_not_understood_is_told_with_the_reason() {
    let out = explain("team", "team.created", &[]);
    assert!(out.contains("event `team` is not used"), "{out}");
    let said = phasebot(&["explain", "--event", "issues", "-", "--format", "json"], "C.UTF-8", b"[1, 2");
    assert_eq!(said.status.code(), Some(0));
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(told["outcome"], "quarantined");
    assert!(told["note"].as_str().unwrap().contains("not a JSON object"), "{told}");
}

#[test]
fn scripts_get_json_and_stdin_is_read() {
    let body = std::fs::read(fixture("pull_request.closed")).unwrap();
    let said = phasebot(&["explain", "--event", "pull_request", "-", "--format", "json"], "C.UTF-8", &body);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&told["event"], &told["outcome"]), (&"pull_request.closed".into(), &"done".into()));
    let item = &told["items"][0];
    assert_eq!(
        (&item["item"], &item["phase"], &item["reason"]["code"]),
        (&34.into(), &"build".into(), &"merged".into())
    );
    assert!(item["reason"]["rule"].as_str().unwrap().starts_with("built-in:"), "{item}");
    assert_eq!(item["takes_off"], serde_json::json!(["phase/code"]));
    assert_eq!(told["asks"][0]["LinkedIssues"]["pull"], 34);
}

#[test]
fn a_policy_file_is_followed() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("phasebot.yml");
    std::fs::write(&file, "version: 1\nphases:\n  - name: wish\n    label: wish\n    when: [issue_open]\n").unwrap();
    let out = explain("issues", "issues.opened", &["--policy", file.to_str().unwrap()]);
    assert!(out.contains("#12 phase: wish") && out.contains("phasebot.yml:3"), "{out}");
    std::fs::write(&file, "version: 1\nmode: observe\n").unwrap();
    let out = explain("issues", "issues.opened", &["--policy", file.to_str().unwrap()]);
    assert!(out.contains("mode: observe") && out.contains("effect    nothing"), "{out}");
    std::fs::write(&file, "version: 1\nphasses: []\n").unwrap();
    let payload = fixture("issues.opened");
    let said =
        phasebot(&["explain", "--event", "issues", &payload, "--policy", file.to_str().unwrap()], "C.UTF-8", b"");
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("phases"), "{}", text(&said.stderr));
}

#[test]
fn a_payload_that_is_not_there_is_an_error() {
    let said = phasebot(&["explain", "--event", "issues", "nowhere.json"], "C.UTF-8", b"");
    assert_eq!((said.status.code(), said.stdout.len()), (Some(1), 0));
    assert!(text(&said.stderr).contains("nowhere.json can't be read"));
}

/// A draft release with `mode: act`: the gate's decision and its check run.
#[test]
fn what_a_gate_would_do_is_explained() {
    let folder = tempfile::TempDir::new().unwrap();
    let policy = folder.path().join("act.yml");
    let text = "version: 1\nmode: act\ngates: { release: { on: { draft: true }, require: [freeze] } }\n";
    std::fs::write(&policy, text).unwrap();
    let mut payload: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("release.published")).unwrap()).unwrap();
    payload["action"] = "created".into();
    payload["release"]["draft"] = true.into();
    payload["release"]["published_at"] = Value::Null;
    payload["release"]["target_commitish"] = "f".repeat(40).into();
    let file = folder.path().join("draft.json");
    std::fs::write(&file, payload.to_string()).unwrap();
    let (file, policy) = (file.to_str().unwrap(), policy.to_str().unwrap());
    let said = phasebot(&["explain", "--event", "release", file, "--policy", policy], "C.UTF-8", b"");
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(out.contains("phasebot/release on fffffff"), "{out}");
    assert!(out.contains("set the check run `phasebot/release` on fffffff"), "{out}");
    assert!(out.contains("freeze    pass: no freeze is in force"), "{out}");
}
