//! Parser for the commands in a comment's text.

use jiff::Timestamp;

use crate::{
    command::{
        COMMANDS, Row,
        grammar::{self, Given},
        markdown::slash_lines,
        time::Moment,
        tokenize::{self, Token, unpunctuated},
    },
    domain::{fact::waiting::Piece, policy::CommandRules},
};

/// Limit on the commands of one comment that run; more are a mistake or abuse.
pub const MOST_COMMANDS: usize = 10;
/// Limit on the characters of a line that are read.
const LONGEST_LINE: usize = 1000;
/// Limit on the characters of a line that are recorded.
const KEPT: usize = 160;
/// Word that addresses a command to phasebot alone.
pub(crate) const ADDRESS: &str = "phasebot";

/// Verbs of other bots and of forges that look like a misspelled phasebot command.
const OTHERS: [&str; 24] = [
    "add",
    "apply",
    "area",
    "backport",
    "block",
    "cc",
    "check",
    "close",
    "code",
    "copy",
    "help-wanted",
    "kind",
    "label",
    "merge",
    "plan",
    "rebase",
    "remove",
    "reopen",
    "rerun",
    "retry",
    "table",
    "test",
    "unassign",
    "uncc",
];

/// A line that is addressed to phasebot.
#[derive(Debug, Clone)]
pub struct Line {
    /// Position among the commands of its comment, from 0.
    pub index: u32,
    /// Text of the line, shortened.
    pub text: String,
    /// Call that the line makes.
    pub call: Call,
    /// Pieces from which it was read.
    pub pieces: Vec<Piece>,
}

