//! Any text is answered quickly and without a panic.

use std::fmt::Write as _;

use jiff::SignedDuration;
use phasebot_core::policy::{MAX_BYTES, MAX_DEPTH, MAX_NODES, Problem, check_report, file::time::Length, load};
use proptest::prelude::*;

use super::accept::CONTRACT;

fn refused(text: &str) -> Vec<Problem> {
    load("p.yml", text).unwrap_err()
}

#[test]
fn a_large_file_is_not_read() {
    let text = "#".repeat(MAX_BYTES + 1);
    assert_eq!(refused(&text)[0].message, "the file has 262145 bytes; at most 262144 are read");
    assert!(load("p.yml", &"#".repeat(MAX_BYTES)).is_ok());
}

#[test]
fn a_bomb_of_aliases_is_stopped() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='i').zip('a'..) {
        let alias = format!("*{before}, ").repeat(6);
        writeln!(text, "{name}: &{name} [{alias}]").unwrap();
    }
    assert_eq!(refused(&text)[0].message, format!("more than {MAX_NODES} values, aliases included"));
}

#[test]
fn depth_is_limited_with_and_without_aliases() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for text in [deep(200_000 / 2), deep(MAX_DEPTH + 1), format!("{}x", "- ".repeat(10_000)), "? ".repeat(10_000)] {
        assert_eq!(refused(&text).len(), 1);
    }
    let aliases = format!("a: &a {}\nb: {}*a{}", deep(MAX_DEPTH - 2), "[".repeat(5), "]".repeat(5));
    assert_eq!(refused(&aliases)[0].message, format!("nested deeper than {MAX_DEPTH} levels"));
    assert_eq!(refused("a: &a [*a]")[0].message, "this alias stands inside the value that it names");
}

#[test]
fn odd_documents_are_refused_in_words() {
    let said = |text: &str| refused(text)[0].message.clone();
    assert_eq!(said("mode: label\n---\nmode: act\n"), "a policy file has one document; a second one starts here");
    assert_eq!(said("mode: !!str label"), "tags such as `!!str` have no meaning in a policy file");
    assert_eq!(said("? [a]\n: b\n"), "a key must be a word");
    assert_eq!(said("[]"), "expected a mapping, found a list");
    assert_eq!(said("x"), "expected a mapping, found `x`");
    assert_eq!(said("<<: { mode: act }").split(';').next(), Some("unknown key `<<`"));
}

#[test]
fn many_mistakes_are_cut_off() {
    let text = (0..1500).map(|n| format!("key{n}: 1")).collect::<Vec<_>>().join("\n");
    assert_eq!(refused(&text).len(), 1001);
    let phases = "- { name: 'a b' }\n".repeat(500);
    let problems = refused(&format!("phases:\n{phases}"));
    assert_eq!(problems.len(), 251);
    assert!(problems[250].message.contains("more mistakes"), "{}", problems[250]);
}

#[test]
fn what_a_terminal_would_obey_is_shown_as_a_mark() {
    let problems = refused("\"\\e[31mred\\u202E\": 1\nmode: \u{202e}x\u{2066}\n");
    let text: String = problems.iter().map(ToString::to_string).collect();
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{2066}']), "{text:?}");
}

#[test]
fn a_long_line_is_shown_in_part() {
    let text = format!("mode: label # {}\nmode2: {}", "é".repeat(500), "é".repeat(500));
    let shown = refused(&text)[0].to_string();
    assert!(shown.lines().all(|line| line.chars().count() < 120), "{shown}");
}

/// Fragments of policy files, combined at random.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "phases",
        "name",
        "when",
        "merged",
        "tagged",
        "soaked",
        "for",
        "30m",
        "label",
        "mode",
        "act",
        "environments",
        "require",
        "all",
        "not",
        "window",
        "allow",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "!!str ",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "#",
        "? ",
        "---\n",
        "%YAML 1.2\n",
        "\t",
        "~",
        "\u{feff}",
        "é",
        "<<",
    ];
    prop_oneof![proptest::sample::select(words.to_vec()).prop_map(str::to_owned), ".{0,3}"]
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = check_report("p.yml", &text).to_string();
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = check_report("p.yml", &String::from_utf8_lossy(&bytes)).to_string();
    }

    #[test]
    fn no_yaml_panics(pieces in proptest::collection::vec(piece(), 0..60)) {
        let _ = check_report("p.yml", &pieces.concat()).to_string();
    }

    #[test]
    fn no_mutant_of_a_policy_panics(at in 0..CONTRACT.len(), cut in 0..40_usize, put in piece()) {
        let chars: Vec<char> = CONTRACT.chars().collect();
        let at = at.min(chars.len());
        let after = (at + cut).min(chars.len());
        let text: String = chars[..at].iter().copied().chain(put.chars()).chain(chars[after..].iter().copied()).collect();
        let report = check_report("p.yml", &text);
        let _ = report.to_string();
        for problem in report.problems {
            prop_assert!(problem.line >= 1 && problem.column >= 1);
            prop_assert!(problem.line as usize <= text.lines().count() + 1);
        }
    }

    #[test]
    fn lengths_of_time_come_back(seconds in 0..=366 * 86_400_i64) {
        let length = Length::try_from(SignedDuration::from_secs(seconds)).unwrap();
        prop_assert_eq!(length.to_string().parse(), Ok(length));
    }

    #[test]
    fn no_length_of_time_panics(text in "[0-9]{0,25}[dhms]?[0-9]{0,3}[dhmsx]?") {
        if let Ok(length) = text.parse::<Length>() {
            prop_assert!(length.duration() <= SignedDuration::from_hours(366 * 24));
        }
    }
}

#[test]
fn globs_are_counted_before_they_cost_anything() {
    let globs = |count: usize| format!("branches: [{}]", "'release/*-{a,b}', ".repeat(count));
    assert_eq!(refused(&globs(3900))[0].message, "3900 globs; at most 300 are possible");
    assert!(load("p.yml", &globs(300)).is_ok());
}
