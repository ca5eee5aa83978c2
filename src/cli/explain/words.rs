//! Text output of `explain`.

use std::io::{self, Write};

use crate::{
    cli::{
        explain::account::{Account, ItemAccount, Outcome},
        text,
    },
    domain::{
        effect::{Effect, LabelSpec},
        fact::DocumentKey,
        needs::Need,
    },
    gate::check_run,
    text::message::quoted,
};

/// Writes the result as text.
pub(super) fn write(account: &Account, out: &mut dyn Write) -> io::Result<()> {
    let place = account.repository.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let at = account.at.map(|at| format!(", {at}")).unwrap_or_default();
    text::put_hanging(out, "", 4, &format!("{}{}{at}", text::line(&account.event), text::line(&place)))?;
    match account.outcome {
        Outcome::Done => {}
        Outcome::Ignored => {
            entry(out, "ignored", &account.note)?;
            return writeln!(out, "It would be kept; no item moves by it.");
        }
        Outcome::Quarantined => {
            entry(out, "not understood", &account.note)?;
            return writeln!(out, "It would be kept as quarantined, and could be replayed after an upgrade.");
        }
    }
    if !account.note.is_empty() {
        entry(out, "note", &account.note)?;
    }
    let facts: Vec<String> = account.facts.iter().filter_map(fact).collect();
    if !facts.is_empty() {
        entry(out, "facts", &facts.join(", "))?;
    }
    for item in &account.items {
        writeln!(out)?;
        write_item(item, out)?;
    }
    if account.items.is_empty() && account.repository.is_some() {
        writeln!(out)?;
        writeln!(out, "It concerns no item that this event alone makes known.")?;
    }
    if !account.effects.is_empty() {
        writeln!(out)?;
        writeln!(out, "Beside labels it would:")?;
        for one in &account.effects {
            text::put_hanging(out, "  ", 4, &text::line(&effect(one)))?;
        }
    }
    for gate in &account.gates {
        writeln!(out)?;
        writeln!(out, "{} on {}", text::line(&gate.gate.check()), gate.sha.short())?;
        entry(out, "gate", &check_run::title(gate))?;
        for condition in &gate.conditions {
            let standing = format!("{:?}", condition.standing).to_lowercase();
            entry(out, &condition.name, &format!("{standing}: {}", condition.sentence))?;
        }
    }
    if !account.asks.is_empty() {
        writeln!(out)?;
        writeln!(out, "The bot would ask the forge first, which is not done here:")?;
        for need in &account.asks {
            text::put_hanging(out, "  ", 4, &text::line(&question(need)))?;
        }
    }
    if account.repository.is_some() {
        writeln!(out)?;
        writeln!(out, "This is told from the one event. What the bot saw before it may lead further.")?;
    }
    Ok(())
}

fn write_item(item: &ItemAccount, out: &mut dyn Write) -> io::Result<()> {
    let phase = item.phase.as_ref().map_or_else(|| "phase: none".to_owned(), |phase| format!("phase: {phase}"));
    let since = item.since.map(|since| format!(", since {since}")).unwrap_or_default();
    text::put_hanging(out, "", 4, &format!("#{} {}{since}", item.item, text::line(&phase)))?;
    let rule = if item.reason.rule.is_empty() { String::new() } else { format!("  [rule {}]", item.reason.rule) };
    entry(out, "why", &format!("{}{rule}", item.reason.sentence))?;
    let mut effects: Vec<String> = item.effects.iter().map(effect).collect();
    effects.extend(item.takes_off.iter().map(|label| format!("take {} off", quoted(label))));
    if effects.is_empty() {
        effects.push(if item.ours { "nothing" } else { "nothing: its labels are left alone" }.to_owned());
    }
    entry(out, "effect", &effects.join(", "))?;
    for next in &item.next {
        entry(out, "next", next)?;
    }
    if let Some(at) = item.wake_at {
        entry(out, "again", &format!("the bot looks again at {at}"))?;
    }
    Ok(())
}

fn entry(out: &mut dyn Write, name: &str, what: &str) -> io::Result<()> {
    text::put(out, &format!("  {name:<8}  "), &text::line(what))
}

pub(in crate::cli) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::SetPhase { label: Some(LabelSpec { name, .. }), .. } => format!("put {} on", quoted(name)),
        Effect::SetPhase { label: None, .. } => "no phase label".to_owned(),
        Effect::SetLabels { item, .. } => format!("change labels on #{item}"),
        Effect::UpsertIssue { title, .. } | Effect::OpenIssue { title, .. } => {
            format!("open the issue {}", quoted(title))
        }
        Effect::EditIssue { item, .. } => format!("edit #{item}"),
        Effect::SetIssueState { item, .. } => format!("open or close #{item}"),
        Effect::UpsertComment { item, .. } => format!("comment on #{item}"),
        Effect::FoldComment { item, .. } => format!("fold a comment on #{item}"),
        Effect::React { .. } => "react to the comment".to_owned(),
        Effect::Report { name, sha, .. } => format!("set the check run {} on {}", quoted(name), sha.short()),
        Effect::Assign { item, .. } => format!("assign people to #{item}"),
        Effect::SetMilestone { item, .. } => format!("set the milestone of #{item}"),
        Effect::RerunFailed { pull, .. } => format!("run failed jobs of #{pull} again"),
        Effect::CreateDeployment { environment, sha, .. } => {
            format!("create a deployment of {} to {}", sha.short(), quoted(environment))
        }
        Effect::Dispatch { environment, sha, .. } => {
            format!("start the workflow that deploys {} to {}", sha.short(), quoted(environment))
        }
        Effect::SetDeployment { deployment, .. } => format!("set the status of deployment {deployment}"),
        Effect::MirrorDeployment { sha, environment, .. } => {
            format!("show the deployment of {} to {} among GitHub's own", sha.short(), quoted(environment))
        }
        Effect::AnswerProtection { run, environment, .. } => {
            format!("answer run {run}, which waits for {}", quoted(environment))
        }
        Effect::TearDown { environment, .. } => format!("start the workflow that tears down {}", quoted(environment)),
        Effect::CancelRun { run } => format!("cancel run {run}"),
        Effect::PublishRelease { tag, .. } => format!("publish the release {}", quoted(tag)),
        Effect::ActOnSchema { pin, act, .. } => {
            format!("{} schema change {} of {}", act.word(), pin.number, quoted(&pin.connection))
        }
        Effect::SetReleaseNotes { tag, .. } => format!("list in the draft release {} what it carries", quoted(tag)),
    }
}

