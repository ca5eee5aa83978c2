//! The one writer of this process: a thread that commits all waiting jobs at once.
//!
//! A sync of the disk costs more than the writes before it, so all waiting jobs
//! share one transaction. No job is answered before it is committed. A job that
//! fails by its own fault is rolled back alone; if the database itself fails,
//! nothing of the transaction is kept and every job fails.

use std::{sync::Arc, thread};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::port::store::StoreError;

/// Most jobs in one transaction.
const BATCH: usize = 256;

/// Limit on waiting packed bodies (KiB). More than the largest body.
const BACKLOG_KIB: usize = 48 * 1024;

/// Handle of the writer's thread.
pub(super) struct Writer {
    /// `None` only while it shuts down.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    backlog: Arc<Semaphore>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. At most `queue` jobs wait for it.
    pub(super) fn start(connection: Connection, queue: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(queue);
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || run(&connection, waiting))?;
        Ok(Self { jobs: Some(jobs), backlog: Arc::new(Semaphore::new(BACKLOG_KIB)), thread: Some(thread) })
    }

    /// Does `work` in a transaction, after all jobs before it; waits for a place in the queue.
    ///
    /// Returns once the transaction is committed. If `work` fails, nothing of it is kept.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work: Some(work), result: None, reply, savepoint: true });
        self.jobs()?.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Like [`Writer::write`], for work from outside that can be repeated: refuses at once
    /// when too much waits, counted in jobs and in `bytes`.
    ///
    /// `work` must fail only when the database does: it has no savepoint of its own.
    pub(super) async fn write_or_refuse<T, F>(&self, bytes: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let share = u32::try_from((bytes / 1024 + 1).min(BACKLOG_KIB)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.backlog).try_acquire_many_owned(share).map_err(|_| overloaded())?;
        let (reply, answer) = oneshot::channel();
        let work = move |connection: &Connection| {
            let result = work(connection);
            drop(permit);
            result
        };
        let job = Box::new(Task { work: Some(work), result: None, reply, savepoint: false });
        self.jobs()?.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => overloaded(),
            TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Box<dyn Job>>, StoreError> {
        self.jobs.as_ref().ok_or_else(stopped)
    }
}

impl Drop for Writer {
    /// Waits until the queue is written and the file closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had stopped by a panic");
        }
    }
}

fn overloaded() -> StoreError {
    StoreError::Unavailable("too many writes wait".to_owned())
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".to_owned())
}

/// A write that waits for its turn.
trait Job: Send {
    /// Returns whether the job can be rolled back alone.
    fn savepoint(&self) -> bool;
    /// Does the work and keeps its result.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Sends the result to the caller, once the outcome of the transaction is known.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    savepoint: bool,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn savepoint(&self) -> bool {
        self.savepoint
    }

    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let result = work(connection);
        let end = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        end
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(stopped()),
            (Err(failed), _) => Err(failed),
        };
        // The receiver is gone if the caller was cancelled; the write remains all the same.
        let _ = self.reply.send(result);
    }
}

/// Runs the thread: receives waiting jobs, commits them, answers; ends with the last sender.
fn run(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        let committed = commit(connection, &mut batch);
        if let Err(failed) = &committed {
            tracing::error!(error = %failed, jobs = batch.len(), "the store could not commit");
        }
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
    }
}

/// Commits the whole batch in one transaction. On an error its drop rolls back.
fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    // Immediate: another process may write too, and a lock taken late could fail at once.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for job in batch {
        if job.savepoint() {
            run_alone(connection, job.as_mut())?;
        } else {
            job.run(connection)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Runs a job so that its own failure leaves no trace. `Err`: the database failed.
fn run_alone(connection: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    if let Err(failed) = job.run(connection) {
        // SQLite ends the transaction by itself after some errors.
        if matches!(failed, StoreError::Unavailable(_)) || connection.is_autocommit() {
            return Err(failed);
        }
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}
