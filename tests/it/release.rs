//! Releases: the version is one everywhere, the scripts make what the install page downloads, and
//! what operators get names only what there is.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use phasebot::metric::{self, Kind};

use crate::docs::shell_blocks;

#[path = "../../build.rs"]
#[expect(dead_code, reason = "only its parts are tested")]
mod build_script;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a script of `scripts/release` and returns its output.
fn script(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
    let script = root().join("scripts/release").join(name);
    let ran = Command::new(script).args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ran.status.success() { Ok(text(&ran.stdout)) } else { Err(text(&ran.stderr)) }
}

#[test]
fn every_file_names_this_version() {
    assert_eq!(script("version", &[], &[]).unwrap().trim(), VERSION);
    let line = format!("ghcr.io/phasebot/phasebot:{VERSION}");
    for path in ["docs/install.md", "deploy/compose.yaml", "deploy/kubernetes/deployment.yaml", "fly.toml"] {
        let text = read(path);
        let named: Vec<_> = text.match_indices("ghcr.io/phasebot/phasebot:").map(|(at, _)| &text[at..]).collect();
        assert!(!named.is_empty(), "{path}");
        for name in named {
            assert!(name.starts_with(&line) || name.contains("phasebot:$VERSION"), "{path}: {name:.50}");
        }
    }
    assert!(read("docs/install.md").contains(&format!("VERSION={VERSION}\n")));
    assert!(read("deploy/kubernetes/kustomization.yaml").contains(&format!("newTag: {VERSION}\n")));
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    for member in ["phasebot-core", "phasebot-forge-sim"] {
        assert_eq!(manifest["workspace"]["dependencies"][member]["version"].as_str(), Some(VERSION), "{member}");
    }
    // One toolchain: the tests' is the releases'.
    for path in [".github/workflows/ci.yml", "scripts/release/build", "scripts/release/prepare", "Dockerfile"] {
        let minimum = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
        assert!(read(path).contains(minimum), "{path}");
    }
}

/// Returns the targets that the release workflow builds.
fn targets() -> BTreeSet<String> {
    let text = read(".github/workflows/release.yml");
    let workflow: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let built = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let built: BTreeSet<String> = built.iter().map(|it| it["target"].as_str().unwrap().to_owned()).collect();
    let attested = workflow["jobs"]["attest"]["strategy"]["matrix"]["target"].as_array().unwrap();
    let attested: BTreeSet<String> = attested.iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    assert_eq!(built, attested);
    built
}

#[test]
fn every_target_is_on_the_install_page_and_found_by_binstall() {
    let page = read("docs/install.md");
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let fill = |key: &str, target: &str| {
        let template = binstall[key].as_str().unwrap();
        let values =
            [("repo", REPOSITORY), ("version", VERSION), ("name", "phasebot"), ("target", target), ("bin", "phasebot")];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{ {name} }}"), value))
    };
    for target in targets() {
        assert!(page.contains(&format!("`{target}`")), "{target}");
        let name = format!("phasebot-{VERSION}-{target}");
        assert_eq!(fill("pkg-url", &target), format!("{REPOSITORY}/releases/download/v{VERSION}/{name}.tar.gz"));
        assert_eq!(fill("bin-dir", &target), format!("{name}/phasebot"));
    }
    // The names above are those that the script gives.
    let build = read("scripts/release/build");
    assert!(build.contains("name=phasebot-$version-$target\n") && build.contains("\"$dist/$name.tar.gz\""));
}

#[test]
fn a_tag_is_released_only_as_its_version_with_notes() {
    assert!(script("check", &["v0.0.1"], &[]).unwrap_err().contains("Cargo.toml has version"));
    let notes = script("notes", &["Unreleased"], &[]).unwrap();
    assert!(notes.contains("### Added") && notes.contains("gh attestation verify"), "{notes}");
    assert!(script("notes", &["9.9.9"], &[]).unwrap_err().contains("no section"));
    // A version's section ends where the next one begins.
    assert!(!notes.contains("\n## ["), "{notes}");
}

#[test]
fn a_build_names_the_commit_of_its_sources() {
    let hash = "985158d88f2deaee8a6084eeb7349959e354228d";
    let source = build_script::archived(&format!("{hash} 2026-11-30T16:40:24+01:00 1796056824\n")).unwrap();
    assert_eq!((source.commit.as_str(), source.date.as_str()), (hash, "2026-11-30T16:40:24+01:00"));
    assert_eq!(build_script::archived(&read(".git_archival.txt")), None, "a placeholder in a checkout");
    let package = format!("{{\n  \"git\": {{\n    \"sha1\": \"{hash}\"\n  }},\n  \"path_in_vcs\": \"\"\n}}");
    assert_eq!(build_script::packaged(&package).unwrap().commit, hash);

    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let ran = Command::new("git").current_dir(folder.path()).args(identity).args(arguments).output().unwrap();
        assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    for name in [".git_archival.txt", ".gitattributes"] {
        fs::copy(root().join(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir_all(folder.path().join("src/inner")).unwrap();
    fs::write(folder.path().join("src/main.rs"), "fn main() {}").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "a"]);
    let commit = git(&["rev-parse", "HEAD"]);
    assert_eq!(build_script::source(folder.path()).unwrap().commit, commit);
    assert_eq!(build_script::source(&folder.path().join("src/inner")), None, "another project's checkout");

    // A source archive says the same without Git.
    let archive = tempfile::tempdir().unwrap();
    let tar = folder.path().join("source.tar");
    git(&["archive", "--output", tar.to_str().unwrap(), "HEAD"]);
    assert!(Command::new("tar").arg("-xf").arg(&tar).current_dir(archive.path()).status().unwrap().success());
    assert_eq!(build_script::source(archive.path()), build_script::source(folder.path()));

    fs::write(folder.path().join("src/main.rs"), "fn main() { todo!() }").unwrap();
    assert_eq!(build_script::source(folder.path()).unwrap().commit, format!("{commit} with local changes"));
}

/// Serves the files of a folder until the test program ends. Returns the server's address.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    address
}

