//! Reads a file, and finds out whether a change modifies a file.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{
    domain::{fact::policy::FileSeen, id::Sha},
    forge::github::{client::Client, path, ref_guard, repo::Repo},
    port::forge::{ForgeError, Target},
};

/// Maximum size of a file that is read, in bytes; also the limit for a policy file.
const MAX_BYTES: usize = 256 * 1024;
/// GitHub's limit for the number of files in a comparison (GitHub Docs, "Compare two commits").
const MAX_COMPARED: usize = 300;

/// An entry of the contents API for a path that is not a folder.
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

/// Answer of the contents API: one entry, or the list of a folder's entries.
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
    // GitHub wraps the base64 text into lines.
    let packed: String = entry.content.iter().flat_map(|text| text.chars()).filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| "GitHub does not show its content".to_owned())?;
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to()))
}

/// See [`crate::port::forge::Forge::changes_file`]. The first page of a comparison lists the files,
/// whatever the page size; the commits are not needed.
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
    // Compares with the branch's head and not its name, because a tag may have the same name.
    let base = ref_guard::head(repo, base).await?;
    let tail = format!("/compare/{base}...{head}?per_page=1&page=1");
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
