//! Derives the phase of an item, and its whole history, from evidence.
//!
//! Each piece of evidence is a set of time spans. At any time, the phase is the furthest one with a
//! span that covers that time; sweeping over the ends of all spans gives the history. Nothing here
//! depends on when an event arrived.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::landing::Work,
    context::EvalContext,
    domain::{
        derived::{Derived, Reason, Transition},
        event::CloseReason,
        fact::item::{ItemFacts, OverrideKind, PhaseOverride},
        id::ItemId,
        policy::EvidenceKind,
        service::Scope,
    },
    evidence::{
        overrides,
        spans::{EvidenceSpans, evidence_spans},
    },
    incident,
    phase::{
        linked_work::{LinkedWork, linked_work},
        links::CLOSING_LAG,
    },
    text::message,
};

/// A phase with evidence, and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    phase: usize,
    reason: Reason,
}

/// Derives the phase, history and reasons of one item.
pub(crate) fn derive(eval: &EvalContext<'_>, number: ItemId) -> Derived {
    let Some(item) = eval.facts.items.get(&number) else {
        return nothing(number, "unknown", "nothing is recorded of it", false);
    };
    if let Some(left_alone) = left_alone(eval, item) {
        return left_alone;
    }
    let sweep = Sweep::new(eval, item);
    sweep.want_closer();
    let mut history = sweep.history();
    if let Some(first) = history.first().map(|first| first.at)
        && let Some(origin) = incident::origin(eval, number).filter(|origin| origin.at <= first)
    {
        history.insert(0, origin);
    }
    let current = sweep.at(eval.now);
    let reason = current.clone().map_or_else(|| sweep.why_nothing(eval.now), |hit| hit.reason);
    let wake_at = sweep.moments.range(eval.now..).find(|at| **at > eval.now).copied();
    Derived {
        item: number,
        phase: current.as_ref().map(|hit| eval.policy.phases[hit.phase].name.clone()),
        ours: true,
        since: history.last().map(|t| t.at),
        reason,
        next: sweep.next(current.as_ref()),
        history,
        pulls: sweep.strands.iter().filter_map(|strand| strand.work.pull()).collect(),
        wake_at,
    }
}

fn nothing(item: ItemId, code: &str, sentence: &str, ours: bool) -> Derived {
    let reason = Reason { code: code.into(), sentence: sentence.into(), rule: String::new() };
    let (phase, since, wake_at) = (None, None, None);
    let (next, history, pulls) = (Vec::new(), Vec::new(), BTreeSet::new());
    Derived { item, phase, ours, since, reason, next, history, pulls, wake_at }
}

/// Returns the result for an item whose labels are not ours to change, with the reason.
fn left_alone(eval: &EvalContext<'_>, item: &ItemFacts) -> Option<Derived> {
    let leave = |code: &str, sentence: &str| Some(nothing(item.number, code, sentence, false));
    if item.gone.is_some() {
        return leave("gone", "it was deleted or moved to another repository");
    }
    if item.notice {
        return leave("notice", "it is phasebot's own notice about the policy file");
    }
    let mark = overrides::mark(item, eval.policy, eval.now);
    if let Some(mark) = mark.as_ref().filter(|m| m.word == OverrideKind::OptOut) {
        let by = message::quoted(&mark.by);
        return leave("opted_out", &format!("{by} took the label off; `/phase auto` brings it back"));
    }
    let since = mark.filter(|m| m.word == OverrideKind::Auto).map(|m| m.at);
    if let Some(second) = overrides::contest(item, eval.policy, since) {
        let by = message::quoted(&second.by);
        return leave(
            "contested",
            &format!("{by} sets phase labels too; we stepped back. `/phase auto` takes it up again"),
        );
    }
    let labels = item.labels.iter().flat_map(|l| &l.names);
    if let Some(label) = labels.into_iter().find(|l| eval.policy.ignore.labels.iter().any(|p| p.matches(l))) {
        return leave("ignored", &format!("the policy ignores items labelled {}", message::quoted(label)));
    }
    let author = item.author.as_ref().filter(|a| eval.policy.ignore.authors.iter().any(|login| a.is_called(login)));
    if let Some(author) = author
        && eval.named_issues(item.number).is_empty()
    {
        return leave("ignored", &format!("the policy ignores items by {}", message::quoted(&author.login)));
    }
    let ended = item.closed(eval.now).map(|(at, _)| at);
    if ended.is_some_and(|at| item.before_record(at)) {
        return leave("before_record", "it was closed before the recorded history");
    }
    None
}