/// Follows the page's lines in a clean folder, with this build's program as the download.
#[test]
fn the_install_page_installs_what_the_scripts_pack() {
    let work = tempfile::tempdir().unwrap();
    let name = format!("phasebot-{VERSION}-x86_64-unknown-linux-gnu");
    let (packed, dist) = (work.path().join("packed"), work.path().join("dist"));
    fs::create_dir_all(packed.join(&name)).unwrap();
    fs::create_dir(&dist).unwrap();
    // It stands for the program, whose debug build would take long to pack.
    let program = packed.join(&name).join("phasebot");
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_phasebot"))).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(root().join("LICENSE-MIT"), packed.join(&name).join("LICENSE-MIT")).unwrap();
    let archive = dist.join(format!("{name}.tar.gz"));
    let pack = |out: &Path| {
        let arguments = [packed.to_str().unwrap(), &name, out.to_str().unwrap()];
        script("pack", &arguments, &[("SOURCE_DATE_EPOCH", "1796056824")]).unwrap();
        fs::read(out).unwrap()
    };
    let first = pack(&archive);
    // Only the files count, not who has them and since when.
    let touched = fs::File::options().append(true).open(packed.join(&name).join("LICENSE-MIT")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(first == pack(&work.path().join("again.tar.gz")), "the same files make the same archive");
    let other = format!("{:064}  phasebot-of-another-target.tar.gz\n", 0);
    let sums = Command::new("sha256sum").arg(archive.file_name().unwrap()).current_dir(&dist).output().unwrap();
    fs::write(dist.join("SHA256SUMS"), [&sums.stdout[..], other.as_bytes()].concat()).unwrap();

    let page = read("docs/install.md");
    let block = shell_blocks(&page).into_iter().find(|block| block.contains("DOWNLOADS=")).unwrap();
    let real = format!("{REPOSITORY}/releases/download/v$VERSION");
    assert!(block.contains(&real), "{block}");
    let bin = work.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let lines = block.replace(&real, &serve(dist.clone())).replace("/usr/local/bin", bin.to_str().unwrap());
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // As people paste them: without `set -e`.
    let follow = || {
        let clean = tempfile::tempdir().unwrap();
        Command::new("bash").args(["-c", &lines]).current_dir(clean.path()).env("PATH", &path).output().unwrap()
    };
    let done = follow();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains(&format!("{name}.tar.gz: OK\nphasebot {VERSION}\n")), "{said}");

    // A file that somebody changed on the way is not unpacked, and nothing is installed.
    fs::remove_dir_all(&bin).unwrap();
    fs::create_dir(&bin).unwrap();
    let mut changed = first;
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&archive, changed).unwrap();
    let refused = follow();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stdout).contains(&format!("{name}.tar.gz: FAILED")));
    assert_eq!(bin.read_dir().unwrap().count(), 0);
}

/// Returns every metric that a text names, with the endings of a histogram's series.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("phasebot_")).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let mut series = HashMap::new();
    for metric in metric::ALL {
        if let Kind::Histogram(_) = metric.kind {
            for ending in ["_bucket", "_sum", "_count"] {
                series.insert(format!("{}{ending}", metric.name), metric.labels);
            }
        } else {
            series.insert(metric.name.to_owned(), metric.labels);
        }
    }
    for path in ["deploy/prometheus-rules.yml", "deploy/prometheus-rules.test.yml", "deploy/grafana-dashboard.json"] {
        let text = read(path).replace("\\\"", "\"");
        let named = metrics(&text);
        assert!(named.len() >= 10, "{path}: {named:?}");
        for name in named {
            let labels = series.get(name).unwrap_or_else(|| panic!("{path} names {name}"));
            // The labels by which the series is selected.
            for (at, _) in text.match_indices(&format!("{name}{{")) {
                let selector = text[at + name.len() + 1..].split('}').next().unwrap();
                for label in selector.split(", ").filter_map(|it| it.split(['=', '!']).next()) {
                    let known = labels.contains(&label) || ["job", "instance", "le"].contains(&label);
                    assert!(known, "{path}: {name} has no label {label}");
                }
            }
        }
    }
    serde_json::from_str::<serde_json::Value>(&read("deploy/grafana-dashboard.json")).unwrap();
}

#[test]
fn each_alert_is_explained_where_it_points_to() {
    let rules: serde_json::Value = serde_saphyr::from_str(&read("deploy/prometheus-rules.yml")).unwrap();
    let page = read("docs/operations.md");
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(page.contains(&format!("| `{name}` | {severity} |")), "{name}");
        let link = rule["annotations"]["runbook_url"].as_str().unwrap();
        let (file, anchor) = link.strip_prefix(&format!("{REPOSITORY}/blob/main/")).unwrap().split_once('#').unwrap();
        assert!(crate::docs::anchors(&read(file)).contains(anchor), "{name}: {link}");
    }
    assert_eq!(page.matches("| `Phasebot").count(), rules.len(), "the page lists no other");
}
