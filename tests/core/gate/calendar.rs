//! Windows and freezes through a year with clock changes: compared with the wall clock, and checked
//! for consistency.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{DateTime, date},
    tz::TimeZone,
};
use phasebot_core::{
    domain::{
        decision::GateName,
        fact::RepoFacts,
        id::{ForgeName, RepoKey},
        policy::Policy,
        rule::{ConditionRule, End, FreezeRule, Hours, Window},
    },
    gate::{Subject, evaluate},
    policy,
};
use proptest::prelude::*;

/// Time zones that change their clocks by an hour, by half an hour, at midnight or never, and one
/// that skipped a whole day.
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kolkata",
    "UTC",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/St_Johns",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn policy(window: Option<Window>, freeze: Option<FreezeRule>) -> Policy {
    let mut policy = policy::load("p.yml", "environments: { production: {} }").unwrap();
    let production = policy.environments.get_mut("production").unwrap();
    production.require.extend(window.map(ConditionRule::Window));
    policy.freezes.extend(freeze);
    policy
}

/// Returns whether the condition with this name is open, and when it changes.
fn look(policy: &Policy, name: &str, now: Timestamp) -> (bool, Option<Timestamp>) {
    let facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
    let subject = Subject::new(GateName::Deploy("production".into()), "c".repeat(40).parse().unwrap(), now);
    let decision = evaluate(&facts, policy, &subject, now);
    let condition = decision.conditions.into_iter().find(|condition| condition.name == name).unwrap();
    (condition.standing.is_open(), condition.next_at)
}

fn hours() -> impl Strategy<Value = Hours> {
    // Quarters of an hour, including those that clock changes skip or repeat.
    (any::<[bool; 7]>(), 0..96_u16, 0..=96_u16).prop_map(|(days, from, until)| Hours {
        days,
        from: from * 15,
        until: until * 15,
    })
}

/// A time in 2011 or 2026, also around the clock changes.
fn moment() -> impl Strategy<Value = Timestamp> {
    let minutes = 0..365 * 24 * 60_i64;
    (prop::sample::select(vec![1_293_840_000_i64, 1_767_225_600]), minutes)
        .prop_map(|(year, minute)| Timestamp::from_second(year + minute * 60).unwrap())
}

/// Returns whether the clocks change within two days of a time.
fn turning(zone: &TimeZone, now: Timestamp) -> bool {
    let near = |days: i64| zone.to_offset(now + SignedDuration::from_hours(24 * days));
    near(-2) != near(2) || near(-2) != near(0)
}

/// Returns whether one of the hours covers a wall-clock time.
fn covers(hours: &[Hours], local: DateTime) -> bool {
    let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
    let on = |hours: &Hours, date: jiff::civil::Date| {
        hours.days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())]
    };
    hours.iter().any(|hours| {
        let over = hours.until <= hours.from;
        let today = on(hours, local.date()) && minute >= hours.from && (over || minute < hours.until);
        let yesterday = on(hours, local.date().yesterday().unwrap()) && over && minute < hours.until;
        today || yesterday
    })
}

