//! Ingests requests on the forge to run our checks again.

use crate::{
    domain::{decision::GateName, fact::DocumentKey, id::Sha, policy},
    ingest::event::Notes,
};

impl Notes<'_> {
    /// Records that our checks on a commit must be written again: the one with this name, or all.
    pub(super) fn rerequested(&mut self, sha: &Sha, check: Option<&str>) {
        if check.is_none_or(|check| check == policy::CHECK) {
            for number in self.facts.pulls_with_head(sha).collect::<Vec<_>>() {
                let pull = self.facts.items.get_mut(&number).and_then(|item| item.pull.as_mut());
                if let Some(seen) = pull.and_then(|pull| pull.policy.as_mut()).filter(|seen| seen.head == *sha) {
                    seen.base.clear();
                    self.changed.insert(DocumentKey::Item(number));
                }
            }
        }
        let releases = self.policy.gates.keys().cloned().map(GateName::Release);
        let deploys = self.policy.environments.keys().cloned().map(GateName::Deploy);
        for gate in releases.chain(deploys).filter(|gate| check.is_none_or(|check| gate.check() == check)) {
            let key = (gate, sha.clone());
            if self.facts.gates.get(&key).is_some_and(|known| known.shown.is_some()) {
                self.facts.gates.update(&key, |known| known.rerequested = true);
                self.changed.insert(DocumentKey::Gate(key.0, key.1));
            }
        }
    }
}
