//! Status comment of an item: its state, the reasons, and who ran which commands.
//!
//! It is derived like a label: rendered whenever the item is derived, and written if it differs
//! from the last text. It shows only the times of facts, so that the same facts give the same text.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    command::{COMMANDS, messages, permissions, services_section},
    commits::landing::Work,
    context::EvalContext,
    deploy,
    domain::{
        decision::GateName,
        derived::Derived,
        fact::{
            RepoFacts,
            command::{CommandAction, CommandFacts, CommandId, Ending, Evidence, Wanted},
            deployment::DeploymentFacts,
        },
        id::{ItemId, Sha},
        permission::Grant,
        policy::{EnvironmentFilter, Mode, Pattern, Policy},
        service::Scope,
    },
    environment::foreign::is_foreign,
    evidence::overrides,
    gate::check_run,
    incident,
    text::message::{html_code, quoted},
};

/// Limit on the commands in the journal, newest first.
const MOST_COMMANDS: usize = 30;
/// Limit on the transitions in the history, newest first.
const MOST_MOVES: usize = 30;
/// Limit on the foreign deployments in one comment.
const MOST_FOREIGN: usize = 5;
/// Limit on the gates in one comment.
const MOST_GATES: usize = 3;
/// Limit on each list of linked items, environments or guards.
const MOST_LISTED: usize = 20;

/// Returns whether an item has a status comment.
pub fn is_wanted(facts: &RepoFacts, item: ItemId) -> bool {
    facts.commands_on(item).iter().any(|(_, command)| {
        command.action.as_ref().is_some_and(CommandAction::needs_status_comment)
            || (!command.is_noise() && command.reply.as_ref().is_some_and(|reply| reply.marker.is_none()))
    })
}

/// Returns the text of an item's status comment, if it has one.
pub fn render(facts: &RepoFacts, derived: &Derived, policy: &Policy, now: Timestamp) -> Option<String> {
    if !is_wanted(facts, derived.item) {
        return None;
    }
    let eval = EvalContext::new(facts, policy, now);
    let commands = facts.commands_on(derived.item);
    let asked = |wanted: Wanted| commands.iter().rev().find(|(_, c)| c.action == Some(CommandAction::Show(wanted)));
    let comment = StatusComment { eval: &eval, derived, now };
    let mut text = comment.status();
    section(&mut text, "Services", &services_section::rows(&eval, derived));
    comment.links(&mut text);
    comment.environments(&mut text);
    section(&mut text, "Deploys", &deploy::open_requests(facts, derived.item, policy));
    comment.incidents(&mut text);
    comment.guards(&mut text);
    if asked(Wanted::Why).is_some() {
        comment.why(&mut text);
    }
    comment.gates(&mut text, &commands);
    if let Some((_, command)) = asked(Wanted::Help) {
        help(&mut text, command, policy);
    }
    journal(&mut text, &commands, asked(Wanted::Audit).is_some(), policy);
    Some(text.trim_end().to_owned())
}

struct StatusComment<'a, 'f> {
    eval: &'a EvalContext<'f>,
    derived: &'a Derived,
    now: Timestamp,
}

impl StatusComment<'_, '_> {
    fn status(&self) -> String {
        let Derived { phase, ours, since, reason, .. } = self.derived;
        let head = match phase {
            Some(phase) => format!("### Phase {}", quoted(phase)),
            None if *ours => "### No phase".to_owned(),
            None => "### phasebot leaves this alone".to_owned(),
        };
        let since = since.map_or_else(String::new, |at| format!("Since {}: ", messages::time(at, self.eval.policy)));
        format!("{head}\n\n{since}{}.\n", reason.sentence)
    }

    fn links(&self, text: &mut String) {
        let number = self.derived.item;
        let pull = self.eval.facts.pull(number).is_some();
        let linked: Vec<ItemId> = if pull {
            self.eval.named_issues(number)
        } else {
            let works = self.eval.works_on(number).into_iter();
            works.filter_map(|work| if let Work::Pull(pull) = work { Some(pull) } else { None }).collect()
        };
        if linked.is_empty() {
            return;
        }
        let what = if pull { "Closes" } else { "Pull requests" };
        let _ = writeln!(text, "\n{what}: {}", numbers(&linked));
    }

