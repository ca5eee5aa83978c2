//! GitHub's stacked pull requests over HTTP: rules of the stack's base, and halves that land together.

use phasebot_forge_sim::{NewCommit, NewPull, Worker};

use super::{REPO, Setup, World};

const POLICY: &str = "version: 1
mode: act
environments:
  staging: { unmerged: true, deploy: { via: deployment }, require: [checks] }
";

/// Opens two pull requests, the second onto the first one's branch, and stacks them; the second one
/// fixes the issue. Returns issue and pull requests.
async fn stacked(world: &World) -> [u64; 3] {
    let bob = world.person("bob");
    let issue = bob.open_issue("The basket forgets", "", &[]).unwrap().made;
    let lower = world.open_pull("lower", "");
    bob.create_branch("upper", "lower").unwrap();
    let file = vec![("upper.txt".to_owned(), Some("more".to_owned()))];
    bob.push("upper", &[NewCommit { message: "More".to_owned(), files: file }]).unwrap();
    let new = NewPull {
        title: "Upper".to_owned(),
        head: "upper".to_owned(),
        base: "lower".to_owned(),
        body: format!("Fixes #{issue}"),
        ..NewPull::default()
    };
    let upper = bob.open_pull(&new).unwrap().made;
    bob.stack(&[lower, upper]).unwrap();
    world.minute().await;
    [issue, lower, upper]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_that_lands_at_once_moves_all_of_it_with_or_without_the_push() {
    for with_push in [true, false] {
        let world = World::new().await;
        let [issue, lower, upper] = stacked(&world).await;
        for item in [issue, lower, upper] {
            world.in_phase(item, "code");
        }
        let landed = world.person("bob").merge_stack(upper).unwrap().made;
        for delivery in world.forge.take_pending() {
            if delivery.event == "push" && !with_push {
                world.forge.lose(&delivery);
            } else {
                world.forge.send(&delivery).await;
            }
        }
        world.minute().await;
        for item in [issue, lower, upper] {
            world.in_phase(item, "build");
        }
        world.person("bob").tag("v1.0.0", &landed[1]).unwrap();
        world.minute().await;
        for item in [issue, lower, upper] {
            world.in_phase(item, "release");
        }
        world.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lower_half_that_lands_alone_leaves_the_upper_one_behind() {
    let world = World::new().await;
    let [issue, lower, upper] = stacked(&world).await;
    world.person("bob").merge_stack(lower).unwrap();
    world.minute().await;
    world.in_phase(lower, "build");
    for item in [issue, upper] {
        world.in_phase(item, "code");
    }
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_the_stacks_base_hold_for_its_upper_half_and_status_shows_the_place() {
    let world = World::with(Setup { policy: POLICY, ..Setup::default() }).await;
    let bob = world.person("bob");
    bob.add_worker(&Worker::new(".github/workflows/deploy.yml", "deployment")).unwrap();
    world.forge.require_checks(REPO, "main", &["ci"]).unwrap();
    let [_, _, upper] = stacked(&world).await;
    let head = world.forge.commit_of(REPO, "upper").unwrap();
    bob.comment(upper, "/deploy staging").unwrap();
    world.minute().await;
    assert_eq!(world.forge.deployments(REPO), [], "`main` requires a check that has not reported");
    let ci = world.person("ci");
    let check = ci.start_check(&head, "ci").unwrap().made;
    ci.complete_check(check, "success").unwrap();
    world.minute().await;
    let deployed: Vec<_> = world.forge.deployments(REPO).into_iter().map(|(to, sha, _)| (to, sha)).collect();
    assert_eq!(deployed, [("staging".to_owned(), head)]);
    bob.comment(upper, "/status").unwrap();
    world.minute().await;
    let words = world.comments_of_ours(upper).concat();
    assert!(words.contains("2 of 2 in a stack onto `main`"), "{words}");
    world.check().await;
}
