//! Answers to queries, from the state of the forge.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use phasebot_core::domain::{
    event::{CommitSeen, ItemSeen, RefName},
    fact::paths::Paths,
    id::{Actor, Sha},
    needs::{Answer, Authors, CommitPlace, Need, ResolvedRef, ResolvedRefKind},
};

use super::Forge;

/// Returns the kind of a query as lines name it: its variant.
fn variant(need: &Need) -> String {
    format!("{need:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

impl Forge {
    /// Returns the answer at a time; `None`: it does not answer now.
    pub fn answer(&self, need: &Need, now: Timestamp) -> Option<Answer> {
        let kinds: &[&str] = match need {
            Need::Role { .. } => &["everything", "people"],
            Need::Member { .. } => &["everything", "people", "teams"],
            _ => &["everything"],
        };
        let among =
            |set: &BTreeSet<String>| kinds.iter().any(|kind| set.contains(*kind)) || set.contains(&variant(need));
        if among(&self.denied) {
            return Some(Answer::Unavailable { why: "403 from the forge".into() });
        }
        (!among(&self.muted)).then(|| self.known(need, now))
    }

    fn files_of(&self, change: &str) -> Answer {
        match self.files.get(change) {
            Some(files) => Answer::Files(files.as_ref().and_then(|files| Paths::pack(files))),
            None => Answer::Unavailable { why: "no list of files".into() },
        }
    }

    fn known(&self, need: &Need, now: Timestamp) -> Answer {
        match need {
            Need::Writer { id: Some(id), .. } => Answer::Writer(!self.readers.contains(id)),
            Need::Writer { id: None, .. } => Answer::Unavailable { why: "no such account".into() },
            Need::Role { id, .. } => Answer::Role(self.roles.get(id).copied().unwrap_or_default()),
            Need::Member { id, team, .. } => Answer::Member(self.teams.contains(&(team.clone(), *id))),
            Need::Starters { run } => Answer::Starters(self.starters.get(run).cloned().unwrap_or_default()),
            Need::LinkedIssues { pull } => Answer::LinkedIssues(self.linked.get(pull).cloned().unwrap_or_default()),
            Need::Closer { issue, .. } => Answer::Closer(self.closers.get(issue).cloned()),
            Need::LinkedBranches { issue } => {
                Answer::LinkedBranches(self.linked_branches.get(issue).cloned().unwrap_or_default())
            }
            Need::RequiredChecks { .. } => Answer::RequiredChecks(self.required.clone()),
            Need::TagCommit { .. } => Answer::Unavailable { why: "no such tag".into() },
            Need::BranchHead { branch } => match self.tips.get(&RefName::Branch(branch.clone())) {
                Some(sha) => Answer::BranchHead(sha.clone()),
                None => Answer::Unavailable { why: "no such branch".into() },
            },
            Need::Named { name, default_branch, .. } => {
                let (heads, tags) = (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/"));
                let full = heads.map(|name| (ResolvedRefKind::Branch, RefName::Branch(name.to_owned())));
                let full = full.or_else(|| tags.map(|name| (ResolvedRefKind::Tag, RefName::Tag(name.to_owned()))));
                if let Some((kind, place)) = full {
                    return Answer::Named(self.tip(&place).map(|sha| ResolvedRef { kind, sha: sha.clone() }));
                }
                let kinds = [
                    (ResolvedRefKind::Tag, RefName::Tag(name.clone())),
                    (ResolvedRefKind::Branch, RefName::Branch(name.clone())),
                ];
                // A bare name that both a branch and a tag have is ambiguous.
                if kinds.iter().all(|(_, place)| self.tip(place).is_some()) {
                    return Answer::Named(None);
                }
                let place = kinds
                    .into_iter()
                    .find_map(|(kind, place)| Some(ResolvedRef { kind, sha: self.tip(&place)?.clone() }));
                let landed = self
                    .tip(&RefName::Branch(default_branch.clone()))
                    .map(|tip| self.ancestors(tip))
                    .unwrap_or_default();
                let known = self.parents.keys().find(|sha| !name.is_empty() && sha.starts_with(name));
                let commit = known.map(|sha| {
                    let kind = if landed.contains(sha) { ResolvedRefKind::Landed } else { ResolvedRefKind::Loose };
                    ResolvedRef { kind, sha: sha.clone() }
                });
                Answer::Named(place.or(commit))
            }
            Need::RunsAt { sha, trigger, .. } => {
                let wanted = self.unheard.iter().filter(|(_, run)| {
                    sha.as_ref().is_none_or(|sha| *sha == run.sha) && run.trigger == *trigger && run.created_at <= now
                });
                Answer::Runs(wanted.map(|(id, run)| (*id, run.clone())).collect())
            }
            Need::FailedJob { run, .. } => Answer::FailedJob(self.failed_jobs.get(run).cloned()),
            Need::FilesOfPull { pull } => self.files_of(&format!("#{pull}")),
            Need::FilesOfCommit { sha } => self.files_of(&sha.to_string()),
            Need::FilesBetween { base, head } => self.files_of(&format!("{base}..{head}")),
            Need::SchemaChanges { connection, into } => self.schema_changes(connection, into, now),
            Need::SchemaChange { connection, number } => self.schema_change(connection, *number, now),
            Need::AnyJobBegan { run, .. } => Answer::AnyJobBegan(!self.never_began.contains(run)),
            Need::Tags => {
                let tags = self.tips.iter().filter(|(name, sha)| matches!(name, RefName::Tag(_)) && !sha.is_zero());
                Answer::Tags(tags.map(|(name, sha)| (name.name().to_owned(), sha.clone())).collect())
            }
            // Every event of the scenario arrives, so nothing is missing.
            Need::Checks { .. } => Answer::Checks { runs: Vec::new(), statuses: Vec::new() },
            Need::OpenIssues { label, milestone } => {
                let of = |item: &&ItemSeen| match (label, milestone) {
                    (Some(label), _) => item.labels.as_ref().is_some_and(|labels| labels.contains(label)),
                    (_, Some(title)) => self.milestones.get(title).is_some_and(|issues| issues.contains(&item.number)),
                    _ => false,
                };
                if milestone.as_ref().is_some_and(|title| !self.milestones.contains_key(title)) {
                    return Answer::Unavailable { why: "no such milestone".into() };
                }
                let open = self.items.values().filter(|item| item.open && !item.is_pull).filter(of);
                Answer::OpenIssues(open.map(|item| item.number).collect())
            }
            Need::Authors { base, head } => {
                let old = base.as_ref().map(|base| self.ancestors(base)).unwrap_or_default();
                let mut made = self.ancestors(head);
                made.retain(|sha| sha == head || (base.is_some() && !old.contains(sha)));
                let dev = || BTreeSet::from([self.accounts.account("dev")]);
                let people = made.iter().flat_map(|sha| self.authors.get(sha).cloned().unwrap_or_else(dev));
                let messages = made.iter().filter_map(|sha| self.messages.get(sha));
                let trailers = messages.flat_map(|message| message.lines()).filter_map(|line| {
                    let (name, _) = line.strip_prefix("Co-authored-by: ")?.split_once(' ')?;
                    Some(self.accounts.account(&name.to_lowercase()))
                });
                let people = people.chain(trailers).collect();
                Answer::Authors(Authors {
                    people,
                    anonymous: made.into_iter().find(|sha| self.anonymous.contains(sha)),
                })
            }
            Need::TagSignature { tag } => {
                let verified = self.signed.contains(tag);
                Answer::TagSignature { verified, reason: if verified { "valid" } else { "unsigned" }.into() }
            }
            Need::CommitPlace { sha, branch } => {
                let at = |place: &RefName| self.tip(place).cloned();
                let on = at(&RefName::Branch(branch.clone())).is_some_and(|tip| self.ancestors(&tip).contains(sha));
                let branches = self.tips.keys().filter(|name| matches!(name, RefName::Branch(_)));
                let mut heads = branches.filter_map(at);
                Answer::CommitPlace(match on {
                    true => CommitPlace::OnBranch,
                    false if heads.any(|head| head == *sha) => CommitPlace::Elsewhere,
                    false => CommitPlace::Nowhere,
                })
            }
            Need::PullsOf { sha } => {
                let merged = self.pulls.values().filter(|pull| {
                    pull.merge_sha.as_ref() == Some(sha) || (pull.merge_sha.is_some() && pull.head_sha == *sha)
                });
                Answer::BroughtBy(merged.map(|pull| (pull.item.number, pull.base_ref.clone())).collect())
            }
            Need::Reviews { pull } => match self.pulls.get(pull) {
                Some(pull) => Answer::Reviews {
                    head: pull.head_sha.clone(),
                    author: pull.item.author.as_ref().map(Actor::account),
                    merged_by: pull.merged_by.as_ref().map(Actor::account),
                    reviews: BTreeMap::new(),
                },
                None => Answer::Unavailable { why: "no such pull request".into() },
            },
            Need::Commits { base, head } => {
                let new = self.ancestors(head);
                let old = base.as_ref().map(|b| self.ancestors(b)).unwrap_or_default();
                let merge_base: Option<&Sha> = new.intersection(&old).max_by_key(|c| self.ancestors(c).len());
                let commits = new.difference(&old).map(|sha| CommitSeen {
                    sha: sha.clone(),
                    message: self.messages.get(sha).cloned().unwrap_or_default(),
                    parents: self.parents.get(sha).cloned(),
                });
                Answer::Commits { merge_base: merge_base.cloned(), commits: commits.collect(), complete: true }
            }
        }
    }
}
