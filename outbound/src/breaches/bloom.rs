//! A file that tells offline which passwords are breached: a Bloom filter cut into pages, so that a question reads one page.
//!
//! All numbers are little-endian unless said otherwise.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `TNTBLOOM` |
//! | 8..12 | version: 1 |
//! | 12..16 | k: positions per password, 1 to 32 |
//! | 16..24 | pages (m is 32768 times as many bits) |
//! | 24..32 | passwords in the file |
//! | 32..4096 | zero |
//! | then | the pages, 4096 bytes each |
//!
//! A password is known by its SHA-1. Bytes 0..8 of it, big-endian, times the number of pages, divided by 2^64, are its page:
//! fingerprints in order fill pages in order. Bytes 8..16, big-endian, seed SplitMix64 (Steele, Lea and Flood 2014); each of
//! its numbers gives four positions of 15 bits, lowest 16 bits first and the top bit of each 16 dropped. Position p is bit
//! `p % 8` (lowest first) of byte `p / 8` of the page. A password is in the file when its first k positions are all set.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use domain::secret::Secret;

use super::{BreachCheck, BreachError, Fingerprint, fingerprint};

const MAGIC: [u8; 8] = *b"TNTBLOOM";
const VERSION: u32 = 1;
const PAGE: usize = 4096;
const BITS_PER_PAGE: u32 = 8 * PAGE as u32;
const MAX_POSITIONS: u32 = 32;

/// An opened file of breached passwords. It is read where it lies, never loaded.
#[derive(Clone, Debug)]
pub struct BloomFile {
    file: Arc<File>,
    header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    positions: u32,
    pages: u64,
    passwords: u64,
}

/// Why a file could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The rate is not between 0 and 1.
    #[error("the rate of false alarms must be above 0 and below 1")]
    Rate,
    /// Reading the passwords or writing the file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BloomFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, is of another kind or version, or is not complete.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut bytes = [0; PAGE];
        read_at(&file, &mut bytes, 0)?;
        let header = Header::decode(&bytes).ok_or_else(|| invalid("not a file of breached passwords of version 1"))?;
        if header.offset(header.pages) != Some(file.metadata()?.len()) {
            return Err(invalid("the file of breached passwords is not complete"));
        }
        Ok(Self { file: Arc::new(file), header })
    }

    /// How many passwords the file was made of.
    pub fn passwords(&self) -> u64 {
        self.header.passwords
    }

    /// Whether the password with this fingerprint is in the file. Never wrong about one that is; wrong about others as
    /// often as the file was built for. Reads one page, and blocks meanwhile.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn contains(&self, fingerprint: &Fingerprint) -> io::Result<bool> {
        let mut page = [0; PAGE];
        let offset = self.header.offset(self.header.page(fingerprint)).ok_or_else(|| invalid("no such page"))?;
        read_at(&self.file, &mut page, offset)?;
        Ok(positions(fingerprint, self.header.positions).all(|p| get(&page, p)))
    }

    /// Writes the file at `path` for about `expected` passwords, with a rate of false alarms of about `rate`, and returns
    /// how many there were. What stood at `path` stays until the new file is whole.
    ///
    /// Fingerprints may come in any order; in ascending order (as the public collections are sorted) every page is written
    /// once. Memory does not depend on the number.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(
        fingerprints: impl IntoIterator<Item = io::Result<Fingerprint>>,
        expected: u64,
        rate: f64,
        path: &Path,
    ) -> Result<u64, BuildError> {
        let mut header = Header::sized(expected, rate).ok_or(BuildError::Rate)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = Path::new(&partial);
        let written = write(fingerprints, &mut header, partial).and_then(|()| fs::rename(partial, path));
        if let Err(error) = written {
            // The error that is told is the first one.
            let _ = fs::remove_file(partial);
            return Err(error.into());
        }
        Ok(header.passwords)
    }

    /// The fingerprint in a line of a collection: its first 40 hex digits where it is `SHA1` or `SHA1:COUNT`, else the
    /// line is a password. `None` for an empty line.
    pub fn fingerprint_of_line(line: &str) -> Option<Fingerprint> {
        let line = line.trim_end_matches(['\r', '\n']);
        let (hex, count) = line.split_once(':').unwrap_or((line, "0"));
        let counted = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        match unhex(hex) {
            Some(fingerprint) if counted => Some(fingerprint),
            _ if line.is_empty() => None,
            _ => Some(fingerprint(line)),
        }
    }
}

