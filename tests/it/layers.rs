//! The rules of ARCHITECTURE.md that the compiler does not check: allowed imports between layers,
//! allowed places for crates, and the maximum length of files.

mod circles;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::Source;

/// Layers that each layer may import, in addition to itself. Those of `phasebot-core` come first,
/// the lowest first.
const IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("policy", &["domain"]),
    ("text", &["domain"]),
    ("plan", &["domain"]),
    // One type, `EvalContext`, whose queries are defined in the layers that know the answers.
    ("context", &["commits", "domain", "environment", "incident", "text"]),
    ("commits", &["context", "domain", "text"]),
    ("evidence", &["commits", "context", "domain", "text"]),
    ("environment", &["commits", "context", "domain", "evidence", "text"]),
    ("incident", &["commits", "context", "domain", "environment", "evidence", "plan", "text"]),
    ("ingest", &["commits", "context", "domain", "environment", "evidence", "incident"]),
    ("phase", &["commits", "context", "domain", "environment", "evidence", "incident", "text"]),
    ("gate", &["commits", "context", "domain", "environment", "evidence", "incident", "plan", "text"]),
    ("deploy", &["commits", "context", "domain", "environment", "evidence", "gate", "plan", "text"]),
    (
        "command",
        &[
            "commits",
            "context",
            "deploy",
            "domain",
            "environment",
            "gate",
            "incident",
            "ingest",
            "insight",
            "phase",
            "plan",
            "text",
            "evidence",
        ],
    ),
    (
        "insight",
        &["commits", "context", "domain", "environment", "evidence", "gate", "incident", "phase", "plan", "text"],
    ),
    ("notice", &["context", "deploy", "domain", "gate", "incident", "plan", "text"]),
    (
        "engine",
        &[
            "command",
            "commits",
            "context",
            "deploy",
            "domain",
            "environment",
            "gate",
            "incident",
            "ingest",
            "insight",
            "notice",
            "phase",
            "plan",
            "policy",
            "text",
        ],
    ),
    ("metric", &[]),
    ("settings", &[]),
    ("version", &[]),
    ("forge_sim", &[]),
    ("port", &["domain"]),
    ("forge", &["domain", "port", "metric"]),
    ("sender", &["port"]),
    ("alert", &["domain", "port", "sender"]),
    ("external", &["domain", "port", "sender"]),
    ("database", &["domain", "metric", "port", "sender"]),
    ("notify", &["domain", "port"]),
    ("store", &["domain", "port", "metric"]),
    ("telemetry", &["metric", "settings", "version"]),
    (
        "app",
        &[
            "command", "deploy", "domain", "engine", "gate", "incident", "ingest", "insight", "metric", "phase",
            "plan", "policy", "port", "text",
        ],
    ),
    ("http", &["domain", "port", "metric", "telemetry"]),
    ("web", &["app", "command", "domain", "insight", "port", "version"]),
    (
        "cli",
        &[
            "alert",
            "app",
            "command",
            "database",
            "deploy",
            "domain",
            "engine",
            "external",
            "forge",
            "forge_sim",
            "gate",
            "http",
            "incident",
            "ingest",
            "insight",
            "metric",
            "notify",
            "phase",
            "plan",
            "policy",
            "port",
            "settings",
            "store",
            "telemetry",
            "text",
            "version",
            "web",
        ],
    ),
    ("main", &["cli"]),
];

/// Layers that compute and do nothing else.
const PURE: &[&str] = &[
    "command",
    "commits",
    "context",
    "deploy",
    "domain",
    "engine",
    "environment",
    "evidence",
    "gate",
    "incident",
    "ingest",
    "insight",
    "metric",
    "notice",
    "phase",
    "plan",
    "policy",
    "text",
];

/// Words that a pure layer must not use: waiting, I/O, time, randomness.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "futures_util",
    "rusqlite",
    "octocrab",
    "axum",
    "hyper",
    "reqwest",
    "rand",
    "tracing",
    "metrics",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
];

