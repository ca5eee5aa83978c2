//! Gates: one pure function from policy, commit, facts and time to a decision.
//!
//! Each condition is a file here and a variant of [`ConditionRule`]. It says
//! whether it holds, and never more than the facts show: what is not known is
//! pending or an error, and neither is ever a pass.

mod alerts;
mod ancestry;
mod approval;
mod authors;
mod blockers;
mod branch;
mod calendar;
pub mod check_run;
mod checks;
mod combinators;
mod condition_result;
mod contents;
mod deployed;
mod freeze;
mod hold;
mod lock;
mod order;
mod record;
mod reviews;
pub(crate) mod rollout_order;
pub(crate) mod subject;
mod tag;
pub(crate) mod target;
mod waiver;
mod window;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::gate::record::{advance, needs as want_all, recheck};
use crate::{
    context::{EvalContext, rights::PermissionState},
    domain::{
        decision::{ConditionState, Decision, GateName},
        fact::RepoFacts,
        id::{Account, ItemNumber, Sha},
        needs::{Answer, Need},
        permission::Grant,
        policy::Policy,
        rule::{ConditionName, ConditionRule, name_key},
        when,
    },
    gate::condition_result::ConditionResult,
    text::message::{forge_reason, quoted},
};

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The gate.
    pub gate: GateName,
    /// The commit.
    pub sha: Sha,
    /// The tags that name it, or will, where the gate stands before tags.
    pub tags: Vec<String>,
    /// Since when it is asked for: what has to report in time is measured from here.
    pub since: Timestamp,
    /// Who asks for it, if a person does: never approves it, and passes their own lock.
    pub requester: Option<Account>,
    /// Who else set it going, as who made a deployment that waits: none of them approves it.
    pub starters: BTreeSet<Account>,
    /// Workflow runs that wait for it: nor does whoever started them.
    pub runs: BTreeSet<u64>,
    /// The item on which they ask for it: a lock of theirs is passed if it was taken there.
    pub item: Option<ItemNumber>,
    /// They may replace what their lock protects for another item.
    pub replaces: bool,
    /// The deploy request that it serves: passes the lock that this request holds.
    pub request: Option<String>,
    /// Only answers of the forge that were given since count: before something
    /// is done, everything is asked anew.
    pub fresh_since: Option<Timestamp>,
    /// Conditions that need not be met, and on whose word: what a rollback may waive.
    pub waived: Vec<(ConditionName, String)>,
}

impl Subject {
    /// A commit at a gate, asked for by nobody in particular.
    pub fn new(gate: GateName, sha: Sha, since: Timestamp) -> Self {
        Self {
            gate,
            sha,
            tags: Vec::new(),
            since,
            requester: None,
            starters: BTreeSet::new(),
            runs: BTreeSet::new(),
            item: None,
            replaces: false,
            request: None,
            fresh_since: None,
            waived: Vec::new(),
        }
    }

    /// The environment, lower case, if it is one's gate.
    pub fn environment(&self) -> Option<&str> {
        match &self.gate {
            GateName::Deploy(environment) => Some(environment),
            GateName::Release(_) => None,
        }
    }
}

