//! Cursors as clients see them: base64url without padding around JSON (`contract/core.md` §17.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::pagination::Cursor;
use domain::refusal::Refusal;

use crate::failure::Failure;

/// Reads a cursor.
///
/// # Errors
/// Refuses text that is none.
pub(crate) fn read(text: &str) -> Result<Cursor, Refusal> {
    Cursor::from_json(&URL_SAFE_NO_PAD.decode(text).map_err(|_| Cursor::invalid())?)
}

/// Writes a cursor.
///
/// # Errors
/// Never.
pub(crate) fn write(cursor: &Cursor) -> Result<String, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).map_err(Failure::fault)?))
}
