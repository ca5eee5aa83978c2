//! Arguments of commands: declaration, usage text and parsing.
//!
//! A command has one or several forms; a form is a list of arguments. The same declaration parses a
//! line, and produces the usage text and the examples.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{
        time::{self, Moment},
        tokenize::{Token, unpunctuated},
    },
    text::message::quoted,
};

/// No branch or tag has a longer name. It becomes part of a key that is kept.
const LONGEST_REF: usize = 255;

/// One argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// Name, as usage shows it and [`Given`] stores it.
    pub name: &'static str,
    /// Kind of value.
    pub kind: Kind,
    /// It may be omitted.
    pub optional: bool,
}

/// Kind of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The name itself, at its position.
    Literal,
    /// The name itself, anywhere.
    Flag,
    /// One word.
    Word,
    /// One or more words, up to the next argument.
    Words,
    /// One or more accounts: `@user`.
    Users,
    /// A duration: `2h`.
    Length,
    /// The rest of the line.
    Text,
    /// The rest of the line, after `name:`.
    After,
    /// `name=VALUE`, anywhere.
    Key(Value),
    /// Any number of `key=value` that are not declared otherwise, anywhere.
    Pairs,
}

/// Kind of the value in `name=VALUE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A branch, tag or commit.
    Ref,
    /// A duration.
    Length,
    /// A time.
    Time,
}

/// Declares a required argument.
pub(super) const fn must(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind, optional: false }
}

/// Declares an optional argument.
pub(super) const fn may(name: &'static str, kind: Kind) -> Arg {
    Arg { name, kind, optional: true }
}

impl Arg {
    /// Returns the argument as usage shows it: `ENV`, `[for=2h]`, `[reason]`.
    fn usage(&self) -> String {
        let text = match self.kind {
            Kind::Words => format!("{}…", self.name),
            Kind::Users => "@user…".to_owned(),
            Kind::Length if self.name == "days" => "30d".to_owned(),
            Kind::Length => "2h".to_owned(),
            Kind::After => format!("{}: TEXT", self.name),
            Kind::Key(Value::Ref) => format!("{}=REF", self.name),
            Kind::Key(Value::Length) => format!("{}=2h", self.name),
            Kind::Key(Value::Time) => format!("{}=TIME", self.name),
            Kind::Pairs => "key=value…".to_owned(),
            Kind::Literal | Kind::Flag | Kind::Word | Kind::Text => self.name.to_owned(),
        };
        if self.optional { format!("[{text}]") } else { text }
    }
}

/// Returns a form as usage shows it, without the verb; may be empty.
pub(super) fn usage(form: &[Arg]) -> String {
    form.iter().map(Arg::usage).collect::<Vec<_>>().join(" ")
}

/// Arguments that a line gave, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    words: BTreeMap<&'static str, Vec<String>>,
    lengths: BTreeMap<&'static str, SignedDuration>,
    times: BTreeMap<&'static str, Timestamp>,
    /// `key=value` arguments.
    pub pairs: BTreeMap<String, String>,
}

impl Given {
    /// Returns whether the argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.words.contains_key(name) || self.lengths.contains_key(name) || self.times.contains_key(name)
    }

    /// Returns a word or text; empty if it was not given.
    pub fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    /// Returns a word or text.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.words.get(name).and_then(|words| words.first()).map(String::as_str)
    }

    /// Returns several words.
    pub fn words(&self, name: &str) -> &[String] {
        self.words.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns a duration.
    pub fn length(&self, name: &str) -> Option<SignedDuration> {
        self.lengths.get(name).copied()
    }

    /// Returns a time.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.times.get(name).copied()
    }
}

/// Parses arguments by the first form that fits. `Err`: the reason of the form that got furthest,
/// as a sentence.
pub(super) fn read(forms: &[&[Arg]], words: &[Token], moment: &Moment) -> Result<Given, String> {
    let mut best: Option<Miss> = None;
    for form in forms {
        match read_form(form, words, moment) {
            Ok(given) => return Ok(given),
            Err(miss) if best.as_ref().is_none_or(|known| known.reached < miss.reached) => best = Some(miss),
            Err(_) => {}
        }
    }
    match (best, words.first()) {
        // None of several forms even began, so the reason of one of them would mislead.
        (Some(miss), None) if miss.reached == 0 && forms.len() > 1 => Err("something is missing".to_owned()),
        (Some(miss), Some(word)) if miss.reached == 0 && forms.len() > 1 => {
            Err(format!("{} is not expected here", quoted(&word.text)))
        }
        (Some(miss), _) => Err(miss.why),
        (None, _) => Err("it can't be read".to_owned()),
    }
}

