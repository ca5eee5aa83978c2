//! The text of a retrospective's issue. Everything from outside is neutralised, and every list is
//! bounded.

use std::fmt::Write as _;

use jiff::SignedDuration;

use crate::{
    domain::id::ItemId,
    insight::{
        retro::{Action, Actions, Failed, Slow, Summary, Week},
        row::FailureReason,
    },
    text::{message::duration, sanitize},
};

/// Longest title of an item, in characters.
const LONGEST_TITLE: usize = 80;
/// Longest sentence about what an item waits for, in characters.
const LONGEST_NEXT: usize = 160;

/// What is told of an item beside its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its title, as people wrote it.
    pub title: Option<String>,
    /// What it waits for: Markdown of ours.
    pub next: Option<String>,
}

/// Returns the title of a week's issue.
#[must_use]
pub fn title(week: Week) -> String {
    format!("Retrospective {}", week.name())
}

/// Returns the text of a week's issue. `item` tells of an item.
#[must_use]
pub fn body(summary: &Summary, actions: &Actions, before: Option<ItemId>, item: &dyn Fn(ItemId) -> Told) -> String {
    let mut text = about(summary);
    text.push('\n');
    // Writing to a String cannot fail.
    for (name, lines) in sections(summary, item) {
        let _ = write!(text, "\n## {name}\n\n");
        for line in lines {
            let _ = writeln!(text, "- {line}");
        }
    }
    let _ = write!(text, "\n## Actions\n\n");
    if let Some(before) = before {
        let _ = write!(text, "Open actions come from #{before}. ");
    }
    text.push_str("Write what you decide to change as tasks below. What is not ticked comes back next week.\n\n");
    for Action { text: words, weeks } in &actions.open {
        let _ = writeln!(text, "- [ ] {} (week {weeks})", sanitize::inline(words, 200));
    }
    if !actions.done.is_empty() {
        text.push_str("\nDone since the last retrospective:\n\n");
        for action in &actions.done {
            let _ = writeln!(text, "- {}", sanitize::inline(&action.text, 200));
        }
    }
    if actions.more > 0 {
        let _ = writeln!(text, "\n{} more are not repeated here.", actions.more);
    }
    text
}

/// Returns what is told of a week, in sentences of Markdown below their headings.
#[must_use]
pub fn sections(summary: &Summary, item: &dyn Fn(ItemId) -> Told) -> Vec<(&'static str, Vec<String>)> {
    let all = [
        ("What moved", moved(summary)),
        ("What is stuck", stuck(summary, item)),
        ("What waited", waited(summary)),
        ("What failed", failed(summary)),
        ("What comes next", ahead(summary)),
    ];
    all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
}

/// Returns what a week's summary is about, in a sentence.
#[must_use]
pub fn about(summary: &Summary) -> String {
    let basis = &summary.week.basis;
    let zone = jiff::tz::TimeZone::get(&basis.tz).unwrap_or(jiff::tz::TimeZone::UTC);
    let day = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%-d %b %Y").to_string();
    let last = basis.to.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(basis.to);
    let mut text = format!("{} to {} ({}), production.", day(basis.from), day(last), basis.tz);
    if let Some(since) = basis.recorded_since.filter(|since| *since > basis.from) {
        let _ = write!(text, " The record begins on {}.", day(since));
    }
    text
}

/// Returns a length of time in its two largest units.
fn time(seconds: i64) -> String {
    let least = match seconds {
        s if s >= 86_400 => 3_600,
        s if s >= 3_600 => 60,
        _ => 1,
    };
    duration(SignedDuration::from_secs(seconds / least * least))
}