    /// Adds the environments where the item's change runs now.
    fn environments(&self, text: &mut String) {
        let number = self.derived.item;
        let works = match self.eval.facts.pull(number) {
            Some(_) => [Work::Pull(number)].into(),
            None => self.eval.works_on(number),
        };
        let Ok(any) = Pattern::new("*") else { return };
        let anywhere = EnvironmentFilter { names: vec![any], production: None };
        let mut rows: Vec<String> = Vec::new();
        let landings: Vec<_> = works.iter().flat_map(|work| self.eval.landings(work).to_vec()).collect();
        for landing in &landings {
            for (environment, spans) in self.eval.deployed(landing, &anywhere, Scope::Everything) {
                let from = spans.iter().filter(|span| span.covers(self.now)).map(|span| span.from).min();
                rows.extend(
                    from.map(|at| format!("- {} since {}", quoted(&environment), messages::time(at, self.eval.policy))),
                );
            }
        }
        rows.sort();
        rows.dedup();
        section(text, "Runs in", &rows);
        section(text, "Foreign deployments, which put nothing there", &self.foreign_deployments());
    }

    /// Returns the deployments that jobs of this pull request created.
    fn foreign_deployments(&self) -> Vec<String> {
        let facts = self.eval.facts;
        let heads = facts.pull(self.derived.item).into_iter().flat_map(|pull| pull.heads.keys());
        let made = heads.flat_map(|sha| facts.deployments.index().by_commit.of(sha).map(move |id| (sha, id)));
        let made = made.filter_map(|(sha, id)| Some((sha, id, facts.deployments.get(id)?)));
        let foreign = made.filter(|(_, id, deployment)| is_foreign(facts, **id, deployment));
        let row = |(sha, id, deployment): (&Sha, &u64, &DeploymentFacts)| {
            format!("- deployment {id} of {} to {}", quoted(&sha.short()), quoted(&deployment.environment))
        };
        foreign.take(MOST_FOREIGN).map(row).collect()
    }

    /// Adds the feedback issues of incidents that the item's change is suspected of.
    fn incidents(&self, text: &mut String) {
        let issues: Vec<ItemId> = incident::suspected_in(self.eval, self.derived.item).into_iter().collect();
        if !issues.is_empty() {
            let _ = writeln!(text, "\nSuspected of: {}", numbers(&issues));
        }
    }

    fn guards(&self, text: &mut String) {
        let line = |guard: &_| format!("- {}", messages::guard(guard, self.eval.policy));
        let facts = self.eval.facts;
        let holds: Vec<String> = facts.holds(self.derived.item).iter().map(line).collect();
        let locks: Vec<String> = facts.locks(self.now).values().map(line).collect();
        let freezes: Vec<String> = facts.freezes(self.now).values().map(line).collect();
        section(text, "Holds", &holds);
        section(text, "Locks", &locks);
        section(text, "Freezes", &freezes);
        let any = !(holds.is_empty() && locks.is_empty() && freezes.is_empty());
        if any && self.eval.policy.mode != Mode::Act {
            let _ = writeln!(text, "\n{}", messages::NOT_ENFORCED);
        }
    }

