//! Gates: one pure function from policy, commit, facts and time to a decision.
//!
//! Each condition has a file here and a variant of [`ConditionRule`]. A condition reports only what
//! the facts show: an unknown is pending or an error, and neither ever passes.

mod alerts;
mod ancestry;
mod approval;
mod authors;
mod blockers;
mod branch;
mod calendar;
pub mod carries;
mod carries_list;
pub mod check_run;
mod checks;
mod combinators;
pub(crate) mod condition_order;
mod condition_result;
pub(crate) mod condition_table;
mod contents;
mod database;
mod deployed;
mod external;
mod freeze;
mod hold;
mod lock;
pub(crate) mod missing_approval;
mod order;
mod outcome;
mod record;
mod reviews;
pub(crate) mod rollout_order;
pub(crate) mod schema_changes;
pub(crate) mod subject;
mod tag;
pub(crate) mod target;
mod turns;
mod waiver;
mod window;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub(crate) use crate::gate::approval::{approve_command, approvers, sentence_of, turn_of};
pub(crate) use crate::gate::calendar::freeze as freeze_state;
pub(crate) use crate::gate::record::{advance, needs as want_all, recheck};
use crate::{
    context::{EvalContext, rights::PermissionState},
    domain::{
        decision::{ConditionState, Decision, GateName},
        fact::RepoFacts,
        id::{Account, ItemId, Sha},
        needs::{Answer, Need},
        permission::Grant,
        policy::Policy,
        rule::{ConditionName, ConditionRule, SchemaGoal, name_key},
        turn::Turn,
        when,
    },
    gate::condition_result::ConditionResult,
    text::message::{forge_words, quoted},
};

/// Subject of a gate decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The gate.
    pub gate: GateName,
    /// The commit.
    pub sha: Sha,
    /// Tags that name the commit, or will once they exist, if the gate guards tags.
    pub tags: Vec<String>,
    /// Time of the request. Report deadlines are measured from it.
    pub since: Timestamp,
    /// Person who asks for it, if any: can't approve it, and is not blocked by their own lock.
    pub requester: Option<Account>,
    /// Other accounts that initiated it, such as the creator of a waiting deployment: none of them
    /// can approve it.
    pub starters: BTreeSet<Account>,
    /// Workflow runs that wait for it: whoever started them can't approve it either.
    pub runs: BTreeSet<u64>,
    /// Item on which the requester asks: a lock that they took on this item does not block them.
    pub item: Option<ItemId>,
    /// The requester may replace what their own lock protects for another item.
    pub replaces: bool,
    /// Deploy request that the subject serves: the lock that this request holds does not block it.
    pub request: Option<String>,
    /// Only answers from this time on count: before an action, all questions are asked again.
    pub fresh_since: Option<Timestamp>,
    /// Commits to compare with; `None`: what runs in the environment, or the previous version. Once a
    /// deploy runs, it is compared with what ran before.
    pub compared_with: Option<Vec<Sha>>,
    /// Conditions that need not be met, each with the authority for it: what a rollback may waive.
    pub waived: Vec<(ConditionName, String)>,
}

impl Subject {
    /// Returns the subject of a commit at a gate, with no requester.
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
            compared_with: None,
            waived: Vec::new(),
        }
    }

    /// Returns the environment in lower case, if the gate is an environment's.
    pub fn environment(&self) -> Option<&str> {
        match &self.gate {
            GateName::Deploy(environment) => Some(environment),
            GateName::Release(_) => None,
        }
    }
}

