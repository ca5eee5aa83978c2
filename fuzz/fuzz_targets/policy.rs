//! No file makes the policy's parser panic; what it takes it takes again, and
//! a problem is shown within the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phasebot::policy;

fuzz_target!(|text: &str| {
    let first = policy::load("phasebot.yml", text);
    match (&first, policy::load("phasebot.yml", text)) {
        (Ok(policy), Ok(again)) => assert_eq!(*policy, again),
        (Err(problems), Err(_)) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let _ = problem.to_string();
            }
        }
        _ => panic!("taken once and not twice"),
    }
});
