//! Answer to `/why release` and `/why deploy ENV`: the gate's decisions on commits of this item.

use std::fmt::Write as _;

use crate::{
    command::status_comment::{StatusComment, list},
    domain::{
        decision::GateName,
        fact::{deploy_request::DeployRequest, gate::GateFacts},
    },
    gate::{check_run, condition_order, condition_table, sentence_of},
    text::message::quoted,
};

/// Limit on the gates in one comment.
const MOST_GATES: usize = 3;
/// Limit on the earlier states, newest first.
const MOST_TURNS: usize = 30;

impl StatusComment<'_, '_> {
    pub(super) fn gates(&self, text: &mut String) {
        let mut asked: Vec<&GateName> = Vec::new();
        for gate in self.asked_gates() {
            if !asked.contains(&gate) {
                asked.push(gate);
            }
        }
        for gate in asked.into_iter().take(MOST_GATES) {
            self.gate(gate, text);
        }
    }

    fn gate(&self, gate: &GateName, text: &mut String) {
        let _ = writeln!(text, "\n#### Gate {}", quoted(&gate.check()));
        let facts = self.eval.facts;
        let live = facts.live_gates().filter(|(key, _)| key.0 == *gate).map(|(_, known)| known);
        let mut live: Vec<&GateFacts> = live.filter(|known| self.is_of_item(known)).collect();
        live.sort_by_key(|known| std::cmp::Reverse((known.since, &known.decision.sha)));
        let newest = live.first().copied();
        let Some(newest) = newest.or_else(|| facts.decided_at(gate).find(|known| self.is_of_item(known))) else {
            let _ = writeln!(text, "\nThis gate has not evaluated any commit of this item, and none waits for it.");
            return;
        };
        let tags = newest.tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>().join(", ");
        let tags = if tags.is_empty() { tags } else { format!(" ({tags})") };
        let sha = &newest.decision.sha;
        let state = check_run::state(&newest.decision);
        let (commit, details) = (self.links.commit(sha), self.links.checks(sha, "details"));
        let _ = writeln!(text, "\n{commit}{tags}: **{state}** · {details}\n");
        let conditions = condition_table::conditions(&newest.decision, self.eval.policy, &self.links);
        let _ = writeln!(text, "{}", conditions.trim_end());
        if newest.turns.len() > 1 {
            let _ = writeln!(text, "\n<details><summary>Earlier states</summary>\n");
            for turn in newest.turns.iter().rev().take(MOST_TURNS) {
                let _ = writeln!(text, "- {} · {}", self.times.at(turn.at), quoted(&turn.words));
            }
            let _ = writeln!(text, "\n</details>");
        }
        let others = live.iter().skip(1);
        let row = |known: &&GateFacts| {
            let decision = &known.decision;
            let first = condition_order::blocking(decision).first().map(|first| sentence_of(first, &self.links));
            let why = first.map_or_else(String::new, |why| format!(": {why}"));
            format!("- {}: **{}**{why}", self.links.commit(&decision.sha), check_run::state(decision))
        };
        let others: Vec<String> = others.map(row).collect();
        if !others.is_empty() {
            let _ = writeln!(text, "\nAlso waiting there:");
            list(text, &others);
        }
    }

    /// Returns whether a decision is about a commit of this item. An issue that nothing has landed
    /// for has none, so that there the question is about the gate as such.
    fn is_of_item(&self, known: &GateFacts) -> bool {
        let sha = &known.decision.sha;
        let is_pull = self.eval.facts.pull(self.derived.item).is_some();
        let mut requests = self.eval.facts.requests.index().by_commit.of(sha);
        (!is_pull && self.landings.is_empty())
            || self.landings.iter().any(|landing| landing.sha == *sha)
            || requests
                .any(|id| self.eval.facts.requests.get(id).and_then(DeployRequest::item) == Some(self.derived.item))
            || (matches!(known.decision.gate, GateName::Release(_)) && self.carries(sha) == Some(true))
            || self.eval.facts.pull(self.derived.item).is_some_and(|pull| pull.heads.contains_key(sha))
    }
}
