//! The sliding logs on disk: a restart forgives nobody. Every counted event is a line, written before the caller goes on;
//! from time to time the file is written anew with what still counts. Not synced: it outlives the process, not the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use domain::ids::ProjectId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A file that is not yet this long is not written anew.
const LEAST_LENGTH: u64 = 1 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    project: Uuid,
    pub(super) key: Box<str>,
    /// What was counted; `None` = everything of the key is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Event>,
}

/// A counted event, in microseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) at: i64,
    pub(super) window: i64,
}

impl Entry {
    pub(super) fn counted(project: ProjectId, key: &str, event: Event) -> Self {
        Self { project: project.0, key: key.into(), event: Some(event) }
    }

    pub(super) fn forgotten(project: ProjectId, key: &str) -> Self {
        Self { project: project.0, key: key.into(), event: None }
    }

    pub(super) fn project(&self) -> ProjectId {
        ProjectId(self.project)
    }
}

/// The file, open for more.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    /// When it is to be written anew.
    too_long: u64,
}

impl Journal {
    /// Opens the file, made if need be, and gives what it holds. A line that was cut off by a crash is passed over.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let file = open(path)?;
        let mut entries = Vec::new();
        for line in BufReader::new(&file).split(b'\n') {
            match serde_json::from_slice(&line?) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::debug!(%error, "line of the counters passed over"),
            }
        }
        let length = file.metadata()?.len();
        Ok((Self { path: path.to_owned(), file, length, too_long: LEAST_LENGTH }, entries))
    }

    /// Adds a line.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let line = line(entry)?;
        self.length += line.len() as u64;
        self.file.write_all(&line)
    }

    /// Whether most of it may be worth nothing any more.
    pub(super) fn is_too_long(&self) -> bool {
        self.length >= self.too_long
    }

    /// Replaces the file by one that holds these entries.
    pub(super) fn rewrite(&mut self, entries: impl IntoIterator<Item = Entry>) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        // Of a run that was killed here.
        if let Err(error) = fs::remove_file(&fresh)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut writer = BufWriter::new(open(&fresh)?);
        let mut length = 0;
        for entry in entries {
            let line = line(&entry)?;
            length += line.len() as u64;
            writer.write_all(&line)?;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&fresh, &self.path)?;
        (self.file, self.length, self.too_long) = (file, length, LEAST_LENGTH.max(2 * length));
        Ok(())
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// For its owner only: keys hold addresses.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));

    fn entry(at: i64) -> Entry {
        Entry::counted(PROJECT, "key \"\n", Event { at, window: 10 })
    }

    #[test]
    fn what_is_appended_or_rewritten_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counters");
        let (mut journal, read) = Journal::open(&path).unwrap();
        assert!(read.is_empty());
        journal.append(&entry(1)).unwrap();
        journal.append(&Entry::forgotten(PROJECT, "other")).unwrap();
        let (mut journal, read) = Journal::open(&path).unwrap();
        assert_eq!(read, [entry(1), Entry::forgotten(PROJECT, "other")]);
        journal.rewrite([entry(2)]).unwrap();
        journal.append(&entry(3)).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1, [entry(2), entry(3)]);
    }

    #[test]
    fn a_line_that_was_cut_off_costs_that_line_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counters");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&entry(1)).unwrap();
        journal.append(&entry(2)).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1, [entry(1)]);
    }

    #[test]
    fn it_is_rewritten_when_it_has_doubled() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(&folder.path().join("counters")).unwrap();
        let mut lines = 0;
        while !journal.is_too_long() {
            journal.append(&entry(lines)).unwrap();
            lines += 1;
        }
        journal.rewrite((0..lines).map(entry)).unwrap();
        assert!(!journal.is_too_long(), "all of it still counts");
        assert_eq!(journal.too_long, 2 * journal.length);
    }
}
