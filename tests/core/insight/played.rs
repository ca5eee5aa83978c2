//! A history that is played, and its figures.

use jiff::{Timestamp, civil::date, tz::TimeZone};
use phasebot_core::{
    insight::{
        Figures, InsightRows, Query, Window, figures,
        row::{ChangeRow, DeploymentRow, UnitRow},
    },
    policy::built_in,
};

use crate::scenario::{forge::words::time, script::Script, stage::Stage};

/// What came of a history.
pub struct Played {
    pub rows: InsightRows,
    pub now: Timestamp,
}

/// Commits `c1` to `cN` on `main`, each merged by the pull request of the same number a minute after
/// it was opened; the first one at `00:01`.
pub fn merges(count: u64) -> String {
    let mut lines = vec!["00:00 push main c0".to_owned()];
    for n in 1..=count {
        let minute = 2 * n;
        lines.push(format!("{} pull {n} opened by ann head topic{n}", clock(minute - 1)));
        lines.push(format!("{} push main c{n}", clock(minute)));
        lines.push(format!("{} pull {n} merged by ann as c{n}", clock(minute)));
    }
    lines.join("\n") + "\n"
}

fn clock(minute: u64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Plays a history, each event with the decision on it.
pub fn play(text: &str) -> Played {
    let script = Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    stage.play(&script);
    stage.decide();
    Played { rows: stage.insight.rows(), now: stage.now }
}

/// The time of a scenario: `10:00`, or `2d10:00` two days later.
pub fn at(word: &str) -> Timestamp {
    time(word).unwrap()
}

impl Played {
    /// Figures of production over the first 30 days.
    pub fn figures(&self) -> Figures {
        figures(&self.rows, &self.query())
    }

    pub fn query(&self) -> Query {
        let window = Window::days(date(2026, 3, 2), date(2026, 4, 1), &TimeZone::UTC);
        Query::new(window, self.now)
    }

    pub fn of(&self, environment: &str) -> Figures {
        figures(&self.rows, &self.query().environment(environment))
    }

    /// A row of a deployment.
    pub fn deployment(&self, id: u64) -> &DeploymentRow {
        self.rows.deployments.iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no deployment {id}"))
    }

    /// Deployments that failed.
    pub fn failed(&self) -> Vec<u64> {
        let failed = self.rows.deployments.iter().filter(|row| !row.failures.is_empty());
        failed.map(|row| row.id).collect()
    }

    /// The row of a change in production, if it is live there.
    pub fn change(&self, name: &str) -> Option<&ChangeRow> {
        self.rows.changes.iter().find(|row| row.change == name && row.production)
    }

    /// Lead time of a change in minutes.
    pub fn lead(&self, name: &str) -> Option<i64> {
        self.change(name).map(|row| row.lead_time() / 60)
    }

    pub fn unit(&self, item: u64) -> &UnitRow {
        self.rows.units.iter().find(|row| row.item == item).unwrap_or_else(|| panic!("no unit {item}"))
    }
}

#[test]
fn the_built_in_policy_measures_from_code_to_operate() {
    let insight = built_in().insight;
    assert_eq!((insight.start.as_str(), insight.finish.as_str()), ("code", "operate"));
    assert_eq!(insight.rework_window.as_hours(), 72);
}

/// Pull requests with commits `cN` on `main`: each opened at one time, and merged and deployed to
/// production at another.
pub fn shipped(list: &[(u64, &str, &str)]) -> String {
    let mut lines: Vec<(Timestamp, String)> = vec![(at("00:00"), "00:00 push main c0".to_owned())];
    for (n, opened, live) in list {
        lines.push((at(opened), format!("{opened} pull {n} opened by ann head topic{n}")));
        for what in [
            format!("push main c{n}"),
            format!("pull {n} merged by ann as c{n}"),
            format!("deploy {n} production of c{n} success"),
        ] {
            lines.push((at(live), format!("{live} {what}")));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}
