//! Stamps release builds with the commit that they were made from, for `phasebot --version`.
//!
//! The date is the commit's, so that two builds of one commit are the same to the byte.

use std::{env, fs, path::Path, process::Command};

/// Filled in by `git archive`, and so in the source archives that GitHub offers.
const ARCHIVED: &str = ".git_archival.txt";
/// Filled in by `cargo package`.
const PACKAGED: &str = ".cargo_vcs_info.json";
/// Everything that decides what is compiled.
const INPUTS: [&str; 7] = ["build.rs", "Cargo.toml", "Cargo.lock", "config", "crates", "migrations", "src"];

const UNKNOWN: &str = "unknown";

/// Origin of a source tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Full hash of the commit, and whether the tree differs from it.
    pub commit: String,
    /// The commit's date, ISO 8601.
    pub date: String,
}

fn main() {
    let variable = |name| env::var(name).unwrap_or_default();
    println!("cargo::rustc-env=PHASEBOT_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo::rerun-if-changed=build.rs");
    let mut stamp = Source { commit: UNKNOWN.to_owned(), date: UNKNOWN.to_owned() };
    // A debug build has none: each commit would compile the crate once more.
    if variable("PROFILE") == "release" {
        stamp = source(Path::new(".")).unwrap_or(stamp);
        for input in INPUTS.iter().chain(&[ARCHIVED, PACKAGED]).filter(|input| Path::new(input).exists()) {
            println!("cargo::rerun-if-changed={input}");
        }
    }
    println!("cargo::rustc-env=PHASEBOT_BUILD_COMMIT={}", stamp.commit);
    println!("cargo::rustc-env=PHASEBOT_BUILD_DATE={}", stamp.date);
}

/// Returns the origin of the source tree at `root`, if it is a source archive, a package or a
/// checkout.
pub fn source(root: &Path) -> Option<Source> {
    archived(&fs::read_to_string(root.join(ARCHIVED)).unwrap_or_default())
        .or_else(|| packaged(&fs::read_to_string(root.join(PACKAGED)).ok()?))
        .or_else(|| checked_out(root))
}

/// Reads the line `HASH DATE SECONDS` of a source archive; elsewhere it is a placeholder.
pub fn archived(text: &str) -> Option<Source> {
    let mut words = text.split_whitespace();
    let (commit, date) = (words.next()?, words.next()?);
    is_hash(commit).then(|| Source { commit: commit.to_owned(), date: date.to_owned() })
}

/// Reads the commit of a package. It does not name its date.
pub fn packaged(text: &str) -> Option<Source> {
    let commit = text.split_once("\"sha1\": \"")?.1.split('"').next()?;
    is_hash(commit).then(|| Source { commit: commit.to_owned(), date: UNKNOWN.to_owned() })
}

/// Asks Git, unless the checkout is another project's that merely contains this tree.
fn checked_out(root: &Path) -> Option<Source> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?);
    let mut source = archived(&git(&["show", "--no-patch", "--format=%H %cI", "HEAD"])?)?;
    let changes = [&["status", "--porcelain", "--"], &INPUTS[..]].concat();
    if !git(&changes)?.is_empty() {
        source.commit.push_str(" with local changes");
    }
    Some(source)
}

fn is_hash(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
