//! Output generated from the table of commands; `docs.rs` compares the documents with it.

use phasebot_core::{
    command::{COMMANDS, examples, parse},
    domain::policy::CommandRules,
};

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
        let policy = crate::policy_of(Some(&text));
        assert!(policy.commands.permissions.contains_key(row.name), "{}", row.name);
    }
}
