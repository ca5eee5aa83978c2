//! Evidence for each phase: spans of time, by kind of evidence.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    commits::landing::{Landing, Work},
    context::EvalContext,
    domain::{
        fact::item::{ItemFacts, PhaseOverride},
        policy::{Evidence, EvidenceKind},
        service::Scope,
        when::{Span, earlier},
    },
    evidence::{
        overrides,
        shipped::{release_spans, thinned},
    },
    text::message,
};

/// A span of evidence for a phase.
pub(crate) struct EvidenceSpans {
    pub(crate) phase: usize,
    pub(crate) code: &'static str,
    pub(crate) line: u32,
    pub(crate) span: Span,
}

/// Returns the evidence that `work`, or without one the item itself, gives to the item
/// within a scope.
pub(crate) fn evidence_spans(
    eval: &EvalContext<'_>,
    item: &ItemFacts,
    work: Option<&Work>,
    cycle: Timestamp,
    scope: Scope<'_>,
) -> Vec<EvidenceSpans> {
    proofs_for(eval, item, item, work, cycle, scope)
}

/// Returns the evidence that `work`, or without one the item `source` itself, gives to `shown`
/// within a scope.
pub(crate) fn proofs_for(
    eval: &EvalContext<'_>,
    shown: &ItemFacts,
    source: &ItemFacts,
    work: Option<&Work>,
    cycle: Timestamp,
    scope: Scope<'_>,
) -> Vec<EvidenceSpans> {
    let landings = work.map(|w| eval.landings(w));
    let landings: Vec<Landing> = landings.iter().flat_map(|c| c.iter()).filter(|c| c.from >= cycle).cloned().collect();
    let released: Vec<Vec<Span>> = landings.iter().map(|c| release_spans(eval, c, scope)).collect();
    let marks: Vec<PhaseOverride> = overrides::marks(shown, eval.policy).collect();
    let mut proofs = Vec::new();
    for (phase, rule) in eval.policy.phases.iter().enumerate() {
        for evidence in &rule.when {
            if !labels_match(shown, evidence) {
                continue;
            }
            let spans = match work {
                None => own_spans(eval, source, evidence),
                Some(work) => work_spans(eval, source, work, evidence, (&landings, &released), scope),
            };
            let spans = thinned(spans, &marks);
            let code = evidence.kind.key();
            proofs.extend(spans.into_iter().filter_map(|s| s.clip(cycle, None)).map(|span| EvidenceSpans {
                phase,
                code,
                line: rule.line,
                span,
            }));
        }
    }
    proofs
}

fn labels_match(item: &ItemFacts, evidence: &Evidence) -> bool {
    evidence.labels.is_empty()
        || item.labels.iter().flat_map(|l| &l.names).any(|name| evidence.labels.iter().any(|p| p.matches(name)))
}

/// Returns the evidence that an issue has by itself.
fn own_spans(eval: &EvalContext<'_>, issue: &ItemFacts, evidence: &Evidence) -> Vec<Span> {
    match &evidence.kind {
        EvidenceKind::IssueOpen => open_spans(issue, eval.now)
            .map(|(from, until)| Span { from, until, because: "the issue is open".into() })
            .collect(),
        EvidenceKind::BranchLinked { numeric } => {
            let branches = eval.linked_branches(issue.number, *numeric);
            let branches = branches.into_iter().filter(|(name, _, _)| branch_matches(evidence, name));
            let spans = branches.filter_map(|(name, from, until)| {
                Span::between(from, until, format!("branch {} is for it", message::quoted(&name)))
            });
            let open: Vec<_> = open_spans(issue, eval.now).collect();
            spans
                .flat_map(|s| open.iter().filter_map(move |(from, until)| s.clip(*from, *until)).collect::<Vec<_>>())
                .collect()
        }
        EvidenceKind::PullRequestOpen
        | EvidenceKind::PullRequestApproved
        | EvidenceKind::Merged
        | EvidenceKind::ChecksPassed { .. }
        | EvidenceKind::Tagged { .. }
        | EvidenceKind::ReleasePublished { .. }
        | EvidenceKind::DeploymentStarted(_)
        | EvidenceKind::DeploymentSucceeded(_)
        | EvidenceKind::Soaked { .. } => Vec::new(),
    }
}

/// Returns the evidence that a pull request or a commit gives.
fn work_spans(
    eval: &EvalContext<'_>,
    source: &ItemFacts,
    work: &Work,
    evidence: &Evidence,
    (landings, released): (&[Landing], &[Vec<Span>]),
    scope: Scope<'_>,
) -> Vec<Span> {
    let on_branch = || landings.iter().zip(released).filter(|(c, _)| branch_matches(evidence, &c.branch));
    match &evidence.kind {
        EvidenceKind::IssueOpen | EvidenceKind::BranchLinked { .. } => Vec::new(),
        EvidenceKind::PullRequestOpen => match work {
            Work::Pull(_) => eval.pull_open_spans(source, landings, evidence),
            Work::Commit(_) => Vec::new(),
        },
        EvidenceKind::PullRequestApproved => {
            let Some(pull) = source.pull.as_ref() else { return Vec::new() };
            if pull.target().is_some_and(|target| !branch_matches(evidence, target)) {
                return Vec::new();
            }
            eval.approvals(pull)
                .map(|(at, by)| Span::open(at, format!("{} approved #{}", message::quoted(by), source.number)))
                .collect()
        }
        EvidenceKind::Merged => {
            on_branch().filter_map(|(c, _)| Span::between(c.from, c.until, c.how.clone())).collect()
        }
        EvidenceKind::ChecksPassed { named } => on_branch().flat_map(|(c, _)| eval.tested(c, work, named)).collect(),
        EvidenceKind::Tagged { also } => on_branch().flat_map(|(c, _)| eval.tagged(c, also, scope)).collect(),
        EvidenceKind::ReleasePublished { prereleases } => {
            on_branch().flat_map(|(c, _)| eval.released(c, *prereleases, scope)).collect()
        }
        EvidenceKind::DeploymentStarted(filter) => {
            on_branch().flat_map(|(c, released)| eval.deploying(c, filter, released, scope)).collect()
        }
        EvidenceKind::DeploymentSucceeded(filter) => {
            on_branch().flat_map(|(c, _)| eval.deployed(c, filter, scope)).flat_map(|(_, spans)| spans).collect()
        }
        EvidenceKind::Soaked { environments, quiet } => {
            on_branch().flat_map(|(c, _)| eval.soaked(c, environments, *quiet, scope)).collect()
        }
    }
}

fn branch_matches(evidence: &Evidence, branch: &str) -> bool {
    evidence.branches.is_empty() || evidence.branches.iter().any(|p| p.matches(branch))
}

/// Returns the times at which an item was open.
pub(crate) fn open_spans(item: &ItemFacts, now: Timestamp) -> impl Iterator<Item = (Timestamp, Option<Timestamp>)> {
    let merged = item.pull.as_ref().and_then(|p| p.merged.as_ref()).map(|m| m.at);
    let openings: BTreeSet<Timestamp> =
        item.created_at.into_iter().chain(item.reopenings.iter().copied()).chain(item.reopened_at(now)).collect();
    openings.into_iter().map(move |from| {
        let closed = item.closings.range(from..).next().map(|(at, _)| *at);
        (from, earlier(closed, merged.filter(|at| *at >= from)))
    })
}
