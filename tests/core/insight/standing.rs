//! Rows of what stands now, and of overrides.

use phasebot_core::{
    domain::insight::RowKind,
    insight::{Summary, overrides::OverrideRow, retro::sections, standing::EnvironmentRow},
};
use serde::de::DeserializeOwned;

use super::played::{at, play};
use crate::scenario::{script::Script, stage::Stage};

fn rows<T: DeserializeOwned>(text: &str, kind: RowKind) -> Vec<T> {
    let script = Script::read(text);
    let mut stage = Stage::new(script.policy.as_deref());
    stage.play(&script);
    stage.decide();
    let own = stage.insight.0.iter().filter(|((of, ..), _)| *of == kind);
    own.map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
}

const DEPLOYED: &str = "00:00 push main c1\n00:05 deploy 1 staging of c1 success\n\
    01:00 push main c2\n01:05 deploy 2 staging of c2 success\n01:10 deploy 3 staging of c2 failure\n";

#[test]
fn an_environment_has_one_row_with_what_runs() {
    let all: Vec<EnvironmentRow> = rows(DEPLOYED, RowKind::Environment);
    assert_eq!(all.len(), 1, "{all:?}");
    let running = all[0].running.as_ref().unwrap();
    assert_eq!((running.deployment, running.since, all[0].seen), (2, at("01:05"), true));
    assert_eq!(all[0].documents, ["{\"Deployment\":2}"]);
}

#[test]
fn an_environment_that_is_taken_down_loses_no_change() {
    let story = "00:00 push main c0\n00:01 deploy 1 production of c0 success\n00:10 pull 2 opened by ann head t\n\
        01:00 push main c2\n01:00 pull 2 merged by ann as c2\n02:00 deploy 3 production of c2 success\n\
        03:00 deploy 3 production of c2 inactive\n";
    let lost = |text: &str| play(text).change("#2").unwrap().lost;
    assert_eq!(lost(story), None, "nothing else runs");
    let back = format!("{story}04:00 deploy 4 production of c0 success\n");
    assert_eq!(lost(&back), Some(at("04:00")));
    let empty: Vec<EnvironmentRow> = rows(story, RowKind::Environment);
    assert_eq!((empty[0].running.as_ref(), empty[0].seen), (None, true));
}

#[test]
fn overrides_are_counted_by_condition_and_told_of_a_week() {
    let story = "| mode: act\n\
        | environments: { production: { production: true, require: [checks: { named: [ci] }] } }\n\
        roles mia=maintain\n\
        08:00 push main c1\n08:05 issue 1 opened by ann\n08:20 check ci failure on c1\n\
        08:30 deploy 1 production of c1 waiting\n\
        08:40 comment on 1 by mia\n: /override checks reason: words of a person\n\
        09:00 tick\n";
    let all: Vec<OverrideRow> = rows(story, RowKind::Override);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (all[0].gate.as_str(), all[0].conditions.as_slice()),
        ("phasebot/deploy/production", &["checks".to_owned()][..])
    );
    assert!(!format!("{all:?}").contains("words of a person"), "rows hold nothing that a person wrote");
    let played = play(story);
    let summary = Summary::of(&played.rows, &played.query());
    let told = sections(&summary, &|_| phasebot_core::insight::retro::Told::default());
    let told: Vec<String> = told.into_iter().flat_map(|(_, lines)| lines).collect();
    let line = "`checks` of `phasebot/deploy/production` was overridden for 1 commit.";
    assert!(told.iter().any(|said| said == line), "{told:#?}");
}
