//! Conditions that combine others, and waivers.

use crate::{
    domain::{
        decision::ConditionState,
        rule::{ConditionName, ConditionRule},
        turn::Turn,
        when,
    },
    gate::{
        ConditionContext, alerts, ancestry, approval, blockers, checks, condition_result::ConditionResult, database,
        deployed, external, freeze, hold, lock, reviews, tag, turns, waiver::Waiver, window,
    },
};

/// Evaluates a condition, with its waivers applied.
pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, rule: &ConditionRule, waivers: &[Waiver]) -> ConditionResult {
    match rule {
        ConditionRule::All(inner) => all(inner.iter().map(|rule| evaluate(ctx, rule, waivers)).collect()),
        ConditionRule::Any(inner) => any(inner.iter().map(|rule| evaluate(ctx, rule, waivers)).collect()),
        // A waiver inside `not` would have the opposite effect, so only the whole can be waived.
        ConditionRule::Not(inner) => waive(not(evaluate(ctx, inner, &[])), inner.condition(), waivers),
        leaf @ (ConditionRule::Checks { .. }
        | ConditionRule::Reviews { .. }
        | ConditionRule::Ancestry { .. }
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
        | ConditionRule::Hold) => waive(look(ctx, leaf).named(leaf.name()), leaf.condition(), waivers),
    }
}

fn look(ctx: ConditionContext<'_, '_>, rule: &ConditionRule) -> ConditionResult {
    match rule {
        ConditionRule::Checks { named, report_within } => checks::evaluate(ctx, named, *report_within),
        ConditionRule::Reviews { count } => reviews::evaluate(ctx, *count),
        ConditionRule::Ancestry { of, any } => ancestry::evaluate(ctx, of, *any),
        ConditionRule::Tag { increasing, signed } => tag::evaluate(ctx, *increasing, *signed),
        ConditionRule::Blockers { label, milestone } => blockers::evaluate(ctx, label.as_deref(), milestone.as_deref()),
        ConditionRule::Approval { count, teams, mention } => approval::evaluate(ctx, *count, teams, *mention),
        ConditionRule::Hold => hold::evaluate(ctx),
        ConditionRule::Alerts { environment } => alerts::evaluate(ctx, environment.as_deref()),
        ConditionRule::Deployed { environment, soak } => deployed::evaluate(ctx, environment, *soak),
        ConditionRule::External(rule) => external::evaluate(ctx, rule),
        ConditionRule::Database { environment, want } => database::evaluate(ctx, environment.as_deref(), *want),
        ConditionRule::Window(window) => window::evaluate(ctx, window),
        ConditionRule::Lock => lock::evaluate(ctx),
        ConditionRule::Freeze => freeze::evaluate(ctx),
        // Combining conditions are evaluated above.
        ConditionRule::All(_) | ConditionRule::Any(_) | ConditionRule::Not(_) => {
            ConditionResult::error("condition_unknown", "it can't be evaluated", turns::edits_policy("change it"))
        }
    }
}

fn waive(mut finding: ConditionResult, condition: Option<ConditionName>, waivers: &[Waiver]) -> ConditionResult {
    if finding.condition.standing.is_open() {
        return finding;
    }
    let Some(waiver) = waivers.iter().find(|waiver| Some(waiver.condition) == condition) else { return finding };
    if !waiver.counts {
        finding.condition.sentence = format!("{}; {}", finding.condition.sentence, waiver.words);
        finding.condition.turn = waiver.turn.clone().unwrap_or(finding.condition.turn);
        finding.needs_person = true;
        finding.condition.next_at = when::earlier(finding.condition.next_at, waiver.until);
        return finding;
    }
    finding.condition.standing = ConditionState::Waived;
    finding.condition.turn = Turn::Untold;
    finding.condition.sentence = format!("{}; without the waiver: {}", waiver.words, finding.condition.sentence);
    finding.condition.waiver = Some(waiver.words.clone());
    finding.condition.next_at = when::earlier(finding.condition.next_at, waiver.until);
    finding.holds = Some(true);
    finding.needs_person = false;
    finding
}

fn all(parts: Vec<ConditionResult>) -> ConditionResult {
    let standing = parts.iter().map(|part| part.condition.standing).min().unwrap_or(ConditionState::Fail);
    let open = parts.iter().filter(|part| part.condition.standing.is_open()).count();
    let sentence = format!("{open} of {} conditions hold", parts.len());
    let holds = if parts.iter().any(|part| part.holds == Some(false)) {
        Some(false)
    } else {
        parts.iter().all(|part| part.holds == Some(true)).then_some(true)
    };
    group("all", standing, holds, sentence, parts)
}

fn any(parts: Vec<ConditionResult>) -> ConditionResult {
    let standing = parts.iter().map(|part| part.condition.standing).max().unwrap_or(ConditionState::Fail);
    let open = parts.iter().filter(|part| part.condition.standing.is_open()).count();
    let sentence = format!("{open} of {} conditions hold; one is enough", parts.len());
    let holds = if parts.iter().any(|part| part.holds == Some(true)) {
        Some(true)
    } else {
        parts.iter().all(|part| part.holds == Some(false)).then_some(false)
    };
    group("any", standing, holds, sentence, parts)
}

fn not(part: ConditionResult) -> ConditionResult {
    let (standing, sentence) = match part.holds {
        Some(true) if part.condition.next_at.is_some() => (ConditionState::Pending, "a condition holds that must not"),
        Some(true) => (ConditionState::Fail, "a condition holds that must not"),
        Some(false) => (ConditionState::Pass, "the condition does not hold, as required"),
        None => (part.condition.standing.min(ConditionState::Pending), "it is not known whether the condition holds"),
    };
    let holds = part.holds.map(|holds| !holds);
    group("not", standing, holds, sentence.to_owned(), vec![part])
}

fn group(
    name: &str,
    standing: ConditionState,
    holds: Option<bool>,
    sentence: String,
    parts: Vec<ConditionResult>,
) -> ConditionResult {
    let needs_person = !standing.is_open() && parts.iter().any(|part| part.needs_person);
    let code = format!("{name}_{}", if standing.is_open() { "open" } else { "closed" });
    let turn = match (name, parts.as_slice()) {
        ("not", [part]) => turns::of_not(&part.condition, standing),
        _ if standing.is_open() => Turn::Untold,
        ("any", parts) => turns::of_any(parts.iter().map(|part| &part.condition)),
        (_, parts) => turns::of_all(parts.iter().map(|part| &part.condition)),
    };
    let mut finding = ConditionResult::error(&code, sentence, turn).named(name);
    finding.condition.standing = standing;
    finding.condition.next_at = parts.iter().map(|part| part.condition.next_at).fold(None, when::earlier);
    finding.condition.parts = parts.into_iter().map(|part| part.condition).collect();
    finding.holds = holds;
    finding.needs_person = needs_person;
    finding
}
