//! What the pages show, their headers, and that nothing from outside has an effect in them.

use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use phasebot::{settings::Settings, web::Access};
use phasebot_forge_sim::MergeMethod;
use reqwest::Method;

use super::Client;
use crate::flow::{REPO, Setup, World, whole_loop::through_the_loop};

const POLICY: &str = "version: 1\nmode: act\nenvironments:\n  production:\n    production: true\n    \
    deploy: { via: deployment }\n    require:\n      - approval: { count: 1 }\n";

pub(super) async fn open(policy: &'static str) -> (World, Client) {
    let world = World::with(Setup { pages: Some(Access::Open), policy, ..Setup::default() }).await;
    let client = Client::new(world.web.unwrap());
    (world, client)
}

/// Asserts that a page holds nothing that the policy of its contents forbids, and is whole.
pub(super) fn is_sound(path: &str, page: &str) {
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">") && page.ends_with("</html>"), "{path}\n{page}");
    for word in [" style=", "<style", " onclick", " onload", "javascript:", "http-equiv"] {
        assert!(!page.contains(word), "{path} holds {word}\n{page}");
    }
    for element in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        assert!(element.matches(" class=\"").count() < 2, "{path}: {element}");
    }
    for script in page.split("<script").skip(1) {
        assert!(script.starts_with(" defer src=\"/assets/") && script.contains("\"></script>"), "{path}\n{script}");
    }
    // What a browser fetches by itself is ours.
    for attribute in ["src=\"", "rel=\"stylesheet\" href=\"", "type=\"image/svg+xml\" href=\""] {
        for address in page.split(attribute).skip(1) {
            assert!(address.starts_with("/assets/"), "{path}: {attribute}{}", &address[..40]);
        }
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{path}: {ids:?}");
    for anchor in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(ids.contains(&anchor), "{path}: nothing is called {anchor}");
    }
}

