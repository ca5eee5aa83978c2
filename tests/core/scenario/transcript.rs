//! Effects and notes as lines of text.

use jiff::Timestamp;
use phasebot_core::domain::effect::Effect;

use super::forge::words::start;

/// Lines that are shown beneath a step.
#[derive(Default)]
pub struct Transcript {
    text: String,
    /// A time at which something happens without an event, until it is told.
    by_itself: Option<Timestamp>,
    deep: bool,
}

impl Transcript {
    /// Writes a line; what is written as several becomes a quotation.
    pub fn say(&mut self, text: impl AsRef<str>) {
        if let Some(at) = self.by_itself.take() {
            self.text.extend(["    ", &clock(at), " by itself\n"]);
        }
        let margin = if self.deep { "        " } else { "    " };
        for (n, line) in text.as_ref().lines().enumerate() {
            let quote = if n == 0 { "" } else { "> " };
            self.text.push_str(format!("{margin}{quote}{line}").trim_end());
            self.text.push('\n');
        }
    }

    /// The following lines happen at this time, without an event; `None`: with the next step.
    pub fn by_itself(&mut self, at: Option<Timestamp>) {
        (self.by_itself, self.deep) = (at, at.is_some());
    }

    /// Returns what was written since this was last asked.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

/// Formats a time; days are counted from the first.
pub fn clock(at: Timestamp) -> String {
    let days = at.duration_since(start()).as_hours() / 24;
    let time = at.strftime("%H:%M:%S");
    if days == 0 { format!("{time}") } else { format!("{days}d{time}") }
}

/// Describes an effect. Only what it says on the forge is more than one line.
pub fn describe(effect: &Effect) -> String {
    match effect {
        Effect::SetPhase { item, label, .. } => {
            format!("label #{item}: {}", label.as_ref().map_or("no label", |label| label.name.as_str()))
        }
        Effect::SetLabels { item, .. } => format!("labels of #{item}"),
        Effect::React { node: None, reaction, .. } => format!("react {reaction:?}"),
        Effect::React { node: Some(node), reaction, .. } => format!("react {reaction:?} to {node}"),
        // It is written anew whenever something changes; `show` has its text.
        Effect::UpsertComment { item, marker, sticky: true, .. } => format!("{marker} comment on #{item}"),
        Effect::UpsertComment { item, body, .. } => format!("comment on #{item}\n{body}"),
        Effect::FoldComment { marker, .. } => format!("fold {marker}"),
        Effect::Assign { item, logins, command: None } => format!("#{item} assign {}", logins.join(" ")),
        Effect::Assign { logins, .. } => format!("assign {}", logins.join(" ")),
        Effect::SetMilestone { milestone, .. } => format!("milestone {milestone:?}"),
        Effect::RerunFailed { sha, .. } => format!("rerun at {sha}"),
        Effect::OpenIssue { title, .. } | Effect::UpsertIssue { title, .. } => format!("issue {title:?}"),
        Effect::EditIssue { item, .. } => format!("#{item} edited"),
        Effect::SetIssueState { item, open } => format!("#{item} {}", if *open { "reopened" } else { "closed" }),
        Effect::Report { name, sha, verdict, .. } => format!("check {name} on {}: {verdict:?}", sha.short()),
        Effect::CreateDeployment { environment, sha, .. } => format!("deployment of {} to {environment}", sha.short()),
        Effect::Dispatch { environment, sha, workflow, reference, .. } => {
            format!("{workflow} from {reference} for {} in {environment}", sha.short())
        }
        Effect::SetDeployment { deployment, state, .. } => format!("deployment {deployment} is {state:?}"),
        Effect::MirrorDeployment { sha, environment, made: None, .. } => {
            format!("copy of the deployment of {} to {environment}", sha.short())
        }
        Effect::MirrorDeployment { made: Some(copy), state, .. } => format!("copy {copy} is {state:?}"),
        Effect::TearDown { environment, workflow, .. } => format!("{workflow} tears down {environment}"),
        Effect::CancelRun { run } => format!("cancel run {run}"),
        Effect::AnswerProtection { run, approve, comment, .. } => {
            let word = match approve {
                Some(true) => "approve",
                Some(false) => "reject",
                None => "report on",
            };
            format!("{word} run {run}: {comment}")
        }
        Effect::ActOnSchema { pin, act, .. } => {
            format!("{} schema change {} of {}", act.word(), pin.number, pin.connection)
        }
        Effect::SetReleaseNotes { tag, text, .. } => format!("notes of {tag}\n{text}"),
        Effect::PublishRelease { tag, sha, branch, .. } => {
            let from = branch.as_ref().map_or_else(String::new, |branch| format!(" from {branch}"));
            format!("publish {tag} at {}{from}", sha.short())
        }
    }
}
