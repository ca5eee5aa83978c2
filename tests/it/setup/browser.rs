//! Setup in a real browser.

use serde_json::json;

use super::stage::{Setup, forge};
use crate::support::browser::{Chromium, ELEMENT};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: scripts/test browser"]
async fn a_browser_registers_and_installs_the_app() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &["--org", "acme", "--public-url", "https://bot.invalid"]);
    let page = setup.page();
    let browser = Chromium::start().await;

    browser.open(&page).await;
    assert!(browser.text("main").await.contains("Sign in to http://127.0.0.1"));
    let colour = browser
        .ask("/execute/sync", Some(json!({ "script": "return getComputedStyle(document.querySelector('#register')).backgroundColor", "args": [] })))
        .await
        .unwrap();
    assert_eq!(colour, "rgb(26, 127, 55)", "the style sheet is let in");
    browser.click("#register").await;
    assert!(browser.text("#create").await.contains("acme"));
    browser.click("#create").await;
    // The forge redirects back; the code does not stay in the address.
    let ours = browser.tabs().await;
    browser.element("a#install").await;
    assert_eq!(browser.url().await, page);
    browser.click("a#install").await;
    let forges = browser.tabs().await.into_iter().find(|tab| !ours.contains(tab)).unwrap();
    browser.go_to_tab(&forges).await;
    browser.click("button#install").await;
    browser.element("#installed").await;
    browser.go_to_tab(&ours[0]).await;
    assert!(browser.text("#done").await.contains("Installed for acme"));
    // Our own Content-Security-Policy must not block the form or the style.
    for complaint in browser.complaints().await {
        assert!(!complaint.contains("form-action") && !complaint.contains("style-src"), "{complaint}");
    }
    browser.end().await;

    let (status, err) = setup.end();
    assert!(status.success(), "{}\n{err}", setup.said);
    assert_eq!(setup.files().len(), 2);
}

/// Another site cannot show our page in a frame, and a site whose name resolves to this machine
/// gets no content.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: scripts/test browser"]
async fn another_site_gets_nothing_of_the_page() {
    let forge = forge().await;
    let mut setup = Setup::start(&forge, &["--org", "acme", "--public-url", "https://bot.invalid"]);
    let page = setup.page();
    let browser = Chromium::start().await;
    browser.open(&format!("data:text/html,<iframe id=framed src='{page}'></iframe>")).await;
    let frame = browser.element("#framed").await;
    browser.ask("/frame", Some(json!({ "id": { ELEMENT: frame } }))).await.unwrap();
    assert!(!browser.source().await.contains("manifest"), "{}", browser.source().await);

    // Browsers resolve every name under localhost to this machine, like a rebound DNS name.
    browser.open(&page.replace("127.0.0.1", "attacker.localhost")).await;
    assert_eq!(browser.text("body").await, "this page is for this machine only");
    browser.end().await;
}
