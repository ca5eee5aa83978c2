//! First lines: the state, and whose turn it is.

use std::fmt::Write as _;

use crate::{
    command::status_comment::StatusComment,
    domain::{
        fact::item::{OverrideKind, PhaseOverride},
        policy::{EvidenceKind, PhaseRule},
    },
    evidence::overrides,
    text::{
        message::{capitalized, person, quoted, sentence},
        sanitize,
    },
};

/// Phases beyond this number are not drawn.
const MOST_PHASES: usize = 12;

/// The next step of an item: words for the heading, and the symbol of whose turn it is.
pub(super) struct Turn {
    pub(super) words: String,
    pub(super) symbol: &'static str,
}

impl StatusComment<'_, '_> {
    /// Returns the heading, the phases, and the lines that say whose turn it is.
    pub(super) fn state(&self) -> String {
        let deploys = self.deploys();
        let pin = self.pinned();
        let words = match (&deploys.headline, &pin) {
            (Some(words), _) => words.clone(),
            (None, Some(pin)) => {
                format!("pinned by {}, stays here until `/phase auto`", person(&pin.by).trim_matches('*'))
            }
            (None, None) => self.turn().map(|turn| turn.words).unwrap_or_default(),
        };
        let words = if words.is_empty() { words } else { format!(" · {words}") };
        let mut text = format!("### {}{words}\n", self.heading());
        let path = self.path();
        if !path.is_empty() {
            let _ = writeln!(text, "\n{path}");
        }
        for line in &deploys.lines {
            let _ = writeln!(text, "\n{line}");
        }
        match (pin, self.turn()) {
            (Some(pin), _) => {
                let _ = writeln!(
                    text,
                    "\n✋ {} pinned it {}. It stays here until someone with triage access comments `/phase auto`.",
                    person(&pin.by),
                    self.since(pin.at)
                );
            }
            (None, Some(turn)) if deploys.headline.is_none() => {
                let mut next = self.derived.next.iter();
                if let Some(first) = next.next() {
                    let _ = write!(text, "\n{} Next: {first}.", turn.symbol);
                    next.for_each(|more| {
                        let _ = write!(text, " {}", sentence(more));
                    });
                    text.push('\n');
                }
            }
            _ => {}
        }
        if deploys.headline.is_none() {
            let _ = writeln!(text, "\n{}", self.reason());
        }
        text
    }

    /// Returns the phase, as a heading shows it.
    fn heading(&self) -> String {
        match &self.derived.phase {
            Some(phase) => sanitize::inline(&capitalized(phase), 60),
            None if !self.derived.ours => "Left alone".to_owned(),
            None if self.is_closed() => "Closed".to_owned(),
            None => "No phase".to_owned(),
        }
    }

    fn is_closed(&self) -> bool {
        self.eval.facts.items.get(&self.derived.item).is_some_and(|item| item.closed(self.eval.now).is_some())
    }

    /// Returns the policy's phases with the present one in bold.
    fn path(&self) -> String {
        let phases = &self.eval.policy.phases;
        let Some(now) = self.derived.phase.as_deref().filter(|_| phases.len() <= MOST_PHASES) else {
            return String::new();
        };
        let name = |rule: &PhaseRule| {
            let name = sanitize::inline(&rule.name, 60);
            if rule.name == now { format!("**{name}**") } else { name }
        };
        phases.iter().map(name).collect::<Vec<_>>().join(" → ")
    }

    /// Returns the reason for the phase, or for having none.
    fn reason(&self) -> String {
        let reason = &self.derived.reason.sentence;
        match (&self.derived.phase, self.derived.since) {
            (Some(phase), Some(at)) => format!("In {} {}: {reason}.", quoted(phase), self.since(at)),
            (_, Some(at)) => format!("{}: {reason}.", sentence(&self.since(at)).trim_end_matches('.')),
            (_, None) if !self.derived.ours => format!("phasebot leaves this item alone: {reason}."),
            (_, None) => sentence(reason),
        }
    }

    pub(super) fn since(&self, at: jiff::Timestamp) -> String {
        format!("since {}", self.times.at(at))
    }

    /// Returns the person's override that pins the item to its phase.
    fn pinned(&self) -> Option<PhaseOverride> {
        let item = self.eval.facts.items.get(&self.derived.item)?;
        let mark = overrides::mark(item, self.eval.policy, self.eval.now)?;
        matches!(mark.word, OverrideKind::Baseline { pin: true, .. }).then_some(mark).filter(|_| self.derived.ours)
    }

    /// Returns the phase that comes next for this kind of item.
    pub(super) fn next_rule(&self) -> Option<&PhaseRule> {
        let (policy, is_pull) = (self.eval.policy, self.eval.facts.pull(self.derived.item).is_some());
        let now = self.derived.phase.as_deref().and_then(|phase| policy.phase_index(phase));
        let after = now.map_or(0, |index| index + 1);
        let fits = |rule: &&PhaseRule| rule.when.iter().any(|evidence| !is_pull || evidence.kind.is_of_work());
        policy.phases.iter().skip(after).find(fits)
    }

    /// Returns what the item waits for.
    fn turn(&self) -> Option<Turn> {
        if self.derived.next.is_empty() {
            let is_last = self.derived.phase.is_some() && self.derived.ours;
            return is_last.then(|| Turn { words: "done".to_owned(), symbol: "✅" });
        }
        let is_pull = self.eval.facts.pull(self.derived.item).is_some();
        let mut kinds = self.next_rule()?.when.iter().map(|evidence| &evidence.kind);
        let kind = kinds.find(|kind| !is_pull || kind.is_of_work())?;
        let (words, symbol) = match kind {
            EvidenceKind::IssueOpen => ("waiting to be opened", "✋"),
            EvidenceKind::PullRequestOpen | EvidenceKind::BranchLinked { .. } => {
                ("waiting for somebody to open a pull request", "✋")
            }
            EvidenceKind::PullRequestApproved => ("waiting for a reviewer", "✋"),
            EvidenceKind::Merged => ("waiting for somebody who may merge", "✋"),
            EvidenceKind::ChecksPassed { .. } => ("waiting for checks, nothing to do", "⏳"),
            EvidenceKind::Tagged { .. } => ("waiting for somebody who may tag a version", "✋"),
            EvidenceKind::ReleasePublished { .. } => ("waiting for somebody who may publish a release", "✋"),
            EvidenceKind::DeploymentStarted(_) | EvidenceKind::DeploymentSucceeded(_) => {
                ("waiting for somebody who may deploy", "✋")
            }
            EvidenceKind::Soaked { .. } => ("being watched, nothing to do", "⏳"),
        };
        Some(Turn { words: words.to_owned(), symbol })
    }
}
