//! The words of a line.

use jiff::{SignedDuration, Timestamp};
use phasebot_core::domain::event::RunOutcome;

/// Midnight of the day on which scenarios begin.
pub fn start() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

/// Splits at spaces; keeps `"quoted words"` together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            let (word, tail) = quoted.split_once('"').expect("a closing quote");
            (word.replace("\\n", "\n"), tail)
        } else {
            let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            (word.to_owned(), tail)
        };
        words.push(word);
        rest = tail.trim_start();
    }
    words
}

/// Parses `10:00`, `10:00:30` or `2d10:00` (two days later).
pub fn time(word: &str) -> Option<Timestamp> {
    let (days, clock) = word.split_once('d').map_or((0, word), |(d, c)| (d.parse().unwrap_or(0), c));
    let parts: Vec<i64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [h, m, s] = match parts[..] {
        [h, m] => [h, m, 0],
        [h, m, s] => [h, m, s],
        _ => return None,
    };
    Some(start() + SignedDuration::from_secs(((days * 24 + h) * 60 + m) * 60 + s))
}

/// Returns the word after `key`, if `key` is present.
pub fn after<'a>(words: &'a [String], key: &str) -> Option<&'a str> {
    words.iter().position(|w| w == key).and_then(|i| words.get(i + 1)).map(String::as_str)
}

/// Returns the number after `key`, if `key` is present.
pub fn number_after(words: &[String], key: &str) -> Option<u64> {
    after(words, key).and_then(|word| word.parse().ok())
}

pub fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|w| w == word)
}

/// Parses the state of a check run, a commit status or a workflow run.
pub fn outcome(word: &str) -> Option<RunOutcome> {
    Some(match word {
        "running" | "pending" => RunOutcome::Running,
        "success" => RunOutcome::Success,
        "failure" => RunOutcome::Failure,
        "cancelled" => RunOutcome::Cancelled,
        "skipped" => RunOutcome::Skipped,
        _ => return None,
    })
}
