//! Branches, tags and the commits behind them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use phasebot_core::domain::{
    event::{CommitSeen, GroupEnd, MergeGroupSeen, NewCommits, PushSeen, RefName, ReleaseSeen, Seen},
    id::Sha,
};

use super::{
    Forge,
    words::{after, has, number_after, time},
};

impl Forge {
    /// `push main c1 "message" m1 [policy] [touches web/a,api/b]`: commits in order, each on top of
    /// the previous one; `policy`: one of them changes the policy file; `touches`: each of them
    /// changes these files; `committed 09:00`: the commits' time, if it is not that of the push.
    pub(super) fn push(&mut self, at: Timestamp, w: &[String]) -> Option<PushSeen> {
        let name = RefName::Branch(w[1].clone());
        let zero = Sha::FIRST;
        let before = self.tips.get(&name).cloned().unwrap_or_else(|| zero.clone());
        let mut tip = match after(w, "from") {
            Some(from) => self.sha(from),
            None => before.clone(),
        };
        let mut commits: Vec<CommitSeen> = Vec::new();
        let ends = ["from", "by", "policy", "cut", "touches", "committed"];
        let mut new = NewCommits::default();
        let stop = w.iter().position(|x| ends.contains(&x.as_str())).unwrap_or(w.len());
        let mut merges: Option<Sha> = None;
        for word in &w[2..stop] {
            if word.contains(' ') || word.contains('#') {
                let mut text = word.clone();
                for part in word.split(|c: char| !c.is_ascii_alphanumeric()) {
                    // `commit c1` in a message is replaced with the commit's object name.
                    if let Some(name) = part.strip_prefix("SHA") {
                        text = text.replace(part, &self.sha(name).to_string());
                    }
                }
                commits.last_mut()?.message = text;
                continue;
            }
            if let Some(other) = word.strip_prefix("merge:") {
                merges = Some(self.sha(other));
                continue;
            }
            let sha = self.sha(word);
            if !self.parents.contains_key(&sha) {
                new = NewCommits { count: new.count + 1, first_at: after(w, "committed").map_or(Some(at), time) };
            }
            let mut parents: Vec<Sha> = if tip.is_zero() { Vec::new() } else { vec![tip.clone()] };
            parents.extend(merges.take());
            self.parents.insert(sha.clone(), parents);
            tip = sha.clone();
            commits.push(CommitSeen { sha, message: format!("commit {word}"), parents: None });
        }
        for commit in &commits {
            self.messages.insert(commit.sha.clone(), commit.message.clone());
        }
        self.tips.insert(name.clone(), tip.clone());
        let forced = w[0] == "force-push";
        // Commits of a push: all that the new head has and the old one has not.
        let (old, mut all) = (self.ancestors(&before), Vec::new());
        for sha in self.ancestors(&tip).difference(&old) {
            let message = self.messages.get(sha).cloned().unwrap_or_default();
            all.push(CommitSeen { sha: sha.clone(), message, parents: None });
        }
        if before.is_zero() {
            all = commits;
        }
        // `cut`: the list contains only the last commit.
        let truncated = has(w, "cut");
        if truncated {
            all.retain(|commit| commit.sha == tip);
        }
        let touched: Option<Vec<String>> = after(w, "touches").map(|list| list.split(',').map(str::to_owned).collect());
        let paths = touched.iter().flat_map(|paths| all.iter().map(|commit| (commit.sha.clone(), paths.clone())));
        let paths = paths.collect();
        // `from c1 of develop`: a new branch without a commit of its own.
        let made_from = after(w, "of").map(str::to_owned);
        Some(PushSeen {
            name,
            before,
            after: tip,
            forced,
            commits: all,
            new,
            truncated,
            made_from,
            policy_file: Some(has(w, "policy")),
            paths,
            pusher: Some(self.accounts.actor(after(w, "by").unwrap_or("dev"))),
        })
    }

    pub(super) fn tag(&mut self, w: &[String]) -> Option<PushSeen> {
        let name = RefName::Tag(w[1].clone());
        let zero = Sha::FIRST;
        let before = self.tips.get(&name).cloned().unwrap_or_else(|| zero.clone());
        let to = match w[2].as_str() {
            "deleted" => zero,
            _ => self.sha(after(w, "at")?),
        };
        self.tips.insert(name.clone(), to.clone());
        let forced = !before.is_zero() && !to.is_zero();
        Some(PushSeen {
            name,
            before,
            after: to,
            forced,
            commits: Vec::new(),
            new: NewCommits::default(),
            truncated: false,
            made_from: None,
            policy_file: Some(false),
            paths: BTreeMap::new(),
            pusher: None,
        })
    }

    pub(super) fn release(&mut self, at: Timestamp, w: &[String]) -> Option<ReleaseSeen> {
        let id: u64 = w[1].parse().ok()?;
        // `release 5 created v1.0.0 [of c1]`: from `main`, or from that commit.
        let target = after(w, "of").map_or_else(|| "main".to_owned(), |name| self.sha(name).to_string());
        let release = self.releases.entry(id).or_insert_with(|| ReleaseSeen {
            id,
            tag: w.get(3).cloned().unwrap_or_default(),
            target,
            draft: true,
            prerelease: has(w, "prerelease"),
            published_at: None,
            withdrawn: false,
        });
        match w[2].as_str() {
            "published" => {
                release.draft = false;
                release.published_at = Some(at);
            }
            "deleted" => release.withdrawn = true,
            _ => {}
        }
        Some(release.clone())
    }

    /// Returns the present position of a branch or tag.
    pub(super) fn tip(&self, place: &RefName) -> Option<&Sha> {
        self.tips.get(place).filter(|sha| !sha.is_zero())
    }

    pub(super) fn ancestors(&self, sha: &Sha) -> BTreeSet<Sha> {
        let mut seen = BTreeSet::new();
        let mut open = vec![sha.clone()];
        while let Some(sha) = open.pop() {
            if !sha.is_zero() && seen.insert(sha.clone()) {
                open.extend(self.parents.get(&sha).into_iter().flatten().cloned());
            }
        }
        seen
    }

    /// `group g1 on b0 pull 2`; later `group g1 destroyed merged | invalidated | dequeued`.
    pub(super) fn group(&mut self, w: &[String]) -> (String, Seen) {
        let head = self.sha(&w[1]);
        let base = after(w, "on").map(str::to_owned).map(|name| self.sha(&name));
        let group = self.groups.entry(head.clone()).or_insert_with(|| MergeGroupSeen {
            head_sha: head,
            base_sha: base.expect("a group is built on something"),
            base_ref: "main".into(),
            pull: number_after(w, "pull"),
            end: None,
        });
        group.end = after(w, "destroyed").map(|reason| match reason {
            "merged" => GroupEnd::Merged,
            _ => GroupEnd::Dissolved,
        });
        let action = if group.end.is_some() { "destroyed" } else { "checks_requested" };
        (format!("merge_group.{action}"), Seen::MergeGroup(group.clone()))
    }
}
