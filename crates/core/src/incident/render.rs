//! Renders an incident as the title and body of its issue, from a template.
//!
//! Templates are sandboxed: there is no loader; steps, depth and output are bounded; and all
//! printed text is sanitized unless one of our own filters made it. The result is then parsed as
//! Markdown: if it contains active text (such as a mention) that neither the template nor phasebot
//! wrote, the template fails. A template that fails is replaced with the built-in one, so that no
//! alert is lost.

use std::{collections::BTreeSet, fmt::Write as _, io};

use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, value::Serde};

use crate::{
    domain::{
        alert::Feedback,
        turn::{CommandLine, Turn},
    },
    incident::{
        rendered_text::stranger,
        view::{IncidentView, StormLine, StormView, Suspect},
    },
    text::{
        headline,
        message::{count, moment},
        sanitize,
        times::Times,
    },
};

/// The built-in template. Its first line is the title.
pub const BUILT_IN: &str = include_str!("../../../../config/feedback.default.md");

/// Maximum length of a body, in characters. GitHub rejects more than 65,536.
pub const LONGEST_BODY: usize = 60_000;

/// Maximum length of a title, in characters. GitHub rejects more than 256.
const LONGEST_TITLE: usize = 200;

/// Maximum length of a value that is printed without a filter, in characters.
const LONGEST_VALUE: usize = 500;

/// Maximum instructions of the template engine for one text; the built-in template takes some
/// thousands.
const FUEL: u64 = 200_000;

/// Maximum nesting of loops and conditions.
const DEPTH: usize = 50;

/// Maximum incidents listed in a storm's issue.
const MOST_LINES: usize = 200;

/// A rendered text, ready to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The title.
    pub title: String,
    /// The body, without our marker.
    pub body: String,
    /// Reason why the operator's template was not used, for the log.
    pub problem: Option<String>,
}

