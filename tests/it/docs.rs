//! Checks the documentation: everything that it links to or names exists, and its tables match the
//! code. `BLESS=1` rewrites the tables.

mod blocks;

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use phasebot::{command::commands_markdown, metric, policy};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns every page's path from the root.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "md") {
                pages.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    pages.sort();
    pages
}

/// Returns the text outside code blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the shell code blocks of a page.
pub fn shell_blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}

/// Returns the link targets of a page.
fn links(page: &str) -> Vec<&str> {
    let ends = page.match_indices("](").map(|(at, _)| &page[at + 2..]);
    ends.filter_map(|rest| rest.split(')').next()).collect()
}

/// Returns the anchors that GitHub generates from a page's headings.
pub fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Returns the words in single backticks.
fn code(page: &str) -> Vec<&str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Returns everything that is wrong with a page's links.
fn dead_links(path: &str, text: &str) -> Vec<String> {
    let page = prose(text);
    let mut dead = Vec::new();
    for link in links(&page).into_iter().filter(|link| !link.starts_with("https://")) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let there = match file {
            "" => Ok(text.to_owned()),
            _ => fs::read(root().join(path).parent().unwrap().join(file))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        };
        let Ok(there) = there else {
            dead.push(format!("{path}: {link} leads nowhere"));
            continue;
        };
        if !anchor.is_empty() && !anchors(&prose(&there)).contains(anchor) {
            dead.push(format!("{path}: {link} leads to no heading"));
        }
    }
    dead
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() >= 7, "{pages:?}");
    let dead: Vec<String> = pages.iter().flat_map(|path| dead_links(path, &read(path))).collect();
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let text = "# A b\n[x](nowhere.md) [y](#a-b) [z](#c) [u](../README.md#the-phases)\n```\n[v](code.md)\n```\n";
    assert_eq!(
        dead_links("docs/x.md", text),
        ["docs/x.md: nowhere.md leads nowhere", "docs/x.md: #c leads to no heading"]
    );
}

