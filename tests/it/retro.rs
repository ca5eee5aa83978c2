//! The weekly retrospective: one issue a week, its text, its actions, and its page.

use std::sync::Arc;

use http::StatusCode;
use jiff::SignedDuration;
use phasebot::{port::store::Store, web::Access};

use crate::{
    flow::{REPO, Setup, World, whole_loop::through_the_loop},
    web::Client,
};

const POLICY: &str = "version: 1\ninsight:\n  retro: { day: mon, at: \"09:00\", tz: Europe/Berlin }\n";

fn retros(world: &World) -> Vec<(u64, String, String, bool)> {
    world.forge.titled(REPO, "Retrospective")
}

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

#[tokio::test]
async fn a_week_is_looked_back_on_once() {
    let world = World::with(Setup { policy: POLICY, pages: Some(Access::Open), ..Setup::default() }).await;
    world.person("bob").tag("v0.9.0", "main").unwrap();
    let first = world.deploy("v0.9.0", "production");
    world.deployed(first, "success");
    world.minute().await;
    through_the_loop(&world, "v1.0.0").await;
    let back = world.deploy("v0.9.0", "production");
    world.deployed(back, "success");
    world.minute().await;
    assert_eq!(retros(&world), [], "the policy asks for it only since this week");
    world.run(WEEK).await;
    let all = retros(&world);
    let [(number, title, body, open)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((title.as_str(), *open), ("Retrospective 2026-W10", true));
    for part in [
        "2 Mar 2026 to 8 Mar 2026 (UTC), production.",
        "## What moved",
        "Deployed: **2 new versions**",
        "## What failed",
        "it was rolled back. Service was restored after",
        "## Actions",
    ] {
        assert!(body.contains(part), "{part}\n{body}");
    }
    assert!(!body.contains('@') && !body.contains("bob"), "names nobody\n{body}");
    world.in_phase(*number, "");

    // The page says the same.
    let client = Client::new(world.web.unwrap());
    let page = client.get(&format!("/{REPO}/retro/2026-W10")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for part in
        ["Retrospective 2026-W10", "Deployed: <strong>2 new versions</strong>", "/retro/2026-W09", "/retro/2026-W11"]
    {
        assert!(page.body.contains(part), "{part}\n{}", page.body);
    }
    for week in ["2026-W99", "2026-W13", "x", "2026-W1"] {
        assert_eq!(client.get(&format!("/{REPO}/retro/{week}")).await.status, StatusCode::NOT_FOUND, "{week}");
    }
    assert!(client.get(&format!("/{REPO}/retro")).await.body.contains("Retrospective 2026-W10"));

    // Actions come along until they are ticked; hostile words stay words.
    let edited = format!("{body}\n- [ ] Test the <b>backup</b> with @ops, see #1\n- [x] Ask for a second reviewer\n");
    world.person("bob").edit(*number, None, Some(&edited)).unwrap();
    world.run(WEEK).await;
    let all = retros(&world);
    let [(_, _, _, was_open), (_, title, body, open)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((title.as_str(), *was_open, *open), ("Retrospective 2026-W11", false, true));
    for part in [
        format!("Open actions come from #{number}."),
        "- [ ] Test the &lt;b&gt;backup&lt;/b&gt; with @\u{200b}ops, see \\#\u{200b}1 (week 2)".to_owned(),
        "Done since the last retrospective:\n\n- Ask for a second reviewer\n".to_owned(),
    ] {
        assert!(body.contains(&part), "{part}\n{body}");
    }
    world.run(SignedDuration::from_hours(24)).await;
    assert_eq!(retros(&world).len(), 2, "once a week");
    world.check().await;
}

/// The issue is made, the answer is lost, and the process ends: the next one finds it.
#[tokio::test]
async fn a_lost_answer_makes_no_second_issue() {
    let world = World::with(Setup { policy: POLICY, ..Setup::default() }).await;
    let route = "/repos/{owner}/{repo}/issues";
    let fault = crate::flow::trouble::fault("POST", route, phasebot_forge_sim::FaultKind::Status502AfterApply);
    world.person("ada").open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    world.forge.inject(fault, 1);
    world.run(WEEK).await;
    world.run(SignedDuration::from_hours(2)).await;
    assert_eq!(retros(&world).len(), 1);
    let store: Arc<dyn Store> = world.store.clone();
    assert!(store.effects(true, 10).await.unwrap().is_empty(), "nothing was given up");
}

/// Whoever deletes the issue takes its actions away, and not the next retrospective.
#[tokio::test]
async fn a_deleted_issue_stops_no_retrospective() {
    let world = World::with(Setup { policy: POLICY, ..Setup::default() }).await;
    world.person("ada").open_issue("Cart", "", &[]).unwrap();
    world.minute().await;
    world.run(WEEK).await;
    let [(number, ..)] = retros(&world)[..] else { panic!("{:?}", retros(&world)) };
    world.person("bob").delete_issue(number).unwrap();
    world.run(WEEK).await;
    world.run(SignedDuration::from_hours(2)).await;
    let titles: Vec<String> = retros(&world).into_iter().map(|(_, title, ..)| title).collect();
    assert_eq!(titles.last().map(String::as_str), Some("Retrospective 2026-W11"), "{titles:?}");
}
