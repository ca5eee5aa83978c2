//! Branches, tags and pushes.

use serde_json::{Value, json};

use super::{
    super::{
        SimError,
        git::{NewCommit, TagObject, ZERO, hash},
        model::Closer,
        shape,
        state::State,
    },
    closing_keywords,
};

/// Maximum commits that a push lists.
const MOST_COMMITS: usize = 2048;

impl State {
    /// Resolves a branch, tag or commit name to a commit.
    pub(crate) fn resolve(&self, repo: u64, name: &str) -> Result<String, SimError> {
        self.repo(repo)?.git.resolve(name).ok_or_else(|| SimError::NoSuch(format!("commit {name}")))
    }

    /// Creates a branch at `from`; returns the commit. A branch of a fork (`owner:branch`) sends no
    /// webhook.
    pub(crate) fn create_branch(&mut self, repo: u64, by: &str, name: &str, from: &str) -> Result<String, SimError> {
        let sha = self.resolve(repo, from)?;
        if self.repo(repo)?.git.branches.contains_key(name) {
            return Err(SimError::Refused(format!("branch {name} exists")));
        }
        if let Some((owner, _)) = name.split_once(':') {
            self.fork(repo, owner)?;
        }
        self.repo_mut(repo)?.git.branches.insert(name.to_owned(), sha.clone());
        if !name.contains(':') {
            self.note_push(repo)?;
            self.emit_ref(repo, "create", by, "branch", name);
            self.emit_push(repo, by, &format!("refs/heads/{name}"), ZERO, &sha, false);
        }
        Ok(sha)
    }

    /// Deletes a branch or a tag.
    pub(crate) fn delete_ref(&mut self, repo: u64, by: &str, kind: &str, name: &str) -> Result<(), SimError> {
        let git = &mut self.repo_mut(repo)?.git;
        let (refs, prefix) =
            if kind == "tag" { (&mut git.tags, "refs/tags") } else { (&mut git.branches, "refs/heads") };
        let sha = refs.remove(name).ok_or_else(|| SimError::NoSuch(format!("{kind} {name}")))?;
        self.note_push(repo)?;
        self.emit_ref(repo, "delete", by, kind, name);
        self.emit_push(repo, by, &format!("{prefix}/{name}"), &sha, ZERO, false);
        Ok(())
    }

    /// Commits on top of a branch, which is created from the default branch if it is missing.
    pub(crate) fn push(
        &mut self,
        repo: u64,
        by: &str,
        branch: &str,
        commits: &[NewCommit],
    ) -> Result<Vec<String>, SimError> {
        self.user(by, "User");
        let now = self.now();
        let place = self.repo_mut(repo)?;
        let default = place.default_branch.clone();
        let base = place.git.branches.get(branch).or_else(|| place.git.branches.get(&default)).cloned();
        let mut tip = base;
        let mut made = Vec::new();
        for new in commits {
            let sha = place.git.commit(tip.into_iter().collect(), new, by, now);
            made.push(sha.clone());
            tip = Some(sha);
        }
        if let Some(tip) = tip {
            self.move_branch(repo, by, branch, &tip)?;
        }
        Ok(made)
    }

    /// Points a branch at an existing commit, as a push does; also by force. Open pull requests
    /// from it follow; on the default branch, commit messages close issues.
    pub(crate) fn move_branch(&mut self, repo: u64, by: &str, branch: &str, sha: &str) -> Result<(), SimError> {
        if let Some((owner, _)) = branch.split_once(':') {
            self.fork(repo, owner)?;
        }
        let now = self.now();
        let place = self.repo_mut(repo)?;
        let before = place.git.branches.insert(branch.to_owned(), sha.to_owned());
        if before.as_deref() == Some(sha) {
            return Ok(());
        }
        place.pushed_at = now;
        let forced = before.as_deref().is_some_and(|old| !place.git.contains(sha, old));
        let arrived = place.git.between(before.as_deref(), sha);
        let own = !branch.contains(':');
        let on_default = branch == place.default_branch;
        if own {
            if before.is_none() {
                self.emit_ref(repo, "create", by, "branch", branch);
            }
            self.emit_push(repo, by, &format!("refs/heads/{branch}"), before.as_deref().unwrap_or(ZERO), sha, forced);
        }
        self.follow(repo, by, branch, sha)?;
        if on_default && before.is_some() {
            let git = &self.repo(repo)?.git;
            let said = |sha: &String| {
                let closed = git.get(sha).map(|commit| closing_keywords(&commit.message)).unwrap_or_default();
                closed.into_iter().map(|number| (number, sha.clone())).collect::<Vec<_>>()
            };
            for (number, sha) in arrived.iter().flat_map(said).collect::<Vec<_>>() {
                if self.item(repo, number).is_ok_and(|i| i.pull.is_none()) {
                    self.close_for(repo, number, by, Closer::Commit(sha))?;
                }
            }
        }
        Ok(())
    }

    /// Records the time of a push: every change of a branch or a tag is a push to the repository.
    fn note_push(&mut self, repo: u64) -> Result<(), SimError> {
        let now = self.now();
        self.repo_mut(repo)?.pushed_at = now;
        Ok(())
    }

