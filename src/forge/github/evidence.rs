//! Evidence for gates: checks of a commit, its authors and reviews, blocking issues, and tag
//! signatures.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::{
        event::{CheckSeen, StatusSeen, is_own_name},
        fact::item::ReviewFact,
        id::{Account, AccountId, ItemId, Sha},
        needs::Answer,
    },
    forge::github::{
        decode::{association, check_page, check_seen, review_verdict, status_outcome},
        own_account::Identity,
        path,
        payload::CheckRun,
        repo::{PER_PAGE, Repo},
    },
    port::forge::ForgeError,
};

/// Maximum number of pages of a list, at 100 entries each. A longer list is an error, because an
/// incomplete answer could open a gate.
const MAX_PAGES: usize = 10;

fn too_many(what: &str) -> ForgeError {
    ForgeError::Permanent(format!("more {what} than can be read"))
}

/// An account in GitHub's answers.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    /// Missing in the empty object that GitHub sends for a deleted account.
    login: Option<String>,
    id: Option<u64>,
}

impl User {
    /// Returns the account; `None` if it was deleted.
    pub(super) fn account(self) -> Option<Account> {
        Some(Account { id: self.id.filter(|id| *id != 0).map(AccountId), login: self.login? })
    }
}

/// Returns the newest check run of each name, and every commit status.
pub(super) async fn checks(repo: &mut Repo<'_>, identity: &Identity, sha: &Sha) -> Result<Answer, ForgeError> {
    #[derive(Deserialize)]
    struct Found {
        check_runs: Vec<CheckRun>,
    }
    #[derive(Deserialize)]
    struct Status {
        id: u64,
        context: String,
        state: String,
        created_at: Timestamp,
        target_url: Option<String>,
        creator: Option<User>,
    }
    let mut runs: Vec<CheckSeen> = Vec::new();
    let mut page = 0;
    loop {
        page += 1;
        if page > MAX_PAGES {
            return Err(too_many("check runs"));
        }
        let route = "GET /repos/{owner}/{repo}/commits/{ref}/check-runs";
        let tail = format!("/commits/{sha}/check-runs?filter=latest");
        let (found, more) = repo.page(route, &tail, page, |found: &Found| found.check_runs.len() >= PER_PAGE).await?;
        for run in found.check_runs {
            // A run that has not begun has no time. A malformed run is an error and not skipped,
            // because it may have failed.
            let (seen, _) = check_seen(run, identity.app_id(), Timestamp::MIN)
                .map_err(|lacks| ForgeError::Permanent(format!("a check run lacks {lacks}")))?;
            runs.push(seen);
        }
        if !more {
            break;
        }
    }
    let route = "GET /repos/{owner}/{repo}/commits/{ref}/statuses";
    let (statuses, all) = repo.list::<Status>(route, &format!("/commits/{sha}/statuses"), MAX_PAGES).await?;
    if !all {
        return Err(too_many("commit statuses"));
    }
    let mut seen = Vec::new();
    for status in statuses {
        let creator = status.creator.and_then(|creator| creator.login).filter(|_| is_own_name(&status.context));
        let ours = match creator {
            Some(login) => identity.is(repo.client, &login).await?,
            None => false,
        };
        seen.push(StatusSeen {
            id: status.id,
            sha: sha.clone(),
            context: status.context,
            outcome: status_outcome(Some(&status.state)),
            at: status.created_at,
            url: check_page(status.target_url),
            ours,
        });
    }
    Ok(Answer::Checks { runs, statuses: seen })
}

/// Returns the open issues, without pull requests, that have a label or milestone.
pub(super) async fn open_issues(
    repo: &mut Repo<'_>,
    label: Option<&str>,
    milestone: Option<&str>,
) -> Result<BTreeSet<ItemId>, ForgeError> {
    #[derive(Deserialize)]
    struct Milestone {
        number: u64,
        title: String,
    }
    #[derive(Deserialize)]
    struct Issue {
        number: ItemId,
        pull_request: Option<serde::de::IgnoredAny>,
    }
    let mut tail = "/issues?state=open".to_owned();
    if let Some(label) = label {
        tail = format!("{tail}&labels={}", path::value(label));
    }
    if let Some(title) = milestone {
        let route = "GET /repos/{owner}/{repo}/milestones";
        let (all, complete) = repo.list::<Milestone>(route, "/milestones?state=all", MAX_PAGES).await?;
        let wanted = title.to_lowercase();
        match all.iter().find(|milestone| milestone.title.to_lowercase() == wanted) {
            Some(found) => tail = format!("{tail}&milestone={}", found.number),
            None if complete => return Err(ForgeError::NotFound(format!("no milestone is titled {title:?}"))),
            None => return Err(too_many("milestones")),
        }
    }
    let (issues, all) = repo.list::<Issue>("GET /repos/{owner}/{repo}/issues", &tail, MAX_PAGES).await?;
    if !all {
        return Err(too_many("open issues"));
    }
    Ok(issues.into_iter().filter(|issue| issue.pull_request.is_none()).map(|issue| issue.number).collect())
}

