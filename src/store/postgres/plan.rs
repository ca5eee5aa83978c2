//! Tests that no frequent query reads a large table from end to end.
//!
//! They ask the planner with its default settings, on tables with many rows.

use tokio_postgres::NoTls;

use crate::{
    port::store::{DeliveryFilter, DeliveryState},
    store::postgres::{
        PostgresStore, budget, decision, erase, inbox, ingest, insight,
        lease::{CLAIMED, FREE, GIVE_BACK, GIVE_BACK_ALL, HOLD, SEIZE, TAKE, VOID},
        memo, notice, outbox, pages, repo, schema, timer, upkeep,
    },
};

/// Many rows in every table, as after some weeks: most of them decided and done.
const FILL: &str = "
    INSERT INTO delivery (forge, hook, delivery, event, repo, received_at, decided_at, state)
    SELECT 'github', '', 'id-' || n, 'push', n % 3000, n, CASE WHEN n % 400 = 0 THEN NULL ELSE n END,
           CASE WHEN n % 400 = 0 THEN 'pending' WHEN n % 5001 = 0 THEN 'dead' ELSE 'done' END
    FROM generate_series(1, 200000) AS n;
    INSERT INTO delivery_body SELECT seq, 10, 'body' FROM delivery;
    INSERT INTO repository SELECT 'github', n, 'a/b', n / 10, true FROM generate_series(1, 20000) AS n;
    INSERT INTO repository_name SELECT 'github', 'a/b' || n, n FROM generate_series(1, 20000) AS n;
    INSERT INTO fact SELECT 'github', n % 3000, 'item/' || n, '{}' FROM generate_series(1, 100000) AS n;
    INSERT INTO item SELECT 'github', n % 3000, n, 'phase/code', n, '{}' FROM generate_series(1, 100000) AS n;
    INSERT INTO transition SELECT 'github', n % 3000, n, 0, n, 'phase/code', '{}' FROM generate_series(1, 100000) AS n;
    INSERT INTO insight SELECT 'github', n % 3000, 'change', n, '#' || n, 'production', '{}' FROM generate_series(1, 100000) AS n;
    INSERT INTO effect (forge, repo, key, installation, lane, effect, state, created_at, not_before, ended_at)
    SELECT 'github', n % 3000, 'phase/' || n, n % 300, n % 3, '{}',
           CASE WHEN n % 200 = 0 THEN 'queued' WHEN n % 5001 = 0 THEN 'dead' ELSE 'done' END, n, n,
           CASE WHEN n % 200 = 0 THEN NULL ELSE n END
    FROM generate_series(1, 100000) AS n;
    INSERT INTO notice (forge, repo, target, thread, hash, body, state, created_at, not_before, ended_at)
    SELECT 'github', n % 3000, 'target-' || n % 7, 'deploy/' || n, 'h', '{}',
           CASE WHEN n % 2000 = 0 THEN 'queued' ELSE 'done' END, n, n, CASE WHEN n % 2000 = 0 THEN NULL ELSE n END
    FROM generate_series(1, 50000) AS n;
    INSERT INTO timer (forge, repo, key, at) SELECT 'github', n % 3000, 'item/' || n, n FROM generate_series(1, 50000) AS n;
    INSERT INTO lease SELECT 'github', 1, n, n % 3, 1, now() FROM generate_series(1, 20000) AS n;
    INSERT INTO budget SELECT 'github', n, '{}', n FROM generate_series(1, 20000) AS n;
    INSERT INTO data_version SELECT 'github', n, n FROM generate_series(1, 20000) AS n;
    INSERT INTO memo SELECT 'memo-' || n, '' FROM generate_series(1, 5000) AS n;
    ANALYZE;";

