//! `/deployments` and `/changes` of a repository, and the items behind its flow: the rows that figures
//! are computed from, page by page.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    app::insight::csv::record,
    domain::insight::{InsightRow, RowKind},
    insight::row::{ChangeRow, DeploymentRow, FailureReason, LeadTimeParts, UnitRow},
    port::store::InsightPage,
    web::{
        Web,
        api::{
            answer::{self, Refused},
            figures::days,
            request::{Params, Repository},
        },
        failure::Failure,
    },
};

/// Rows of an answer if no number is named.
const ROWS: usize = 100;
/// Most rows of an answer.
const MOST: usize = 1_000;
/// Rows that are read at once while comma-separated values are sent.
const PAGE: usize = 5_000;

/// What a caller asks for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    since: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// The place of a row, as callers pass it back.
type Place = (Timestamp, String, String);

fn written(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(json!(place).to_string())
}

fn place(text: &str) -> Result<Place, Failure> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok();
    let found = decoded.and_then(|json| serde_json::from_slice(&json).ok());
    found.ok_or_else(|| Failure::Wanted("`after` is not the `next` of an earlier answer.".to_owned()))
}

fn place_of(row: &InsightRow) -> Place {
    (row.at, row.owner.clone(), row.part.clone())
}

fn since(web: &Web, wanted: &Wanted) -> Result<Timestamp, Failure> {
    let days = days(wanted.since.as_deref())?;
    let back = SignedDuration::from_hours(24 * i64::from(days));
    Ok(web.clock.now().checked_sub(back).unwrap_or(Timestamp::MIN))
}

/// A kind of row that callers read.
pub(super) trait Listed: DeserializeOwned + Send + 'static {
    const KIND: RowKind;
    /// Name of the list in an answer.
    const NAME: &'static str;
    /// Names of the columns.
    const COLUMNS: &'static [&'static str];
    /// Its form in JSON.
    type Shown: Serialize;

    /// Returns whether it belongs to a time that begins at `since`.
    fn is_since(&self, since: Timestamp) -> bool;
    fn shown(self) -> Self::Shown;
    fn cells(&self) -> Vec<String>;
}

fn parsed<T: Listed>(row: &InsightRow, since: Timestamp) -> Option<T> {
    serde_json::from_str(&row.body).ok().filter(|row: &T| row.is_since(since))
}

/// Lists rows.
pub(super) async fn list<T: Listed>(
    State(web): State<Arc<Web>>,
    Repository(row, edition): Repository,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Refused> {
    let since = since(&web, &wanted)?;
    let after = wanted.after.as_deref().map(place).transpose()?;
    let limit = wanted.limit.unwrap_or(ROWS).clamp(1, MOST);
    let _turn = web.turn().await?;
    let found = web.store.insight(&row.repo, &InsightPage { kind: T::KIND, since, after, limit }).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| written(&place_of(last)));
    let rows: Vec<T::Shown> = found.iter().filter_map(|row| parsed::<T>(row, since)).map(T::shown).collect();
    answer::json(&edition, &json!({ "repository": row.full_name, T::NAME: rows, "next": next }))
}

/// Sends all rows as comma-separated values, a page at a time, so that no number of them needs memory.
pub(super) async fn csv<T: Listed>(
    State(web): State<Arc<Web>>,
    Repository(row, _): Repository,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Refused> {
    let since = since(&web, &wanted)?;
    let first = wanted.after.as_deref().map(place).transpose()?;
    let head = record(T::COLUMNS);
    let begin = (web, row, Some(first), head);
    let pages = stream::try_unfold(begin, move |(web, row, next, mut text)| async move {
        let Some(after) = next else { return Ok(None) };
        let _turn = web.turn().await.map_err(|_| std::io::Error::other("too many answers are being made"))?;
        let page = InsightPage { kind: T::KIND, since, after, limit: PAGE };
        let found = match web.store.insight(&row.repo, &page).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "a list could not be sent to its end");
                return Err(std::io::Error::other("the store does not answer"));
            }
        };
        for one in found.iter().filter_map(|row| parsed::<T>(row, since)) {
            text.push_str(&record(&one.cells()));
        }
        let next = found.last().filter(|_| found.len() == PAGE).map(|last| Some(place_of(last)));
        Ok(Some((Bytes::from(text), (web, row, next, String::new()))))
    });
    Ok(answer::csv_stream(Body::from_stream(pages)))
}