/// Returns the history of an item in its present cycle by its evidence, whether or not its labels
/// are ours to change.
pub(crate) fn evidence_history<'f>(eval: &EvalContext<'f>, item: &'f ItemFacts) -> Vec<Transition> {
    Sweep::new(eval, item).history()
}

/// Returns whether a person closed an issue at this time, rather than a merge.
pub(crate) fn is_closed_by_hand<'f>(eval: &EvalContext<'f>, item: &'f ItemFacts, closing: Timestamp) -> bool {
    Sweep::new(eval, item).by_hand(closing)
}

/// Returns the latest time at which the work that closed an issue may have landed, given that
/// clocks differ.
fn lagging(closing: Timestamp) -> Timestamp {
    closing.checked_add(CLOSING_LAG).unwrap_or(closing)
}

/// Returns the least advanced of some phases; nothing if one of them is none.
fn least(hits: impl Iterator<Item = Option<Hit>>) -> Option<Hit> {
    let least = hits.reduce(|a, b| match (a, b) {
        (Some(a), Some(b)) => Some(if b.phase < a.phase { b } else { a }),
        _ => None,
    });
    least.flatten()
}

/// Returns the phase of an item within each service that it belongs to, with the reason; empty if
/// it belongs to none.
pub(crate) fn by_service(eval: &EvalContext<'_>, number: ItemId) -> Vec<(String, Option<(String, Reason)>)> {
    let Some(item) = eval.facts.items.get(&number) else { return Vec::new() };
    let sweep = Sweep::new(eval, item);
    let live = sweep.leading(eval.now);
    let own = sweep.own.iter().map(|(scope, proofs)| (*scope, proofs));
    let all: Vec<(Scope<'_>, &Vec<EvidenceSpans>)> = own.chain(live.iter().map(|s| (s.scope, &s.proofs))).collect();
    let services: BTreeSet<&str> = all.iter().filter_map(|(scope, _)| scope.service_name()).collect();
    let phase = |service: &str| {
        let of = all.iter().filter(|(scope, _)| scope.service_name() == Some(service));
        let hit = least(of.map(|(_, proofs)| sweep.furthest(proofs, eval.now, None)))?;
        Some((eval.policy.phases[hit.phase].name.clone(), hit.reason))
    };
    services.into_iter().map(|service| (service.to_owned(), phase(service))).collect()
}

/// Inputs of a sweep over an item's history.
struct Sweep<'a, 'f> {
    eval: &'a EvalContext<'f>,
    item: &'f ItemFacts,
    cycle: Timestamp,
    /// People's overrides of the phase.
    marks: BTreeSet<PhaseOverride>,
    /// Evidence of the item itself, by the parts of the repository in which it has to advance.
    own: Vec<(Scope<'f>, Vec<EvidenceSpans>)>,
    /// Pull requests and commits that an issue follows, each once for every such part; empty for a
    /// pull request.
    strands: Vec<LinkedWork<'f>>,
    /// Every time at which the phase may change.
    moments: BTreeSet<Timestamp>,
}

impl<'a, 'f> Sweep<'a, 'f> {
    fn new(eval: &'a EvalContext<'f>, item: &'f ItemFacts) -> Self {
        let cycle = item.cycle_start(eval.now).unwrap_or(Timestamp::MIN);
        let works = if item.is_pull { [Work::Pull(item.number)].into() } else { eval.works_on(item.number) };
        let mut moments = BTreeSet::from([cycle]);
        if !eval.policy.services.is_empty() {
            moments.extend(works.iter().filter_map(|work| eval.files_due_at(work)));
        }
        let (own, strands) = if item.is_pull {
            let work = Work::Pull(item.number);
            let spans = |scope| (scope, evidence_spans(eval, item, Some(&work), cycle, scope));
            (eval.scopes_of(&work).into_iter().map(spans).collect(), Vec::new())
        } else {
            let scoped = works.into_iter().flat_map(|work| {
                let scopes = eval.scopes_of(&work);
                scopes.into_iter().map(move |scope| (work.clone(), scope))
            });
            let strands = scoped.filter_map(|(work, scope)| linked_work(eval, item, work, cycle, scope));
            let own = evidence_spans(eval, item, None, cycle, Scope::Everything);
            (vec![(Scope::Everything, own)], strands.collect())
        };
        for proof in own.iter().map(|(_, own)| own).chain(strands.iter().map(|s| &s.proofs)).flatten() {
            moments.insert(proof.span.from);
            moments.extend(proof.span.until);
        }
        let onward = strands.iter().filter_map(|s| s.waits.as_ref()).flat_map(|(_, onward)| onward);
        for (from, until) in strands.iter().flat_map(|s| &s.lives).chain(onward) {
            moments.insert(*from);
            moments.extend(*until);
        }
        moments.extend(item.closings.keys());
        let marks: BTreeSet<PhaseOverride> = overrides::marks(item, eval.policy).collect();
        moments.extend(marks.iter().map(|m| m.at));
        moments.retain(|at| *at >= cycle);
        Self { eval, item, cycle, marks, own, strands, moments }
    }

    fn history(&self) -> Vec<Transition> {
        let mut history: Vec<Transition> = Vec::new();
        for at in self.moments.range(..=self.eval.now) {
            let hit = self.at(*at);
            let to = hit.as_ref().map(|h| self.eval.policy.phases[h.phase].name.clone());
            if to == history.last().and_then(|t| t.to.clone()) {
                continue;
            }
            let reason = hit.map_or_else(|| self.why_nothing(*at), |h| h.reason);
            history.push(Transition { at: *at, to, reason });
        }
        history
    }

    /// Returns the phase at a given time.
    fn at(&self, at: Timestamp) -> Option<Hit> {
        let mark = self.marks.iter().rev().find(|mark| mark.at <= at);
        let (baseline, after) = match mark.map(|m| (&m.word, m.at)) {
            Some((OverrideKind::Baseline { phase, pin }, since)) if *pin || since >= self.cycle => {
                let hit = self.eval.policy.phase_index(phase).map(|phase| self.set_by_hand(phase, *pin, mark));
                if *pin && hit.is_some() {
                    return hit;
                }
                (hit, Some(since))
            }
            _ => (None, None),
        };
        let closed = self.item.closed(at);
        if self.item.is_pull {
            let merged = self.item.pull.as_ref().and_then(|p| p.merged.as_ref()).is_some_and(|m| m.at <= at);
            if closed.is_some() && !merged {
                return None;
            }
        } else {
            match closed {
                Some((_, CloseReason::NotPlanned | CloseReason::Duplicate)) => return None,
                Some((closing, CloseReason::Completed)) if self.by_hand(closing) => {
                    // Evidence that ended with the closing still counts. So does evidence that
                    // began at the same time: forges count whole seconds, and a script is faster
                    // than that.
                    let just_before = closing.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(closing);
                    let ended = self.standing(just_before, after, baseline.clone());
                    let begun = self.standing(closing, after, baseline);
                    return [ended, begun].into_iter().flatten().max_by_key(|hit| hit.phase);
                }
                _ => {}
            }
        }
        self.standing(at, after, baseline)
    }

    fn standing(&self, at: Timestamp, after: Option<Timestamp>, baseline: Option<Hit>) -> Option<Hit> {
        let best = |proofs: &[EvidenceSpans]| self.furthest(proofs, at, after);
        let live = self.leading(at);
        let works = least(live.iter().map(|s| best(&s.proofs)));
        let own = least(self.own.iter().map(|(_, proofs)| best(proofs)));
        [own, works, baseline].into_iter().flatten().max_by_key(|hit| hit.phase)
    }

    /// Returns the linked work from which the least advanced sets the item's phase: the work that
    /// holds it back, else all live work.
    fn leading(&self, at: Timestamp) -> Vec<&LinkedWork<'f>> {
        let live: Vec<&LinkedWork<'f>> = self.strands.iter().filter(|s| s.is_live(at)).collect();
        let leading: Vec<&LinkedWork<'f>> = live.iter().copied().filter(|s| s.holds_back(at)).collect();
        if leading.is_empty() { live } else { leading }
    }

    fn furthest(&self, proofs: &[EvidenceSpans], at: Timestamp, after: Option<Timestamp>) -> Option<Hit> {
        let standing = proofs.iter().filter(|p| p.span.covers(at) && after.is_none_or(|a| p.span.from > a));
        let best = standing.min_by_key(|p| (std::cmp::Reverse(p.phase), p.span.from, &p.span.because))?;
        let rule = format!("{}:{}", self.eval.policy.source, best.line);
        let reason = Reason { code: best.code.into(), sentence: best.span.because.clone(), rule };
        Some(Hit { phase: best.phase, reason })
    }

    fn set_by_hand(&self, phase: usize, pin: bool, mark: Option<&PhaseOverride>) -> Hit {
        let by = mark.map_or_else(String::new, |m| message::quoted(&m.by));
        let name = message::quoted(&self.eval.policy.phases[phase].name);
        let sentence = if pin { format!("{by} pinned it to {name}") } else { format!("{by} set it to {name}") };
        Hit { phase, reason: Reason { code: "baseline".into(), sentence, rule: String::new() } }
    }

    /// Returns whether an issue was closed by a person rather than by a merge.
    fn by_hand(&self, closing: Timestamp) -> bool {
        let deadline = lagging(closing);
        !self
            .strands
            .iter()
            .any(|s| s.landed.is_some_and(|at| at <= deadline) && s.is_live(closing.max(s.landed.unwrap_or(closing))))
    }

    /// Asks the forge what closed the issue, if it is closed as completed and no linked work is
    /// about to land or explains the closing.
    fn want_closer(&self) {
        let closed = self.item.closed(self.eval.now).filter(|_| !self.item.is_pull);
        let Some((closing, CloseReason::Completed)) = closed else { return };
        let on_the_way = self.strands.iter().any(|s| s.is_live(closing)) && self.eval.now <= lagging(closing);
        if !on_the_way && self.by_hand(closing) {
            self.eval.want_closer(self.item, closing);
        }
    }

    fn why_nothing(&self, at: Timestamp) -> Reason {
        let (code, sentence) = match self.item.closed(at) {
            Some(_) if self.item.is_pull && self.item.pull.as_ref().is_none_or(|p| p.merged.is_none()) => {
                ("closed_unmerged", "it was closed without being merged")
            }
            Some((_, CloseReason::NotPlanned)) => ("not_planned", "it was closed as not planned"),
            Some((_, CloseReason::Duplicate)) => ("duplicate", "it was closed as a duplicate"),
            _ => ("nothing_stands", "no evidence for any phase stands"),
        };
        Reason { code: code.into(), sentence: sentence.into(), rule: String::new() }
    }

    /// Returns messages about what would move the item on, and what blocks it.
    fn next(&self, current: Option<&Hit>) -> Vec<String> {
        let next = current.map_or(0, |hit| hit.phase + 1);
        let is_pull = self.item.is_pull;
        let ended = current.is_none() && self.item.closed(self.eval.now).is_some();
        let mut rules = self.eval.policy.phases.iter().skip(next);
        let Some(rule) = rules.find(|rule| !ended && rule.when.iter().any(|e| !is_pull || e.kind.is_of_work())) else {
            return Vec::new();
        };
        let mut lines = vec![message::would_move(rule, is_pull)];
        let live = self.leading(self.eval.now);
        for evidence in &rule.when {
            let EvidenceKind::ChecksPassed { named } = &evidence.kind else { continue };
            let own = self.item.is_pull.then_some(Work::Pull(self.item.number));
            for work in live.iter().map(|s| &s.work).chain(own.as_ref()) {
                lines.extend(
                    self.eval
                        .landings(work)
                        .iter()
                        .filter(|c| c.until.is_none())
                        .map(|c| self.eval.why_not_passed(&c.sha, &c.branch, named)),
                );
            }
        }
        let works: BTreeSet<&Work> = live.iter().map(|s| &s.work).collect();
        if works.len() > 1 {
            let behind = live.iter().min_by_key(|s| self.furthest(&s.proofs, self.eval.now, None).map(|h| h.phase));
            if let Some(Work::Pull(number)) = behind.map(|s| &s.work) {
                lines.push(format!("#{number} is the least advanced of its {} pull requests", works.len()));
            }
        }
        lines.dedup();
        lines
    }
}
