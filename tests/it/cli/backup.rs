//! `phasebot backup` while others write, and the contents after a restore.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use phasebot::{
    domain::id::ForgeName,
    port::store::{Accepted, NewDelivery, Store},
    store,
};
use tempfile::TempDir;

use super::{phasebot, text};

const WRITERS: usize = 6;
/// Number of acknowledged deliveries of each writer before the backup begins.
const BEFORE: usize = 40;

fn delivery(id: &str) -> NewDelivery {
    NewDelivery {
        forge: ForgeName::github(),
        hook: "77".to_owned(),
        delivery: id.to_owned(),
        event: "issues".to_owned(),
        action: Some("opened".to_owned()),
        repo: Some(1),
        target: None,
        installation: Some(10),
        received_at: "2026-03-02T10:00:00Z".parse().unwrap(),
        body: format!("{{\"id\":\"{id}\",\"padding\":\"{}\"}}", "x".repeat(2000)).into(),
        quarantined: None,
    }
}

/// Returns the numbers of a writer's deliveries in a store.
async fn held(store: &dyn Store, writer: usize) -> BTreeSet<usize> {
    let prefix = format!("{writer}-");
    let all = store.pending(0, usize::MAX >> 1).await.unwrap();
    let mut found = BTreeSet::new();
    for pending in all {
        let row = store.delivery(pending.seq).await.unwrap().unwrap().row;
        found.extend(row.delivery.strip_prefix(&prefix).map(|number| number.parse::<usize>().unwrap()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("phasebot.db").display());
    let live = store::open(&url).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<Vec<AtomicUsize>> = Arc::new((0..WRITERS).map(|_| AtomicUsize::new(0)).collect());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (live, stop, acknowledged) = (live.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                while !stop.load(SeqCst) {
                    let number = acknowledged[writer].load(SeqCst);
                    live.accept(delivery(&format!("{writer}-{number}"))).await.unwrap();
                    acknowledged[writer].store(number + 1, SeqCst);
                }
            })
        })
        .collect();
    while acknowledged.iter().any(|count| count.load(SeqCst) < BEFORE) {
        tokio::task::yield_now().await;
    }
    let before: Vec<usize> = acknowledged.iter().map(|count| count.load(SeqCst)).collect();

    let copy = folder.path().join("copy.db");
    let arguments = ["backup", copy.to_str().unwrap()];
    let said = tokio::task::block_in_place(|| phasebot(&arguments, &[("PHASEBOT_DATABASE_URL", &url)]));
    assert!(said.status.success(), "{}", text(&said.stderr));
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().starts_with('.')), "{left:?}");

    // Restored elsewhere: for each writer the first deliveries, without a gap.
    let place = TempDir::new().unwrap();
    fs::copy(&copy, place.path().join("phasebot.db")).unwrap();
    let restored = store::open(&format!("sqlite://{}", place.path().join("phasebot.db").display())).await.unwrap();
    for writer in 0..WRITERS {
        let there = held(&*restored, writer).await;
        assert_eq!(there, (0..there.len()).collect(), "no gap");
        assert!(there.len() >= before[writer], "{} of {}", there.len(), before[writer]);
        // Later deliveries arrive again, and only these are new.
        let all = acknowledged[writer].load(SeqCst);
        for number in 0..all {
            let answer = restored.accept(delivery(&format!("{writer}-{number}"))).await.unwrap();
            assert_eq!(matches!(answer, Accepted::Duplicate(_)), number < there.len());
        }
        assert_eq!(held(&*restored, writer).await, held(&*live, writer).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_overwrites_nothing_and_needs_a_database_of_ours() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("phasebot.db");
    let url = format!("sqlite://{}", path.display());
    let copy = folder.path().join("copy.db");
    let backup = |to: &str| {
        let said = tokio::task::block_in_place(|| phasebot(&["backup", to], &[("PHASEBOT_DATABASE_URL", &url)]));
        (said.status.code(), text(&said.stderr))
    };
    let (code, err) = backup(copy.to_str().unwrap());
    assert!(code == Some(1) && err.contains("can't open the database"), "{err}");
    assert!(!path.exists() && !copy.exists());

    drop(store::open(&url).await.unwrap());
    fs::write(&copy, "precious").unwrap();
    let (code, err) = backup(copy.to_str().unwrap());
    assert!(code == Some(1) && err.contains("is there already"), "{err}");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "precious");
    let (code, err) = backup(folder.path().join("nowhere/copy.db").to_str().unwrap());
    assert!(code == Some(1) && err.contains("can't be written"), "{err}");

    let said = tokio::task::block_in_place(|| {
        phasebot(&["backup", "copy.db"], &[("PHASEBOT_DATABASE_URL", "postgres://phasebot:hunter2@db/phasebot")])
    });
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("pg_dump") && !text(&said.stderr).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_removes_what_killed_ones_left_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("phasebot.db").display());
    drop(store::open(&url).await.unwrap());
    // Files have the system's times.
    let now = fs::metadata(folder.path()).unwrap().modified().unwrap();
    let two_days_ago = now - Duration::from_hours(48);
    let written = |name: &str, at: SystemTime| {
        let path = folder.path().join(name);
        File::create(&path).unwrap().set_modified(at).unwrap();
        path
    };
    let abandoned = written(".phasebot-backup-1", two_days_ago);
    let kept = [written(".phasebot-backup-2", now), written("notes.txt", two_days_ago)];

    let to = folder.path().join("copy.db");
    let said =
        tokio::task::block_in_place(|| phasebot(&["backup", to.to_str().unwrap()], &[("PHASEBOT_DATABASE_URL", &url)]));
    assert!(said.status.success() && to.exists(), "{}", text(&said.stderr));
    assert!(!abandoned.exists() && kept.iter().all(|path| path.exists()));
}
