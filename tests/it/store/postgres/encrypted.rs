//! TLS to the server, whose certificate the test's own authority issued for `localhost`.

use phasebot::store::{OpenError, open};

use crate::support::postgres::PostgresDatabase;

/// Asserts a refusal that names the certificate and the remedy.
async fn is_refused(url: &str) {
    match open(url).await.err() {
        Some(OpenError::Engine { message, .. }) => {
            assert!(message.contains("certificate") && message.contains("sslrootcert=FILE"), "{message}");
        }
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn it_is_checked_against_the_authority_that_is_named() {
    let authority = std::env::var("PHASEBOT_TEST_POSTGRES_CA").expect("run by scripts/with-postgres");
    let database = PostgresDatabase::new().await;
    let by_name = database.url.replace("127.0.0.1", "localhost");
    let url = format!("{by_name}?sslmode=require&sslrootcert={authority}");
    let store = open(&url).await.unwrap();
    assert_eq!(store.ping().await, Ok(()));
    let all_encrypted = "DO $$ BEGIN
        ASSERT (SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                WHERE datname = current_database() AND application_name = 'phasebot');
        END $$";
    database.execute(all_encrypted).await;

    // The system does not know the authority, and the certificate is for a name, not for an IP
    // address.
    is_refused(&format!("{by_name}?sslmode=require")).await;
    is_refused(&format!("{}?sslmode=require&sslrootcert={authority}", database.url)).await;
}