/// Crates that only certain layers may use.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["http", "web", "forge_sim"]),
    ("hyper", &["http", "forge_sim"]),
    ("octocrab", &["forge"]),
    ("reqwest", &["cli", "database", "forge", "forge_sim", "notify"]),
    ("rusqlite", &["store"]),
    ("clap", &["cli", "main"]),
];

/// Words that postpone work.
const PROMISES: &[&str] = &["todo", "fixme", "xxx", "for now", "unimplemented!", "todo!"];

/// Maximum number of lines of a file of `src`.
const LONGEST: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every Rust file below `folder`, with its path from the root.
fn files(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Source folders, each with layers below it.
const SOURCES: [&str; 3] = ["src", "crates/core/src", SIMULATION];
/// The simulated forge is one layer.
const SIMULATION: &str = "crates/forge-sim/src";

/// Returns the layer of a file: `src/app/worker.rs` and `src/app.rs` belong to `app`.
fn layer(path: &str) -> &str {
    if path.starts_with(SIMULATION) {
        return "forge_sim";
    }
    let rest = SOURCES.iter().find_map(|folder| path.strip_prefix(folder)).unwrap();
    rest.trim_start_matches('/').split('/').next().unwrap().trim_end_matches(".rs")
}

/// Returns everything that is wrong with one file.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let layer = layer(path);
    if layer == "lib" {
        return promises(path, text);
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{path}: the layer `{layer}` has no rule in {}", file!())];
    };
    let source = Source::read(path, text);
    let mut found = promises(path, text);
    for (line, used) in source.layers(IMPORTS.iter().map(|(name, _)| *name)) {
        if used != layer && !allowed.contains(&used) {
            found.push(format!("{path}:{line}: `{layer}` must not import `{used}`"));
        }
    }
    for word in IMPURE.iter().filter(|_| PURE.contains(&layer)) {
        found
            .extend(source.lines_with(word).map(|line| format!("{path}:{line}: `{word}` in the pure layer `{layer}`")));
    }
    for (name, _) in CRATES.iter().filter(|(_, layers)| !layers.contains(&layer)) {
        found.extend(source.lines_with(name).map(|line| format!("{path}:{line}: `{name}` is not for `{layer}`")));
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        found.push(format!("{path}: {lines} lines, {LONGEST} are the most"));
    }
    found
}

/// Checks comments, too, unlike the other rules.
fn promises(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for word in PROMISES.iter().filter(|word| source::has_word(&line, word)) {
            found.push(format!("{path}:{}: `{word}`", index + 1));
        }
    }
    found
}

