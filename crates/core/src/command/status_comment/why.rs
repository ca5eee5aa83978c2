//! Answer to `/why`: what put the item into its phase, and what moves it on.

use std::fmt::Write as _;

use crate::{
    command::status_comment::StatusComment,
    domain::fact::command::CommandAction,
    evidence::overrides,
    text::message::{person, quoted, sentence, spoken},
};

/// Limit on the transitions in the history, newest first.
const MOST_MOVES: usize = 30;

impl StatusComment<'_, '_> {
    pub(super) fn why(&self, text: &mut String) {
        let reason = &self.derived.reason;
        let phase = self.derived.phase.as_deref().map_or_else(|| "no phase".to_owned(), quoted);
        let rule = if reason.rule.is_empty() {
            "No rule of the policy decided this.".to_owned()
        } else {
            format!("Rule: {}.", self.links.rule(&reason.rule))
        };
        let since = self.derived.since.map_or_else(String::new, |at| format!(" {}", self.since(at)));
        let _ = writeln!(text, "\n**Why {phase}?** {}", sentence(&reason.sentence));
        let _ = writeln!(text, "\n{rule} In force{since}.");
        for word in self.words() {
            let _ = writeln!(text, "\n{word}");
        }
        if let (Some(rule), false) = (self.next_rule(), self.derived.next.is_empty()) {
            let phase = format!("{} when ", quoted(&rule.name));
            let lines = self.derived.next.iter().map(|line| sentence(line.strip_prefix(&phase).unwrap_or(line)));
            let lines: Vec<String> = lines.collect();
            let _ = writeln!(text, "\n**What moves it to {}?** {}", quoted(&rule.name), lines.join(" "));
        }
        let history = &self.derived.history;
        if history.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n<details><summary>How it got here</summary>\n");
        for step in history.iter().rev().take(MOST_MOVES) {
            let to = step.to.as_deref().map_or_else(|| "no phase".to_owned(), quoted);
            let rule = &step.reason.rule;
            let rule = if rule.is_empty() { String::new() } else { format!(" · {}", self.links.rule(rule)) };
            let _ = writeln!(text, "- {} **{to}** · {}{rule}", self.times.at(step.at), step.reason.sentence);
        }
        let _ = writeln!(text, "\n</details>");
    }

    /// Returns the reasons that people gave with the override in force.
    fn words(&self) -> Vec<String> {
        let item = self.eval.facts.items.get(&self.derived.item);
        let mark = item.and_then(|item| overrides::mark(item, self.eval.policy, self.eval.now));
        let Some(mark) = mark else { return Vec::new() };
        let said = self.commands.iter().filter(|(_, command)| command.at == mark.at && command.by.login == mark.by);
        said.filter_map(|(_, command)| match &command.action {
            Some(CommandAction::Phase { reason: Some(reason), .. }) => {
                Some(format!("{} gave the reason: {}", person(&command.by.login), spoken(reason)))
            }
            _ => None,
        })
        .collect()
    }
}
