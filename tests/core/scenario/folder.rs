//! The scenarios of `tests/scenarios`: each is as written, and holds in other orders.

use std::{fs, path::PathBuf};

use super::{script::Script, stage::Stage};

/// Returns the files of a folder of `tests/scenarios` (``: the folder itself), each with its text.
pub fn files(folder: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "scn"));
    files.sort();
    assert!(!files.is_empty());
    let text = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).unwrap());
    files.into_iter().map(text).collect()
}

/// Plays a scenario; returns its text with what phasebot does beneath each step.
pub fn narrate(text: &str) -> String {
    let script = Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    let mut shown: Vec<String> = Vec::new();
    for step in &script.steps {
        stage.until(step.at);
        // What happened meanwhile belongs to the step before.
        match shown.last_mut() {
            Some(last) => last.push_str(&stage.transcript.take()),
            None => drop(stage.transcript.take()),
        }
        stage.step(step);
        shown.push(stage.transcript.take());
    }
    for text in &mut shown {
        *text = readable(&stage, text);
    }
    script.with(&shown)
}

/// Returns a text with commits and incidents by short names.
fn readable(stage: &Stage, text: &str) -> String {
    let mut text = text.to_owned();
    for (short, name) in &stage.forge.names {
        text = text.replace(short, name);
    }
    for (index, id) in stage.repository.facts.incidents.keys().enumerate() {
        text = text.replace(id, &format!("ID{}", index + 1));
    }
    // The rest of a full object name after its first seven digits.
    while let Some(at) = text.find("0000000") {
        let end = text[at..].find(|c: char| c != '0').map_or(text.len(), |n| at + n);
        text.replace_range(at..end, "");
    }
    text
}

/// Checks that phasebot does what is written in each file. `BLESS=1` rewrites the indented lines.
pub fn as_written(folder: &str) {
    let mut failures = Vec::new();
    for (path, text) in files(folder) {
        let actual = narrate(&text);
        if actual == text {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, actual).unwrap();
        } else {
            failures.push(format!("{path}\n{}", difference(&text, &actual)));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 accepts:\n{}", failures.join("\n\n"));
}

/// Returns the lines in which two texts differ, from the first to the last.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let before = expected.iter().zip(&actual).take_while(same).count();
    let shorter = expected.len().min(actual.len()) - before;
    let after = expected.iter().rev().zip(actual.iter().rev()).take(shorter).take_while(same).count();
    let part = |lines: &[&str], sign| -> Vec<String> {
        lines[before..lines.len() - after].iter().map(|line| format!("{sign}{line}")).collect()
    };
    let lines = [part(&expected, '-'), part(&actual, '+')].concat();
    format!("from line {}\n{}", before + 1, lines.join("\n"))
}
