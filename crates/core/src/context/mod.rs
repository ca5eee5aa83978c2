//! Evaluation context: the facts, the policy and the time, with cached queries and the list of
//! unknown facts.

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
        id::{ItemId, Sha},
        needs::{Answer, Need, RequiredCheck},
        policy::Policy,
        when::{self, Span},
    },
    environment::Environment,
    incident::{self, Disturbances},
};

/// Time after which a question without an answer is asked again.
pub(crate) const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Greatest age of the branch rules: they change without an event that phasebot receives.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// Key of the cached check results: a commit, its branch, and the names that a policy lists.
type Tested = (Sha, String, Vec<String>);

/// Facts, policy and time, with the list of facts that were needed and are unknown. Costly results
/// are cached for its lifetime.
pub(crate) struct EvalContext<'a> {
    pub(crate) facts: &'a RepoFacts,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    wants: RefCell<BTreeSet<Need>>,
    /// Time at which an answer is next asked for, even if no event arrives.
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

    /// Returns the spans in which incidents disturbed each environment.
    pub(crate) fn disturbances(&self) -> &Disturbances {
        self.disturbances.get_or_init(|| incident::disturbances(self))
    }

    /// Looks at an answer again at `at`, even if no event arrives.
    pub(crate) fn look_again(&self, at: Timestamp) {
        self.retry_at.set(when::earlier(self.retry_at.get(), Some(at)));
    }

    /// Returns the time at which an answer is to be asked for again, even if no event arrives.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at.get()
    }

    /// Records an answer that was unavailable at `at`, and asks for it again once [`RETRY_AFTER`]
    /// has passed.
    fn unavailable(&self, need: &Need, at: Timestamp) {
        if self.now.duration_since(at) >= RETRY_AFTER {
            self.want(need.clone());
            return;
        }
        self.look_again(at.checked_add(RETRY_AFTER).unwrap_or(Timestamp::MAX));
    }

    /// Returns the facts wanted since the last call, and clears them.
    pub(crate) fn take_wants(&self) -> BTreeSet<Need> {
        self.wants.take()
    }

    /// Returns the answer to `need`. Asks for it if it is missing, older than `age`, or was
    /// unavailable and is due for a retry.
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

    /// Records that an answer is wanted.
    pub(crate) fn want(&self, need: Need) {
        self.wants.borrow_mut().insert(need);
    }

    /// Returns the checks that a branch's rules require, without phasebot's own, which would wait
    /// for themselves. `None`: the forge has not answered. Commits on a former default branch are
    /// under the present one's rules.
    pub(crate) fn required_checks(&self, branch: &str) -> Option<Vec<&'a RequiredCheck>> {
        let branch = if self.facts.is_main_line(branch) { self.facts.default_branch() } else { branch };
        match self.answer(&Need::RequiredChecks { branch: branch.to_owned() }, Some(STALE_AFTER)) {
            Some(Answer::RequiredChecks(checks)) => {
                Some(checks.iter().filter(|check| !check.name.starts_with("phasebot/")).collect())
            }
            _ => None,
        }
    }

    /// Returns the answer to a question, if it was given at or after `since`; otherwise asks for
    /// it.
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

    /// Returns the answer to a question whose answer never changes.
    pub(crate) fn lasting(&self, need: &Need) -> Option<&'a Answer> {
        self.answer(need, None)
    }

    /// Asks for the issues that the forge links to a pull request: when it is first seen without a
    /// link in its text, and again once it was merged.
    pub(crate) fn want_links(&self, number: ItemId) {
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

    /// Returns whether commits on `branch` count.
    pub(crate) fn listed(&self, branch: &str) -> bool {
        self.facts.is_main_line(branch) || self.policy.lists_branch(branch, self.facts.default_branch())
    }

    /// Returns whether two names denote one line of development: one branch, or the default branch
    /// under an earlier and a later name.
    pub(crate) fn same_line(&self, one: &str, other: &str) -> bool {
        one == other || (self.facts.is_main_line(one) && self.facts.is_main_line(other))
    }

    /// Returns whether a ref is a branch whose commits count.
    pub(crate) fn listed_ref(&self, name: &RefName) -> bool {
        matches!(name, RefName::Branch(branch) if self.listed(branch))
    }
}
