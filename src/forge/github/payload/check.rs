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
    /// Its number.
    pub id: Maybe<u64>,
    /// Commit.
    pub head_sha: Maybe<Sha>,
    /// Name.
    pub name: Maybe<String>,
    /// `queued`, `in_progress`, `completed`, `waiting`, `requested`, `pending`.
    pub status: Maybe<String>,
    /// `success`, `failure`, …; null until completed.
    pub conclusion: Maybe<String>,
    /// When it began.
    pub started_at: Maybe<Timestamp>,
    /// When it ended.
    pub completed_at: Maybe<Timestamp>,
    /// The App that made it.
    pub app: Maybe<App>,
    /// Its suite.
    pub check_suite: Maybe<CheckSuite>,
    /// Its page.
    pub html_url: Maybe<String>,
}

/// An App.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct App {
    /// Its number.
    pub id: Maybe<u64>,
    /// Its name in addresses.
    pub slug: Maybe<String>,
}

/// A check suite.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CheckSuite {
    /// Its number.
    pub id: Maybe<u64>,
    /// Commit.
    pub head_sha: Maybe<Sha>,
    /// The App whose check runs it holds.
    pub app: Maybe<Numbered>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
}

/// The commit that a status is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// Which.
    pub sha: Maybe<Sha>,
}

/// A workflow run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkflowRun {
    /// Its number.
    pub id: Maybe<u64>,
    /// Commit.
    pub head_sha: Maybe<Sha>,
    /// The check suite of its jobs.
    pub check_suite_id: Maybe<u64>,
    /// What started it.
    pub event: Maybe<String>,
    /// As of a check run.
    pub status: Maybe<String>,
    /// As of a check run.
    pub conclusion: Maybe<String>,
    /// Which attempt at it, from 1.
    pub run_attempt: Maybe<u64>,
    /// Its title, as `run-name` has it.
    pub display_title: Maybe<String>,
    /// The workflow's file.
    pub path: Maybe<String>,
    /// Its page.
    pub html_url: Maybe<String>,
    /// When it was made.
    pub created_at: Maybe<Timestamp>,
    /// When it last changed.
    pub updated_at: Maybe<Timestamp>,
    /// Who started it.
    pub actor: Maybe<User>,
    /// Who had this attempt run.
    pub triggering_actor: Maybe<User>,
}

objects!(App, CheckRun, CheckSuite, Commit, WorkflowRun);