/// Checks paths in backticks: relative to the root, or to `src` in the walk through the code.
#[test]
fn files_that_pages_name_exist() {
    let mut missing = Vec::new();
    for path in pages().iter().filter(|path| *path != "docs/policy.md") {
        let text = prose(&read(path));
        for word in code(&text) {
            let is_path = word.contains('/') && !word.contains([' ', ':', '*']) && !word.starts_with(['/', '.']);
            let known = ["src/", "crates/", "tests/", "scripts/", "config/", "docs/", "migrations/"];
            let is_rust = Path::new(word).extension().is_some_and(|e| e == "rs");
            let is_ours = known.iter().any(|folder| word.starts_with(folder)) || (is_rust && path == "ARCHITECTURE.md");
            let there = [word.to_owned(), format!("src/{word}"), format!("crates/core/src/{word}")]
                .iter()
                .any(|path| root().join(path).exists());
            // A file that the user creates.
            if is_path && is_ours && !there && word != "config/phasebot.toml" {
                missing.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

#[test]
fn the_map_names_every_part_of_the_sources() {
    let map = read("ARCHITECTURE.md");
    for folder in ["src", "crates", "crates/core/src"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let named = if path.is_dir() { format!("`{folder}/{name}/") } else { format!("`{folder}/{name}`") };
            assert!(name == "lib.rs" || map.contains(&named), "ARCHITECTURE.md says nothing of {named}");
        }
    }
}

/// Checks that the last column of the tables of threats and promises names existing tests and
/// scenarios.
#[test]
fn every_threat_and_promise_is_tested() {
    let mut sources = String::new();
    let mut folders = vec![root().join("src"), root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    for (page, fewest) in [("SECURITY.md", 25), ("docs/reliability.md", 10)] {
        let page = read(page);
        // Tables whose last column names tests; others give numbers.
        let mut rows: Vec<&str> = Vec::new();
        let mut names_tests = false;
        let mut last = "";
        for line in page.lines() {
            if !line.starts_with("| ") {
                names_tests = false;
            } else if !last.starts_with("| ") {
                names_tests = [" test |", " seen by |"].iter().any(|end| line.ends_with(end));
            } else if names_tests && !line.starts_with("| --- ") && !line.ends_with("| none |") {
                rows.push(line);
            }
            last = line;
        }
        assert!(rows.len() >= fewest, "{}", rows.len());
        for row in rows {
            let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
            let named = code(tests);
            assert!(!named.is_empty(), "no test: {row}");
            for name in named {
                let there = match name.strip_suffix(".scn") {
                    Some(_) => {
                        ["", "commands"].iter().any(|f| root().join("tests/scenarios").join(f).join(name).exists())
                    }
                    None => sources.contains(&format!("fn {name}(")),
                };
                assert!(there, "there is no test {name}");
            }
        }
    }
}

/// Returns the phases of the built-in policy.
fn phases() -> String {
    let mut table = String::from("| phase | label | means | evidence |\n| --- | --- | --- | --- |\n");
    for phase in policy::built_in().phases {
        let evidence: Vec<String> = phase.when.iter().map(|e| format!("`{}`", e.kind.key())).collect();
        let _ =
            writeln!(table, "| {} | `{}` | {} | {} |", phase.name, phase.label, phase.description, evidence.join(", "));
    }
    table
}

fn manifest() -> Value {
    serde_json::from_str(&read("config/github-app.json")).unwrap()
}

/// Returns the link to GitHub's form for a new App, filled in (GitHub Docs, "Registering a GitHub
/// App using URL parameters").
fn form() -> String {
    let manifest = manifest();
    let mut address = format!(
        "https://github.com/settings/apps/new?name={}&public={}&webhook_active=true",
        manifest["name"].as_str().unwrap(),
        manifest["public"]
    );
    for (permission, access) in manifest["default_permissions"].as_object().unwrap() {
        let _ = write!(address, "&{permission}={}", access.as_str().unwrap());
    }
    for event in manifest["default_events"].as_array().unwrap() {
        let _ = write!(address, "&events%5B%5D={}", event.as_str().unwrap());
    }
    format!("  [GitHub's form for a new App, filled in]({address})\n")
}

#[test]
fn tables_are_what_the_code_says() {
    let bless = std::env::var_os("BLESS").is_some();
    for (path, name, block) in [
        ("README.md", "phases", phases()),
        ("README.md", "commands", commands_markdown()),
        ("docs/commands.md", "commands", commands_markdown()),
        ("docs/operations.md", "metrics", metric::reference_markdown()),
        ("docs/github-app.md", "form", form()),
    ] {
        let page = read(path);
        let wanted = blocks::replace(&page, name, &block).unwrap_or_else(|| panic!("{path} has no block {name}"));
        if bless && page != wanted {
            fs::write(root().join(path), &wanted).unwrap();
        }
        assert!(bless || page == wanted, "{path}, {name}: run BLESS=1 cargo test --test it docs");
    }
}

/// Checks that the permissions of the App are explained, and that phasebot decodes each of its
/// events.
#[test]
fn the_app_asks_for_what_is_explained() {
    let (manifest, page) = (manifest(), read("docs/github-app.md"));
    let permissions = manifest["default_permissions"].as_object().unwrap();
    for (permission, access) in permissions {
        let row = format!("| `{permission}` | {} |", access.as_str().unwrap());
        assert!(page.contains(&row), "docs/github-app.md has no row {row}");
    }
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| `") && (line.contains("| read |") || line.contains("| write |")));
    assert_eq!(rows.count(), permissions.len());
    let fixtures: Vec<String> = fs::read_dir(root().join("tests/fixtures/github"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for event in manifest["default_events"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()) {
        assert!(page.contains(&format!("`{event}`")), "docs/github-app.md says nothing of {event}");
        assert!(fixtures.iter().any(|name| name.starts_with(&format!("{event}."))), "no fixture of {event}");
    }
}
