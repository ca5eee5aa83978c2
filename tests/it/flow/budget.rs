//! Number of API calls of common operations.

use std::collections::BTreeMap;

use phasebot_forge_sim::MergeMethod;

use super::{World, whole_loop::through_the_loop};

const ADD: &str = "POST /repos/{owner}/{repo}/issues/{issue_number}/labels";
const TAKE_OFF: &str = "DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}";

/// Returns the calls since the last check.
fn calls(world: &World) -> Vec<String> {
    let calls = world.calls();
    world.forge.clear_requests();
    calls
}

#[tokio::test]
async fn a_phase_change_of_an_issue_costs_two_calls_at_most() {
    let world = World::new().await;
    // All labels exist, the token exists, and the bot knows its account.
    through_the_loop(&world, "v1.0.0").await;
    let bob = world.person("bob");
    let warm = bob.open_issue("warms the token up", "", &[]).unwrap().made;
    world.minute().await;
    bob.close(warm, "not_planned").unwrap();
    world.minute().await;
    world.check().await;
    calls(&world);

    let issue = bob.open_issue("Cart", "", &["bug"]).unwrap().made;
    world.minute().await;
    assert_eq!(calls(&world), [ADD]);
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    assert_eq!(calls(&world), [TAKE_OFF, ADD]);
    bob.delete_branch(&format!("feature/{issue}-cart")).unwrap();
    world.minute().await;
    assert_eq!(calls(&world), [TAKE_OFF, ADD]);
    bob.close(issue, "not_planned").unwrap();
    world.minute().await;
    assert_eq!(calls(&world), [TAKE_OFF]);
    bob.reopen(issue).unwrap();
    world.minute().await;
    assert_eq!(calls(&world), [ADD]);
    world.check().await;
}

#[tokio::test]
async fn what_changes_nothing_costs_nothing() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    calls(&world);
    bob.edit(issue, Some("The cart"), Some("Words")).unwrap();
    bob.comment(issue, "hello").unwrap();
    bob.label(issue, "bug").unwrap();
    bob.unlabel(issue, "bug").unwrap();
    bob.lock(issue, true).unwrap();
    bob.lock(issue, false).unwrap();
    world.minute().await;
    assert_eq!(calls(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_whole_life_costs_its_label_changes_and_few_questions() {
    let world = World::new().await;
    world.forge.clear_requests();
    through_the_loop(&world, "v1.0.0").await;
    world.check().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in world.calls() {
        *counts.entry(call).or_default() += 1;
    }
    // An issue enters eight phases, its pull request seven.
    assert_eq!(counts.remove(ADD), Some(8 + 7));
    assert_eq!(counts.remove(TAKE_OFF), Some(7 + 6));
    let rest: Vec<String> = counts.into_iter().map(|(call, count)| format!("{count} {call}")).collect();
    insta::assert_snapshot!(rest.join("\n"), @r"
    1 GET /app
    1 GET /repos/{owner}/{repo}/branches/{branch}
    2 GET /repos/{owner}/{repo}/collaborators/{username}/permission
    2 GET /repos/{owner}/{repo}/contents/{path}
    1 GET /repos/{owner}/{repo}/rules/branches/{branch}
    1 GET /repos/{owner}/{repo}/tags
    1 POST /app/installations/{installation_id}/access_tokens
    1 POST /graphql
    8 POST /repos/{owner}/{repo}/labels
    ");
}

#[tokio::test]
async fn a_merge_asks_little() {
    let world = World::new().await;
    let bob = world.person("bob");
    through_the_loop(&world, "v1.0.0").await;
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let pull = world.open_pull("cart", &format!("Fixes #{issue}"));
    world.minute().await;
    calls(&world);
    bob.merge_pull(pull, MergeMethod::Merge).unwrap();
    world.minute().await;
    world.in_phase(issue, "build");
    // Two items change their phases; after the merge, the bot queries the linked issues.
    let made = calls(&world);
    let moves = made.iter().filter(|call| [ADD, TAKE_OFF].contains(&call.as_str())).count();
    assert_eq!((moves, made.len()), (4, 5), "{made:?}");
}
