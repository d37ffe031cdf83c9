//! Files of the data directory that a person or the command line reads: the operator token and the gateway's address.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::secret::Secret;

/// Where the operator token lies.
pub(crate) fn token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("operator-token")
}

/// The operator token of the gateway that runs on `data_dir`.
pub(crate) fn operator_token(data_dir: &Path) -> io::Result<Secret<String>> {
    std::fs::read_to_string(token_file(data_dir)).map(|text| Secret::new(text.trim().to_owned()))
}

/// Removes the operator token's file where it holds `token`, which opens nothing any more.
pub(crate) fn forget_operator_token(data_dir: &Path, token: &Secret<String>) -> io::Result<()> {
    match operator_token(data_dir) {
        Ok(written) if written.expose() == token.expose() => std::fs::remove_file(token_file(data_dir)),
        _ => Ok(()),
    }
}

/// Where the master key lies that the first run makes.
pub(crate) fn key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key")
}

/// Where the address of the running gateway lies.
pub(crate) fn address_file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin-url")
}

/// The address of the Management API of the gateway that runs, or last ran, on `data_dir`.
pub(crate) fn admin_url(data_dir: &Path) -> io::Result<String> {
    std::fs::read_to_string(address_file(data_dir)).map(|text| text.trim().to_owned())
}

/// Writes `text` so that only the owner can read it, and so that a reader sees the old file or the new one.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    // A draft of a run that died keeps its mode: it must not lend that to the new file.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_options().create_new(true).write(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

/// Creates `path` with `text` for the owner only; an existing file stays as it is.
pub(crate) fn create_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = private_options().create_new(true).write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the data directory where it is missing, for the owner only.
pub(crate) fn create_data_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn private_options() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(not(unix))]
fn private_options() -> std::fs::OpenOptions {
    std::fs::OpenOptions::new()
}

/// Whether others than the owner can read the file.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Whether others than the owner can read the file; there is no telling here.
#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn private_files_are_for_the_owner_even_over_an_old_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator-token");
        std::fs::write(path.with_extension("new"), "left behind").unwrap();
        write_private(&path, "first").unwrap();
        write_private(&path, "second").unwrap();
        assert!(!is_open_to_others(&path).unwrap());
        assert_eq!(operator_token(folder.path()).unwrap().expose(), "second");
    }

    #[test]
    fn a_revoked_token_leaves_no_file_and_another_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, revoked) = (Secret::new("mine".to_owned()), Secret::new("revoked".to_owned()));
        forget_operator_token(folder.path(), &revoked).unwrap();
        write_private(&token_file(folder.path()), "revoked\n").unwrap();
        forget_operator_token(folder.path(), &mine).unwrap();
        assert_eq!(operator_token(folder.path()).unwrap().expose(), "revoked");
        forget_operator_token(folder.path(), &revoked).unwrap();
        assert!(!token_file(folder.path()).exists());
    }

    #[test]
    fn an_existing_private_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        create_private(&path, "first").unwrap();
        assert_eq!(create_private(&path, "second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "first");
    }
}