proptest! {
    #[test]
    fn a_window_is_open_by_the_wall_clock(
        hours in prop::collection::vec(hours(), 1..4),
        name in prop::sample::select(&ZONES[..]),
        now in moment(),
    ) {
        let zone = zone(name);
        let policy = policy(Some(Window { hours: hours.clone(), zone: zone.clone() }), None);
        let (open, turns) = look(&policy, "window", now);
        if !turning(&zone, now) {
            prop_assert_eq!(open, covers(&hours, now.to_zoned(zone).datetime()), "{} in {}", now, name);
        }
        // It changes at the announced time, and not before.
        if let Some(turns) = turns {
            prop_assert!(turns > now);
            for part in [1, 2, 3] {
                let between = now + turns.duration_since(now) * part / 4;
                prop_assert_eq!(look(&policy, "window", between).0, open, "at {}", between);
            }
            let just_before = turns - SignedDuration::from_millis(1);
            prop_assert_eq!(look(&policy, "window", just_before).0, open, "before {}", turns);
            let always = turns.duration_since(now) > SignedDuration::from_hours(7 * 24);
            prop_assert!(always || look(&policy, "window", turns).0 != open, "at {}", turns);
        } else {
            prop_assert!(!open || hours.iter().any(|hours| hours.days.contains(&true)));
        }
    }

    #[test]
    fn a_yearly_freeze_covers_its_days_and_no_others(
        from in (1..=12_i8, 1..=28_i8),
        until in (1..=12_i8, 1..=28_i8),
        name in prop::sample::select(&ZONES[..]),
        now in moment(),
    ) {
        let zone = zone(name);
        let freeze = FreezeRule {
            environment: "all".to_owned(),
            from: End::Yearly(from.0, from.1),
            until: End::Yearly(until.0, until.1),
            zone: zone.clone(),
            reason: None,
        };
        let (thawed, turns) = look(&policy(None, Some(freeze.clone())), "freeze", now);
        let local = now.to_zoned(zone.clone()).datetime();
        let day = (local.month(), local.day());
        let covered = if until < from { day >= from || day <= until } else { (from..=until).contains(&day) };
        prop_assert_eq!(thawed, !covered, "{}", local);
        let turns = turns.unwrap();
        prop_assert!(turns > now);
        // A window that ends where it begins again is evaluated again after some years.
        prop_assume!(turns.duration_since(now) < SignedDuration::from_hours(366 * 24));
        prop_assert_eq!(look(&policy(None, Some(freeze)), "freeze", turns).0, covered, "at {}", turns);
    }
}

#[test]
fn a_window_keeps_its_hours_when_the_clocks_change() {
    // 2026: forward on 29 March at 02:00, back on 25 October at 03:00.
    let every_day = |from: u16, until: u16| Hours { days: [true; 7], from, until };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (from, until, opens, shuts) in [
        (9 * 60, 16 * 60, "2026-03-28T08:00:00Z", "2026-03-28T15:00:00Z"),
        (9 * 60, 16 * 60, "2026-03-29T07:00:00Z", "2026-03-29T14:00:00Z"),
        (9 * 60, 16 * 60, "2026-10-25T08:00:00Z", "2026-10-25T15:00:00Z"),
        // 02:30 is skipped: the window opens after the clock change.
        (150, 240, "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"),
        // 02:30 occurs twice: the first one counts, for the start and for the end.
        (150, 240, "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"),
        (60, 150, "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"),
    ] {
        let window = Window { hours: vec![every_day(from, until)], zone: zone("Europe/Berlin") };
        let policy = policy(Some(window), None);
        let second = SignedDuration::from_secs(1);
        assert_eq!(look(&policy, "window", at(opens) - second), (false, Some(at(opens))), "{opens}");
        assert_eq!(look(&policy, "window", at(opens)), (true, Some(at(shuts))), "{opens}");
        assert!(!look(&policy, "window", at(shuts)).0, "{shuts}");
    }
    // The whole hour is skipped: that day has no window, and nothing changes.
    let window = Window { hours: vec![every_day(120, 180)], zone: zone("Europe/Berlin") };
    let before = look(&policy(Some(window), None), "window", at("2026-03-29T00:30:00Z"));
    assert_eq!(before, (false, Some(at("2026-03-30T00:00:00Z"))));
}

#[test]
fn a_day_that_does_not_exist_is_no_day() {
    // Samoa skipped 30 December 2011.
    let zone = zone("Pacific/Apia");
    let friday = Hours { days: [false, false, false, false, true, false, false], from: 9 * 60, until: 17 * 60 };
    let policy = policy(Some(Window { hours: vec![friday], zone: zone.clone() }), None);
    let before = date(2011, 12, 29).at(12, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp();
    let (open, turns) = look(&policy, "window", before);
    assert!(!open);
    let turns = turns.unwrap().to_zoned(zone);
    assert!(turns.date() >= date(2011, 12, 30).checked_add(1.day()).unwrap(), "{turns}");
}
