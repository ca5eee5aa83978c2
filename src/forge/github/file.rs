//! Reads a file, and whether a change touches it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{
    domain::{fact::policy::FileSeen, id::Sha},
    forge::github::{client::Client, path, ref_guard, repo::Repo},
    port::forge::{ForgeError, Target},
};

/// Larger files are not read. A policy file may have no more.
const MAX_BYTES: usize = 256 * 1024;
/// A comparison lists at most so many files (GitHub Docs, «Compare two commits»).
const MAX_COMPARED: usize = 300;

/// What the contents API says of a path that is no folder.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    sha: String,
    #[serde(default)]
    size: usize,
    content: Option<String>,
    encoding: Option<String>,
}

/// A path's content; a folder is answered with the list of what it holds.
#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    One(Entry),
    Folder(serde::de::IgnoredAny),
}

/// See [`crate::port::forge::Forge::file`].
pub(super) async fn read(
    client: &Client,
    target: &Target,
    of: Option<&str>,
    file: &str,
    at: Option<&str>,
) -> Result<Option<FileSeen>, ForgeError> {
    let place = Target { full_name: of.unwrap_or(&target.full_name).to_owned(), ..target.clone() };
    let mut repo = Repo::new(client, &place)?;
    let query = at.map(|at| format!("?ref={}", path::value(at))).unwrap_or_default();
    let tail = format!("/contents/{}{query}", path::segments(file)?);
    match repo.get("GET /repos/{owner}/{repo}/contents/{path}", &tail).await {
        Ok(reply) => Ok(Some(content(reply.json()?))),
        Err(failure) => match failure.error {
            ForgeError::NotFound(_) => Ok(None),
            other => Err(other),
        },
    }
}

fn content(contents: Contents) -> FileSeen {
    let entry = match contents {
        Contents::Folder(_) => return FileSeen::new("", Err("it is a folder, not a file".to_owned())),
        Contents::One(entry) => entry,
    };
    let text = if entry.kind != "file" {
        Err(format!("it is a {}, not a file", entry.kind))
    } else if entry.size > MAX_BYTES {
        Err(format!("it is larger than the {MAX_BYTES} bytes that a policy file may have"))
    } else {
        decode(&entry)
    };
    FileSeen::new(entry.sha, text)
}

fn decode(entry: &Entry) -> Result<String, String> {
    if entry.encoding.as_deref() != Some("base64") {
        return Err("GitHub does not show its content".to_owned());
    }
    // GitHub breaks the text into lines.
    let packed: String = entry.content.iter().flat_map(|text| text.chars()).filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| "GitHub does not show its content".to_owned())?;
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to()))
}

/// See [`crate::port::forge::Forge::changes_file`]. The comparison's files are
/// on its first page, whatever that page's size; its commits nobody reads.
pub(super) async fn changes(
    repo: &mut Repo<'_>,
    base: &str,
    head: &Sha,
    file: &str,
) -> Result<Option<bool>, ForgeError> {
    #[derive(Deserialize)]
    struct Comparison {
        #[serde(default)]
        files: Vec<Changed>,
    }
    #[derive(Deserialize)]
    struct Changed {
        filename: String,
        previous_filename: Option<String>,
    }
    // The branch's head, not its name: a tag may be called like it.
    let base = ref_guard::head(repo, base).await?;
    let tail = format!("/compare/{}...{}?per_page=1&page=1", path::segment(&base.0)?, path::segment(&head.0)?);
    let found: Comparison = match repo.get("GET /repos/{owner}/{repo}/compare/{basehead}", &tail).await {
        Ok(reply) => reply.json()?,
        Err(failure) if failure.says(404, "no common ancestor") => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let named = |changed: &Changed| changed.filename == file || changed.previous_filename.as_deref() == Some(file);
    if found.files.iter().any(named) {
        return Ok(Some(true));
    }
    Ok((found.files.len() < MAX_COMPARED).then_some(false))
}
