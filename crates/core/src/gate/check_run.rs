//! Presentation of a decision: a check run, or its conditions in a comment. What blocks comes
//! first; what passes is one line, with the reasons folded.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::{
    domain::{
        decision::{Condition, ConditionState, Decision, GateName},
        effect::{CheckVerdict, Effect},
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, Origin, RequestEnd},
        },
        policy::Policy,
    },
    gate::{approve_command, approvers, missing_approval, sentence_of},
    text::{
        links::Links,
        message::{capitalized, cell, moment, person, plain, quoted},
    },
};

/// Limit on the rows of a table; a policy file may nest hundreds.
const MOST_ROWS: usize = 100;
/// Limit on the characters of a reason in a title.
const TITLE: usize = 120;

/// The repository and the policy that a check run's page leads to.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) facts: &'a RepoFacts,
    pub(super) policy: &'a Policy,
}

/// Returns a decision as one line of plain text.
pub fn title(decision: &Decision) -> String {
    let (closed, all) = decision.closed();
    let Some(worst) = decision.worst() else {
        let waived = decision.conditions.iter().filter(|c| c.standing == ConditionState::Waived).count();
        return if waived == 0 { "Passed".to_owned() } else { format!("Passed, {waived} of {all} waived") };
    };
    format!("Blocked: {closed} of {all} — {}", short(&worst.sentence))
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
    let mut summary = String::new();
    let missing = missing_approval::of_gate(decision).filter(|_| live);
    if let Some(missing) = &missing {
        let command = approve_command(match &decision.gate {
            GateName::Deploy(environment) => Some(environment),
            GateName::Release(_) => None,
        });
        let command = command.trim_matches('`');
        let who = missing.words(&|one| approvers(one, |team| links.team(team)));
        let on = page.request(decision).and_then(DeployRequest::item);
        let on = on.map_or_else(String::new, |item| format!(" on #{item}"));
        let _ =
            writeln!(summary, "✋ **Needs approval by {who}.** To approve, comment{on}:\n\n```text\n{command}\n```\n");
    }
    // What is said above is not said again as a table of one row.
    let mut closed = blocking(decision).into_iter().filter(|_| missing.is_some() && decision.closed().0 == 1);
    let said = closed.find(|condition| condition.approval.as_ref().is_some_and(|missing| missing.so_far.is_empty()));
    summary.push_str(&conditions_but(decision, said, page.policy, &links));
    if let Some(carries) = carries {
        let _ = write!(summary, "\n### What it carries\n\n{carries}\n");
    }
    if !live {
        summary.push_str("\nNobody asks for this any more; it is not decided again.\n");
    }
    run(page, decision, verdict, title(decision), summary)
}

/// Returns the check run of an automatic deploy that did not happen, with the reason.
pub(super) fn came_to_nothing(page: Page<'_>, decision: &Decision, why: &str) -> Effect {
    let summary = format!("❌ {why}\n\n{}", conditions(decision, page.policy, &Links::of(page.facts)));
    run(page, decision, CheckVerdict::Failure, format!("Not deployed — {}", short(why)), summary)
}

/// Returns the check run of a deploy that started and failed.
pub(super) fn deploy_failed(page: Page<'_>, decision: &Decision, why: &str) -> Effect {
    let summary = format!("❌ {why}\n\n{}", conditions(decision, page.policy, &Links::of(page.facts)));
    // The gate may have shut since the deploy started.
    let title = if decision.standing.is_open() {
        "Gate passed, deploy failed: retry or go back"
    } else {
        "Deploy failed: retry or go back"
    };
    run(page, decision, CheckVerdict::Failure, title.to_owned(), summary)
}

/// Returns the check run of a gate that the policy no longer has. It fails.
pub(super) fn abolished(page: Page<'_>, decision: &Decision) -> Effect {
    let words = "the policy no longer has this gate, so nothing passes it";
    let last = conditions(decision, page.policy, &Links::of(page.facts));
    let summary = format!("❌ The policy no longer has this gate. Its last evaluation:\n\n{last}");
    run(page, decision, CheckVerdict::Failure, format!("Not evaluated — {words}"), summary)
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
    closed.sort_by_key(|condition| match symbol(condition) {
        "❌" => 0,
        "⏳" => 2,
        _ => 1,
    });
    closed
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
        (ConditionState::Pending, _) if is_by_hand(condition) => "✋",
        (ConditionState::Pending, _) => "⏳",
    }
}

/// Reasons that only a person ends.
const BY_HAND: [&str; 3] = ["approval_missing", "deployed_missing", "deployed_incident"];

fn is_by_hand(condition: &Condition) -> bool {
    BY_HAND.contains(&condition.code.as_str())
        || condition.parts.iter().any(|part| !part.standing.is_open() && is_by_hand(part))
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
        let turns = condition.next_at.map(|at| moment(at, self.zone)).filter(|at| !reason.contains(at.as_str()));
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

fn is_plain_link(link: &str) -> bool {
    link.starts_with("https://") && link.bytes().all(|b| b.is_ascii_graphic() && !b"()<>|`\"[]\\".contains(&b))
}
