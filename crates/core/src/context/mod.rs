//! What a derivation looks at, and what it finds missing.

pub(crate) mod rights;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::{
        graph::Ancestors,
        landing::{Landing, Work},
    },
    domain::{
        event::RefName,
        fact::RepoFacts,
        id::{ItemNumber, Sha},
        needs::{Answer, Need, RequiredCheck},
        policy::Policy,
        when::{self, Span},
    },
    environment::Environment,
    incident::{self, Disturbances},
};

/// An answer that the forge could not give is asked for again after this long.
pub(crate) const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Rules change without an event that we hear; ask again after this long.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// A commit, its branch, and the names that a policy asks for.
type Tested = (Sha, String, Vec<String>);

/// Facts, policy and time, with a list of facts that were wanted and are not
/// known. What costs time to find out is remembered for as long as it lives.
pub(crate) struct EvalContext<'a> {
    pub(crate) facts: &'a RepoFacts,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    wants: RefCell<BTreeSet<Need>>,
    /// When an answer that could not be had is next asked for.
    retry_at: Cell<Option<Timestamp>>,
    pub(crate) pasts: RefCell<HashMap<Sha, Rc<Ancestors<'a>>>>,
    pub(crate) passes: RefCell<HashMap<Tested, Rc<[Span]>>>,
    pub(crate) carried: RefCell<HashMap<Work, Rc<[Landing]>>>,
    pub(crate) environments: OnceCell<Vec<Environment<'a>>>,
    disturbances: OnceCell<Disturbances>,
}

impl<'a> EvalContext<'a> {
    pub(crate) fn new(facts: &'a RepoFacts, policy: &'a Policy, now: Timestamp) -> Self {
        Self {
            facts,
            policy,
            now,
            wants: RefCell::default(),
            retry_at: Cell::default(),
            pasts: RefCell::default(),
            passes: RefCell::default(),
            carried: RefCell::default(),
            environments: OnceCell::new(),
            disturbances: OnceCell::new(),
        }
    }

    /// When which environment was disturbed by an incident.
    pub(crate) fn disturbances(&self) -> &Disturbances {
        self.disturbances.get_or_init(|| incident::disturbances(self))
    }

    /// When to look again because an answer could not be had: it is asked for
    /// then, though nothing happens.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at.get()
    }

    /// Notes an answer that could not be had `at` a time, and asks for it again
    /// once that was long enough ago.
    fn unavailable(&self, need: &Need, at: Timestamp) {
        if self.now.duration_since(at) >= RETRY_AFTER {
            self.want(need.clone());
            return;
        }
        let again = at.checked_add(RETRY_AFTER).ok();
        self.retry_at.set(when::earlier(self.retry_at.get(), again));
    }

    /// What was wanted since this was last asked.
    pub(crate) fn take_wants(&self) -> BTreeSet<Need> {
        self.wants.take()
    }

    /// The answer to `need`, asking for it if it is missing, could not be
    /// given some time ago, or is older than `age`.
    pub(crate) fn answer(&self, need: &Need, age: Option<SignedDuration>) -> Option<&'a Answer> {
        let Some(known) = self.facts.answers.get(need) else {
            self.want(need.clone());
            return None;
        };
        if matches!(known.answer, Answer::Unavailable { .. }) {
            self.unavailable(need, known.at);
            return None;
        }
        if age.is_some_and(|age| self.now.duration_since(known.at) >= age) {
            self.want(need.clone());
        }
        Some(&known.answer)
    }

    /// Notes that an answer is wanted.
    pub(crate) fn want(&self, need: Need) {
        self.wants.borrow_mut().insert(need);
    }

    /// The checks that the rules of a branch require, without our own: what
    /// waited for those would wait for itself. `None`: the forge did not tell.
    /// What landed on an earlier default branch is under the present one's rules.
    pub(crate) fn required_checks(&self, branch: &str) -> Option<Vec<&'a RequiredCheck>> {
        let branch = if self.facts.is_main_line(branch) { self.facts.default_branch() } else { branch };
        match self.answer(&Need::RequiredChecks { branch: branch.to_owned() }, Some(STALE_AFTER)) {
            Some(Answer::RequiredChecks(checks)) => {
                Some(checks.iter().filter(|check| !check.name.starts_with("phasebot/")).collect())
            }
            _ => None,
        }
    }

    /// The answer to a question, if it was given after `since`.
    pub(crate) fn answered_since(&self, need: &Need, since: Timestamp) -> Option<&'a Answer> {
        let known = self.facts.answers.get(need).filter(|known| known.at >= since);
        let Some(known) = known else {
            self.want(need.clone());
            return None;
        };
        if matches!(known.answer, Answer::Unavailable { .. }) {
            self.unavailable(need, known.at);
            return None;
        }
        Some(&known.answer)
    }

    /// The answer to a question whose answer never changes.
    pub(crate) fn lasting(&self, need: &Need) -> Option<&'a Answer> {
        self.answer(need, None)
    }

    /// Asks for the issues that the forge links to a pull request: when it is
    /// first seen without a link in its text, and once more when it was merged.
    pub(crate) fn want_links(&self, number: ItemNumber) {
        let Some(pull) = self.facts.pull(number) else { return };
        let need = Need::LinkedIssues { pull: number };
        let asked = self.facts.answers.get(&need).map(|a| a.at);
        let item_open = self.facts.items.get(&number).is_some_and(|i| i.closed(self.now).is_none() && i.gone.is_none());
        let wanted = match (&pull.merged, asked) {
            (Some(merge), asked) => {
                let recorded = self.facts.items.get(&number).is_some_and(|i| !i.before_record(merge.at));
                recorded && asked.is_none_or(|at| at < merge.at)
            }
            (None, None) => item_open && pull.refs.as_ref().is_none_or(|r| r.value.closes.is_empty()),
            (None, Some(_)) => false,
        };
        if wanted {
            self.want(need);
        }
    }

    /// Whether commits on `branch` count.
    pub(crate) fn listed(&self, branch: &str) -> bool {
        self.facts.is_main_line(branch) || self.policy.lists_branch(branch, self.facts.default_branch())
    }

    /// Whether two names are of one line of development: one branch, or the
    /// default branch under an earlier and a later name.
    pub(crate) fn same_line(&self, one: &str, other: &str) -> bool {
        one == other || (self.facts.is_main_line(one) && self.facts.is_main_line(other))
    }

    /// Whether a ref is a branch whose commits count.
    pub(crate) fn listed_ref(&self, name: &RefName) -> bool {
        matches!(name, RefName::Branch(branch) if self.listed(branch))
    }
}
