//! Effects of one hostile account or tenant on the others.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use phasebot::{app::BotSettings, port::clock::Clock};
use phasebot_forge_sim::{Fault, FaultKind, Matcher, NewCommit, NewPull};

use crate::flow::{BOT, REPO, Setup, World};

/// Returns the time from an issue's creation to its label, in simulated time.
fn latency(world: &World, opened: &[(u64, Timestamp)]) -> Vec<SignedDuration> {
    let mut all: Vec<SignedDuration> = opened
        .iter()
        .map(|(issue, at)| {
            let history = world.phase_changes(*issue);
            let labelled = history.first().unwrap_or_else(|| panic!("#{issue} was never labelled"));
            labelled.at.duration_since(*at)
        })
        .collect();
    all.sort_unstable();
    all
}

/// One account writes as many comments as GitHub allows, 80 a minute and 500 an hour, with several
/// commands in each, while others open issues. `PHASEBOT_HOSTILE_HOURS` makes it longer.
#[tokio::test]
async fn beside_a_hostile_account_at_githubs_limit_labels_come_within_two_seconds() {
    let hours: usize = std::env::var("PHASEBOT_HOSTILE_HOURS").ok().and_then(|it| it.parse().ok()).unwrap_or(0);
    let world = World::with(Setup { enforce_limits: true, ..Setup::default() }).await;
    world.forge.set_role(REPO, "mallory", "read").unwrap();
    let (bob, mallory) = (world.person("bob"), world.person("mallory"));
    let target = bob.open_issue("Everybody's", "", &[]).unwrap().made;
    world.minute().await;
    world.forge.clear_requests();
    let bodies = [
        "/deploy production\n/hold x\n/phase code\n/nonsense",
        "/hepl\n/statsu\n/depoly production",
        "/status now\n/why nowhere\n/help me",
        "/rollback production\n/freeze all until=18:00 x\n/lock production",
    ];
    let mut opened = Vec::new();
    let mut said = 0_usize;
    // In a test of normal length: the first 200 comments, at full speed.
    let seconds = if hours == 0 { 150 } else { hours * 3600 };
    for second in 0..seconds {
        // 4 in 3 seconds are 80 a minute, until the 500 of the hour are used up.
        let quota = (second % 3600 * 4 / 3 + 1).min(500) + second / 3600 * 500;
        while said < quota {
            mallory.comment(target, bodies[said % bodies.len()]).unwrap();
            said += 1;
        }
        if second % 5 == 0 {
            let issue = bob.open_issue(&format!("Request {second}"), "", &[]).unwrap().made;
            opened.push((issue, world.clock.now()));
        }
        world.run(SignedDuration::from_secs(1)).await;
    }
    world.minute().await;
    let all = latency(&world, &opened);
    let p99 = all[(all.len() * 99).div_ceil(100) - 1];
    assert!(p99 <= SignedDuration::from_secs(2), "p99 {p99:?}, all {all:?}");
    let ours = world.comments_of_ours(target).len();
    assert!(ours <= 1 + hours, "{ours} comments of ours on the issue");
    let to_her = world.writes().iter().filter(|write| write.path.contains("/reactions")).count();
    assert!(to_her <= 12 * (1 + hours), "{to_her} reactions to {said} comments");
    world.check().await;
}

/// Regression: thirty comments with several commands at once delayed everybody's labels beyond 30
/// s; by a person without permissions, and by one with.
#[tokio::test]
async fn thirty_comments_with_several_commands_delay_no_label() {
    for role in ["read", "maintain"] {
        let world = World::new().await;
        world.forge.set_role(REPO, "mallory", role).unwrap();
        let (bob, mallory) = (world.person("bob"), world.person("mallory"));
        let target = bob.open_issue("Everybody's", "", &[]).unwrap().made;
        world.minute().await;
        for _ in 0..30 {
            mallory.comment(target, "/why nowhere\n/hold\n/assign\n/phase\n/deploy nowhere").unwrap();
        }
        let mut opened = Vec::new();
        for n in 0..5 {
            let issue = bob.open_issue(&format!("Request {n}"), "", &[]).unwrap().made;
            opened.push((issue, world.clock.now()));
            world.run(SignedDuration::from_secs(6)).await;
        }
        world.run(SignedDuration::from_mins(5)).await;
        let all = latency(&world, &opened);
        assert!(*all.last().unwrap() <= SignedDuration::from_secs(2), "{role}: {all:?}");
        world.check().await;
    }
}

