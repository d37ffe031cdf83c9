//! The connection as long as it is not encrypted.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const CHUNK: usize = 4096;

/// A TCP connection that hands out at most one line at a time.
///
/// Thus nobody reads beyond the answer to `STARTTLS`: what somebody in between has put behind it meets the TLS handshake,
/// which breaks, instead of being taken for answers of the server (RFC 3207 §4.2).
pub(super) struct Clear {
    stream: TcpStream,
    read: Vec<u8>,
    /// How much of `read` was handed out.
    at: usize,
}

impl Clear {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new(), at: 0 }
    }
}

impl AsyncRead for Clear {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.at >= self.read.len() {
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
            self.read = chunk.filled().to_vec();
            self.at = 0;
        }
        let waiting = self.read.get(self.at..).unwrap_or_default();
        let line = waiting.iter().position(|byte| *byte == b'\n').map_or(waiting.len(), |end| end + 1);
        let length = line.min(out.remaining());
        out.put_slice(waiting.get(..length).unwrap_or_default());
        self.at += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Clear {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clear").field(&self.stream).finish()
    }
}

impl AsyncTokioStream for Clear {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_read_ends_with_a_line() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut clear = Clear::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"220 go on\r\n250 hidden\r\nrest").await.unwrap();
        drop(server);
        let mut reads = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            match clear.read(&mut buffer).await.unwrap() {
                0 => break,
                length => reads.push(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            }
        }
        assert_eq!(reads[..2], ["220 go on\r\n", "250 hidden\r\n"]);
        assert_eq!(reads[2..].concat(), "rest");
    }
}
