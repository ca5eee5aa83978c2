//! The story of one issue, and the labels that it must have shown at the end.

use std::collections::BTreeSet;

use phasebot_forge_sim::{MergeMethod, NewCommit, NewPull, Person, SimForge};

use super::Plot;

/// Phases of this story, in order.
pub const PHASES: [&str; 3] = ["phase/plan", "phase/code", "phase/build"];

/// Guarantee about the labels before the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Each label was awaited: each was added once, in order.
    Whole,
    /// Labels may be skipped; none was added twice or moved back.
    Forward,
    /// Deliveries arrived in any order: phasebot may for a moment know less than before (if a push
    /// arrives before its pull request).
    Any,
}

/// An issue and the pull request that closes it.
pub struct Story {
    person: Person,
    full_name: String,
    name: String,
    issue: u64,
    pull: u64,
    told: usize,
    way: Way,
}

impl Plot for Story {
    fn go_on(&mut self) -> bool {
        let branch = format!("work-on-{}", self.name);
        match self.told {
            0 => self.issue = self.person.open_issue(&self.name, "It should work.", &[]).unwrap().made,
            1 => {
                self.person.create_branch(&branch, "main").unwrap();
                self.person.push(&branch, &[NewCommit::from("Make it work")]).unwrap();
                let (title, body) = (format!("Mend {}", self.name), format!("Closes #{}", self.issue));
                let pull = NewPull { head: branch, title, body, ..NewPull::default() };
                self.pull = self.person.open_pull(&pull).unwrap().made;
            }
            2 => {
                self.person.merge_pull(self.pull, MergeMethod::Squash).unwrap();
            }
            _ => return false,
        }
        self.told += 1;
        true
    }

    fn check(&self, sim: &SimForge) {
        assert!(self.shown(sim), "{}: {:?}", self.name, sim.visible_labels(&self.full_name, self.issue));
        let issue = self.put_on(sim, self.issue);
        let pull = self.put_on(sim, self.pull);
        if self.way == Way::Whole {
            assert_eq!(issue, PHASES, "{}", self.name);
            assert_eq!(pull, PHASES[1..], "{}", self.name);
        }
        if self.way == Way::Forward {
            for seen in [issue, pull] {
                let places: Vec<_> = seen.iter().map(|l| PHASES.iter().position(|p| p == l)).collect();
                assert!(places.is_sorted_by(|a, b| a < b), "{}: a label came twice or went back: {seen:?}", self.name);
            }
        }
    }
}

impl Story {
    /// Creates the story before its first event.
    pub fn new(person: &Person, full_name: &str, name: &str, way: Way) -> Self {
        let (full_name, name) = (full_name.to_owned(), name.to_owned());
        Self { person: person.clone(), full_name, name, issue: 0, pull: 0, told: 0, way }
    }

    /// Returns whether the labels show everything that has happened so far.
    pub fn shown(&self, sim: &SimForge) -> bool {
        let Some(phase) = self.told.checked_sub(1).map(|n| PHASES[n]) else { return true };
        let wanted = BTreeSet::from([phase.to_owned()]);
        let pull_too = self.told < 2 || sim.visible_labels(&self.full_name, self.pull) == wanted;
        pull_too && sim.visible_labels(&self.full_name, self.issue) == wanted
    }

    /// Returns the labels that were added to an item, in order; fails if it had two at a time.
    fn put_on(&self, sim: &SimForge, item: u64) -> Vec<String> {
        let mut on = BTreeSet::new();
        let mut all = Vec::new();
        let history = sim.label_history(&self.full_name, item);
        for change in &history {
            assert_eq!(change.by, "phasebot[bot]");
            if change.added {
                all.push(change.label.clone());
                on.insert(change.label.clone());
            } else {
                on.remove(&change.label);
            }
            assert!(on.len() <= 1, "{} #{item} showed two phases at a time: {history:#?}", self.full_name);
        }
        all
    }
}
