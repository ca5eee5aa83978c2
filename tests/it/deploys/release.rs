//! Draft releases and pushed tags.

use jiff::SignedDuration;
use phasebot_forge_sim::{Exchange, Fault, FaultKind, Matcher, MergeMethod, NewCommit, NewRelease};

use super::stage::Stage;
use crate::flow::REPO;

const ON_COMMAND: &str = "version: 1
mode: act
gates:
  release: { on: { draft: true, tag: \"v*\" }, on_violation: issue, require: [checks: { named: [unit tests], report_within: 10m }] }
";
const BY_ITSELF: &str = "version: 1
mode: act
gates:
  release: { on: { draft: true }, publish: true, require: [checks: { named: [unit tests] }] }
";

const WITH_NOTES: &str = "version: 1
mode: act
notes: { groups: [{ title: New, labels: feature }] }
gates:
  release: { on: { draft: true, tag: \"v*\" }, notes: true, require: [checks: { named: [unit tests] }] }
";

fn draft(tag: &str) -> NewRelease {
    NewRelease { tag: tag.to_owned(), target: "main".to_owned(), draft: true, ..NewRelease::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_published_by_command_at_the_commit_of_its_gate() {
    let stage = Stage::new(ON_COMMAND, &[], &[]).await;
    stage.bob.release(&draft("v1.0.0")).unwrap();
    stage.world.minute().await;
    assert_eq!(stage.say("dan", "/release publish v1.0.0").await, ["-1", "eyes"]);
    assert!(stage.answer().contains("The gate of `release` is closed: "), "{}", stage.answer());
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    assert_eq!(stage.say("dan", "/release publish v2.0.0").await, ["-1", "eyes"]);
    assert!(stage.answer().contains("name one of `v1.0.0`"), "{}", stage.answer());
    assert_eq!(stage.say("dan", "/release publish v1.0.0").await, ["eyes", "rocket"], "{:#?}", stage.words());
    assert_eq!(stage.world.forge.commit_of(REPO, "v1.0.0").unwrap(), stage.merged);
    stage.world.in_phase(stage.issue, "release");
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_published_by_itself_once_its_gate_is_open() {
    let stage = Stage::new(BY_ITSELF, &[], &[]).await;
    stage.bob.release(&draft("v1.0.0")).unwrap();
    stage.pass(3).await;
    assert!(stage.world.forge.commit_of(REPO, "v1.0.0").is_err());
    stage.world.pass_checks(&stage.merged);
    stage.pass(5).await;
    assert_eq!(stage.world.forge.commit_of(REPO, "v1.0.0").unwrap(), stage.merged);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_would_move_is_not_published() {
    let stage = Stage::new(ON_COMMAND, &[], &[]).await;
    stage.bob.release(&draft("v1.0.0")).unwrap();
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    // Somebody moves the tag, and no event of it has arrived yet.
    stage.bob.colleague("mallory").push("other", &["Another".into()]).unwrap();
    stage.bob.tag("v1.0.0", "other").unwrap();
    let held = stage.world.forge.take_pending();
    assert_eq!(stage.say("dan", "/release publish v1.0.0").await, ["-1", "eyes"]);
    assert!(stage.answer().contains("so nothing was published"), "{}", stage.answer());
    drop(held);
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_broke_its_gate_gets_one_issue() {
    let stage = Stage::new(ON_COMMAND, &[], &[]).await;
    let actions = stage.world.person("github-actions");
    let check = actions.start_check(&stage.merged, "unit tests").unwrap().made;
    actions.complete_check(check, "failure").unwrap();
    stage.pass(3).await;
    stage.bob.tag("v1.0.0", "main").unwrap();
    stage.pass(30).await;
    let opened = |exchange: &&Exchange| exchange.name() == "POST /repos/{owner}/{repo}/issues";
    let requests = stage.world.forge.requests();
    let issues: Vec<_> = requests.iter().filter(opened).collect();
    assert_eq!(issues.len(), 1);
    let body = issues[0].request.as_ref().unwrap()["body"].to_string();
    assert!(body.contains("`checks`") && body.contains("`v1.0.0`"), "{body}");
    stage.world.check().await;
}

const RELEASE: &str = "/repos/{owner}/{repo}/releases/{release_id}";

/// GitHub answers the next changes of releases with 502.
fn publishing_fails(stage: &Stage) {
    let fault = Fault { matcher: Matcher::of("PATCH", RELEASE), kind: FaultKind::Status502Before };
    stage.world.forge.inject(fault, ALWAYS);
}

/// Waits until publishing was attempted.
async fn tried(stage: &Stage) {
    for _ in 0..60 {
        if stage.world.forge.faults_left() < ALWAYS {
            return;
        }
        stage.world.run(SignedDuration::from_secs(1)).await;
    }
    panic!("publishing was never tried");
}

/// More faults than there are attempts.
const ALWAYS: u32 = 100_000;

/// Replaces the policy.
async fn change_policy(stage: &Stage, text: &str) {
    let files = vec![(".github/phasebot.yml".to_owned(), Some(text.to_owned()))];
    stage.bob.push("main", &[NewCommit { message: "Another policy".to_owned(), files }]).unwrap();
    stage.world.settle().await;
}

/// Returns the number of times that GitHub published a draft.
fn published(stage: &Stage) -> usize {
    let done = |exchange: &&Exchange| exchange.name() == format!("PATCH {RELEASE}") && exchange.fault.is_none();
    stage.world.forge.requests().iter().filter(done).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_waited_is_withheld_where_its_rule_is_gone() {
    for policy in [
        "version: 1\nmode: label\n".to_owned(),
        "version: 1\nmode: act\n".to_owned(),
        BY_ITSELF.replace(" publish: true,", ""),
        BY_ITSELF.replace("draft: true", "draft: true, tag: \"release-*\""),
    ] {
        let stage = Stage::new(BY_ITSELF, &[], &[]).await;
        let target = stage.merged.clone();
        stage.bob.release(&NewRelease { target, ..draft("v1.0.0") }).unwrap();
        stage.world.settle().await;
        publishing_fails(&stage);
        stage.world.pass_checks(&stage.merged);
        tried(&stage).await;
        change_policy(&stage, &policy).await;
        stage.world.forge.clear_faults();
        stage.pass(90).await;
        assert!(stage.world.forge.commit_of(REPO, "v1.0.0").is_err(), "{policy}");
        assert_eq!(published(&stage), 0, "{policy}");
        stage.world.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_somebody_asked_for_is_refused_where_its_gate_is_gone() {
    let stage = Stage::new(ON_COMMAND, &[], &[]).await;
    let target = stage.merged.clone();
    stage.bob.release(&NewRelease { target, ..draft("v1.0.0") }).unwrap();
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    publishing_fails(&stage);
    let comment = stage.bob.colleague("dan").comment(stage.issue, "/release publish v1.0.0").unwrap().made;
    tried(&stage).await;
    change_policy(&stage, "version: 1\nmode: label\n").await;
    stage.world.forge.clear_faults();
    stage.pass(90).await;
    assert!(stage.world.forge.commit_of(REPO, "v1.0.0").is_err());
    assert_eq!(published(&stage), 0);
    assert_eq!(stage.reactions(comment), ["-1", "eyes"]);
    assert!(stage.answer().contains("`mode: label` now"), "{}", stage.answer());
    stage.world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_of_an_immutable_release_is_told_to_be_used_up() {
    let stage = Stage::new(ON_COMMAND, &[], &[]).await;
    stage.bob.release(&draft("v1.0.0")).unwrap();
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    let message = "tag_name was used by an immutable release";
    let kind = FaultKind::Refused { status: 422, message };
    stage.world.forge.inject(Fault { kind, matcher: Matcher::of("PATCH", RELEASE) }, 1);
    assert_eq!(stage.say("dan", "/release publish v1.0.0").await, ["-1", "eyes"]);
    let answer = stage.answer();
    let answer = answer.replace('\\', "");
    assert!(answer.contains(&format!("“{message}: ")) && answer.contains("release a new version"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_lists_what_it_carries_beside_what_people_wrote() {
    let stage = Stage::new(WITH_NOTES, &[], &[]).await;
    stage.bob.tag("v1.0.0", &stage.merged).unwrap();
    stage.world.minute().await;
    let pull = stage.world.open_pull("feature/gift", "");
    stage.bob.label(pull, "feature").unwrap();
    stage.world.minute().await;
    stage.bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    stage.world.minute().await;
    let release = NewRelease { body: Some("Thanks to all.".to_owned()), ..draft("v1.1.0") };
    stage.bob.release(&release).unwrap();
    stage.pass(2).await;
    let sent = |stage: &Stage| {
        let edits = stage.world.forge.requests().into_iter();
        let edits = edits.filter(|call| call.method == "PATCH" && call.route.contains("/releases/"));
        let text = |call: Exchange| call.request.and_then(|body| Some(body["body"].as_str()?.to_owned()));
        edits.filter_map(text).collect::<Vec<String>>()
    };
    let edits = sent(&stage);
    assert_eq!(edits.len(), 1, "{edits:#?}");
    assert!(edits[0].starts_with("Thanks to all.\n\n<!-- phasebot:notes -->\n"), "{}", edits[0]);
    assert!(edits[0].contains("**New**") && edits[0].contains(&format!("- #{pull} ")), "{}", edits[0]);
    // The draft's target moves on, and a second change comes with it.
    let fix = stage.world.open_pull("fix/total", "");
    stage.world.minute().await;
    stage.bob.merge_pull(fix, MergeMethod::Squash).unwrap();
    stage.pass(2).await;
    let edits = sent(&stage);
    let last = edits.last().unwrap();
    assert!(last.starts_with("Thanks to all.\n\n<!-- phasebot:notes -->\n"), "{last}");
    assert!(last.contains("**Other changes**") && last.contains(&format!("- #{fix} ")), "{last}");
    stage.world.check().await;
}
