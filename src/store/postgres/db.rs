//! Queries and transactions over a pool of connections.
//!
//! Nothing here outlives its transaction: no prepared statement, no setting,
//! no lock, no temporary table, no LISTEN. A connection pooler that assigns
//! each transaction to another connection may therefore be used.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    port::store::StoreError,
    store::postgres::error::{no_connection, told},
};

/// Values of a query.
pub(super) type Args<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Time-out of one query or transaction. A connection that exceeds it is closed, together
/// with whatever it was doing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database, through a pool of connections.
#[derive(Clone)]
pub(super) struct Db {
    pool: Pool,
}

impl Db {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Returns the rows of one query.
    pub(super) async fn rows(&self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, StoreError> {
        let mut work = self.work().await?;
        patiently(work.rows(sql, args)).await.inspect(|_| work.end())
    }

    /// Returns the first row of one query, if any.
    pub(super) async fn row(&self, sql: &str, args: Args<'_>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Runs one statement; returns how many rows it touched.
    pub(super) async fn run(&self, sql: &str, args: Args<'_>) -> Result<u64, StoreError> {
        let mut work = self.work().await?;
        patiently(work.run(sql, args)).await.inspect(|_| work.end())
    }

    /// Returns a connection for a transaction, which the caller begins and ends.
    pub(super) async fn work(&self) -> Result<Work, StoreError> {
        let connection = self.pool.get().await.map_err(|error| no_connection(&error))?;
        Ok(Work { connection: Some(connection), ended: false })
    }
}

/// Fails if the work exceeds the time-out.
pub(super) async fn patiently<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unavailable(format!("PostgreSQL did not answer within {} s", PATIENCE.as_secs()))),
    }
}

/// A connection in use. If it drops before its end, by an error or a cancelled
/// task, it is closed and not used again: the state of its transaction is unknown.
pub(super) struct Work {
    connection: Option<Object>,
    ended: bool,
}

impl Work {
    /// Marks the connection as reusable: no transaction is open on it any more.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    fn connection(&self) -> Result<&Object, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the connection was given up".to_owned()))
    }

    pub(super) async fn rows(&self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, StoreError> {
        self.connection()?.query_typed(sql, args).await.map_err(|error| told(&error))
    }

    pub(super) async fn run(&self, sql: &str, args: Args<'_>) -> Result<u64, StoreError> {
        self.connection()?.execute_typed(sql, args).await.map_err(|error| told(&error))
    }

    /// Begins a transaction. If the client vanishes, the server ends it soon, since
    /// others wait for its locks. That setting applies to the transaction alone: a
    /// pooler assigns the connection to another client afterwards.
    pub(super) async fn begin(&self) -> Result<u64, StoreError> {
        self.plain("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'").await
    }

    /// Runs text without values, such as `COMMIT`.
    pub(super) async fn plain(&self, sql: &str) -> Result<u64, StoreError> {
        self.connection()?.batch_execute(sql).await.map_err(|error| told(&error))?;
        Ok(0)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.ended
        {
            drop(Object::take(connection));
        }
    }
}

/// One statement of a pipeline; returns how many rows it touched or counted.
pub(super) type Step<'a> = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + 'a>>;

/// Sends all steps at once, in order, and collects their results: one round trip to the
/// server for a whole transaction. Returns the first failure, after which the server
/// ignored the rest.
pub(super) async fn pipeline(mut steps: Vec<Step<'_>>) -> Result<Vec<u64>, StoreError> {
    let mut answers: Vec<Option<u64>> = vec![None; steps.len()];
    poll_fn(|cx| {
        let mut waits = false;
        // A step sends when it is first polled, so the server receives them in this order.
        for (step, answer) in steps.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match step.as_mut().poll(cx) {
                Poll::Ready(Ok(touched)) => *answer = Some(touched),
                Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed)),
                Poll::Pending => waits = true,
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(answers.into_iter().flatten().collect())
}
