//! CI actions are pinned by commit, container images by digest, and CI tools by version, not by a
//! tag that somebody can move.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns the first word after `key` on a line that begins with it.
fn named<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.trim_start().trim_start_matches("- ").strip_prefix(key)?.split_whitespace().next()
}

#[test]
fn actions_are_pinned_by_commit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for action in text.lines().filter_map(|line| named(line, "uses:")) {
            seen += 1;
            let commit = action.rsplit_once('@').map_or("", |(_, commit)| commit);
            assert!(hex(commit, 40), "{action} is not pinned by its commit");
        }
    }
    assert!(seen >= 2, "{seen} actions");
}

#[test]
fn images_are_pinned_by_digest() {
    let mut seen = 0;
    for (file, key) in [("Dockerfile", "FROM"), ("deploy/compose.yaml", "image:")] {
        let text = read(file);
        assert!(!text.contains("# syntax="), "{file}: a frontend is an image, too");
        // Our own image is named by its version: the release that it belongs to makes it.
        let images = text.lines().filter_map(|line| named(line, key));
        for image in images.filter(|image| !image.starts_with("ghcr.io/phasebot/phasebot:")) {
            seen += 1;
            let digest = image.rsplit_once("@sha256:").map_or("", |(_, digest)| digest);
            assert!(hex(digest, 64), "{file}: {image} is not pinned by its digest");
        }
    }
    assert_eq!(seen, 3, "images");
    // What puts the image together could put anything into it.
    let workflow = read(".github/workflows/release.yml");
    let (_, builder) = workflow.split_once("docker buildx create").unwrap();
    let digest = builder.split_whitespace().find_map(|word| word.strip_prefix("image=")?.split_once("@sha256:"));
    assert!(digest.is_some_and(|(_, digest)| hex(digest, 64)), "buildx fetches a builder by its tag");
}

#[test]
fn tools_that_ci_installs_have_a_version() {
    for file in [".github/workflows/ci.yml", ".ci/run", "scripts/test"] {
        for (_, rest) in read(file).lines().filter_map(|line| line.split_once("cargo install ")) {
            let tool =
                rest.split(['"', ' ']).find(|word| !word.is_empty() && !word.starts_with('-')).unwrap_or_default();
            assert!(tool.split_once('@').is_some_and(|(_, version)| !version.is_empty()), "{file}: {tool}");
        }
    }
    let lines = |path: &str, key: &str| read(path).lines().filter(|line| line.contains(key)).count();
    let linters = read("scripts/fetch-linters");
    let listed = linters.split_once("packages=(\n").and_then(|(_, rest)| rest.split_once("\n)")).unwrap().0;
    assert!(listed.lines().all(|package| package.contains("==")), "{listed}");
    // What makes the released bytes is pinned by its own: one hash for each machine that builds.
    assert_eq!(lines("scripts/release/requirements.txt", "=="), 2);
    assert_eq!(lines("scripts/release/requirements.txt", "--hash=sha256:"), 4);
    assert!(read("scripts/release/prepare").contains("--require-hashes"));
}
