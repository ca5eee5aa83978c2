//! Presentation of a decision: a check run, or its conditions in a comment. What blocks comes
//! first; what passes is one line, with the reasons folded.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::{
    context::{
        EvalContext,
        rights::{FREEZES, WRITERS, who_may},
    },
    domain::{
        decision::{Condition, ConditionState, Decision, GateName},
        effect::{CheckVerdict, Effect},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd},
        },
        policy::Policy,
        rule::name_key,
        turn::Turn,
    },
    gate::{
        approvers,
        missing_approval::{self, Missing},
        sentence_of,
    },
    text::{
        headline,
        links::Links,
        message::{capitalized, cell, command, moment, person, plain, quoted},
    },
};

/// Limit on the rows of a table; a policy file may nest hundreds.
const MOST_ROWS: usize = 100;
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
    let (closed, all) = decision.closed();
    let state = match blocking(decision).first() {
        Some(first) => format!("Blocked: {closed} of {all} — {}", short(&first.sentence)),
        None => passed(decision),
    };
    one_line(&turn.after(&state))
}

/// Returns the state of an open gate.
fn passed(decision: &Decision) -> String {
    let waived = decision.conditions.iter().filter(|c| c.standing == ConditionState::Waived).count();
    if waived == 0 { "Passed".to_owned() } else { format!("Passed, {waived} of {} waived", decision.conditions.len()) }
}

/// Returns by whom and why conditions were waived, such as ``waived by `dave` ``.
fn waived_words(decision: &Decision) -> Option<&str> {
    let first = decision.conditions.iter().find(|condition| condition.standing == ConditionState::Waived)?;
    first.sentence.split("; without the waiver").next()
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
    let mut summary = format!("{mark} {}\n", headline::line(&state, &linked));
    if let Some(command) = first.filter(|_| !is_over).and_then(|_| command_in(&linked)) {
        let _ = write!(summary, "\n```text\n{command}\n```\n");
    }
    summary.push('\n');
    // What is said above is not said again as a row.
    let is_said =
        |condition: &&Condition| condition.parts.is_empty() && condition.link.is_none() && condition.next_at.is_none();
    summary.push_str(&conditions_but(decision, first.filter(is_said), page.policy, &links));
    if let Some(carries) = carries {
        let _ = write!(summary, "\n### What it carries\n\n{carries}\n");
    }
    run(page, decision, verdict, title_with(decision, &turn(&approvers_unlinked)), summary)
}

fn of_gate(gate: &GateName) -> String {
    match gate {
        GateName::Release(name) | GateName::Deploy(name) => quoted(name),
    }
}

/// Returns the command that somebody has to comment, if that is what they do.
fn command_in(turn: &Turn) -> Option<&str> {
    let Turn::People { act, .. } = turn else { return None };
    act.strip_prefix("comment `")?.split('`').next().filter(|command| command.starts_with('/'))
}

/// Returns the check run of an automatic deploy that did not happen. `why` begins with a first line.
pub(super) fn came_to_nothing(page: Page<'_>, decision: &Decision, why: &str) -> Effect {
    let summary = format!("❌ {why}\n\n{}", conditions(decision, page.policy, &Links::of(page.facts)));
    let line = why.lines().next().unwrap_or_default().trim_end_matches('.');
    run(page, decision, CheckVerdict::Failure, one_line(&format!("Not deployed — {line}")), summary)
}

/// Returns the check run of a deploy that started and failed. `why` begins with a first line.
pub(super) fn deploy_failed(page: Page<'_>, decision: &Decision, why: &str) -> Effect {
    let summary = format!("❌ {why}\n\n{}", conditions(decision, page.policy, &Links::of(page.facts)));
    // The gate may have shut since the deploy started.
    let state = if decision.standing.is_open() { "Gate passed, deploy failed" } else { "Deploy failed" };
    let turn = headline::turn_in(why).trim_end_matches('.');
    run(page, decision, CheckVerdict::Failure, one_line(&format!("{state}. {turn}")), summary)
}

/// Returns the check run of a gate that the policy no longer has. It fails.
pub(super) fn abolished(page: Page<'_>, decision: &Decision) -> Effect {
    let turn = Turn::people(
        "an administrator of the repository",
        format!("end the requirement of {}, if a rule of a branch or tag has it", quoted(&decision.gate.check())),
    );
    let line = headline::line("the policy no longer has this gate, so nothing passes it", &turn);
    let last = conditions(decision, page.policy, &Links::of(page.facts));
    let summary = format!("❌ {line} Its last evaluation:\n\n{last}");
    run(page, decision, CheckVerdict::Failure, one_line(line.trim_end_matches('.')), summary)
}

