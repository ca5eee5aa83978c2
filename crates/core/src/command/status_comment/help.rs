//! Answer to `/help`: the commands that work here, now, for the person who asked.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    command::{
        COMMANDS, Place, Row, messages, permissions,
        status_comment::{MOST_LISTED, StatusComment},
    },
    domain::{
        fact::command::{CommandFacts, Evidence},
        permission::Grant,
        policy::Mode,
    },
    text::message::{cell, person, quoted},
};

/// Commands by their purpose, in the order of `/help`.
pub(super) const GROUPS: [(&str, &[&str]); 7] = [
    ("Look", &["help", "status", "why", "audit", "diff", "where", "locks", "metrics"]),
    ("Plan", &["phase", "assign", "milestone"]),
    ("Hold", &["hold", "unhold"]),
    ("Check", &["retest"]),
    ("Ship", &["deploy", "promote", "rollback", "approve", "override", "release"]),
    ("Protect", &["lock", "unlock", "freeze", "unfreeze"]),
    ("Incident", &["ack", "mute", "unmute", "resolve", "cause"]),
];

impl StatusComment<'_, '_> {
    pub(super) fn help(&self, text: &mut String, command: &CommandFacts) {
        let policy = self.eval.policy;
        let rows = || COMMANDS.iter().copied().filter(|row| self.works_here(row));
        let may = |row: &&Row| covers(&permissions::grant(policy, row).0, &command.evidence);
        let _ = writeln!(
            text,
            "\n**Commands for {}** ({})\n\n| To | Comment |\n| --- | --- |",
            person(&command.by.login).trim_matches('*'),
            messages::right(&command.evidence)
        );
        for (group, names) in GROUPS {
            let usable = rows().filter(may).filter(|row| names.contains(&row.name));
            let forms: Vec<String> =
                usable.flat_map(messages::forms).map(|form| format!("`{}`", cell(&form))).collect();
            if !forms.is_empty() {
                let _ = writeln!(text, "| **{group}** | {} |", forms.join("<br>"));
            }
        }
        let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows().filter(|row| !may(row)) {
            let who = messages::who(&permissions::grant(policy, row).0);
            others.entry(who).or_default().push(format!("`/{}`", row.name));
        }
        if !others.is_empty() {
            let others = others.into_iter().map(|(who, names)| format!("- {who}: {}", names.join(" · ")));
            let _ = writeln!(text, "\n**For others**\n\n{}", others.collect::<Vec<_>>().join("\n"));
        }
        let mut notes: Vec<String> = Vec::new();
        let environments = policy.environments.values().filter(|rule| rule.deploy.is_some());
        let environments: Vec<String> = environments.take(MOST_LISTED).map(|rule| quoted(&rule.name)).collect();
        if policy.mode == Mode::Act && !environments.is_empty() {
            notes.push(format!("Environments: {}", environments.join(", ")));
        }
        if !policy.commands.bare {
            notes.push("Here a command is written `/phasebot COMMAND`".to_owned());
        }
        notes.push(crate::text::links::manual("commands.md", "What each command does"));
        let _ = writeln!(text, "\n{}", notes.join(" · "));
    }

    /// Returns whether a command can do anything on this item under the policy in force.
    fn works_here(&self, row: &Row) -> bool {
        let (facts, policy) = (self.eval.facts, self.eval.policy);
        let Some(item) = facts.items.get(&self.derived.item) else { return false };
        let is_feedback = facts.index.shown_in.contains_key(&item.number)
            || item.labels.as_ref().is_some_and(|labels| labels.names.contains("feedback"));
        let fits = match row.place {
            Place::Anywhere => true,
            Place::Pulls => item.is_pull,
            Place::Feedback => is_feedback && !item.is_pull,
        };
        let shape = item.pull.as_ref().and_then(|pull| pull.shape.as_ref());
        let from_fork = shape.is_some_and(|shape| shape.value.from_fork);
        let starts = policy.environments.values().any(|rule| rule.deploy.is_some());
        let gated = !(policy.gates.is_empty() && policy.environments.is_empty());
        let is_on = match row.name {
            "deploy" | "promote" | "rollback" => policy.mode == Mode::Act && starts,
            "approve" | "override" => policy.mode == Mode::Act && gated,
            "release" => policy.mode == Mode::Act && !policy.gates.is_empty(),
            _ => true,
        };
        fits && is_on && (row.forks || !from_fork)
    }
}

fn covers(grant: &Grant, evidence: &Evidence) -> bool {
    match grant {
        Grant::AtLeast(least) => evidence.role.is_some_and(|role| role >= *least),
        Grant::Teams(teams) => teams.iter().any(|team| evidence.teams.get(team) == Some(&Some(true))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        for row in COMMANDS {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&row.name)).count();
            assert_eq!(groups, 1, "/{}", row.name);
        }
    }
}
