//! Deletes the stored data of a repository that we lost access to.

use crate::{
    domain::id::RepoKey,
    port::store::{Seq, StoreError},
    store::{
        pack::Packed,
        postgres::{
            db::{Db, Step, patiently, pipeline},
            repo,
            value::{args, bits, number, text},
        },
    },
};

/// Invalidates what other replicas read of a repository; this one ($3) discards it by itself.
pub(super) const VOID_OTHERS: &str = "
    UPDATE lease SET epoch = epoch + 1 WHERE forge = $1 AND kind = 1 AND id = $2 AND owner <> $3";

pub(super) const EMPTY_BODIES: &str = "
    UPDATE delivery_body SET size = $3, body = $4
    WHERE seq IN (SELECT seq FROM delivery WHERE forge = $1 AND repo = $2 AND seq < $5)";

pub(super) const END_DELIVERIES: &str = "
    UPDATE delivery SET note = $3,
        state = CASE WHEN state IN ('pending', 'quarantined', 'dead') THEN 'dropped' ELSE state END
    WHERE forge = $1 AND repo = $2 AND seq < $4";

/// Deletes the data of a repository. The ids of its deliveries stay, so that a
/// redelivery is recognised; `empty` replaces their bodies.
pub(super) async fn erase(
    db: &Db,
    repo: &RepoKey,
    (before, why): (Seq, &str),
    empty: &Packed,
    replica: i64,
) -> Result<(), StoreError> {
    let deletes = ["fact", "item", "transition", "effect", "notice", "timer", "insight"]
        .map(|table| format!("DELETE FROM {table} WHERE forge = $1 AND repo = $2"));
    let (forge, id) = (text(&repo.forge.0), bits(repo.id));
    let frame = empty.frame.as_slice();
    let mut work = db.work().await?;
    patiently(async {
        let mut steps: Vec<Step<'_>> = vec![Box::pin(work.begin())];
        steps.push(Box::pin(async { work.run(VOID_OTHERS, args![forge, id, replica]).await }));
        for sql in &deletes {
            steps.push(Box::pin(async { work.run(sql, args![forge, id]).await }));
        }
        steps.push(Box::pin(async {
            work.run(EMPTY_BODIES, args![forge, id, number(empty.size), frame, number(before)]).await
        }));
        steps.push(Box::pin(async { work.run(END_DELIVERIES, args![forge, id, text(why), number(before)]).await }));
        steps.push(repo::raise_version(&work, repo));
        pipeline(steps).await?;
        work.plain("COMMIT").await?;
        Ok(())
    })
    .await
    .inspect(|()| work.end())
}
