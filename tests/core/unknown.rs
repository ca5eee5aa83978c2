//! Unknown facts never allow anything: at every moment of every scenario, removing any known fact
//! opens no gate, grants nothing and sends nothing.
//!
//! A moment of a scenario contains what is known at that time. The test replaces facts with
//! "unknown": an answer of the forge is missing, refused or incomplete, or a field of a fact has no
//! value. The result must not allow more than before.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    rc::Rc,
};

use phasebot_core::{
    domain::{
        alert::AlertRules,
        decision::GateName,
        effect::Effect,
        event::Association,
        fact::{DocumentKey, RepoFacts, command::CommandId, deploy_request::RequestState},
        id::{ItemId, Sha},
        needs::{Answer, Need},
    },
    engine::{self, recheck::recheck_before_send},
    gate::{evaluate, subjects},
    phase::derive,
    plan::{DecisionContext, Recheck},
};

use crate::scenario::{folder, probed, stage::Moment};

/// Number of facts removed at one moment, one after the other.
const TRIALS: usize = 4;

/// A known fact that can be removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// An answer, as if the query had not been sent.
    Asked(Need),
    /// An answer, as if the forge had refused it.
    Answered(Need),
    /// The completeness of a list of commits.
    Complete(Need),
    /// The open or closed state of an item.
    Open(ItemId),
    /// The labels of an item.
    Labels(ItemId),
    /// The source and target branch of a pull request.
    Shape(ItemId),
    /// The association of an item's author with the repository.
    Author(ItemId),
    /// The commit that was reviewed.
    ReviewedCommit(ItemId, u64),
    /// The association of a reviewer with the repository.
    Reviewer(ItemId, u64),
    /// The outcome of a check run.
    Ended(Sha, u64),
    /// The role of a command's sender.
    Role(CommandId),
    /// The commit of a job that waits for our answer.
    Job(u64, String),
    /// The owner of the repository.
    Owner,
}

/// Returns all facts that can be removed.
fn known(facts: &RepoFacts) -> Vec<Known> {
    let mut all = vec![Known::Owner];
    for (need, answered) in &facts.answers {
        all.extend([Known::Asked(need.clone()), Known::Answered(need.clone())]);
        if matches!(answered.answer, Answer::Commits { complete: true, .. }) {
            all.push(Known::Complete(need.clone()));
        }
    }
    for (number, item) in &facts.items {
        all.extend([Known::Open(*number), Known::Labels(*number), Known::Author(*number)]);
        if let Some(pull) = &item.pull {
            all.push(Known::Shape(*number));
            let reviews = pull.reviews.keys();
            all.extend(reviews.flat_map(|id| [Known::ReviewedCommit(*number, *id), Known::Reviewer(*number, *id)]));
        }
    }
    for (sha, checks) in &facts.checks {
        all.extend(checks.runs.keys().map(|id| Known::Ended(sha.clone(), *id)));
    }
    all.extend(facts.commands.keys().map(|id| Known::Role(*id)));
    all.extend(facts.waiting_jobs.keys().map(|(run, name)| Known::Job(*run, name.clone())));
    all
}

