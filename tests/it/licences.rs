//! Every dependency has a licence that `deny.toml` allows, comes from crates.io, and is not banned
//! there.
//!
//! `cargo deny` checks the same for all platforms; this test needs only cargo, and checks the
//! dependencies of this machine's platform.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde::Deserialize;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Crates that may depend on it nevertheless.
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

#[test]
fn dependencies_are_as_deny_toml_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: Rules = toml::from_str(&fs::read_to_string(root.join("deny.toml")).unwrap()).unwrap();
    let metadata = metadata(root);
    assert!(metadata.packages.len() > 100, "only {} packages were found", metadata.packages.len());
    let wrong = wrong(&rules, &metadata);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Returns the metadata of the locked dependencies for this machine.
fn metadata(root: &Path) -> Metadata {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let said = Command::new(&cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn wrong(rules: &Rules, metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    let names: BTreeMap<&str, &str> = metadata.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
    for package in &metadata.packages {
        let name = &package.name;
        let license = package.license.as_deref().unwrap_or_default();
        if !allowed(license, &rules.licenses.allow) {
            wrong.push(format!("{name}: the licence {license:?} is not allowed"));
        }
        if package.source.as_deref().is_some_and(|source| source != CRATES_IO) {
            wrong.push(format!("{name}: is not from crates.io"));
        }
    }
    for node in &metadata.resolve.nodes {
        for ban in &rules.bans.deny {
            let by = names[node.id.as_str()];
            let banned = node.dependencies.iter().any(|id| names[id.as_str()] == ban.name);
            if banned && !ban.wrappers.iter().any(|wrapper| wrapper == by) {
                wrong.push(format!("{by} depends on {}, which is banned: {}", ban.name, ban.reason));
            }
        }
    }
    wrong
}

/// Returns whether allowed licences satisfy an SPDX expression; `/` is the older form of `OR`.
fn allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allow);
    met == Some(true) && at == words.len()
}

/// Parses `a OR b`; `None` if it is malformed.
fn any(words: &[&str], at: &mut usize, allow: &[String]) -> Option<bool> {
    let mut met = all(words, at, allow)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allow)?;
    }
    Some(met)
}

/// Parses `a AND b`, which has higher precedence.
fn all(words: &[&str], at: &mut usize, allow: &[String]) -> Option<bool> {
    let mut met = one(words, at, allow)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allow)?;
    }
    Some(met)
}

/// Parses a licence, perhaps with an exception, or a group.
fn one(words: &[&str], at: &mut usize, allow: &[String]) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let met = any(words, at, allow)?;
        *at += 1;
        return (words.get(*at - 1) == Some(&")")).then_some(met);
    }
    let mut name = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1)?);
        *at += 2;
    }
    Some(allow.contains(&name))
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    let allow = ["MIT".to_owned(), "ISC".to_owned()];
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(MIT OR GPL-3.0) AND ISC", "Apache-2.0 WITH LLVM-exception OR ISC"]
    {
        assert!(allowed(good, &allow), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT OR",
        "(MIT",
        "MIT ISC",
        "MIT WITH LLVM-exception",
        "ISC AND (GPL-3.0 OR AGPL-3.0)",
    ] {
        assert!(!allowed(bad, &allow), "{bad}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let rules: Rules = toml::from_str(
        "licenses.allow = ['MIT']\nbans.deny = [{ crate = 'bad', reason = 'why', wrappers = ['friend'] }]",
    )
    .unwrap();
    let package = |name: &str, license: Option<&str>, source: Option<&str>| Package {
        id: name.to_owned(),
        name: name.to_owned(),
        license: license.map(str::to_owned),
        source: source.map(str::to_owned),
    };
    let node = |name: &str, on: &[&str]| Node {
        id: name.to_owned(),
        dependencies: on.iter().map(|on| (*on).to_owned()).collect(),
    };
    let metadata = Metadata {
        packages: vec![
            package("ours", Some("MIT"), None),
            package("friend", Some("MIT"), Some(CRATES_IO)),
            package("bad", None, Some("git+https://example.com/bad")),
        ],
        resolve: Resolve { nodes: vec![node("ours", &["friend", "bad"]), node("friend", &["bad"]), node("bad", &[])] },
    };
    assert_eq!(
        wrong(&rules, &metadata),
        [
            "bad: the licence \"\" is not allowed",
            "bad: is not from crates.io",
            "ours depends on bad, which is banned: why"
        ]
    );
}
