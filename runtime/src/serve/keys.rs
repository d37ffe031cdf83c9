//! The master key: from the environment, from the data directory, or made by the first run.

use std::io;

use crypto::seal::MasterKey;
use domain::entropy::Entropy;

use crate::cli::Failure;
use crate::gateway_files::{create_private, is_open_to_others, key_file};
use crate::settings::Settings;

/// The key that seals secrets at rest.
pub(super) fn master_key(settings: &Settings, entropy: &dyn Entropy) -> Result<MasterKey, Failure> {
    if let Some(text) = &settings.master_key {
        return MasterKey::from_text(text.expose()).map_err(|error| {
            Failure::caused("TENANTRY_MASTER_KEY cannot be used", &error)
                .next("set it to the content of a `master.key`, or unset it so that the first run makes a key")
        });
    }
    let path = key_file(&settings.data_dir);
    let shown = path.display();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = MasterKey::generate(entropy);
            create_private(&path, key.to_text().expose())
                .map_err(|error| Failure::caused(format!("the master key cannot be written to {shown}"), &error))?;
            tracing::info!(file = %shown, "a master key was made: keep a copy of it, without it no secret can be opened");
            return Ok(key);
        }
        Err(error) => return Err(Failure::caused(format!("the master key {shown} cannot be read"), &error)),
    };
    if is_open_to_others(&path).unwrap_or(false) {
        return Err(Failure::new(format!("the master key {shown} is not used"), "others than its owner can read it")
            .next(format!("chmod 600 {shown}")));
    }
    MasterKey::from_text(&text).map_err(|error| {
        Failure::caused(format!("the master key {shown} cannot be used"), &error).next("restore the file from a backup")
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn the_first_run_makes_a_key_and_later_ones_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::for_test(folder.path());
        let made = master_key(&settings, &SystemEntropy).unwrap();
        assert!(!is_open_to_others(&key_file(folder.path())).unwrap());
        assert_eq!(master_key(&settings, &SystemEntropy).unwrap().to_text(), made.to_text());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::for_test(folder.path());
        master_key(&settings, &SystemEntropy).unwrap();
        std::fs::set_permissions(key_file(folder.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(master_key(&settings, &SystemEntropy).is_err());
    }

    #[test]
    fn a_damaged_key_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        create_private(&key_file(folder.path()), "damaged").unwrap();
        assert!(master_key(&Settings::for_test(folder.path()), &SystemEntropy).is_err());
        assert_eq!(std::fs::read_to_string(key_file(folder.path())).unwrap(), "damaged");
    }
}
