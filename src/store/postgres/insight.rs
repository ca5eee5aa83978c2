//! Rows for delivery metrics.

use tokio_postgres::Row;

use crate::{
    domain::{
        id::RepoKey,
        insight::{InsightRow, RowGroup},
    },
    port::store::{InsightPage, RepositoryRow, StoreError},
    store::postgres::{
        db::{Db, Step, Work},
        repo,
        value::{args, bits, millis, moment, number, text, text_col},
    },
};

/// Deletes rows that their owners no longer have, or that changed.
pub(super) const DELETE: &str = "
    DELETE FROM insight USING unnest($3::text[], $4::text[], $5::text[]) AS g (kind, owner, start)
    WHERE insight.forge = $1 AND insight.repo = $2 AND insight.kind = g.kind AND insight.owner = g.owner
      AND insight.part >= g.start
      AND NOT EXISTS (
          SELECT 1 FROM unnest($6::text[], $7::int8[], $8::text[], $9::text[], $10::text[]) AS n (kind, at, owner, part, body)
          WHERE (n.kind, n.at, n.owner, n.part, n.body)
              = (insight.kind, insight.at, insight.owner, insight.part, insight.body))";

pub(super) const INSERT: &str = "
    INSERT INTO insight (forge, repo, kind, at, owner, part, body)
    SELECT $1, $2, kind, at, owner, part, body
    FROM unnest($3::text[], $4::int8[], $5::text[], $6::text[], $7::text[]) AS n (kind, at, owner, part, body)
    ON CONFLICT (forge, repo, kind, owner, part) DO NOTHING";

/// Replaces the rows of these objects. Rows that stay as they are are not written.
pub(super) fn keep<'a>(work: &'a Work, repo: &'a RepoKey, groups: &'a [RowGroup]) -> Vec<Step<'a>> {
    if groups.is_empty() {
        return Vec::new();
    }
    let rows = || groups.iter().flat_map(|group| group.rows.iter().map(move |row| (group.kind, row)));
    let columns = move || {
        (
            rows().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
            rows().map(|(_, row)| millis(row.at)).collect::<Vec<_>>(),
            rows().map(|(_, row)| text(&row.owner)).collect::<Vec<_>>(),
            rows().map(|(_, row)| text(&row.part)).collect::<Vec<_>>(),
            rows().map(|(_, row)| text(&row.body)).collect::<Vec<_>>(),
        )
    };
    let delete = async move {
        let kinds: Vec<_> = groups.iter().map(|group| group.kind.as_str()).collect();
        let owners: Vec<_> = groups.iter().map(|group| text(&group.owner)).collect();
        let starts: Vec<_> = groups.iter().map(|group| text(&group.from)).collect();
        let (kind, at, owner, part, body) = columns();
        let (forge, id) = (text(&repo.forge.0), bits(repo.id));
        work.run(DELETE, args![forge, id, kinds, owners, starts, kind, at, owner, part, body]).await
    };
    let insert = async move {
        let (kind, at, owner, part, body) = columns();
        work.run(INSERT, args![text(&repo.forge.0), bits(repo.id), kind, at, owner, part, body]).await
    };
    vec![Box::pin(delete), Box::pin(insert)]
}

pub(super) const PAGE: &str = "
    SELECT owner, part, at, body FROM insight
    WHERE forge = $1 AND repo = $2 AND kind = $3 AND (at, owner, part) > ($4, $5, $6)
    ORDER BY at, owner, part LIMIT $7";

pub(super) const OF_OWNERS: &str = "
    SELECT owner, part, at, body FROM insight
    WHERE forge = $1 AND repo = $2 AND kind = $3 AND owner = ANY($4) ORDER BY owner, part";

/// Returns a row as [`PAGE`] and [`OF_OWNERS`] read it.
pub(super) fn read_row(row: &Row) -> Result<InsightRow, StoreError> {
    Ok(InsightRow { owner: text_col(row, 0)?, part: text_col(row, 1)?, at: moment(row, 2)?, body: text_col(row, 3)? })
}

/// Reads a page of rows, by time.
pub(super) async fn page(db: &Db, repo: &RepoKey, page: &InsightPage) -> Result<Vec<InsightRow>, StoreError> {
    let (at, owner, part) = page.position();
    let (forge, id) = (text(&repo.forge.0), bits(repo.id));
    let values = args![forge, id, page.kind.as_str(), at, text(owner), text(part), number(page.limit)];
    db.rows(PAGE, values).await?.iter().map(read_row).collect()
}

const REPOSITORIES: &str = "SELECT forge, repo, full_name, installation, active FROM repository ORDER BY forge, repo";

/// Lists every repository.
pub(super) async fn repositories(db: &Db) -> Result<Vec<RepositoryRow>, StoreError> {
    db.rows(REPOSITORIES, args![]).await?.iter().map(repo::read_repository).collect()
}
