//! Connection time-outs.
//!
//! hyper has one time-out for a request's head, which also runs while a connection idles between
//! two requests. They need different lengths: seconds for a head that has begun, and for an idle
//! connection more than the proxy before us keeps it (a delivery sent into a connection that we are
//! closing is lost, because GitHub does not send it again). Nor does hyper's time-out cover a peer
//! that stops reading our answers. So the stream itself measures the time, and hyper's own time-out
//! is off.

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

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// Progress that the service reports to the stream: odd while a request is served.
///
/// It is a count and not a flag, so that the stream also notices a request that began and ended
/// between two checks. HTTP/1 serves one request of a connection at a time.
#[derive(Debug, Default)]
pub(super) struct Progress {
    count: AtomicU64,
    /// The task that reads while a request is served, to notice when the peer closes the
    /// connection. hyper does not read again by itself when the request has ended.
    reader: AtomicWaker,
}

/// A request that is being served.
pub(super) struct Served(Arc<Progress>);

impl Progress {
    /// Records that a request's head is complete; it is served until the result drops.
    pub(super) fn begin(self: Arc<Self>) -> Served {
        self.count.fetch_add(1, Ordering::AcqRel);
        Served(self)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        self.0.reader.wake();
    }
}

/// A stream that fails once its peer has let it wait for too long.
///
/// While a request is served, reading is not timed here, because the body has its own deadline.
pub(super) struct PatientStream<S> {
    stream: S,
    progress: Arc<Progress>,
    /// The progress at the last check.
    seen: u64,
    /// Whether a head has begun, to which `deadline` then applies. True for a new connection, which
    /// gets no time to idle.
    in_head: bool,
    deadline: Pin<Box<Sleep>>,
    /// Runs while the peer does not read what we write.
    stalled: Option<Pin<Box<Sleep>>>,
    active: Duration,
    rest: Duration,
}

impl<S> PatientStream<S> {
    /// Wraps a new connection's stream. `active` is the time for a head, or for reading some of an
    /// answer; `rest` is the time between two requests.
    pub(super) fn new(stream: S, progress: Arc<Progress>, active: Duration, rest: Duration) -> Self {
        let deadline = Box::pin(sleep(active));
        Self { stream, progress, seen: 0, in_head: true, deadline, stalled: None, active, rest }
    }

    /// Fails a write once it has been pending for too long.
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
        let progress = this.progress.count.load(Ordering::Acquire);
        let serving = progress % 2 == 1;
        if serving {
            this.progress.reader.register(cx.waker());
        }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Expires soon, however late a test runs.
    const SHORT: Duration = Duration::from_millis(20);
    /// Longer than any test: one that waits for it hangs.
    const LONG: Duration = Duration::from_hours(1);

    fn connection(active: Duration, rest: Duration) -> (DuplexStream, PatientStream<DuplexStream>, Arc<Progress>) {
        let (peer, ours) = duplex(64);
        let progress = Arc::new(Progress::default());
        (peer, PatientStream::new(ours, Arc::clone(&progress), active, rest), progress)
    }

    async fn read(stream: &mut PatientStream<DuplexStream>) -> Result<usize, io::ErrorKind> {
        stream.read(&mut [0; 64]).await.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_new_connection_may_not_rest() {
        let (_peer, mut stream, _) = connection(SHORT, LONG);
        assert_eq!(read(&mut stream).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn bytes_do_not_prolong_a_head() {
        let (mut peer, mut stream, _) = connection(SHORT, LONG);
        tokio::spawn(async move {
            while peer.write_all(b"x").await.is_ok() {
                sleep(SHORT / 10).await;
            }
        });
        while read(&mut stream).await.is_ok() {}
    }

    #[tokio::test]
    async fn nothing_is_timed_while_a_request_is_served() {
        let (mut peer, mut stream, progress) = connection(SHORT, SHORT);
        let served = progress.begin();
        let sender = tokio::spawn(async move {
            sleep(SHORT * 5).await;
            peer.write_all(b"body").await.unwrap();
            peer
        });
        assert_eq!(read(&mut stream).await, Ok(4));
        let _peer = sender.await.unwrap();
        drop(served);
        assert_eq!(read(&mut stream).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_read_that_began_while_a_request_was_served_is_timed_after_it() {
        let (_peer, mut stream, progress) = connection(LONG, SHORT);
        let served = progress.begin();
        tokio::spawn(async move {
            sleep(SHORT).await;
            drop(served);
        });
        assert_eq!(read(&mut stream).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_served_connection_may_rest_but_its_next_head_may_not() {
        let (mut peer, mut stream, progress) = connection(SHORT, LONG);
        drop(progress.begin());
        let sender = tokio::spawn(async move {
            sleep(SHORT * 5).await;
            peer.write_all(b"POST").await.unwrap();
            peer
        });
        assert_eq!(read(&mut stream).await, Ok(4));
        let _peer = sender.await.unwrap();
        assert_eq!(read(&mut stream).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_rest_ends_too() {
        let (_peer, mut stream, progress) = connection(LONG, SHORT);
        drop(progress.begin());
        assert_eq!(read(&mut stream).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_cut() {
        let (_peer, mut stream, _) = connection(SHORT, LONG);
        let written = stream.write_all(&[0; 65]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
