//! A scenario as text.
//!
//! Lines at the margin say what happens; lines that begin with a space show what phasebot does
//! then, and are written by `BLESS=1`. At the margin:
//!
//! - `| …`: the policy;
//! - `# …`: a comment;
//! - `10:00 …` or `…`: a step, at a time or at that of the step before it; `2d10:00` is two days
//!   later;
//! - `: …`: a line of text that belongs to the step above.

use jiff::Timestamp;
use phasebot_core::domain::event::Event;

use super::forge::{
    Forge,
    words::{start, time, words},
};

/// A scenario.
pub struct Script {
    pub policy: Option<String>,
    pub steps: Vec<Step>,
    /// Lines after the last step.
    tail: String,
}

/// One step of a scenario.
pub struct Step {
    pub at: Option<Timestamp>,
    pub words: Vec<String>,
    /// The text of a comment, a review or a policy.
    pub body: String,
    /// As it is written, with what stands before it at the margin.
    written: String,
}

impl Script {
    pub fn read(text: &str) -> Self {
        let mut script = Self { policy: None, steps: Vec::new(), tail: String::new() };
        for line in text.lines().filter(|line| !line.starts_with(char::is_whitespace)) {
            if let Some(text) = line.strip_prefix(':') {
                let step = script.steps.last_mut().expect("a step to which the text belongs");
                step.body.extend([text.strip_prefix(' ').unwrap_or(text), "\n"]);
                step.written.extend([line, "\n"]);
                continue;
            }
            script.tail.extend([line, "\n"]);
            if let Some(yaml) = line.strip_prefix("| ") {
                script.policy.get_or_insert_with(String::new).extend([yaml, "\n"]);
            } else if !line.is_empty() && !line.starts_with('#') {
                script.steps.push(Step::read(line, std::mem::take(&mut script.tail)));
            }
        }
        script
    }

    /// Returns the scenario as it is to be written: with `shown[n]` beneath step `n`.
    pub fn with(&self, shown: &[String]) -> String {
        let steps = self.steps.iter().zip(shown).map(|(step, shown)| format!("{}{shown}", step.written));
        steps.chain([self.tail.clone()]).collect()
    }
}

impl Step {
    fn read(line: &str, written: String) -> Self {
        let mut words = words(line);
        let at = time(&words[0]);
        if at.is_some() {
            words.remove(0);
        }
        Self { at, words, body: String::new(), written }
    }

    /// The first word.
    pub fn verb(&self) -> &str {
        &self.words[0]
    }

    /// Returns the text without its last line break.
    pub fn text(&self) -> &str {
        self.body.strip_suffix('\n').unwrap_or(&self.body)
    }
}

/// Everything that the forge delivers in a scenario while phasebot does nothing.
pub struct History {
    pub policy: Option<String>,
    pub events: Vec<Event>,
    pub end: Timestamp,
    /// The forge at the end.
    pub forge: Forge,
}

/// Reads a scenario for its events alone.
pub fn read(text: &str) -> History {
    let script = Script::read(text);
    let mut history = History { policy: script.policy, events: Vec::new(), end: start(), forge: Forge::new() };
    for step in &script.steps {
        history.end = step.at.map_or(history.end, |at| history.end.max(at));
        let is_event = !super::stage::is_of_stage(step) && !history.forge.set(&step.words);
        if is_event {
            let at = step.at.unwrap_or(history.end);
            history.events.extend(history.forge.happen(at, &step.words, step.text()));
        }
    }
    history
}
