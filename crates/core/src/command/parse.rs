//! From a comment's text to the commands in it.

use jiff::Timestamp;

use crate::{
    command::{
        COMMANDS, Row,
        grammar::{self, Given, Moment},
        markdown::slash_lines,
        tokenize::{self, Token, unpunctuated},
    },
    domain::{fact::waiting::Piece, policy::CommandRules},
};

/// Commands of one comment that are run; more are a mistake or mischief.
pub const MOST_COMMANDS: usize = 10;
/// What is read of a line, in characters.
const LONGEST_LINE: usize = 1000;
/// What is kept of a line for the record, in characters.
const KEPT: usize = 160;
/// The word by which a command is addressed to us alone.
const ADDRESS: &str = "phasebot";

/// Verbs of other bots and of forges that look like ours mistyped.
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

/// A line that is for us.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its place among the commands of its comment, from 0.
    pub index: u32,
    /// What was written, shortened.
    pub text: String,
    /// What it asks for.
    pub call: Call,
    /// What it was read from.
    pub pieces: Vec<Piece>,
}

/// What a line asks for.
#[derive(Debug, Clone)]
pub enum Call {
    /// A command of ours, with its arguments or what is wrong with them.
    Known(&'static Row, Result<Given, String>),
    /// Nearly a command of ours.
    Near(&'static Row),
    /// Addressed to us by name, and no command.
    Unknown,
    /// One more than are run.
    TooMany,
}

/// Reads a text written at `at`. What is not for us is not in the list.
pub fn read(body: &str, rules: &CommandRules, at: Timestamp) -> Vec<Line> {
    let moment = Moment { at, zone: rules.zone.clone() };
    let mut lines = Vec::new();
    // Most comments have no line that could be one: no tree is grown for them.
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

/// Reads a line again that was a command when it was written at `at`, whatever
/// the policy says of bare commands by now.
pub(super) fn again(index: u32, pieces: Vec<Piece>, rules: &CommandRules, at: Timestamp) -> Line {
    let moment = Moment { at, zone: rules.zone.clone() };
    let rules = CommandRules { bare: true, ..rules.clone() };
    // A later version of the program may not know the command any more.
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
        // `/phasebot /help` is meant the same.
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

/// Whether this is `/hold cancel`, as Prow has it: another spelling of
/// `/unhold`, with the name of a hold or without, and under its rights.
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

/// The command of this name.
pub fn find(verb: &str) -> Option<&'static Row> {
    COMMANDS.into_iter().find(|row| row.name == verb)
}

/// The verb of `/verb`, in lower case.
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

/// The command that was probably meant. Short verbs allow one slip, since two
/// would reach another bot's.
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

/// A line of bounded length.
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