fn forget(facts: &mut RepoFacts, known: &Known) {
    match known {
        Known::Asked(need) => facts.remove(&BTreeSet::from([DocumentKey::Answer(need.clone())])),
        Known::Answered(need) => {
            let Some(answered) = facts.answers.get_mut(need) else { return };
            answered.answer = Answer::Unavailable { why: "403 from the forge".into() };
        }
        Known::Complete(need) => {
            if let Some(Answer::Commits { complete, .. }) = facts.answers.get_mut(need).map(|known| &mut known.answer) {
                *complete = false;
            }
        }
        Known::Open(number) => facts.items.get_mut(number).unwrap().open = None,
        Known::Labels(number) => facts.items.get_mut(number).unwrap().labels = None,
        Known::Author(number) => facts.items.get_mut(number).unwrap().association = None,
        Known::Shape(number) => facts.items.get_mut(number).unwrap().pull.as_mut().unwrap().shape = None,
        Known::ReviewedCommit(number, id) => {
            let pull = facts.items.get_mut(number).unwrap().pull.as_mut().unwrap();
            pull.reviews.get_mut(id).unwrap().value.commit = None;
        }
        Known::Reviewer(number, id) => {
            let pull = facts.items.get_mut(number).unwrap().pull.as_mut().unwrap();
            pull.reviews.get_mut(id).unwrap().value.association = Association::Other;
        }
        Known::Ended(sha, id) => facts.checks.get_mut(sha).unwrap().runs.get_mut(id).unwrap().completed = None,
        Known::Role(id) => {
            let mut command = facts.commands[id].clone();
            command.evidence.role = None;
            command.evidence.teams.values_mut().for_each(|member| *member = None);
            facts.commands.insert(*id, command);
        }
        Known::Job(run, name) => facts.waiting_jobs.get_mut(&(*run, name.clone())).unwrap().sha = None,
        Known::Owner => facts.about.owner = None,
    }
    // The derived tables are rebuilt.
    facts.remove(&BTreeSet::from([DocumentKey::Request("none".into())]));
}

/// Returns the effects that allow something (starts, approvals, publications), by action, place and
/// commit.
fn grants<'e>(effects: impl IntoIterator<Item = &'e Effect>) -> BTreeSet<String> {
    let grant = |effect: &Effect| match effect {
        Effect::CreateDeployment { environment, sha, .. } | Effect::Dispatch { environment, sha, .. } => {
            Some(format!("deploy {sha} to {environment}"))
        }
        Effect::AnswerProtection { run, environment, approve: Some(true), .. } => {
            Some(format!("approve run {run} in {environment}"))
        }
        Effect::PublishRelease { tag, sha, .. } => Some(format!("publish {tag} at {sha}")),
        _ => None,
    };
    effects.into_iter().filter_map(grant).collect()
}

/// Results at a moment that must not grow.
struct Follows {
    /// Open gates, and the number of closed ones.
    open: BTreeSet<String>,
    shut: usize,
    /// Effects that are wanted, and queued effects that may be sent.
    granted: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// Effects that would be wanted if nothing else were before them: their gates are open, and
    /// they wait for their turn.
    in_turn: BTreeSet<String>,
    /// Issues that are beyond `plan` because something is linked to them.
    linked: BTreeSet<ItemId>,
}

fn follows(moment: &Moment<'_>, facts: &RepoFacts) -> Follows {
    let (policy, now) = (moment.policy, moment.now);
    let terms = DecisionContext { policy, alerts: &AlertRules::default(), now, writes_disabled: None };
    let (mut open, mut shut) = (BTreeSet::new(), 0);
    // The same subjects in both cases: removing facts must not change what is evaluated.
    for subject in subjects(moment.facts, policy, now) {
        if evaluate(facts, policy, &subject, now).standing.is_open() {
            open.insert(format!("{} on {}", subject.gate.check(), subject.sha));
        } else {
            shut += 1;
        }
    }
    let mut later = facts.clone();
    let effects = engine::advance(&mut later, &terms).effects;
    let granted = grants(effects.iter().map(|wish| &wish.effect));
    let waiting = later.requests.values().filter(|request| matches!(request.state, RequestState::Waiting(_)));
    let in_turn = waiting.filter_map(|request| {
        let sha = request.sha.as_ref()?;
        let kept = later.gates.get(&(GateName::Deploy(request.environment.clone()), sha.clone()))?;
        kept.decision.standing.is_open().then(|| format!("deploy {sha} to {}", request.environment))
    });
    let in_turn = in_turn.collect();
    let sent = moment.queued.iter().filter(|effect| recheck_before_send(facts, effect, &terms) == Recheck::Send);
    let sent = grants(sent.copied());
    let issues = facts.items.values().filter(|item| !item.is_pull).map(|item| item.number);
    let linked = |number: &ItemId| {
        let derived = derive(facts, *number, policy, now);
        derived.phase.as_deref().and_then(|name| policy.phase_index(name)).is_some_and(|index| index > 0)
            && derived.ours
    };
    Follows { open, shut, granted, sent, in_turn, linked: issues.filter(linked).collect() }
}

