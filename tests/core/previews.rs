//! Environments for pull requests: what an event costs.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::scenario::{script::Script, stage::Stage};

const POLICY: &str = "| mode: act
| environments:
|   preview:
|     per: pull_request
|     deploy: { via: deployment }
|     label: preview
|     teardown: preview-down.yml
|     max: 3
roles ann=write
08:00 push main b0
";

#[test]
fn an_event_looks_at_labelled_pull_requests_that_changed_or_wait_and_at_no_others() {
    let mut text = POLICY.to_owned();
    for number in 11..=15 {
        let _ = writeln!(text, "09:{number} pull {number} opened by ann head topic-{number}");
        let _ = writeln!(text, "09:{number}:30 pull {number} labeled preview by ann");
    }
    text.push_str("10:00 push main b1\n");
    let played = |text: &str| {
        let script = Script::read(text);
        let mut stage = Stage::new(script.policy.as_deref());
        stage.play(&script);
        let facts = stage.repository.facts;
        assert_eq!(facts.about.labelled_pulls, (11..=15).collect());
        facts.index.previews_to_make
    };
    assert_eq!(played(&text), BTreeSet::from([14, 15]), "those for which there is no room wait");
    // Another policy looks at all of them again.
    let room = format!("{text}policy\n{}10:10 push main b2\n", POLICY.replace("| ", ": ").replace("max: 3", "max: 9"));
    let room = room.replacen("roles ann=write\n08:00 push main b0\n10:10", "10:10", 1);
    assert_eq!(played(&room), BTreeSet::new(), "{room}");
}
