//! The pages in a real browser: nothing comes from elsewhere, everything fits and is accessible, and
//! a person can sign in.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use phasebot::web::Access;
use serde_json::{Value, json};

use super::access;
use crate::{
    flow::{Setup, World, whole_loop::through_the_loop},
    openapi::corpora,
    support::browser::Chromium,
};

/// Ways in which people look at a page: media, colours, width.
const VIEWS: [(&str, &str, &str, &str, u32); 5] = [
    ("light", "screen", "light", "none", 1280),
    ("dark", "screen", "dark", "none", 1280),
    ("forced colours", "screen", "dark", "active", 1280),
    ("narrow", "screen", "light", "none", 320),
    ("paper", "print", "light", "none", 1280),
];

/// Looks at a page in one way. `with_script`: the page's own script runs.
async fn look(browser: &Chromium, url: &str, view: (&str, &str, &str, &str, u32), with_script: bool) {
    let (_, media, scheme, forced, width) = view;
    let features = json!([
        { "name": "prefers-color-scheme", "value": scheme },
        { "name": "forced-colors", "value": forced },
    ]);
    browser.devtools("Emulation.setEmulatedMedia", json!({ "media": media, "features": features })).await;
    let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !with_script })).await;
    browser.open(url).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
}

/// Returns what axe finds wrong with the page that is open.
async fn findings(browser: &Chromium, axe: &str) -> Value {
    let rules = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']";
    browser
        .run(&format!(
            "(async () => {{ {axe}; const done = await axe.run(document, {{ runOnly: {rules} }});
             if (done.passes.length < 15) throw new Error('axe found little to look at');
             return done.violations.map(v => v.id + ': ' + v.nodes[0].html); }})()"
        ))
        .await
}

/// Most bytes of a page, of its style sheet, of its script and of all together, as they are sent.
const BUDGETS: [(&str, u64); 4] = [("page", 60_000), ("css", 12_000), ("js", 6_000), ("all", 100_000)];

/// Adds the budgets that the page that is open does not keep.
async fn over_budget(browser: &Chromium, name: &str, wrong: &mut BTreeMap<String, Value>) {
    let entries = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))";
    let sizes = browser.run(&format!("{entries}.map(entry => [entry.name, entry.encodedBodySize])")).await;
    let mut all = BTreeMap::from([("all", 0)]);
    for size in sizes.as_array().unwrap() {
        let (address, bytes) = (size[0].as_str().unwrap(), size[1].as_u64().unwrap());
        let what = match address.rsplit_once('.').map(|(_, extension)| extension) {
            Some("css") => "css",
            Some("js") => "js",
            Some("svg") => "icon",
            _ => "page",
        };
        *all.entry(what).or_default() += bytes;
        *all.entry("all").or_default() += bytes;
    }
    assert!(all["page"] > 0 && all["css"] > 0, "{name}: {sizes}");
    for (what, most) in BUDGETS {
        if let Some(bytes) = all.get(what).filter(|bytes| **bytes > most) {
            wrong.insert(format!("{name}: {what} has more than {most} bytes"), json!(bytes));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and axe-core (scripts/fetch-corpora): scripts/test browser"]
async fn every_page_is_accessible_fits_and_loads_nothing_from_elsewhere() {
    let file = corpora().join("node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let world = World::with(Setup { pages: Some(Access::Open), ..Setup::default() }).await;
    let (issue, _) = through_the_loop(&world, "v1.0.0").await;
    for number in 0..60 {
        let title = format!("{} {}", "A title that goes on and on ".repeat(number % 5), "x".repeat(number));
        world.person("ada").open_issue(&title, "", &[]).unwrap();
    }
    world.run(SignedDuration::from_hours(30)).await;
    let home = format!("http://{}", world.web.unwrap());
    let browser = Chromium::start().await;
    let mut wrong: BTreeMap<String, Value> = BTreeMap::new();
    let item = format!("/acme/shop/items/{issue}");
    for path in [
        "/",
        "/acme/shop",
        "/acme/shop/env",
        "/acme/shop/gates",
        "/acme/shop/dora",
        "/acme/shop/deployments",
        "/acme/shop/changes",
        "/acme/shop/about",
        "/acme/shop/flow",
        "/acme/shop/retro/2026-W10",
        &item,
        "/about",
        "/about/figures",
        "/acme/nothing",
    ] {
        let url = format!("{home}{path}");
        for view in VIEWS {
            look(&browser, &url, view, true).await;
            let name = format!("{path} ({})", view.0);
            let found = findings(&browser, &axe).await;
            if found != json!([]) {
                wrong.insert(name.clone(), found);
            }
            let width = browser.run("document.documentElement.scrollWidth").await;
            if width.as_u64().unwrap() > u64::from(view.4) {
                wrong.insert(format!("{name}: too wide"), width);
            }
            over_budget(&browser, &name, &mut wrong).await;
            let asked = browser.run("performance.getEntriesByType('resource').map(entry => entry.name)").await;
            for address in asked.as_array().unwrap() {
                assert!(address.as_str().unwrap().starts_with(&home), "{name} asks for {address}");
            }
        }
        // Without script it shows the same.
        let words = "document.querySelector('main').innerText.replace(/Updated .*/, '').trim()";
        look(&browser, &url, VIEWS[0], true).await;
        let with = browser.run(words).await;
        look(&browser, &url, VIEWS[0], false).await;
        assert_eq!(browser.run(words).await, with, "{path}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for complaint in browser.complaints().await {
        assert!(complaint.contains("404"), "{complaint}");
    }
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: scripts/test browser"]
async fn a_person_signs_in_reads_and_signs_out() {
    let (world, _) = access::world().await;
    access::populate(&world).await;
    world.forge.sign_in_as("reader");
    let home = format!("http://{}", world.web.unwrap());
    let browser = Chromium::start().await;
    browser.open(&format!("{home}/acme/shop")).await;
    assert!(browser.url().await.starts_with(&format!("{home}/login?to=")), "{}", browser.url().await);
    browser.click("a.button").await;
    assert!(browser.text("main").await.contains("Only for readers of acme/shop"), "{}", browser.source().await);
    assert_eq!(browser.url().await, format!("{home}/acme/shop"));
    assert!(browser.text(".who").await.contains("reader"));
    // Scripts can't read the session.
    assert_eq!(browser.run("document.cookie").await, "");
    browser.open(&format!("{home}/acme/secret")).await;
    assert!(!browser.text("body").await.contains("Only for readers"), "{}", browser.source().await);
    browser.open(&home).await;
    browser.click(".who button").await;
    browser.element("a.button").await;
    browser.open(&format!("{home}/acme/shop")).await;
    assert!(browser.url().await.starts_with(&format!("{home}/login?to=")), "{}", browser.url().await);
    browser.end().await;
}