    /// Updates the head of open pull requests from a branch that moved.
    fn follow(&mut self, repo: u64, by: &str, branch: &str, sha: &str) -> Result<(), SimError> {
        let now = self.now();
        let mut moved = Vec::new();
        for item in self.repo_mut(repo)?.items.values_mut().filter(|i| i.open) {
            let number = item.number;
            if let Some(pull) = item.pull.as_mut().filter(|p| p.head == branch && p.head_sha != sha) {
                let before = std::mem::replace(&mut pull.head_sha, sha.to_owned());
                item.updated_at = now;
                moved.push((number, before));
            }
        }
        for (number, before) in moved {
            self.emit_item(repo, number, "synchronize", by, json!({ "before": before, "after": sha }));
        }
        Ok(())
    }

    /// Creates a tag, or moves it by force; returns the commit.
    pub(crate) fn set_tag(&mut self, repo: u64, by: &str, name: &str, at: &str) -> Result<String, SimError> {
        let sha = self.resolve(repo, at)?;
        self.repo_mut(repo)?.git.annotated.remove(name);
        self.move_tag(repo, by, name, &sha, None)?;
        Ok(sha)
    }

    /// Creates an annotated tag, whose signature the forge can verify if `verified`.
    pub(crate) fn annotate(
        &mut self,
        repo: u64,
        by: &str,
        name: &str,
        at: &str,
        verified: bool,
    ) -> Result<String, SimError> {
        let (commit, now) = (self.resolve(repo, at)?, self.now());
        let sha = hash(&["tag", name, &commit, by]);
        let object = TagObject { sha: sha.clone(), commit: commit.clone(), tagger: by.to_owned(), at: now, verified };
        self.repo_mut(repo)?.git.annotated.insert(name.to_owned(), object);
        self.move_tag(repo, by, name, &commit, Some(&sha))?;
        Ok(commit)
    }

    /// Points a tag at a commit. The push of an annotated tag names its object.
    fn move_tag(&mut self, repo: u64, by: &str, name: &str, sha: &str, object: Option<&str>) -> Result<(), SimError> {
        let before = self.repo_mut(repo)?.git.tags.insert(name.to_owned(), sha.to_owned());
        self.note_push(repo)?;
        if before.is_none() {
            self.emit_ref(repo, "create", by, "tag", name);
        }
        let (forced, after) = (before.is_some(), object.unwrap_or(sha));
        self.emit_push(repo, by, &format!("refs/tags/{name}"), before.as_deref().unwrap_or(ZERO), after, forced);
        Ok(())
    }

    /// Records that `owner` has a fork.
    pub(super) fn fork(&mut self, repo: u64, owner: &str) -> Result<(), SimError> {
        self.user(owner, "User");
        let id = self.id();
        self.repo_mut(repo)?.forks.entry(owner.to_owned()).or_insert(id);
        Ok(())
    }

    /// Sends the webhook `create` or `delete`.
    fn emit_ref(&mut self, repo: u64, event: &str, by: &str, kind: &str, name: &str) {
        let Ok(place) = self.repo(repo) else { return };
        let mut own = json!({ "ref": name, "ref_type": kind, "pusher_type": "user" });
        if event == "create" {
            own["master_branch"] = place.default_branch.clone().into();
            own["description"] = Value::Null;
        }
        self.emit(repo, event, None, by, own);
    }

    /// Sends the webhook `push`.
    fn emit_push(&mut self, repo: u64, by: &str, name: &str, before: &str, after: &str, forced: bool) {
        self.user(by, "User");
        let Ok(place) = self.repo(repo) else { return };
        let git = &place.git;
        let (created, deleted) = (before == ZERO, after == ZERO);
        let is_branch = name.starts_with("refs/heads/");
        // A new branch lists the commits that the default branch lacks; a tag lists none.
        let base = if created { git.branches.get(&place.default_branch).map(String::as_str) } else { Some(before) };
        let shas = if is_branch && !deleted && base != Some(after) { git.between(base, after) } else { Vec::new() };
        // A branch without new commits was created from the default branch.
        let made_from =
            (created && is_branch && shas.is_empty()).then(|| format!("refs/heads/{}", place.default_branch));
        let shown: Vec<Value> = shas
            .iter()
            .rev()
            .take(MOST_COMMITS)
            .rev()
            .filter_map(|s| git.get(s))
            .map(|c| shape::commit_of_push(self, place, c, true))
            .collect();
        let object = git.annotated.values().find(|object| object.sha == after);
        let head =
            git.get(object.map_or(after, |object| &object.commit)).map(|c| shape::commit_of_push(self, place, c, true));
        let web = format!("{}/{}", self.api, place.full_name());
        let compare = if created {
            format!("{web}/commit/{after}")
        } else {
            format!("{web}/compare/{}...{}", &before[..12], &after[..12])
        };
        let own = json!({
            "ref": name,
            "before": before,
            "after": after,
            "created": created,
            "deleted": deleted,
            "forced": forced,
            "base_ref": made_from,
            "compare": compare,
            "commits": shown,
            "head_commit": head,
            "pusher": { "name": by, "email": "people@users.noreply.example.com" },
        });
        self.emit(repo, "push", None, by, own);
    }
}
