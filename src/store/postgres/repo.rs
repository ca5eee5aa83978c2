//! Repositories: their binding, their facts, and the data derived for their items.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::{
    domain::{
        derived::Transition,
        id::{ConnectionId, ForgeName, ItemId, RepoKey},
    },
    port::store::{Document, RepositoryRow, StoreError, StoredItem},
    store::postgres::{
        db::{Db, Step, Work},
        value::{
            args, bits, col, id, id_or_none, json, millis, moment, moment_or_none, text, text_col, text_or_none,
            to_json,
        },
    },
};

pub(super) const REPOSITORY: &str =
    "SELECT forge, repo, full_name, installation, active FROM repository WHERE forge = $1 AND repo = $2";

/// Reads a repository's binding.
pub(super) async fn repository(db: &Db, repo: &RepoKey) -> Result<Option<RepositoryRow>, StoreError> {
    let row = db.row(REPOSITORY, args![text(&repo.forge.0), bits(repo.id)]).await?;
    row.as_ref().map(read_repository).transpose()
}

pub(super) const REPOSITORY_NAMED: &str = "
    SELECT repository.forge, repository.repo, full_name, installation, active
    FROM repository_name AS named JOIN repository ON repository.forge = named.forge AND repository.repo = named.repo
    WHERE named.forge = $1 AND named.name = $2";

/// Finds a repository by its name; names are stored in lower case.
pub(super) async fn repository_named(
    db: &Db,
    forge: &ForgeName,
    full_name: &str,
) -> Result<Option<RepositoryRow>, StoreError> {
    let name = full_name.to_ascii_lowercase();
    let row = db.row(REPOSITORY_NAMED, args![text(&forge.0), text(&name)]).await?;
    row.as_ref().map(read_repository).transpose()
}

pub(super) const REPOSITORIES: &str = "
    SELECT forge, repo, full_name, installation, active FROM repository
    WHERE forge = $1 AND installation = $2
    ORDER BY repo";

/// Lists all repositories that an installation serves.
pub(super) async fn repositories(
    db: &Db,
    forge: &ForgeName,
    installation: ConnectionId,
) -> Result<Vec<RepositoryRow>, StoreError> {
    let rows = db.rows(REPOSITORIES, args![text(&forge.0), bits(installation)]).await?;
    rows.iter().map(read_repository).collect()
}

pub(super) fn read_repository(row: &Row) -> Result<RepositoryRow, StoreError> {
    Ok(RepositoryRow {
        repo: RepoKey { forge: ForgeName(text_col(row, 0)?), id: id(row, 1)? },
        full_name: text_col(row, 2)?,
        installation: id_or_none(row, 3)?,
        active: col(row, 4)?,
    })
}

const KEEP_REPOSITORIES: &str = "
    INSERT INTO repository (forge, repo, full_name, installation, active)
    SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[], $5::bool[]) AS g (forge, repo, n, i, a)
    ORDER BY forge, repo
    ON CONFLICT (forge, repo) DO UPDATE
    SET full_name = excluded.full_name, installation = excluded.installation, active = excluded.active";

/// Stores the bindings of repositories.
pub(super) fn keep_repositories<'a>(work: &'a Work, rows: &'a [RepositoryRow]) -> Step<'a> {
    Box::pin(async move {
        // A statement may touch a row once, so the last of several rows of one repository counts.
        let last: BTreeMap<&RepoKey, &RepositoryRow> = rows.iter().map(|row| (&row.repo, row)).collect();
        let forge: Vec<_> = last.keys().map(|repo| text(&repo.forge.0)).collect();
        let repo: Vec<_> = last.keys().map(|repo| bits(repo.id)).collect();
        let name: Vec<_> = last.values().map(|row| text(&row.full_name)).collect();
        let installation: Vec<_> = last.values().map(|row| row.installation.map(bits)).collect();
        let active: Vec<_> = last.values().map(|row| row.active).collect();
        work.run(KEEP_REPOSITORIES, args![forge, repo, name, installation, active]).await
    })
}

/// Assigns a name to the repository that has it now.
const KEEP_NAMES: &str = "
    INSERT INTO repository_name (forge, name, repo)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int8[]) AS g (forge, name, repo) ORDER BY forge, name
    ON CONFLICT (forge, name) DO UPDATE SET repo = excluded.repo WHERE repository_name.repo <> excluded.repo";

/// Assigns a former name to its repository unless another repository has it.
const KEEP_OLD_NAMES: &str = "
    INSERT INTO repository_name (forge, name, repo)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int8[]) AS g (forge, name, repo) ORDER BY forge, name
    ON CONFLICT (forge, name) DO NOTHING";

