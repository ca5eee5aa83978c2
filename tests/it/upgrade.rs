//! Upgrades: a database that an earlier state of the program wrote is opened, backed up, migrated
//! and still understood; an older program refuses a newer one.
//!
//! `tests/fixtures/database/sqlite-N.db.zst` is the database of a whole demo, as the program with
//! version N of the schema left it. A migration adds a file; it changes none.

use std::{fs, path::Path, process::Output};

use phasebot::store::{self, Migration, OpenError, sqlite};
use serde_json::Value;

use crate::cli::{phasebot, text};

/// Versions of the schema with a database.
const VERSIONS: [u32; 1] = [4];

/// A database of version `version` in a folder of its own.
struct Old {
    folder: tempfile::TempDir,
    version: u32,
}

impl Old {
    fn new(version: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("tests/fixtures/database/sqlite-{version}.db.zst");
        let packed = fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let mut file = fs::File::create(folder.path().join("phasebot.db")).unwrap();
        zstd::stream::copy_decode(packed, &mut file).unwrap();
        Self { folder, version }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("phasebot.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        phasebot(arguments, &[("PHASEBOT_DATABASE_URL", &self.url())])
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat());
        assert!(ran.status.success(), "{arguments:?}: {}", text(&ran.stderr));
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// Returns the file's version of the schema, and the program's.
    fn versions(&self) -> (u32, u32) {
        sqlite::look(&self.path()).unwrap()
    }
}

fn phases(history: &Value) -> Vec<&str> {
    history.as_array().unwrap().iter().map(|step| step["to"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_migrated_and_understood() {
    for version in VERSIONS {
        let old = Old::new(version);
        let (found, known) = old.versions();
        assert_eq!(found, version);
        // Beside a `serve` of that version nothing is migrated.
        let listed = old.run(&["deliveries", "list"]);
        assert_eq!(listed.status.success(), found == known, "{}", text(&listed.stderr));
        assert!(found == known || text(&listed.stderr).contains("start `phasebot serve` of this version"));
        assert_eq!(old.versions(), (found, known));

        drop(store::open(&old.url()).await.unwrap());
        assert_eq!(old.versions(), (known, known));
        let backup = old.folder.path().join(format!("phasebot.db.schema-{version}.backup"));
        assert_eq!(backup.exists(), found < known);
        if backup.exists() {
            assert_eq!(sqlite::look(&backup).unwrap(), (version, known));
        }

        let whole = ["plan", "code", "build", "test", "release", "deploy", "operate", "release", "deploy", "operate"];
        for (item, history) in [(1, &whole[..]), (2, &whole[1..]), (3, &["monitor", "plan"][..])] {
            let why = old.json(&["why", &format!("acme/shop#{item}")]);
            // As it was recorded, and as it follows from the facts today.
            assert_eq!(phases(&why["history"]), history, "#{item}");
            assert!(phases(&why["derived"]["history"]).starts_with(history), "#{item}: {}", why["derived"]);
        }
        let deliveries = old.json(&["deliveries", "list", "--limit", "200"]);
        let deliveries = deliveries.as_array().unwrap();
        assert_eq!(deliveries.len(), 100);
        assert!(deliveries.iter().all(|row| row["state"] == "done" || row["state"] == "ignored"));
        // The body of each, and what was decided of it.
        let shown = old.run(&["deliveries", "show", &deliveries[0]["seq"].to_string()]);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
    }
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_database_with_the_remedy() {
    let old = Old::new(VERSIONS[0]);
    let known = old.versions().1;
    let connection = rusqlite::Connection::open(old.path()).unwrap();
    connection.pragma_update(None, "user_version", known + 1).unwrap();
    drop(connection);
    let before = fs::read(old.path()).unwrap();
    for migration in [Migration::AfterBackup, Migration::WithoutBackup, Migration::Refuse] {
        let refused = store::open_with(&old.url(), migration).await.err().unwrap();
        assert!(matches!(refused, OpenError::TooNew { found, .. } if found == known + 1), "{refused}");
    }
    for command in [&["deliveries", "list"][..], &["why", "acme/shop#1"], &["backup", "copy.db"]] {
        let refused = old.run(command);
        assert_eq!(refused.status.code(), Some(1));
        let err = text(&refused.stderr);
        assert!(err.contains("use the newer phasebot, or restore a backup made before the upgrade"), "{err}");
    }
    assert!(fs::read(old.path()).unwrap() == before, "it is left as it was");
    assert_eq!(old.folder.path().read_dir().unwrap().count(), 1, "no backup of what it does not know");
    assert_eq!(old.version, VERSIONS[0]);
}
