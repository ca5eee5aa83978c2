//! Presentation of a decision: a check run, or its conditions in a comment. What blocks comes
//! first; what passes is one line, with the reasons folded.

use std::fmt::Write as _;

use crate::{
    context::{
        EvalContext,
        rights::{FREEZES, WRITERS, who_may},
    },
    domain::{
        decision::{ConditionState, Decision, GateName},
        effect::{CheckVerdict, Effect},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind},
        },
        policy::Policy,
        rule::name_key,
        turn::{CommandPlace, Turn},
    },
    gate::{
        approvers,
        condition_order::{blocking, symbol},
        condition_table::{FirstLine, conditions_but, is_plain_link},
        missing_approval::{self, Missing},
    },
    text::{
        headline,
        links::Links,
        message::{capitalized, command_line, moment, person, plain, quoted},
    },
};

/// Limit on the characters of a reason in a title.
const TITLE: usize = 120;
/// Limit on the characters of a title.
const LONGEST_TITLE: usize = 250;

/// The repository and the policy that a check run's page leads to.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) facts: &'a RepoFacts,
    pub(super) policy: &'a Policy,
}

/// Returns a decision as one line of plain text: the state, and whose turn it is.
pub fn title(decision: &Decision) -> String {
    title_with(decision, &decision_turn(decision, Turn::Nobody, approvers_unlinked))
}

fn title_with(decision: &Decision, turn: &Turn) -> String {
    let state = match blocking(decision).first() {
        Some(first) => format!("{} — {}", state(decision), short(&first.sentence)),
        None => passed(decision),
    };
    one_line(&turn.after(&state))
}

/// Returns the state of a decision without a reason: `Blocked: 2 of 5`, `Passed`.
pub(crate) fn state(decision: &Decision) -> String {
    let (closed, all) = decision.closed();
    if closed == 0 { passed(decision) } else { format!("Blocked: {closed} of {all}") }
}

/// Returns the state of an open gate.
pub(super) fn passed(decision: &Decision) -> String {
    let waived = decision.conditions.iter().filter(|c| c.standing == ConditionState::Waived).count();
    if waived == 0 { "Passed".to_owned() } else { format!("Passed, {waived} of {} waived", decision.conditions.len()) }
}

/// Returns by whom and why conditions were waived, such as ``waived by `dave` ``.
fn waived_words(decision: &Decision) -> Option<&str> {
    decision.conditions.iter().find_map(|condition| condition.waiver.as_deref())
}

