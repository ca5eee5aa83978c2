//! Usage of the forges' rate limits by installations.

use jiff::Timestamp;

use crate::{
    domain::id::{ConnectionId, ForgeName},
    port::store::{BudgetRow, StoreError},
    store::postgres::{
        db::Db,
        value::{args, bits, millis, moment, text, text_col},
    },
};

pub(super) const BUDGET: &str = "SELECT spent, parked_until FROM budget WHERE forge = $1 AND installation = $2";

/// Reads the usage of an installation.
pub(super) async fn budget(
    db: &Db,
    forge: &ForgeName,
    installation: ConnectionId,
) -> Result<Option<BudgetRow>, StoreError> {
    let row = db.row(BUDGET, args![text(&forge.0), bits(installation)]).await?;
    row.map(|row| Ok(BudgetRow { spent: text_col(&row, 0)?, parked_until: moment(&row, 1)? })).transpose()
}

pub(super) const KEEP: &str = "
    INSERT INTO budget (forge, installation, spent, parked_until) VALUES ($1, $2, coalesce($3, ''), $4)
    ON CONFLICT (forge, installation) DO UPDATE
    SET spent = coalesce($3, budget.spent), parked_until = greatest(budget.parked_until, $4)";

/// Stores the usage of an installation.
pub(super) async fn keep(
    db: &Db,
    forge: &ForgeName,
    installation: ConnectionId,
    spent: Option<String>,
    parked_until: Timestamp,
) -> Result<(), StoreError> {
    let spent = spent.as_deref().map(text);
    db.run(KEEP, args![text(&forge.0), bits(installation), spent, millis(parked_until)]).await?;
    Ok(())
}
