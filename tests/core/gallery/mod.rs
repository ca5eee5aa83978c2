//! Gallery: what people read, as it is sent. `tests/gallery/*.md` shows every message of the
//! scenarios in `tests/scenarios/gallery`, so that a changed sentence shows in review. `BLESS=1`
//! rewrites it; `scripts/gallery` renders it as one page in a forge's look.

mod page;
mod policy;
mod properties;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use phasebot_core::domain::{
    effect::{CheckVerdict, Effect},
    id::ItemId,
};

use crate::scenario::{self, folder};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Kind of message: `Status comment`.
    pub kind: String,
    /// Where it stands: `#2`, a commit.
    pub place: String,
    /// Title; empty for comments.
    pub title: String,
    /// Markdown.
    pub text: String,
}

/// A status comment and an issue as they are sent. The gallery has those that a scenario shows instead.
const SENT_STATUS: &str = "Status comment, sent";
const SENT_ISSUE: &str = "Issue, sent";
/// A deployment's description.
const DEPLOYMENT: &str = "Deployment";
/// The notes of a release.
const NOTES: &str = "Release notes";

/// Returns whether the gallery has messages of a kind.
fn is_shown(kind: &str) -> bool {
    ![SENT_STATUS, SENT_ISSUE, DEPLOYMENT].contains(&kind)
}

impl Message {
    /// Returns the lines that people read first: the text's, and a check run's title, which stands in
    /// the list of checks without the text. Texts that ask nothing of anybody have none.
    pub fn first_lines(&self) -> Vec<&str> {
        if [DEPLOYMENT, NOTES].contains(&self.kind.as_str()) {
            return Vec::new();
        }
        let title = self.kind.starts_with("Check run").then_some(self.title.as_str());
        title.into_iter().chain(self.text.lines().next()).collect()
    }
}

/// Messages in the order in which they are sent.
#[derive(Debug, Clone, Default)]
pub struct Messages(pub Vec<Message>);

impl Messages {
    pub fn add(&mut self, kind: &str, place: &str, title: &str, text: &str) {
        let [kind, place, title, text] = [kind, place, title, text].map(str::to_owned);
        let message = Message { kind, place, title, text };
        // A check run that changes before anything else is said was never read.
        let is_check = |message: &Message| message.kind.starts_with("Check run");
        let is_read = |known: &Message| !is_check(known) && is_shown(&known.kind);
        let unread = self.0.iter().rposition(is_read).map_or(0, |at| at + 1);
        if is_check(&message) {
            let at = self.0[unread..].iter().position(|known| known.place == message.place && is_check(known));
            if let Some(at) = at {
                self.0.remove(unread + at);
            }
        }
        if self.0.iter().rev().find(|known| known.place == message.place && known.kind == message.kind)
            != Some(&message)
        {
            self.0.push(message);
        }
    }

    /// Returns the messages that the gallery has.
    pub fn shown(&self) -> impl Iterator<Item = &Message> {
        self.0.iter().filter(|message| is_shown(&message.kind))
    }

    /// Adds the message of an effect that was carried out; `opened`: the issue that it opened.
    pub fn add_effect(&mut self, effect: &Effect, opened: Option<ItemId>) {
        match effect {
            Effect::UpsertComment { item, marker, body, .. } => {
                let kind = match marker.split(':').next().unwrap() {
                    "answer" => "Answer",
                    "request" => "Request",
                    "note" => "Announcement",
                    "policy" => "Policy comment",
                    "status" => SENT_STATUS,
                    _ => "Comment",
                };
                self.add(kind, &format!("#{item}"), "", body);
            }
            Effect::OpenIssue { title, body, .. } => {
                let place = opened.map_or_else(|| "new".to_owned(), |number| format!("#{number}"));
                self.add("Issue", &place, title, body);
            }
            Effect::Report { name, sha, verdict, title, summary, .. } => {
                let verdict = match verdict {
                    CheckVerdict::Success => "success",
                    CheckVerdict::Failure => "failure",
                    CheckVerdict::ActionRequired => "action_required",
                    CheckVerdict::InProgress => "in_progress",
                    CheckVerdict::Cancelled => "cancelled",
                };
                let place = format!("{name} on {}", sha.short());
                self.add(&format!("Check run ({verdict})"), &place, title, summary);
            }
            Effect::AnswerProtection { run, environment, comment, .. } => {
                self.add("Answer to a job", &format!("run {run} in {environment}"), "", comment);
            }
            Effect::EditIssue { item, title, body, .. } => self.add(SENT_ISSUE, &format!("#{item}"), title, body),
            Effect::UpsertIssue { title, body, .. } => self.add("Issue", "new", title, body),
            Effect::SetReleaseNotes { tag, text, .. } => self.add(NOTES, tag, "", text),
            Effect::CreateDeployment { description, .. }
            | Effect::SetDeployment { description, .. }
            | Effect::MirrorDeployment { description, .. } => self.add(DEPLOYMENT, "", "", description),
            Effect::SetPhase { .. }
            | Effect::ActOnSchema { .. }
            | Effect::React { .. }
            | Effect::FoldComment { .. }
            | Effect::Assign { .. }
            | Effect::SetMilestone { .. }
            | Effect::RerunFailed { .. }
            | Effect::SetIssueState { .. }
            | Effect::SetLabels { .. }
            | Effect::Dispatch { .. }
            | Effect::TearDown { .. }
            | Effect::CancelRun { .. }
            | Effect::PublishRelease { .. } => {}
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the messages of every scenario, by file name, with the scenario's first line.
pub fn all() -> BTreeMap<String, (String, Messages)> {
    let mut found = BTreeMap::new();
    for (path, text) in folder::files("gallery") {
        let about = text.lines().next().unwrap().trim_start_matches("# ").to_owned();
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        found.insert(name, (about, scenario::messages(&text)));
    }
    let (about, messages) = policy::messages();
    found.insert("21-policy".to_owned(), (about.to_owned(), messages));
    found
}

/// Returns a file of the gallery.
fn written(about: &str, messages: &Messages) -> String {
    let mut out = format!("<!-- {about} -->\n");
    for Message { kind, place, title, text } in messages.shown() {
        let title = if title.is_empty() { String::new() } else { format!(": {title}") };
        let _ = write!(out, "\n<!-- {kind}, {place}{title} -->\n\n{}\n", text.trim_end());
    }
    out
}

#[test]
fn every_message_is_as_the_gallery_shows_it() {
    let mut wrong = Vec::new();
    let gallery = all();
    for (name, (about, messages)) in &gallery {
        let path = root().join("tests/gallery").join(format!("{name}.md"));
        let now = written(about, messages);
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, now).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != now {
            wrong.push(format!("{}\n{now}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 accepts:\n{}", wrong.join("\n\n"));
    if let Some(path) = std::env::var_os("PHASEBOT_GALLERY") {
        fs::write(path, page::page(&gallery)).unwrap();
    }
}
