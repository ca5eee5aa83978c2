//! The documents that are made from the table of commands.

use std::{fs, path::PathBuf};

use phasebot::{
    decide::command::{COMMANDS, commands_markdown, examples, parse},
    domain::policy::CommandRules,
};

const BEGIN: &str = "<!-- commands -->\n";
const END: &str = "<!-- /commands -->";

/// Between the marks in a document stands the table; `BLESS=1` puts it there.
fn check(path: &str, must: bool) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let marked = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let Some((before, (table, after))) = marked else {
        assert!(!must, "{} has no place for the table", path.display());
        return;
    };
    let expected = format!("\n{}\n", commands_markdown());
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, expected, "{} is out of date; BLESS=1 mends it", path.display());
    }
}

#[test]
fn the_documents_show_the_table() {
    check("docs/commands.md", true);
    check("README.md", false);
}

#[test]
fn what_help_prints_is_understood() {
    let at = "2026-03-02T10:00:00Z".parse().unwrap();
    let lines = examples();
    for row in COMMANDS {
        assert!(lines.iter().any(|line| line.split(' ').next() == Some(&format!("/{}", row.name))), "{}", row.name);
    }
    for example in lines {
        for line in [example.clone(), example.replacen('/', "/phasebot ", 1), example.replacen('/', "/phasebot /", 1)] {
            let read = parse::read(&line, &CommandRules::default(), at);
            assert_eq!(read.len(), 1, "{line}");
            assert!(matches!(&read[0].call, parse::Call::Known(_, Ok(_))), "{line}: {:?}", read[0].call);
        }
    }
}

#[test]
fn the_policy_knows_every_command() {
    for row in COMMANDS {
        let text = format!("commands: {{ permissions: {{ {}: admin }} }}", row.name);
        let policy = crate::support::policy(Some(&text));
        assert!(policy.commands.permissions.contains_key(row.name), "{}", row.name);
    }
}
