//! Repositories and installations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::{
    SimError,
    git::{Git, NewCommit},
    model::{Installation, Repo},
    shape,
    state::State,
};

impl State {
    /// Creates a repository with one commit on `main`; returns its id. Sends no webhook.
    pub(crate) fn create_repo(&mut self, full_name: &str) -> Result<u64, SimError> {
        let (owner, name) =
            full_name.split_once('/').ok_or_else(|| SimError::Refused(format!("{full_name} is not owner/name")))?;
        if self.names.contains_key(&full_name.to_lowercase()) {
            return Err(SimError::Refused(format!("repository {full_name} exists")));
        }
        self.user(owner, "Organization");
        let (id, now) = (self.id(), self.now());
        let mut git = Git::default();
        let first = NewCommit {
            message: "Initial commit".to_owned(),
            files: vec![("README.md".to_owned(), Some(format!("# {name}\n")))],
        };
        let sha = git.commit(Vec::new(), &first, owner, now);
        git.branches.insert("main".to_owned(), sha);
        let repo = Repo {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private: true,
            archived: false,
            default_branch: "main".to_owned(),
            created_at: now,
            pushed_at: now,
            next_number: 1,
            git,
            labels: BTreeMap::new(),
            items: BTreeMap::new(),
            comments: BTreeMap::new(),
            checks: BTreeMap::new(),
            suites: BTreeMap::new(),
            statuses: Vec::new(),
            deployments: BTreeMap::new(),
            releases: BTreeMap::new(),
            runs: BTreeMap::new(),
            workflows: BTreeMap::new(),
            roles: BTreeMap::new(),
            required: BTreeMap::new(),
            protected: BTreeMap::new(),
            reviews: BTreeMap::new(),
            rulesets: Vec::new(),
            environments: BTreeMap::new(),
            milestones: BTreeMap::new(),
            review_reactions: BTreeMap::new(),
            forks: BTreeMap::new(),
            answers: Vec::new(),
            workers: Vec::new(),
            jobs: BTreeMap::new(),
        };
        self.repos.insert(id, repo);
        self.names.insert(full_name.to_lowercase(), id);
        Ok(id)
    }

    /// Renames a repository. Its old name is redirected.
    pub(crate) fn rename_repo(&mut self, repo: u64, by: &str, name: &str) -> Result<(), SimError> {
        let place = self.repo_mut(repo)?;
        let old = std::mem::replace(&mut place.name, name.to_owned());
        let (before, after) = (format!("{}/{old}", place.owner), place.full_name());
        self.names.remove(&before.to_lowercase());
        self.old_names.remove(&after.to_lowercase());
        self.old_names.insert(before.to_lowercase(), repo);
        self.names.insert(after.to_lowercase(), repo);
        let changes = json!({ "changes": { "repository": { "name": { "from": old } } } });
        self.emit(repo, "repository", Some("renamed"), by, changes);
        Ok(())
    }

    /// Renames the App. What it wrote is shown under the new name.
    pub(crate) fn rename_app(&mut self, slug: &str) {
        let before = self.bot();
        slug.clone_into(&mut self.app.slug);
        let after = self.bot();
        let kind = self.user(&before, "Bot").kind;
        self.user(&after, kind);
        for repo in self.repos.values_mut() {
            let authors = repo.items.values_mut().map(|item| &mut item.author);
            let authors = authors.chain(repo.comments.values_mut().map(|comment| &mut comment.author));
            authors.filter(|author| **author == before).for_each(|author| author.clone_from(&after));
        }
    }

    /// Archives a repository, or unarchives it.
    pub(crate) fn archive_repo(&mut self, repo: u64, by: &str, archived: bool) -> Result<(), SimError> {
        self.repo_mut(repo)?.archived = archived;
        self.emit(repo, "repository", Some(if archived { "archived" } else { "unarchived" }), by, Value::Null);
        Ok(())
    }

    /// Installs the App on repositories of one owner; returns the installation's id.
    pub(crate) fn install(&mut self, by: &str, repos: &[u64]) -> Result<u64, SimError> {
        let first = repos.first().ok_or_else(|| SimError::Refused("no repository to install on".to_owned()))?;
        let owner = self.repo(*first)?.owner.clone();
        let (id, now) = (self.id(), self.now());
        let installation = Installation {
            id,
            owner,
            repos: repos.iter().copied().collect(),
            permissions: self.app.permissions.clone(),
            events: self.app.events.clone(),
            created_at: now,
        };
        self.installations.insert(id, installation.clone());
        let own = json!({ "repositories": self.small(repos), "requester": null });
        self.emit_installation("installation", "created", by, &installation, own);
        Ok(id)
    }

    /// Adds and removes repositories of an installation, with a webhook for each change.
    pub(crate) fn change_installation(
        &mut self,
        id: u64,
        by: &str,
        add: &[u64],
        remove: &[u64],
    ) -> Result<(), SimError> {
        let found = self.installations.get_mut(&id);
        let installation = found.ok_or_else(|| SimError::NoSuch(format!("installation {id}")))?;
        installation.repos.extend(add);
        let gone: BTreeSet<u64> = remove.iter().copied().collect();
        installation.repos.retain(|r| !gone.contains(r));
        let installation = installation.clone();
        for (action, added, removed) in [("added", add, &[][..]), ("removed", &[][..], remove)] {
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            let own = json!({
                "repository_selection": "selected",
                "repositories_added": self.small(added),
                "repositories_removed": self.small(removed),
                "requester": null,
            });
            self.emit_installation("installation_repositories", action, by, &installation, own);
        }
        Ok(())
    }

    /// Uninstalls the App. Its tokens become invalid at once.
    pub(crate) fn uninstall(&mut self, id: u64, by: &str) -> Result<(), SimError> {
        let gone = self.installations.remove(&id).ok_or_else(|| SimError::NoSuch(format!("installation {id}")))?;
        self.tokens.retain(|_, token| token.installation != id);
        let repos: Vec<u64> = gone.repos.iter().copied().collect();
        let own = json!({ "repositories": self.small(&repos) });
        self.emit_installation("installation", "deleted", by, &gone, own);
        Ok(())
    }

    fn small(&self, repos: &[u64]) -> Vec<Value> {
        repos.iter().filter_map(|r| self.repos.get(r)).map(shape::small_repository).collect()
    }
}