/// Renders the issue of an incident with the operator's template, or with the built-in one.
pub fn render(template: Option<&str>, view: &IncidentView) -> Rendered {
    let mut problem = None;
    for source in template.into_iter().chain([BUILT_IN]) {
        match print(source, view) {
            Ok((title, body)) => return Rendered { title, body, problem },
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    let title = or_untitled(sanitize::title(&view.title, LONGEST_TITLE));
    Rendered { title, body: sanitize::fence(view.text.as_deref().unwrap_or("An alert without words."), 2000), problem }
}

/// Returns the syntax error of a template, if it has one.
pub fn problem(template: &str) -> Option<String> {
    let (title, body) = parts(template);
    let engine = Environment::empty();
    [title, body].into_iter().find_map(|part| engine.template_from_named_str("template", part).err()).map(|e| why(&e))
}

/// Renders the issue of a user's feedback.
pub fn feedback(feedback: &Feedback, connection: &str) -> Rendered {
    let title = or_untitled(sanitize::title(&feedback.title, LONGEST_TITLE));
    let state = format!("feedback by a user, sent over {}", sanitize::code(connection, 60));
    let turn = Turn::people("someone with triage access", "answer it, or close it");
    let mut body = format!("💬 {}\n\n", headline::line(&state, &turn));
    if !feedback.text.trim().is_empty() {
        body.push_str(sanitize::block(&feedback.text, 8000).trim_start());
        body.push('\n');
    }
    if let Some(link) = feedback.url.as_deref().and_then(sanitize::link) {
        let _ = write!(body, "[Open at the source](<{link}>)\n\n");
    }
    for (name, value) in feedback.labels.iter().take(40) {
        let _ = writeln!(body, "- {} {}", sanitize::code(name, 60), sanitize::code(value, 120));
    }
    Rendered { title, body: body.trim().to_owned(), problem: None }
}

/// Renders the issue of a storm: what all its incidents share, then the incidents.
pub fn storm(view: &StormView) -> Rendered {
    let (firing, resolved): (Vec<&StormLine>, Vec<&StormLine>) =
        view.lines.iter().partition(|line| line.state != "resolved");
    let place =
        view.environment.as_deref().map_or_else(String::new, |name| format!(" in {}", sanitize::title(name, 60)));
    let names: Vec<String> = firing.iter().take(2).map(|line| sanitize::title(short_title(line), 40)).collect();
    let more = if firing.len() > names.len() { ", …" } else { "" };
    let names = if names.is_empty() { String::new() } else { format!(" ({}{more})", names.join(", ")) };
    let title = format!("Alert storm{place}: {} firing{names}", firing.len());
    let began = |lines: &[&StormLine]| lines.iter().map(|line| line.started_at).min();
    let since = began(&firing).or_else(|| began(&resolved)).unwrap_or(Timestamp::UNIX_EPOCH);
    let times = Times::new(&view.zone, since);
    let muted = view.muted_until.map_or_else(String::new, |until| format!(", muted until {}", times.at(until)));
    let mut body = if firing.is_empty() {
        let state = format!("all {} are resolved", count(view.lines.len(), "alert"));
        format!("✅ {}", headline::line(&state, &view.turn))
    } else {
        let state = format!("{} firing since {}{muted}", count(firing.len(), "alert"), moment(since, &view.zone));
        format!("🔥 {}", headline::line(&state, &view.turn))
    };
    for several in [&view.severities, &view.environments].into_iter().filter(|several| !several.is_empty()) {
        let _ = write!(body, " · {}", few(several));
    }
    let _ = writeln!(body, " · {}", sanitize::code(&view.connections, 60));
    if let Some(block) = next_command(&view.turn) {
        let _ = writeln!(body, "\n{block}");
    }
    body.push_str("\nSo many alerts came at once that they share this issue.");
    if !view.own.is_empty() {
        let own: Vec<String> = view.own.iter().map(|item| format!("#{item}")).collect();
        let _ = write!(body, " The first have their own: {}.", own.join(", "));
    }
    body.push('\n');
    if let Some(suspect) = view.suspects.first() {
        body.push_str(&last_deploy(suspect, &times));
    }
    if let Some(rollback) = &view.rollback {
        let _ = write!(body, "\nTo undo it, comment:{}\n", sanitize::fence(rollback, 200).trim_end());
    }
    fold(&mut body, "🔥", "firing", &firing, true, &times);
    fold(&mut body, "✅", "resolved", &resolved, false, &times);
    let _ = write!(body, "\n`/ack` · `/mute 2h` · `/resolve` apply to all of them · times in {}\n", times.note());
    Rendered { title, body, problem: None }
}

/// Lists the first few names.
fn few(names: &BTreeSet<String>) -> String {
    const MOST: usize = 4;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| sanitize::inline(name, 60)).collect();
    let more = names.len().saturating_sub(MOST);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Returns the command that comes next in a block to copy; `None`: there is none or a choice, or it
/// undoes the suspect, which has a block of its own.
fn next_command(turn: &Turn) -> Option<String> {
    turn.only_command().filter(|command| command.name != "rollback").map(CommandLine::block)
}

fn last_deploy(suspect: &Suspect, times: &Times) -> String {
    let commit = match &suspect.page {
        Some(page) => format!("[{}]({page})", sanitize::code(&suspect.commit, 12)),
        None => sanitize::code(&suspect.commit, 12),
    };
    let by = suspect.actor.as_deref().map_or_else(String::new, |by| format!(" by **{}**", sanitize::inline(by, 60)));
    let at = suspect.finished_at.map_or_else(|| ", under way".to_owned(), |at| format!(" at {}", times.at(at)));
    let items: Vec<String> = suspect.items.iter().take(5).map(|item| format!("#{item}")).collect();
    let items = if items.is_empty() { String::new() } else { format!(": {}", items.join(", ")) };
    format!("\n**Last deploy**: {commit} to {}{by}{at}{items}\n", sanitize::code(&suspect.environment, 60))
}

fn fold(body: &mut String, symbol: &str, state: &str, lines: &[&StormLine], open: bool, times: &Times) {
    if lines.is_empty() {
        return;
    }
    let open = if open { " open" } else { "" };
    let _ = write!(body, "\n<details{open}><summary>{symbol} {} {state}</summary>\n\n", lines.len());
    for line in lines.iter().take(MOST_LINES) {
        let item = line.item.map(|n| format!(" · #{n}")).unwrap_or_default();
        let row = format!("- {} · {}{item}\n", sanitize::inline(short_title(line), 60), times.at(line.started_at));
        if body.len() + row.len() > LONGEST_BODY - 500 {
            break;
        }
        body.push_str(&row);
    }
    if lines.len() > MOST_LINES {
        let _ = writeln!(body, "- … {} more", lines.len() - MOST_LINES);
    }
    body.push_str("\n</details>\n");
}

/// Returns a title without the repetition of `Down: Down`, as some sources write it.
fn short_title(line: &StormLine) -> &str {
    match line.title.split_once(": ") {
        Some((name, rest)) if name == rest => name,
        _ => &line.title,
    }
}

fn or_untitled(title: String) -> String {
    if title.is_empty() { "Alert without a title".to_owned() } else { title }
}

/// Splits a template into its first line and the rest.
fn parts(template: &str) -> (&str, &str) {
    template.split_once('\n').unwrap_or((template, ""))
}

fn print(source: &str, view: &IncidentView) -> Result<(String, String), String> {
    let (title, body) = parts(source);
    let context = Value::from(Serde(view));
    let times = Times::new(&view.zone, view.started_at);
    let title = write(&engine(Place::Title, &times, &view.turn), title, &context).map_err(|e| why(&e))?;
    let body = write(&engine(Place::Body, &times, &view.turn), body, &context).map_err(|e| why(&e))?;
    if body.chars().count() > LONGEST_BODY {
        return Err(format!("it makes more than {LONGEST_BODY} characters"));
    }
    if let Some(stranger) = stranger(&body, source, &view.items(), &view.pages()) {
        return Err(format!("it would leave words of the alert live: {stranger:?}"));
    }
    // Whitespace and the like may come from the template itself.
    let title = sanitize::title(&title, LONGEST_TITLE);
    Ok((or_untitled(title), tidy(&body)))
}

/// Removes the blank lines that a template's tags leave, except in code.
fn tidy(body: &str) -> String {
    let (mut out, mut fence) = (String::with_capacity(body.len()), String::new());
    let mut blank = true;
    for line in body.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if fence.is_empty() && ticks.len() >= 3 {
            fence.clone_from(&ticks);
        } else if !fence.is_empty() && line == fence {
            fence.clear();
        }
        if fence.is_empty() && line.trim().is_empty() {
            if !blank {
                out.push('\n');
            }
            blank = true;
        } else {
            out.push_str(line);
            out.push('\n');
            blank = false;
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Part of an issue that a template prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Title,
    Body,
}

fn engine(place: Place, times: &Times, turn: &Turn) -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    engine.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    engine.set_formatter(move |out, _, value| {
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        if value.is_none() {
            return Ok(());
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = match place {
            _ if value.is_safe() => text,
            Place::Title => sanitize::title(&text, LONGEST_TITLE),
            Place::Body => sanitize::inline(&text, LONGEST_VALUE),
        };
        out.write_str(&text).map_err(Error::from)
    });
    engine.add_filter("default", minijinja::filters::default);
    engine.add_filter("length", minijinja::filters::length);
    engine.add_filter("items", minijinja::filters::items);
    engine.add_filter("first", minijinja::filters::first);
    engine.add_filter("last", minijinja::filters::last);
    engine.add_filter("short", |text: &str, most: usize| safe(sanitize::inline(text, most)));
    engine.add_filter("code", |text: &str, most: Option<usize>| safe(sanitize::code(text, most.unwrap_or(80))));
    engine.add_filter("quote", |text: &str, most: Option<usize>| safe(sanitize::block(text, most.unwrap_or(2000))));
    engine.add_filter("fence", |text: &str, most: Option<usize>| safe(sanitize::fence(text, most.unwrap_or(2000))));
    engine.add_filter("item", |number: u64| safe(format!("#{number}")));
    let read = |at: &str, format: &dyn Fn(Timestamp) -> String| at.parse().map_or_else(|_| at.to_owned(), format);
    let (short, full, zone) = (times.clone(), times.clone(), times.clone());
    engine.add_filter("time", move |at: &str| read(at, &|at| short.at(at)));
    engine.add_filter("moment", move |at: &str| read(at, &|at| full.moment(at)));
    engine.add_filter("zone", move |_: &str| zone.note());
    let (words, block) = (turn.words(), next_command(turn).unwrap_or_default());
    engine.add_filter("turn", move |_: &str| safe(words.clone()));
    engine.add_filter("next_command", move |_: &str| safe(block.clone()));
    engine.add_filter("commit", |commit: &str, page: &str| safe(format!("[{}]({page})", sanitize::code(commit, 12))));
    engine.add_filter("link", link);
    engine
}

/// Returns a link with this text; without a text, the address alone, for use in a condition.
/// Returns an empty text if the address is no valid link.
fn link(address: &Value, words: Option<&str>) -> Value {
    let address = address.as_str().and_then(sanitize::link);
    match (address, words) {
        (Some(address), Some(words)) => safe(format!("[{}](<{address}>)", sanitize::inline(words, 80))),
        (Some(address), None) => Value::from(address),
        (None, _) => safe(String::new()),
    }
}

fn safe(text: String) -> Value {
    Value::from_safe_string(text)
}

fn write(engine: &Environment<'_>, source: &str, context: &Value) -> Result<String, Error> {
    let mut out = Bounded(Vec::new());
    engine.template_from_named_str("template", source)?.render_captured_to(context, &mut out)?;
    Ok(String::from_utf8_lossy(&out.0).into_owned())
}

/// Formats an error as a sentence, with its line in the template.
fn why(error: &Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}{line}")
}

/// Writer that accepts no more bytes than the longest body takes at four bytes a character.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_BODY * 4 {
            return Err(io::Error::other("the text grows too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
