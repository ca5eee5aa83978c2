//! `phasebot deliveries` on a store of three deliveries.

use std::{collections::BTreeSet, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use clap::Parser;
use jiff::Timestamp;
use phasebot::{
    cli::{
        Failure,
        deliveries::{Verb, perform},
    },
    domain::{
        derived::Transition,
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
        insight::InsightRow,
    },
    port::store::*,
};

/// The subcommand, parsed as on the command line.
#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

/// Three deliveries, and a record of the requested actions.
#[derive(Default)]
struct Shelf {
    asked: Mutex<Vec<String>>,
    broken: bool,
}

impl Shelf {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn stored(seq: Seq) -> Option<StoredDelivery> {
        let (state, event, action, note, body) = match seq {
            1 => (DeliveryState::Done, "issues", Some("opened"), "acme/shop#1: plan", r#"{"z":1,"a":{"b":[true]}}"#),
            2 => (DeliveryState::Quarantined, "push", None, "line 1\nline\u{1b}[2J 2", "not json \u{1b}[31m"),
            3 => (DeliveryState::Dead, "evil\u{202e}", Some("\u{7}"), "", "[]"),
            _ => return None,
        };
        let received_at: Timestamp = "2026-11-22T10:00:00.5Z".parse().unwrap();
        let row = DeliveryRow {
            target: None,
            seq,
            forge: ForgeName::github(),
            hook: String::new(),
            delivery: format!("guid-{seq}"),
            event: event.to_owned(),
            action: action.map(str::to_owned),
            repo: (seq == 1).then_some(4711),
            installation: None,
            received_at,
            decided_at: (seq == 1).then_some(received_at),
            state,
            note: note.to_owned(),
            attempts: 1,
        };
        Some(StoredDelivery { row, body: Bytes::from(body) })
    }
}

#[async_trait]
impl Store for Shelf {
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        if self.broken {
            return Err(StoreError::Unavailable("disk full".to_owned()));
        }
        self.note(format!("{filter:?}"));
        let rows = (1..=3).rev().filter_map(Self::stored).map(|stored| stored.row);
        Ok(rows.filter(|row| filter.state.is_none_or(|state| state == row.state)).collect())
    }

    async fn delivery(&self, seq: Seq) -> Result<Option<StoredDelivery>, StoreError> {
        if seq == 9 {
            let body = format!("[{}]", (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
            return Ok(Self::stored(1).map(|stored| StoredDelivery { body: Bytes::from(body), ..stored }));
        }
        Ok(Self::stored(seq))
    }

    async fn replay(&self, seq: Seq) -> Result<bool, StoreError> {
        self.note(format!("replay {seq}"));
        Ok(seq <= 3)
    }

    async fn drop_delivery(&self, seq: Seq, why: &str) -> Result<bool, StoreError> {
        self.note(format!("drop {seq}: {why}"));
        Ok(seq == 2)
    }

    async fn taken_in(&self, _: &ForgeName, _: &[String]) -> Result<BTreeSet<String>, StoreError> {
        unreachable!()
    }
    async fn memo(&self, _: &str) -> Result<Option<String>, StoreError> {
        unreachable!()
    }
    async fn note(&self, _: &str, _: Option<&str>) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn accept(&self, _: NewDelivery) -> Result<Accepted, StoreError> {
        unreachable!()
    }

    async fn accept_all(&self, _: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        unreachable!("the command takes nothing in")
    }

    async fn pending(&self, _: Seq, _: usize) -> Result<Vec<Pending>, StoreError> {
        unreachable!()
    }
    async fn repository(&self, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
        let row = self.repository_named(&repo.forge, "acme/shop").await?;
        Ok(row.filter(|row| row.repo == *repo))
    }
    async fn repository_named(&self, _: &ForgeName, name: &str) -> Result<Option<RepositoryRow>, StoreError> {
        let repo = RepoKey { forge: ForgeName::github(), id: 4711 };
        let row = RepositoryRow { repo, full_name: "acme/shop".to_owned(), installation: None, active: true };
        Ok((name == "acme/shop").then_some(row))
    }
    async fn repositories(&self, _: &ForgeName, _: ConnectionId) -> Result<Vec<RepositoryRow>, StoreError> {
        unreachable!()
    }
    async fn insight(&self, _: &RepoKey, _: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
        unreachable!()
    }
    async fn all_repositories(&self) -> Result<Vec<RepositoryRow>, StoreError> {
        unreachable!()
    }
    async fn facts(&self, _: &RepoKey) -> Result<Vec<Document>, StoreError> {
        unreachable!()
    }
    async fn items(&self, _: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
        unreachable!()
    }
    async fn transitions(&self, _: &RepoKey, _: ItemId) -> Result<Vec<Transition>, StoreError> {
        unreachable!()
    }
    async fn erase(&self, _: &RepoKey, _: Seq, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn commit(&self, _: Commit) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn due_effects(&self, _: Timestamp, _: usize) -> Result<Vec<StoredEffect>, StoreError> {
        unreachable!()
    }
    async fn is_live(&self, _: EffectId, _: u64) -> Result<bool, StoreError> {
        unreachable!()
    }
    async fn next_effect_at(&self, _: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        unreachable!()
    }
    async fn mark_sending(&self, _: EffectId, _: u64, _: &[Lease]) -> Result<bool, StoreError> {
        unreachable!()
    }
    async fn finish_effect(
        &self,
        _: EffectId,
        _: u64,
        _: EffectEnd,
        _: &RepoKey,
        _: Vec<Document>,
        _: &[Lease],
    ) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn effects(&self, _: bool, _: usize) -> Result<Vec<StoredEffect>, StoreError> {
        unreachable!()
    }
    async fn due_notices(&self, _: Timestamp, _: usize) -> Result<Vec<StoredNotice>, StoreError> {
        unreachable!()
    }
    async fn next_notice_at(&self, _: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        unreachable!()
    }
    async fn mark_notice(&self, _: NoticeId, _: u64, _: NoticeStep, _: &[Lease]) -> Result<bool, StoreError> {
        unreachable!()
    }
    async fn finish_notice(&self, _: NoticeId, _: u64, _: NoticeEnd) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn notices(&self, _: usize) -> Result<Vec<StoredNotice>, StoreError> {
        unreachable!()
    }
    async fn due_timers(&self, _: Timestamp, _: usize) -> Result<Vec<Timer>, StoreError> {
        unreachable!()
    }
    async fn next_timer_at(&self) -> Result<Option<Timestamp>, StoreError> {
        unreachable!()
    }
    async fn prune(&self, _: Timestamp, _: usize) -> Result<u64, StoreError> {
        unreachable!()
    }
    async fn stats(&self) -> Result<StoreStats, StoreError> {
        unreachable!()
    }
    async fn ping(&self) -> Result<(), StoreError> {
        unreachable!()
    }
}

async fn run(shelf: &Shelf, line: &str) -> (String, Result<(), Failure>) {
    let words = std::iter::once("deliveries").chain(line.split_whitespace());
    let verb = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).verb;
    let mut out = Vec::new();
    let result = perform(&verb, shelf, &mut out).await;
    (String::from_utf8(out).unwrap(), result)
}

#[tokio::test]
async fn list_shows_one_line_each_and_no_control_characters() {
    let shelf = Shelf::default();
    let (out, result) = run(&shelf, "list").await;
    result.unwrap();
    insta::assert_snapshot!(out, @r"
    NUMBER  RECEIVED              STATE        EVENT
         3  2026-11-22T10:00:00Z  dead         evil\u{202e}.\u{7}
         2  2026-11-22T10:00:00Z  quarantined  push
            line 1\u{a}line\u{1b}[2J 2
         1  2026-11-22T10:00:00Z  done         issues.opened
            acme/shop · acme/shop#1: plan
    ");
    let (out, _) = run(&shelf, "list --state dropped").await;
    assert_eq!(out, "no deliveries\n");
    run(&shelf, "list --state dead --event push --repository 7 --delivery g --limit 3").await.1.unwrap();
    assert_eq!(
        *shelf.asked.lock().unwrap().last().unwrap(),
        format!(
            "{:?}",
            DeliveryFilter {
                state: Some(DeliveryState::Dead),
                event: Some("push".to_owned()),
                repo: Some(7),
                delivery: Some("g".to_owned()),
                limit: 3
            }
        )
    );
}

#[tokio::test]
async fn show_tells_all_of_one() {
    let shelf = Shelf::default();
    insta::assert_snapshot!(run(&shelf, "show 1").await.0, @r#"
    number        1
    state         done
    note          acme/shop#1: plan
    event         issues.opened
    forge         github
    hook          -
    delivery      guid-1
    repository    4711
    installation  -
    received      2026-11-22T10:00:00.5Z
    decided       2026-11-22T10:00:00.5Z
    attempts      1
    body          24 bytes

    {
      "a": {
        "b": [
          true
        ]
      },
      "z": 1
    }
    "#);
    let (hostile, _) = run(&shelf, "show 2").await;
    assert!(hostile.contains("line 1\\u{a}line\\u{1b}[2J 2"), "{hostile}");
    assert!(hostile.contains("not json \\u{1b}[31m"), "{hostile}");
    let (_, absent) = run(&shelf, "show 8").await;
    assert!(absent.unwrap_err().to_string().starts_with("8: there is no such delivery"));
}

#[tokio::test]
async fn show_cuts_a_long_body_unless_asked_for_all() {
    let shelf = Shelf::default();
    let (cut, _) = run(&shelf, "show 9").await;
    assert!(cut.contains("  198,") && !cut.contains("  199,") && cut.contains("--full shows the rest"), "{cut}");
    let (full, _) = run(&shelf, "show 9 --full").await;
    assert!(full.contains("  999\n]\n") && !full.contains("--full"), "{full}");
}

#[tokio::test]
async fn scripts_get_json() {
    let shelf = Shelf::default();
    let (list, _) = run(&shelf, "list --format json --state done").await;
    let rows: Vec<DeliveryRow> = serde_json::from_str(&list).unwrap();
    assert_eq!(rows, [Shelf::stored(1).unwrap().row]);
    let (show, _) = run(&shelf, "show 1 --format json").await;
    let show: serde_json::Value = serde_json::from_str(&show).unwrap();
    assert_eq!((&show["delivery"]["note"], &show["body"]["z"]), (&"acme/shop#1: plan".into(), &1.into()));
    let (show, _) = run(&shelf, "show 2 --format json").await;
    let show: serde_json::Value = serde_json::from_str(&show).unwrap();
    assert_eq!(show["body"], "not json \u{1b}[31m");
}

#[tokio::test]
async fn replay_and_drop_do_all_they_can_and_fail_for_the_rest() {
    let shelf = Shelf::default();
    let (out, result) = run(&shelf, "replay 2 77 3").await;
    assert_eq!(out, "2: will be decided again\n3: will be decided again\n");
    assert!(result.unwrap_err().to_string().starts_with("77: there is no such delivery"));
    let (out, result) = run(&shelf, "drop 2 --reason test").await;
    assert_eq!(out, "2: dropped\n");
    result.unwrap();
    let (_, result) = run(&shelf, "drop 1 --reason test").await;
    assert!(result.unwrap_err().to_string().contains("still open"));
    assert_eq!(*shelf.asked.lock().unwrap(), ["replay 2", "replay 77", "replay 3", "drop 2: test", "drop 1: test"]);
}

#[tokio::test]
async fn a_store_that_fails_is_told() {
    let (out, result) = run(&Shelf { broken: true, ..Shelf::default() }, "list").await;
    assert_eq!(out, "");
    assert_eq!(result.unwrap_err().to_string(), "the store is not available: disk full");
}

struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_is_no_error() {
    let verb = Line::try_parse_from(["deliveries", "list"]).unwrap().verb;
    let result = perform(&verb, &Shelf::default(), &mut Closed).await;
    assert!(matches!(result, Err(Failure::OutputClosed)));
}
