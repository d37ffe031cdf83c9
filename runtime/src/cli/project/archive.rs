//! `tenantry project export` and `import`: a project as a file, page by page. What broke off goes on where it ended when the same
//! command is run again.

mod key;
mod reading;

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::secret::Secret;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::reading::Lines;
use super::wanted::Place;
use super::{done, path, print_project, summary};
use crate::cli::connection::{Body, Management, query};
use crate::cli::failure::Failure;
use crate::cli::output::field;
use crate::cli::progress;
use crate::gateway_files::{create_private, write_private};

const KEY_HEADER: &str = "x-tenantry-archive-key";
const NEXT_HEADER: &str = "x-tenantry-next";
/// Lines that one request gives.
const PAGE: u32 = 1000;
/// Bytes that one request takes; the gateway takes a mebibyte.
const BITE: usize = 900 * 1024;

/// What seals the secrets of a file.
type Key = Secret<String>;

/// What goes into which file.
#[derive(Args)]
pub(in crate::cli) struct Export {
    /// The project's ref
    #[arg(value_name = "REF")]
    reference: String,
    /// The file to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key that seals the secrets in the file [default: FILE.key, made where it is missing]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Which file becomes a project.
#[derive(Args)]
pub(in crate::cli) struct Import {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key that its secrets are sealed with [default: FILE.key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The project's ref here [default: as it was]
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Where its data is to be [default: with that of others]
    #[arg(long, value_enum)]
    placement: Option<Place>,
    /// The address of a PostgreSQL database of its own
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Give up an import that broke off: nothing of it stays
    #[arg(long)]
    cancel: bool,
}

/// `FILE` with something behind its name.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::caused(format!("{} cannot be written", file.display()), error)
}

/// How far an export is.
struct Draft {
    lines: PathBuf,
    mark: PathBuf,
    bytes: u64,
    cursor: Option<String>,
}

impl Draft {
    /// The draft that broke off, if it is of this project, else a new one.
    fn open(file: &Path, reference: &str) -> Result<Self, Failure> {
        let (lines, mark) = (beside(file, ".part"), beside(file, ".part.mark"));
        let left: Option<Value> = std::fs::read_to_string(&mark).ok().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(left) = left.filter(|left| field(left, "ref") == reference && lines.exists()) {
            let cursor = left.get("cursor").and_then(Value::as_str).map(str::to_owned);
            let bytes = left.get("bytes").and_then(Value::as_u64).unwrap_or_default();
            return Ok(Self { lines, mark, bytes, cursor });
        }
        for old in [&lines, &mark] {
            match std::fs::remove_file(old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(old, &error)),
                _ => {}
            }
        }
        create_private(&lines, "").map_err(|error| unwritable(&lines, &error))?;
        Ok(Self { lines, mark, bytes: 0, cursor: None })
    }

