//! Clauses on the reads of the web pages.

use phasebot::{
    domain::{
        id::{ForgeName, RepoKey},
        insight::{InsightRow, RowGroup, RowKind},
        timer::TimerKey,
    },
    port::{
        pages::{ItemOrder, PhaseCount},
        store::{Commit, Document, InsightPage, RepositoryRow, Store, StoredItem},
    },
};

use super::{
    Database,
    given::{at, fact, no_fact, repo, transition},
};

fn item(number: u64, phase: Option<&str>, since: i64) -> StoredItem {
    StoredItem {
        item: number,
        phase: phase.map(str::to_owned),
        since: phase.map(|_| at(since)),
        derived: format!("{{\"item\":{number}}}"),
    }
}

async fn keep(store: &dyn Store, repo: RepoKey, items: Vec<StoredItem>, facts: Vec<Document>) {
    let commit = Commit { repo: Some(repo), now: Some(at(9)), items, facts, ..Commit::default() };
    store.commit(commit).await.unwrap();
}

fn numbers(items: &[StoredItem]) -> Vec<u64> {
    items.iter().map(|item| item.item).collect()
}

pub(crate) async fn items_are_counted_and_listed_by_phase(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    assert_eq!(pages.phase_counts(&repo(1)).await.unwrap(), []);
    let items = vec![
        item(1, Some("plan"), 30),
        item(2, Some("code"), 50),
        item(3, Some("plan"), 10),
        item(u64::MAX, Some("plan"), 20),
        item(5, None, 0),
        item(6, Some("plan"), 20),
    ];
    keep(&*store, repo(1), items, Vec::new()).await;
    keep(&*store, repo(2), vec![item(1, Some("plan"), 1)], Vec::new()).await;

    let count = |phase: &str, items, oldest| PhaseCount { phase: phase.to_owned(), items, oldest: Some(at(oldest)) };
    assert_eq!(pages.phase_counts(&repo(1)).await.unwrap(), [count("code", 1, 50), count("plan", 4, 10)]);
    let list = async |phase: &str, order, limit| pages.items_in_phase(&repo(1), phase, order, limit).await.unwrap();
    let oldest = list("plan", ItemOrder::OldestFirst, 10).await;
    assert_eq!(oldest[0], item(3, Some("plan"), 10));
    assert_eq!((numbers(&oldest)[0], numbers(&oldest)[3]), (3, 1));
    assert_eq!(numbers(&list("plan", ItemOrder::NewestFirst, 1).await), [1]);
    assert_eq!(numbers(&list("plan", ItemOrder::OldestFirst, 1).await), [3]);
    assert_eq!(list("operate", ItemOrder::OldestFirst, 10).await, []);
    // A phase is a name from outside.
    assert_eq!(list("plan' OR '1'='1", ItemOrder::OldestFirst, 10).await, []);

    keep(&*store, repo(1), vec![item(3, Some("code"), 60)], Vec::new()).await;
    assert_eq!(pages.phase_counts(&repo(1)).await.unwrap(), [count("code", 2, 50), count("plan", 3, 20)]);
    assert_eq!(pages.item(&repo(1), 3).await.unwrap(), Some(item(3, Some("code"), 60)));
    assert_eq!(pages.item(&repo(2), 3).await.unwrap(), None);
}

