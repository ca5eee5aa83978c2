//! Branches of a commit: whether it is on a branch that the policy lists, and whether it belongs to
//! this repository at all.

use jiff::Timestamp;

use crate::{
    context::{EvalContext, RETRY_AFTER},
    domain::{
        event::RefName,
        id::Sha,
        needs::{Answer, CommitPlace, Need},
        policy::Pattern,
    },
};

/// Limit on the branches that are examined for one commit.
const MOST_BRANCHES: usize = 50;
/// Limit on the deployments, newest first, whose commits are asked about at once.
const MOST_ORIGINS: usize = 20;

/// Result of looking for a commit on the branches that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnLine {
    /// It is on this branch.
    Yes {
        /// Name of the branch.
        branch: String,
        /// Time at which it was seen there, if events show it.
        since: Option<Timestamp>,
    },
    /// It is on none.
    No,
    /// Not known yet, and asked for; with the forge's reason if the answer is unavailable.
    Unknown(Option<String>),
}

impl EvalContext<'_> {
    /// Returns whether the commit is on a branch that the policy lists: by the record of pushes and
    /// merges, otherwise by the forge's answer about that very commit.
    pub(crate) fn on_line(&self, sha: &Sha) -> OnLine {
        self.on_branches(sha, &[])
    }

    /// Returns the same for branches that match `of`; if it is empty, for those that the policy
    /// lists.
    pub(crate) fn on_branches(&self, sha: &Sha, of: &[Pattern]) -> OnLine {
        let counts = |branch: &str| match of {
            [] => self.listed(branch),
            of => of.iter().any(|pattern| pattern.matches(branch)),
        };
        if let Some((branch, at)) = self.landed_by_record(sha, counts) {
            return OnLine::Yes { branch, since: Some(at) };
        }
        let mut unknown: Option<OnLine> = None;
        for branch in self.branches_of(sha, if of.is_empty() { &self.policy.branches } else { of }, counts) {
            let place = self.facts.refs.get(&RefName::Branch(branch.clone())).and_then(|place| place.moves().last());
            match place {
                Some((_, None)) => continue,
                Some((at, Some(head))) if self.known_to_contain(head, sha) == Some(true) => {
                    return OnLine::Yes { branch, since: Some(*at) };
                }
                // A last known head without the commit proves nothing: a later push event may not
                // have arrived yet.
                Some((_, Some(_))) | None => {}
            }
            match self.place_on(sha, &branch, unknown.is_none()) {
                Ok(CommitPlace::OnBranch) => return OnLine::Yes { branch, since: None },
                Ok(CommitPlace::Elsewhere | CommitPlace::Nowhere) => {}
                Err(why) => drop(unknown.get_or_insert(OnLine::Unknown(why))),
            }
        }
        unknown.unwrap_or(OnLine::No)
    }

    /// Returns whether a commit was ever pushed to a listed branch, by the record: the branch may
    /// have been rewritten or deleted since.
    pub(crate) fn was_on_line(&self, sha: &Sha) -> bool {
        let index = &self.facts.index;
        let pushes = index.brought_by.get(sha).into_iter().flatten().map(|(name, _, _)| name);
        let others = index.also_brought_by.get(sha).into_iter().flatten().map(|((name, _, _), _)| name);
        pushes.chain(others).any(|name| self.listed_ref(name))
    }

    /// Returns a branch that counts to which a commit was pushed or merged, and when, if the branch
    /// was not rewritten or deleted since.
    pub(crate) fn landed_by_record(&self, sha: &Sha, counts: impl Fn(&str) -> bool) -> Option<(String, Timestamp)> {
        let index = &self.facts.index;
        let pushes = index.brought_by.get(sha).into_iter().flatten();
        let others = index.also_brought_by.get(sha).into_iter().flatten().map(|(id, _)| id);
        let pushed = pushes.chain(others).filter_map(|id| Some((id.0.clone(), self.facts.pushes.get(id)?.at)));
        let merged = index.merged_as.get(sha).into_iter().flatten().filter_map(|number| {
            let pull = self.facts.pull(*number)?;
            let base = RefName::Branch(pull.shape.as_ref()?.value.base_ref.clone());
            Some((base, pull.merged.as_ref()?.at))
        });
        pushed.chain(merged).find_map(|(name, at)| match name {
            RefName::Branch(branch) if counts(&branch) && self.stands_since(&branch, at) => Some((branch, at)),
            RefName::Branch(_) | RefName::Tag(_) => None,
        })
    }

    /// Returns whether a branch was neither rewritten nor deleted since a time.
    fn stands_since(&self, branch: &str, since: Timestamp) -> bool {
        let rewritten = self.rewrites_of(branch, since).any(|(at, _, _)| *at > since);
        let place = self.facts.refs.get(&RefName::Branch(branch.to_owned())).and_then(|place| place.moves().last());
        let removed = matches!(place, Some((_, None))) && !self.facts.is_main_line(branch);
        !rewritten && !removed
    }

    /// Returns the branches that count and exist, as far as known: the default branch first, then
    /// those that a pattern names literally, then those that a pattern matches.
    fn branches_of(&self, sha: &Sha, patterns: &[Pattern], counts: impl Fn(&str) -> bool) -> Vec<String> {
        let default = self.facts.default_branch().to_owned();
        let pushed = self.facts.index.brought_by.get(sha).into_iter().flatten().map(|(name, _, _)| name);
        let globs = || patterns.iter().map(Pattern::as_str);
        // A branch that a pattern names literally may exist without a recorded push.
        let plain = globs().filter(|glob| literal_prefix(glob) == *glob).map(str::to_owned);
        let matching = globs().flat_map(|glob| self.live_branches(literal_prefix(glob)));
        let known = pushed.chain(matching).filter_map(|name| match name {
            RefName::Branch(branch) => Some(branch.clone()),
            RefName::Tag(_) => None,
        });
        let mut branches: Vec<String> = Vec::new();
        for branch in std::iter::once(default).chain(plain).chain(known).filter(|branch| counts(branch)) {
            if branches.len() < MOST_BRANCHES && !branches.contains(&branch) {
                branches.push(branch);
            }
        }
        branches
    }

    /// Returns the branches whose names begin with `prefix` and that are not known to be deleted.
    fn live_branches(&self, prefix: &str) -> impl Iterator<Item = &RefName> {
        let from = self.facts.refs.range(RefName::Branch(prefix.to_owned())..);
        let branches = from.take_while(move |(name, _)| match name {
            RefName::Branch(branch) => branch.starts_with(prefix),
            RefName::Tag(_) => false,
        });
        branches.filter(|(_, place)| !matches!(place.moves().last(), Some((_, None)))).map(|(name, _)| name)
    }

    /// Returns the forge's answer about a commit's place; asks for it if `ask`. `Err`: not known,
    /// with the forge's reason if the answer is unavailable.
    fn place_on(&self, sha: &Sha, branch: &str, ask: bool) -> Result<CommitPlace, Option<String>> {
        let need = Need::CommitPlace { sha: sha.clone(), branch: branch.to_owned() };
        let known = self.facts.answers.get(&need);
        let since = match known.map(|known| &known.answer) {
            // A rewrite may have removed the commit since.
            Some(Answer::CommitPlace(CommitPlace::OnBranch)) => {
                let rewritten = self.rewrites_of(branch, Timestamp::MIN).last().map(|(at, _, _)| *at);
                rewritten.unwrap_or(Timestamp::MIN)
            }
            // An unseen push may have brought the commit since.
            _ => self.now.checked_sub(RETRY_AFTER).unwrap_or(Timestamp::MIN),
        };
        let current = match known.filter(|known| known.at >= since).map(|known| &known.answer) {
            Some(Answer::CommitPlace(place)) => return Ok(*place),
            Some(Answer::Unavailable { why }) => Some(why.clone()),
            _ => None,
        };
        if ask {
            self.answered_since(&need, since);
        }
        Err(current)
    }

    /// Returns whether a commit is, or was, this repository's; asks for it if unknown.
    pub(crate) fn is_own(&self, sha: &Sha) -> Option<bool> {
        let known = self.facts.is_own_commit(sha);
        if known.is_none() {
            self.lasting(&Need::CommitPlace { sha: sha.clone(), branch: self.facts.default_branch().to_owned() });
        }
        known
    }

    /// Asks for the origin of the newest deployments' commits where it is unknown.
    pub(crate) fn want_origins(&self) {
        for sha in self.facts.commits_of_unknown_origin().take(MOST_ORIGINS) {
            self.is_own(sha);
        }
    }
}

/// Returns the literal prefix that every name matched by a glob begins with.
fn literal_prefix(glob: &str) -> &str {
    glob.split(['*', '?', '[', '{', '!', '\\']).next().unwrap_or_default()
}
