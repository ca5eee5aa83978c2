//! Decodes pushes, created and deleted refs, and merge groups.

use crate::{
    domain::{
        event::{CommitSeen, GroupEnd, MergeGroupSeen, NewCommits, PushSeen, RefName, RefSeen, Seen},
        id::{Actor, Sha},
        policy::FILE,
        when::earlier,
    },
    forge::github::{
        decode::{Delivery, Understood, Useless, needed},
        payload::{Maybe, MergeGroup, PushedCommit, Pusher},
    },
};

/// GitHub's limit for the commits in a push (GitHub Docs, "push": "The array includes a maximum of
/// 2048 commits").
const MOST_COMMITS: usize = 2048;

/// GitHub's limit for the files of each kind in a commit (GitHub Docs, "push": "A maximum of 3000
/// changed files will be reported per commit").
const MOST_FILES: usize = 3000;

pub(super) fn push(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    let name: String = needed(delivery.payload.get("ref"), "ref")?;
    let name = ref_name(&name).ok_or_else(|| Useless::because("a push to a ref that is neither branch nor tag"))?;
    let before: Sha = needed(delivery.payload.get("before"), "before")?;
    let mut after: Sha = needed(delivery.payload.get("after"), "after")?;
    // For an annotated tag, `after` is the tag object and `head_commit` is the commit.
    let head: Option<PushedCommit> = delivery.payload.get("head_commit");
    if let (RefName::Tag(_), Some(commit), false) = (&name, head.and_then(|head| head.id.0), after.is_zero()) {
        after = commit;
    }
    let listed: Option<Vec<Maybe<PushedCommit>>> = delivery.payload.get("commits");
    let expected = listed.as_ref().map(Vec::len);
    let policy_file = changes_policy_file(listed.iter().flatten());
    let paths = listed.iter().flatten().filter_map(|commit| paths_of(commit.0.as_ref()?)).collect();
    let new = new_commits(listed.iter().flatten().filter_map(|commit| commit.0.as_ref()));
    let commits: Vec<CommitSeen> = listed.unwrap_or_default().into_iter().filter_map(commit).collect();
    let forced = delivery.payload.get("forced").unwrap_or(false);
    // A push that advances a branch lists the branch's new head last.
    let advances = matches!(name, RefName::Branch(_)) && !before.is_zero() && !after.is_zero() && !forced;
    let lacks_end = advances && !commits.iter().any(|commit| commit.sha == after);
    let truncated = expected != Some(commits.len()) || commits.len() >= MOST_COMMITS || lacks_end;
    let base: Option<String> = delivery.payload.get("base_ref");
    let made_from = base.as_deref().and_then(|base| base.strip_prefix("refs/heads/")).map(str::to_owned);
    let made_from = made_from.filter(|_| before.is_zero() && commits.is_empty());
    let pusher = delivery.sender.clone().or_else(|| {
        let login = delivery.payload.get::<Pusher>("pusher")?.name.0.filter(|name| !name.is_empty())?;
        let bot = login.ends_with("[bot]");
        Some(Actor { id: None, login, bot })
    });
    let policy_file = if truncated && policy_file == Some(false) { None } else { policy_file };
    let seen = PushSeen { name, before, after, forced, commits, paths, new, truncated, made_from, policy_file, pusher };
    Ok(Understood { seen: Seen::Push(Box::new(seen)), at: delivery.pushed_at })
}

pub(super) fn create_or_delete(delivery: &Delivery<'_>, exists: bool) -> Result<Understood, Useless> {
    delivery.repo()?;
    let name: String = needed(delivery.payload.get("ref").filter(|name: &String| !name.is_empty()), "ref")?;
    let kind: String = needed(delivery.payload.get("ref_type"), "ref_type")?;
    let name = match kind.as_str() {
        "branch" => RefName::Branch(name),
        "tag" => RefName::Tag(name),
        _ => return Err(Useless::because("neither a branch nor a tag")),
    };
    Ok(Understood { seen: Seen::Ref(RefSeen { name, exists }), at: delivery.pushed_at })
}

