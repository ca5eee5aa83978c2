//! Derives every row of a repository, a step at a time.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    context::EvalContext,
    domain::{
        decision::GateName,
        event::DeployState,
        fact::RepoFacts,
        id::{ItemId, Sha},
        insight::RowGroup,
        policy::Policy,
        rule::name_key,
    },
    evidence::shipped::first,
    insight::{
        Former, TermsRow, counts,
        due::AllDue,
        gate_rows,
        incident::Blame,
        overrides,
        standing::{environment_group, gate_group, recorded},
        touched::Touched,
    },
    phase,
};

/// Items of one step: decisions about the repository wait no longer than for these.
const ITEMS: usize = 200;
/// Deployments of one step.
const DEPLOYMENTS: usize = 200;
/// Incidents of one step.
const INCIDENTS: usize = 100;
/// Gate decisions of one step.
const GATES: usize = 500;

/// A place in the derivation of every row of a repository. It can be stored, and gone on from later:
/// what was derived before it is kept up to date by decisions meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// Items, those above a number.
    Items(ItemId),
    /// Deployments, those above an id.
    Deployments(u64),
    /// Incidents, those after an id.
    Incidents(String),
    /// Gates, those after a gate on a commit.
    Gates(Option<(GateName, Sha)>),
}

impl Default for Walk {
    fn default() -> Self {
        Self::Items(0)
    }
}

impl Walk {
    /// Derives the next rows; returns them with the place that comes after, if one does.
    pub fn step(self, facts: &RepoFacts, policy: &Policy, now: Timestamp) -> (Vec<RowGroup>, Option<Self>) {
        let eval = EvalContext::new(facts, policy, now);
        match self {
            Self::Items(after) => {
                let items: BTreeSet<ItemId> =
                    facts.items.range((Excluded(after), Unbounded)).take(ITEMS).map(|(number, _)| *number).collect();
                let next = items.last().map_or(Self::Deployments(0), |last| Self::Items(*last));
                (of_items(&eval, &items), Some(next))
            }
            Self::Deployments(after) => {
                let ids: Vec<u64> = facts
                    .deployments
                    .range((Excluded(after), Unbounded))
                    .take(DEPLOYMENTS)
                    .map(|(id, _)| *id)
                    .collect();
                let next = ids.last().map_or_else(|| Self::Incidents(String::new()), |last| Self::Deployments(*last));
                (of_deployments(&eval, &ids), Some(next))
            }
            Self::Incidents(after) => {
                let found = facts.incidents.range::<str, _>((Excluded(after.as_str()), Unbounded));
                let ids: Vec<&String> = found.take(INCIDENTS).map(|(id, _)| id).collect();
                let next = ids.last().map_or(Self::Gates(None), |last| Self::Incidents((*last).clone()));
                let blame = Blame::new(&eval);
                (ids.into_iter().filter_map(|id| blame.group(id, Timestamp::MIN)).collect(), Some(next))
            }
            Self::Gates(after) => {
                let from = after.map_or(Unbounded, Excluded);
                let gates: Vec<_> = facts.gates.range((from, Unbounded)).take(GATES).collect();
                let mut groups: Vec<RowGroup> = {
                    let counted = gates.iter().map(|(_, gate)| *gate).filter(|gate| counts(&eval, gate));
                    counted.map(gate_rows).collect()
                };
                groups.extend(gates.iter().map(|(key, _)| gate_group(facts, &key.0, &key.1)));
                let last = gates.last().map(|(key, _)| (*key).clone());
                if last.is_none() {
                    groups.extend(recorded(facts).into_iter().map(|name| environment_group(&eval, name)));
                    groups.extend(overrides::all(facts));
                    groups.push(TermsRow::new(&eval).group());
                }
                (groups, last.map(|last| Self::Gates(Some(last))))
            }
        }
    }
}

/// Derives the rows of items, without those of the deployments that brought them.
fn of_items(eval: &EvalContext<'_>, items: &BTreeSet<ItemId>) -> Vec<RowGroup> {
    let former = Former::default();
    let mut touched = Touched::new(eval, &former);
    for derived in phase::derive_all(eval.facts, items, eval.policy, eval.now) {
        touched.item(&derived);
    }
    touched.due = AllDue::default();
    touched.incidents.clear();
    touched.named = None;
    touched.rows()
}

/// Derives the rows of deployments, and those of the changes that they brought.
fn of_deployments(eval: &EvalContext<'_>, ids: &[u64]) -> Vec<RowGroup> {
    let former = Former::default();
    let mut touched = Touched::new(eval, &former);
    touched.deployments.extend(ids);
    for deployment in ids.iter().filter_map(|id| eval.facts.deployments.get(id)) {
        if let Some(at) = first(deployment, DeployState::Success) {
            touched.due.at(&name_key(&deployment.environment), at);
        }
    }
    touched.rows()
}
