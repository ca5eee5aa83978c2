//! Minimal Rust scanner that finds the paths and words in code.

use std::collections::BTreeSet;

/// Code of a file, without comments and the contents of literals.
pub(super) struct Source {
    /// Tokens with their lines.
    tokens: Vec<(usize, String)>,
    /// Paths in full: `use a::{b, c::d}` is `a::b`, `a::c::d`.
    paths: Vec<(usize, Vec<String>)>,
    /// Depth of the file's module below the crate's root.
    depth: usize,
}

impl Source {
    /// Scans a file.
    pub(super) fn read(path: &str, text: &str) -> Self {
        let tokens = tokens(&bare(text));
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_name(&tokens[at].1) {
                at = read_path(&tokens, at, &[], &mut paths);
            } else {
                at += 1;
            }
        }
        let module = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        Self { tokens, paths, depth: module.split('/').count() }
    }

    /// Returns which of `layers` the code names, each with its line.
    pub(super) fn layers<'a>(&self, layers: impl Iterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
        let layers: Vec<&str> = layers.collect();
        let forge_sim = "forge_sim".to_owned();
        let mut found = Vec::new();
        for (line, path) in &self.paths {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let from_root = match path[0].as_str() {
                "crate" | "phasebot" | "phasebot_core" => path.get(1),
                "phasebot_forge_sim" => Some(&forge_sim),
                "super" if ups >= self.depth => path.get(ups),
                _ => None,
            };
            let named = from_root.and_then(|name| layers.iter().find(|layer| *layer == name));
            found.extend(named.map(|layer| (*line, *layer)));
        }
        found.dedup();
        found
    }

    /// Returns the paths in the code, each with its line: of a group only its parts.
    pub(super) fn paths(&self) -> impl Iterator<Item = (usize, &[String])> {
        self.paths.iter().map(|(line, path)| (*line, path.as_slice()))
    }

    /// Returns the lines of re-exports: `pub use …;`.
    pub(super) fn exports(&self) -> BTreeSet<usize> {
        let token = |at: usize| self.tokens.get(at).map_or("", |(_, token)| token.as_str());
        let is_public = |at: usize| {
            at.checked_sub(1).is_some_and(|at| token(at) == "pub")
                || (at >= 4 && token(at - 1) == ")" && (1..=6).any(|back| at >= back && token(at - back) == "pub"))
        };
        let uses = (0..self.tokens.len()).filter(|at| token(*at) == "use" && is_public(*at));
        let of = |at: usize| self.tokens[at..].iter().take_while(|(_, token)| token != ";").map(|(line, _)| *line);
        uses.flat_map(of).collect()
    }

    /// Returns the lines whose code contains this name (`tokio`) or end of a path (`std::env`).
    pub(super) fn lines_with(&self, word: &str) -> impl Iterator<Item = usize> {
        let parts: Vec<&str> = word.split("::").collect();
        let mut lines: Vec<usize> = if parts.len() == 1 {
            self.tokens.iter().filter(|(_, token)| token == word).map(|(line, _)| *line).collect()
        } else {
            let has = |path: &[String]| path.windows(parts.len()).any(|window| window == parts);
            self.paths.iter().filter(|(_, path)| has(path)).map(|(line, _)| *line).collect()
        };
        lines.dedup();
        lines.into_iter()
    }
}

/// Returns whether `line` contains `word` as a whole word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(line[..at].chars().next_back()) && !joins(line[at + word.len()..].chars().next())
    })
}

/// Reads the path at `at`, with its groups; returns its end.
fn read_path(
    tokens: &[(usize, String)],
    mut at: usize,
    before: &[String],
    paths: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = before.to_vec();
    let token = |at: usize| tokens.get(at).map(|(_, token)| token.as_str());
    let line = tokens[at].0;
    let mut is_group = false;
    while token(at).is_some_and(is_name) {
        path.push(tokens[at].1.clone());
        at += 1;
        if token(at) != Some("::") {
            break;
        }
        at += 1;
        if token(at) == Some("{") {
            is_group = true;
            at += 1;
            while token(at).is_some_and(|token| token != "}") {
                at = if token(at).is_some_and(is_name) { read_path(tokens, at, &path, paths) } else { at + 1 };
            }
            at += 1;
        }
    }
    if !is_group {
        paths.push((line, path));
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match name {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                _ => name,
            };
            tokens.push((index + 1, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Blanks out comments and the contents of literals; keeps the lines.
fn bare(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let before = at.checked_sub(1).map(|at| chars[at]);
        let length = comment(rest).or_else(|| raw_string(rest, before)).or_else(|| literal(rest)).unwrap_or(0);
        if length == 0 {
            bare.push(rest[0]);
            at += 1;
        } else {
            bare.push(' ');
            bare.extend(rest[..length].iter().filter(|c| **c == '\n'));
            at += length;
        }
    }
    bare
}

/// Returns the length of a comment that begins here.
fn comment(rest: &[char]) -> Option<usize> {
    match rest {
        ['/', '/', ..] => Some(rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => {
            let end = rest.windows(2).position(|pair| pair == ['*', '/']);
            Some(end.map_or(rest.len(), |end| end + 2))
        }
        _ => None,
    }
}

/// Returns the length of a raw string that begins here.
fn raw_string(rest: &[char], before: Option<char>) -> Option<usize> {
    if rest[0] != 'r' || before.is_some_and(|c| (c.is_alphanumeric() && c != 'b') || c == '_') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = 2 + hashes;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| body + end + close.len()))
}

/// Returns the length of a string or character that begins here; a lifetime is neither.
fn literal(rest: &[char]) -> Option<usize> {
    let quote = rest[0];
    let is_char = matches!(rest, ['\'', '\\', ..] | ['\'', _, '\'', ..]);
    if quote != '"' && !is_char {
        return None;
    }
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    Some((at + 1).min(rest.len()))
}
