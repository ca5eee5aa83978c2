//! `blockers`: no open issue carries the label, or is in the milestone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{
        id::ItemNumber,
        needs::{Answer, Need},
    },
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::quoted,
};

/// How old a list of labelled issues may be: events keep it up to date.
const LABEL_AGE: SignedDuration = SignedDuration::from_hours(6);
/// How old a list of a milestone's issues may be.
const MILESTONE_AGE: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, label: Option<&str>, milestone: Option<&str>) -> ConditionResult {
    let mut open: BTreeSet<ItemNumber> = BTreeSet::new();
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
        // One that was closed since, as events tell, does not block; others may have come.
        let asked = ctx.eval.facts.answers.get(&need).map(|known| known.at);
        open.extend(found.iter().filter(|number| is_open(ctx, **number, asked)));
        what.push(format!("the milestone {}", quoted(&title)));
    }
    if what.is_empty() {
        return ConditionResult::error("blockers_untold", "without a tag it is not told which milestone counts");
    }
    let what = what.join(" or ");
    let mut list = open.iter().take(5).map(|number| format!("#{number}")).collect::<Vec<_>>().join(", ");
    if open.len() > 5 {
        list = format!("{list} and {} more", open.len() - 5);
    }
    match open.len() {
        0 => ConditionResult::pass("blockers_none", format!("no open issue has {what}")),
        1 => ConditionResult::fail("blockers_open", format!("an open issue has {what}: {list}")),
        _ => ConditionResult::fail("blockers_open", format!("open issues have {what}: {list}")),
    }
}

/// `{tag}` stands for each tag.
fn titles(title: &str, tags: &[String]) -> Vec<String> {
    if title.contains("{tag}") {
        tags.iter().map(|tag| title.replace("{tag}", tag)).collect()
    } else {
        vec![title.to_owned()]
    }
}

/// Open issues with a label: those that the forge listed, and what events told since.
fn labelled(ctx: ConditionContext<'_, '_>, label: &str) -> Result<BTreeSet<ItemNumber>, Box<ConditionResult>> {
    let need = Need::OpenIssues { label: Some(label.to_owned()), milestone: None };
    let Some(Answer::OpenIssues(listed)) = ctx.answer(&need, LABEL_AGE) else {
        return Err(Box::new(ctx.missing(&need, "blockers", &format!("which open issues carry {}", quoted(label)))));
    };
    let asked = ctx.eval.facts.answers.get(&need).map(|known| known.at);
    let mut open = listed.clone();
    // Only what changed since the list was made can say otherwise.
    let changed = ctx.eval.facts.index.issue_changes.range((asked.unwrap_or(Timestamp::MIN), 0)..);
    let concerned: BTreeSet<ItemNumber> = changed.map(|(_, number)| *number).chain(listed.iter().copied()).collect();
    for item in concerned.iter().filter_map(|number| ctx.eval.facts.items.get(number)).filter(|item| !item.is_pull) {
        let seen = item.labels.as_ref().map(|labels| labels.at).max(item.open.as_ref().map(|open| open.at));
        // What was never told to be closed counts as open.
        let is_open = item.gone.is_none() && item.open.as_ref().is_none_or(|open| open.value);
        let carries =
            item.labels.as_ref().map(|labels| labels.names.iter().any(|name| name.eq_ignore_ascii_case(label)));
        match carries {
            // Seen open and labelled at any time, and nothing newer says otherwise.
            Some(true) if is_open => {
                if seen >= asked {
                    open.insert(item.number);
                }
            }
            // It changed since the list was made, and nobody told its labels: only a newer list can say.
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

/// Whether an issue of a milestone's list, made at `listed`, still blocks: unless
/// it is known to have been closed since, or is gone, it does.
fn is_open(ctx: ConditionContext<'_, '_>, number: ItemNumber, listed: Option<Timestamp>) -> bool {
    let item = ctx.eval.facts.items.get(&number);
    item.is_none_or(|item| {
        let closed = item.open.as_ref().is_some_and(|open| !open.value && Some(open.at) >= listed);
        item.gone.is_none() && !closed
    })
}
