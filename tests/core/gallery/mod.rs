//! Gallery: what people read, as it is sent. `tests/gallery/*.md` shows every message of the
//! scenarios in `tests/scenarios/gallery`, so that a changed sentence shows in review. `BLESS=1`
//! rewrites it; `scripts/gallery` renders it as one page in a forge's look.

mod page;
mod policy;
mod properties;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use phasebot_core::domain::effect::{CheckVerdict, Effect};

use crate::{command, folder, incident};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is: `Status comment`.
    pub kind: String,
    /// Where it stands: `#2`, a commit.
    pub place: String,
    /// Title; empty for comments.
    pub title: String,
    /// Markdown.
    pub text: String,
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
        let unread = self.0.iter().rposition(|known| !is_check(known)).map_or(0, |at| at + 1);
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

    pub fn add_effect(&mut self, effect: &Effect) {
        match effect {
            Effect::UpsertComment { item, marker, body, .. } => {
                let kind = match marker.split(':').next().unwrap() {
                    "answer" => "Answer",
                    "request" => "Request",
                    "note" => "Announcement",
                    "policy" => "Policy comment",
                    _ => "Comment",
                };
                self.add(kind, &format!("#{item}"), "", body);
            }
            Effect::OpenIssue { title, body, .. } => self.add("Issue", "new", title, body),
            Effect::SetCheck { name, sha, verdict, title, summary, .. } => {
                let verdict = match verdict {
                    CheckVerdict::Success => "success",
                    CheckVerdict::Failure => "failure",
                    CheckVerdict::ActionRequired => "action_required",
                    CheckVerdict::InProgress => "in_progress",
                };
                let place = format!("{name} on {}", sha.short());
                self.add(&format!("Check run ({verdict})"), &place, title, summary);
            }
            _ => {}
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the messages of every scenario, by file name, with the scenario's first line.
pub fn all() -> BTreeMap<String, (String, Messages)> {
    let play: [(&str, fn(&str) -> Messages); 2] =
        [("gallery/items", command::stage::messages), ("gallery/alerts", incident::stage::messages)];
    let mut found = BTreeMap::new();
    for (from, messages) in play {
        for (path, text) in folder::files(from) {
            let steps = folder::steps(&text);
            let about = steps.lines().next().unwrap().trim_start_matches("# ").to_owned();
            found.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), (about, messages(steps)));
        }
    }
    let (about, messages) = policy::messages();
    found.insert("21-policy".to_owned(), (about.to_owned(), messages));
    found
}

/// Returns a file of the gallery.
fn written(about: &str, messages: &Messages) -> String {
    let mut out = format!("<!-- {about} -->\n");
    for Message { kind, place, title, text } in &messages.0 {
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
