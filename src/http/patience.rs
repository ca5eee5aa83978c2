//! How long a connection may keep us waiting.
//!
//! hyper has one timeout for a request's head, which also runs while a
//! connection rests between two requests. They need different lengths: seconds
//! for a head that has begun, and more for a resting connection than the proxy
//! before us keeps it (a delivery sent into a connection that we are closing is
//! lost, for GitHub does not send it again). hyper's timeout does not cover a
//! peer that stops reading our answers either. So the stream itself keeps the
//! time, and hyper's own timeout is off.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// What the service tells the stream: odd while a request is served.
///
/// A count and not a flag, so that the stream also notices a request that began
/// and ended between two looks. HTTP/1 serves one request of a connection at a time.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU64);

/// A request that is being served.
pub(super) struct Served(Arc<Progress>);

impl Progress {
    /// A request's head is complete; it is served until the answer drops.
    pub(super) fn begin(self: Arc<Self>) -> Served {
        self.0.fetch_add(1, Ordering::AcqRel);
        Served(self)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A stream that fails once its peer has kept us waiting for too long.
///
/// While a request is served, reading is not timed here: the body has a
/// deadline of its own.
pub(super) struct PatientStream<S> {
    stream: S,
    progress: Arc<Progress>,
    /// The progress that was last looked at.
    seen: u64,
    /// A head has begun, and `deadline` is its own. So it is on a new
    /// connection: that one is given no time to rest.
    in_head: bool,
    deadline: Pin<Box<Sleep>>,
    /// Runs while the peer does not read what we write.
    stalled: Option<Pin<Box<Sleep>>>,
    active: Duration,
    rest: Duration,
}

impl<S> PatientStream<S> {
    /// A new connection's stream: `active` is the time for a head, or for
    /// reading some of an answer, and `rest` the time between two requests.
    pub(super) fn new(stream: S, progress: Arc<Progress>, active: Duration, rest: Duration) -> Self {
        let deadline = Box::pin(sleep(active));
        Self { stream, progress, seen: 0, in_head: true, deadline, stalled: None, active, rest }
    }

    /// Lets a write fail once it has been pending for too long.
    fn time_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let active = self.active;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(active)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let progress = this.progress.0.load(Ordering::Acquire);
        let serving = progress % 2 == 1;
        if progress != this.seen && !serving {
            this.seen = progress;
            this.in_head = false;
            this.deadline.as_mut().reset(Instant::now() + this.rest);
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending if !serving => {
                ready!(this.deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            read => {
                if !serving && !this.in_head && buf.filled().len() > before {
                    this.in_head = true;
                    this.deadline.as_mut().reset(Instant::now() + this.active);
                }
                read
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        self.time_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.time_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
