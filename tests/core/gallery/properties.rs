//! Properties of every message of the gallery, and of all other scenarios.

use std::{fmt::Write as _, sync::OnceLock};

use phasebot_core::{
    domain::turn::is_told,
    incident::rendered_text::{Live, live},
};

use super::{Message, all};
use crate::scenario::{self, folder};

/// Returns every message of the gallery, of all other scenarios, and of the gallery's scenarios with
/// hostile words of people.
fn messages() -> &'static [(String, Message)] {
    static MESSAGES: OnceLock<Vec<(String, Message)>> = OnceLock::new();
    MESSAGES.get_or_init(played)
}

fn played() -> Vec<(String, Message)> {
    let mut found = Vec::new();
    for (name, (_, messages)) in all() {
        found.extend(messages.0.into_iter().map(|message| (name.clone(), message)));
    }
    for area in ["", "alerts", "commands", "deploys", "gates", "people", "services"] {
        for (path, text) in folder::files(area) {
            found.extend(scenario::messages(&text).0.into_iter().map(|message| (path.clone(), message)));
        }
    }
    let before = found.len();
    for (path, text) in folder::files("gallery") {
        let name = format!("{path}, hostile");
        found.extend(scenario::messages(&hostile(&text)).0.into_iter().map(|message| (name.clone(), message)));
    }
    let words = |message: &Message| message.text.contains("everyone") || message.title.contains("everyone");
    let shown = found[before..].iter().filter(|(_, message)| words(message)).count();
    assert!(before > 500 && shown > 30, "{before}, {shown}");
    found
}

/// What an attacker writes: a mention, a link, HTML, a command, and what would end code, bold words, a
/// table's cell or a quotation.
const HOSTILE: &str = "@everyone [x](https://evil.test) <img src=x> ` ** _ | “ ” #1 /deploy production \
                       GH-1 https://evil.test";
/// A commit in full, which an answer repeats in the command of whoever wrote it.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Returns a scenario in which titles, and the reasons that people give, are hostile.
fn hostile(scenario: &str) -> String {
    let mut out = String::new();
    for line in scenario.lines().filter(|line| !line.starts_with("    ")) {
        let is_reason = ["/hold ", "/lock ", "/freeze ", "/override "].iter().any(|name| line.contains(name));
        match line.split_once("title \"") {
            Some((before, after)) if !line.starts_with(':') => {
                let rest = after.split_once('"').map_or("", |(_, rest)| rest);
                let _ = write!(out, "{before}title \"{HOSTILE} {COMMIT}\"{rest}");
            }
            _ if is_reason && line.starts_with(": ") => {
                let _ = write!(out, "{line} {HOSTILE}");
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
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
        // Whatever stands behind a time is a zone, too.
        let times = message.text.split([' ', '\u{a0}']).collect::<Vec<_>>();
        let is_time = |word: &str| word.len() == 5 && word.as_bytes()[2] == b':';
        let is_zone = |word: &&str| word.len() >= 3 && word.bytes().all(|b| b.is_ascii_uppercase());
        let after = times.windows(2).filter(|pair| is_time(pair[0])).map(|pair| pair[1]);
        zones.extend(after.map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())).filter(is_zone));
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
        // A title is no Markdown, but a forge finds mentions and items in it.
        if message.kind.starts_with("Issue") {
            let is_live = |thing: &Live| matches!(thing, Live::Mention(_) | Live::Item(_) | Live::Command(_));
            assert_eq!(live(&message.title).into_iter().find(is_live), None, "{name}: {}", message.title);
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