/// Assigns alerts that waited for a repository of this name to it.
pub(super) const TAKE_UP: &str = "
    UPDATE delivery SET repo = g.repo, note = CASE state WHEN 'pending' THEN '' ELSE note END
    FROM unnest($1::text[], $2::text[], $3::int8[]) AS g (forge, name, repo)
    WHERE delivery.forge = g.forge AND lower(delivery.target) = g.name
      AND delivery.target IS NOT NULL AND delivery.repo IS NULL";

/// Stores the names of repositories, and assigns the alerts that waited for these names.
pub(super) fn keep_names<'a>(work: &'a Work, rows: &[RepositoryRow]) -> Vec<Step<'a>> {
    let last = |active: bool| -> BTreeMap<(String, String), i64> {
        let rows = rows.iter().filter(|row| row.active == active);
        rows.map(|row| ((row.repo.forge.0.clone(), row.full_name.to_ascii_lowercase()), bits(row.repo.id))).collect()
    };
    let (old, new) = (last(false), last(true));
    let mut all = old.clone();
    all.extend(new.clone());
    [(KEEP_OLD_NAMES, old), (KEEP_NAMES, new), (TAKE_UP, all)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(sql, names)| -> Step<'a> {
            Box::pin(async move {
                let forge: Vec<_> = names.keys().map(|(forge, _)| text(forge)).collect();
                let name: Vec<_> = names.keys().map(|(_, name)| text(name)).collect();
                let repo: Vec<i64> = names.values().copied().collect();
                work.run(sql, args![forge, name, repo]).await
            })
        })
        .collect()
}

pub(super) const FACTS: &str = "SELECT key, body FROM fact WHERE forge = $1 AND repo = $2 ORDER BY key";

/// Reads all fact documents of a repository, by key.
pub(super) async fn facts(db: &Db, repo: &RepoKey) -> Result<Vec<Document>, StoreError> {
    let rows = db.rows(FACTS, args![text(&repo.forge.0), bits(repo.id)]).await?;
    rows.iter().map(|row| Ok(Document { key: text_col(row, 0)?, body: Some(text_col(row, 1)?) })).collect()
}

pub(super) const KEEP_FACTS: &str = "
    INSERT INTO fact (forge, repo, key, body)
    SELECT $1, $2, key, body FROM unnest($3::text[], $4::text[]) AS g (key, body)
    ON CONFLICT (forge, repo, key) DO UPDATE SET body = excluded.body WHERE fact.body <> excluded.body";

pub(super) const DELETE_FACTS: &str = "DELETE FROM fact WHERE forge = $1 AND repo = $2 AND key = ANY($3::text[])";

/// Inserts, updates and deletes fact documents.
pub(super) fn keep_facts<'a>(work: &'a Work, repo: &'a RepoKey, facts: &'a [Document]) -> Vec<Step<'a>> {
    let last: BTreeMap<&str, Option<&str>> = facts.iter().map(|f| (f.key.as_str(), f.body.as_deref())).collect();
    let (mut keys, mut bodies, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, body) in last {
        match body {
            Some(body) => {
                keys.push(text(key));
                bodies.push(text(body));
            }
            None => gone.push(text(key)),
        }
    }
    let mut steps: Vec<Step<'a>> = Vec::new();
    if !keys.is_empty() {
        steps.push(Box::pin(async move {
            work.run(KEEP_FACTS, args![text(&repo.forge.0), bits(repo.id), keys, bodies]).await
        }));
    }
    if !gone.is_empty() {
        steps.push(Box::pin(
            async move { work.run(DELETE_FACTS, args![text(&repo.forge.0), bits(repo.id), gone]).await },
        ));
    }
    steps
}

pub(super) const ITEMS: &str =
    "SELECT item, phase, since, derived FROM item WHERE forge = $1 AND repo = $2 ORDER BY item";

/// Reads the derived rows of a repository's items, by number.
pub(super) async fn items(db: &Db, repo: &RepoKey) -> Result<Vec<StoredItem>, StoreError> {
    let rows = db.rows(ITEMS, args![text(&repo.forge.0), bits(repo.id)]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredItem {
                item: id(row, 0)?,
                phase: text_or_none(row, 1)?,
                since: moment_or_none(row, 2)?,
                derived: text_col(row, 3)?,
            })
        })
        .collect()
}