pub(crate) async fn an_item_and_its_history_are_read_alone(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    let history = vec![transition(at(1), Some("plan")), transition(at(5), None)];
    let commit = Commit {
        repo: Some(repo(1)),
        now: Some(at(9)),
        items: vec![item(12, None, 0)],
        histories: vec![(12, history.clone())],
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    assert_eq!(pages.item(&repo(1), 12).await.unwrap(), Some(item(12, None, 0)));
    assert_eq!(pages.transitions(&repo(1), 12).await.unwrap(), history);
    assert_eq!(pages.transitions(&repo(1), 13).await.unwrap(), []);
}

pub(crate) async fn documents_are_read_by_key_and_by_the_beginning_of_it(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    let all = [fact("{\"Item\":1}", "1"), fact("{\"Item\":12}", "12"), fact("{\"Items\":1}", "s"), fact("a", "\0<")];
    keep(&*store, repo(1), Vec::new(), all.to_vec()).await;
    keep(&*store, repo(2), Vec::new(), vec![fact("{\"Item\":2}", "2")]).await;
    let keys = ["{\"Item\":12}", "{\"Item\":2}", "a", "a"].map(str::to_owned);
    let found = pages.documents(&repo(1), &keys).await.unwrap();
    assert_eq!(found, [fact("a", "\0<"), fact("{\"Item\":12}", "12")]);
    assert_eq!(pages.documents(&repo(1), &[]).await.unwrap(), []);
    // By key: a digit comes before the bracket.
    let found = pages.documents_under(&repo(1), "{\"Item\":", 10).await.unwrap();
    assert_eq!(found, [fact("{\"Item\":12}", "12"), fact("{\"Item\":1}", "1")]);
    assert_eq!(pages.documents_under(&repo(1), "{\"Item\":", 1).await.unwrap().len(), 1);
    keep(&*store, repo(1), Vec::new(), vec![no_fact("a")]).await;
    assert_eq!(pages.documents(&repo(1), &keys).await.unwrap(), [fact("{\"Item\":12}", "12")]);
}

pub(crate) async fn rows_for_metrics_are_those_of_the_store(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    let row = |owner: &str, second| InsightRow {
        owner: owner.to_owned(),
        part: String::new(),
        at: at(second),
        body: "{\"a\":\"\\u0000\"}".to_owned(),
    };
    let group = |owner: &str, second| RowGroup {
        kind: RowKind::Unit,
        owner: owner.to_owned(),
        from: String::new(),
        rows: vec![row(owner, second)],
    };
    let insight = vec![group("1", 30), group("2", 10), group("3", 20)];
    store.commit(Commit { repo: Some(repo(1)), now: Some(at(9)), insight, ..Commit::default() }).await.unwrap();
    let page = InsightPage { kind: RowKind::Unit, since: at(15), after: None, limit: 10 };
    let read = pages.insight(&repo(1), &page).await.unwrap();
    assert_eq!(read, [row("3", 20), row("1", 30)]);
    assert_eq!(read, store.insight(&repo(1), &page).await.unwrap());
    let next = InsightPage { after: Some((at(20), "3".to_owned(), String::new())), ..page };
    assert_eq!(pages.insight(&repo(1), &next).await.unwrap(), [row("1", 30)]);
    let of = async |kind, owners: &[&str]| {
        let owners: Vec<String> = owners.iter().map(|owner| (*owner).to_owned()).collect();
        pages.insight_of(&repo(1), kind, &owners).await.unwrap()
    };
    assert_eq!(of(RowKind::Unit, &["3", "2", "3", "4"]).await, [row("2", 10), row("3", 20)]);
    assert_eq!(of(RowKind::Change, &["2"]).await, []);
    assert_eq!(of(RowKind::Unit, &[]).await, []);
}

pub(crate) async fn active_repositories_are_listed_and_found_by_name(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    let row = |id, name: &str, active| RepositoryRow {
        repo: repo(id),
        full_name: name.to_owned(),
        installation: Some(10),
        active,
    };
    let rows = vec![row(3, "acme/Shop", true), row(1, "acme/gone", false), row(2, "acme/blog", true)];
    let commit = Commit { repositories: rows, ..Commit::default() };
    store.commit(commit).await.unwrap();
    let github = ForgeName::github();
    let listed = pages.active_repositories(&github, 10).await.unwrap();
    assert_eq!(listed, [row(2, "acme/blog", true), row(3, "acme/Shop", true)]);
    assert_eq!(pages.active_repositories(&github, 1).await.unwrap(), [row(2, "acme/blog", true)]);
    assert_eq!(pages.active_repositories(&ForgeName("other".to_owned()), 10).await.unwrap(), []);
    assert_eq!(pages.repository_named(&github, "ACME/shop").await.unwrap(), Some(row(3, "acme/Shop", true)));
    assert_eq!(pages.repository_named(&github, "acme/no").await.unwrap(), None);
}

pub(crate) async fn a_version_rises_with_whatever_pages_show(database: &dyn Database) {
    let (store, pages) = (database.open().await, database.pages().await);
    let forge = ForgeName::github();
    let versions = async || pages.versions(&forge, &[1, 2, u64::MAX]).await.unwrap();
    let mut known = versions().await;
    assert_eq!(known, [0, 0, 0]);
    let of = |commit: Commit| Commit { repo: Some(repo(1)), now: Some(at(9)), ..commit };
    let row = InsightRow { owner: "a".to_owned(), part: String::new(), at: at(1), body: "{}".to_owned() };
    let group = |kind| RowGroup { kind, owner: "a".to_owned(), from: String::new(), rows: vec![row.clone()] };
    let shown = [
        Commit { facts: vec![fact("a", "1")], ..Commit::default() },
        Commit { items: vec![item(1, Some("plan"), 30)], ..Commit::default() },
        Commit { histories: vec![(1, vec![transition(at(1), Some("plan"))])], ..Commit::default() },
        Commit { insight: vec![group(RowKind::Environment), group(RowKind::LiveGate)], ..Commit::default() },
    ];
    for commit in shown {
        store.commit(of(commit)).await.unwrap();
        let now = versions().await;
        assert!(now[0] > known[0], "{known:?} {now:?}");
        assert_eq!(now[1..], [0, 0], "another repository stays as it is");
        known = now;
    }
    store.commit(of(Commit { timers: vec![(TimerKey::Repository, Some(at(9)))], ..Commit::default() })).await.unwrap();
    assert_eq!(versions().await, known, "no page shows a timer");
    store.erase(&repo(1), 9, "gone").await.unwrap();
    assert!(versions().await[0] > known[0], "what is gone is not shown any more, and no version is given twice");
}
