//! Crashes, full disks and locks: acknowledged data stays, everything else is refused.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use phasebot::{
    port::store::{Accepted, DeliveryState, NewDelivery, Store, StoreError},
    store::sqlite::{SqliteOptions, SqliteStore},
};

use super::SqliteFile;
use crate::store::{
    Database,
    given::{accept, at, decide, delivery, state},
};

/// Variable that names the database to a test in a separate process.
const CHILD_DATABASE: &str = "PHASEBOT_TEST_CHILD_DATABASE";

/// A delivery whose body compresses badly.
fn bulky(n: u32) -> NewDelivery {
    let mut seed = n;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    NewDelivery { body: noise.take(20_000).collect::<Bytes>(), ..delivery(&n.to_string()) }
}

/// Returns a copy of the file and its log as a crash at this moment would leave them.
fn crash(file: &SqliteFile) -> SqliteFile {
    let after = SqliteFile::new();
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", file.path().display());
        std::fs::copy(from, format!("{}{suffix}", after.path().display())).unwrap();
    }
    after
}

#[tokio::test]
async fn a_crash_loses_nothing_acknowledged() {
    let file = SqliteFile::new();
    let store = file.open().await;
    for n in 0..20 {
        let seq = accept(&*store, bulky(n)).await;
        if n % 2 == 0 {
            decide(&*store, seq, DeliveryState::Done, at(1)).await;
        }
        let after = crash(&file).open().await;
        for seq in 1..=seq {
            let expected = if seq % 2 == 1 { DeliveryState::Done } else { DeliveryState::Pending };
            assert_eq!(state(&*after, seq).await, expected);
        }
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_loses_only_its_end() {
    let file = SqliteFile::new();
    let store = file.open().await;
    for n in 0..10 {
        accept(&*store, bulky(n)).await;
    }
    let log = std::fs::metadata(wal(&file.path())).unwrap().len();
    let mut counts = Vec::new();
    for left in (0..=10).map(|tenths| log * tenths / 10) {
        let cut = crash(&file);
        std::fs::OpenOptions::new().write(true).open(wal(&cut.path())).unwrap().set_len(left).unwrap();
        let after = cut.open().await;
        let kept = after.pending(0, 100).await.unwrap();
        for pending in &kept {
            assert_eq!(after.delivery(pending.seq).await.unwrap().unwrap().body.len(), 20_000);
        }
        assert!(matches!(after.accept(delivery("more")).await, Ok(Accepted::New(_))));
        counts.push(kept.len());
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts[0], counts[10]), (0, 10));
}

fn wal(path: &Path) -> PathBuf {
    format!("{}-wal", path.display()).into()
}

#[tokio::test]
async fn a_full_database_refuses_and_recovers() {
    let file = SqliteFile::new();
    let store = file.open_with(&SqliteOptions { max_pages: Some(150), ..SqliteOptions::default() });
    let mut kept = Vec::new();
    let refused = loop {
        match store.accept(bulky(u32::try_from(kept.len()).unwrap())).await {
            Ok(Accepted::New(seq)) => kept.push(seq),
            other => break other,
        }
    };
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(kept.len() > 5);
    assert_eq!(store.pending(0, 1000).await.unwrap().len(), kept.len(), "nothing of what was refused is kept");

    // Another handle, without the limit, frees space.
    let other = file.open().await;
    for seq in &kept[..5] {
        decide(&*other, *seq, DeliveryState::Done, at(1)).await;
    }
    assert_eq!(other.prune(at(2), 100).await, Ok(5));
    let seq = accept(&store, bulky(1000)).await;
    assert_eq!(store.delivery(seq).await.unwrap().unwrap().body, bulky(1000).body);
    for seq in &kept[5..] {
        assert_eq!(state(&store, *seq).await, DeliveryState::Pending);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_commit_is_refused_to_all_who_shared_it() {
    let file = SqliteFile::new();
    let store = Arc::new(file.open_with(&SqliteOptions { max_pages: Some(150), ..SqliteOptions::default() }));
    let tasks = (0..200).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.accept(bulky(n)).await })
    });
    let mut kept = 0;
    for answer in futures_util::future::join_all(tasks).await {
        match answer.unwrap() {
            Ok(Accepted::New(seq)) => {
                assert!(store.delivery(seq).await.unwrap().is_some());
                kept += 1;
            }
            Ok(Accepted::Duplicate(seq)) => panic!("{seq} was not there"),
            Err(refused) => assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}"),
        }
    }
    assert_eq!(store.pending(0, 1000).await.unwrap().len(), kept);
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_waited_for_and_then_refused() {
    let file = SqliteFile::new();
    let options = SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() };
    let store = file.open_with(&options);
    let other = rusqlite::Connection::open(file.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.accept(delivery("a")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.pending(0, 10).await, Ok(vec![]), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    accept(&store, delivery("a")).await;
    assert_eq!(store.ping().await, Ok(()));
}

#[tokio::test]
async fn too_many_waiting_deliveries_are_refused_at_once() {
    let file = SqliteFile::new();
    let options = SqliteOptions { busy_timeout: Duration::from_mins(1), queue: 4, ..SqliteOptions::default() };
    let store = Arc::new(file.open_with(&options));
    let other = rusqlite::Connection::open(file.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The writer waits for the lock with the first writes; the queue fills up behind it.
    let mut waiting = Vec::new();
    let refused = loop {
        let n = waiting.len();
        assert!(n < 100, "the queue has no end");
        let mut accept = Box::pin({
            let store = Arc::clone(&store);
            async move { store.accept(delivery(&n.to_string())).await }
        });
        match futures_util::poll!(&mut accept) {
            std::task::Poll::Ready(answer) => break answer,
            std::task::Poll::Pending => waiting.push(accept),
        }
    };
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    // Our own writes are not refused: they wait.
    let mut own = Box::pin(store.ping());
    assert!(futures_util::poll!(&mut own).is_pending());
    other.execute_batch("ROLLBACK").unwrap();
    for accept in waiting {
        assert!(matches!(accept.await, Ok(Accepted::New(_))));
    }
    assert_eq!(own.await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_interrupts_nothing() {
    let file = SqliteFile::new();
    let store = file.open().await;
    for n in 0..50 {
        let mut accept = Box::pin(store.accept(delivery(&n.to_string())));
        assert!(futures_util::poll!(&mut accept).is_pending());
    }
    // The queue is ordered: after this answer, everything before it is written.
    store.ping().await.unwrap();
    assert_eq!(store.pending(0, 100).await.unwrap().len(), 50);
}

/// Runs one of the ignored tests below in a separate process.
fn child(command: &mut Command, test: &str, database: &Path) -> Output {
    let test = format!("store::sqlite::failures::{test}");
    command.args(["--exact", &test, "--ignored", "--nocapture"]).env(CHILD_DATABASE, database).output().unwrap()
}

/// Returns the database of this process, if [`child`] started it.
fn child_database() -> Option<PathBuf> {
    std::env::var_os(CHILD_DATABASE).map(PathBuf::from)
}

#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_takes_no_more_loses_nothing_acknowledged() {
    let file = SqliteFile::new();
    let script = "trap '' XFSZ; ulimit -f 4000; exec \"$0\" \"$@\"";
    let mut limited = Command::new("sh");
    limited.args(["-c", script]).arg(std::env::current_exe().unwrap());
    let output = child(&mut limited, "child_writes_until_the_disk_is_full", &file.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let kept: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("kept ")?.parse().ok()).collect();
    assert!(kept.len() > 5, "{text}");

    let store = file.open().await;
    for seq in kept {
        assert_eq!(store.delivery(seq).await.unwrap().unwrap().body.len(), 20_000);
    }
    accept(&*store, delivery("more")).await;
}

#[tokio::test]
#[ignore = "run by a_disk_that_takes_no_more_loses_nothing_acknowledged, under a limit of file sizes"]
async fn child_writes_until_the_disk_is_full() {
    let Some(path) = child_database() else { return };
    let store = SqliteStore::open(&path).unwrap();
    for n in 0..10_000 {
        match store.accept(bulky(n)).await {
            Ok(Accepted::New(seq)) => writeln!(std::io::stdout(), "\nkept {seq}").unwrap(),
            Ok(Accepted::Duplicate(seq)) => panic!("{seq} was not there"),
            Err(StoreError::Unavailable(_)) => {
                assert!(store.accept(bulky(n)).await.is_err(), "and again");
                assert!(!store.pending(0, 10).await.unwrap().is_empty(), "reading goes on");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk was never full");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let file = SqliteFile::new();
    drop(file.open().await);
    // Root may write anything, so the child then runs as nobody.
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(&file.path(), 0o444);
    set(file.path().parent().unwrap(), 0o555);
    let mut command = Command::new(std::env::current_exe().unwrap());
    if std::fs::OpenOptions::new().write(true).open(file.path()).is_ok() {
        command.uid(65_534).gid(65_534);
    }
    let output = child(&mut command, "child_opens_what_it_may_not_write", &file.path());
    set(file.path().parent().unwrap(), 0o755);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("refused: can't open the database"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by a_file_that_may_not_be_written_is_refused, without the right to write"]
async fn child_opens_what_it_may_not_write() {
    let Some(path) = child_database() else { return };
    let refused = SqliteStore::open(&path).err().unwrap();
    writeln!(std::io::stdout(), "\nrefused: {refused}").unwrap();
}
