//! Properties of every message of the gallery, and of all other scenarios.

use std::sync::OnceLock;

use phasebot_core::{
    domain::turn::is_told,
    incident::rendered_text::{Live, live},
};

use super::{Message, all};
use crate::scenario::{self, folder};

/// Returns every message of the gallery and of the scenarios of commands, deploys, gates and alerts.
fn messages() -> &'static [(String, Message)] {
    static MESSAGES: OnceLock<Vec<(String, Message)>> = OnceLock::new();
    MESSAGES.get_or_init(played)
}

fn played() -> Vec<(String, Message)> {
    let mut found = Vec::new();
    for (name, (_, messages)) in all() {
        found.extend(messages.0.into_iter().map(|message| (name.clone(), message)));
    }
    for area in ["alerts", "commands", "deploys", "gates", "people"] {
        for (path, text) in folder::files(area) {
            found.extend(scenario::messages(&text).0.into_iter().map(|message| (path.clone(), message)));
        }
    }
    assert!(found.len() > 300, "{}", found.len());
    found
}

/// Returns a text without the targets of its links, and without the commands that people typed,
/// which link to their comments.
fn visible(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        out.push_str(&rest[..=at]);
        if let Some(label) = out.rfind('[').filter(|label| out[*label..].starts_with("[`/")) {
            out.truncate(label);
        }
        rest = rest[at..].find(')').map_or("", |end| &rest[at + end + 1..]);
    }
    out + rest
}

#[test]
fn no_message_names_a_route_or_a_whole_commit() {
    for (name, message) in messages() {
        let text = visible(&format!("{}\n{}", message.title, message.text));
        for route in ["GET /", "POST /", "PUT /", "PATCH /", "DELETE /", "/repos/{", "{owner}"] {
            assert!(!text.contains(route), "{name}: {route}\n{text}");
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let whole = words.filter(|word| word.len() == 40).find(|word| word.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(whole, None, "{name}\n{text}");
    }
}

#[test]
fn no_message_has_two_time_zones() {
    const ZONES: [&str; 8] = ["UTC", "CET", "CEST", "EST", "EDT", "PST", "JST", "GMT"];
    for (name, message) in messages() {
        let words = message.text.split(|c: char| !c.is_ascii_alphanumeric());
        let mut zones: Vec<&str> = words.filter(|word| ZONES.contains(word)).collect();
        zones.sort_unstable();
        zones.dedup();
        // Summer and winter are one zone.
        zones.retain(|zone| *zone != "CEST");
        assert!(zones.len() < 2, "{name}: {zones:?}\n{}", message.text);
    }
}

/// Mentions come only from a policy that allows them, and nothing but our own tags is HTML.
#[test]
fn no_word_from_outside_is_active() {
    for (name, message) in messages() {
        for thing in live(&message.text) {
            let ours = match &thing {
                Live::Mention(mention) => {
                    message.kind == "Request" && ["@acme/sre", "@acme/qa"].contains(&mention.as_str())
                }
                Live::Html(tag) => ["<details>", "<details open>", "</details>", "<summary>", "</summary>", "<br>"]
                    .contains(&tag.as_str()),
                Live::Link(target) => target.starts_with("https://github.com/") || target.contains("example.com"),
                Live::Commit(_) | Live::Item(_) => true,
                Live::Command(_) | Live::Address(_) => false,
            };
            assert!(ours, "{name}: {thing:?}\n{}", message.text);
        }
    }
}

/// One line alone says who acts next and what they do, or that nobody has to.
#[test]
fn every_first_line_says_whose_turn_it_is() {
    for (name, message) in messages() {
        for line in message.first_lines() {
            assert!(is_told(line), "{name}: {} {}\n{line}", message.kind, message.place);
        }
    }
}

#[test]
fn every_message_fits() {
    for (name, message) in messages() {
        assert!(message.text.len() < 65_535, "{name}: {} bytes", message.text.len());
    }
}

/// Columns beyond the third are cut off on a phone.
#[test]
fn no_table_has_more_than_three_columns() {
    for (name, message) in messages() {
        for line in message.text.lines().filter(|line| line.starts_with("| ")) {
            let columns = line.replace("\\|", "").matches('|').count() - 1;
            assert!(columns <= 3, "{name}: {line}");
        }
    }
}