/// Returns a fact's description; `None` for facts that every event has.
fn fact(key: &DocumentKey) -> Option<String> {
    Some(match key {
        DocumentKey::About | DocumentKey::Tags | DocumentKey::Publication(_) | DocumentKey::Gate(..) => return None,
        DocumentKey::Item(number) => format!("item #{number}"),
        DocumentKey::Commit(sha) => format!("commit {}", sha.short()),
        DocumentKey::Push(name, _, after) => format!("push of {} to {}", after.short(), quoted(name.name())),
        DocumentKey::Ref(name) => format!("where {} is", quoted(name.name())),
        DocumentKey::Release(id) => format!("release {id}"),
        DocumentKey::Checks(sha) => format!("checks of {}", sha.short()),
        DocumentKey::Verdicts(sha) => format!("other systems' verdicts on {}", sha.short()),
        DocumentKey::SchemaChange(name, number) => format!("schema change {number} of {}", quoted(name)),
        DocumentKey::Group(sha) => format!("merge group {}", sha.short()),
        DocumentKey::Deployment(id) => format!("deployment {id}"),
        DocumentKey::Incident(id) => format!("incident {}", quoted(id)),
        DocumentKey::Storm(id) => quoted(id),
        DocumentKey::Feedback(id) => format!("feedback {}", quoted(id)),
        DocumentKey::Heartbeat(name) => format!("when {} was heard of", quoted(name)),
        DocumentKey::Command(id) => format!("a command on #{}", id.item),
        DocumentKey::WaitingCommand(id) => format!("a command on #{} that waits for its sender's rights", id.item),
        DocumentKey::Request(id) => format!("deploy {}", quoted(id)),
        DocumentKey::Run(id) => format!("workflow run {id}"),
        DocumentKey::WaitingJob(run, name) => format!("a job of run {run} that waits for {}", quoted(name)),
        DocumentKey::Answer(need) => question(need),
        DocumentKey::Policy => "its policy file".to_owned(),
    })
}

fn question(need: &Need) -> String {
    match need {
        Need::Writer { login, .. } => format!("whether {} may write", quoted(login)),
        Need::LinkedIssues { pull } => format!("which issues it links to #{pull}"),
        Need::Closer { issue, .. } => format!("what closed #{issue}"),
        Need::LinkedBranches { issue } => format!("which branches it links to #{issue}"),
        Need::Commits { base: Some(base), head } => {
            format!("which commits {} has that {} has not", head.short(), base.short())
        }
        Need::Commits { base: None, head } => format!("which commits lead to {}", head.short()),
        Need::TagCommit { tag } => format!("which commit the tag {} names", quoted(tag)),
        Need::Named { name, .. } => format!("what {} stands for", quoted(name)),
        Need::RunsAt { trigger, .. } => format!("which runs {} started", quoted(trigger.as_str())),
        Need::FilesOfPull { pull } => format!("which files #{pull} touches"),
        Need::FilesOfCommit { sha } => format!("which files {} touches", sha.short()),
        Need::FilesBetween { base, head } => format!("which files differ from {} to {}", base.short(), head.short()),
        Need::AnyJobBegan { run, .. } => format!("whether a job of run {run} began"),
        Need::FailedJob { run, .. } => format!("which step of run {run} failed"),
        Need::BranchHead { branch } => format!("where {} is", quoted(branch)),
        Need::SchemaChanges { connection, into } => {
            format!("which schema changes of {} go into {}", quoted(connection), quoted(into))
        }
        Need::SchemaChange { connection, number } => format!("schema change {number} of {}", quoted(connection)),
        Need::Tags => "which tags there are".to_owned(),
        Need::Checks { sha } => format!("what ran on {}", sha.short()),
        Need::OpenIssues { label: Some(label), .. } => format!("which open issues carry {}", quoted(label)),
        Need::OpenIssues { milestone, .. } => {
            format!("which issues of {} are open", quoted(milestone.as_deref().unwrap_or_default()))
        }
        Need::Role { login, .. } => format!("which role {} has", quoted(login)),
        Need::Member { login, team, .. } => format!("whether {} is in {}", quoted(login), quoted(team)),
        Need::Authors { head, .. } => format!("who made what {} carries", head.short()),
        Need::Starters { run } => format!("who started run {run}"),
        Need::TagSignature { tag } => format!("whether {} is signed", quoted(tag)),
        Need::CommitPlace { sha, branch } => format!("whether {} is on {}", sha.short(), quoted(branch)),
        Need::PullsOf { sha } => format!("which pull requests brought {}", sha.short()),
        Need::Reviews { pull } => format!("what reviewers said of #{pull}"),
        Need::RequiredChecks { branch } => format!("which checks the rules of {} require", quoted(branch)),
    }
}
