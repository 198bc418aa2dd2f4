//! TLS streams for tokio by the system's library, with the interface of the crate of that name.
//!
//! `mysql_async` reads packets into one buffer that grows to the largest and stays so. `tokio-native-tls` 0.3.1
//! fills all of a buffer that is free with zeros before each read (`TlsStream::poll_read`), and a read
//! brings one TLS record of at most 16 KiB. After one row of 16 MB a source so wrote megabytes of zeros for each
//! 16 KiB that came, and a backlog of small rows cost it twice the processor time. This one clears
//! what a record can fill. Its fellows in the tree (`reqwest`, `hyper-tls`) use it, too.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use native_tls::{HandshakeError, MidHandshakeTlsStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use native_tls;

#[cfg(test)]
mod tests;

/// What a read brings at most: the plain text of one record (RFC 8446, 5.1).
const RECORD_BYTES: usize = 1 << 14;

/// Opens TLS connections.
#[derive(Clone)]
pub struct TlsConnector(native_tls::TlsConnector);

impl std::fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl From<native_tls::TlsConnector> for TlsConnector {
    fn from(connector: native_tls::TlsConnector) -> Self {
        Self(connector)
    }
}

impl TlsConnector {
    /// Speaks TLS over a stream with the server of that name.
    ///
    /// # Errors
    /// Those of the handshake.
    pub async fn connect<S>(&self, domain: &str, stream: S) -> native_tls::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut next = Next::Begin(stream);
        poll_fn(move |task| {
            let step = match std::mem::replace(&mut next, Next::Over) {
                Next::Begin(stream) => {
                    self.0.connect(domain, AllowStd { stream, task: task.waker().clone() })
                }
                Next::Middle(mut middle) => {
                    middle.get_mut().attend(task);
                    middle.handshake()
                }
                Next::Over => return Poll::Pending,
            };
            match step {
                Ok(stream) => Poll::Ready(Ok(TlsStream(stream))),
                Err(HandshakeError::Failure(cause)) => Poll::Ready(Err(cause)),
                Err(HandshakeError::WouldBlock(middle)) => {
                    next = Next::Middle(middle);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// How far a handshake is.
enum Next<S> {
    Begin(S),
    Middle(MidHandshakeTlsStream<AllowStd<S>>),
    Over,
}

/// A stream that the system's library reads and writes as if it could wait.
#[derive(Debug)]
pub struct AllowStd<S> {
    stream: S,
    /// Who is to be told when more can be read or written.
    task: Waker,
}

impl<S> AllowStd<S> {
    /// The stream itself.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream itself.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn attend(&mut self, task: &Context<'_>) {
        self.task.clone_from(task.waker());
    }
}

/// What would wait is an error of its own to the system's library.
fn at_once<T>(step: Poll<io::Result<T>>) -> io::Result<T> {
    match step {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The reverse of [`at_once`].
fn or_later<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}

impl<S: AsyncRead + Unpin> Read for AllowStd<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        let mut task = Context::from_waker(&self.task);
        at_once(Pin::new(&mut self.stream).poll_read(&mut task, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for AllowStd<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut task = Context::from_waker(&self.task);
        at_once(Pin::new(&mut self.stream).poll_write(&mut task, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut task = Context::from_waker(&self.task);
        at_once(Pin::new(&mut self.stream).poll_flush(&mut task))
    }
}

/// A stream that is encrypted.
#[derive(Debug)]
pub struct TlsStream<S>(native_tls::TlsStream<AllowStd<S>>);

impl<S> TlsStream<S> {
    /// The system's own.
    pub fn get_ref(&self) -> &native_tls::TlsStream<AllowStd<S>> {
        &self.0
    }

    /// The system's own.
    pub fn get_mut(&mut self) -> &mut native_tls::TlsStream<AllowStd<S>> {
        &mut self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    fn attended(&mut self, task: &Context<'_>) -> &mut native_tls::TlsStream<AllowStd<S>> {
        self.0.get_mut().attend(task);
        &mut self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining().min(RECORD_BYTES);
        let count = ready!(or_later(self.attended(task).read(buf.initialize_unfilled_to(room))))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        or_later(self.attended(task).write(buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        or_later(self.attended(task).flush())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(or_later(self.attended(task).shutdown()))?;
        Pin::new(&mut self.0.get_mut().stream).poll_shutdown(task)
    }
}
