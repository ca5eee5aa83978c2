//! Files that a pull request, a commit or a range of commits touches.

use serde::Deserialize;

use crate::{
    domain::{
        fact::paths::Paths,
        id::{ItemId, Sha},
    },
    forge::github::repo::{PER_PAGE, Repo},
    port::forge::ForgeError,
};

/// Maximum number of files that GitHub lists. A longer list is cut without a word.
const MOST_FILES: usize = 3_000;
/// Maximum number of files that a comparison lists, all on its first page.
const MOST_COMPARED: usize = 300;
/// Maximum number of pages, at 100 files each.
const MAX_PAGES: usize = MOST_FILES / PER_PAGE;

#[derive(Deserialize)]
struct File {
    filename: String,
    /// The old name of a renamed file.
    previous_filename: Option<String>,
}

/// Returns the files of a pull request, by old and new name; `None`: GitHub does not list them all.
pub(super) async fn of_pull(repo: &mut Repo<'_>, pull: ItemId) -> Result<Option<Paths>, ForgeError> {
    let route = "GET /repos/{owner}/{repo}/pulls/{pull_number}/files";
    let (files, all) = repo.list::<File>(route, &format!("/pulls/{pull}/files"), MAX_PAGES).await?;
    Ok(packed(files, all))
}

/// Returns the files of a commit, by old and new name; `None`: GitHub does not list them all.
pub(super) async fn of_commit(repo: &mut Repo<'_>, sha: &Sha) -> Result<Option<Paths>, ForgeError> {
    #[derive(Deserialize)]
    struct Commit {
        #[serde(default)]
        files: Vec<File>,
    }
    let route = "GET /repos/{owner}/{repo}/commits/{ref}";
    let mut files: Vec<File> = Vec::new();
    for page in 1..=MAX_PAGES {
        let is_full = |commit: &Commit| commit.files.len() >= PER_PAGE;
        let (found, more) = repo.page(route, &format!("/commits/{sha}"), page, is_full).await?;
        files.extend(found.files);
        if !more {
            return Ok(packed(files, true));
        }
    }
    Ok(None)
}

/// Returns the files that a comparison lists, by old and new name; `None`: GitHub does not list them
/// all.
pub(super) async fn between(repo: &mut Repo<'_>, base: &Sha, head: &Sha) -> Result<Option<Paths>, ForgeError> {
    #[derive(Deserialize)]
    struct Comparison {
        files: Option<Vec<File>>,
    }
    let route = "GET /repos/{owner}/{repo}/compare/{basehead}";
    // The files are the same on each page of commits.
    let compared: Comparison = repo.get(route, &format!("/compare/{base}...{head}?per_page=1&page=1")).await?.json()?;
    Ok(compared.files.and_then(|files| {
        let all = files.len() < MOST_COMPARED;
        packed(files, all)
    }))
}

fn packed(files: Vec<File>, all: bool) -> Option<Paths> {
    if !all || files.len() >= MOST_FILES {
        return None;
    }
    let names = files.into_iter().flat_map(|file| file.previous_filename.into_iter().chain([file.filename]));
    Paths::pack(&names.collect::<Vec<_>>())
}