#[test]
fn the_sources_keep_the_rules() {
    let files: Vec<_> = SOURCES.iter().flat_map(|folder| files(folder)).collect();
    assert!(files.len() > 100, "only {} files were found", files.len());
    let found: Vec<String> = files.iter().flat_map(|(path, text)| breaches(path, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Imports have no cycles.
#[test]
fn no_layers_import_each_other_in_a_circle() {
    let imports = |layer: &str| IMPORTS.iter().find(|(name, _)| *name == layer).map_or(&[][..], |(_, found)| found);
    for (layer, _) in IMPORTS.iter().filter(|(layer, _)| *layer != "context") {
        let mut reached: Vec<&str> = Vec::new();
        let mut next: Vec<&str> = imports(layer).to_vec();
        while let Some(one) = next.pop() {
            assert_ne!(one, *layer, "`{layer}` imports itself through others");
            // Layers that import the context use its queries and not the layers behind them.
            if one != "context" && !reached.contains(&one) {
                reached.push(one);
                next.extend(imports(one));
            }
        }
    }
}

#[test]
fn names_of_figures_stand_in_one_place() {
    let files = SOURCES.iter().flat_map(|folder| files(folder));
    for (path, text) in files.filter(|(path, _)| path != "src/metric.rs") {
        for metric in phasebot::metric::ALL {
            assert!(!text.contains(metric.name), "{path} names {}: use the constant of src/metric.rs", metric.name);
        }
    }
}

/// Checks one breach of each rule, and its message.
#[test]
fn every_rule_can_fail() {
    let long = "//\n".repeat(LONGEST + 1);
    for (path, text, said) in [
        (
            "crates/core/src/domain/a.rs",
            "use crate::port::store::Store;",
            "crates/core/src/domain/a.rs:1: `domain` must not import `port`",
        ),
        (
            "crates/core/src/gate/a.rs",
            "use crate::{\n    domain::id,\n    app::Bot,\n};",
            "crates/core/src/gate/a.rs:3: `gate` must not import `app`",
        ),
        (
            "src/forge/github/a.rs",
            "fn f() {\n    crate::store::open()\n}",
            "src/forge/github/a.rs:2: `forge` must not import `store`",
        ),
        ("src/store/a.rs", "use super::super::forge::github;", "src/store/a.rs:1: `store` must not import `forge`"),
        (
            "src/port/a.rs",
            "use crate::domain::{id, effect}; use crate::engine;",
            "src/port/a.rs:1: `port` must not import `engine`",
        ),
        (
            "crates/forge-sim/src/a.rs",
            "use phasebot::app::Bot;",
            "crates/forge-sim/src/a.rs:1: `forge_sim` must not import `app`",
        ),
        ("src/app/a.rs", "use crate::forge::github::GitHub;", "src/app/a.rs:1: `app` must not import `forge`"),
        ("src/main.rs", "use phasebot::app::Bot;", "src/main.rs:1: `main` must not import `app`"),
        (
            "crates/core/src/policy/a.rs",
            "\nasync fn f() {}",
            "crates/core/src/policy/a.rs:2: `async` in the pure layer `policy`",
        ),
        (
            "crates/core/src/gate/a.rs",
            "fn f() -> Timestamp { jiff::Timestamp::now() }",
            "crates/core/src/gate/a.rs:1: `Timestamp::now` in the pure layer `gate`",
        ),
        (
            "crates/core/src/domain/a.rs",
            "fn f() { std::env::var(\"A\").ok(); }",
            "crates/core/src/domain/a.rs:1: `std::env` in the pure layer `domain`",
        ),
        (
            "crates/core/src/domain/a.rs",
            "use std::{env, fmt};",
            "crates/core/src/domain/a.rs:1: `std::env` in the pure layer `domain`",
        ),
        ("src/app/a.rs", "use rusqlite::Connection;", "src/app/a.rs:1: `rusqlite` is not for `app`"),
        ("src/novel/a.rs", "", "src/novel/a.rs: the layer `novel` has no rule in tests/it/layers.rs"),
        ("src/app/a.rs", "// TODO: later", "src/app/a.rs:1: `todo`"),
        ("src/app/a.rs", "// Good enough for now.", "src/app/a.rs:1: `for now`"),
        ("src/app/a.rs", "fn f() { todo!() }", "src/app/a.rs:1: `todo!`"),
        ("src/app/a.rs", &long, "src/app/a.rs: 401 lines, 400 are the most"),
    ] {
        let found = breaches(path, text);
        assert!(found.iter().any(|one| one == said), "{text:?} in {path}: {found:?}");
    }
}

/// Text that looks like a breach but is none.
#[test]
fn no_rule_fails_without_a_reason() {
    for (path, text) in [
        ("crates/core/src/domain/a.rs", "//! The business of [`crate::policy`], not `async`.\n/* use crate::app; */"),
        (
            "crates/core/src/domain/a.rs",
            "const A: &str = \"use crate::app; async \\\" tokio\"; const B: &str = r#\"crate::app \"tokio\" \"#;",
        ),
        ("crates/core/src/domain/a.rs", "fn f<'a>(x: &'a str, c: char) -> bool { c == '\"' || x == \"tokio\" }"),
        ("crates/core/src/gate/a.rs", "use crate::domain::{self, event::Event}; use super::store; fn instant() {}"),
        ("src/app/a.rs", "use super::http; fn todos() { /* a mastodon */ }"),
        ("src/app/sub/a.rs", "use super::super::store;"),
        ("src/cli/a.rs", "use crate::{app::Bot, forge::github::GitHub, store};"),
    ] {
        assert_eq!(breaches(path, text), Vec::<String>::new(), "{text}");
    }
}