    fn why(&self, text: &mut String) {
        let policy = self.eval.policy;
        let Derived { item, phase, reason, next, history, .. } = self.derived;
        let _ = writeln!(text, "\n#### Why\n");
        if reason.rule.is_empty() {
            let _ = writeln!(text, "No rule of the policy decided this: {}.", reason.sentence);
        } else {
            let _ = writeln!(
                text,
                "By the rule at {}, policy version {}, evidence `{}`: {}.",
                quoted(&reason.rule),
                quoted(&policy.version),
                reason.code,
                reason.sentence
            );
        }
        for word in self.words() {
            let _ = writeln!(text, "\n{word}");
        }
        if !next.is_empty() {
            let _ = writeln!(text, "\nWhat would move it on:\n");
            for line in next {
                let _ = writeln!(text, "- {line}");
            }
            let is_pull = self.eval.facts.pull(*item).is_some();
            let after = phase.as_deref().and_then(|phase| policy.phase_index(phase)).map_or(0, |index| index + 1);
            let fits = |kind: &crate::domain::policy::EvidenceKind| !is_pull || kind.is_of_work();
            let rule = policy.phases.iter().skip(after).find(|rule| rule.when.iter().any(|e| fits(&e.kind)));
            for evidence in rule.iter().flat_map(|rule| &rule.when).filter(|e| fits(&e.kind)) {
                let _ = writeln!(text, "- `{}` can come by {}", evidence.kind.key(), messages::who_can(&evidence.kind));
            }
        }
        if history.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "\n<details><summary>How it came here</summary>\n\n| when | phase | why |\n| --- | --- | --- |"
        );
        for step in history.iter().rev().take(MOST_MOVES) {
            let to = step.to.as_deref().map_or_else(|| "none".to_owned(), quoted);
            let rule =
                if step.reason.rule.is_empty() { String::new() } else { format!(" ({})", quoted(&step.reason.rule)) };
            let _ = writeln!(
                text,
                "| {} | {} | {}{} |",
                messages::time(step.at, policy),
                cell(&to),
                cell(&step.reason.sentence),
                cell(&rule)
            );
        }
        let _ = writeln!(text, "\n</details>");
    }

    /// Adds the gates that were asked about here, with their state and history.
    fn gates(&self, text: &mut String, commands: &[(&CommandId, &CommandFacts)]) {
        let mut asked: Vec<&GateName> = Vec::new();
        for (_, command) in commands.iter().rev() {
            if let Some(CommandAction::ShowGate { gate }) = &command.action
                && !asked.contains(&gate)
            {
                asked.push(gate);
            }
        }
        for gate in asked.into_iter().take(MOST_GATES) {
            let _ = writeln!(text, "\n#### Gate {}", quoted(&gate.check()));
            let facts = self.eval.facts;
            let live = facts.live_gates().filter(|(key, _)| key.0 == *gate).map(|(_, known)| known);
            let mut live: Vec<_> = live.collect();
            live.sort_by_key(|known| std::cmp::Reverse((known.since, &known.decision.sha)));
            let Some(newest) = live.first().copied().or_else(|| facts.decided_at(gate).next()) else {
                let _ = writeln!(text, "\nNothing was ever decided there.");
                continue;
            };
            let tags = newest.tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>().join(", ");
            let tags = if tags.is_empty() { tags } else { format!(" ({tags})") };
            let line = check_run::title(&newest.decision);
            let _ = writeln!(text, "\n**{}**{tags}: {}\n", newest.decision.sha.short(), quoted(&line));
            let _ = writeln!(text, "{}", check_run::table(&newest.decision).trim_end());
            let _ = writeln!(text, "\n<details><summary>How it stood before</summary>\n\n| when | |\n| --- | --- |");
            for turn in newest.turns.iter().rev().take(MOST_MOVES) {
                let _ = writeln!(
                    text,
                    "| {} | {} |",
                    messages::time(turn.at, self.eval.policy),
                    cell(&quoted(&turn.words))
                );
            }
            let _ = writeln!(text, "\n</details>");
            let others = live.iter().skip(1);
            let others: Vec<String> = others
                .map(|known| {
                    format!("- {}: {}", known.decision.sha.short(), quoted(&check_run::title(&known.decision)))
                })
                .collect();
            section(text, "Also there", &others);
        }
    }

    /// Returns the reasons that people gave with the override in force.
    fn words(&self) -> Vec<String> {
        let item = self.eval.facts.items.get(&self.derived.item);
        let mark = item.and_then(|item| overrides::mark(item, self.eval.policy, self.now));
        let Some(mark) = mark else { return Vec::new() };
        let commands = self.eval.facts.commands_on(self.derived.item);
        let said = commands.iter().filter(|(_, command)| command.at == mark.at && command.by.login == mark.by);
        said.filter_map(|(_, command)| match &command.action {
            Some(CommandAction::Phase { reason: Some(reason), .. }) => {
                Some(format!("{} said why: {}", quoted(&command.by.login), quoted(reason)))
            }
            _ => None,
        })
        .collect()
    }
}