fn some(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.to_string())
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn reason(reason: &FailureReason) -> String {
    match reason {
        FailureReason::RolledBack(by) => format!("rolled back by {by}"),
        FailureReason::Incident(id) => format!("incident {id}"),
        FailureReason::Reverted(by) => format!("reverted by {by}"),
        FailureReason::FailedLater => "failed later".to_owned(),
    }
}

impl Listed for DeploymentRow {
    const KIND: RowKind = RowKind::Deployment;
    const NAME: &'static str = "deployments";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "environment",
        "production",
        "services",
        "commit",
        "kind",
        "at",
        "brought",
        "failures",
        "hurt",
        "alerted",
        "restored",
        "rework",
    ];
    type Shown = Self;

    fn is_since(&self, since: Timestamp) -> bool {
        self.at >= since
    }

    fn shown(self) -> Self {
        self
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.environment.clone(),
            self.production.to_string(),
            self.services.iter().flatten().cloned().collect::<Vec<_>>().join(" "),
            self.commit.clone().unwrap_or_default(),
            word(&self.kind),
            self.at.to_string(),
            self.brought.to_string(),
            self.failures.iter().map(reason).collect::<Vec<_>>().join("; "),
            some(self.hurt),
            some(self.alerted),
            some(self.restored),
            self.rework.to_string(),
        ]
    }
}

/// A change with what follows from its times.
#[derive(Serialize)]
pub(super) struct Change {
    #[serde(flatten)]
    row: ChangeRow,
    /// Seconds from its start until it was live.
    lead_time: i64,
    parts: LeadTimeParts,
}

impl Listed for ChangeRow {
    const KIND: RowKind = RowKind::Change;
    const NAME: &'static str = "changes";
    const COLUMNS: &'static [&'static str] = &[
        "change",
        "environment",
        "production",
        "services",
        "commits",
        "start",
        "opened",
        "merged",
        "begun",
        "live",
        "deployment",
        "lead_time_s",
        "coding_s",
        "review_s",
        "waiting_s",
        "deploying_s",
        "automated",
        "lost",
    ];
    type Shown = Change;

    fn is_since(&self, since: Timestamp) -> bool {
        self.live >= since
    }

    fn shown(self) -> Change {
        Change { lead_time: self.lead_time(), parts: self.parts(), row: self }
    }

    fn cells(&self) -> Vec<String> {
        let parts = self.parts();
        vec![
            self.change.clone(),
            self.environment.clone(),
            self.production.to_string(),
            self.services.iter().flatten().cloned().collect::<Vec<_>>().join(" "),
            self.commits.to_string(),
            self.start.to_string(),
            some(self.opened),
            some(self.merged),
            self.begun.to_string(),
            self.live.to_string(),
            self.deployment.to_string(),
            self.lead_time().to_string(),
            parts.coding.to_string(),
            parts.review.to_string(),
            parts.waiting.to_string(),
            parts.deploying.to_string(),
            self.automated.to_string(),
            some(self.lost),
        ]
    }
}

impl Listed for UnitRow {
    const KIND: RowKind = RowKind::Unit;
    const NAME: &'static str = "items";
    const COLUMNS: &'static [&'static str] =
        &["item", "kind", "cycle", "phase", "since", "started", "finished", "left", "cycle_time_s", "fell_back"];
    type Shown = Self;

    fn is_since(&self, since: Timestamp) -> bool {
        self.ended().is_none_or(|at| at >= since)
    }

    fn shown(self) -> Self {
        self
    }

    fn cells(&self) -> Vec<String> {
        let times = self.started.filter(|_| !self.started_before_record).zip(self.finished);
        let cycle_time = times.map(|(started, finished)| finished.duration_since(started).as_secs().max(0));
        vec![
            self.item.to_string(),
            if self.is_pull { "pull request" } else { "issue" }.to_owned(),
            self.cycle.to_string(),
            self.phase.clone().unwrap_or_default(),
            some(self.since),
            some(self.started),
            some(self.finished),
            some(self.left),
            cycle_time.map_or_else(String::new, |time| time.to_string()),
            self.fell_back.to_string(),
        ]
    }
}