pub(super) fn merge_group(delivery: &Delivery<'_>) -> Result<Understood, Useless> {
    delivery.repo()?;
    // An unknown reason does not count as a merge.
    let merged = delivery.payload.get::<String>("reason").as_deref() == Some("merged");
    let end = if merged { GroupEnd::Merged } else { GroupEnd::Dissolved };
    let end = (delivery.action == "destroyed").then_some(end);
    let group: MergeGroup = needed(delivery.payload.get("merge_group"), "merge_group")?;
    let base_ref = needed(group.base_ref.0, "merge_group.base_ref")?;
    let seen = MergeGroupSeen {
        head_sha: needed(group.head_sha.0, "merge_group.head_sha")?,
        base_sha: needed(group.base_sha.0, "merge_group.base_sha")?,
        base_ref: base_ref.strip_prefix("refs/heads/").unwrap_or(&base_ref).to_owned(),
        pull: group.head_ref.0.as_deref().and_then(queued_pull),
        end,
    };
    // The queue creates the commit when it builds the group. The payload has no time of the group's
    // end.
    let built_at = group.head_commit.0.and_then(|commit| commit.timestamp.0);
    let at = if end.is_some() { None } else { built_at };
    Ok(Understood { seen: Seen::MergeGroup(seen), at })
}

/// Returns whether one of the commits changed the policy file; `None` if no listed commit did and
/// not all commits have complete lists.
fn changes_policy_file<'a>(commits: impl Iterator<Item = &'a Maybe<PushedCommit>>) -> Option<bool> {
    let mut all_tell = true;
    for commit in commits {
        let Some(commit) = &commit.0 else {
            all_tell = false;
            continue;
        };
        for list in [&commit.added, &commit.modified, &commit.removed] {
            let files = list.0.as_deref().unwrap_or_default();
            if files.iter().any(|file| file.0.as_deref() == Some(FILE)) {
                return Some(true);
            }
            all_tell &= list.0.is_some() && files.len() < MOST_FILES && files.iter().all(|file| file.0.is_some());
        }
    }
    all_tell.then_some(false)
}

/// Returns the paths that a commit touches, if the payload lists them all. A renamed file is listed
/// as removed and added.
fn paths_of(commit: &PushedCommit) -> Option<(Sha, Vec<String>)> {
    let mut paths: Vec<String> = Vec::new();
    for list in [&commit.added, &commit.modified, &commit.removed] {
        for file in list.0.as_ref()? {
            paths.push(file.0.clone()?);
        }
    }
    (paths.len() < MOST_FILES).then_some((commit.id.0.clone()?, paths))
}

/// Returns the commits that no other branch had: a merge of the default branch into a topic branch
/// pushes its commits once more.
fn new_commits<'a>(commits: impl Iterator<Item = &'a PushedCommit>) -> NewCommits {
    let mut new = NewCommits::default();
    for commit in commits.filter(|commit| commit.distinct.0 == Some(true)) {
        new.count += 1;
        new.first_at = earlier(new.first_at, commit.timestamp.0);
    }
    new
}

fn commit(commit: Maybe<PushedCommit>) -> Option<CommitSeen> {
    let commit = commit.0?;
    Some(CommitSeen { sha: commit.id.0?, message: commit.message.0.unwrap_or_default(), parents: None })
}

fn ref_name(full: &str) -> Option<RefName> {
    let branch = full.strip_prefix("refs/heads/").map(|name| RefName::Branch(name.to_owned()));
    let name = branch.or_else(|| full.strip_prefix("refs/tags/").map(|name| RefName::Tag(name.to_owned())));
    name.filter(|name| !name.name().is_empty())
}

/// Parses the pull request number in `refs/heads/gh-readonly-queue/BRANCH/pr-NUMBER-SHA`.
fn queued_pull(head_ref: &str) -> Option<u64> {
    let (queue, group) = head_ref.rsplit_once('/')?;
    let (number, _) = group.strip_prefix("pr-")?.split_once('-')?;
    queue.starts_with("refs/heads/gh-readonly-queue/").then(|| number.parse().ok()).flatten()
}
