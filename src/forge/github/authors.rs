//! Authors of commits by GitHub's records: the accounts behind their e-mail addresses and
//! `Co-authored-by` lines.

use std::{collections::BTreeSet, fmt::Write as _};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    domain::{
        id::{Account, AccountId, Sha},
        needs::Authors,
    },
    forge::github::{
        client::Client,
        evidence::User,
        graphql,
        repo::{PER_PAGE, Repo},
    },
    port::forge::{ForgeError, Target},
};

/// Maximum number of pages of a comparison, at 100 commits each. Larger changes are an error.
const MAX_PAGES: usize = 3;
/// Number of commits whose co-authors are requested with one query.
const MOST_AT_ONCE: usize = 25;
/// Maximum number of co-authors read per commit.
const MOST_AUTHORS: usize = 50;
/// GitHub's own account, which commits merges made in the browser.
const WEB_FLOW: &str = "web-flow";

#[derive(Deserialize)]
struct Commit {
    sha: Sha,
    /// `None` if the address belongs to no account.
    author: Option<User>,
    committer: Option<User>,
    #[serde(rename = "commit")]
    git: Git,
}

#[derive(Deserialize)]
struct Git {
    #[serde(default)]
    message: String,
}

/// Returns the authors of the commits that `head` has and `base` has not; of `head` alone if `base`
/// is `None`.
pub(super) async fn authors(
    client: &Client,
    target: &Target,
    base: Option<&Sha>,
    head: &Sha,
) -> Result<Authors, ForgeError> {
    let mut repo = Repo::new(client, target)?;
    let mut commits = match base {
        Some(base) => between(&mut repo, base, head).await?,
        None => Vec::new(),
    };
    if !commits.iter().any(|commit| commit.sha == *head) {
        let tail = format!("/commits/{head}?per_page=1");
        commits.push(repo.get("GET /repos/{owner}/{repo}/commits/{ref}", &tail).await?.json()?);
    }
    let mut found = Authors::default();
    let mut to_ask: Vec<Sha> = Vec::new();
    for commit in commits {
        let sha = commit.sha;
        let people = [commit.author, commit.committer].map(|user| user.and_then(User::account));
        if people.iter().any(Option::is_none) {
            found.anonymous.get_or_insert_with(|| sha.clone());
        }
        found.people.extend(people.into_iter().flatten());
        match co_authors(&commit.git.message) {
            Some(known) => found.people.extend(known),
            None => to_ask.push(sha),
        }
    }
    for shas in to_ask.chunks(MOST_AT_ONCE) {
        ask_co_authors(client, target, shas, &mut found).await?;
    }
    found.people.retain(|person| person.login != WEB_FLOW);
    Ok(found)
}

/// Returns the commits that `head` has and `base` has not. More than can be read are an error,
/// because the authors of the rest would be unknown.
async fn between(repo: &mut Repo<'_>, base: &Sha, head: &Sha) -> Result<Vec<Commit>, ForgeError> {
    #[derive(Deserialize)]
    struct Comparison {
        total_commits: Option<usize>,
        #[serde(default)]
        commits: Vec<Commit>,
    }
    let route = "GET /repos/{owner}/{repo}/compare/{basehead}";
    let tail = format!("/compare/{base}...{head}");
    let mut commits = Vec::new();
    for page in 1..=MAX_PAGES {
        let (found, more) = repo.page(route, &tail, page, |c: &Comparison| c.commits.len() >= PER_PAGE).await?;
        commits.extend(found.commits);
        if found.total_commits.map_or(!more, |total| commits.len() >= total) {
            return Ok(commits);
        }
        if !more {
            break;
        }
    }
    Err(ForgeError::Permanent("more commits than can be read".to_owned()))
}

/// Parses the co-authors in a commit message. `None` if a line's address does not identify an
/// account, so that GitHub must be asked.
fn co_authors(message: &str) -> Option<Vec<Account>> {
    let mut found = Vec::new();
    for line in message.lines() {
        let line = line.trim();
        let Some((key, value)) = line.split_once(':') else { continue };
        if key.trim().eq_ignore_ascii_case("co-authored-by") {
            found.push(of_address(value.rsplit_once('<')?.1.split('>').next()?)?);
        }
    }
    Some(found)
}

/// Parses the account in `ID+LOGIN@users.noreply.github.com`.
fn of_address(address: &str) -> Option<Account> {
    let (id, login) = address.trim().strip_suffix("@users.noreply.github.com")?.split_once('+')?;
    let id = id.parse().ok().filter(|id| *id != 0)?;
    Some(Account { id: Some(AccountId(id)), login: login.to_owned() })
}

/// Asks GitHub for the accounts of the authors of commits.
async fn ask_co_authors(client: &Client, target: &Target, shas: &[Sha], found: &mut Authors) -> Result<(), ForgeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        total_count: usize,
        nodes: Vec<Option<Author>>,
    }
    #[derive(Deserialize)]
    struct Author {
        email: Option<String>,
        user: Option<Person>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Person {
        database_id: Option<u64>,
        login: String,
    }
    let (owner, name) = target.full_name.split_once('/').unwrap_or((&target.full_name, ""));
    let mut query = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {".to_owned();
    for (index, sha) in shas.iter().enumerate() {
        let _ = write!(
            query,
            " c{index}: object(oid: \"{sha}\") {{ ... on Commit {{ authors(first: {MOST_AUTHORS}) {{ totalCount nodes \
             {{ email user {{ databaseId login }} }} }} }} }}"
        );
    }
    query.push_str(" } }");
    let data = graphql::run(client, target, &query, json!({ "owner": owner, "name": name }), true).await?;
    for (index, sha) in shas.iter().enumerate() {
        let shown = data.pointer(&format!("/repository/c{index}/authors")).cloned().unwrap_or(Value::Null);
        let listed: Listed = serde_json::from_value(shown)
            .map_err(|_| ForgeError::Permanent(format!("GitHub does not list the authors of {sha}")))?;
        let mut anonymous = listed.total_count > listed.nodes.len();
        let mut people: BTreeSet<Account> = BTreeSet::new();
        for author in listed.nodes {
            let Some(author) = author else {
                anonymous = true;
                continue;
            };
            let account = author.user.map(|user| Account { id: user.database_id.map(AccountId), login: user.login });
            match account.or_else(|| of_address(author.email.as_deref()?)) {
                Some(account) => drop(people.insert(account)),
                None => anonymous = true,
            }
        }
        found.people.extend(people);
        if anonymous {
            found.anonymous.get_or_insert_with(|| sha.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_authors_by_their_addresses() {
        let cyd = Account { id: Some(AccountId(7)), login: "cyd".into() };
        let known = "Add it\n\nCo-authored-by: Cyd <7+cyd@users.noreply.github.com>\n";
        assert_eq!(co_authors(known), Some(vec![cyd.clone()]));
        assert_eq!(
            co_authors("Add it\r\n\r\nCO-AUTHORED-BY: C <7+cyd@users.noreply.github.com> \r\n"),
            Some(vec![cyd])
        );
        assert_eq!(co_authors("Add it"), Some(Vec::new()));
        // Only GitHub knows the accounts behind these.
        for line in ["C <c@example.com>", "C <cyd@users.noreply.github.com>", "C", "<0+c@users.noreply.github.com>"] {
            assert_eq!(co_authors(&format!("Add it\n\nCo-authored-by: {line}")), None, "{line}");
        }
    }
}