#[async_trait]
impl BreachCheck for BloomFile {
    async fn is_breached(&self, password: &Secret<String>) -> Result<bool, BreachError> {
        let fingerprint = fingerprint(password.expose());
        let file = self.clone();
        let looked_up = tokio::task::spawn_blocking(move || file.contains(&fingerprint)).await;
        Ok(looked_up.map_err(io::Error::other)??)
    }
}

impl Header {
    /// The header of a file for `passwords` passwords: the usual optimum of m and k.
    fn sized(passwords: u64, rate: f64) -> Option<Self> {
        if !(rate > 0.0 && rate < 1.0) {
            return None;
        }
        let bits_per_password = -rate.ln() / std::f64::consts::LN_2.powi(2);
        let pages = (passwords as f64 * bits_per_password / f64::from(BITS_PER_PAGE)).ceil();
        let positions = (bits_per_password * std::f64::consts::LN_2).round();
        Some(Self { positions: (positions as u32).clamp(1, MAX_POSITIONS), pages: (pages as u64).max(1), passwords: 0 })
    }

    fn decode(bytes: &[u8; PAGE]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (positions, rest) = rest.split_first_chunk()?;
        let (pages, rest) = rest.split_first_chunk()?;
        let (passwords, _) = rest.split_first_chunk()?;
        let header = Self {
            positions: u32::from_le_bytes(*positions),
            pages: u64::from_le_bytes(*pages),
            passwords: u64::from_le_bytes(*passwords),
        };
        let known = *magic == MAGIC && u32::from_le_bytes(*version) == VERSION;
        (known && (1..=MAX_POSITIONS).contains(&header.positions) && header.pages > 0).then_some(header)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.positions.to_le_bytes());
        bytes.extend(self.pages.to_le_bytes());
        bytes.extend(self.passwords.to_le_bytes());
        bytes
    }

    /// Where a page begins in the file.
    fn offset(&self, page: u64) -> Option<u64> {
        page.checked_add(1)?.checked_mul(PAGE as u64)
    }

    fn page(&self, fingerprint: &Fingerprint) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *fingerprint;
        let place = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        ((u128::from(place) * u128::from(self.pages)) >> 64) as u64
    }
}

fn write(
    fingerprints: impl IntoIterator<Item = io::Result<Fingerprint>>,
    header: &mut Header,
    path: &Path,
) -> io::Result<()> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    let length = header.offset(header.pages).ok_or_else(|| invalid("more passwords than a file can hold"))?;
    file.set_len(length)?;
    let mut open: Option<(u64, [u8; PAGE])> = None;
    for fingerprint in fingerprints {
        let fingerprint = fingerprint?;
        let number = header.page(&fingerprint);
        let mut page = match open {
            Some((at, page)) if at == number => page,
            other => {
                flush(&file, header, other)?;
                let mut page = [0; PAGE];
                read_at(&file, &mut page, header.offset(number).unwrap_or(length))?;
                page
            }
        };
        positions(&fingerprint, header.positions).for_each(|position| set(&mut page, position));
        open = Some((number, page));
        header.passwords += 1;
    }
    flush(&file, header, open)?;
    (&file).write_all(&header.encode())?;
    file.sync_all()
}

fn flush(file: &File, header: &Header, open: Option<(u64, [u8; PAGE])>) -> io::Result<()> {
    match open.and_then(|(number, page)| header.offset(number).map(|offset| (offset, page))) {
        Some((offset, page)) => write_at(file, &page, offset),
        None => Ok(()),
    }
}

/// The first `count` positions of a password in its page.
fn positions(fingerprint: &Fingerprint, count: u32) -> impl Iterator<Item = u16> {
    let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, ..] = *fingerprint;
    let mut state = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let mut number = 0;
    (0..count).map(move |index| {
        if index % 4 == 0 {
            number = split_mix(&mut state);
        }
        let position = number as u16 & 0x7fff;
        number >>= 16;
        position
    })
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn get(page: &[u8; PAGE], position: u16) -> bool {
    page.get(usize::from(position / 8)).is_some_and(|byte| byte & (1 << (position % 8)) != 0)
}

fn set(page: &mut [u8; PAGE], position: u16) {
    if let Some(byte) = page.get_mut(usize::from(position / 8)) {
        *byte |= 1 << (position % 8);
    }
}

fn unhex(text: &str) -> Option<Fingerprint> {
    let mut bytes = Fingerprint::default();
    if text.len() != 2 * bytes.len() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_at(file: &File, buffer: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut buffer: &[u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, buffer, offset)?;
        buffer = buffer.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}
