//! Whatever an alert says: nothing in it is live where the built-in template
//! and the filters of operators' templates can put it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phasebot::{incident::rendered_text::live, text::sanitize};

fuzz_target!(|text: &str| {
    let words = sanitize::inline(text, 300);
    for place in [
        words.clone(),
        format!("a\n{words}\nb"),
        format!("# {words}"),
        format!("| a | b |\n| - | - |\n| {words} | c |\n"),
        format!("a{}b", sanitize::block(text, 300)),
        format!("a{}b", sanitize::fence(text, 300)),
        format!("a {} b", sanitize::code(text, 300)),
    ] {
        let found = live(&place);
        assert!(found.is_empty(), "{found:?} in\n{place}");
    }
    if let Some(link) = sanitize::link(text) {
        assert_eq!(live(&format!("[x](<{link}>)")).len(), 1, "{link}");
    }
});