#[tokio::test]
async fn the_pages_show_where_everything_is_and_why() {
    let (world, client) = open("").await;
    let (issue, pull) = through_the_loop(&world, "v1.0.0").await;
    let ada = world.person("ada");
    let waiting = ada.open_issue("Cart forgets what is in it", "", &[]).unwrap().made;
    world.run(SignedDuration::from_hours(3)).await;

    let list = client.get("/").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.body.contains("<a href=\"/acme/shop\">acme/shop</a>"), "{}", list.body);

    let page = client.get(&format!("/{REPO}")).await.body;
    is_sound("loop", &page);
    for part in [
        "<strong>1 item</strong> is under way.",
        "The longest wait is in <strong>plan</strong>: 3 hours.",
        &format!("href=\"/acme/shop/items/{waiting}\""),
        "Cart forgets what is in it",
        ">3 h</time>",
        "<code>code</code> when",
        // Both are at the end, and wait for nothing.
        "<strong>2</strong> reached the end, monitor.",
        &format!("href=\"/acme/shop/items/{issue}\""),
        &format!("href=\"/acme/shop/items/{pull}\""),
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }

    // Each phase is a link of the figure, in both of its shapes: name, number, age of the oldest.
    let stations: Vec<Vec<&str>> = page
        .split("href=\"#phase-")
        .skip(1)
        .map(|rest| rest.split("</a>").next().unwrap())
        .map(|link| link.split("</text>").filter_map(|text| Some(text.rsplit_once('>')?.1)).collect())
        .collect();
    assert_eq!(stations.len(), 16);
    assert_eq!((&stations[0], &stations[8]), (&vec!["plan", "1", "oldest 3 h"], &vec!["plan", "1", "3 h"]));
    assert_eq!((&stations[5], &stations[7]), (&vec!["deploy", "0"], &vec!["monitor", "2"]));

    let page = client.get(&format!("/{REPO}/items/{issue}")).await.body;
    is_sound("item", &page);
    for part in [
        "Let us pay by invoice",
        &format!("{}/acme/shop/issues/{issue}", world.forge.web_url()),
        "<code>built-in:",
        "is open",
        "merged into <code>main</code>",
        "2 Mar 2026 09:00 UTC",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let order: Vec<usize> = ["plan", "code", "build", "test", "release", "deploy", "operate", "monitor"]
        .iter()
        .map(|phase| {
            page.find(&format!("<span class=\"to\">{phase}</span>")).unwrap_or_else(|| panic!("{phase}: {page}"))
        })
        .collect();
    assert!(order.is_sorted(), "{order:?}");

    let page = client.get(&format!("/{REPO}/env")).await.body;
    is_sound("env", &page);
    for part in ["<h2>production</h2>", "<h2>staging</h2>", "<span class=\"tag\">v1.0.0</span>", "deployer[bot]"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // The figures of `phasebot report`, with their tables.
    world.run(SignedDuration::from_hours(7 * 24)).await;
    let page = client.get(&format!("/{REPO}/dora")).await.body;
    is_sound("dora", &page);
    for part in [
        "One deployment brought something new",
        "<rect class=\"column\"",
        "One change was live",
        "0 of 1 deployments needed intervention at once: 0\u{a0}%.",
        "No failed deployment was recovered from.",
        "0 of 1 deployments and rollbacks only repaired: 0\u{a0}%.",
        "<summary>Table: Deployments a week</summary>",
        "UTC. The record begins on",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let page = client.get(&format!("/{REPO}/flow")).await.body;
    is_sound("flow", &page);
    for part in ["One item was finished", "<circle class=\"dot\"", "<g class=\"area p0\">", "Nothing is in progress."] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    for path in ["/", "/about", "/about/figures", "/acme/shop/about", "/acme/shop/gates", "/acme/shop/retro/2026-W10"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        is_sound(path, &answer.body);
    }
}

#[tokio::test]
async fn a_gate_that_waits_is_shown_with_its_conditions() {
    let (world, client) = open(POLICY).await;
    let bob = world.person("bob");
    world.forge.set_role(REPO, "carol", "maintain").unwrap();
    let issue = bob.open_issue("Ship it", "", &[]).unwrap().made;
    world.minute().await;
    bob.comment(issue, "/deploy production").unwrap();
    world.minute().await;
    bob.colleague("carol").comment(issue, "/freeze all until=+2h 1 < 2 & *rest*").unwrap();
    world.minute().await;
    let page = client.get(&format!("/{REPO}/gates")).await.body;
    is_sound("gates", &page);
    for part in [
        "phasebot/deploy/production",
        "<code>approval</code>",
        "<code>freeze</code>",
        "Time blocked by condition, last 84 days",
        "<rect class=\"column\"",
        "approval of deploy/production",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // An item shows the gates that its commits met.
    let pull = world.open_pull("gated", "");
    world.minute().await;
    bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    world.minute().await;
    bob.comment(pull, "/deploy production").unwrap();
    world.minute().await;
    let page = client.get(&format!("/{REPO}/items/{pull}")).await.body;
    is_sound("item", &page);
    for part in
        ["<h2 id=\"gates\">Gates</h2>", "phasebot/deploy/production", "<code>approval</code>", "<code>freeze</code>"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let page = client.get(&format!("/{REPO}/env")).await.body;
    is_sound("env", &page);
    for part in ["Nothing runs there", "frozen: by <code>carol</code>", "\u{201c}1 &lt; 2 &amp; rest\u{201d}"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[tokio::test]
async fn words_from_outside_have_no_effect() {
    let (world, client) = open("").await;
    let title = "<script>alert(1)</script> \" onload=\"x ' & </title><img src=//evil.example>";
    let issue = world.person("mallory").open_issue(title, "", &[]).unwrap().made;
    world.minute().await;
    for path in ["/acme/shop".to_owned(), format!("/acme/shop/items/{issue}")] {
        let page = client.get(&path).await.body;
        let escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &quot; onload=&quot;x ' &amp; &lt;/title&gt;&lt;img";
        assert!(page.contains(escaped), "{path}\n{page}");
        is_sound(&path, &page.replace(escaped, ""));
    }
}

#[tokio::test]
async fn a_page_that_did_not_change_is_not_sent_again() {
    let (world, client) = open("").await;
    world.person("ada").open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    let mut first = client.get("/acme/shop").await;
    let mut again = client.get_with("/acme/shop", &[("if-none-match", first.header("etag"))]).await;
    // The days are counted while nothing else is to do, which makes another edition.
    for _ in 0..100 {
        if again.status == StatusCode::NOT_MODIFIED {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        first = client.get("/acme/shop").await;
        again = client.get_with("/acme/shop", &[("if-none-match", first.header("etag"))]).await;
    }
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 10 && first.header("cache-control") == "private, no-cache");
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (StatusCode::NOT_MODIFIED, "", tag.as_str()));
    let listed = client.get_with("/acme/shop", &[("if-none-match", &format!("\"x\", {tag}"))]).await;
    assert_eq!(listed.status, StatusCode::NOT_MODIFIED);
    let elsewhere = client.get_with("/acme/shop/flow", &[("if-none-match", &tag)]).await;
    assert_eq!(elsewhere.status, StatusCode::OK, "another page is another edition");
    // Nothing happened, and its ages are those of another minute.
    world.run(SignedDuration::from_mins(1)).await;
    let older = client.get_with("/acme/shop", &[("if-none-match", &tag)]).await;
    assert_eq!(older.status, StatusCode::OK);
    let tag = older.header("etag").to_owned();

    world.person("ada").open_issue("Another", "", &[]).unwrap();
    world.minute().await;
    let changed = client.get_with("/acme/shop", &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(changed.body.contains("Another") && changed.header("etag") != tag);
}

#[tokio::test]
async fn answers_are_compressed_for_whoever_reads_that_and_stay_one_edition() {
    let (world, client) = open("").await;
    for number in 0..40 {
        world.person("ada").open_issue(&format!("Cart {number}"), "", &[]).unwrap();
    }
    world.minute().await;
    for path in ["/acme/shop", "/about"] {
        let plain = client.get_with(path, &[("accept-encoding", "identity")]).await;
        let (headers, packed) = client.packed(path).await;
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
        assert!(plain.headers.get("content-encoding").is_none() && packed.len() < plain.body.len(), "{path}");
        assert_eq!(headers["etag"], plain.header("etag"), "{path}");
        for vary in [headers["vary"].to_str().unwrap(), plain.header("vary")] {
            assert_eq!(vary, "accept-encoding, authorization, cookie", "{path}");
        }
        assert_eq!(client.get(path).await.body, plain.body, "{path}: unpacked, it is the same");
    }
    let (_, packed) = client.packed("/acme/shop").await;
    assert!(packed.len() < 8_000, "{} bytes", packed.len());
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let (_world, client) = open("").await;
    let home = client.get("/").await;
    let style = home.body.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let asset = client.get(&style).await;
    assert_eq!(asset.status, StatusCode::OK);
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(asset.header("content-type"), "text/css; charset=utf-8");
    for (path, status) in [
        ("/", 200),
        ("/about", 200),
        (style.as_str(), 200),
        ("/acme/shop", 200),
        ("/acme/shop/items/1", 404),
        ("/acme/shop/items/x", 404),
        ("/acme/nothing", 404),
        ("/acme/nothing/env", 404),
        ("/acme/shop/nothing", 404),
        ("/assets/0000000000000000.css", 404),
        ("/a/b/c/d/e", 404),
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}: {name}");
        }
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn pages_are_only_read_and_only_under_a_name_of_this_machine() {
    let (world, client) = open("").await;
    let refused = client.send(Method::POST, "/acme/shop", &[]).await;
    assert_eq!((refused.status, refused.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    let head = client.send(Method::HEAD, "/acme/shop", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    // A site whose name was made to point here reads nothing.
    let port = world.web.unwrap().port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1.evil.example".to_owned()] {
        let answer = client.get_with("/acme/shop", &[("host", &host)]).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.body.contains("acme"), "{}", answer.body);
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(client.get_with("/acme/shop", &[("host", &host)]).await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn a_repository_that_was_taken_from_the_app_is_not_shown() {
    let (world, client) = open("").await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
    world.forge.uninstall(world.installation, "alice").unwrap();
    world.settle().await;
    let (gone, missing) = (client.get("/acme/shop").await, client.get("/acme/other").await);
    assert_eq!((gone.status, &gone.body), (missing.status, &missing.body));
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(!client.get("/").await.body.contains("acme/shop"));
}

#[test]
fn without_sign_in_the_pages_are_for_this_machine_only() {
    let checked = |web: &str, github: &str| {
        let text = format!("{web}\n[github]\napp_id = 1\nwebhook_secrets = [\"a\"]\n{github}\n");
        let mut settings = Settings::parse(std::path::Path::new("a.toml"), &text).unwrap();
        settings.github.private_key = Some("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n".into());
        settings.credentials().map(|_| ()).map_err(|error| error.to_string())
    };
    let here = "web_listen = \"127.0.0.1:8081\"";
    let secret = "web_secrets = [\"0123456789abcdef0123456789abcdef\"]";
    let app = "client_id = \"Iv23li\"\nclient_secret = \"0123456789abcdef\"";
    let everywhere = "web_listen = \"0.0.0.0:8081\"";
    for (web, github) in [
        (String::new(), ""),
        ("web_open = true".to_owned(), ""),
        (format!("{here}\nweb_open = true"), ""),
        ("web_listen = \"[::1]:8081\"\nweb_open = true".to_owned(), ""),
        (format!("{here}\n{secret}"), app),
        (format!("{everywhere}\n{secret}\nweb_url = \"https://pages.example\""), app),
    ] {
        assert_eq!(checked(&web, github), Ok(()), "{web}\n{github}");
    }
    for (web, github, setting) in [
        (here.to_owned(), "", "github.client_id is not set"),
        (format!("{here}\n{secret}"), "client_id = \"Iv23li\"", "github.client_secret is not set"),
        (here.to_owned(), app, "web_secrets is not set"),
        (format!("{here}\nweb_secrets = [\"short\"]"), app, "web_secrets is too short"),
        (format!("{everywhere}\n{secret}\nweb_url = \"http://pages.example\""), app, "web_url is not https"),
        (format!("{everywhere}\nweb_open = true"), app, "web_listen can be reached from elsewhere"),
    ] {
        let refused = checked(&web, github).unwrap_err();
        assert!(refused.contains(setting) && refused.contains("help:"), "{web}\n{github}\n{refused}");
    }
}
