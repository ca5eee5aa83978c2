//! The five delivery metrics, and incidents.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::insight::{
    figures::{Rollout, Selection, Weight},
    row::{ChangeRow, LeadTimeParts, seconds},
    rows::InsightRows,
    statistic::{Share, Spread},
    window::Window,
};

/// Change lead time. A change is a pull request that was merged into a branch that counts, or a
/// commit that landed there without one; pull requests that only move commits from one such branch
/// to another are none. It begins with its first commit, the first sight of a head of it, or its
/// opening, whichever was first, and ends when production first ran it: as it was merged, or as a
/// cherry-pick. It counts on the day on which it went live, so that a change can be older than the
/// window. A change that no deployment is known to contain has none.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LeadTime {
    /// All values; absent if there are none.
    pub all: Option<Spread>,
    /// From its start until its pull request was opened.
    pub coding: Option<Spread>,
    /// From its opening until it was merged.
    pub review: Option<Spread>,
    /// From its merge until its deployment began.
    pub waiting: Option<Spread>,
    /// From the beginning of its deployment until it was live.
    pub deploying: Option<Spread>,
    /// Changes of which the time of the first commit is not known: theirs starts later.
    pub without_first_commit: usize,
    /// Changes that went live before they were merged.
    pub before_merge: usize,
    /// Changes by bots, which are not among the values.
    pub automated: usize,
    /// Changes that stopped running in the window: rolled back, reverted, or lost by a later
    /// deployment. When they return, they have no second lead time.
    pub lost: Vec<String>,
}

impl LeadTime {
    pub(crate) fn of(selection: &Selection<'_>, weight: Weight) -> Self {
        let spread = |value: &dyn Fn(&ChangeRow) -> i64| {
            let values = selection.changes.iter().map(|change| match weight {
                Weight::Change => (value(change), 1),
                Weight::Commit => (value(change), change.commits as usize),
            });
            Spread::weighted(values)
        };
        let part = |pick: &dyn Fn(LeadTimeParts) -> i64| spread(&|change| pick(change.parts()));
        let mut lost: Vec<String> = selection.lost.iter().map(|change| change.change.clone()).collect();
        lost.sort();
        lost.dedup();
        Self {
            all: spread(&ChangeRow::lead_time),
            coding: part(&|parts| parts.coding),
            review: part(&|parts| parts.review),
            waiting: part(&|parts| parts.waiting),
            deploying: part(&|parts| parts.deploying),
            without_first_commit: selection.changes.iter().filter(|change| !change.has_first_commit).count(),
            before_merge: selection.changes.iter().filter(|change| change.before_merge).count(),
            automated: selection.automated.len(),
            lost,
        }
    }
}

/// Deployment frequency. A forward deployment brings a commit to production that did not run there
/// and that is no older one, at the time of its first success. Its commit may have been rolled back
/// before. One commit that several environments get within 24 hours is one deployment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DeploymentFrequency {
    /// Forward deployments in the window.
    pub count: usize,
    /// Forward deployments for each whole day, days without one included; absent if the window has
    /// no whole day.
    pub per_day: Option<f64>,
    /// Days with at least one.
    pub days_with: usize,
    /// Median time from one to the next, in seconds; absent with fewer than two.
    pub median_gap: Option<i64>,
    /// Deployments of the commit that ran already.
    pub redeploys: usize,
    /// Deployments of a commit that what ran contained, or that a person asked for as a rollback.
    pub rollbacks: usize,
    /// Deployments that never succeeded.
    pub attempts: usize,
    /// Deployments whose commit is not known yet.
    pub unknown: usize,
}

impl DeploymentFrequency {
    pub(crate) fn of(selection: &Selection<'_>, window: &Window, whole_days: u32) -> Self {
        let times: Vec<Timestamp> = selection.forward.iter().map(|rollout| rollout.first.at).collect();
        let mut days: Vec<_> = times.iter().map(|at| window.day_of(*at)).collect();
        days.dedup();
        let whole = times.iter().filter(|at| **at < window.whole_to()).count();
        let gaps = times.windows(2).map(|pair| seconds(pair[0], pair[1]));
        Self {
            count: times.len(),
            per_day: per_day(whole, whole_days),
            days_with: days.len(),
            median_gap: Spread::of(gaps).map(|gaps| gaps.p50),
            redeploys: selection.redeploys.len(),
            rollbacks: selection.rollbacks.len(),
            attempts: selection.attempts.len(),
            unknown: selection.unknown.len(),
        }
    }
}

/// Returns a number for each day; `None` without a day.
pub(crate) fn per_day(count: usize, days: u32) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "it is a number of events")]
    (days > 0).then(|| count as f64 / f64::from(days))
}

