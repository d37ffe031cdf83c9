//! Breached passwords: the range service, the file, and both together.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::secret::Secret;
use outbound::breaches::{BuildError, FilteredBreaches, Fingerprint, fingerprint};
use outbound::{BloomFile, BreachCheck, BreachError, HttpBreaches, HttpError, RecordingBreaches};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::stand_in::{Reply, StandIn, client, reply};

/// SHA-1 of `password` is 5BAA6 1E4C9B93F3F0682250B6CF8331B7EE68FD8.
const SUFFIX: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn service(server: &StandIn) -> HttpBreaches {
    HttpBreaches::new(client(), "acme-auth").with_endpoint(&server.url("/range/"))
}

fn lines(lines: &str) -> Reply {
    reply(200, &[("content-type", "text/plain")], lines.as_bytes())
}

async fn check(answer: Reply) -> Result<bool, BreachError> {
    let server = StandIn::giving([answer]).await;
    service(&server).is_breached(&password("password")).await
}

#[tokio::test]
async fn the_service_learns_five_digits() {
    let other = "0018A45C4D1DEF81644B54AB7F969B88D65";
    let server = StandIn::giving([lines(&format!("{other}:1\r\n{SUFFIX}:3861493\r\n"))]).await;
    assert!(service(&server).is_breached(&password("password")).await.unwrap());
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/range/5BAA6"));
    assert_eq!(request.header("user-agent"), Some("acme-auth"));
    assert_eq!(request.header("add-padding"), Some("true"));
}

#[tokio::test]
async fn only_lines_with_a_count_are_hits() {
    assert!(check(lines(&format!("{SUFFIX}:1"))).await.unwrap());
    assert!(check(lines(&format!("{}:1\n", SUFFIX.to_lowercase()))).await.unwrap());
    assert!(!check(lines(&format!("{SUFFIX}:0\r\n"))).await.unwrap());
    assert!(!check(lines(&format!("{SUFFIX}\r\n"))).await.unwrap());
    assert!(!check(lines("")).await.unwrap());
}