/// Reason why a form does not fit, and the number of its arguments that did.
struct Miss {
    reached: usize,
    why: String,
}

fn read_form(form: &[Arg], words: &[Token], moment: &Moment) -> Result<Given, Miss> {
    let mut given = Given::default();
    let mut left = keyed(form, words, moment, &mut given).map_err(|why| Miss { reached: 1, why })?;
    for (reached, arg) in form.iter().enumerate() {
        let miss = |why: String| Miss { reached, why };
        let missing = || miss(format!("{} is missing", quoted(&arg.usage())));
        let later = &form[reached + 1..];
        match arg.kind {
            Kind::Flag | Kind::Key(_) => {
                if !arg.optional && !given.has(arg.name) {
                    return Err(missing());
                }
            }
            Kind::Pairs => {}
            Kind::Literal => match left.first() {
                Some(word) if !word.quoted && plain(word, &left).eq_ignore_ascii_case(arg.name) => {
                    given.words.insert(arg.name, vec![arg.name.to_owned()]);
                    left.remove(0);
                }
                Some(word) => {
                    return Err(miss(format!("{} is not {}", quoted(&word.text), quoted(arg.name))));
                }
                None => return Err(missing()),
            },
            Kind::Word => {
                if left.is_empty() && !arg.optional {
                    return Err(missing());
                }
                if !left.is_empty() {
                    let text = plain(&left[0], &left).to_owned();
                    given.words.insert(arg.name, vec![text]);
                    left.remove(0);
                }
            }
            Kind::Length => {
                let Some(word) = left.first() else {
                    if arg.optional {
                        continue;
                    }
                    return Err(missing());
                };
                given.lengths.insert(arg.name, time::length(plain(word, &left)).map_err(miss)?);
                left.remove(0);
            }
            Kind::Words | Kind::Users => {
                let end = later.iter().find_map(|arg| (arg.kind == Kind::After).then_some(arg.name));
                let end = end.and_then(|name| after_at(&left, name)).unwrap_or(left.len());
                let taken: Vec<Token> = left.drain(..end).collect();
                let texts = taken.iter().map(|word| plain(word, &taken).to_owned());
                let texts: Vec<String> = if arg.kind == Kind::Users {
                    texts.map(|text| login(&text)).collect::<Result<_, _>>().map_err(miss)?
                } else {
                    texts.collect()
                };
                if texts.is_empty() && !arg.optional {
                    return Err(missing());
                }
                given.words.insert(arg.name, texts);
            }
            Kind::Text | Kind::After => {
                if arg.kind == Kind::After {
                    match after_at(&left, arg.name) {
                        Some(0) => drop(left.remove(0)),
                        _ => return Err(missing()),
                    }
                }
                let text = left.drain(..).map(|word| word.text).collect::<Vec<_>>().join(" ");
                if text.is_empty() && !arg.optional {
                    return Err(missing());
                }
                if !text.is_empty() {
                    given.words.insert(arg.name, vec![text]);
                }
            }
        }
    }
    match left.first() {
        None => Ok(given),
        Some(word) => Err(Miss { reached: form.len(), why: format!("{} is not expected here", quoted(&word.text)) }),
    }
}

