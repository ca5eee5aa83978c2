//! First lines: the state, and whose turn it is.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    command::status_comment::{StatusComment, numbers},
    commits::landing::{Landing, Work},
    context::rights::{DEPLOYS, TRIAGES, WRITERS, who_may},
    domain::{
        event::Verdict,
        fact::item::{OverrideKind, PhaseOverride, PullFacts, ReviewFact},
        id::ItemId,
        policy::{EnvironmentFilter, EvidenceKind, Mode, PhaseRule},
        rule::{AutoRule, Trigger},
        turn::Turn,
    },
    evidence::{overrides, shipped::names_environment},
    text::{
        message::{capitalized, command, duration, person, quoted, sentence},
        people, sanitize,
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
        let turn = self.turn();
        let symbol = if turn.is_of_people() { "✋" } else { "⏳" };
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
            (None, None) => Heading { state: String::new(), turn },
        };
        let state = if heading.state.is_empty() { String::new() } else { format!("{}. ", capitalized(&heading.state)) };
        let mut text = format!("### {} · {state}{}\n", self.heading(), heading.turn.words());
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

    /// Returns who moves the item on.
    fn turn(&self) -> Turn {
        let number = self.derived.item;
        let is_pull = self.eval.facts.pull(number).is_some();
        let Some(rule) = self.next_rule().filter(|_| !self.derived.next.is_empty()) else { return Turn::Nobody };
        let mut kinds = rule.when.iter().map(|evidence| &evidence.kind);
        let Some(kind) = kinds.find(|kind| !is_pull || kind.is_of_work()) else { return Turn::Nobody };
        let change = || self.landed().map_or_else(|| "it".to_owned(), |landing| landing.sha.code());
        match kind {
            EvidenceKind::IssueOpen => Turn::people("someone with triage access", "reopen it"),
            EvidenceKind::PullRequestOpen | EvidenceKind::BranchLinked { .. } if is_pull => {
                Turn::people("its author", "open it")
            }
            EvidenceKind::PullRequestOpen | EvidenceKind::BranchLinked { .. } => {
                Turn::people("anyone", format!("open a pull request that closes #{number}"))
            }
            EvidenceKind::PullRequestApproved => self.unready().unwrap_or_else(|| {
                let who = format!("{WRITERS} but its author");
                Turn::people(who, format!("approve {} in a review", self.pulls(is_pull)))
            }),
            EvidenceKind::Merged => self.unready().or_else(|| self.approved()).unwrap_or_else(|| {
                Turn::people("a reviewer with write access", format!("review and merge {}", self.pulls(is_pull)))
            }),
            EvidenceKind::ChecksPassed { named } => match self.landed() {
                Some(landing) => self.eval.turn_of_checks(&landing.sha, &landing.branch, named),
                None => Turn::by_itself("phasebot waits for its checks"),
            },
            EvidenceKind::Tagged { .. } => {
                Turn::people(WRITERS, format!("push a version tag that contains {}", change()))
            }
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
    fn landed(&self) -> Option<&Landing> {
        self.landings.iter().filter(|landing| landing.until.is_none()).max_by_key(|landing| landing.from)
    }

    /// Returns the pull request whose merge moves the item on, if there is only one.
    fn only_pull(&self) -> Option<(ItemId, &PullFacts)> {
        let facts = self.eval.facts;
        let works = match facts.pull(self.derived.item) {
            Some(_) => [Work::Pull(self.derived.item)].into(),
            None => self.eval.works_on(self.derived.item),
        };
        let pulls = works.into_iter().filter_map(|work| if let Work::Pull(pull) = work { Some(pull) } else { None });
        let is_open = |pull: &ItemId| {
            facts.items.get(pull).is_some_and(|item| item.closed(self.eval.now).is_none())
                && facts.pull(*pull).is_some_and(|pull| pull.merged.is_none())
        };
        let mut open = pulls.filter(is_open);
        let only = open.next().filter(|_| open.next().is_none())?;
        Some((only, facts.pull(only)?))
    }

    /// Returns the turn of a pull request's author, if it is a draft or a review requests changes.
    fn unready(&self) -> Option<Turn> {
        let (number, pull) = self.only_pull()?;
        let author =
            || people::authors(self.eval.facts, &[number]).unwrap_or_else(|| format!("the author of #{number}"));
        if pull.shape.as_ref().is_some_and(|shape| shape.value.draft) {
            return Some(Turn::people(author(), format!("mark #{number} as ready for review")));
        }
        let is_against = self.verdicts(pull).contains(&Verdict::ChangesRequested);
        is_against.then(|| Turn::people(author(), format!("push the changes that the review of #{number} requests")))
    }

    /// Returns the turn of those who merge a pull request that is approved, or of its merge queue.
    fn approved(&self) -> Option<Turn> {
        let (number, pull) = self.only_pull()?;
        if pull.queued.as_ref().is_some_and(|queued| queued.value) {
            return Some(Turn::by_itself(format!("the merge queue merges #{number}")));
        }
        let is_approved = self.verdicts(pull).contains(&Verdict::Approved);
        is_approved.then(|| Turn::people(WRITERS, format!("merge #{number}")))
    }

    /// Returns the last verdict of each reviewer with write access; a comment is none.
    fn verdicts(&self, pull: &PullFacts) -> Vec<Verdict> {
        let mut reviews: Vec<&ReviewFact> = pull.reviews.values().map(|review| &review.value).collect();
        reviews.retain(|review| review.verdict != Verdict::Commented && self.eval.writes(&review.reviewer));
        reviews.sort_by_key(|review| review.submitted_at);
        let last: BTreeMap<&str, Verdict> =
            reviews.into_iter().map(|review| (review.reviewer.login.as_str(), review.verdict)).collect();
        last.into_values().collect()
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

    /// Returns who deploys the change where it has to run next.
    fn deploys_next(&self, filter: &EnvironmentFilter, change: &str) -> Turn {
        let policy = self.eval.policy;
        let is_meant = |name: &String| {
            let production = policy.production(name);
            names_environment(filter, name) && filter.production.is_none_or(|wanted| production == Some(wanted))
        };
        let Some(mut target) = self.names().into_iter().rfind(is_meant) else {
            return Turn::people(WRITERS, format!("deploy {change}"));
        };
        // An environment that comes first is first.
        for _ in 0..MOST_PHASES {
            let before = policy.environments.get(&target).and_then(|rule| {
                rule.after.iter().find(|name| {
                    let current = self.eval.history(name).current();
                    current.and_then(|run| run.commit).and_then(|sha| self.carries(sha)) != Some(true)
                })
            });
            let Some(before) = before else { break };
            target.clone_from(before);
        }
        let rule = policy.environments.get(&target).filter(|rule| rule.deploy.is_some() && policy.mode == Mode::Act);
        let Some(rule) = rule else {
            return Turn::people(WRITERS, format!("deploy {change} to {}", quoted(&target)));
        };
        let landing = self.landed();
        if landing.is_some_and(|landing| self.is_deployed_by_itself(&rule.auto, &target, landing)) {
            return Turn::by_itself(format!("phasebot deploys {change} to {}", quoted(&target)));
        }
        // On a pull request, the command means its commit.
        let is_pull = self.eval.facts.pull(self.derived.item).is_some();
        let reference = landing.filter(|_| !is_pull).map(|landing| format!("ref={}", landing.sha.short()));
        let words: Vec<&str> = ["deploy", &target].into_iter().chain(reference.as_deref()).collect();
        Turn::people(who_may(policy, "deploy", DEPLOYS), format!("comment {} to deploy {change}", command(&words)))
    }

    /// Returns true if phasebot deploys what landed there without a command, and has not tried yet.
    fn is_deployed_by_itself(&self, auto: &AutoRule, environment: &str, landing: &Landing) -> bool {
        let (facts, policy) = (self.eval.facts, self.eval.policy);
        let is_default = landing.branch == facts.default_branch();
        let takes = policy.services.is_empty()
            && auto.on.contains(&Trigger::Merge)
            && auto.takes_branch(&landing.branch).unwrap_or(is_default);
        let mut tried = facts.requests.index().by_commit.of(&landing.sha).filter_map(|id| facts.requests.get(id));
        takes && !tried.any(|request| request.environment == environment && request.end().is_some())
    }
}
