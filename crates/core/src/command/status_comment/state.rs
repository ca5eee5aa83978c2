//! First lines: the state, and whose turn it is.

use std::fmt::Write as _;

use crate::{
    command::status_comment::{StatusComment, numbers},
    commits::landing::{Landing, Work},
    context::rights::{TRIAGES, WRITERS, who_may},
    domain::{
        fact::item::{OverrideKind, PhaseOverride},
        id::ItemId,
        policy::{EvidenceKind, PhaseRule},
        turn::{CommandLine, Turn},
    },
    evidence::overrides,
    text::{
        message::{capitalized, duration, person, quoted, sentence},
        sanitize,
    },
};

/// Phases beyond this number are not drawn.
const MOST_PHASES: usize = 12;

/// State and turn of an item, for the heading.
pub(super) struct Heading {
    /// What stands out, without a full stop; empty: the phase says it all.
    pub(super) state: String,
    /// Who acts next.
    pub(super) turn: Turn,
}

impl StatusComment<'_, '_> {
    /// Returns the heading, the phases, and the lines that say whose turn it is.
    pub(super) fn state(&self) -> String {
        let deploys = self.deploys();
        let pin = self.pinned();
        let next = self.next();
        let symbol = if next.turn.is_of_people() { "✋" } else { "⏳" };
        let is_deploy = deploys.heading.is_some();
        let heading = match (deploys.heading, &pin) {
            (Some(heading), _) => heading,
            (None, Some(pin)) => Heading {
                state: format!("pinned by {}", person(&pin.by)),
                turn: Turn::by_itself(format!(
                    "it stays in {} until {} comments `/phase auto`",
                    quoted(self.derived.phase.as_deref().unwrap_or_default()),
                    self.who_pins()
                )),
            },
            (None, None) => next,
        };
        let state = if heading.state.is_empty() { String::new() } else { format!("{}. ", capitalized(&heading.state)) };
        let mut text = format!("### {} · {state}{}\n", self.heading(), heading.turn.words());
        let command = heading.turn.only_command().map(CommandLine::block);
        let path = self.path();
        if !path.is_empty() {
            let _ = writeln!(text, "\n{path}");
        }
        for line in &deploys.lines {
            let _ = writeln!(text, "\n{line}");
        }
        match pin {
            Some(pin) => {
                let _ = writeln!(
                    text,
                    "\n✋ {} pinned it {}. It stays here until {} comments `/phase auto`.",
                    person(&pin.by),
                    self.since(pin.at),
                    self.who_pins()
                );
            }
            None if !is_deploy => {
                let mut next = self.derived.next.iter();
                if let Some(first) = next.next() {
                    let _ = write!(text, "\n{symbol} It moves to {first}.");
                    next.for_each(|more| {
                        let _ = write!(text, " {}", sentence(more));
                    });
                    text.push('\n');
                }
            }
            None => {}
        }
        if let Some(command) = command {
            let _ = writeln!(text, "\n{command}");
        }
        if !is_deploy {
            let _ = writeln!(text, "\n{}", self.reason());
        }
        text
    }

    /// Returns who may unpin an item.
    fn who_pins(&self) -> String {
        who_may(self.eval.policy, "phase", TRIAGES)
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

    /// Returns who moves the item on, and what stands in the way of that.
    fn next(&self) -> Heading {
        let is_pull = self.eval.facts.pull(self.derived.item).is_some();
        let rule = self.next_rule().filter(|_| !self.derived.next.is_empty());
        let kinds = rule.iter().flat_map(|rule| rule.when.iter().map(|evidence| &evidence.kind));
        let (Some(rule), Some(kind)) = (rule, kinds.into_iter().find(|kind| !is_pull || kind.is_of_work())) else {
            return Heading { state: String::new(), turn: Turn::Nobody };
        };
        let is_review = matches!(kind, EvidenceKind::PullRequestApproved | EvidenceKind::Merged);
        let unready = if is_review { self.unready() } else { None };
        unready.unwrap_or_else(|| Heading { state: String::new(), turn: self.turn(rule, kind, is_pull) })
    }

    /// Returns who brings about what moves the item on.
    fn turn(&self, rule: &PhaseRule, kind: &EvidenceKind, is_pull: bool) -> Turn {
        let number = self.derived.item;
        let change = || self.landed().map_or_else(|| "it".to_owned(), |landing| landing.sha.code());
        match kind {
            EvidenceKind::IssueOpen => Turn::people("someone with triage access", "reopen it"),
            EvidenceKind::PullRequestOpen | EvidenceKind::BranchLinked { .. } if is_pull => {
                Turn::people("its author", "open it")
            }
            EvidenceKind::PullRequestOpen | EvidenceKind::BranchLinked { .. } => {
                Turn::people("anyone", format!("open a pull request that closes #{number}"))
            }
            EvidenceKind::PullRequestApproved => {
                let who = format!("{WRITERS} but its author");
                Turn::people(who, format!("approve {} in a review", self.pulls(is_pull)))
            }
            EvidenceKind::Merged => self.approved().unwrap_or_else(|| {
                Turn::people("a reviewer with write access", format!("review and merge {}", self.pulls(is_pull)))
            }),
            EvidenceKind::ChecksPassed { named } => match self.landed() {
                Some(landing) => self.eval.turn_of_checks(&landing.sha, &landing.branch, named),
                None => Turn::by_itself("phasebot waits for its checks"),
            },
            EvidenceKind::Tagged { .. } => self.tags_next(&change()),
            EvidenceKind::ReleasePublished { .. } => {
                Turn::people(WRITERS, format!("publish a release that contains {}", change()))
            }
            EvidenceKind::DeploymentStarted(filter) | EvidenceKind::DeploymentSucceeded(filter) => {
                self.deploys_next(filter, &change())
            }
            EvidenceKind::Soaked { quiet, .. } => Turn::by_itself(format!(
                "phasebot moves it to {} after {} without an incident",
                quoted(&rule.name),
                duration(*quiet)
            )),
        }
    }

    /// Returns where the change is now, if it has landed.
    pub(super) fn landed(&self) -> Option<&Landing> {
        self.landings.iter().filter(|landing| landing.until.is_none()).max_by_key(|landing| landing.from)
    }

    /// Names the pull request, or those of an issue.
    fn pulls(&self, is_pull: bool) -> String {
        if is_pull {
            return format!("#{}", self.derived.item);
        }
        let works = self.eval.works_on(self.derived.item).into_iter();
        let pulls: Vec<ItemId> =
            works.filter_map(|work| if let Work::Pull(pull) = work { Some(pull) } else { None }).collect();
        if pulls.is_empty() { "its pull request".to_owned() } else { numbers(&pulls) }
    }
}
