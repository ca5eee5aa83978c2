//! Tests that no frequent query reads a large table from end to end.

use std::path::Path;

use rusqlite::{Connection, StatementStatus, params_from_iter, types::Value};

use crate::{
    port::store::{DeliveryFilter, DeliveryState},
    store::{
        Migration,
        sqlite::{
            SqliteOptions, budget, connection, decision, inbox, insight, memo, notice, outbox, pages, repo, schema,
            timer, upkeep,
        },
    },
};

/// Returns SQLite's plan for a query, line by line.
fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing = std::iter::repeat_n(Value::Null, statement.parameter_count());
    let rows = statement.query_map(params_from_iter(nothing), |row| row.get("detail")).unwrap();
    rows.map(Result::unwrap).collect()
}

fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    schema::migrate(&db, Path::new("a.db"), Migration::AfterBackup).unwrap();
    db
}

#[test]
fn every_hot_query_uses_an_index() {
    let db = database();
    for (sql, index) in [
        (inbox::ACCEPT, ""),
        (inbox::FIND, "delivery_identity"),
        (inbox::PENDING, "delivery_by_state"),
        (inbox::TAKEN_IN, "delivery_identity"),
        (memo::MEMO, "PRIMARY KEY"),
        (inbox::NAMED, "PRIMARY KEY"),
        (inbox::TAKE_UP, "delivery_homeless"),
        (inbox::DELIVERY, "INTEGER PRIMARY KEY"),
        (inbox::REPLAY, "INTEGER PRIMARY KEY"),
        (inbox::DROP, "INTEGER PRIMARY KEY"),
        (decision::END_DELIVERY, "INTEGER PRIMARY KEY"),
        (repo::REPOSITORY, "sqlite_autoindex_repository_1"),
        (repo::REPOSITORIES, "repository_by_installation"),
        (repo::VERSION, "PRIMARY KEY"),
        (repo::FACTS, "sqlite_autoindex_fact_1"),
        (repo::ITEMS, "sqlite_autoindex_item_1"),
        (repo::TRANSITIONS, "PRIMARY KEY"),
        (pages::ACTIVE_REPOSITORIES, "sqlite_autoindex_repository_1"),
        (pages::PHASE_COUNTS, "COVERING INDEX item_by_phase"),
        (pages::OLDEST_IN_PHASE, "item_by_phase"),
        (pages::NEWEST_IN_PHASE, "item_by_phase"),
        (pages::ITEM, "sqlite_autoindex_item_1"),
        (pages::DOCUMENT, "sqlite_autoindex_fact_1"),
        (pages::DOCUMENTS_UNDER, "sqlite_autoindex_fact_1"),
        (insight::OF_OWNER, "insight_owner"),
        (insight::DELETE, "PRIMARY KEY"),
        (insight::PAGE, "PRIMARY KEY"),
        (outbox::QUEUE_REPLACING, ""),
        (outbox::QUEUE_ONCE, "effect_key"),
        (outbox::CANCEL, "effect_live_key"),
        (outbox::NEXT_LINE, "effect_line"),
        (outbox::DUE_IN_LINE, "effect_line"),
        (outbox::IS_LIVE, "INTEGER PRIMARY KEY"),
        (outbox::NEXT_AT, "effect_not_before"),
        (outbox::MARK_SENDING, "INTEGER PRIMARY KEY"),
        (outbox::RETRY, "INTEGER PRIMARY KEY"),
        (outbox::END, "INTEGER PRIMARY KEY"),
        (notice::QUEUE, ""),
        (notice::CHANGE, "notice_thread"),
        (notice::NEXT_LINE, "notice_line"),
        (notice::DUE_IN_LINE, "notice_line"),
        (notice::NEXT_AT, "notice_not_before"),
        (notice::MARK, "INTEGER PRIMARY KEY"),
        (notice::LEARN, "INTEGER PRIMARY KEY"),
        (notice::RETRY, "INTEGER PRIMARY KEY"),
        (notice::END, "INTEGER PRIMARY KEY"),
        (notice::LEAVE, "INTEGER PRIMARY KEY"),
        (upkeep::PRUNE_NOTICES, "notice_age"),
        (timer::DUE, "timer_at"),
        (budget::BUDGET, "PRIMARY KEY"),
        (upkeep::PRUNE_DELIVERIES, "delivery_age"),
        (upkeep::PRUNE_EFFECTS, "effect_age"),
        (upkeep::COUNT_DELIVERIES, "delivery_by_state"),
        (upkeep::OLDEST_PENDING, "delivery_by_state"),
    ] {
        let plan = plan(&db, sql);
        let text = plan.join("\n");
        assert!(text.contains(index), "{sql}\nshould use {index}:\n{text}");
        assert!(!plan.iter().any(|line| line.starts_with("SCAN") && line != "SCAN CONSTANT ROW"), "{sql}\n{text}");
        assert!(!text.contains("TEMP B-TREE"), "{sql}\nsorts:\n{text}");
    }
}

#[test]
fn lists_read_only_as_far_as_they_show() {
    let db = database();
    // These read an index from one end and stop at the limit, or read an index of few rows.
    for (sql, index) in [
        (outbox::NEWEST, "SCAN effect"),
        (notice::NEWEST, "SCAN notice"),
        (outbox::NEWEST_DEAD, "effect_dead"),
        (timer::NEXT, "timer_at"),
        (upkeep::COUNT_DEAD, "effect_dead"),
        (upkeep::COUNT_LANES, "effect_line"),
    ] {
        let text = plan(&db, sql).join("\n");
        assert!(text.contains(index), "{sql}\nshould use {index}:\n{text}");
    }
}

#[test]
fn a_list_of_deliveries_uses_the_index_of_its_narrowest_filter() {
    let db = database();
    let by_id = DeliveryFilter { delivery: Some(String::new()), ..DeliveryFilter::default() };
    let by_state = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let by_both = DeliveryFilter { state: Some(DeliveryState::Dead), ..by_id.clone() };
    for (filter, index) in
        [(by_id, "delivery_identity"), (by_state, "delivery_by_state"), (by_both, "delivery_identity")]
    {
        let text = plan(&db, &inbox::list_query(&filter).0).join("\n");
        assert!(text.contains(&format!("SEARCH delivery USING INDEX {index}")), "{filter:?}:\n{text}");
    }
}

/// SQLite may look at a value (that of a LIMIT, say) to make a better plan, and
/// then plans again at each use: that costs more than the query.
#[test]
fn no_plan_depends_on_the_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    std::fs::File::create(&path).unwrap();
    let db = connection::open(&path, connection::Role::Write, &SqliteOptions::default()).unwrap();
    schema::migrate(&db, &path, Migration::AfterBackup).unwrap();
    for sql in [
        inbox::FIND,
        inbox::PENDING,
        inbox::DELIVERY,
        decision::END_DELIVERY,
        repo::REPOSITORY,
        repo::FACTS,
        repo::ITEMS,
        outbox::CANCEL,
        outbox::NEXT_LINE,
        outbox::DUE_IN_LINE,
        outbox::NEXT_AT,
        outbox::MARK_SENDING,
        outbox::RETRY,
        outbox::END,
        timer::DUE,
    ] {
        let mut statement = db.prepare(sql).unwrap();
        for value in 1..4 {
            let values = vec![Value::Integer(value); statement.parameter_count()];
            let mut rows = statement.query(params_from_iter(values)).unwrap();
            while rows.next().unwrap().is_some() {}
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}