/// Call that a line makes.
#[derive(Debug, Clone)]
pub enum Call {
    /// A known command, with its arguments or the reason why they don't fit.
    Known(&'static Row, Result<Given, String>),
    /// A likely misspelling of this command.
    Near(&'static Row),
    /// Addressed to phasebot by name, but no command.
    Unknown,
    /// The first command beyond the limit.
    TooMany,
}

impl Line {
    /// Returns the text as it is written without `/phasebot` before the command.
    pub(super) fn unaddressed(&self) -> String {
        let mut words = self.text.splitn(2, char::is_whitespace);
        let is_addressed = words.next().is_some_and(|first| first.eq_ignore_ascii_case(&format!("/{ADDRESS}")));
        let rest = words.next().unwrap_or_default().trim_start();
        if is_addressed { format!("/{}", rest.trim_start_matches('/')) } else { self.text.clone() }
    }
}

/// Reads a text written at `at`. Lines that are not for phasebot are left out.
pub fn read(body: &str, rules: &CommandRules, at: Timestamp) -> Vec<Line> {
    let moment = Moment { at, zone: rules.zone.clone() };
    let mut lines = Vec::new();
    // Most comments contain no candidate line, so they are not parsed as Markdown.
    if !body.contains('/') {
        return lines;
    }
    for pieces in slash_lines(body) {
        let pieces = shortened(pieces);
        let Some(call) = call(&tokenize::split(&pieces), rules, &moment) else { continue };
        let (text, index) = (kept(&pieces), lines.len());
        let full = index == MOST_COMMANDS;
        let call = if full { Call::TooMany } else { call };
        lines.push(Line { index: u32::try_from(index).unwrap_or(u32::MAX), text, call, pieces });
        if full {
            break;
        }
    }
    lines
}

/// Reads a line again that was a command when it was written at `at`, whatever the policy says
/// about bare commands by now.
pub(super) fn again(index: u32, pieces: Vec<Piece>, rules: &CommandRules, at: Timestamp) -> Line {
    let moment = Moment { at, zone: rules.zone.clone() };
    let rules = CommandRules { bare: true, ..rules.clone() };
    // A later version of phasebot may not know the command any more.
    let call = call(&tokenize::split(&pieces), &rules, &moment).unwrap_or(Call::Unknown);
    Line { index, text: kept(&pieces), call, pieces }
}

fn call(line: &[Token], rules: &CommandRules, moment: &Moment) -> Option<Call> {
    let (first, rest) = line.split_first()?;
    let verb = verb(first)?;
    if verb == ADDRESS {
        let Some((first, rest)) = rest.split_first() else {
            return find("help").map(|row| Call::Known(row, Ok(Given::default())));
        };
        // `/phasebot /help` means the same.
        let verb = if first.quoted { None } else { self::verb(first).or_else(|| word(&first.text)) };
        let Some(verb) = verb else { return Some(Call::Unknown) };
        return Some(known(&verb, rest, moment).or_else(|| near(&verb)).unwrap_or(Call::Unknown));
    }
    if !rules.bare {
        return None;
    }
    known(&verb, rest, moment).or_else(|| near(&verb))
}

fn known(verb: &str, rest: &[Token], moment: &Moment) -> Option<Call> {
    let (verb, rest) = if is_hold_cancel(verb, rest) { ("unhold", &rest[1..]) } else { (verb, rest) };
    let row = find(verb)?;
    Some(Call::Known(row, grammar::read(row.forms, rest, moment)))
}

/// Returns whether this is `/hold cancel`, as in Prow: another spelling of `/unhold`, with or
/// without the name of a hold, and with the same permissions.
fn is_hold_cancel(verb: &str, rest: &[Token]) -> bool {
    let is_name = |text: &str| {
        let number = text.strip_prefix(['h', 'H']).unwrap_or_default();
        text.eq_ignore_ascii_case("all") || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_cancel = |word: &Token| !word.quoted && unpunctuated(&word.text).eq_ignore_ascii_case("cancel");
    verb == "hold"
        && match rest {
            [cancel] => is_cancel(cancel),
            [cancel, name] => is_cancel(cancel) && is_name(unpunctuated(&name.text)),
            _ => false,
        }
}

/// Returns the command of this name.
pub fn find(verb: &str) -> Option<&'static Row> {
    COMMANDS.into_iter().find(|row| row.name == verb)
}

/// Returns the verb of `/verb` in lower case.
fn verb(first: &Token) -> Option<String> {
    if first.quoted { None } else { word(first.text.strip_prefix('/')?) }
}

fn word(text: &str) -> Option<String> {
    let text = unpunctuated(text);
    let fits = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fits.then(|| text.to_ascii_lowercase())
}

/// Returns the command that was probably meant. Short verbs allow one slip, as two would match
/// other bots' commands.
fn near(verb: &str) -> Option<Call> {
    if OTHERS.contains(&verb) {
        return None;
    }
    let by_distance = COMMANDS.into_iter().filter_map(|row| {
        let distance = strsim::damerau_levenshtein(verb, row.name);
        let allowed = match row.name.len().min(verb.len()) {
            0..=3 => 0,
            4..=5 => 1,
            _ => 2,
        };
        (distance <= allowed).then_some((distance, row))
    });
    by_distance.min_by_key(|(distance, row)| (*distance, row.name)).map(|(_, row)| Call::Near(row))
}

/// Cuts a line to [`LONGEST_LINE`] characters.
fn shortened(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut left = LONGEST_LINE;
    let mut cut = |text: String| {
        let text: String = text.chars().take(left).collect();
        left -= text.chars().count();
        text
    };
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(text) => Piece::Plain(cut(text)),
            Piece::Code(text) => Piece::Code(cut(text)),
        })
        .collect()
}

fn kept(pieces: &[Piece]) -> String {
    let all = pieces.iter().map(|piece| match piece {
        Piece::Plain(text) | Piece::Code(text) => text.as_str(),
    });
    let text: String = all.collect();
    let mut kept: String = text.trim().chars().take(KEPT).collect();
    if kept.len() < text.trim().len() {
        kept.push('…');
    }
    kept
}
