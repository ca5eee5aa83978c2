//! Properties of the command parser.

use jiff::Timestamp;
use phasebot_core::{
    command::parse::{Call, Line, read},
    domain::policy::CommandRules,
};
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn lines(body: &str) -> Vec<Line> {
    read(body, &CommandRules::default(), now())
}

/// Texts made of characters that the parser interprets.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(|c| c.to_string()),
        prop::sample::select(vec![
            "/",
            "/phasebot ",
            "/deploy ",
            "/hold ",
            "/lock prod ",
            "until=",
            "for=",
            "1d12h",
            "tomorrow 09:00",
            "\"",
            "“",
            "”",
            "`",
            "```\n",
            "~~~\n",
            "> ",
            "- ",
            "# ",
            "<!--",
            "-->",
            "<details>",
            "</details>",
            "<p",
            "\n",
            "\r\n",
            "\n\n",
            "    ",
            "\t",
            "|",
            "---",
            "[",
            "](x)",
            "\\",
            "&#47;",
            "On 1 Mar, a@b wrote:\n",
            "-- \n",
            "reason:",
            "=",
            "@",
            "\u{202e}",
            "\u{0}",
            "é",
            "🚀",
            "$$",
            "*",
            "_",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn command() -> impl Strategy<Value = String> {
    prop::sample::select(phasebot_core::command::examples())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(body in hostile()) {
        for line in lines(&body) {
            prop_assert!(line.text.chars().count() <= 161);
        }
    }

    #[test]
    fn what_is_in_code_or_quotes_never_runs(command in command(), before in "[a-z ]{0,12}", fence in 3_usize..6) {
        let (ticks, tildes) = ("`".repeat(fence), "~".repeat(fence));
        for body in [
            format!("{before}\n{ticks}\n{command}\n{ticks}\n"),
            format!("{before}\n\n{tildes}sh\n{command}\n\n{command}\n{tildes}\n"),
            format!("{before}\n{ticks}\n{command}"),
            format!("{before}\n\n    {command}\n"),
            format!("`{command}`"),
            format!("x{before} `x\n{command}` y").replace('"', ""),
            format!("> {command}\n"),
            format!("> x{before}\n{command}\n"),
            format!("> > {command}\n"),
            format!("- {command}\n"),
            format!("<!--\n{command}\n-->\n"),
            format!("<blockquote>\n\n{command}\n\n</blockquote>\n"),
            format!("On Mon, 2 Mar 2026, Bob <bob@example.org> wrote:\n\n{command}\n"),
        ] {
            prop_assert!(lines(&body).is_empty(), "{body:?}");
        }
    }

    #[test]
    fn line_ends_and_neighbours_change_nothing(command in command(), other in command()) {
        let alone = lines(&command);
        prop_assert_eq!(alone.len(), 1);
        for body in [
            format!("{command}\r\n{other}\r\n"),
            format!("Thanks!\n{command}\n\n> quoted\n\n{other}"),
            format!("   {command}  \n\n{other}"),
        ] {
            let both = lines(&body);
            prop_assert_eq!(both.len(), 2, "{}", body);
            let (Call::Known(a, Ok(ga)), Call::Known(b, Ok(gb))) = (&alone[0].call, &both[0].call) else {
                return Err(TestCaseError::fail(body));
            };
            prop_assert_eq!(a.name, b.name);
            prop_assert_eq!(ga, gb);
        }
    }

    #[test]
    fn other_words_are_left_alone(word in "[a-z][a-z-]{2,14}") {
        // Only words that are ours, or close to it, are ever parsed.
        let close = phasebot_core::command::COMMANDS
            .iter()
            .any(|row| strsim::damerau_levenshtein(row.name, &word) <= 2);
        let line = ["/", &word, " x"].concat();
        prop_assert!(close || word == "phasebot" || lines(&line).is_empty());
    }
}

#[test]
fn other_bots_verbs_are_never_near_misses() {
    for verb in ["close", "test", "cc", "rebase", "merge", "label", "reopen", "unassign", "lgtm", "etc", "usr"] {
        assert!(lines(&format!("/{verb} x")).is_empty(), "/{verb}");
    }
    for (verb, meant) in [("aproove", "approve"), ("statsu", "status"), ("rollbak", "rollback"), ("unlok", "unlock")] {
        let read = lines(&format!("/{verb} x"));
        assert!(matches!(read[0].call, Call::Near(row) if row.name == meant), "/{verb}");
    }
    assert!(lines("/usr/bin/deploy x").is_empty());
    assert!(lines("/deploy/x").is_empty());
}

#[test]
fn a_flood_is_cut_and_long_texts_take_no_time() {
    assert_eq!(lines(&"/help\n".repeat(500)).len(), 11);
    for unit in ["<", "<a>", "„", "`", "> ", "[", "*", "/help ", "\"", "<!--", "- ", "|"] {
        lines(&unit.repeat(65_536 / unit.len()));
        lines(&format!("/hold {}", unit.repeat(65_536 / unit.len())));
    }
}
