//! Failures of `phasebot setup`, and what they leave behind.

use std::fs;

use super::stage::{Browser, Setup, forge};

const ARGUMENTS: [&str; 4] = ["--org", "acme", "--public-url", "https://bot.invalid"];

#[tokio::test(flavor = "multi_thread")]
async fn a_code_without_the_right_state_is_not_taken() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &ARGUMENTS);
    let page = setup.page();
    let browser = Browser::new();
    let back = browser.register(&forge, &page).await;
    let (before, state) = back.split_once("state=").unwrap();
    for wrong in ["", "x", &state[1..], &"0".repeat(state.len())] {
        let (status, html) = browser.get(&format!("{before}state={wrong}")).await;
        assert_eq!(status, 403, "{html}");
    }
    assert!(forge.requests().is_empty(), "no code was exchanged");
    assert_eq!(browser.get(&back).await.0, 303);
    setup.line("Registered");
    // The code works only once.
    assert_eq!(browser.get(&back).await.0, 403);
    assert_eq!(forge.requests().iter().filter(|e| e.method == "POST").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_not_valid_any_more_lets_people_begin_again() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &ARGUMENTS);
    let page = setup.page();
    let browser = Browser::new();
    let back = browser.register(&forge, &page).await;
    let state = back.split_once("state=").unwrap().1;
    let base = back.split_once("/callback").unwrap().0;
    assert_eq!(browser.get(&format!("{base}/callback?code=expired&state={state}")).await.0, 303);
    setup.line("GitHub does not know the code");
    let (_, html) = browser.get(&page).await;
    assert!(html.contains("GitHub does not know the code") && html.contains("<form"), "{html}");
    assert!(setup.files().iter().all(|(name, _)| name.starts_with(".phasebot-")), "{:?}", setup.files());
    let again = browser.register(&forge, &page).await;
    assert_eq!(browser.get(&again).await.0, 303);
    setup.line("Kept: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_this_machine_only() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &ARGUMENTS);
    let page = setup.page();
    let browser = Browser::new();
    let port = page.split([':', '/']).nth(4).unwrap();
    for host in [
        "attacker.example",
        &format!("attacker.example:{port}"),
        "127.0.0.1",
        &format!("127.0.0.1.nip.example:{port}"),
        "",
    ] {
        let answer = browser.request(&page).header("host", host).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 421, "{host:?}");
        assert!(!answer.text().await.unwrap().contains("manifest"));
    }
    let answer = browser.request(&page).header("host", format!("localhost:{port}")).send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains(&format!("form-action {}", forge.web_url())),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store".to_owned(), "no-referrer".to_owned()));
    // Nothing is served to anybody who does not know its address.
    for path in ["", "wrong", &"0".repeat(32)] {
        let (status, text) = browser.get(&format!("http://127.0.0.1:{port}/{path}")).await;
        assert_eq!((status, text.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_there_are_not_overwritten() {
    let forge = forge().await;
    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("phasebot.env"), "mine").unwrap();
    let mut setup = Setup::start_in(folder, &forge, &ARGUMENTS);
    let (status, err) = setup.end();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("phasebot.env is there already") && err.contains("--force"), "{err}");
    assert_eq!(setup.said, "", "it is noticed before anybody registers anything");
    assert_eq!(fs::read_to_string(setup.env_file()).unwrap(), "mine");

    let folder = tempfile::TempDir::new().unwrap();
    fs::write(folder.path().join("phasebot.env"), "mine").unwrap();
    let mut setup = Setup::start_in(folder, &forge, &[&ARGUMENTS[..], &["--force", "--no-wait"]].concat());
    let page = setup.page();
    let browser = Browser::new();
    browser.get(&browser.register(&forge, &page).await).await;
    setup.end();
    assert!(!setup.variable("PHASEBOT_GITHUB__APP_ID").is_empty());
    assert!(setup.files().iter().all(|(_, mode)| *mode == 0o600), "{:?}", setup.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_before_anything_leaves_nothing() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &ARGUMENTS);
    setup.page();
    setup.interrupt();
    let (status, err) = setup.end();
    assert_eq!((status.code(), err.as_str()), (Some(1), "error: ended: no App was registered\n"));
    assert_eq!(setup.files(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_waiting_keeps_the_credentials() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &ARGUMENTS);
    let page = setup.page();
    let browser = Browser::new();
    browser.get(&browser.register(&forge, &page).await).await;
    setup.line("Waiting until it is installed");
    setup.interrupt();
    let (status, err) = setup.end();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("its credentials are kept"), "{err}");
    assert!(setup.said.contains("/installations/new") && setup.said.contains("phasebot doctor"), "{}", setup.said);
    assert_eq!(setup.files().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_explained_before_anything_happens() {
    let forge = forge().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, says) in [
        (&["--org", "acme"][..], "say how GitHub reaches this bot"),
        (&["--public-url", "http://localhost:8080"], "GitHub can't reach"),
        (&["--public-url", "bot.example"], "expected an address such as https://HOST"),
        (&["--org", "../x", "--public-url", "https://bot.invalid"], "is not the name of an organisation"),
        (&["--public-url", "https://bot.invalid", "--dir", "nowhere"], "--dir: nowhere: "),
        (&["--public-url", "https://bot.invalid", "--port", &port], "choose another one with --port"),
    ] {
        let mut setup = Setup::start(&forge, arguments);
        let (status, err) = setup.end();
        assert_eq!(status.code(), Some(1), "{arguments:?}: {err}");
        assert!(err.contains(says), "{arguments:?}: {err}");
        assert_eq!(setup.files(), []);
    }
    assert!(forge.requests().is_empty());
}