/// Only these decide whose links count. Other answers say when work landed and what checked it;
/// without one of them, the next evidence counts.
fn is_right(known: &Known) -> bool {
    match known {
        Known::Asked(need) | Known::Answered(need) => matches!(need, Need::Writer { .. } | Need::LinkedIssues { .. }),
        Known::Author(_) | Known::Reviewer(..) | Known::Owner | Known::Shape(_) => true,
        _ => false,
    }
}

#[derive(Default)]
struct Tally {
    last: Option<RepoFacts>,
    moments: u64,
    /// Number of times that each kind of fact was removed, and number of times that a gate was
    /// closed.
    taken: BTreeMap<String, u64>,
    shut: usize,
    failures: BTreeSet<String>,
}

fn look(path: &str, moment: &Moment<'_>, tally: &mut Tally) {
    if tally.last.as_ref() == Some(moment.facts) {
        return;
    }
    tally.last = Some(moment.facts.clone());
    let all = known(moment.facts);
    let before = follows(moment, moment.facts);
    tally.moments += 1;
    for trial in 0..TRIALS {
        let mut hasher = DefaultHasher::new();
        (path, tally.moments, trial).hash(&mut hasher);
        let mut seed = usize::try_from(hasher.finish() % 1_000_003).unwrap();
        let mut facts = moment.facts.clone();
        let mut taken = Vec::new();
        for _ in 0..=seed % 3 {
            seed = seed / 3 + 7919;
            let known = &all[seed % all.len()];
            if !taken.contains(known) {
                forget(&mut facts, known);
                taken.push(known.clone());
            }
        }
        for known in &taken {
            let kind = format!("{known:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
            *tally.taken.entry(kind).or_default() += 1;
        }
        let after = follows(moment, &facts);
        tally.shut += before.shut;
        let mut fail = |what: &str, more: Vec<String>| {
            tally.failures.insert(format!("{path} {what} {more:?} without {taken:?}"));
        };
        let more = |before: &BTreeSet<String>, after: &BTreeSet<String>| -> Vec<String> {
            after.difference(before).cloned().collect()
        };
        // If an entry loses its commit, the next one may have its turn.
        let granted = before.granted.union(&before.in_turn).cloned().collect();
        for (what, before, after) in [
            ("opened", &before.open, &after.open),
            ("granted", &granted, &after.granted),
            ("sent", &before.sent, &after.sent),
        ] {
            if !after.is_subset(before) {
                fail(what, more(before, after));
            }
        }
        if taken.iter().all(is_right) && !after.linked.is_subset(&before.linked) {
            fail("linked", after.linked.difference(&before.linked).map(ToString::to_string).collect());
        }
    }
}

#[test]
fn what_is_not_known_opens_nothing_and_grants_nothing() {
    let tally = Rc::new(RefCell::new(Tally::default()));
    for folder in ["gates", "deploys", "commands"] {
        for (path, text) in folder::files(folder) {
            let tally = tally.clone();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            probed(&text, Box::new(move |moment| look(&name, moment, &mut tally.borrow_mut())));
        }
    }
    let tally = tally.borrow();
    let failures: Vec<&String> = tally.failures.iter().collect();
    assert!(failures.is_empty(), "{} failures, such as\n{:#?}", failures.len(), &failures[..failures.len().min(40)]);
    assert!(tally.shut > 1_000, "only {} gates were shut", tally.shut);
    assert!(tally.taken.len() >= 13, "{:#?}", tally.taken);
}
