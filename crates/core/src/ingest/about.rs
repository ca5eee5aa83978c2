//! Ingests what every event says of its repository.

use jiff::Timestamp;

use crate::{
    commits::tag_list::ACTIVE_STEP,
    domain::{
        event::Seen,
        fact::{DocumentKey, Newest, keep_earliest},
    },
    ingest::event::Notes,
};

impl Notes<'_> {
    pub(super) fn about(&mut self) {
        // The repository of an alert or an external deployment comes from our own mapping and says
        // nothing about the repository.
        let of_forge = !matches!(self.event.seen, Seen::Alert(_) | Seen::External(_) | Seen::Verdict(_));
        let seen = self.event.repo.as_ref().filter(|_| of_forge);
        let Some(seen) = seen else { return };
        let at = self.event.at;
        // Earlier versions did not keep when the record began.
        let began = || self.facts.items.values().filter_map(|item| item.recorded_from).min();
        let began = if self.facts.about.recorded_since.is_none() { began() } else { None };
        let about = &mut self.facts.about;
        let before = about.clone();
        if self.by_event {
            let past_step = at.as_second().rem_euclid(ACTIVE_STEP.as_secs());
            about.active_at = about.active_at.max(Timestamp::from_second(at.as_second() - past_step).ok());
        }
        Newest::join(&mut about.full_name, Newest::new(at, seen.full_name.clone()));
        Newest::join(&mut about.owner, Newest::new(at, seen.owner.clone()));
        if let Some(host) = &seen.web_host {
            Newest::join(&mut about.web_host, Newest::new(at, host.clone()));
        }
        if let Some(branch) = &seen.default_branch {
            // A default branch that was known before this set existed belongs to it, too.
            about.default_branches.extend(about.default_branch.as_ref().map(|known| known.value.clone()));
            about.default_branches.insert(branch.clone());
            Newest::join(&mut about.default_branch, Newest::new(at, branch.clone()));
        }
        if let Some(private) = seen.private {
            Newest::join(&mut about.private, Newest::new(at, private));
        }
        if self.by_event {
            keep_earliest(&mut about.recorded_since, began.map_or(at, |began| began.min(at)));
        }
        // A newer observation of the same values is not worth a write.
        fn same<T: PartialEq>(a: Option<&Newest<T>>, b: Option<&Newest<T>>) -> bool {
            a.map(|n| &n.value) == b.map(|n| &n.value)
        }
        if !same(before.full_name.as_ref(), about.full_name.as_ref())
            || !same(before.owner.as_ref(), about.owner.as_ref())
            || !same(before.web_host.as_ref(), about.web_host.as_ref())
            || !same(before.default_branch.as_ref(), about.default_branch.as_ref())
            || before.default_branches != about.default_branches
            || before.active_at != about.active_at
            || before.recorded_since != about.recorded_since
            || !same(before.private.as_ref(), about.private.as_ref())
        {
            self.changed.insert(DocumentKey::About);
        }
    }
}