/// What follows for a subject from facts, policy and time.
pub fn evaluate(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> Decision {
    decide(&EvalContext::new(facts, policy, now), subject)
}

/// Facts that evaluating a subject would want and that are not known.
pub fn needs(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> Vec<Need> {
    let eval = EvalContext::new(facts, policy, now);
    decide(&eval, subject);
    eval.take_wants().into_iter().collect()
}

/// Why an account may not approve a subject, if so, as `asked for it`. `Err`:
/// that can't be told, or not yet, in a sentence.
pub(crate) fn objection(
    facts: &RepoFacts,
    policy: &Policy,
    subject: &Subject,
    account: &Account,
    now: Timestamp,
) -> Result<Option<String>, String> {
    approval::objection(ConditionContext { eval: &EvalContext::new(facts, policy, now), subject }, account)
}

/// Everything that is gated now.
pub fn subjects(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<Subject> {
    EvalContext::new(facts, policy, now).subjects()
}

/// What a condition looks at.
#[derive(Clone, Copy)]
struct ConditionContext<'a, 'f> {
    eval: &'a EvalContext<'f>,
    subject: &'a Subject,
}

impl<'f> ConditionContext<'_, 'f> {
    /// An answer that is not older than `age`; asks for it otherwise.
    fn answer(self, need: &Need, age: SignedDuration) -> Option<&'f Answer> {
        let since = self.eval.now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.eval.answered_since(need, since.max(self.subject.fresh_since.unwrap_or(since)))
    }

    /// Whether an account may write, asked anew before something is done.
    fn may_write(self, account: &Account) -> PermissionState {
        self.eval.may_write(account, self.subject.fresh_since)
    }

    /// Whether an account is what a grant asks for, asked anew before something is done.
    fn is_granted(self, account: &Account, grant: &Grant) -> PermissionState {
        self.eval.is_granted(account, grant, self.subject.fresh_since)
    }

    /// What is said while an answer is not there: it will be, or it can't be had.
    fn missing(self, need: &Need, code: &str, what: &str) -> ConditionResult {
        match self.eval.facts.answers.get(need).map(|known| &known.answer) {
            Some(Answer::Unavailable { why }) => ConditionResult::error(
                &format!("{code}_unavailable"),
                format!("{what} can't be found out: {}", forge_reason(why)),
            ),
            _ => ConditionResult::unknown(&format!("{code}_asked"), format!("{what} is being asked of the forge")),
        }
    }

    /// Whether `newer` contains `older`; `None`: not known, and asked for.
    fn contains(self, newer: &Sha, older: &Sha) -> Option<bool> {
        self.eval.known_to_contain(newer, older).or_else(|| {
            let need = Need::Commits { base: Some(older.clone()), head: newer.clone() };
            self.eval.lasting(&need);
            None
        })
    }
}

fn decide(eval: &EvalContext<'_>, subject: &Subject) -> Decision {
    let ctx = ConditionContext { eval, subject };
    let findings: Vec<ConditionResult> = match required(eval.policy, &subject.gate) {
        Some(rules) => {
            let waivers = waiver::all(ctx);
            let listed = rules.iter().map(|rule| combinators::evaluate(ctx, rule, &waivers));
            branch::evaluate(ctx).into_iter().chain(order::evaluate(ctx)).chain(listed).collect()
        }
        None => vec![unlisted(&subject.gate)],
    };
    // A gate always has conditions; one that had none would pass nothing.
    let standing = findings.iter().map(|f| f.condition.standing).min().unwrap_or(ConditionState::Fail);
    Decision {
        gate: subject.gate.clone(),
        sha: subject.sha.clone(),
        policy: eval.policy.version.clone(),
        at: eval.now,
        standing,
        needs_person: !standing.is_open() && findings.iter().any(|f| f.needs_person),
        next_at: findings.iter().map(|f| f.condition.next_at).fold(None, when::earlier),
        conditions: findings.into_iter().map(|f| f.condition).collect(),
    }
}

/// Everything that a gate requires: what the policy lists, the environments
/// before this one, and what always counts. `None`: the policy knows no such gate.
fn required(policy: &Policy, gate: &GateName) -> Option<Vec<ConditionRule>> {
    let (mut rules, always) = match gate {
        GateName::Release(name) => {
            let rules = policy.gates.get(&name_key(name))?.require.clone();
            let mut always = vec![ConditionRule::Freeze, ConditionRule::Hold];
            // What is released has landed, unless the policy says where it may be.
            if !rules.iter().any(says_ancestry) {
                always.insert(0, ConditionRule::Ancestry { of: Vec::new(), any: false });
            }
            (rules, always)
        }
        GateName::Deploy(environment) => {
            let rule = policy.environments.get(&name_key(environment))?;
            let listed = |name: &String| {
                let is =
                    |r: &ConditionRule| matches!(r, ConditionRule::Deployed { environment, .. } if environment == name);
                rule.require.iter().any(is)
            };
            let before = rule.after.iter().filter(|name| !listed(name)).map(|environment| ConditionRule::Deployed {
                environment: environment.clone(),
                soak: SignedDuration::ZERO,
            });
            let rules = before.chain(rule.require.iter().cloned()).collect();
            (rules, vec![ConditionRule::Lock, ConditionRule::Freeze, ConditionRule::Hold])
        }
    };
    for rule in always {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Some(rules)
}

/// Whether a condition decides on which branches a commit may be. Among others of
/// which one is enough it does not.
fn says_ancestry(rule: &ConditionRule) -> bool {
    match rule {
        ConditionRule::Ancestry { .. } => true,
        ConditionRule::All(inner) => inner.iter().any(says_ancestry),
        _ => false,
    }
}

fn unlisted(gate: &GateName) -> ConditionResult {
    let (code, what) = match gate {
        GateName::Release(name) => ("gate_unlisted", format!("no gate {}", quoted(name))),
        GateName::Deploy(name) => ("environment_unlisted", format!("no environment {}", quoted(name))),
    };
    ConditionResult::fail(code, format!("the policy describes {what}, so nothing may pass")).named("listed")
}
