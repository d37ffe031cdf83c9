//! A project as an archive (docs/archive.md): lines of JSON, a page with each request, so that nothing streams for minutes and
//! whoever was interrupted goes on.

use std::collections::BTreeMap;

use crypto::digest;
use crypto::seal::MasterKey;
use domain::ids::ProjectRef;
use domain::project::HoldReason;
use domain::secret::Secret;
use serde::{Deserialize, Serialize};
use storage::archive::{Place, Row, Table};
use storage::control::Bundle;
use storage::{TenantStore, archive};

use super::archive_header::{Header, archive_key};
use super::{Error, Management, Result};
use crate::delivery;

/// Lines of a page when nothing is said.
const PAGE: u32 = 1000;

/// Most lines of a page.
const MOST: u32 = 5000;

/// Rows that are read at once.
const READ: u32 = 500;

/// How long a page gets, in bytes, before it ends at the next line.
const LONG: usize = 4 << 20;

/// Numbers of stored tokens that are left free for those that are given while an export runs, on each side of what it began with.
pub(super) const ROOM: i64 = 1 << 32;

/// What the last line's digest is marked as under the archive's key, which marks nothing else.
const END: &str = "archive_end";

/// A page of an archive.
#[derive(Clone, Debug)]
pub struct ExportPage {
    /// Lines of JSON, each with its line feed.
    pub lines: String,
    /// What to ask for the next page with; `None` = this was the last one.
    pub next: Option<String>,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many lines came before it.
    pub(super) lines: i64,
    /// How many rows of each table did.
    pub(super) tables: BTreeMap<String, i64>,
    /// What [`chain`] makes of all of them, and the archive's key of that.
    pub(super) digest: String,
}

/// How far an export is. It goes with the client: nothing is kept between pages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    table: usize,
    after: Option<String>,
    done: Progress,
}

/// What has been read or written of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    pub(super) lines: i64,
    pub(super) tables: BTreeMap<String, i64>,
    pub(super) digest: String,
}

impl Progress {
    /// One more line.
    pub(super) fn line(&mut self, line: &str, table: Option<&str>) {
        self.digest = chain(&self.digest, line);
        self.lines += 1;
        if let Some(table) = table {
            *self.tables.entry(table.to_owned()).or_default() += 1;
        }
    }

    /// The last line, which nobody can write who has not the archive's key.
    pub(super) fn end(&self, key: &MasterKey) -> End {
        let digest = key.mark(END, self.digest.as_bytes());
        End { lines: self.lines, tables: self.tables.clone(), digest }
    }
}

/// The digest of everything up to `line`, from the digest of everything before.
fn chain(before: &str, line: &str) -> String {
    digest::sha256_hex(&format!("{before}{line}"))
}

impl Cursor {
    /// Hexadecimal, so that it can stand in a header and in a URL.
    fn write(&self) -> Result<String> {
        let json = serde_json::to_vec(self).map_err(|error| Error::Fault(error.into()))?;
        Ok(json.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn read(text: &str) -> Result<Self> {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let json: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        let cursor = json.and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        cursor.ok_or_else(|| Error::Invalid("cursor is not one that an export gave".to_owned()))
    }
}

impl Management {
    /// A page of the project's archive, the first one without `cursor`. Secrets are sealed under `archive_key`.
    ///
    /// The project serves on meanwhile; what changes may be in the archive or not. Who wants one moment pauses the project first.
    pub async fn export(
        &self,
        project: &ProjectRef,
        key: &Secret<String>,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ExportPage> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Error::Invalid(format!("limit must be from 1 to {MOST}")));
        }
        let key = archive_key(key)?;
        let bundle = self.bundle(project).await?;
        if bundle.project.hold.is_some_and(|hold| hold.reason == HoldReason::Importing) {
            return Err(Error::Conflict(format!(
                "project {project} is still being imported: its archive would be a part"
            )));
        }
        let store = self.rows(&bundle)?;
        let mut page = Page { lines: String::new(), left: limit, cursor: Cursor::default() };
        match cursor {
            Some(cursor) => page.cursor = Cursor::read(cursor)?,
            None => {
                let header = self.header(&bundle, &store, &key).await?;
                page.line(&header.line()?, None);
            }
        }
        while let Some(table) = archive::tables().get(page.cursor.table) {
            if page.is_full() {
                return Ok(ExportPage { next: Some(page.cursor.write()?), lines: page.lines });
            }
            if table.name() == "session_revocations" {
                store.settle_archive().await?;
            }
            self.read_on(&store, table, &key, &mut page).await?;
        }
        let end = serde_json::json!({ "end": page.cursor.done.end(&key) });
        page.line(&end.to_string(), None);
        Ok(ExportPage { lines: page.lines, next: None })
    }

