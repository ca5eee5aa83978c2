//! No comment makes the command parser panic, and what is quoted never runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phasebot::{command::parse::read, domain::policy::CommandRules};

fuzz_target!(|body: &str| {
    let (rules, at) = (CommandRules::default(), jiff::Timestamp::UNIX_EPOCH);
    read(body, &rules, at);
    // A lone carriage return ends a line too (CommonMark, "line ending").
    let quoted: String = body.split(['\n', '\r']).map(|line| format!("> {line}\n")).collect();
    assert!(read(&quoted, &rules, at).is_empty(), "{quoted}");
});

