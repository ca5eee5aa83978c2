//! Units of work: each cycle of an issue, and of a pull request that closes none.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        derived::{Derived, Transition},
        event::CloseReason,
        fact::{
            Newest,
            item::{ItemFacts, OverrideKind},
        },
        insight::{RowGroup, RowKind},
        policy::Policy,
        when::earlier,
    },
    evidence::overrides,
    insight::row::{Row as _, UnitRow, seconds},
    phase,
};

/// Returns the rows of an item: of its present cycle, and of the earlier ones if it was reopened.
pub(crate) fn unit_rows(eval: &EvalContext<'_>, derived: &Derived) -> RowGroup {
    let number = derived.item;
    let group = |from: String, rows: Vec<UnitRow>| RowGroup {
        kind: RowKind::Unit,
        owner: format!("#{number}"),
        from,
        rows: rows.iter().map(UnitRow::stored).collect(),
    };
    let Some(item) = eval.facts.items.get(&number).filter(|item| is_unit(eval, item)) else {
        return group(String::new(), Vec::new());
    };
    let present = present(eval, item, derived);
    let earlier = item.reopenings.range(..=eval.now).filter_map(|reopened| before(eval, item, *reopened));
    group(String::new(), earlier.chain(present).collect())
}

/// Returns whether an item is a unit of work: a pull request that closes issues belongs to theirs.
fn is_unit(eval: &EvalContext<'_>, item: &ItemFacts) -> bool {
    !item.notice && (!item.is_pull || eval.named_issues(item.number).is_empty())
}

/// Returns the row of the cycle that ended with a reopening.
fn before(eval: &EvalContext<'_>, item: &ItemFacts, reopened: Timestamp) -> Option<UnitRow> {
    let end = reopened.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(reopened);
    let closed = item.closings.range(..=end).next_back().map(|(at, _)| *at)?;
    // The item as it was then.
    let mut then = item.clone();
    then.reopenings.retain(|at| *at <= end);
    then.open = Some(Newest::new(closed, false));
    let eval = EvalContext::new(eval.facts, eval.policy, end);
    unit(&eval, &then, phase::derive::evidence_history(&eval, &then), None)
}

/// Returns the row of the present cycle; `None` if it is not counted.
fn present<'f>(eval: &EvalContext<'f>, item: &'f ItemFacts, derived: &Derived) -> Option<UnitRow> {
    if derived.ours {
        return unit(eval, item, derived.history.clone(), None);
    }
    let left = match derived.reason.code.as_str() {
        "gone" => item.gone,
        "opted_out" => overrides::mark(item, eval.policy, eval.now)
            .filter(|mark| mark.word == OverrideKind::OptOut)
            .map(|mark| mark.at),
        "contested" => None,
        _ => return None,
    };
    let mut history = phase::derive::evidence_history(eval, item);
    history.retain(|step| left.is_none_or(|left| step.at < left));
    unit(eval, item, history, left)
}

/// Returns the row of the cycle that the evaluation's time lies in.
fn unit<'f>(
    eval: &EvalContext<'f>,
    item: &'f ItemFacts,
    mut history: Vec<Transition>,
    mut left: Option<Timestamp>,
) -> Option<UnitRow> {
    let cycle = item.cycle_start(eval.now)?;
    let last = history.last().map(|step| (step.to.clone(), step.at));
    let (phase, since) = match (last, left) {
        (Some((phase, at)), None) => (phase, Some(at)),
        (_, left) => (None, left),
    };
    if let Some(last) = history.last().filter(|last| last.to.is_none()) {
        left = earlier(left, Some(last.at));
        history.pop();
    }
    let start = eval.policy.phase_index(&eval.policy.insight.start);
    let finish = eval.policy.phase_index(&eval.policy.insight.finish);
    let steps = steps(eval.policy, &history);
    let started = start.and_then(|start| arrival(&steps, start));
    let finished = finish.and_then(|finish| arrival(&steps, finish));
    if finished.is_none() && left.is_none() {
        left = closed_by_hand(eval, item);
    }
    let arrivals = (0..eval.policy.phases.len())
        .filter_map(|phase| Some((eval.policy.phases[phase].name.clone(), arrival(&steps, phase)?)));
    Some(UnitRow {
        item: item.number,
        is_pull: item.is_pull,
        cycle,
        phase,
        since,
        started,
        started_before_record: started.is_some_and(|at| item.before_record(at)),
        finished,
        left: left.filter(|_| finished.is_none()),
        arrivals: arrivals.collect(),
        spent: spent(&history, left),
        fell_back: fell_back(&history, &steps),
    })
}

/// The history as times with the phase's place in the policy; `None`: no phase.
type Steps = Vec<(Timestamp, Option<usize>)>;

fn steps(policy: &Policy, history: &[Transition]) -> Steps {
    let place = |step: &Transition| step.to.as_deref().and_then(|name| policy.phase_index(name));
    history.iter().map(|step| (step.at, place(step))).collect()
}

/// Returns the last move from before a phase to it or a later one, if nothing fell back before it
/// since.
fn arrival(steps: &Steps, phase: usize) -> Option<Timestamp> {
    let mut arrived = None;
    for (at, place) in steps {
        match place {
            Some(place) if *place >= phase => arrived = arrived.or(Some(*at)),
            _ => arrived = None,
        }
    }
    arrived
}

/// Returns the seconds in each phase, over all visits that have ended.
fn spent(history: &[Transition], left: Option<Timestamp>) -> Vec<(String, i64)> {
    let mut spent: Vec<(String, i64)> = Vec::new();
    let ends = history.iter().skip(1).map(|step| Some(step.at)).chain([left]);
    for (step, end) in history.iter().zip(ends) {
        let (Some(phase), Some(end)) = (&step.to, end) else { continue };
        let time = seconds(step.at, end);
        match spent.iter_mut().find(|(name, _)| name == phase) {
            Some((_, sum)) => *sum += time,
            None => spent.push((phase.clone(), time)),
        }
    }
    spent
}

fn fell_back(history: &[Transition], steps: &Steps) -> u32 {
    // The alert that a feedback issue comes from is no phase that it was in.
    let is_origin = |index: usize| history.get(index).is_some_and(|step| step.reason.code == "alert");
    let falls = steps.windows(2).enumerate().filter(|(index, pair)| pair[1].1 < pair[0].1 && !is_origin(*index));
    u32::try_from(falls.count()).unwrap_or(u32::MAX)
}

/// Returns when an issue was closed as completed by a person, rather than by a change that is still
/// on its way.
fn closed_by_hand<'f>(eval: &EvalContext<'f>, item: &'f ItemFacts) -> Option<Timestamp> {
    let (at, reason) = item.closed(eval.now).filter(|_| !item.is_pull)?;
    (reason == CloseReason::Completed && phase::derive::is_closed_by_hand(eval, item, at)).then_some(at)
}