const KEEP_ITEMS: &str = "
    INSERT INTO item (forge, repo, item, phase, since, derived)
    SELECT $1, $2, item, phase, since, derived
    FROM unnest($3::int8[], $4::text[], $5::int8[], $6::text[]) AS g (item, phase, since, derived)
    ON CONFLICT (forge, repo, item) DO UPDATE
    SET phase = excluded.phase, since = excluded.since, derived = excluded.derived";

/// Stores the data derived for items.
pub(super) fn keep_items<'a>(work: &'a Work, repo: &'a RepoKey, rows: &'a [StoredItem]) -> Step<'a> {
    Box::pin(async move {
        let last: BTreeMap<ItemId, &StoredItem> = rows.iter().map(|row| (row.item, row)).collect();
        let item: Vec<_> = last.keys().map(|item| bits(*item)).collect();
        let phase: Vec<_> = last.values().map(|row| row.phase.as_deref().map(text)).collect();
        let since: Vec<_> = last.values().map(|row| row.since.map(millis)).collect();
        let derived: Vec<_> = last.values().map(|row| text(&row.derived)).collect();
        work.run(KEEP_ITEMS, args![text(&repo.forge.0), bits(repo.id), item, phase, since, derived]).await
    })
}

pub(super) const TRANSITIONS: &str =
    "SELECT at, phase, reason FROM transition WHERE forge = $1 AND repo = $2 AND item = $3 ORDER BY n";

/// Reads the transition log of one item, oldest first.
pub(super) async fn transitions(db: &Db, repo: &RepoKey, item: ItemId) -> Result<Vec<Transition>, StoreError> {
    let rows = db.rows(TRANSITIONS, args![text(&repo.forge.0), bits(repo.id), bits(item)]).await?;
    rows.iter()
        .map(|row| Ok(Transition { at: moment(row, 0)?, to: text_or_none(row, 1)?, reason: json(row, 2)? }))
        .collect()
}

pub(super) const FORGET_HISTORY: &str =
    "DELETE FROM transition WHERE forge = $1 AND repo = $2 AND item = $3 AND at >= $4";

pub(super) const KEEP_HISTORY: &str = "
    INSERT INTO transition (forge, repo, item, n, at, phase, reason)
    SELECT $1, $2, $3,
           (SELECT coalesce(max(n) + 1, 0) FROM transition WHERE forge = $1 AND repo = $2 AND item = $3) + g.n - 1,
           g.at, g.phase, g.reason
    FROM unnest($4::int8[], $5::text[], $6::text[]) WITH ORDINALITY AS g (at, phase, reason, n)";

/// Replaces everything logged since a cycle began by the cycle's history.
/// An empty history has no start time, and replaces nothing.
pub(super) fn keep_history<'a>(
    work: &'a Work,
    repo: &'a RepoKey,
    item: ItemId,
    history: &'a [Transition],
) -> Result<Vec<Step<'a>>, StoreError> {
    let Some(begins) = history.iter().map(|transition| transition.at).min() else { return Ok(Vec::new()) };
    let reasons = history.iter().map(|transition| to_json(&transition.reason)).collect::<Result<Vec<_>, _>>()?;
    let forget = async move {
        let args = args![text(&repo.forge.0), bits(repo.id), bits(item), millis(begins)];
        work.run(FORGET_HISTORY, args).await
    };
    let keep = async move {
        let at: Vec<_> = history.iter().map(|transition| millis(transition.at)).collect();
        let phase: Vec<_> = history.iter().map(|transition| transition.to.as_deref().map(text)).collect();
        let reason: Vec<_> = reasons.iter().map(String::as_str).collect();
        let args = args![text(&repo.forge.0), bits(repo.id), bits(item), at, phase, reason];
        work.run(KEEP_HISTORY, args).await
    };
    Ok(vec![Box::pin(forget), Box::pin(keep)])
}

pub(super) const RAISE_VERSION: &str = "
    INSERT INTO data_version (forge, repo, version) VALUES ($1, $2, 1)
    ON CONFLICT (forge, repo) DO UPDATE SET version = data_version.version + 1";

/// Raises the version of a repository's data. The last step of a transaction: others wait for its row.
pub(super) fn raise_version<'a>(work: &'a Work, repo: &'a RepoKey) -> Step<'a> {
    Box::pin(async move { work.run(RAISE_VERSION, args![text(&repo.forge.0), bits(repo.id)]).await })
}

pub(super) const VERSIONS: &str = "SELECT repo, version FROM data_version WHERE forge = $1 AND repo = ANY($2::int8[])";
