//! No comment makes the command parser panic, and what is quoted never runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phasebot::{decide::command::parse::read, domain::policy::CommandRules};

fuzz_target!(|body: &str| {
    let (rules, at) = (CommandRules::default(), jiff::Timestamp::UNIX_EPOCH);
    read(body, &rules, at);
    let quoted: String = body.lines().map(|line| format!("> {line}\n")).collect();
    assert!(read(&quoted, &rules, at).is_empty(), "{quoted}");
});

