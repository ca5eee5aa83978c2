//! Stacks of pull requests.

use serde_json::Value;

use super::super::{
    SimError,
    git::NewCommit,
    model::{Merged, StackPlace},
    state::State,
};

impl State {
    /// Makes a stack of pull requests, bottom first; it lands on the base of the first one.
    pub(crate) fn stack(&mut self, repo: u64, by: &str, pulls: &[u64]) -> Result<(), SimError> {
        let bottom = pulls.first().ok_or_else(|| SimError::Refused("a stack of nothing".to_owned()))?;
        let (number, base) = (self.id(), self.pull(repo, *bottom)?.base.clone());
        let now = self.now();
        for pull in pulls {
            self.pull_mut(repo, *pull)?.stack = Some(StackPlace { number, base: base.clone(), pulls: pulls.to_vec() });
            self.item_mut(repo, *pull)?.updated_at = now;
        }
        for pull in pulls {
            self.emit_item(repo, *pull, "stacked", by, Value::Null);
        }
        Ok(())
    }

    /// Merges a stack up to a pull request: one squashed commit each, which one push brings to the
    /// stack's base. Each keeps its own target. Returns the commits.
    pub(crate) fn merge_stack(&mut self, repo: u64, by: &str, top: u64) -> Result<Vec<String>, SimError> {
        let stack = self.pull(repo, top)?.stack.clone();
        let stack = stack.ok_or_else(|| SimError::Refused(format!("#{top} is in no stack")))?;
        let place = stack.pulls.iter().position(|pull| *pull == top).unwrap_or_default();
        let (pulls, now) = (&stack.pulls[..=place], self.now());
        let mut tip = self.resolve(repo, &format!("heads/{}", stack.base))?;
        let mut below = tip.clone();
        let mut made = Vec::new();
        for number in pulls {
            let (title, pull) = (self.item(repo, *number)?.title.clone(), self.pull(repo, *number)?.clone());
            let git = &mut self.repo_mut(repo)?.git;
            let files = git.changes(&below, &pull.head_sha);
            let message = format!("{title} (#{number})");
            tip = git.commit(vec![tip], &NewCommit { message, files }, by, now);
            below = pull.head_sha;
            made.push(tip.clone());
        }
        for (number, sha) in pulls.iter().zip(&made) {
            self.pull_mut(repo, *number)?.merged = Some(Merged { at: now, by: by.to_owned(), sha: sha.clone() });
        }
        self.move_branch(repo, by, &stack.base, &tip)?;
        for number in pulls {
            self.close_item(repo, *number, by, "")?;
        }
        Ok(made)
    }
}
