//! `tenantry breached-passwords ...`: makes the file that `--breached-passwords-file` names.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::ProgressBar;
use outbound::breaches::BloomFile;

use super::failure::Failure;
use super::{output, progress};

/// What is done with breached passwords.
#[derive(Subcommand)]
pub(super) enum Action {
    /// Make a file of breached passwords from a list
    Build {
        /// The list: one password a line, or its SHA-1 in hex, with or without `:COUNT`, as the public collections have it
        #[arg(value_name = "INPUT")]
        input: PathBuf,
        /// The file to write
        #[arg(value_name = "OUTPUT")]
        output: PathBuf,
        /// Which part of all other passwords counts as breached as well: less makes a larger file
        #[arg(long, value_name = "RATE", default_value_t = 0.001)]
        false_positive_rate: f64,
    },
}

/// Runs `tenantry breached-passwords`.
pub(super) fn run(action: Action, json: bool) -> Result<(), Failure> {
    let Action::Build { input, output, false_positive_rate } = action;
    let expected = count(&input)?;
    let progress = progress::bytes("writing", size(&input)?);
    let lines = Lines::of(&input, progress.clone())?;
    let fingerprints = lines.filter_map(|line| {
        line.map(|line| BloomFile::fingerprint_of_line(&String::from_utf8_lossy(&line))).transpose()
    });
    let written = BloomFile::build(fingerprints, expected, false_positive_rate, &output).map_err(|error| {
        progress.abandon();
        Failure::caused(format!("{} cannot be written", output.display()), &error)
    })?;
    progress.finish_and_clear();
    if json {
        return output::json(&serde_json::json!({ "file": output, "passwords": written }));
    }
    output::print(&format!(
        "{} holds {written} breached passwords; `tenantry serve --breached-passwords-file {}` uses it",
        output.display(),
        output.display(),
    ))
}

/// How many passwords there are: the size of the file depends on it.
fn count(input: &Path) -> Result<u64, Failure> {
    let progress = progress::bytes("counting", size(input)?);
    let mut count = 0;
    for line in Lines::of(input, progress.clone())? {
        let line = line.map_err(|error| unreadable(input, &error))?;
        let empty = line.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        count += u64::from(!empty);
    }
    progress.finish_and_clear();
    Ok(count)
}

fn size(input: &Path) -> Result<u64, Failure> {
    let metadata = std::fs::metadata(input).map_err(|error| unreadable(input, &error))?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(Failure::usage(format!("{} cannot be read", input.display()), "it is no file: it is read twice"))
    }
}

fn unreadable(input: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{} cannot be read", input.display()), error.to_string())
}

/// Lines as bytes, since passwords need not be text.
struct Lines {
    reader: BufReader<Box<dyn Read>>,
}

impl Lines {
    fn of(input: &Path, progress: ProgressBar) -> Result<Self, Failure> {
        let file = File::open(input).map_err(|error| unreadable(input, &error))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 20, Box::new(progress.wrap_read(file))) })
    }
}

impl Iterator for Lines {
    type Item = std::io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}
