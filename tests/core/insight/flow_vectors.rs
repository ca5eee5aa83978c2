//! Vectors of flow: cycle time, cumulative flow, work in progress.

use jiff::{civil::date, tz::TimeZone};
use phasebot_core::insight::{Query, Step, Window, figures, figures::forecast::Forecast, series};

use super::played::{Played, at, merges, play, shipped};

/// Cumulative arrivals in a phase, day by day.
fn arrived(played: &Played, phase: &str) -> Vec<u32> {
    let terms = played.rows.terms.as_ref().unwrap();
    let place = terms.phases.iter().position(|name| name == phase).unwrap();
    let window = Window::days(date(2026, 3, 2), date(2026, 3, 9), &TimeZone::UTC);
    let flow = figures(&played.rows, &Query::new(window, played.now)).flow;
    flow.cumulative.iter().map(|day| day.arrived[place]).collect()
}

#[test]
fn vector_45_cumulative_flow_never_falls() {
    let text = merges(2)
        + "10:00 deploy 1 production of c1 success\n\
           1d10:00 deploy 2 production of c2 success\n\
           3d10:00 deploy 3 production of c1 success\n6d23:00 tick\n";
    let played = play(&text);
    for phase in ["plan", "code", "build", "operate"] {
        let line = arrived(&played, phase);
        assert!(line.windows(2).all(|pair| pair[0] <= pair[1]), "{phase}: {line:?}");
    }
    assert_eq!(arrived(&played, "operate"), [1; 7], "#2 was taken back");
    assert_eq!((played.unit(2).fell_back, played.unit(2).finished), (1, None));
    assert_eq!(played.figures().flow.fell_back, 1);
}