/// A stranger's commands leave no trace: neither a comment each nor a status comment.
#[tokio::test]
async fn a_strangers_commands_make_and_change_no_status_comment() {
    let world = World::new().await;
    world.forge.set_role(REPO, "mallory", "read").unwrap();
    let (bob, mallory) = (world.person("bob"), world.person("mallory"));
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.forge.clear_requests();
    for n in 0..20 {
        mallory.comment(issue, ["/deploy production", "/hepl", "/status now"][n % 3]).unwrap();
        world.run(SignedDuration::from_secs(3)).await;
    }
    world.minute().await;
    let ours = world.comments_of_ours(issue);
    assert_eq!(ours.len(), 1, "{ours:#?}");
    let edits = world.writes().iter().filter(|write| write.method == "PATCH").count();
    assert_eq!(edits, 0, "{:?}", world.calls());
    assert!(world.forge.comments(REPO, issue).iter().filter(|(author, _)| author == BOT).count() == 1);
}

/// Regression: queries of one tenant's repositories hang, and another tenant's issue gets its label
/// meanwhile. It used to come after 10 s, when the first query timed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_whose_questions_hang_keep_no_other_tenant_waiting() {
    let setup = Setup { bot: Some(BotSettings { workers: 4, ..BotSettings::default() }), ..Setup::default() };
    let world = World::with(setup).await;
    let slow: Vec<String> = (0..6).map(|n| format!("slow/r{n}")).collect();
    for name in &slow {
        world.forge.create_repo(name).unwrap();
        world.forge.set_role(name, "mallory", "admin").unwrap();
    }
    let names: Vec<&str> = slow.iter().map(String::as_str).collect();
    world.forge.install("mallory", &names).unwrap();
    world.minute().await;
    for name in &slow {
        // Already known, so that only one query is left.
        world.forge.person("mallory", name).unwrap().open_issue("First", "", &[]).unwrap();
    }
    world.minute().await;
    world.forge.inject(Fault { matcher: Matcher::of("POST", "/graphql"), kind: FaultKind::Timeout }, 1000);
    for name in &slow {
        let mallory = world.forge.person("mallory", name).unwrap();
        mallory.push("topic", &[NewCommit::from("Work".to_owned())]).unwrap();
        let new = NewPull { head: "topic".to_owned(), title: "Work".to_owned(), ..NewPull::default() };
        mallory.open_pull(&new).unwrap();
    }
    world.forge.deliver_pending().await;
    // They hang now, each in its own repository.
    let hangs = || world.forge.requests().iter().filter(|request| request.route == "/graphql").count();
    let begun = Instant::now();
    while hangs() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(9), "{} questions hang", hangs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = Instant::now();
    let issue = world.person("bob").open_issue("Quick", "", &[]).unwrap().made;
    world.forge.deliver_pending().await;
    while world.label(issue).is_none() {
        assert!(asked.elapsed() < Duration::from_secs(8), "no label while others hang");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("labelled after {:?}", asked.elapsed());
    world.forge.clear_faults();
}

/// Regression: pull requests with the most expensive valid policy file; the server keeps answering
/// during their previews. It used to block for 9 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_heavy_proposals_the_server_answers() {
    let world = World::with(Setup { policy: "mode: act\n", ..Setup::default() }).await;
    let bob = world.person("bob");
    let names: Vec<String> = (0..12).map(|n| format!("{}{n:02}", "a".repeat(46))).collect();
    let labels: Vec<&str> = names.iter().map(String::as_str).collect();
    for n in 0..40 {
        bob.open_issue(&format!("Issue {n}"), "", &labels).unwrap();
        world.settle().await;
    }
    world.run(SignedDuration::from_mins(5)).await;
    let globs: Vec<String> = (0..290).map(|n| format!("\"{}b{n}\"", "*a".repeat(120))).collect();
    let policy = format!(
        "mode: act\nphases:\n  - name: plan\n    when:\n      - issue_open: {{ labels: [{}] }}\n  - name: code\n",
        globs.join(", ")
    );
    for n in 0..3 {
        let commit = NewCommit {
            message: "Heavy".to_owned(),
            files: vec![(phasebot::policy::PATH.to_owned(), Some(format!("# {n}\n{policy}")))],
        };
        bob.push(&format!("heavy-{n}"), &[commit]).unwrap();
        let new = NewPull { head: format!("heavy-{n}"), title: "Heavy".to_owned(), ..NewPull::default() };
        bob.open_pull(&new).unwrap();
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let health = format!("http://{}/healthz", world.address);
    let worst = {
        let mut worst = Duration::ZERO;
        let work = async {
            world.settle().await;
            world.run(SignedDuration::from_mins(2)).await;
        };
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => break worst,
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    let begun = Instant::now();
                    assert_eq!(client.get(&health).send().await.unwrap().status(), 200);
                    worst = worst.max(begun.elapsed());
                }
            }
        }
    };
    println!("the slowest answer took {worst:?}");
    assert!(worst < Duration::from_secs(3), "{worst:?}");
    let said: Vec<String> = world
        .forge
        .requests()
        .iter()
        .filter(|request| request.route.ends_with("/check-runs"))
        .filter_map(|request| request.request.as_ref()?["output"]["title"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().all(|title| title.starts_with("Valid; ")), "{said:?}");
}
