//! Decides the events of the generated half year with the core, and stores what comes of them, without
//! sending anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    app::insight,
    cli::{Failure, demo::half_year},
    domain::{
        alert::AlertRules,
        effect::Effect,
        fact::{DocumentKey, RepoFacts},
        id::{ItemId, RepoKey},
        needs::{Answer, Answered, Need},
        policy::Policy,
        timer::TimerKey,
    },
    engine::{Asking, Context, Input, Plan, Repository, Step},
    ingest::Us,
    insight::all_rows,
    plan::DecisionContext,
    port::store::{Commit, Document, RepositoryRow, Store},
};

/// Documents and rows that are stored at once.
const AT_ONCE: usize = 500;

/// A repository under way.
struct Player {
    repository: Repository,
    policy: Arc<Policy>,
    timers: BTreeSet<(Timestamp, TimerKey)>,
    wake_at: BTreeMap<TimerKey, Timestamp>,
    histories: BTreeMap<ItemId, Vec<crate::domain::derived::Transition>>,
    changed: BTreeSet<DocumentKey>,
}

/// Decides half a year that ends at `end`, on a thread that may take its time.
pub(super) async fn seed(
    store: Arc<dyn Store>,
    policy: Arc<Policy>,
    repo: RepoKey,
    full_name: &'static str,
    end: Timestamp,
) -> Result<(), Failure> {
    let key = repo.clone();
    let version = policy.version.clone();
    let played = tokio::task::spawn_blocking(move || {
        let mut player = Player::new(key.clone(), policy);
        for event in half_year::events(key, full_name, end) {
            player.event(&event);
        }
        player.until(end);
        player
    });
    let player = played.await.map_err(|error| Failure::Message(error.to_string()))?;
    let row = RepositoryRow { repo: repo.clone(), full_name: full_name.to_owned(), installation: None, active: true };
    store
        .commit(Commit { repo: Some(repo.clone()), now: Some(end), repositories: vec![row], ..Commit::default() })
        .await?;
    for commit in player.commits(&repo, end) {
        store.commit(commit).await?;
    }
    insight::note_filled(store.as_ref(), &repo, &version).await?;
    Ok(())
}

impl Player {
    fn new(repo: RepoKey, policy: Arc<Policy>) -> Self {
        Self {
            repository: Repository::new(RepoFacts::new(repo), BTreeMap::new()),
            policy,
            timers: BTreeSet::new(),
            wake_at: BTreeMap::new(),
            histories: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Decides what is due before an event, and then the event.
    fn event(&mut self, event: &crate::domain::event::Event) {
        self.until(event.at);
        let (policy, alerts) = (self.policy.clone(), AlertRules::default());
        let terms = DecisionContext { policy: &policy, alerts: &alerts, now: event.at, writes_disabled: None };
        self.repository.ingest(Input::Event { event, us: &Us { bot: None } }, &terms);
        self.decide(event.at);
    }

    /// Decides everything that is due by a time.
    fn until(&mut self, end: Timestamp) {
        let (policy, alerts) = (self.policy.clone(), AlertRules::default());
        while let Some((now, key)) = self.timers.first().copied().filter(|(at, _)| *at <= end) {
            self.set_timer(key, None);
            let terms = DecisionContext { policy: &policy, alerts: &alerts, now, writes_disabled: None };
            self.repository.ingest(Input::Timers(&[key].into()), &terms);
            self.decide(now);
        }
    }

    fn decide(&mut self, now: Timestamp) {
        let (policy, alerts) = (self.policy.clone(), AlertRules::default());
        let terms = DecisionContext { policy: &policy, alerts: &alerts, now, writes_disabled: None };
        let mut context = Context { terms, asking: Asking::First };
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let plan: Plan = loop {
            let needs = match self.repository.step(&context) {
                Step::Plan(plan) => break *plan,
                Step::Ask(needs) => needs,
            };
            let new: Vec<Need> = needs.into_iter().filter(|need| asked.insert(format!("{need:?}"))).collect();
            if new.is_empty() {
                context.asking = Asking::Done(None);
            }
            for need in new {
                let answer = answer(&need);
                self.repository.ingest(Input::Answer(&Answered { need, answer, at: now }), &terms);
            }
        };
        for planned in &plan.effects {
            if let Effect::SetPhase { item, label, .. } = &planned.effect {
                let labels: BTreeSet<String> = label.iter().map(|label| label.name.clone()).collect();
                let applied = Input::LabelsApplied { labels: Some((*item, &labels)), made: &BTreeSet::new() };
                self.repository.ingest(applied, &terms);
            }
        }
        self.changed.extend(plan.changed);
        self.histories.extend(plan.histories);
        for (key, at) in plan.timers {
            self.set_timer(key, at);
        }
    }

    fn set_timer(&mut self, of: TimerKey, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.wake_at.insert(of, at),
            None => self.wake_at.remove(&of),
        };
        if let Some(before) = before {
            self.timers.remove(&(before, of));
        }
        self.timers.extend(at.map(|at| (at, of)));
    }

    /// Returns everything as it is stored, in parts.
    fn commits(&self, repo: &RepoKey, now: Timestamp) -> Vec<Commit> {
        let empty = || Commit { repo: Some(repo.clone()), now: Some(now), ..Commit::default() };
        let facts: Vec<Document> = self
            .changed
            .iter()
            .map(|key| Document { key: key.to_string(), body: self.repository.facts.document(key) })
            .collect();
        let items: Vec<_> = self.repository.items.values().cloned().collect();
        let histories: Vec<_> = self.histories.iter().map(|(item, steps)| (*item, steps.clone())).collect();
        let rows = all_rows(&self.repository.facts, &self.policy, now);
        let facts = facts.chunks(AT_ONCE).map(|facts| Commit { facts: facts.to_vec(), ..empty() });
        let items = items.chunks(AT_ONCE).map(|items| Commit { items: items.to_vec(), ..empty() });
        let histories = histories.chunks(AT_ONCE).map(|histories| Commit { histories: histories.to_vec(), ..empty() });
        let rows = rows.chunks(AT_ONCE).map(|rows| Commit { insight: rows.to_vec(), ..empty() });
        facts.chain(items).chain(histories).chain(rows).collect()
    }
}

fn answer(need: &Need) -> Answer {
    match need {
        Need::LinkedIssues { pull } => Answer::LinkedIssues([pull - 1].into()),
        Need::Tags => Answer::Tags(BTreeMap::new()),
        Need::Writer { .. } => Answer::Writer(true),
        other => Answer::Unavailable { why: format!("not simulated: {}", other.kind()) },
    }
}
