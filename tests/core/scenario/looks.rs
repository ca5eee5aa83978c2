//! Steps that show something.
//!
//! - `show 1`: an issue of ours as the forge has it; of any item its status comment, if it has one,
//!   and its history;
//! - `gates`: every stored decision with its conditions;
//! - `open`: the open incidents, as a gate sees them;
//! - `items`: the phase of every item, its history, and what would move it on;
//! - `asked`: the queries so far.

use std::collections::BTreeSet;

use phasebot_core::{
    command::status_comment,
    domain::{decision::Condition, id::ItemId, needs::Need},
    incident::open_incidents,
    phase,
};

use super::{
    script::Step,
    stage::{Stage, derived},
    transcript::clock,
};

pub fn is_look(step: &Step) -> bool {
    ["show", "gates", "open", "items", "asked"].contains(&step.verb())
}

impl Stage {
    pub(super) fn look(&mut self, step: &Step) {
        let lines = match step.verb() {
            "show" => self.item(step.words[1].parse().unwrap()),
            "gates" => self.gates(),
            "open" => self.open_incidents(),
            "items" => self.items(),
            _ => self.asked(),
        };
        for line in lines {
            self.transcript.say(line);
        }
    }

    fn item(&mut self, number: ItemId) -> Vec<String> {
        let (facts, policy, now) = (&self.repository.facts, &self.policy, self.now);
        let mut lines = Vec::new();
        if let Some(issue) = self.forge.issues.get(&number) {
            let labels: Vec<&str> = issue.labels.iter().map(String::as_str).collect();
            self.messages.add("Issue", &format!("#{number}"), &issue.title, &issue.body);
            let state = if issue.open { "open" } else { "closed" };
            lines.push(format!("{state}: {} [{}]", issue.title, labels.join(" ")));
            lines.extend(issue.body.lines().map(|line| format!("| {line}")));
        }
        let derived = phase::derive(facts, number, policy, now);
        let comment = status_comment::render(facts, &derived, policy, now);
        if let Some(text) = &comment {
            self.messages.add("Status comment", &format!("#{number}"), "", text);
        }
        lines.extend(comment.iter().flat_map(|text| text.lines()).map(|line| format!("| {line}")));
        for step in &derived.history {
            let to = step.to.as_deref().unwrap_or("none");
            lines.push(format!("{} {to}: {}", clock(step.at), step.reason.sentence));
        }
        lines
    }

    fn gates(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for gate in self.repository.facts.gates.values() {
            lines.push(format!("{} on {}", gate.decision.gate.check(), gate.decision.sha.short()));
            conditions(&gate.decision.conditions, 1, &mut lines);
        }
        lines
    }

    fn open_incidents(&self) -> Vec<String> {
        let open = open_incidents(&self.repository.facts, &self.policy, None, self.now).into_iter();
        let line = open.map(|open| {
            let issue = open.issue.map_or_else(|| "no issue".to_owned(), |n| format!("#{n}"));
            let place = open.environment.as_deref().unwrap_or("nowhere");
            let ends = open.ends_at.map_or_else(String::new, |at| format!(", over at {}", clock(at)));
            format!("{issue} {} in {place} since {}{ends}", open.title, clock(open.since))
        });
        line.collect()
    }

    fn items(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for derived in self.repository.items.values().map(derived) {
            let phase = derived.phase.as_deref().unwrap_or("none");
            let since = derived.since.map_or_else(String::new, |at| format!(" since {}", clock(at)));
            lines.push(format!("#{} {phase}{since}: {}", derived.item, derived.reason.sentence));
            let was = derived.history.iter().map(|t| format!("{} {}", t.to.as_deref().unwrap_or("none"), clock(t.at)));
            let was = was.collect::<Vec<_>>().join(", ");
            lines.extend((!was.is_empty()).then(|| format!("    was: {was}")));
            lines.extend(derived.next.iter().map(|next| format!("    next: {next}")));
        }
        lines
    }

    fn asked(&self) -> Vec<String> {
        // The tags of every repository are listed.
        let asked =
            self.asked.iter().map(|(_, need)| need).filter(|need| **need != Need::Tags).map(|need| match need {
                Need::Writer { login, .. } => format!("Writer {{ login: {login:?} }}"),
                other => format!("{other:?}"),
            });
        asked.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Formats conditions as the record stores them.
pub(super) fn conditions(all: &[Condition], depth: usize, lines: &mut Vec<String>) {
    for condition in all {
        let state = format!("{:?}", condition.standing).to_lowercase();
        let next = condition.next_at.map_or_else(String::new, |at| format!(" → {}", clock(at)));
        let (name, code, sentence) = (&condition.name, &condition.code, &condition.sentence);
        lines.push(format!("{}{name} {state} [{code}] {sentence}{next}", "    ".repeat(depth)));
        conditions(&condition.parts, depth + 1, lines);
    }
}
