//! `/metrics` and `/flow` of a repository: the figures of `phasebot report`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::insight::{
        csv,
        report::{Asked, Report},
    },
    domain::insight::RowKind,
    insight::{
        Step,
        figures::{Basis, flow::Flow},
    },
    port::store::{InsightPage, RepositoryRow},
    web::{
        Web,
        api::{
            answer::{self, Refused},
            request::{Params, Repository},
        },
        failure::Failure,
    },
};

/// Days that are looked back if none are named.
const DAYS: u16 = 90;
/// Most days.
const MOST_DAYS: u16 = 3_660;

/// Most days with figures of their own.
const MOST_DAY_PARTS: u16 = 366;

/// What a caller asks for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    since: Option<String>,
    by: Option<String>,
    service: Option<String>,
    environment: Option<String>,
}

impl Wanted {
    fn asked(self) -> Result<Asked, Failure> {
        let step = match self.by.as_deref() {
            None => None,
            Some("day") => Some(Step::Day),
            Some("week") => Some(Step::Week),
            Some("month") => Some(Step::Month),
            Some(_) => return Err(Failure::Wanted("`by` is `day`, `week` or `month`.".to_owned())),
        };
        let days = days(self.since.as_deref())?;
        if step == Some(Step::Day) && days > MOST_DAY_PARTS {
            return Err(Failure::Wanted(format!("By day, `since` is at most `{MOST_DAY_PARTS}d`.")));
        }
        Ok(Asked { days, step, service: self.service, environment: self.environment })
    }
}

/// Reads a number of days, such as `90d`.
pub(super) fn days(text: Option<&str>) -> Result<u16, Failure> {
    let Some(text) = text else { return Ok(DAYS) };
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let wrong = || Failure::Wanted(format!("`since` is a number of days from `1d` to `{MOST_DAYS}d`."));
    days.filter(|days| (1..=MOST_DAYS).contains(days)).ok_or_else(wrong)
}

async fn report(web: &Web, repository: &Repository, wanted: Wanted) -> Result<Report, Refused> {
    let asked = wanted.asked()?;
    let turn = web.turn().await?;
    let Some((report, _)) = web.report(&repository.0, asked, &turn).await? else {
        return Err(Refused(nothing_computed(web, &repository.0).await?));
    };
    Ok(report)
}

/// Returns why there are no figures: nothing is recorded, or more than one answer reads.
async fn nothing_computed(web: &Web, row: &RepositoryRow) -> Result<Failure, Refused> {
    let terms = InsightPage { kind: RowKind::Terms, since: Timestamp::MIN, after: None, limit: 1 };
    let is_recorded = !web.store.insight(&row.repo, &terms).await?.is_empty();
    let too_many = "There are more rows than one answer reads. Ask for a shorter time.";
    Ok(if is_recorded { Failure::Wanted(too_many.to_owned()) } else { Failure::NotFound })
}

/// Returns the figures as `phasebot report --format json` shows them.
pub(super) async fn metrics(
    State(web): State<Arc<Web>>,
    repository: Repository,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Refused> {
    answer::json(&repository.1, &report(&web, &repository, wanted).await?)
}

/// Returns the figures as `phasebot report --format csv` shows them.
pub(super) async fn metrics_csv(
    State(web): State<Arc<Web>>,
    repository: Repository,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Refused> {
    let report = report(&web, &repository, wanted).await?;
    Ok(answer::csv(csv::report_header() + &csv::of_report(&report)))
}

/// The flow of one repository.
#[derive(Serialize)]
struct FlowReport<'r> {
    repository: &'r str,
    complete: bool,
    basis: &'r Basis,
    flow: &'r Flow,
}

/// Returns the flow of work, with each item that is in progress and each that was finished.
pub(super) async fn flow(
    State(web): State<Arc<Web>>,
    repository: Repository,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Refused> {
    let Report { repository: name, complete, figures, .. } = &report(&web, &repository, wanted).await?;
    let flow = FlowReport { repository: name, complete: *complete, basis: &figures.basis, flow: &figures.flow };
    answer::json(&repository.1, &flow)
}
