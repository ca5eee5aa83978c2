//! `blockers`: no open issue has the label or is in the milestone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::rights::WRITERS,
    domain::{
        id::ItemId,
        needs::{Answer, Need},
        turn::Turn,
    },
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::quoted,
};

/// Greatest age of a list of labelled issues: events keep it up to date.
const LABEL_AGE: SignedDuration = SignedDuration::from_hours(6);
/// Greatest age of a list of a milestone's issues.
const MILESTONE_AGE: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, label: Option<&str>, milestone: Option<&str>) -> ConditionResult {
    let mut open: BTreeSet<ItemId> = BTreeSet::new();
    let mut what: Vec<String> = Vec::new();
    if let Some(label) = label {
        match labelled(ctx, label) {
            Ok(found) => open.extend(found),
            Err(finding) => return *finding,
        }
        what.push(format!("the label {}", quoted(label)));
    }
    for title in milestone.into_iter().flat_map(|title| titles(title, &ctx.subject.tags)) {
        let need = Need::OpenIssues { label: None, milestone: Some(title.clone()) };
        let Some(Answer::OpenIssues(found)) = ctx.answer(&need, MILESTONE_AGE) else {
            return ctx.missing(&need, "blockers", &format!("which issues of {} are open", quoted(&title)));
        };
        // An issue that events show closed since then does not block; others may have been added.
        let asked = ctx.eval.facts.answers.get(&need).map(|known| known.at);
        open.extend(found.iter().filter(|number| is_open(ctx, **number, asked)));
        what.push(format!("the milestone {}", quoted(&title)));
    }
    if what.is_empty() {
        let turn = Turn::people(WRITERS, format!("push a version tag that names {}", ctx.subject.sha.code()));
        return ConditionResult::error("blockers_no_tag", "without a tag it is not known which milestone counts", turn);
    }
    let what = what.join(" or ");
    let mut list = open.iter().take(5).map(|number| format!("#{number}")).collect::<Vec<_>>().join(", ");
    if open.len() > 5 {
        list = format!("{list} and {} more", open.len() - 5);
    }
    let turn = Turn::people("someone with triage access", format!("close {list}, or take {what} off"));
    match open.len() {
        0 => ConditionResult::pass("blockers_none", format!("no open issue has {what}")),
        1 => ConditionResult::fail("blockers_open", format!("an open issue has {what}: {list}"), turn),
        _ => ConditionResult::fail("blockers_open", format!("open issues have {what}: {list}"), turn),
    }
}

/// Returns the milestone titles, with `{tag}` replaced by each tag.
fn titles(title: &str, tags: &[String]) -> Vec<String> {
    if title.contains("{tag}") {
        tags.iter().map(|tag| title.replace("{tag}", tag)).collect()
    } else {
        vec![title.to_owned()]
    }
}

/// Returns the open issues with a label: those that the forge listed, updated with later events.
fn labelled(ctx: ConditionContext<'_, '_>, label: &str) -> Result<BTreeSet<ItemId>, Box<ConditionResult>> {
    let need = Need::OpenIssues { label: Some(label.to_owned()), milestone: None };
    let Some(Answer::OpenIssues(listed)) = ctx.answer(&need, LABEL_AGE) else {
        return Err(Box::new(ctx.missing(&need, "blockers", &format!("which open issues carry {}", quoted(label)))));
    };
    let asked = ctx.eval.facts.answers.get(&need).map(|known| known.at);
    let mut open = listed.clone();
    // Only a change after the list was made can contradict it.
    let changed = ctx.eval.facts.index.issue_changes.range((asked.unwrap_or(Timestamp::MIN), 0)..);
    let concerned: BTreeSet<ItemId> = changed.map(|(_, number)| *number).chain(listed.iter().copied()).collect();
    for item in concerned.iter().filter_map(|number| ctx.eval.facts.items.get(number)).filter(|item| !item.is_pull) {
        let seen = item.labels.as_ref().map(|labels| labels.at).max(item.open.as_ref().map(|open| open.at));
        // An issue counts as open until an event closes it.
        let is_open = item.gone.is_none() && item.open.as_ref().is_none_or(|open| open.value);
        let carries =
            item.labels.as_ref().map(|labels| labels.names.iter().any(|name| name.eq_ignore_ascii_case(label)));
        match carries {
            // Seen open and labelled, and nothing newer contradicts it.
            Some(true) if is_open => {
                if seen >= asked {
                    open.insert(item.number);
                }
            }
            // It changed after the list was made and its labels are unknown: only a newer list can
            // say.
            None if is_open => {
                if seen > asked && !open.contains(&item.number) {
                    ctx.eval.want(need.clone());
                    let what = format!("whether #{} carries {}", item.number, quoted(label));
                    return Err(Box::new(ctx.missing(&need, "blockers", &what)));
                }
            }
            Some(_) | None => {
                if item.gone.is_some() || seen >= asked {
                    open.remove(&item.number);
                }
            }
        }
    }
    Ok(open)
}

/// Returns whether an issue from a milestone's list, made at `listed`, still blocks: it does unless
/// it is known to be closed since then or gone.
fn is_open(ctx: ConditionContext<'_, '_>, number: ItemId, listed: Option<Timestamp>) -> bool {
    let item = ctx.eval.facts.items.get(&number);
    item.is_none_or(|item| {
        let closed = item.open.as_ref().is_some_and(|open| !open.value && Some(open.at) >= listed);
        item.gone.is_none() && !closed
    })
}
