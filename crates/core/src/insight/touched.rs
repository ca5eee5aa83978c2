//! The rows that a decision concerns.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        derived::Derived,
        event::{DeployState, RefName},
        fact::{DocumentKey, command::CommandAction, commit::PushFacts, deployment::DeploymentFacts},
        id::{ItemId, Sha},
        insight::RowGroup,
        needs::Need,
        rule::name_key,
        when::earlier,
    },
    environment::history::Run,
    evidence::shipped::first,
    incident::{shown_by, shown_cycle},
    insight::{
        change, counts, deployment,
        due::{AllDue, CONTEXT},
        former::Former,
        gate_rows,
        incident::{self, Blame},
        overrides,
        standing::Standing,
        suspicion::suspected_for,
        unit,
    },
};

/// What a decision concerns.
pub(crate) struct Touched<'e, 'f> {
    eval: &'e EvalContext<'f>,
    /// What events replaced.
    former: &'e Former,
    pub(crate) works: BTreeSet<Work>,
    /// Deployments whose rows may have to go.
    pub(crate) deployments: BTreeSet<u64>,
    /// Deployments that are derived again.
    pub(crate) due: AllDue,
    /// Incidents, each with the time from which it is derived again.
    pub(crate) incidents: BTreeMap<String, Timestamp>,
    /// Times between which incidents may have been suspected to follow from something else.
    suspected: Vec<(Timestamp, Timestamp)>,
    /// Time from which people may have named something else as a cause.
    pub(crate) named: Option<Timestamp>,
    standing: Standing,
    groups: Vec<RowGroup>,
}

impl<'e, 'f> Touched<'e, 'f> {
    pub(crate) fn new(eval: &'e EvalContext<'f>, former: &'e Former) -> Self {
        Self {
            eval,
            former,
            works: BTreeSet::new(),
            deployments: BTreeSet::new(),
            due: AllDue::default(),
            incidents: BTreeMap::new(),
            suspected: Vec::new(),
            named: None,
            standing: Standing::default(),
            groups: Vec::new(),
        }
    }

    pub(crate) fn item(&mut self, derived: &Derived) {
        let eval = self.eval;
        self.groups.push(unit::unit_rows(eval, derived));
        self.feedback_issue(derived.item);
        let Some(pull) = eval.facts.pull(derived.item) else { return };
        let work = Work::Pull(derived.item);
        if pull.merged.is_none() && eval.landings(&work).is_empty() {
            return;
        }
        // What it says of the deployment that brought it may have changed, such as a label; which
        // deployment repaired that one; and what it reverts, or did before an edit.
        let mut works = eval.reverters(&work, &eval.own_landings(&work));
        works.extend(change::reverted_by(eval, &work));
        works.extend(self.former.reverts.get(&derived.item).into_iter().flatten().copied().map(Work::Pull));
        works.remove(&work);
        let window = eval.policy.insight.rework_window;
        for environment in eval.environments() {
            let run_of = |work: &Work| change::first_run(eval, environment, work).map(|(run, _)| run);
            let own = run_of(&work);
            // What is further apart is no repair.
            let about = own.map(|run| run.from).or(pull.merged.as_ref().map(|merge| merge.at));
            let is_near = |run: &Run<'_>| about.is_none_or(|at| run.from.duration_since(at).abs() <= window);
            for run in works.iter().filter_map(run_of).filter(is_near).chain(own) {
                self.due.at(environment.name, run.from);
                self.named = earlier(self.named, Some(suspected_for(eval, run.facts).0));
            }
        }
        self.groups.extend(change::no_rows_of_commits(eval, derived.item, pull));
        self.works.insert(work);
    }

    /// Adds the deployments of the pull requests that name an issue: one that closes a feedback issue is
    /// rework.
    fn rework_of(&mut self, issue: ItemId) {
        let (eval, index) = (self.eval, &self.eval.facts.index);
        let by_commit = index.commits_closing.get(&issue).into_iter().flatten().flat_map(|sha| eval.pulls_by(sha));
        let pulls: BTreeSet<ItemId> =
            index.pulls_naming.get(&issue).into_iter().flatten().copied().chain(by_commit).collect();
        for work in pulls.into_iter().map(Work::Pull).filter(|work| !eval.landings(work).is_empty()) {
            for environment in eval.environments() {
                if let Some((run, _)) = change::first_run(eval, environment, &work) {
                    self.due.at(environment.name, run.from);
                }
            }
        }
    }