#[test]
fn vector_46_a_skipped_phase_arrives_with_the_next() {
    let played = play(&shipped(&[(1, "1d08:00", "2d09:00")]));
    let unit = played.unit(1);
    let arrivals = ["build", "test", "release", "deploy", "operate"].map(|phase| unit.arrival(phase));
    assert_eq!(arrivals, [Some(at("2d09:00")); 5]);
    assert_eq!(unit.arrival("code"), Some(at("1d08:00")));
    assert_eq!(arrived(&played, "release"), [0, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn vector_47_a_new_phase_has_no_past() {
    let text = shipped(&[(1, "08:00", "1d09:00"), (2, "2d08:00", "5d09:00")]);
    let policy = "4d00:00 policy\n\
                  : phases:\n:   - { name: plan }\n:   - { name: code }\n:   - { name: review, when: [merged] }\n\
                  :   - { name: build }\n:   - { name: test }\n:   - { name: release }\n:   - { name: deploy }\n\
                  :   - { name: operate }\n:   - { name: monitor }\n4d00:00 tick\n";
    let place = text.find("5d09:00").unwrap();
    let played = play(&format!("{}{policy}{}6d00:00 tick\n", &text[..place], &text[place..]));
    let terms = played.rows.terms.as_ref().unwrap();
    assert_eq!(terms.phases_since, [("review".to_owned(), at("4d00:00"))]);
    assert_eq!(arrived(&played, "review"), [0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(arrived(&played, "build"), [0, 1, 1, 1, 1, 2, 2]);
}

#[test]
fn vector_48_days_without_an_event_are_there() {
    let played = play(&(shipped(&[(1, "08:00", "09:00")]) + "6d12:00 tick\n"));
    let window = Window::days(date(2026, 3, 2), date(2026, 3, 9), &TimeZone::UTC);
    let flow = figures(&played.rows, &Query::new(window, played.now)).flow;
    assert_eq!(flow.cumulative.iter().map(|day| day.departed).collect::<Vec<_>>(), [1; 7]);
    assert_eq!(flow.throughput.iter().map(|day| day.count).collect::<Vec<_>>(), [1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn vector_49_work_that_went_back_starts_again() {
    let text = "00:00 push main c0\n\
                08:00 issue 1 opened by ann\n\
                09:00 pull 2 opened by ann head topic2 body \"Closes #1\"\n\
                10:00 pull 2 closed by ann\n\
                1d09:00 pull 3 opened by ann head topic3 body \"Closes #1\"\n\
                1d10:00 push main c3\n1d10:00 pull 3 merged by ann as c3\n1d10:00 issue 1 closed by ann\n\
                1d11:00 deploy 1 production of c3 success\n";
    let played = play(text);
    let unit = played.unit(1);
    assert_eq!((unit.started, unit.finished), (Some(at("1d09:00")), Some(at("1d11:00"))));
    assert!(played.rows.units.iter().all(|unit| unit.item != 3), "its work is the issue's");
    assert_eq!(played.figures().flow.cycle_time.unwrap().p50, 2 * 3600);
}

#[test]
fn vector_51_work_from_before_our_record_has_no_cycle_time() {
    let text = "00:00 push main c0\n\
                12:00 pull 1 edited by ann since 08:00 head topic1\n";
    let open = play(&format!("{text}13:00 tick\n"));
    let flow = figures(&open.rows, &open.query()).flow;
    assert_eq!((flow.in_progress, open.unit(1).started_before_record), (1, true));
    let done = play(&format!(
        "{text}14:00 push main c1\n14:00 pull 1 merged by ann as c1\n15:00 deploy 1 production of c1 success\n"
    ));
    let flow = done.figures().flow;
    assert_eq!((flow.finished, flow.cycle_time, flow.without_cycle_time), (1, None, 1));
}

#[test]
fn work_that_was_given_up_leaves() {
    let text = "00:00 push main c0\n\
                08:00 issue 1 opened by ann\n08:10 pull 2 opened by ann head t2 body \"Closes #1\"\n\
                09:00 pull 2 closed by ann\n09:10 issue 1 closed by ann as not_planned\n\
                10:00 pull 3 opened by ann head t3\n10:10 pull 3 closed by ann\n\
                11:00 issue 4 opened by ann\n11:10 issue 4 closed by ann\n12:00 tick\n";
    let played = play(text);
    let left = [1, 3, 4].map(|item| played.unit(item).left);
    assert_eq!(left, [Some(at("09:10")), Some(at("10:10")), Some(at("11:10"))]);
    let flow = played.figures().flow;
    assert_eq!((flow.left, flow.in_progress, flow.finished), (3, 0, 0));
}

#[test]
fn a_reopened_issue_is_another_unit() {
    let text = "00:00 push main c0\n\
                08:00 issue 1 opened by ann\n\
                09:00 pull 2 opened by ann head t2 body \"Closes #1\"\n\
                10:00 push main c2\n10:00 pull 2 merged by ann as c2\n10:00 issue 1 closed by ann\n\
                11:00 deploy 1 production of c2 success\n\
                1d08:00 issue 1 reopened by ann\n1d12:00 tick\n";
    let played = play(text);
    let mut finished: Vec<_> =
        played.rows.units.iter().filter(|unit| unit.item == 1).map(|unit| unit.finished).collect();
    finished.sort();
    assert_eq!(finished, [None, Some(at("11:00"))]);
}

#[test]
fn the_area_under_work_in_progress_is_exact() {
    let text = shipped(&[(1, "08:00", "2d09:00"), (2, "1d08:00", "1d10:00"), (3, "2d08:00", "9d09:00")]);
    let played = play(&text);
    let window = Window::days(date(2026, 3, 3), date(2026, 3, 5), &TimeZone::UTC);
    let flow = figures(&played.rows, &Query::new(window, played.now)).flow;
    // #1: 33 hours of the window, #2: 2, #3: 16.
    assert_eq!(flow.little.area, (33 + 2 + 16) * 3600);
    assert_eq!(flow.little.average_in_progress, Some(51.0 / 48.0));
}

#[test]
fn parts_add_up_to_the_whole() {
    let played = play(&shipped(&[(1, "08:00", "1d09:00"), (2, "3d08:00", "8d09:00"), (3, "9d08:00", "17d10:00")]));
    let query = played.query();
    let whole = figures(&played.rows, &query);
    let parts = series(&played.rows, &query, Step::Week);
    let sum = |count: &dyn Fn(&phasebot_core::insight::Figures) -> usize| parts.iter().map(count).sum::<usize>();
    assert_eq!(sum(&|part| part.deployment_frequency.count), whole.deployment_frequency.count);
    assert_eq!(sum(&|part| part.lead_time.all.as_ref().map_or(0, |all| all.n)), 3);
    assert_eq!(sum(&|part| part.flow.finished), whole.flow.finished);
    assert_eq!(parts.iter().map(|part| part.flow.little.area).sum::<i64>(), whole.flow.little.area);
}

#[test]
fn a_forecast_is_the_same_everywhere_and_refused_without_a_past() {
    let past: Vec<u32> = (0..84).map(|day| u32::from(day % 3 == 0)).collect();
    let forecast = Forecast::draw(&past, 5, 42).unwrap();
    assert_eq!(Forecast::draw(&past, 5, 42).unwrap(), forecast);
    assert_eq!(forecast.n, 28);
    let units: Vec<i64> = forecast.units.iter().map(|one| one.units).collect();
    assert!(units.windows(2).all(|pair| pair[0] >= pair[1]), "more certain is less: {units:?}");
    let days: Vec<i64> = forecast.days.iter().map(|one| one.days).collect();
    assert!(days.windows(2).all(|pair| pair[0] <= pair[1]), "more certain is later: {days:?}");
    assert!((3..=6).contains(&units[0]) && (10..=20).contains(&days[0]), "{units:?} {days:?}");
    assert_eq!(Forecast::draw(&[1; 19], 5, 42), None, "19 units");
    assert_eq!(Forecast::draw(&[3, 3, 3, 3, 3, 3, 3, 3, 3, 0], 5, 42), None, "9 days");
}

#[test]
fn bands_are_ages_at_which_a_phase_was_left() {
    let played = play(
        &(shipped(&[(1, "08:00", "10:00"), (2, "1d08:00", "1d12:00")])
            + "2d08:00 pull 3 opened by ann head topic3\n2d11:00 tick\n"),
    );
    let window = Window::last(7, played.now, &TimeZone::UTC);
    let flow = figures(&played.rows, &Query::new(window, played.now)).flow;
    let code = flow.bands.iter().find(|band| band.phase == "code").unwrap();
    assert_eq!((code.n, code.p50, code.p95), (2, 2 * 3600, 4 * 3600));
    let age = &flow.ageing[0];
    assert_eq!((age.item, age.age, age.band), (3, 3 * 3600, Some(50)));
}