/// Returns whose turn it is at a gate: `open`, if nothing keeps it closed. `approvers` are the words
/// for those whose approvals are missing.
fn decision_turn(decision: &Decision, open: Turn, approvers: impl Fn(&Missing<'_>) -> String) -> Turn {
    let Some(first) = blocking(decision).first().copied() else { return open };
    match (missing_approval::of_condition(first), missing_approval::of_gate(decision), &first.turn) {
        (Some(_), Some(all), Turn::People { act, .. }) => Turn::people(approvers(&all), act.clone()),
        (_, _, turn) => turn.clone(),
    }
}

fn approvers_unlinked(missing: &Missing<'_>) -> String {
    missing.words(&|one| approvers(one, quoted))
}

/// Returns the check run that shows a decision, with the list of what its subject carries. If it is
/// not `live`, a pending one fails.
pub(super) fn check(page: Page<'_>, decision: &Decision, live: bool, carries: Option<&str>) -> Effect {
    let verdict = match decision.standing {
        ConditionState::Pass | ConditionState::Waived => CheckVerdict::Success,
        ConditionState::Fail | ConditionState::Error => CheckVerdict::Failure,
        ConditionState::Pending if !live => CheckVerdict::Failure,
        ConditionState::Pending if decision.needs_person => CheckVerdict::ActionRequired,
        ConditionState::Pending => CheckVerdict::InProgress,
    };
    let links = Links::of(page.facts);
    let first = blocking(decision).first().copied();
    let is_over = !live && first.is_some();
    let turn = |approvers: &dyn Fn(&Missing<'_>) -> String| {
        if is_over {
            return Turn::by_itself("nobody asks for it any more");
        }
        page.placed(decision, decision_turn(decision, page.after(decision), approvers))
    };
    let linked = turn(&|missing| missing.words(&|one| approvers(one, |team| links.team(team))));
    let (gate, sha) = (of_gate(&decision.gate), decision.sha.code());
    let (mark, state) = match (first, waived_words(decision)) {
        (Some(first), _) => {
            let reason = first.sentence.trim_end_matches('.');
            (symbol(first), format!("the gate of {gate} is closed for {sha}: {reason}"))
        }
        (None, Some(words)) => {
            let passed = passed(decision).trim_end_matches(" waived").to_owned();
            ("⚠️", format!("{passed} conditions {words}: the gate of {gate} is open for {sha}"))
        }
        (None, None) => ("✅", format!("passed: the gate of {gate} is open for {sha}")),
    };
    let link = first.and_then(|first| first.link.as_deref()).filter(|link| is_plain_link(link));
    let details = link.map_or_else(String::new, |link| format!(" · [details]({link})"));
    let mut summary = format!("{mark} {}{details}\n", headline::line(&state, &linked));
    for command in linked.commands() {
        let _ = write!(summary, "\n{}\n", command.block());
    }
    summary.push('\n');
    // What is said above is not said again as a row.
    let first_line = FirstLine { condition: first, waiver: waived_words(decision).filter(|_| first.is_none()) };
    summary.push_str(&conditions_but(decision, first_line, page.policy, &links));
    if let Some(carries) = carries {
        let _ = write!(summary, "\n### What it carries\n\n{carries}\n");
    }
    let title = title_with(decision, &turn(&approvers_unlinked));
    run(page, decision, page.request(decision), verdict, title, summary)
}

pub(super) fn of_gate(gate: &GateName) -> String {
    match gate {
        GateName::Release(name) | GateName::Deploy(name) => quoted(name),
    }
}

/// Returns a check run; `request`: the deploy request that it is about.
pub(super) fn run(
    page: Page<'_>,
    decision: &Decision,
    request: Option<&DeployRequest>,
    verdict: CheckVerdict,
    title: String,
    mut summary: String,
) -> Effect {
    let name = decision.gate.check();
    summary.push_str(&page.footer(decision, request));
    Effect::Report {
        external_id: format!("{name}@{}", decision.sha),
        name,
        gate: Some(decision.gate.clone()),
        sha: decision.sha.clone(),
        verdict,
        title,
        summary: Links::of(page.facts).dress_check(&summary),
        annotations: Vec::new(),
        or_comment: None,
    }
}

/// Returns the turn of phasebot while a deploy may start or has started.
pub(super) fn carries_out(request: &DeployRequest) -> Turn {
    let what = match request.kind {
        RequestKind::Deploy | RequestKind::Promote => "deploy",
        RequestKind::Rollback => "rollback",
    };
    let by = match &request.origin {
        Origin::Command(_) => format!(" that {} asked for", person(&request.by.login)),
        Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => String::new(),
    };
    Turn::by_itself(format!("phasebot carries out the {what}{by}"))
}

impl<'a> Page<'a> {
    /// Returns the newest deploy request that a decision is about.
    pub(super) fn request(self, decision: &Decision) -> Option<&'a DeployRequest> {
        let GateName::Deploy(environment) = &decision.gate else { return None };
        let ids = self.facts.requests.index().by_commit.of(&decision.sha);
        let requests = ids.filter_map(|id| self.facts.requests.get(id));
        let here = requests.filter(|r| r.environment == *environment && !r.dry_run);
        // One that was refused asked for nothing that is shown here.
        here.max_by_key(|r| (!matches!(r.end(), Some(RequestEnd::Refused | RequestEnd::Withdrawn)), r.at))
    }

    /// Returns what follows when a gate is open. Of a draft release that phasebot does not publish by
    /// itself, it is the turn of those who may publish it.
    fn after(self, decision: &Decision) -> Turn {
        let name = match &decision.gate {
            GateName::Release(name) => name,
            GateName::Deploy(_) => return self.after_deploy_gate(decision),
        };
        let goes_on = || Turn::by_itself("what waits for this check goes on");
        let Some(rule) = self.policy.gates.get(&name_key(name)).filter(|rule| rule.draft) else { return goes_on() };
        let eval = EvalContext::new(self.facts, self.policy, decision.at);
        let drafts = self.facts.draft_releases().map(|(_, release)| &release.state.value);
        let is_of = |tag: &str| rule.tag.as_ref().is_none_or(|pattern| pattern.matches(tag));
        let mut here = drafts.filter(|state| {
            is_of(&state.tag) && eval.draft_commit(&state.tag, &state.target).as_ref() == Some(&decision.sha)
        });
        let Some(draft) = here.next() else { return goes_on() };
        if rule.publish {
            return Turn::by_itself(format!("phasebot publishes {}", quoted(&draft.tag)));
        }
        let line = command_line(&["release", "publish", &draft.tag]);
        Turn::people(who_may(self.policy, "release", FREEZES), line)
    }

    fn after_deploy_gate(self, decision: &Decision) -> Turn {
        match self.request(decision).filter(|request| request.is_open()) {
            Some(request) => carries_out(request),
            None => Turn::by_itself("the job that waits for it starts"),
        }
    }

    /// Adds the item on which a command has to be commented.
    fn placed(self, decision: &Decision, turn: Turn) -> Turn {
        let request = self.request(decision);
        let item = request.and_then(DeployRequest::item);
        let asker = request.filter(|_| item.is_some()).map(|request| person(&request.by.login));
        let place = item.map_or(CommandPlace::Anywhere, CommandPlace::On);
        turn.asked_by(asker.as_deref().unwrap_or(WRITERS)).placed(place)
    }

    /// Returns the last line: who asked, the policy, and when it was decided.
    fn footer(self, decision: &Decision, request: Option<&DeployRequest>) -> String {
        let links = Links::of(self.facts);
        let mut parts: Vec<String> = Vec::new();
        match request.map(|request| (&request.by, &request.origin)) {
            Some((by, Origin::Command(id))) => {
                let item = links.command(*id, &format!("#{}", id.item));
                parts.push(format!("Asked for by {} in {item}", person(&by.login)));
            }
            Some((_, Origin::Tag(tag))) => parts.push(format!("For the tag {}", quoted(tag))),
            Some((_, Origin::Incident(_))) => parts.push("Because of an incident".to_owned()),
            Some((_, Origin::Label(pull))) => parts.push(format!("For the label on #{pull}")),
            Some((_, Origin::Merge(branch))) => parts.push(format!("For a merge into {}", quoted(branch))),
            None => {}
        }
        parts.push(match &decision.gate {
            GateName::Release(name) => format!("gate {} at {}", quoted(name), links.commit(&decision.sha)),
            GateName::Deploy(name) => format!("environment {} at {}", quoted(name), links.commit(&decision.sha)),
        });
        parts.push(links.policy(None, "policy"));
        parts.push(moment(decision.at, &self.policy.commands.zone));
        format!("\n{}\n", capitalized(&parts.join(" · ")))
    }
}

/// Returns a reason as plain text, cut to length: titles are not Markdown.
fn short(reason: &str) -> String {
    let reason = plain(reason);
    let first = reason.lines().next().and_then(|line| line.split(". ").next()).unwrap_or_default();
    match first.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}

/// Returns a title: plain text, cut to length.
pub(super) fn one_line(markdown: &str) -> String {
    let text = plain(markdown.lines().next().unwrap_or_default());
    match text.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