/// Removes the arguments that may stand anywhere: flags, `name=value`, `key=value`.
fn keyed(form: &[Arg], words: &[Token], moment: &Moment, given: &mut Given) -> Result<Vec<Token>, String> {
    let takes_pairs = form.iter().any(|arg| arg.kind == Kind::Pairs);
    let mut left: Vec<Token> = Vec::new();
    let mut words = words.iter().enumerate().peekable();
    let last = |at: usize, count: usize| at + 1 == count;
    let count = words.len();
    while let Some((at, word)) = words.next() {
        let bare = word.text.strip_prefix("--").unwrap_or(&word.text);
        let bare = if last(at, count) && word.value_at.is_none() { unpunctuated(bare) } else { bare };
        if word.quoted {
            left.push(word.clone());
            continue;
        }
        // A flag counts at its position only, not within a text that began before it.
        let flag = form.iter().find(|arg| arg.kind == Kind::Flag && arg.name.eq_ignore_ascii_case(bare));
        if let Some(arg) = flag.filter(|arg| !given.has(arg.name) && left.len() <= leading(form)) {
            given.words.insert(arg.name, vec![arg.name.to_owned()]);
            continue;
        }
        let Some((key, value)) = bare.split_once('=') else {
            left.push(word.clone());
            continue;
        };
        let declared = form.iter().find_map(|arg| match arg.kind {
            Kind::Key(kind) if arg.name.eq_ignore_ascii_case(key) => Some((arg.name, kind)),
            Kind::Literal
            | Kind::Flag
            | Kind::Word
            | Kind::Words
            | Kind::Users
            | Kind::Length
            | Kind::Text
            | Kind::After
            | Kind::Key(_)
            | Kind::Pairs => None,
        });
        match declared {
            Some((name, _)) if given.has(name) => return Err(format!("{} is given twice", quoted(name))),
            Some((name, _)) if value.is_empty() => return Err(format!("{} has no value", quoted(name))),
            Some((name, Value::Ref)) if value.len() > LONGEST_REF => {
                return Err(format!("{} is longer than any branch, tag or commit: {LONGEST_REF} bytes", quoted(name)));
            }
            Some((name, Value::Ref)) => drop(given.words.insert(name, vec![value.to_owned()])),
            Some((name, Value::Length)) => drop(given.lengths.insert(name, time::length(value)?)),
            Some((name, Value::Time)) => {
                // `until=tomorrow 09:00` needs no quotes: the clock time is part of the value.
                let clock = words.peek().filter(|_| word.value_at.is_none()).filter(|(_, next)| !next.quoted);
                let clock = clock.map(|(_, next)| unpunctuated(&next.text)).filter(|next| time::is_clock(next));
                let text = clock.map_or_else(|| value.to_owned(), |clock| format!("{value} {clock}"));
                if clock.is_some() {
                    words.next();
                }
                given.times.insert(name, time::moment(&text, moment)?);
            }
            None if takes_pairs => {
                if !is_key(key) {
                    return Err(format!("{} can't be the name of an input", quoted(key)));
                }
                if given.pairs.insert(key.to_owned(), value.to_owned()).is_some() {
                    return Err(format!("{} is given twice", quoted(key)));
                }
            }
            None => left.push(word.clone()),
        }
    }
    Ok(left)
}

/// Returns the number of words that a form takes before the text in which flags no longer count.
fn leading(form: &[Arg]) -> usize {
    let is_text = |arg: &&Arg| matches!(arg.kind, Kind::Text | Kind::After);
    if form.iter().any(|arg| is_text(&arg)) {
        form.iter().take_while(|arg| !is_text(arg)).filter(|arg| matches!(arg.kind, Kind::Word | Kind::Literal)).count()
    } else {
        usize::MAX
    }
}

/// Returns a word as a name; the last one without the punctuation that ends a sentence.
fn plain<'a>(word: &'a Token, left: &[Token]) -> &'a str {
    if left.len() == 1 || left.last().is_some_and(|last| std::ptr::eq(last, word)) {
        if word.quoted { &word.text } else { unpunctuated(&word.text) }
    } else {
        &word.text
    }
}

/// Returns the position of `name:` among the words.
fn after_at(words: &[Token], name: &str) -> Option<usize> {
    words
        .iter()
        .position(|word| !word.quoted && word.text.strip_suffix(':').is_some_and(|key| key.eq_ignore_ascii_case(name)))
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Parses `@user`, with or without a comma or semicolon after it.
fn login(text: &str) -> Result<String, String> {
    let login = text.trim_end_matches([',', ';']).strip_prefix('@').unwrap_or_default();
    let fits = !login.is_empty()
        && login.len() <= 100
        && login.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'[' | b']'));
    if fits { Ok(login.to_owned()) } else { Err(format!("{} is no account such as `@alice`", quoted(text))) }
}

/// Returns a line that the form accepts, with or without its optional arguments.
pub(super) fn example(form: &[Arg], whole: bool) -> String {
    let one = |arg: &Arg| match arg.kind {
        Kind::Literal | Kind::Flag => arg.name.to_owned(),
        Kind::Word if arg.name == "NAME" => "test".to_owned(),
        Kind::Word => "production".to_owned(),
        Kind::Words => "checks window".to_owned(),
        Kind::Users => "@alice, @bob".to_owned(),
        Kind::Length if arg.name == "days" => "30d".to_owned(),
        Kind::Length => "2h".to_owned(),
        Kind::Text => "waits for the customer".to_owned(),
        Kind::After => format!("{}: the customer waits", arg.name),
        Kind::Key(Value::Ref) => format!("{}=v1.2.3", arg.name),
        Kind::Key(Value::Length) => format!("{}=1d12h", arg.name),
        Kind::Key(Value::Time) => format!("{}=tomorrow 09:00", arg.name),
        Kind::Pairs => "region=eu".to_owned(),
    };
    let args = form.iter().filter(|arg| whole || !(arg.optional || arg.kind == Kind::Pairs));
    args.map(one).collect::<Vec<_>>().join(" ")
}