/// Returns a number of things: `no items`, `1 item`, `2 items`.
fn some(count: usize, one: &str) -> String {
    match count {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// Returns a number a week, with one decimal place where it is not whole.
fn weekly(count: usize) -> String {
    let tenths = (count * 10 + 2) / 4;
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

fn moved(summary: &Summary) -> Vec<String> {
    let (week, before) = (&summary.week, &summary.before);
    let usual = |count: usize| match before.basis.whole_days {
        28 => format!(" (the four weeks before: {} a week)", weekly(count)),
        _ => String::new(),
    };
    let mut lines = vec![format!(
        "Finished: **{}**{}. Started: {}. In progress: {}.",
        some(week.flow.finished, "item"),
        usual(before.flow.finished),
        week.flow.started,
        week.flow.in_progress
    )];
    let frequency = &week.deployment_frequency;
    lines.push(format!(
        "Deployed: **{}**{}.",
        some(frequency.count, "new version"),
        usual(before.deployment_frequency.count)
    ));
    if let Some(lead) = &week.lead_time.all {
        let then = before.lead_time.all.as_ref().map(|lead| format!(" (the four weeks before: {})", time(lead.p50)));
        let half = if lead.n == 1 { "after" } else { "half of them within" };
        let then = then.unwrap_or_default();
        lines.push(format!("Live: {}, {half} **{}**{then}.", some(lead.n, "change"), time(lead.p50)));
    }
    let slow = summary.slowest.iter().filter(|_| summary.slowest.len() > 1).take(3).map(|slow: &Slow| {
        let part = match slow.part {
            "coding" => "of that before its pull request was opened",
            "review" => "of that in review",
            "waiting" => "of that waiting for a deployment",
            _ => "of that being deployed",
        };
        format!(
            "Among the slowest: {} took {}, {} {part}.",
            change(&slow.change),
            time(slow.lead_time),
            time(slow.part_time)
        )
    });
    lines.extend(slow);
    lines
}

/// Returns a change as the forge links it.
fn change(name: &str) -> String {
    if name.starts_with('#') { name.to_owned() } else { name.chars().take(40).collect() }
}

fn stuck(summary: &Summary, item: &dyn Fn(ItemId) -> Told) -> Vec<String> {
    let mut lines: Vec<String> = summary
        .stuck
        .iter()
        .map(|stuck| {
            let Told { title, next } = item(stuck.item);
            let title = title.map(|title| format!(" {}", sanitize::inline(&title, LONGEST_TITLE))).unwrap_or_default();
            let phase = stuck.phase.as_ref().map_or_else(String::new, |phase| format!(" in `{phase}`"));
            let still = stuck.since.map(|since| summary.week.basis.to.duration_since(since));
            let still =
                still.map_or_else(String::new, |still| format!(", without a move for {}", time(still.as_secs())));
            // Cut, it would be Markdown no more.
            let next = next.filter(|next| next.chars().count() <= LONGEST_NEXT);
            let next = next.map_or_else(String::new, |next| format!(" Next: {next}."));
            format!("#{}{title}: {} old,{phase}{still}.{next}", stuck.item, time(stuck.age)).replace(",,", ",")
        })
        .collect();
    if summary.more_stuck > 0 {
        lines.push(format!("{} more are as old and did not move for a week.", summary.more_stuck));
    }
    lines
}

fn waited(summary: &Summary) -> Vec<String> {
    let line = |wait: &crate::insight::figures::gates::GateWaits| {
        let commits = wait.each.as_ref().map_or(0, |each| each.n);
        let now = if wait.blocking > 0 { format!(" It still blocks {}.", wait.blocking) } else { String::new() };
        format!(
            "`{}` of `{}` blocked {} for {} in all.{now}",
            wait.condition,
            wait.gate,
            some(commits, "commit"),
            time(wait.total)
        )
    };
    let overridden = summary.overrides.iter().take(3).map(|(condition, gate, commits)| {
        format!("`{condition}` of `{gate}` was overridden for {}.", some(*commits, "commit"))
    });
    summary.waits.iter().take(3).map(line).chain(overridden).collect()
}

fn failed(summary: &Summary) -> Vec<String> {
    let line = |failed: &Failed| {
        let why = failed.reasons.iter().map(|reason| match reason {
            FailureReason::RolledBack(_) => "it was rolled back",
            FailureReason::Incident(_) => "it caused an incident",
            FailureReason::Reverted(_) => "what it brought was reverted",
            FailureReason::FailedLater => "it was reported as failed after its success",
        });
        let mut why: Vec<&str> = why.collect();
        why.dedup();
        let end = failed.recovery.map_or_else(
            || "Service is not restored yet.".to_owned(),
            |recovery| format!("Service was restored after {}.", time(recovery)),
        );
        format!("Deployment {} to `{}`: {}. {end}", failed.deployment, failed.environment, why.join(", "))
    };
    let mut lines: Vec<String> = summary.failed.iter().map(line).collect();
    let incidents = summary.week.incidents.count;
    if incidents > 0 || summary.loops_closed > 0 {
        let closed = match summary.loops_closed {
            0 => String::new(),
            count => format!(" For {} a fix runs in production and the alert stayed quiet.", some(count, "incident")),
        };
        let began = if incidents == 0 { "No incident".to_owned() } else { some(incidents, "incident") };
        lines.push(format!("{began} began.{closed}"));
    }
    lines
}

fn ahead(summary: &Summary) -> Vec<String> {
    let Some(forecast) = &summary.week.flow.forecast else { return Vec::new() };
    let likely = forecast.units.iter().find(|one| one.percent == 85);
    let done = forecast.days.iter().find(|one| one.percent == 85);
    let days = forecast.days_ahead;
    likely
        .map(|one| {
            format!(
                "If things go on as they did, at least **{}** items are finished in {days} days (85 % likely).",
                one.units
            )
        })
        .into_iter()
        .chain(done.map(|one| {
            format!(
                "As many as are in progress now ({}) are finished within {} days (85 % likely).",
                forecast.in_progress, one.days
            )
        }))
        .collect()
}
