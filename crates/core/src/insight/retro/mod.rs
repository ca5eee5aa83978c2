//! The weekly retrospective: when it is due, what it is about, and its text.

mod actions;
mod summary;
mod words;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

pub use crate::insight::retro::{
    actions::{Action, Actions},
    summary::{Failed, Slow, Stuck, Summary},
    words::{Told, about, body, sections, title},
};
use crate::{
    domain::{
        effect::{Effect, RETRO_MARKER},
        fact::{DocumentKey, RepoFacts, repository_metadata::RetroFacts},
        insight::RetroRules,
        policy::{Mode, Policy},
    },
    insight::window::Window,
    plan::{EffectOutcome, PartialPlan, PlannedEffect},
};

/// Shortest and longest wait between a retrospective that is due and another look at it.
const AGAIN: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_hours(12));

/// A week of the ISO calendar, as a retrospective names it: `2026-W10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    /// Its Monday.
    monday: Date,
}

impl Week {
    /// Returns the week that a day lies in.
    #[must_use]
    pub fn of(day: Date) -> Self {
        let back = i64::from(day.weekday().to_monday_zero_offset());
        Self { monday: day.checked_sub(back.days()).unwrap_or(day) }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (year, week) = name.split_once("-W")?;
        let digits = |text: &str, length: usize| {
            (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then_some(())
        };
        digits(year, 4).and(digits(week, 2))?;
        let first = jiff::civil::ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, jiff::civil::Weekday::Monday);
        Some(Self { monday: first.ok()?.date() })
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> String {
        let week = self.monday.iso_week_date();
        format!("{:04}-W{:02}", week.year(), week.week())
    }

    /// Returns the week before.
    #[must_use]
    pub fn before(self) -> Self {
        Self { monday: self.monday.checked_sub(7.days()).unwrap_or(self.monday) }
    }

    /// Returns the week after.
    #[must_use]
    pub fn after(self) -> Self {
        Self { monday: self.monday.checked_add(7.days()).unwrap_or(self.monday) }
    }

    /// Returns its time in a zone, up to `now`.
    #[must_use]
    pub fn window(self, now: Timestamp, zone: &jiff::tz::TimeZone) -> Window {
        let end = self.after().monday;
        let today = now.to_zoned(zone.clone()).date();
        let mut window = Window::days(self.monday, end, zone);
        window.to = window.to.min(now).max(window.from);
        window.whole_until = end.min(today).max(self.monday);
        window
    }
}

/// Returns the last time at or before `now` at which a retrospective is due.
fn slot(rules: &RetroRules, now: Timestamp) -> Timestamp {
    let today = now.to_zoned(rules.zone.clone()).date();
    let back = (today.weekday().to_monday_zero_offset() - rules.day.to_monday_zero_offset()).rem_euclid(7);
    let day = today.checked_sub(i64::from(back).days()).unwrap_or(today);
    let at = |day: Date| rules.zone.to_zoned(day.to_datetime(rules.at)).map_or(Timestamp::MIN, |at| at.timestamp());
    if at(day) <= now { at(day) } else { at(day.checked_sub(7.days()).unwrap_or(day)) }
}

/// Returns the week that the retrospective of a time looks back on: until Wednesday the week before,
/// from Thursday on the present one.
fn week_of(rules: &RetroRules, slot: Timestamp) -> Week {
    let day = slot.to_zoned(rules.zone.clone()).date();
    Week::of(day.checked_sub(3.days()).unwrap_or(day))
}

/// Returns the week whose retrospective is due, if one is: the last one alone, if several are.
#[must_use]
pub fn due(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Option<Week> {
    let rules = policy.insight.retro.as_ref().filter(|_| policy.mode != Mode::Observe)?;
    let week = week_of(rules, slot(rules, now));
    let last = facts.about.retro.as_ref()?;
    (last.week < week.name()).then_some(week)
}

/// Notes since when a repository has retrospectives, so that the first one is the next, and forgets it
/// while it has none. Returns whether that is new.
pub(crate) fn note(facts: &mut RepoFacts, policy: &Policy, now: Timestamp) -> bool {
    let Some(rules) = policy.insight.retro.as_ref().filter(|_| policy.mode != Mode::Observe) else {
        return facts.about.retro.take().is_some();
    };
    if facts.about.retro.is_some() {
        return false;
    }
    let week = week_of(rules, slot(rules, now)).name();
    facts.about.retro = Some(RetroFacts { week, issue: None, former: None });
    true
}

/// Returns when to look again whether a retrospective is due. What hinders one that is due is waited for
/// with growing gaps.
pub(crate) fn wake_at(facts: &RepoFacts, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let rules = policy.insight.retro.as_ref().filter(|_| policy.mode != Mode::Observe)?;
    let slot = slot(rules, now);
    if due(facts, policy, now).is_some() {
        return now.checked_add((now.duration_since(slot) / 2).clamp(AGAIN.0, AGAIN.1)).ok();
    }
    // A civil week later: clocks may change in between.
    let next = slot.to_zoned(rules.zone.clone()).checked_add(7.days()).ok()?;
    Some(next.timestamp())
}

/// Plans the issue of a week's retrospective; notes that it was planned.
pub fn plan(facts: &mut RepoFacts, week: Week, title: String, body: String) -> (String, Effect) {
    let name = week.name();
    let former = facts.about.retro.as_ref().and_then(RetroFacts::last_issue);
    facts.about.retro = Some(RetroFacts { week: name.clone(), issue: None, former });
    let marker = format!("{RETRO_MARKER}{name}");
    (format!("retro/{name}"), Effect::OpenIssue { marker, title, body, labels: Vec::new(), gate: None })
}

/// Records the number of a retrospective's issue, and closes the one before.
pub(crate) fn ended(facts: &mut RepoFacts, effect: &Effect, outcome: EffectOutcome<'_>, out: &mut PartialPlan) {
    let Effect::OpenIssue { marker, .. } = effect else { return };
    let (Some(week), EffectOutcome::Done { issue: Some(number), .. }) = (marker.strip_prefix(RETRO_MARKER), outcome)
    else {
        return;
    };
    let Some(retro) = facts.about.retro.as_mut().filter(|retro| retro.week == week && retro.issue.is_none()) else {
        return;
    };
    retro.issue = Some(number);
    out.changed.insert(DocumentKey::About);
    if let Some(item) = retro.former.take().filter(|former| *former != number) {
        let effect = Effect::SetIssueState { item, open: false };
        out.effects.push(PlannedEffect { key: format!("retro/close/{item}"), replaces: false, effect });
    }
}

#[cfg(test)]
mod tests {
    use jiff::{
        civil::{Weekday, date, time},
        tz::TimeZone,
    };

    use super::*;

    #[test]
    fn a_week_has_one_retrospective_whatever_the_day() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at = |day: i8, hour: i8| date(2026, 3, day).at(hour, 0, 0, 0).to_zoned(berlin.clone()).unwrap().timestamp();
        let of = |day: Weekday, now: Timestamp| {
            let rules = RetroRules { day, at: time(9, 0, 0, 0), zone: berlin.clone() };
            week_of(&rules, slot(&rules, now)).name()
        };
        // Monday, 9 March; clocks change on the 29th.
        assert_eq!(
            (of(Weekday::Monday, at(9, 8)), of(Weekday::Monday, at(9, 9))),
            ("2026-W09".into(), "2026-W10".into())
        );
        assert_eq!(
            (of(Weekday::Wednesday, at(11, 9)), of(Weekday::Thursday, at(12, 9))),
            ("2026-W10".into(), "2026-W11".into())
        );
        assert_eq!(
            (of(Weekday::Sunday, at(15, 9)), of(Weekday::Monday, at(30, 9))),
            ("2026-W11".into(), "2026-W13".into())
        );
    }

    #[test]
    fn a_week_is_named_as_the_calendar_does() {
        for name in ["2026-W01", "2026-W53", "2027-W10"] {
            assert_eq!(Week::parse(name).map(Week::name).as_deref(), Some(name));
        }
        assert_eq!(Week::of(date(2027, 1, 3)).name(), "2026-W53");
        assert_eq!(Week::of(date(2027, 1, 3)).after().name(), "2027-W01");
        for wrong in ["", "2026", "2026-W00", "2026-W54", "2025-W53", "26-W01", "2026-W1", "2026-w01", "+026-W01"] {
            assert_eq!(Week::parse(wrong), None, "{wrong}");
        }
    }
}