fn run(page: Page<'_>, decision: &Decision, verdict: CheckVerdict, title: String, mut summary: String) -> Effect {
    let name = decision.gate.check();
    summary.push_str(&page.footer(decision));
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

impl<'a> Page<'a> {
    /// Returns the newest deploy request that a decision is about.
    fn request(self, decision: &Decision) -> Option<&'a DeployRequest> {
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
        let line = command(&["release", "publish", &draft.tag]);
        Turn::people(who_may(self.policy, "release", FREEZES), format!("comment {line}"))
    }

    fn after_deploy_gate(self, decision: &Decision) -> Turn {
        match self.request(decision) {
            Some(request) if matches!(request.origin, Origin::Command(_)) => {
                Turn::by_itself(format!("phasebot carries out the deploy that {} asked for", person(&request.by.login)))
            }
            Some(_) => Turn::by_itself("phasebot carries out the deploy"),
            None => Turn::by_itself("the job that waits for it starts"),
        }
    }

    /// Adds the item on which a command has to be commented.
    fn placed(self, decision: &Decision, turn: Turn) -> Turn {
        let request = self.request(decision);
        let item = request.and_then(DeployRequest::item);
        let asker = request.filter(|_| item.is_some()).map(|request| person(&request.by.login));
        let turn = turn.asked_by(asker.as_deref().unwrap_or(WRITERS));
        match (turn, item) {
            (Turn::People { who, act }, Some(item)) if act.starts_with("comment `/") && !act.contains(" on #") => {
                let end = act.rfind('`').map_or(act.len(), |at| at + 1);
                Turn::people(who, format!("{} on #{item}{}", &act[..end], &act[end..]))
            }
            (Turn::People { who, act }, None) if act.starts_with("comment `/") && !act.contains(" on ") => {
                Turn::people(who, format!("{act} on any issue or pull request"))
            }
            (turn, _) => turn,
        }
    }

    /// Returns the last line: who asked, the policy, and when it was decided.
    fn footer(self, decision: &Decision) -> String {
        let links = Links::of(self.facts);
        let mut parts: Vec<String> = Vec::new();
        match self.request(decision).map(|request| (&request.by, &request.origin)) {
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

/// Returns the conditions of the first level that are not open, a person's turn first.
pub(crate) fn blocking(decision: &Decision) -> Vec<&Condition> {
    let closed = decision.conditions.iter().filter(|condition| !condition.standing.is_open());
    let mut closed: Vec<&Condition> = closed.collect();
    closed.sort_by_key(|condition| rank(condition));
    closed
}

/// Returns the place of a closed condition among others: what people have to do first, then what
/// time or a machine decides; in both, what failed comes first.
pub(super) fn rank(condition: &Condition) -> (bool, bool) {
    let has_failed = matches!(condition.standing, ConditionState::Fail | ConditionState::Error);
    (!condition.turn.is_of_people(), !has_failed)
}

/// Returns the symbol of a condition's state: who or what changes it.
pub(crate) fn symbol(condition: &Condition) -> &'static str {
    match (condition.standing, condition.name.as_str()) {
        (ConditionState::Pass, _) => "✅",
        (ConditionState::Waived, _) => "⚠️",
        (_, "lock") => "🔒",
        (_, "freeze") => "🧊",
        (ConditionState::Fail | ConditionState::Pending, "hold") => "⏸️",
        (ConditionState::Fail | ConditionState::Error, _) => "❌",
        (ConditionState::Pending, _) if condition.turn.is_of_people() => "✋",
        (ConditionState::Pending, _) => "⏳",
    }
}

/// Returns the conditions in Markdown: a table of those that block or are waived, and one line of
/// those that pass.
pub(crate) fn conditions(decision: &Decision, policy: &Policy, links: &Links) -> String {
    conditions_but(decision, None, policy, links)
}

fn conditions_but(decision: &Decision, said: Option<&Condition>, policy: &Policy, links: &Links) -> String {
    let mut out = String::new();
    let mut table = Table { zone: &policy.commands.zone, links, left: MOST_ROWS };
    let waived = decision.conditions.iter().filter(|condition| condition.standing == ConditionState::Waived);
    let shown: Vec<&Condition> =
        blocking(decision).into_iter().chain(waived).filter(|one| Some(*one) != said).collect();
    if !shown.is_empty() {
        out.push_str("| State | Condition | Reason |\n| --- | --- | --- |\n");
        for condition in &shown {
            table.row(condition, 0, &mut out);
        }
        if table.left == 0 {
            out.push_str("| … | | more than fits here |\n");
        }
    }
    let passed: Vec<&Condition> =
        decision.conditions.iter().filter(|condition| condition.standing == ConditionState::Pass).collect();
    if !passed.is_empty() {
        let names: Vec<&str> = passed.iter().map(|condition| condition.name.as_str()).collect();
        let _ = writeln!(
            out,
            "{}<details><summary>✅ {}</summary>\n\n| State | Condition | Reason |\n| --- | --- | --- |",
            if shown.is_empty() { "" } else { "\n" },
            names.join(" · ")
        );
        for condition in &passed {
            table.row(condition, 0, &mut out);
        }
        out.push_str("\n</details>\n");
    }
    out
}

/// Rows of conditions.
struct Table<'a> {
    zone: &'a TimeZone,
    links: &'a Links,
    /// Number of rows that may still be written.
    left: usize,
}

impl Table<'_> {
    fn row(&mut self, condition: &Condition, depth: usize, out: &mut String) {
        let Some(rest) = self.left.checked_sub(1) else { return };
        self.left = rest;
        let indent = "&nbsp;&nbsp;".repeat(depth);
        let mut reason = capitalized(&cell(&sentence_of(condition, self.links)));
        if let Some(link) = condition.link.as_ref().filter(|link| is_plain_link(link)) {
            reason = format!("{reason} · [open]({link})");
        }
        let turns = condition.next_at.map(|at| cell(&moment(at, self.zone))).filter(|at| !reason.contains(at.as_str()));
        if let Some(at) = turns {
            reason = format!("{reason} · until {at} at the latest");
        }
        let _ = writeln!(out, "| {} | {indent}**{}** | {reason} |", symbol(condition), cell(&condition.name));
        for part in &condition.parts {
            self.row(part, depth + 1, out);
        }
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
fn one_line(markdown: &str) -> String {
    let text = plain(markdown.lines().next().unwrap_or_default());
    match text.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_plain_link(link: &str) -> bool {
    link.starts_with("https://") && link.bytes().all(|b| b.is_ascii_graphic() && !b"()<>|`\"[]\\".contains(&b))
}