    /// The file, cut to what was noted: a page that was written half is written again.
    fn file(&self) -> std::io::Result<File> {
        let mut file = OpenOptions::new().write(true).open(&self.lines)?;
        file.set_len(self.bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    fn note(&mut self, reference: &str, bytes: usize, cursor: Option<String>) -> std::io::Result<()> {
        self.bytes += bytes as u64;
        self.cursor = cursor;
        let mark = json!({ "ref": reference, "bytes": self.bytes, "cursor": self.cursor });
        write_private(&self.mark, &mark.to_string())
    }
}

/// Runs `tenantry project export`.
pub(super) async fn export(gateway: &Management, wanted: Export, json: bool) -> Result<(), Failure> {
    let Export { reference, file, key_file } = wanted;
    if file.exists() {
        return Err(Failure::usage(
            format!("project {reference} was not exported"),
            format!("{} exists", file.display()),
        )
        .next("name another file, or remove that one"));
    }
    let key_file = key_file.unwrap_or_else(|| beside(&file, ".key"));
    let key = key::read_or_make(&key_file)?;
    let mut draft = Draft::open(&file, &reference)?;
    let mut out = draft.file().map_err(|error| unwritable(&draft.lines, &error))?;
    let bar = progress::endless(format!("exporting {reference}"));
    loop {
        let wanted = query(&[("cursor", draft.cursor.clone()), ("limit", Some(PAGE.to_string()))]);
        let page = format!("{}/export{wanted}", path(&reference));
        let answer = gateway.send(Method::GET, &page, Body::Nothing, &[(KEY_HEADER, &key)]).await;
        let answer =
            answer.map_err(|failure| failure.next("run the same command again: it goes on where this ended"))?;
        let next = answer.header(NEXT_HEADER).map(str::to_owned);
        let kept = out.write_all(answer.text.as_bytes()).and_then(|()| out.sync_data());
        let kept = kept.and_then(|()| draft.note(&reference, answer.text.len(), next.clone()));
        kept.map_err(|error| unwritable(&draft.lines, &error))?;
        bar.set_message(format!("exporting {reference}, {} KiB", draft.bytes / 1024));
        if next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    std::fs::rename(&draft.lines, &file).map_err(|error| unwritable(&file, &error))?;
    // The mark of a draft that is no more says nothing to anybody.
    _ = std::fs::remove_file(&draft.mark);
    let answer = json!({ "ref": reference, "file": file, "key_file": key_file, "bytes": draft.bytes });
    let sentence = format!(
        "project {reference} is in {}; its secrets open with {}: keep the two apart",
        file.display(),
        key_file.display()
    );
    done(json, &answer, &sentence)
}

/// Runs `tenantry project import`.
pub(super) async fn import(gateway: &Management, wanted: Import, json: bool) -> Result<(), Failure> {
    let mark = beside(&wanted.file, ".import");
    let under_way: Option<Uuid> = std::fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse().ok());
    if wanted.cancel {
        let id = under_way.ok_or_else(|| {
            Failure::usage("nothing was given up", format!("no import of {} is under way", wanted.file.display()))
        })?;
        let answer = gateway.delete(&format!("/v1/imports/{id}")).await?;
        _ = std::fs::remove_file(&mark);
        return done(json, &answer, "the import is given up, nothing of it stays");
    }
    let mut lines = Lines::open(&wanted.file)?;
    let started = match under_way {
        Some(id) => gateway
            .get(&format!("/v1/imports/{id}"))
            .await
            .map_err(|failure| failure.next(format!("remove {} to begin anew", mark.display())))?,
        None => {
            let started = start(gateway, &wanted, &mut lines).await?;
            write_private(&mark, &field(&started, "id")).map_err(|error| unwritable(&mark, &error))?;
            started
        }
    };
    let id = field(&started, "id");
    send_lines(gateway, &id, lines, &started).await.map_err(|failure| {
        let again = "run the same command again: it goes on where this ended; --cancel gives it up";
        if failure.has_next() { failure } else { failure.next(again) }
    })?;
    let project = gateway.post(&format!("/v1/imports/{id}/finish"), &json!({})).await?;
    _ = std::fs::remove_file(&mark);
    print_project(&summary(&project), json)
}

async fn start(gateway: &Management, wanted: &Import, lines: &mut Lines) -> Result<Value, Failure> {
    let key = key::read(&wanted.key_file.clone().unwrap_or_else(|| beside(&wanted.file, ".key")))?;
    let header = lines.header()?;
    let mut body = Map::new();
    body.insert("header".to_owned(), header);
    let members = [
        ("ref", wanted.reference.clone()),
        ("placement", wanted.placement.map(|placement| placement.as_str().to_owned())),
        ("database_url", wanted.database_url.clone()),
    ];
    body.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))));
    let answer =
        gateway.send(Method::POST, "/v1/imports", Body::Json(&Value::Object(body)), &[(KEY_HEADER, &key)]).await?;
    Ok(answer.json())
}

async fn send_lines(gateway: &Management, id: &str, mut lines: Lines, started: &Value) -> Result<(), Failure> {
    let bar = progress::bytes("importing", lines.size());
    let mut next = next_line(started)?;
    lines.skip_to(next)?;
    while let Some(bite) = lines.bite(BITE)? {
        let rows = format!("/v1/imports/{id}/rows?from={next}");
        let answer = gateway.send(Method::POST, &rows, Body::Lines(&bite), &[]).await?;
        next = next_line(&answer.json())?;
        bar.set_position(lines.read());
        if next != lines.next_line() {
            return Err(Failure::new(
                "the import cannot go on",
                format!("the gateway asks for line {next} of the file"),
            ));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn next_line(answer: &Value) -> Result<u64, Failure> {
    let next = answer.get("next_line").and_then(Value::as_u64);
    next.ok_or_else(|| Failure::new("the import cannot go on", "the gateway does not say which line it wants"))
}
