//! From a figure to what it counts, and from there to what that rests on.

use http::StatusCode;
use jiff::SignedDuration;
use phasebot_forge_sim::MergeMethod;

use super::pages::{is_sound, open};
use crate::flow::{REPO, whole_loop::through_the_loop};

/// Returns the addresses in a page that begin with this one.
fn addresses(page: &str, prefix: &str) -> Vec<String> {
    let all = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"));
    all.filter(|address| address.starts_with(prefix)).collect()
}

#[tokio::test]
async fn every_figure_leads_to_what_it_counts_and_that_to_what_it_rests_on() {
    let (world, client) = open("").await;
    let bob = world.person("bob");
    bob.tag("v0.9.0", "main").unwrap();
    let before = world.deploy("v0.9.0", "production");
    world.deployed(before, "success");
    world.minute().await;
    let (issue, pull) = through_the_loop(&world, "v1.0.0").await;
    let back = world.deploy("v0.9.0", "production");
    world.deployed(back, "success");
    world.run(SignedDuration::from_mins(30)).await;

    let page = client.get(&format!("/{REPO}/dora")).await.body;
    is_sound("dora", &page);
    for list in ["deployments?show=new", "deployments?show=failed", "deployments?show=rework", "changes"] {
        let links = addresses(&page, &format!("/{REPO}/{list}"));
        assert!(links.len() > 2, "the whole time, its column and its row: {list} {links:?}\n{page}");
        for link in links {
            let answer = client.get(&link).await;
            assert_eq!(answer.status, StatusCode::OK, "{link}");
            is_sound(&link, &answer.body);
        }
    }
    for link in addresses(&page, "/about/figures#") {
        let (path, name) = link.split_once('#').unwrap();
        assert!(client.get(path).await.body.contains(&format!("id=\"{name}\"")), "{link}");
    }
    let failed = client.get(&format!("/{REPO}/deployments?show=failed")).await.body;
    let rolled_back = "<a href=\"/acme/shop/deployments?id=";
    for part in ["<strong>1</strong> to production", "Failed", "</a> rolled it back", rolled_back, "restored after"] {
        assert!(failed.contains(part), "{part}\n{failed}");
    }
    // What it brought, and from there the item with its evidence and rule.
    let brought = addresses(&failed, &format!("/{REPO}/changes?deployment="));
    let changes = client.get(&brought[0]).await.body;
    is_sound("changes", &changes);
    let item = format!("/{REPO}/items/{pull}");
    assert!(changes.contains(&format!("href=\"{item}\"")) && changes.contains("no longer runs there"), "{changes}");
    let page = client.get(&item).await.body;
    is_sound("item", &page);
    for part in
        ["<h2 id=\"deployments\">Deployments</h2>", "production", "staging", "until ", "rolled it back", "Rule "]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // The issue follows its pull request.
    let page = client.get(&format!("/{REPO}/items/{issue}")).await.body;
    is_sound("issue", &page);
    for part in ["<dt>Work</dt>", &format!("href=\"{item}\""), "<h2 id=\"deployments\">Deployments</h2>"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // The list of repositories has the same figures.
    let list = client.get("/").await.body;
    for part in ["/acme/shop/dora#lead-time", "/acme/shop/dora#fail-rate\">50\u{a0}%</a>"] {
        assert!(list.contains(part), "{part}\n{list}");
    }
    for (path, status) in [
        ("deployments?id=999", StatusCode::NOT_FOUND),
        ("changes?deployment=999", StatusCode::NOT_FOUND),
        ("deployments?from=x", StatusCode::BAD_REQUEST),
        ("deployments?show=x", StatusCode::BAD_REQUEST),
        ("changes?from=2020-01-01&to=2026-01-01", StatusCode::BAD_REQUEST),
    ] {
        let answer = client.get(&format!("/{REPO}/{path}")).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.starts_with("<!DOCTYPE html>"), "{path}");
    }
    for path in ["/?page=0", "/?page=2"] {
        assert_eq!(client.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_environment_shows_what_a_promotion_would_carry() {
    let (world, client) = open("").await;
    through_the_loop(&world, "v1.0.0").await;
    let env = format!("/{REPO}/env");
    assert!(client.get(&env).await.body.contains("Nothing runs in staging that does not run here."));
    let bob = world.person("bob");
    bob.create_branch("more", "main").unwrap();
    let pull = world.open_pull("more", "");
    world.minute().await;
    bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    bob.tag("v1.1.0", "main").unwrap();
    world.minute().await;
    let staging = world.deploy("v1.1.0", "staging");
    world.deployed(staging, "success");
    world.minute().await;
    let page = client.get(&env).await.body;
    is_sound("env", &page);
    let carried =
        page.split("<strong>1 change</strong> in staging, not yet here:").nth(1).unwrap_or_else(|| panic!("{page}"));
    assert!(carried.contains(&format!("href=\"/{REPO}/items/{pull}\"")), "{page}");
    let answer = client.get(&format!("/api/v1/repos/{REPO}/environments")).await.body;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let production = &answer["environments"][1];
    assert_eq!(production["promotions"], serde_json::json!([{ "from": "staging", "changes": [format!("#{pull}")] }]));
    let production = world.deploy("v1.1.0", "production");
    world.deployed(production, "success");
    world.minute().await;
    assert!(client.get(&env).await.body.contains("Nothing runs in staging that does not run here."));
}
