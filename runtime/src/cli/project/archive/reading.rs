//! The lines of an archive, by number and in bites.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::failure::Failure;

/// A file of lines that are sent one after the other.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    size: u64,
    read: u64,
    next: u64,
    /// A line that did not fit into the last bite.
    left: Option<String>,
}

impl Lines {
    /// Opens the file before its first line, which has the number 1.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let unreadable =
            |error: std::io::Error| Failure::usage(format!("{} cannot be read", path.display()), error.to_string());
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), size, read: 0, next: 1, left: None })
    }

    /// How many bytes the file has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many of them were given out.
    pub(super) fn read(&self) -> u64 {
        self.read - self.left.as_ref().map_or(0, |line| line.len() as u64)
    }

    /// The number of the line that is given out next.
    pub(super) fn next_line(&self) -> u64 {
        self.next
    }

    /// The first line.
    pub(super) fn header(&mut self) -> Result<Value, Failure> {
        let broken = |why: String| Failure::usage(format!("{} is no archive", self.path.display()), why);
        let line = match read_line(&mut self.reader) {
            Ok(Some(line)) => line,
            Ok(None) => return Err(broken("it is empty".to_owned())),
            Err(error) => return Err(broken(error.to_string())),
        };
        let header = serde_json::from_str(&line).map_err(|error| broken(format!("line 1: {error}")))?;
        self.read += line.len() as u64;
        self.next = 2;
        Ok(header)
    }

    /// Goes to the line with this number.
    pub(super) fn skip_to(&mut self, number: u64) -> Result<(), Failure> {
        while self.next < number {
            match self.line()? {
                Some(_) => self.next += 1,
                None => return Err(self.failure(format!("it ends before line {number}, which the gateway asks for"))),
            }
        }
        Ok(())
    }

    /// As many of the next lines as `most` bytes hold, at least one; `None` at the end.
    pub(super) fn bite(&mut self, most: usize) -> Result<Option<String>, Failure> {
        let mut bite = String::new();
        while let Some(line) = self.line()? {
            if !bite.is_empty() && bite.len() + line.len() > most {
                self.left = Some(line);
                break;
            }
            bite.push_str(&line);
            self.next += 1;
        }
        Ok((!bite.is_empty()).then_some(bite))
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        if let Some(line) = self.left.take() {
            return Ok(Some(line));
        }
        let line = read_line(&mut self.reader).map_err(|error| self.failure(error.to_string()))?;
        self.read += line.as_ref().map_or(0, |line| line.len() as u64);
        Ok(line)
    }

    fn failure(&self, why: String) -> Failure {
        Failure::new(format!("{} cannot be imported", self.path.display()), why)
    }
}

fn read_line(reader: &mut BufReader<File>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (tempfile::TempDir, Lines) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive");
        std::fs::write(&file, text).unwrap();
        let lines = Lines::open(&file).unwrap();
        (folder, lines)
    }

    #[test]
    fn bites_hold_whole_lines_and_know_their_number() {
        let (_folder, mut lines) = lines("{\"v\":1}\naa\nbbbb\ncc\n");
        assert_eq!(lines.header().unwrap(), serde_json::json!({"v": 1}));
        assert_eq!((lines.bite(8).unwrap().as_deref(), lines.next_line()), (Some("aa\nbbbb\n"), 4));
        assert_eq!(lines.read(), 16);
        assert_eq!((lines.bite(1).unwrap().as_deref(), lines.next_line()), (Some("cc\n"), 5));
        assert_eq!((lines.bite(1).unwrap(), lines.read()), (None, lines.size()));
    }

    #[test]
    fn what_was_taken_before_is_passed_over() {
        let (_folder, mut lines) = lines("{}\na\nb\nc\n");
        lines.skip_to(3).unwrap();
        assert_eq!(lines.bite(100).unwrap().as_deref(), Some("b\nc\n"));
        let (_folder, mut lines) = self::lines("{}\na\n");
        assert!(lines.skip_to(9).is_err(), "the file is another one");
    }

    #[test]
    fn what_is_no_archive_is_said() {
        for text in ["", "no json\n"] {
            let (_folder, mut lines) = lines(text);
            assert!(lines.header().is_err(), "{text:?}");
        }
    }
}