    /// Adds the deployments that a push concerns: those of its commits and, if it came late, those that
    /// first ran them.
    fn push(&mut self, push: &PushFacts) {
        let eval = self.eval;
        // A commit that another push brought before is known.
        let is_new = |sha: &&Sha| eval.facts.index.brought_by.get(*sha).into_iter().flatten().count() <= 1;
        let commits: Vec<&Sha> = push.commits.iter().filter(is_new).collect();
        let last = push.truncated.then_some(&push.after);
        for sha in commits.iter().copied().chain(last) {
            for id in eval.facts.deployments.index().by_commit.of(sha) {
                self.deployment(*id);
                self.before(*id);
            }
        }
        for environment in eval.environments() {
            let newest = eval.history(environment.name).backwards().next();
            if newest.is_none_or(|run| run.from < push.at) {
                continue;
            }
            for sha in &commits {
                if let Some((run, _)) = change::first_run(eval, environment, &Work::Commit((*sha).clone())) {
                    self.due.at(environment.name, run.from);
                }
            }
        }
    }

    /// Adds the last deployments before one: it may only now be known to contain what these brought.
    fn before(&mut self, id: u64) {
        let Some(deployment) = self.eval.facts.deployments.get(&id) else { return };
        let Some(at) = first(deployment, DeployState::Success) else { return };
        let environment = name_key(&deployment.environment);
        let earlier = self.eval.history(&environment).backwards().filter(|run| run.from < at).take(CONTEXT);
        if let Some(oldest) = earlier.last() {
            self.due.between(&environment, oldest.from, at);
        }
    }

    /// Adds what stands now in every environment.
    pub(crate) fn every_environment(&mut self) {
        self.standing.every();
    }

    pub(crate) fn document(&mut self, key: &DocumentKey) {
        let facts = self.eval.facts;
        match key {
            DocumentKey::Item(item) if self.former.turned_feedback(facts, *item) => self.rework_of(*item),
            DocumentKey::Deployment(id) => {
                self.standing.deployment(facts, self.former, *id);
                if self.former.ran_alike(self.eval, *id) { self.reported(*id) } else { self.deployment(*id) }
            }
            DocumentKey::Ref(RefName::Tag(_)) | DocumentKey::Tags => self.standing.every(),
            DocumentKey::Push(name, before, after) => {
                let id = (name.clone(), before.clone(), after.clone());
                if let Some(push) = facts.pushes.get(&id).filter(|push| self.eval.listed_ref(&push.name)) {
                    self.push(push);
                }
            }
            DocumentKey::Request(id) => {
                self.standing.request(facts, id);
                let request = facts.requests.get(id);
                let made = request.into_iter().flat_map(|request| request.linked.iter().chain(&request.deployment));
                for id in made {
                    self.deployment(*id);
                }
            }
            // A deployment of a job may count only from now on, or no longer.
            DocumentKey::Run(run) => {
                for id in facts.deployments.index().by_run.of(run) {
                    self.standing.deployment(facts, self.former, *id);
                    self.deployment(*id);
                }
            }
            // It may show what a deployment brought.
            DocumentKey::Answer(Need::Commits { head, .. }) => {
                for id in facts.deployments.index().by_commit.of(head) {
                    self.deployment(*id);
                }
            }
            DocumentKey::Answer(Need::FilesOfPull { pull }) => drop(self.works.insert(Work::Pull(*pull))),
            DocumentKey::Answer(Need::FilesOfCommit { sha }) => drop(self.works.insert(Work::Commit(sha.clone()))),
            DocumentKey::Incident(id) => self.incident(id, incident::first_difference(self.eval, id, self.former)),
            DocumentKey::Command(id) => {
                self.standing.command(facts, id);
                let action = facts.commands.get(id).and_then(|command| command.action.as_ref());
                if matches!(action, Some(CommandAction::Cause { .. } | CommandAction::Resolve)) {
                    self.feedback_issue(id.item);
                }
                self.groups.extend(overrides::group(facts, id));
            }
            DocumentKey::Gate(gate, sha) => {
                self.standing.gate(gate, sha);
                let gate = facts.gates.get(&(gate.clone(), sha.clone()));
                self.groups.extend(gate.filter(|gate| counts(self.eval, gate)).map(gate_rows));
            }
            DocumentKey::About
            | DocumentKey::Item(_)
            | DocumentKey::Commit(_)
            | DocumentKey::Ref(RefName::Branch(_))
            | DocumentKey::Release(_)
            | DocumentKey::Checks(_)
            | DocumentKey::Verdicts(_)
            | DocumentKey::SchemaChange(..)
            | DocumentKey::Group(_)
            | DocumentKey::Storm(_)
            | DocumentKey::Feedback(_)
            | DocumentKey::Heartbeat(_)
            | DocumentKey::WaitingCommand(_)
            | DocumentKey::WaitingJob(..)
            | DocumentKey::Publication(_)
            | DocumentKey::Answer(_)
            | DocumentKey::Policy => {}
        }
    }

    /// Adds the incident that an issue shows, from the cycle on that it shows.
    fn feedback_issue(&mut self, issue: ItemId) {
        let facts = self.eval.facts;
        let Some(id) = shown_by(facts, issue) else { return };
        self.incident(id, shown_cycle(facts, id, issue).unwrap_or(Timestamp::MIN));
    }

