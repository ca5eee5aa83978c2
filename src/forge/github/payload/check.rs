//! Check runs, commit statuses, workflow runs.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::id::Sha,
    forge::github::payload::{Maybe, Numbered, User, lenient::objects},
};

/// A check run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckRun {
    /// Check run id.
    pub id: Maybe<u64>,
    /// Commit that was checked.
    pub head_sha: Maybe<Sha>,
    /// Name.
    pub name: Maybe<String>,
    /// `queued`, `in_progress`, `completed`, `waiting`, `requested`, `pending`.
    pub status: Maybe<String>,
    /// `success`, `failure`, …; null until completed.
    pub conclusion: Maybe<String>,
    /// Time when it began.
    pub started_at: Maybe<Timestamp>,
    /// Time when it ended.
    pub completed_at: Maybe<Timestamp>,
    /// App that created the check run.
    pub app: Maybe<App>,
    /// Check suite that contains the run.
    pub check_suite: Maybe<CheckSuite>,
    /// Address of the run's page.
    pub html_url: Maybe<String>,
}

/// A GitHub App.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct App {
    /// App id.
    pub id: Maybe<u64>,
    /// URL-friendly name.
    pub slug: Maybe<String>,
}

/// A check suite.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckSuite {
    /// Check suite id.
    pub id: Maybe<u64>,
    /// Commit that was checked.
    pub head_sha: Maybe<Sha>,
    /// App whose check runs the suite contains.
    pub app: Maybe<Numbered>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
}

/// Commit of a commit status.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// Commit id.
    pub sha: Maybe<Sha>,
}

/// A workflow run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkflowRun {
    /// Workflow run id.
    pub id: Maybe<u64>,
    /// Commit that the workflow runs on.
    pub head_sha: Maybe<Sha>,
    /// Check suite of the run's jobs.
    pub check_suite_id: Maybe<u64>,
    /// Event that started the run.
    pub event: Maybe<String>,
    /// Status, as in [`CheckRun::status`].
    pub status: Maybe<String>,
    /// Conclusion, as in [`CheckRun::conclusion`].
    pub conclusion: Maybe<String>,
    /// Number of the attempt, from 1.
    pub run_attempt: Maybe<u64>,
    /// Title, set by `run-name`.
    pub display_title: Maybe<String>,
    /// Path of the workflow's file.
    pub path: Maybe<String>,
    /// Address of the run's page.
    pub html_url: Maybe<String>,
    /// Time of creation.
    pub created_at: Maybe<Timestamp>,
    /// Time of the last change.
    pub updated_at: Maybe<Timestamp>,
    /// Account that started the run.
    pub actor: Maybe<User>,
    /// Account that triggered this attempt.
    pub triggering_actor: Maybe<User>,
}

objects!(App, CheckRun, CheckSuite, Commit, WorkflowRun);