/// Evaluates a gate for a subject.
pub fn evaluate(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> Decision {
    decide(&EvalContext::new(facts, policy, now), subject)
}

/// Returns the unknown facts that evaluating a subject needs.
pub fn needs(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> Vec<Need> {
    let eval = EvalContext::new(facts, policy, now);
    decide(&eval, subject);
    eval.take_wants().into_iter().collect()
}

/// Returns the reason why an account may not approve a subject, such as `asked for it`; `None` if
/// it may. `Err`: a sentence that says why this can't be known, or not yet.
pub(crate) fn objection(
    facts: &RepoFacts,
    policy: &Policy,
    subject: &Subject,
    account: &Account,
    now: Timestamp,
) -> Result<Option<String>, String> {
    approval::objection(ConditionContext { eval: &EvalContext::new(facts, policy, now), subject }, account)
}

/// Returns every subject that is gated at `now`.
pub fn subjects(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Vec<Subject> {
    EvalContext::new(facts, policy, now).subjects()
}

/// Returns what a subject carries, as far as it is known.
pub fn carried(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> carries::Carried {
    EvalContext::new(facts, policy, now).carried(subject)
}

/// Context of a condition: the evaluation context and the subject.
#[derive(Clone, Copy)]
struct ConditionContext<'a, 'f> {
    eval: &'a EvalContext<'f>,
    subject: &'a Subject,
}

impl<'f> ConditionContext<'_, 'f> {
    /// Returns an answer no older than `age`, or asks for a new one.
    fn answer(self, need: &Need, age: SignedDuration) -> Option<&'f Answer> {
        let since = self.eval.now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.eval.answered_since(need, since.max(self.subject.fresh_since.unwrap_or(since)))
    }

    /// Returns whether an account may write. Before an action, the forge is asked again.
    fn may_write(self, account: &Account) -> PermissionState {
        self.eval.may_write(account, self.subject.fresh_since)
    }

    /// Returns whether an account meets a grant. Before an action, the forge is asked again.
    fn is_granted(self, account: &Account, grant: &Grant) -> PermissionState {
        self.eval.is_granted(account, grant, self.subject.fresh_since)
    }

    /// Returns the result while an answer is missing: unknown while it is being asked, an error if
    /// it is unavailable.
    fn missing(self, need: &Need, code: &str, what: &str) -> ConditionResult {
        if let Some(Answer::Unavailable { why }) = self.eval.facts.answers.get(need).map(|known| &known.answer) {
            let words = format!("GitHub did not say {what}: {}", forge_words(why));
            return ConditionResult::error(&format!("{code}_unavailable"), words, turns::refused());
        }
        ConditionResult::unknown(&format!("{code}_asked"), format!("GitHub is being asked {what}"), Turn::asking())
    }

    /// Returns whether `newer` contains `older`; `None` if that is unknown and has been asked.
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
    // A gate always has conditions; one without any must not pass.
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

/// Returns every condition that a gate requires: those that the policy lists, the environments
/// before this one, and those that always count. `None`: the policy has no such gate.
fn required(policy: &Policy, gate: &GateName) -> Option<Vec<ConditionRule>> {
    let (mut rules, always) = match gate {
        GateName::Release(name) => {
            let rules = policy.gates.get(&name_key(name))?.require.clone();
            let mut always = vec![ConditionRule::Freeze, ConditionRule::Hold];
            // A release has to be on a branch that counts, unless the policy says where it may be.
            if !rules.iter().any(says_ancestry) {
                always.insert(0, ConditionRule::Ancestry { of: Vec::new(), any: false });
            }
            (rules, always)
        }
        GateName::Deploy(environment) => {
            let rule = policy.environment(&name_key(environment))?;
            let listed = |name: &String| {
                let is =
                    |r: &ConditionRule| matches!(r, ConditionRule::Deployed { environment, .. } if environment == name);
                rule.require.iter().any(is)
            };
            let before = rule.after.iter().filter(|name| !listed(name)).map(|environment| ConditionRule::Deployed {
                environment: environment.clone(),
                soak: SignedDuration::ZERO,
            });
            let mut rules: Vec<ConditionRule> = before.chain(rule.require.iter().cloned()).collect();
            // What phasebot applies has to be in a state for it.
            let is_database = |rule: &ConditionRule| matches!(rule, ConditionRule::Database { environment: None, .. });
            if rule.database.as_ref().is_some_and(|it| it.apply.is_some()) && !rules.iter().any(is_database) {
                rules.push(ConditionRule::Database { environment: None, want: SchemaGoal::Deployable });
            }
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

/// Returns whether a condition decides on which branches a commit may be. An `ancestry` inside
/// `any` or `not` does not: it need not hold.
fn says_ancestry(rule: &ConditionRule) -> bool {
    match rule {
        ConditionRule::Ancestry { .. } => true,
        ConditionRule::All(inner) => inner.iter().any(says_ancestry),
        ConditionRule::Checks { .. }
        | ConditionRule::Reviews { .. }
        | ConditionRule::Tag { .. }
        | ConditionRule::Blockers { .. }
        | ConditionRule::Alerts { .. }
        | ConditionRule::Deployed { .. }
        | ConditionRule::External(_)
        | ConditionRule::Database { .. }
        | ConditionRule::Window(_)
        | ConditionRule::Approval { .. }
        | ConditionRule::Lock
        | ConditionRule::Freeze
        | ConditionRule::Hold
        | ConditionRule::Any(_)
        | ConditionRule::Not(_) => false,
    }
}

fn unlisted(gate: &GateName) -> ConditionResult {
    let (code, what) = match gate {
        GateName::Release(name) => ("gate_unlisted", format!("no gate {}", quoted(name))),
        GateName::Deploy(name) => ("environment_unlisted", format!("no environment {}", quoted(name))),
    };
    let turn = turns::edits_policy("add it");
    ConditionResult::fail(code, format!("the policy has {what}, so nothing may pass"), turn).named("listed")
}
