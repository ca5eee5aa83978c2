//! Unknown is never yes: at every moment of every scenario, taking any known
//! thing away opens no gate, grants nothing and sends nothing.
//!
//! A moment of a scenario holds what is known then. From it, things are
//! replaced by «unknown»: an answer of the forge is missing, could not be had
//! or is incomplete; a field of a fact was never told. What follows then must
//! not be more than what followed before.

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
        id::{ItemNumber, Sha},
        needs::{Answer, Need},
    },
    engine::{self, recheck::recheck_before_send},
    gate::{evaluate, subjects},
    phase::derive,
    plan::{DecisionContext, Recheck},
};

use crate::{
    command::stage::{Moment, probed},
    folder,
};

/// Things that are taken away at one moment, one after the other.
const TRIALS: usize = 4;

/// Something that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// An answer, as if nobody had asked.
    Asked(Need),
    /// An answer, as if the forge refused it.
    Answered(Need),
    /// That a list of commits is complete.
    Complete(Need),
    /// That an item is open or closed.
    Open(ItemNumber),
    /// The labels of an item.
    Labels(ItemNumber),
    /// Where a pull request comes from and goes to.
    Shape(ItemNumber),
    /// How an item's author stands to the repository.
    Author(ItemNumber),
    /// The commit that a review is of.
    ReviewedCommit(ItemNumber, u64),
    /// How a reviewer stands to the repository.
    Reviewer(ItemNumber, u64),
    /// How a check run ended.
    Ended(Sha, u64),
    /// What the sender of a command might do.
    Role(CommandId),
    /// The commit of a job that waits for our word.
    Job(u64, String),
    /// Who owns the repository.
    Owner,
}

/// Everything that can be taken away.
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
    // The tables that follow from the facts are made anew.
    facts.remove(&BTreeSet::from([DocumentKey::Request("none".into())]));
}

/// What lets something go on: starts, approvals, publications; by what is done, where and at which commit.
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

/// What follows from facts at a moment, of what must not grow.
struct Follows {
    /// Gates that are open, and how many are not.
    open: BTreeSet<String>,
    shut: usize,
    /// What is wanted, and what of the queue may be sent.
    granted: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// What would be wanted if nothing else were before it: its gate is open, and it waits for its turn.
    in_turn: BTreeSet<String>,
    /// Issues that are further than `plan`, because something is linked to them.
    linked: BTreeSet<ItemNumber>,
}

fn follows(moment: &Moment<'_>, facts: &RepoFacts) -> Follows {
    let (policy, now) = (moment.policy, moment.now);
    let terms = DecisionContext { policy, alerts: &AlertRules::default(), now, writes_disabled: None };
    let (mut open, mut shut) = (BTreeSet::new(), 0);
    // The same subjects in both: what is asked for does not become less known.
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
    let linked = |number: &ItemNumber| {
        let derived = derive(facts, *number, policy, now);
        derived.phase.as_deref().and_then(|name| policy.phase_index(name)).is_some_and(|index| index > 0)
            && derived.ours
    };
    Follows { open, shut, granted, sent, in_turn, linked: issues.filter(linked).collect() }
}

/// Whose links count is decided by these alone; other answers say when work
/// landed and what checked it, and without one of them the next evidence speaks.
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
    /// How often each kind of thing was taken away, and how often where a gate was shut.
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
        // What lost its commit lets the next one have its turn.
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
            let (tally, path) = (tally.clone(), path.display().to_string());
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            probed(folder::steps(&text), Box::new(move |moment| look(&name, moment, &mut tally.borrow_mut())));
        }
    }
    let tally = tally.borrow();
    let failures: Vec<&String> = tally.failures.iter().collect();
    assert!(failures.is_empty(), "{} failures, such as\n{:#?}", failures.len(), &failures[..failures.len().min(40)]);
    assert!(tally.shut > 1_000, "only {} gates were shut", tally.shut);
    assert!(tally.taken.len() >= 13, "{:#?}", tally.taken);
}
