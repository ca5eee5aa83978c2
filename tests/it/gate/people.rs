//! People are identified by account, over real HTTP: a renamed account, a login that was taken
//! over, comments through an App, a co-author by GitHub's record, and a permission that was lost.

use jiff::SignedDuration;
use serde_json::Value;

use crate::flow::{REPO, Setup, World};

const TWO: &str = "mode: act
gates: { release: { on: { tag: 'v*' }, require: [approval: { count: 2 }] } }
";

fn title(world: &World, sha: &str) -> String {
    let mut runs = world.forge.check_runs(REPO, sha);
    runs.retain(|run: &Value| run["name"] == "phasebot/release");
    runs.pop().expect("a check run")["output"]["title"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_an_accounts_whatever_its_name() {
    let world = World::with(Setup { policy: TWO, ..Setup::default() }).await;
    for login in ["ada", "zed", "zoe"] {
        world.forge.set_role(REPO, login, "maintain").unwrap();
    }
    let bob = world.person("bob");
    let message = "Work\n\nCo-authored-by: Zed <zed@users.noreply.example.com>";
    let sha = bob.push("main", &[message.into()]).unwrap().made.pop().unwrap();
    let issue = bob.open_issue("Release", "", &[]).unwrap().made;
    world.minute().await;
    bob.tag("v1.0.0", &sha).unwrap();
    world.run(SignedDuration::from_mins(2)).await;

    let ada = bob.colleague("ada");
    ada.comment_via(issue, "/approve release", "codebot").unwrap();
    bob.colleague("zed").comment(issue, "/approve release").unwrap();
    world.minute().await;
    assert!(title(&world, &sha).contains(": comment /approve release"), "{}", title(&world, &sha));
    ada.comment(issue, "/approve release").unwrap();
    world.minute().await;
    assert!(title(&world, &sha).contains("1 of 2 approvals, by ada"), "{}", title(&world, &sha));
    let eve = ada.rename("eve");
    eve.comment(issue, "/approve release").unwrap();
    world.minute().await;
    assert!(title(&world, &sha).contains("1 of 2 approvals, by "), "{}", title(&world, &sha));
    // Another person takes the login: ada's permissions and comments are not theirs.
    bob.colleague("ada").comment(issue, "/approve release").unwrap();
    world.run(SignedDuration::from_mins(6)).await;
    assert!(title(&world, &sha).contains("1 of 2 approvals, by "), "{}", title(&world, &sha));
    bob.colleague("zoe").comment(issue, "/approve release").unwrap();
    world.minute().await;
    assert!(title(&world, &sha).starts_with("Passed. "), "{}", title(&world, &sha));

    world.forge.set_role(REPO, "zoe", "read").unwrap();
    world.run(SignedDuration::from_mins(6)).await;
    bob.comment(issue, "Something happens").unwrap();
    world.run(SignedDuration::from_mins(2)).await;
    assert!(title(&world, &sha).contains("zoe approved it and may no longer do so"), "{}", title(&world, &sha));
    world.check().await;
}