/// Returns a query with these values written into it.
fn with(sql: &str, values: &[&str]) -> String {
    let numbered = values.iter().enumerate().rev();
    numbered.fold(sql.to_owned(), |sql, (n, value)| sql.replace(&format!("${}", n + 1), value))
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn every_hot_postgres_query_uses_an_index() {
    let server = std::env::var("PHASEBOT_TEST_POSTGRES").expect("run by scripts/with-postgres");
    let name = format!("plan_{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&format!("{server}/postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = format!("{server}/{name}");
    drop(PostgresStore::open(&url).await.unwrap());
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(FILL).await.unwrap();

    let (forge, repo, item) = ("'github'", "7::int8", "9::int8");
    let version = schema::known().to_string();
    let keys = ["ARRAY['github','github']::text[]", "ARRAY[1,1]::int2[]", "ARRAY[5,6]::int8[]"];
    let list = |filter: DeliveryFilter| inbox::list_query(&filter).0;
    let by_id = list(DeliveryFilter { delivery: Some(String::new()), ..DeliveryFilter::default() });
    let dead = list(DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() });
    let newest = list(DeliveryFilter::default());
    let queries: Vec<(&str, Vec<&str>)> = vec![
        (ingest::FIND, vec![keys[0], "ARRAY['','']::text[]", "ARRAY['id-1','id-2']::text[]"]),
        (inbox::PENDING, vec!["5", "512"]),
        (inbox::DELIVERY, vec!["5"]),
        (inbox::TAKEN_IN, vec!["ARRAY['id-1','id-2']::text[]", forge]),
        (inbox::REPLAY, vec!["5"]),
        (inbox::DROP, vec!["5", "''"]),
        (&by_id, vec!["'id-5'", "50"]),
        (&dead, vec!["50"]),
        (&newest, vec!["50"]),
        (decision::END_DELIVERY, vec!["400", "'done'", "''", "9"]),
        (repo::REPOSITORY, vec![forge, repo]),
        (repo::TAKE_UP, vec!["ARRAY['github']::text[]", "ARRAY['a/b']::text[]", "ARRAY[7]::int8[]"]),
        (repo::REPOSITORIES, vec![forge, repo]),
        (repo::VERSIONS, vec![forge, "ARRAY[7,8]::int8[]"]),
        (repo::RAISE_VERSION, vec![forge, repo]),
        (repo::FACTS, vec![forge, repo]),
        (repo::DELETE_FACTS, vec![forge, repo, "ARRAY['item/7']::text[]"]),
        (repo::ITEMS, vec![forge, repo]),
        (repo::TRANSITIONS, vec![forge, repo, item]),
        (repo::FORGET_HISTORY, vec![forge, repo, item, "5"]),
        (repo::KEEP_HISTORY, vec![forge, repo, item, "ARRAY[1]::int8[]", "ARRAY['a']::text[]", "ARRAY['{}']::text[]"]),
        (pages::ACTIVE_REPOSITORIES, vec![forge, "1000"]),
        (pages::PHASE_COUNTS, vec![forge, repo]),
        (pages::PHASE_COUNTS_OF, vec![forge, "ARRAY[7,8]::int8[]"]),
        (pages::OLDEST_IN_PHASE, vec![forge, repo, "'phase/code'", "50"]),
        (pages::NEWEST_IN_PHASE, vec![forge, repo, "'phase/code'", "50"]),
        (pages::ITEM, vec![forge, repo, item]),
        (pages::DOCUMENTS, vec![forge, repo, "ARRAY['item/7']::text[]"]),
        (pages::DOCUMENTS_UNDER, vec![forge, repo, "'item/'", "'item0'", "50"]),
        (insight::PAGE, vec![forge, repo, "'change'", "5", "''", "''", "100"]),
        (insight::OF_OWNERS, vec![forge, repo, "'change'", "ARRAY['#7']::text[]"]),
        (outbox::QUEUE_ONCE, vec![forge, repo, "'phase/7'", "1", "1::int2", "'{}'", "5::int8", "NULL::int8"]),
        (outbox::CANCEL, vec![forge, repo, "ARRAY['phase/7']::text[]", "5"]),
        (outbox::DUE, vec!["100000", "32", "1"]),
        (outbox::IS_LIVE, vec!["200", "1"]),
        (outbox::NEXT_AT, vec!["500"]),
        (outbox::MARK_SENDING, vec!["200", "1"]),
        (outbox::RETRY, vec!["200", "1", "'queued'", "1", "5", "''"]),
        (outbox::END, vec!["200", "1", "'done'", "1", "5", "''"]),
        (outbox::NEWEST, vec!["50"]),
        (outbox::NEWEST_DEAD, vec!["50"]),
        (notice::CHANGE, vec![forge, repo, "'target-1'", "'deploy/7'", "'h'", "'{}'", "5::int8"]),
        (notice::DUE, vec!["100000", "32"]),
        (notice::NEXT_AT, vec!["500"]),
        (notice::MARK, vec!["200", "1", "'post'"]),
        (notice::LEARN, vec!["200", "'m'", "'h'", "'h'"]),
        (notice::RETRY, vec!["200", "1", "'queued'", "1", "5", "''"]),
        (notice::END, vec!["200", "1", "'done'", "5", "''"]),
        (notice::LEAVE, vec!["200", "1"]),
        (notice::NEWEST, vec!["50"]),
        (timer::DUE, vec!["500", "256", "1"]),
        (timer::NEXT, vec![]),
        (TAKE, vec![keys[0], keys[1], keys[2], "1::int8", "15000", &version]),
        (SEIZE, vec![keys[0], keys[1], keys[2], "1::int8", "15000", &version]),
        (GIVE_BACK, vec![keys[0], keys[1], keys[2], "1"]),
        (GIVE_BACK_ALL, vec!["7"]),
        (HOLD, vec![keys[0], keys[1], keys[2], "ARRAY[1,1]::int8[]", "1", &version]),
        (VOID, vec![forge, repo]),
        (erase::VOID_OTHERS, vec![forge, repo, "1::int8"]),
        (erase::EMPTY_BODIES, vec![forge, repo, "1", "''::bytea", "9::int8"]),
        (erase::END_DELIVERIES, vec![forge, repo, "''", "9::int8"]),
        (FREE, vec!["16", "''", "0::int2", "0::int8"]),
        (CLAIMED, vec![keys[0], keys[1], keys[2], "0", "512"]),
        (budget::BUDGET, vec![forge, repo]),
        (budget::KEEP, vec![forge, repo, "'{}'", "5"]),
        (memo::MEMO, vec!["'memo-1'"]),
        (upkeep::PRUNE_DELIVERIES, vec!["500", "200"]),
        (upkeep::PRUNE_EFFECTS, vec!["500", "200"]),
        (upkeep::COUNT_PENDING, vec![]),
        (upkeep::COUNT_ODD, vec![]),
        (upkeep::OLDEST_PENDING, vec![]),
        (upkeep::COUNT_LANES, vec![]),
        (upkeep::COUNT_DEAD, vec![]),
    ];
    let mut wrong = Vec::new();
    for (sql, values) in queries {
        let explain = format!("EXPLAIN {}", with(sql, &values));
        let rows = client.query_typed(&explain, &[]).await.unwrap_or_else(|error| panic!("{explain}\n{error:?}"));
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        // The schema's version is one row.
        let scans = |line: &String| line.contains("Seq Scan on") && !line.contains("Seq Scan on phasebot_schema");
        if plan.iter().any(scans) {
            wrong.push(format!("{sql}\nreads a table from end to end:\n{}", plan.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