    fn incident(&mut self, id: &str, since: Timestamp) {
        self.incidents.entry(id.to_owned()).and_modify(|known| *known = since.min(*known)).or_insert(since);
    }

    fn deployment(&mut self, id: u64) {
        let eval = self.eval;
        let Some(deployment) = eval.facts.deployments.get(&id) else { return };
        self.deployments.insert(id);
        if let Some(succeeded) = first(deployment, DeployState::Success) {
            self.succeeded(id, deployment, succeeded);
        }
        if let Some((environment, at)) = self.former.moved_from(eval.facts, id) {
            self.moved(&environment, at);
        }
        self.suspected_for(id);
    }

    /// Adds a deployment of which a status changed neither what it ran nor when.
    fn reported(&mut self, id: u64) {
        let Some(deployment) = self.eval.facts.deployments.get(&id) else { return };
        self.deployments.insert(id);
        if let Some(at) = first(deployment, DeployState::Success) {
            self.due.at(&name_key(&deployment.environment), at);
        }
        self.suspected_for(id);
    }

    /// Adds the deployments that one repaired, or seemed to, when it succeeded at a time at which it no
    /// longer does.
    fn moved(&mut self, environment: &str, at: Timestamp) {
        let history = self.eval.history(environment);
        let is_first = |run: &Run<'_>| first(run.facts, DeployState::Success) == Some(run.from);
        let before = history.backwards().find(|run| run.from < at && is_first(run));
        let since = before.map_or(Timestamp::MIN, |run| run.from);
        for (_, failed) in history.failures_between(since, at) {
            let failed = self.eval.facts.deployments.get(&failed);
            if let Some(succeeded) = failed.and_then(|failed| first(failed, DeployState::Success)) {
                self.due.at(environment, succeeded);
            }
        }
        self.since_window(environment, at);
    }

    fn suspected_for(&mut self, id: u64) {
        if let Some((from, to)) = self.former.suspected_for(self.eval, id) {
            self.suspected.push((from, to));
            self.named = earlier(self.named, Some(from));
        }
    }

    /// Adds a deployment that succeeded, and those whose rows may change with it.
    fn succeeded(&mut self, id: u64, deployment: &DeploymentFacts, at: Timestamp) {
        let environment = name_key(&deployment.environment);
        let newest = self.eval.history(&environment).backwards().next();
        if newest.is_some_and(|run| run.deployment == id && run.from == at) {
            // Of the earlier ones, it concerns those that it takes out, repairs or reverts.
            self.due.since(&environment, at);
            return;
        }
        // It came late, or does not count any more: another one may have seemed to do so.
        let begun = deployment.statuses.first().map_or(deployment.created_at, |status| status.at);
        let ran = at.min(begun).min(deployment.created_at);
        self.since_window(&environment, ran);
    }

    /// Adds all deployments since a time, and those before whose failure may follow from them.
    fn since_window(&mut self, environment: &str, at: Timestamp) {
        let window = self.eval.policy.insight.rework_window;
        self.due.since(environment, at.checked_sub(window).unwrap_or(Timestamp::MIN));
    }

    pub(crate) fn rows(mut self) -> Vec<RowGroup> {
        let eval = self.eval;
        let blame = Blame::new(eval);
        for (from, to) in std::mem::take(&mut self.suspected) {
            for id in blame.begun_between(from, to) {
                self.incident(id, from);
            }
        }
        for (id, since) in self.named.map(|at| blame.named_since(at)).unwrap_or_default() {
            self.incident(id, since);
        }
        for (id, since) in &self.incidents {
            blame.concerned(id, *since, &mut self.due);
            if let Some(Some(before)) = self.former.incidents.get(id) {
                blame.suspected(id, before, *since, &mut self.due);
            }
        }
        self.groups.extend(self.incidents.iter().filter_map(|(id, since)| blame.group(id, *since)));
        let mut derived = deployment::Derived::default();
        for environment in eval.environments() {
            if let Some(due) = self.due.take(environment.name) {
                deployment::derive_due(eval, environment, due, &blame, &mut derived);
            }
        }
        let shown: BTreeSet<&str> = derived.groups.iter().map(|group| group.owner.as_str()).collect();
        let others = self.deployments.iter().filter(|id| !shown.contains(id.to_string().as_str()));
        self.groups.extend(others.map(|id| deployment::group(eval, *id, deployment::attempt_row(eval, *id).as_ref())));
        self.works.append(&mut derived.works);
        self.groups.append(&mut derived.groups);
        self.groups.extend(self.works.iter().map(|work| change::change_rows(eval, work)));
        self.groups.append(&mut self.standing.rows(eval));
        self.groups
    }
}
