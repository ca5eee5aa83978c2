//! Pull requests and merge groups that may bring a changed policy file.

use std::collections::BTreeSet;

use crate::domain::{
    event::{CheckSeen, Event, RefName, Seen},
    fact::{RepoFacts, commit::PushFacts, policy::Proposal},
    id::{ItemId, Sha},
    policy::Policy,
};

/// A branch's pushes are followed back so far.
const MOST_PUSHES: usize = 1000;

/// The proposals that an event brings and that nobody has looked at yet.
/// `items` are those that the event concerns.
pub fn brought(facts: &RepoFacts, event: &Event, items: &BTreeSet<ItemId>, policy: &Policy) -> Vec<Proposal> {
    let unseen = || items.iter().filter(|item| is_unseen(facts, **item, policy)).map(|item| Proposal::Pull(*item));
    match &event.seen {
        Seen::Pull(_) | Seen::Push(_) => unseen().collect(),
        // Somebody asks for the check again.
        Seen::Check(CheckSeen { sha, ours: true, asked_again: true, .. }) | Seen::ChecksRerequested { sha } => {
            let group = policy.policy_check_required && facts.groups.contains_key(sha);
            unseen().chain(group.then(|| Proposal::Group(sha.clone()))).collect()
        }
        Seen::MergeGroup(group) if policy.policy_check_required => vec![Proposal::Group(group.head_sha.clone())],
        Seen::Issue(_)
        | Seen::Review(_)
        | Seen::Comment(_)
        | Seen::Ref(_)
        | Seen::Check(_)
        | Seen::Status(_)
        | Seen::Workflow(_)
        | Seen::Release(_)
        | Seen::Deployment(_)
        | Seen::External(_)
        | Seen::Verdict(_)
        | Seen::MergeGroup(_)
        | Seen::Protection(_)
        | Seen::Repository(_)
        | Seen::Label { .. }
        | Seen::Connection(_)
        | Seen::Revoked { .. }
        | Seen::Alert(_)
        | Seen::Nothing { .. } => Vec::new(),
    }
}

/// Returns whether an item is an open pull request whose head nobody has compared with
/// its target branch, and which our record does not prove to leave the file alone.
fn is_unseen(facts: &RepoFacts, item: ItemId, policy: &Policy) -> bool {
    let Some(known) = facts.items.get(&item) else { return false };
    let open = known.gone.is_none() && known.open.as_ref().is_none_or(|open| open.value);
    let Some(pull) = known.pull.as_ref().filter(|_| open) else { return false };
    let Some(shape) = pull.shape.as_ref().map(|shape| &shape.value) else { return false };
    if pull.policy.as_ref().is_some_and(|seen| seen.is_of(shape)) {
        return false;
    }
    // What was said of an earlier head is to be said of this one too.
    let changed_before = pull.policy.as_ref().is_some_and(|seen| seen.changes);
    changed_before
        || policy.policy_check_required
        || shape.from_fork
        || !is_untouched(facts, &shape.head_ref, &shape.head_sha)
}

/// Returns whether a pull request of this head is known to change the file. A check
/// stands on the commit, for all pull requests from it: none of them may say
/// that nothing is changed while another does change it.
pub fn head_changes(facts: &RepoFacts, head: &Sha) -> bool {
    let pulls = facts.index.pulls_by_head.get(head).into_iter().flatten();
    let mut seen = pulls.filter_map(|number| facts.pull(*number)?.policy.as_ref());
    seen.any(|seen| seen.head == *head && seen.changes)
}

/// Returns whether the pushes to a branch of this repository prove that it leaves the
/// policy file as it is: all of them, back to one at which that is known.
pub fn is_untouched(facts: &RepoFacts, branch: &str, head: &Sha) -> bool {
    let name = RefName::Branch(branch.to_owned());
    let mut at = head;
    for _ in 0..MOST_PUSHES {
        if was_untouched(facts, branch, at) {
            return true;
        }
        let ended = facts.index.ended_at.get(at).into_iter().flatten().find(|(to, _, _)| *to == name);
        match ended.and_then(|push| facts.pushes.get(push)) {
            Some(PushFacts { policy_file: Some(false), before, .. }) if before.is_zero() => {
                // A new branch lists what is new; the rest may come from another branch.
                return !others_touch(facts, branch);
            }
            Some(PushFacts { policy_file: Some(false), before, .. }) => at = before,
            _ => return false,
        }
    }
    false
}

/// Returns whether a pull request from the branch to the default one was looked at
/// when it stood at `head`. Compared with any other branch it proves nothing.
fn was_untouched(facts: &RepoFacts, branch: &str, head: &Sha) -> bool {
    let pulls = facts.index.pulls_from.get(branch).into_iter().flatten();
    let mut seen = pulls.filter_map(|pull| facts.pull(*pull)?.policy.as_ref());
    seen.any(|seen| seen.head == *head && seen.base == facts.default_branch() && !seen.changes)
}

/// Returns whether a change of the file is known on another branch that still exists
/// and is not the default one.
fn others_touch(facts: &RepoFacts, branch: &str) -> bool {
    facts.index.policy_branches.iter().any(|other| {
        let moves = facts.refs.get(&RefName::Branch(other.clone())).and_then(|known| known.moves().last());
        let exists = moves.is_none_or(|(_, to)| to.is_some());
        other != branch && other != facts.default_branch() && exists
    })
}