/// Returns whether a tag is annotated and GitHub verified its signature. A lightweight tag cannot
/// be signed.
pub(super) async fn signature(repo: &mut Repo<'_>, tag: &str) -> Result<Answer, ForgeError> {
    #[derive(Deserialize)]
    struct Ref {
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        sha: Sha,
        #[serde(rename = "type")]
        kind: String,
    }
    #[derive(Deserialize)]
    struct Tag {
        verification: Option<Verification>,
    }
    #[derive(Deserialize)]
    struct Verification {
        verified: bool,
        reason: String,
    }
    let tail = format!("/git/ref/tags/{}", path::segments(tag)?);
    let found: Ref = repo.get("GET /repos/{owner}/{repo}/git/ref/{ref}", &tail).await?.json()?;
    if found.object.kind != "tag" {
        return Ok(Answer::TagSignature { verified: false, reason: "not an annotated tag".to_owned() });
    }
    let tail = format!("/git/tags/{}", found.object.sha);
    let tag: Tag = repo.get("GET /repos/{owner}/{repo}/git/tags/{tag_sha}", &tail).await?.json()?;
    let (verified, reason) =
        tag.verification.map_or((false, "unsigned".to_owned()), |found| (found.verified, found.reason));
    Ok(Answer::TagSignature { verified, reason })
}

/// Returns the merged pull requests that contain a commit, each with its target branch.
pub(super) async fn pulls_of(repo: &mut Repo<'_>, sha: &Sha) -> Result<BTreeMap<ItemId, String>, ForgeError> {
    #[derive(Deserialize)]
    struct Pull {
        number: ItemId,
        merged_at: Option<Timestamp>,
        base: Base,
    }
    #[derive(Deserialize)]
    struct Base {
        #[serde(rename = "ref")]
        branch: String,
    }
    let tail = format!("/commits/{sha}/pulls");
    let route = "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls";
    let (pulls, all) = repo.list::<Pull>(route, &tail, MAX_PAGES).await?;
    if !all {
        return Err(too_many("pull requests of one commit"));
    }
    let merged = pulls.into_iter().filter(|pull| pull.merged_at.is_some());
    Ok(merged.map(|pull| (pull.number, pull.base.branch)).collect())
}

/// Returns a pull request's head commit and its reviews.
pub(super) async fn reviews(repo: &mut Repo<'_>, pull: ItemId) -> Result<Answer, ForgeError> {
    #[derive(Deserialize)]
    struct Pull {
        user: Option<User>,
        merged_by: Option<User>,
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        sha: Sha,
    }
    #[derive(Deserialize)]
    struct Review {
        id: u64,
        user: Option<User>,
        state: String,
        author_association: Option<String>,
        commit_id: Option<Sha>,
        submitted_at: Option<Timestamp>,
    }
    let shown: Pull =
        repo.get("GET /repos/{owner}/{repo}/pulls/{pull_number}", &format!("/pulls/{pull}")).await?.json()?;
    let route = "GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews";
    let (found, all) = repo.list::<Review>(route, &format!("/pulls/{pull}/reviews"), MAX_PAGES).await?;
    if !all {
        return Err(too_many("reviews"));
    }
    let reviews = found.into_iter().filter_map(|review| {
        let fact = ReviewFact {
            verdict: review_verdict(&review.state),
            // A review without it has not been submitted.
            submitted_at: review.submitted_at?,
            reviewer: review.user?.account()?,
            association: association(review.author_association.as_deref()),
            commit: review.commit_id,
        };
        Some((review.id, fact))
    });
    let reviews: BTreeMap<u64, ReviewFact> = reviews.collect();
    Ok(Answer::Reviews {
        head: shown.head.sha,
        author: shown.user.and_then(User::account),
        merged_by: shown.merged_by.and_then(User::account),
        reviews,
    })
}
