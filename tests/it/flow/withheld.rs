//! Effects that are no longer wanted but may already have been applied: phasebot looks for their
//! results and writes nothing.

use phasebot::{
    domain::{
        effect::{CheckVerdict, Effect},
        id::{ForgeName, RepoKey},
    },
    policy,
    port::{
        clock::Clock,
        store::{Commit, EffectState, NewEffect},
    },
};
use phasebot_forge_sim::{Exchange, NewCommit};

use super::{REPO, Setup, World};

/// Returns every kind of effect with a marker. `n` distinguishes sets, `words` distinguishes the
/// texts of successive effects.
fn marked(item: u64, sha: &str, n: &str, words: &str) -> Vec<Effect> {
    let (marker, text) = (format!("test-{n}"), words.to_owned());
    let comment =
        |sticky| Effect::UpsertComment { item, marker: format!("{marker}-{sticky}"), body: text.clone(), sticky };
    let check = Effect::Report {
        name: format!("test {n}"),
        sha: sha.parse().unwrap(),
        gate: None,
        external_id: marker.clone(),
        verdict: CheckVerdict::Success,
        title: text.clone(),
        summary: text.clone(),
        annotations: Vec::new(),
        or_comment: Some(item),
    };
    let opened = Effect::OpenIssue {
        marker: format!("{marker}-opened"),
        title: text.clone(),
        body: text.clone(),
        labels: Vec::new(),
        gate: None,
    };
    let kept =
        Effect::UpsertIssue { marker: format!("{marker}-kept"), title: text.clone(), body: text.clone(), open: true };
    vec![comment(false), comment(true), check, opened, kept]
}

/// Queues effects as a decision would, under keys that begin with `name`; `sent`: in the state that
/// a process leaves if it dies while sending.
async fn queue(world: &World, name: &str, effects: Vec<Effect>, sent: bool) {
    world.bot.pause();
    let key = |n: usize| format!("{name}/{n}");
    let new =
        |(n, effect)| NewEffect { key: key(n), replaces: false, installation: world.installation, effect, cause: None };
    let repo = RepoKey { forge: ForgeName::github(), id: world.person("bob").repo() };
    let effects = effects.into_iter().enumerate().map(new).collect();
    let now = Some(world.clock.now());
    world.store.commit(Commit { repo: Some(repo), now, effects, ..Commit::default() }).await.unwrap();
    for effect in world.store.effects(false, 1000).await.unwrap() {
        if sent && effect.key.starts_with(name) {
            assert!(world.store.mark_sending(effect.id, effect.version, &[]).await.unwrap());
        }
    }
    world.bot.resume();
    world.minute().await;
}

/// Returns the final states of the effects whose keys begin with `name`.
async fn ends(world: &World, name: &str) -> Vec<EffectState> {
    let all = world.store.effects(false, 1000).await.unwrap();
    all.into_iter().filter(|effect| effect.key.starts_with(name)).map(|effect| effect.state).collect()
}

#[tokio::test]
async fn in_mode_observe_a_doubt_is_looked_into_and_nothing_is_written() {
    let world = World::with(Setup { policy: "version: 1\nmode: act\n", ..Setup::default() }).await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    let sha = bob.push("main", &[NewCommit::from("Work")]).unwrap().made.remove(0);
    world.minute().await;
    queue(&world, "made", marked(issue, &sha, "one", "First"), false).await;
    assert_eq!(ends(&world, "made").await, [EffectState::Done; 5]);

    let files = vec![(policy::PATH.to_owned(), Some("version: 1\nmode: observe\n".to_owned()))];
    bob.push("main", &[NewCommit { message: "Only look".to_owned(), files }]).unwrap();
    world.minute().await;
    world.forge.clear_requests();
    queue(&world, "there", marked(issue, &sha, "one", "Second"), true).await;
    queue(&world, "not there", marked(issue, &sha, "two", "Second"), true).await;
    let written: Vec<String> = world.writes().iter().map(Exchange::name).collect();
    assert!(written.is_empty(), "{written:#?}");
    assert_eq!(ends(&world, "there").await, [EffectState::Done; 5]);
    assert_eq!(ends(&world, "not there").await, [EffectState::Dropped; 5]);
    assert!(world.forge.comments(REPO, issue).iter().all(|(_, text)| !text.contains("Second")));
    world.check().await;
}
