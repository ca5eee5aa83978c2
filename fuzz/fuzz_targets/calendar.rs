//! Windows and freezes in every zone at every time: when one says that it
//! turns, it turns then, and not before.
#![no_main]

use std::sync::LazyLock;

use jiff::{civil::DateTime, tz::TimeZone, Timestamp};
use libfuzzer_sys::fuzz_target;
use phasebot::{domain::{decision::GateName, fact::RepoFacts, id::{ForgeName, RepoKey, Sha}, policy::Policy, rule::{ConditionRule, End, FreezeRule, Hours, Window}}, gate::{evaluate, Subject}, policy};

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| policy::load("p.yml", "environments: { production: {} }").expect("it is right"));

/// Bytes, and zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.next(), self.next(), self.next(), self.next()])
    }

    fn minutes(&mut self) -> u16 {
        u16::from_le_bytes([self.next(), self.next()]) % 1441
    }

    fn end(&mut self, yearly: bool) -> End {
        let (month, day) = ((self.next() % 12) as i8 + 1, (self.next() % 31) as i8 + 1);
        if yearly {
            return End::Yearly(month, day);
        }
        let (year, hour) = (1970 + i16::from(self.next()), (self.next() % 24) as i8);
        let date = DateTime::new(year, month, day.min(28), hour, 30, 0, 0).expect("there are 28 days in every month");
        End::Once(date, self.next() % 2 == 0)
    }
}

/// How the condition of this name stands, and when it turns.
fn look(policy: &Policy, name: &str, now: Timestamp) -> (bool, Option<Timestamp>) {
    let facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
    let subject = Subject::new(GateName::Deploy("production".into()), "c".repeat(40).parse().unwrap(), now);
    let decision = evaluate(&facts, policy, &subject, now);
    let condition = decision.conditions.iter().find(|condition| condition.name == name).expect("it is listed");
    (condition.standing.is_open(), condition.next_at)
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let names: Vec<_> = jiff::tz::db().available().collect();
    let name = &names[bytes.number() as usize % names.len()];
    let zone = TimeZone::get(name.as_str()).expect("it is available");
    // From 1970 to 2106.
    let now = Timestamp::from_second(i64::from(bytes.number())).expect("within time");
    let mut policy = POLICY.clone();
    let hours = (0..=bytes.next() % 4).map(|_| {
        let days = bytes.next();
        Hours { days: std::array::from_fn(|day| days >> day & 1 == 1), from: bytes.minutes() % 1440, until: bytes.minutes() }
    });
    let window = Window { hours: hours.collect(), zone: zone.clone() };
    let environment = policy.environments.get_mut("production").expect("it is there");
    environment.require = vec![ConditionRule::Window(window)];
    let yearly = bytes.next() % 2 == 0;
    let freeze = FreezeRule {
        environment: "all".to_owned(),
        from: bytes.end(yearly),
        until: bytes.end(yearly),
        zone,
        reason: None,
    };
    policy.freezes = vec![freeze];
    for name in ["window", "freeze"] {
        let (open, turns) = look(&policy, name, now);
        let Some(turns) = turns else { continue };
        assert!(turns > now, "{name} turned at {turns}, before {now}");
        let just_before = turns - jiff::SignedDuration::from_millis(1);
        assert_eq!(look(&policy, name, just_before).0, open, "{name}, asked at {now}, turned before {turns}");
        // A window may end where the search ends: it is asked again then.
        assert!(look(&policy, name, turns).0 != open || look(&policy, name, turns).1.is_some(), "{name} at {turns}");
    }
});