/// Change fail rate. A forward deployment failed if a rollback took it out, if it caused an
/// incident, if a revert of something that it brought went live within the rework window, or if it
/// was reported as failed after its success. A rollback takes out the first forward deployment after
/// what it returned to, unless `/cause` names another. An incident is blamed on what `/cause` names,
/// else on the only suspect; `/cause none` clears it. Several reasons are one failure. It counts on
/// the day of the deployment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ChangeFailRate {
    /// Failed forward deployments among all of them.
    pub share: Share,
    /// As a percentage; absent without a deployment.
    pub percent: Option<f64>,
    /// Deployments that are younger than the rework window: they may still turn out to have failed.
    pub provisional: usize,
}

impl ChangeFailRate {
    pub(crate) fn of(selection: &Selection<'_>, rows: &InsightRows, now: Timestamp) -> Self {
        let failed = selection.forward.iter().filter(|rollout| rollout.failed().is_some()).count();
        let share = Share { part: failed, n: selection.forward.len() };
        let window = rows.terms.as_ref().map_or(0, |terms| terms.rework_window);
        let young = selection.forward.iter().filter(|rollout| seconds(rollout.first.at, now) < window);
        Self { share, percent: share.percent(), provisional: young.count() }
    }
}

/// Failed deployment recovery time: for each failed deployment, from the time since which users were
/// hurt until service was restored. Users are hurt from its success on, or from the beginning of its
/// incident if that was earlier while it was under way. Service is restored at the end of its last
/// incident, by the clock of the incident's source; without an incident, when the rollback or fix
/// succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RecoveryTime {
    /// All values; absent if there are none.
    pub all: Option<Spread>,
    /// From its success until the incident began, where there was one.
    pub detection: Option<Spread>,
    /// From the beginning of the incident until service was restored.
    pub repair: Option<Spread>,
    /// Failures that are not over, by the time since when users are hurt. They are not among the
    /// values.
    #[schemars(with = "Vec<String>")]
    pub open_since: Vec<Timestamp>,
}

impl RecoveryTime {
    pub(crate) fn of(selection: &Selection<'_>) -> Self {
        let failed: Vec<_> = selection.forward.iter().filter_map(Rollout::failed).collect();
        let over = || failed.iter().filter_map(|row| Some((*row, row.hurt?, row.restored?)));
        let open = failed.iter().filter(|row| row.restored.is_none()).filter_map(|row| row.hurt);
        Self {
            all: Spread::of(over().map(|(_, hurt, restored)| seconds(hurt, restored))),
            detection: Spread::of(over().filter_map(|(row, ..)| Some(seconds(row.at, row.alerted?)))),
            repair: Spread::of(over().filter_map(|(row, _, restored)| Some(seconds(row.alerted?, restored)))),
            open_since: open.collect(),
        }
    }
}

/// Deployment rework rate: rollbacks, and forward deployments that only repaired, among all
/// rollbacks and forward deployments. A forward deployment only repaired if each change that it
/// brought is a revert, closes a feedback issue or has a label of `insight.rework`, or if it restored
/// a failed deployment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReworkRate {
    /// Rework among all of them.
    pub share: Share,
    /// As a percentage; absent without a deployment.
    pub percent: Option<f64>,
}

impl ReworkRate {
    pub(crate) fn of(selection: &Selection<'_>) -> Self {
        let rollbacks = selection.rollbacks.len();
        let repairs = selection.forward.iter().filter(|rollout| rollout.is_rework()).count();
        let share = Share { part: repairs + rollbacks, n: selection.forward.len() + rollbacks };
        Self { share, percent: share.percent() }
    }
}

/// Incidents that began in the window, whatever caused them. If one fires again within the policy's
/// `reopen_window`, it is the same.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct IncidentFigures {
    /// Number of incidents.
    pub count: usize,
    /// Those that no deployment is blamed for.
    pub without_deployment: usize,
    /// Those that still fire.
    pub open: usize,
    /// Those whose loop closed: a linked change runs where it fired, and it stayed quiet.
    pub loops_closed: usize,
}

impl IncidentFigures {
    pub(crate) fn of(selection: &Selection<'_>) -> Self {
        let count = |counts: &dyn Fn(&crate::insight::row::IncidentRow) -> bool| {
            selection.incidents.iter().filter(|row| counts(row)).count()
        };
        Self {
            count: selection.incidents.len(),
            without_deployment: count(&|row| row.deployment.is_none()),
            open: count(&|row| row.ended.is_none()),
            loops_closed: count(&|row| row.loop_closed.is_some()),
        }
    }
}
