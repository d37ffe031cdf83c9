//! The key that seals the secrets of an archive: 32 bytes in base64, in a file for its owner only.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::entropy::Entropy;

use super::Key;
use crate::cli::failure::Failure;
use crate::entropy::SystemEntropy;
use crate::gateway_files::create_private;

/// The key of the file.
pub(super) fn read(file: &Path) -> Result<Key, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("{} cannot be read", file.display()), error.to_string())
            .next("name the key file of the archive with --key-file")
    })?;
    let text = text.trim();
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(Key::new(text.to_owned())),
        _ => Err(Failure::usage(format!("{} cannot be used", file.display()), "it does not hold 32 bytes in base64")),
    }
}

/// The key of the file, which is made where it is missing.
pub(super) fn read_or_make(file: &Path) -> Result<Key, Failure> {
    if !file.exists() {
        let source: &dyn Entropy = &SystemEntropy;
        let text = STANDARD.encode(source.bytes::<32>());
        create_private(file, &format!("{text}\n"))
            .map_err(|error| Failure::caused(format!("{} cannot be written", file.display()), &error))?;
    }
    read(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_a_key_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.key");
        let made = read_or_make(&file).unwrap();
        assert_eq!(read_or_make(&file).unwrap().expose(), made.expose());
        for text in ["", "short", "AAAA"] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file).is_err(), "{text}");
        }
        assert!(read(&folder.path().join("none")).is_err());
    }
}
