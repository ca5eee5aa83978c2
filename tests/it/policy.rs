//! `phasebot check`.

use std::{fs, path::PathBuf};

use clap::Parser;
use phasebot::cli::check::{CheckArgs, write};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    check: CheckArgs,
}

/// Returns the output of the command, and whether all files are valid.
fn check(arguments: &[&str]) -> (String, bool) {
    let cli = Cli::parse_from(["check"].iter().chain(arguments));
    let mut out = Vec::new();
    let well = write(&cli.check, false, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), well)
}

#[test]
fn the_default_is_the_repositorys_file() {
    assert_eq!(Cli::parse_from(["check"]).check.files, [PathBuf::from(".github/phasebot.yml")]);
}

#[test]
fn files_are_checked_one_after_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (right, wrong, none, binary) = (path("right.yml"), path("wrong.yml"), path("none.yml"), path("binary.yml"));
    fs::write(&right, "mode: observe").unwrap();
    fs::write(&wrong, "mode: observed").unwrap();
    fs::write(&binary, b"mode: \xff").unwrap();

    let (text, well) = check(&[&right]);
    assert!(well && text.starts_with(&format!("{right}: valid: mode observe, phases plan → ")), "{text}");

    let (text, well) = check(&[&right, &wrong, &none, &binary]);
    assert!(!well);
    for expected in [
        format!("{right}: valid: "),
        format!(
            "{wrong}:1:7: unknown value `observed`\n  1 | mode: observed\n    |       ^^^^^^^^ did you mean `observe`?\n"
        ),
        format!("{none}:1:1: no such file; without one the built-in policy is in force\n"),
        format!("{binary}:1:1: not UTF-8 text: byte 6 is wrong\n"),
    ] {
        assert!(text.contains(&expected), "{text}");
    }

    let (json, well) = check(&["--format", "json", &wrong]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(!well);
    assert_eq!(json[0]["valid"], false);
    assert_eq!(json[0]["problems"][0]["line"], 1);
    assert_eq!(json[0]["problems"][0]["column"], 7);
    assert_eq!(json[0]["problems"][0]["suggestion"], "observe");
}

#[test]
fn the_schema_is_printed() {
    let (text, well) = check(&["--schema"]);
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(well);
    assert_eq!(schema, phasebot::policy::schema());
}

#[test]
fn paths_that_no_file_of_the_checkout_has_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".github/phasebot.yml");
    let policy = "services:\n  web: { paths: [\"web/**\", \"wbe/**\"] }\nshared: [Cargo.lock, \"libs/**\"]\n";
    for (name, text) in [(".github/phasebot.yml", policy), ("web/a.html", ""), ("libs/b.rs", "")] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    }
    let name = path.display().to_string();
    let (text, well) = check(&[&name]);
    assert!(well && !text.contains("matches no file"), "outside of a checkout: {text}");
    let begun = std::process::Command::new("git").arg("init").arg("-q").arg(folder.path()).status().unwrap();
    assert!(begun.success());
    let (text, well) = check(&[&name]);
    assert!(well, "{text}");
    let warned: Vec<&str> = text.lines().filter(|line| line.contains("matches no file")).collect();
    let expected = [
        format!("{name}:2:17: warning: `wbe/**` matches no file here"),
        format!("{name}:3:9: warning: `Cargo.lock` matches no file here"),
    ];
    assert_eq!(warned, expected, "{text}");
}