    async fn header(&self, bundle: &Bundle, store: &TenantStore, key: &MasterKey) -> Result<Header> {
        let token_ids = match store.token_ids().await? {
            Some(range) => range,
            // The first one may be given at any moment: it gets a number near the ones that are put aside now.
            None => {
                let near = store.database().put_token_ids_aside(1).await?;
                (near, near)
            }
        };
        Header::new(bundle, token_ids, (&self.master_key, key), &*self.entropy, self.now())
    }

    async fn read_on(
        &self,
        store: &TenantStore,
        table: &'static Table,
        key: &MasterKey,
        page: &mut Page,
    ) -> Result<()> {
        let after = match &page.cursor.after {
            Some(text) => {
                let place = Place::parse(table, text);
                Some(place.ok_or_else(|| Error::Invalid("cursor is not one that an export gave".to_owned()))?)
            }
            None => None,
        };
        let wanted = page.left.min(READ);
        let rows = store.archive_page(table, after.as_ref(), wanted, 0).await?;
        let is_last = rows.len() < wanted as usize;
        for mut row in rows {
            page.cursor.after = Some(Place::of(table, &row).as_str().to_owned());
            if self.seal_for_archive(table, &mut row, key) {
                let line = format!("{{\"table\":\"{}\",\"row\":{}}}", table.name(), row.to_json(table)?);
                page.line(&line, Some(table.name()));
            }
            if page.is_full() {
                return Ok(());
            }
        }
        if is_last {
            page.cursor.table += 1;
            page.cursor.after = None;
        }
        Ok(())
    }

    /// Seals what the row has sealed under the gateway's key under the archive's. False where that cannot be opened: it is lost already.
    fn seal_for_archive(&self, table: &Table, row: &mut Row, key: &MasterKey) -> bool {
        if table.name() != "outbox" {
            return true;
        }
        let payload = row.text(table, "payload").unwrap_or_default();
        let Some(sealed) = delivery::reseal(payload, &self.master_key, key, None, &*self.entropy) else { return false };
        row.set_text(table, "payload", sealed);
        true
    }
}

/// The lines of a page, and where the next one begins.
struct Page {
    lines: String,
    left: u32,
    cursor: Cursor,
}

impl Page {
    fn line(&mut self, line: &str, table: Option<&str>) {
        self.cursor.done.line(line, table);
        self.lines.push_str(line);
        self.lines.push('\n');
        self.left = self.left.saturating_sub(1);
    }

    fn is_full(&self) -> bool {
        self.left == 0 || self.lines.len() >= LONG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nonsense_does_not() {
        let mut cursor = Cursor { table: 3, after: Some("[\"1\"]".to_owned()), done: Progress::default() };
        cursor.done.line("{}", Some("users"));
        let read = Cursor::read(&cursor.write().unwrap()).unwrap();
        assert_eq!((read.table, read.after, read.done), (3, cursor.after, cursor.done));
        for nonsense in ["", "7", "zz", "7b7d7d", "é"] {
            assert!(matches!(Cursor::read(nonsense), Err(Error::Invalid(_))), "{nonsense}");
        }
    }

    #[test]
    fn the_digest_hangs_on_every_line_and_their_order() {
        let of = |lines: &[&str]| {
            let mut progress = Progress::default();
            lines.iter().for_each(|line| progress.line(line, None));
            progress.digest
        };
        assert_eq!(of(&["a"]), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
    }

    #[test]
    fn the_end_hangs_on_the_key_and_is_what_the_format_says() {
        let key = |byte: u8| MasterKey::from_text(&char::from(byte).to_string().repeat(43)).unwrap();
        let mut progress = Progress::default();
        progress.line("a", None);
        let end = progress.end(&key(b'A'));
        assert_eq!(end, progress.end(&key(b'A')));
        assert_ne!(end.digest, progress.end(&key(b'E')).digest);
        assert_eq!(end.digest, "NaCtbiC2OT6gutpA3NkICfyvIXuCYqbsqLEJ0QvM430");
        assert!(!end.digest.contains(&progress.digest));
    }
}
