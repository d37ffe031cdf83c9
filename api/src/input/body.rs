//! Reading bodies: at most one mebibyte, and no client may hold a request open by sending nothing.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use domain::refusal::Refusal;
use http_body_util::BodyExt;

use crate::failure::Failure;

/// The longest body that is read (`contract/core.md` §1.2).
pub(crate) const MAX_BYTES: usize = 1_048_576;

/// How much of a body that is too long is read and thrown away, so that its sender gets to read the answer.
const MAX_DISCARDED: usize = 4 * MAX_BYTES;

/// The longest silence within a body.
pub(crate) const STALL: Duration = Duration::from_secs(5);

/// The whole body.
///
/// # Errors
/// Refuses a body that is too long or broken; one that stalls ends the connection.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Failure> {
    let mut collected = BytesMut::new();
    let mut length = 0_usize;
    loop {
        let frame = match tokio::time::timeout(STALL, body.frame()).await {
            Err(_) => return Err(Failure::BodyStalled),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Failure::BodyBroken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_BYTES {
            collected.extend_from_slice(&data);
        } else if length > MAX_DISCARDED {
            break;
        }
    }
    if length > MAX_BYTES { Err(Refusal::BodyTooLarge.into()) } else { Ok(collected.freeze()) }
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
    async fn a_body_of_exactly_one_mebibyte_is_read() {
        assert_eq!(read(chunks(&[MAX_BYTES - 1, 1])).await.unwrap().len(), MAX_BYTES);
    }

    #[tokio::test]
    async fn one_byte_more_is_too_large() {
        let failure = read(chunks(&[MAX_BYTES, 1])).await.unwrap_err();
        assert!(matches!(failure, Failure::Refused(Refusal::BodyTooLarge)), "{failure:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_sender_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert!(matches!(read(body).await.unwrap_err(), Failure::BodyStalled));
    }

    #[tokio::test]
    async fn a_broken_body_is_the_senders_fault() {
        let body = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("bad chunk"))]));
        assert!(matches!(read(body).await.unwrap_err(), Failure::BodyBroken));
    }
}
