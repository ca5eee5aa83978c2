//! Tests that a vanished client blocks nobody for long.

use std::time::Duration;

use tokio_postgres::NoTls;

use crate::{
    domain::id::ForgeName,
    port::store::{Accepted, NewDelivery, Store},
    store::postgres::{PostgresStore, ingest},
};

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_postgres_client_that_vanishes_in_a_transaction_frees_its_locks() {
    let server = std::env::var("PHASEBOT_TEST_POSTGRES").expect("run by scripts/with-postgres");
    let name = format!("gone_{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&format!("{server}/postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = format!("{server}/{name}");
    let (vanishes, stays) = (PostgresStore::open(&url).await.unwrap(), PostgresStore::open(&url).await.unwrap());

    let work = vanishes.db.work().await.unwrap();
    work.begin().await.unwrap();
    ingest::lock(&work).await.unwrap();
    // It neither commits nor closes its connection: its machine has vanished.
    let delivery = NewDelivery {
        forge: ForgeName::github(),
        hook: "7001".to_owned(),
        delivery: "delivery-1".to_owned(),
        event: "push".to_owned(),
        action: None,
        repo: Some(1),
        target: None,
        installation: Some(1),
        received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
        body: bytes::Bytes::from_static(b"{}"),
        quarantined: None,
    };
    let taken_in = tokio::time::timeout(Duration::from_secs(20), stays.accept(delivery)).await;
    assert!(matches!(taken_in, Ok(Ok(Accepted::New(_)))), "{taken_in:?}");
    drop(work);
}
