//! The client: what it sends, and what it makes of each answer.

use std::{sync::Arc, time::Duration};

use phasebot::{
    app::clock::SimClock,
    database::planetscale::{Config, PlanetScale},
    domain::needs::{Answer, Need},
    port::{database::Database, forge::ForgeError},
};
use phasebot_forge_sim::{
    Fault, FaultKind, Matcher,
    planetscale::{DATABASE, ORGANIZATION, SimPlanetScale, TOKEN, TOKEN_ID},
};

use crate::openapi::check_planetscale;

pub struct Place {
    pub database: SimPlanetScale,
    pub client: PlanetScale,
    clock: Arc<SimClock>,
}

impl Place {
    pub async fn new() -> Self {
        let clock = Arc::new(SimClock::new("2026-03-02T09:00:00Z".parse().unwrap()));
        let database = SimPlanetScale::start(clock.clone()).await.unwrap();
        let client = client(&database.url(), TOKEN, clock.clone());
        Self { database, client, clock }
    }

    pub async fn ask(&self, need: Need) -> Result<Answer, ForgeError> {
        self.client.answer(&need).await
    }
}

fn client(url: &str, token: &str, clock: Arc<SimClock>) -> PlanetScale {
    let config = Config {
        api_url: url.to_owned(),
        organization: ORGANIZATION.to_owned(),
        database: DATABASE.to_owned(),
        service_token_id: TOKEN_ID.to_owned(),
        service_token: token.into(),
        clock,
    };
    PlanetScale::new("db", config).unwrap()
}

fn list() -> Need {
    Need::SchemaChanges { connection: "db".into(), into: "main".into() }
}

fn one(number: u64) -> Need {
    Need::SchemaChange { connection: "db".into(), number }
}

fn numbers(answer: Answer) -> Vec<u64> {
    let Answer::SchemaChanges { changes, numbers, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(
        changes.iter().map(|change| change.number).collect::<Vec<_>>(),
        numbers.iter().copied().collect::<Vec<_>>()
    );
    numbers.into_iter().collect()
}

#[tokio::test]
async fn it_lists_every_open_deploy_request_and_the_newest_others() {
    let place = Place::new().await;
    assert_eq!(numbers(place.ask(list()).await.unwrap()), Vec::<u64>::new());
    for number in 1..=120 {
        place.database.open(&format!("b{number}"), &[("ALTER TABLE `a` ADD COLUMN `b` int", false)]);
        place.database.change(number, |request| request.closed = number % 2 == 0);
    }
    place.database.change(119, |request| request.into = "staging".into());
    let found = numbers(place.ask(list()).await.unwrap());
    let open = (1..=117).step_by(2);
    assert!(open.clone().all(|number| found.contains(&number)), "{found:?}");
    assert!(found.contains(&120) && !found.contains(&2) && !found.contains(&119), "{found:?}");
    place.database.require_approval();
    let answer = place.ask(list()).await.unwrap();
    assert!(matches!(answer, Answer::SchemaChanges { needs_approval: true, .. }));
    for exchange in place.database.requests() {
        check_planetscale(&exchange).unwrap();
    }
    // More than it reads are an error, because any of them could matter.
    for number in 121..=520 {
        place.database.open(&format!("b{number}"), &[]);
    }
    place.clock.advance(jiff::SignedDuration::from_mins(2));
    assert!(matches!(place.ask(list()).await, Err(ForgeError::Permanent(_))));
}

#[tokio::test]
async fn each_refusal_is_what_the_caller_does_about_it() {
    let place = Place::new().await;
    place.database.open("add-index", &[("ALTER TABLE `a` ADD COLUMN `b` int", false)]);
    let refused = |status| FaultKind::Refused { status, message: "Says who" };
    for (kind, meant) in [
        (refused(400), "permanent"),
        (refused(401), "permanent"),
        (refused(403), "permanent"),
        (refused(404), "not found"),
        (refused(422), "permanent"),
        (refused(302), "permanent"),
        (refused(500), "transient"),
        (FaultKind::Status502Before, "transient"),
        (FaultKind::ResetBefore, "transient"),
        (FaultKind::RateLimit429 { retry_after: Duration::from_secs(7) }, "limited"),
    ] {
        place.database.inject(Fault { matcher: Matcher::any(), kind }, 1);
        let error = place.ask(one(1)).await.unwrap_err();
        let kind_of = match &error {
            ForgeError::Permanent(_) => "permanent",
            ForgeError::NotFound(_) => "not found",
            ForgeError::Transient(_) => "transient",
            ForgeError::RateLimited { .. } => "limited",
            ForgeError::Deleted(_) | ForgeError::Doubt(_) => "else",
        };
        assert_eq!(kind_of, meant, "{kind:?}: {error}");
        if matches!(kind, FaultKind::Refused { .. }) {
            assert!(error.to_string().contains("Says who"), "its own words: {error}");
        }
        assert!(!error.to_string().contains(TOKEN), "{error}");
    }
    // Until the limit is over, nothing is sent.
    let sent = place.database.requests().len();
    assert!(matches!(place.ask(one(1)).await, Err(ForgeError::RateLimited { .. })));
    assert_eq!(place.database.requests().len(), sent);
    place.clock.advance(jiff::SignedDuration::from_secs(8));
    assert!(matches!(place.ask(one(1)).await, Ok(Answer::SchemaChange(_))));
}

#[tokio::test]
async fn a_wrong_token_reads_nothing_and_a_new_one_counts_at_once() {
    let place = Place::new().await;
    place.database.open("add-index", &[]);
    let wrong = client(&place.database.url(), "wrong", place.clock.clone());
    let error = wrong.answer(&one(1)).await.unwrap_err();
    assert!(error.to_string().contains("The access token does not exist"), "{error}");
    wrong.renew(TOKEN_ID, &TOKEN.into());
    assert!(wrong.answer(&one(1)).await.is_ok());
    // A missing right looks like something that is missing.
    place.database.set_rights(&["read_database"]);
    assert!(matches!(wrong.answer(&one(1)).await, Err(ForgeError::NotFound(_))));
}

#[tokio::test]
async fn sixty_calls_a_minute_are_the_most() {
    let place = Place::new().await;
    place.database.open("add-index", &[]);
    for _ in 0..60 {
        place.ask(one(1)).await.unwrap();
    }
    let Err(ForgeError::RateLimited { until }) = place.ask(one(1)).await else { panic!("a sixty-first call") };
    assert_eq!(place.database.requests().len(), 60);
    assert_eq!(until, "2026-03-02T09:01:00Z".parse().unwrap());
    place.clock.advance(jiff::SignedDuration::from_mins(1));
    place.ask(one(1)).await.unwrap();
}
