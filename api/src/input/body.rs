//! Reading bodies. Every request is read to its end before it is answered, whatever becomes of it: what a client still sends
//! while it is answered would end its connection. At most one mebibyte is kept, and nobody holds a request open by silence.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use bytes::{Bytes, BytesMut};
use domain::refusal::Refusal;
use http::request::Parts;
use http_body_util::BodyExt;

use crate::failure::Failure;

/// The longest body that is taken (`contract/core.md` §1.2).
const MAX_BYTES: usize = 1_048_576;

/// How much of a body that is too long is read and thrown away, so that its sender gets to read the answer.
const MAX_DISCARDED: usize = 4 * MAX_BYTES;

/// The longest silence within a body.
const STALL: Duration = Duration::from_secs(5);

/// The body of a request as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received(Result<Bytes, Fault>);

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// More than is taken, but read to its end.
    TooLong,
    /// More than is read.
    Endless,
    /// Its sender fell silent.
    Stalled,
    /// Its sender broke off or broke the framing.
    Broken,
}

impl Received {
    /// The whole body.
    ///
    /// # Errors
    /// Refuses a body that is too long, broken, or stalled.
    pub(crate) fn bytes(&self) -> Result<&Bytes, Failure> {
        self.0.as_ref().map_err(|fault| match fault {
            Fault::TooLong | Fault::Endless => Refusal::BodyTooLarge.into(),
            Fault::Stalled => Failure::BodyStalled,
            Fault::Broken => Failure::BodyBroken,
        })
    }

    /// Whether there may be more of it: then nothing that follows on the connection can be told from it.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.0, Err(Fault::Endless | Fault::Stalled | Fault::Broken))
    }
}

impl<S: Sync> FromRequestParts<S> for Received {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Failure::fault("the body was not received"))
    }
}

/// Reads `body`.
pub(crate) async fn receive(mut body: Body) -> Received {
    let mut collected = BytesMut::new();
    let mut length = 0_usize;
    loop {
        let frame = match tokio::time::timeout(STALL, body.frame()).await {
            Err(_) => return Received(Err(Fault::Stalled)),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Received(Err(Fault::Broken)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_BYTES {
            collected.extend_from_slice(&data);
        } else if length > MAX_DISCARDED {
            return Received(Err(Fault::Endless));
        }
    }
    Received(if length > MAX_BYTES { Err(Fault::TooLong) } else { Ok(collected.freeze()) })
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> = sizes.iter().map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size]))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_of_exactly_one_mebibyte_is_taken() {
        assert_eq!(receive(chunks(&[MAX_BYTES - 1, 1])).await.bytes().unwrap().len(), MAX_BYTES);
    }

    #[tokio::test]
    async fn a_longer_body_is_read_to_its_end_and_refused() {
        let received = receive(chunks(&[MAX_BYTES, 1])).await;
        assert!(matches!(received.bytes(), Err(Failure::Refused(Refusal::BodyTooLarge))), "{received:?}");
        assert!(!received.is_unfinished());
        let endless =
            Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; MAX_BYTES]))));
        assert!(receive(endless).await.is_unfinished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_sender_is_given_up() {
        let received = receive(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())).await;
        assert!(matches!(received.bytes(), Err(Failure::BodyStalled)) && received.is_unfinished());
    }

    #[tokio::test]
    async fn a_broken_body_is_the_senders_fault() {
        let body = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("bad chunk"))]));
        let received = receive(body).await;
        assert!(matches!(received.bytes(), Err(Failure::BodyBroken)) && received.is_unfinished());
    }
}