#[tokio::test]
async fn a_service_that_fails_is_no_answer() {
    assert!(matches!(check(reply(503, &[], b"")).await, Err(BreachError::Status(503))));
    let network = check(Reply::Raw(Vec::new())).await;
    assert!(matches!(network, Err(BreachError::Http(HttpError::Network { .. }))));
    let endless = check(Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec())).await;
    assert!(matches!(endless, Err(BreachError::Http(HttpError::TooLarge(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_silent_service_gets_five_seconds() {
    let start = Instant::now();
    assert!(matches!(check(Reply::Silence).await, Err(BreachError::Http(HttpError::Timeout))));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_range_is_asked_for_once_in_six_hours() {
    let server = StandIn::giving([reply(500, &[], b""), lines(&format!("{SUFFIX}:1"))]).await;
    let service = service(&server);
    // A failure is not remembered.
    assert!(service.is_breached(&password("password")).await.is_err());
    for _ in 0..3 {
        assert!(service.is_breached(&password("password")).await.unwrap());
    }
    assert_eq!(server.requests().len(), 2);
    tokio::time::advance(Duration::from_secs(6 * 60 * 60)).await;
    assert!(service.is_breached(&password("password")).await.unwrap());
    assert_eq!(server.requests().len(), 3);
}

fn at(folder: &TempDir) -> PathBuf {
    folder.path().join("breached.bloom")
}

fn fingerprints(numbers: std::ops::Range<u32>, suffix: &str) -> Vec<Fingerprint> {
    numbers.map(|number| fingerprint(&format!("{number}{suffix}"))).collect()
}

fn build(folder: &TempDir, fingerprints: &[Fingerprint], rate: f64) -> BloomFile {
    let expected = fingerprints.len() as u64;
    let built = BloomFile::build(fingerprints.iter().copied().map(Ok), expected, rate, &at(folder)).unwrap();
    assert_eq!(built, expected);
    BloomFile::open(&at(folder)).unwrap()
}

#[test]
fn a_file_knows_what_it_was_made_of_and_little_else() {
    let folder = TempDir::new().unwrap();
    let known = fingerprints(0..30_000, "");
    let unknown = fingerprints(0..30_000, "?");
    for rate in [0.05, 0.01, 0.001] {
        let file = build(&folder, &known, rate);
        assert_eq!(file.passwords(), 30_000);
        assert!(known.iter().all(|fingerprint| file.contains(fingerprint).unwrap()));
        let wrong = unknown.iter().filter(|fingerprint| file.contains(fingerprint).unwrap()).count() as f64;
        let (least, most) = (0.5 * rate * 30_000.0, 1.5 * rate * 30_000.0 + 5.0);
        assert!((least..most).contains(&wrong), "{wrong} false alarms at {rate}");
    }
}

#[test]
fn the_order_of_the_passwords_does_not_matter() {
    let folder = TempDir::new().unwrap();
    let mut known = fingerprints(0..20_000, "");
    build(&folder, &known, 0.01);
    let unsorted = std::fs::read(at(&folder)).unwrap();
    known.sort_unstable();
    build(&folder, &known, 0.01);
    assert!(std::fs::read(at(&folder)).unwrap() == unsorted);
}

/// Pins the format: a file that was built once stays readable.
#[test]
fn the_format_of_version_1() {
    let folder = TempDir::new().unwrap();
    build(&folder, &[fingerprint("password")], 0.1);
    let bytes = std::fs::read(at(&folder)).unwrap();
    assert_eq!(bytes.len(), 8192);
    assert_eq!(bytes[..32], *b"TNTBLOOM\x01\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
    let page = &bytes[4096..];
    let set: Vec<usize> = (0..8 * 4096).filter(|bit| page[bit / 8] & (1 << (bit % 8)) != 0).collect();
    assert_eq!(set, [12709, 24072, 30716]);
}

#[test]
fn what_is_no_whole_file_is_refused() {
    let folder = TempDir::new().unwrap();
    build(&folder, &fingerprints(0..5000, ""), 0.01);
    let whole = std::fs::read(at(&folder)).unwrap();
    let opened = |bytes: &[u8]| {
        std::fs::write(at(&folder), bytes).unwrap();
        BloomFile::open(&at(&folder)).map(|file| file.passwords()).map_err(|error| error.kind())
    };
    assert_eq!(opened(&whole), Ok(5000));
    assert_eq!(opened(&whole[..whole.len() - 1]), Err(io::ErrorKind::InvalidData));
    assert_eq!(opened(&whole[..100]), Err(io::ErrorKind::UnexpectedEof));
    // Magic, version, k (0 and 33), pages (0 and far too many).
    for (at, byte) in [(0, b'X'), (8, 2), (12, 0), (12, 33), (16, 0), (23, 0xff)] {
        let mut broken = whole.clone();
        broken[at] = byte;
        assert_eq!(opened(&broken), Err(io::ErrorKind::InvalidData), "byte {at}");
    }
    assert_eq!(BloomFile::open(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_build_that_fails_leaves_the_old_file() {
    let folder = TempDir::new().unwrap();
    build(&folder, &fingerprints(0..10, ""), 0.01);
    let broken = [Ok(fingerprint("a")), Err(io::Error::other("disk"))];
    let error = BloomFile::build(broken, 2, 0.01, &at(&folder)).unwrap_err();
    assert!(matches!(error, BuildError::Io(_)));
    for rate in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(BloomFile::build([], 2, rate, &at(&folder)), Err(BuildError::Rate)));
    }
    assert_eq!(BloomFile::open(&at(&folder)).unwrap().passwords(), 10);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn lines_are_fingerprints_or_passwords() {
    let known = Some(fingerprint("password"));
    let hex = format!("5BAA6{SUFFIX}");
    for line in ["password", "password\r\n", &hex, &hex.to_lowercase(), &format!("{hex}:42\r\n")] {
        assert_eq!(BloomFile::fingerprint_of_line(line), known, "{line}");
    }
    let colon = format!("{hex}:x");
    for other in [colon.as_str(), "pass:word", " password", &hex[1..]] {
        assert_eq!(BloomFile::fingerprint_of_line(other), Some(fingerprint(other)));
    }
    assert_eq!(BloomFile::fingerprint_of_line("\r\n"), None);
}

#[tokio::test]
async fn a_file_alone_tells() {
    let folder = TempDir::new().unwrap();
    let file = build(&folder, &[fingerprint("password")], 0.0001);
    assert!(file.is_breached(&password("password")).await.unwrap());
    assert!(!file.is_breached(&password("x9!kq2$v")).await.unwrap());
}

#[tokio::test]
async fn a_file_in_front_of_the_service() {
    let folder = TempDir::new().unwrap();
    let file = build(&folder, &[fingerprint("password"), fingerprint("alarm")], 0.0001);
    let service = Arc::new(RecordingBreaches::new());
    service.breach("password");
    let both = FilteredBreaches::new(file, Arc::clone(&service) as Arc<dyn BreachCheck>);
    // Not in the file: nobody is asked.
    assert!(!both.is_breached(&password("x9!kq2$v")).await.unwrap());
    assert_eq!(service.asked(), 0);
    // In the file: the service has the last word.
    assert!(both.is_breached(&password("password")).await.unwrap());
    assert!(!both.is_breached(&password("alarm")).await.unwrap());
    assert_eq!(service.asked(), 2);
    service.set_away(true);
    assert!(both.is_breached(&password("alarm")).await.unwrap());
    assert!(!both.is_breached(&password("x9!kq2$v")).await.unwrap());
}