/// Lists the first few of these items, and the number of the others.
fn numbers(items: &[ItemId]) -> String {
    let names: Vec<String> = items.iter().take(MOST_LISTED).map(|n| format!("#{n}")).collect();
    let more = items.len().saturating_sub(MOST_LISTED);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

pub(super) fn section(text: &mut String, title: &str, rows: &[String]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**{title}**\n");
    for row in rows.iter().take(MOST_LISTED) {
        let _ = writeln!(text, "{row}");
    }
    let more = rows.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        let _ = writeln!(text, "- and {more} more");
    }
}

/// Adds the commands that the sender may use, by the forge's answer when they asked.
fn help(text: &mut String, command: &CommandFacts, policy: &Policy) {
    let right = right(&command.evidence);
    let _ =
        writeln!(text, "\n<details open><summary>Commands for {} ({right})</summary>\n", html_code(&command.by.login));
    let _ = writeln!(text, "| command | |\n| --- | --- |");
    let (usable, others): (Vec<_>, Vec<_>) =
        COMMANDS.iter().partition(|row| covers(&permissions::grant(policy, row).0, &command.evidence));
    for row in usable {
        let forms: Vec<String> = messages::forms(row).iter().map(|form| format!("`{}`", cell(form))).collect();
        let _ = writeln!(text, "| {} | {} |", forms.join("<br>"), row.help);
    }
    if !others.is_empty() {
        let names =
            others.iter().map(|row| format!("`/{}` ({})", row.name, messages::who(&permissions::grant(policy, row).0)));
        let _ = writeln!(text, "\nFor others: {}.", names.collect::<Vec<_>>().join(", "));
    }
    if !policy.commands.bare {
        let _ = writeln!(text, "\nIn this repository a command is written `/phasebot COMMAND`.");
    }
    let _ = writeln!(text, "\n</details>");
}

fn covers(grant: &Grant, evidence: &Evidence) -> bool {
    match grant {
        Grant::AtLeast(least) => evidence.role.is_some_and(|role| role >= *least),
        Grant::Teams(teams) => teams.iter().any(|team| evidence.teams.get(team) == Some(&Some(true))),
    }
}

fn right(evidence: &Evidence) -> String {
    let mut parts =
        vec![evidence.role.map_or_else(|| "the forge did not say".to_owned(), |role| role.name().to_owned())];
    for (team, member) in &evidence.teams {
        let member = match member {
            Some(true) => "member of",
            Some(false) => "not in",
            None => "perhaps in",
        };
        parts.push(format!("{member} {}", html_code(team)));
    }
    parts.join(", ")
}

/// Adds the journal of commands; with `evidence`, also the permissions they were run by.
fn journal(text: &mut String, commands: &[(&CommandId, &CommandFacts)], evidence: bool, policy: &Policy) {
    // Attempts by people without permissions are left out.
    let commands: Vec<_> = commands.iter().filter(|(_, command)| !command.is_noise()).collect();
    let open = if evidence { " open" } else { "" };
    let _ = writeln!(text, "\n<details{open}><summary>Commands that ran here: {}</summary>\n", commands.len());
    let (head, line) = if evidence { (" by what right |", " --- |") } else { ("", "") };
    let _ = writeln!(text, "| when | who | what |{head} outcome |\n| --- | --- | --- |{line} --- |");
    for (_, command) in commands.iter().rev().take(MOST_COMMANDS) {
        let right = if evidence {
            format!(
                " {}, asked {} |",
                cell(&right(&command.evidence)),
                messages::time(command.evidence.asked_at, policy)
            )
        } else {
            String::new()
        };
        let outcome = match &command.ending {
            Ending::Done(words) if words.is_empty() => "done".to_owned(),
            Ending::Done(words) => format!("done: {}", words.lines().next().unwrap_or_default()),
            Ending::Pending => "under way".to_owned(),
            Ending::Refused(words) => format!("refused: {words}"),
            Ending::Misread(words) => format!("not understood: {words}"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} |{right} {} |",
            messages::time(command.at, policy),
            cell(&quoted(&command.by.login)),
            cell(&quoted(&command.line)),
            cell(&outcome)
        );
    }
    let _ = writeln!(text, "\n</details>");
}

/// Escapes text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
