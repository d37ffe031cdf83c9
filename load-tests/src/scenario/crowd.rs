//! Many users without passwords: making them costs the server no hashing.

use std::sync::Arc;

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _};

use crate::client::{Failure, Project, User, admin};
use crate::stage::{Ledger, Stage, random_text};

/// Users made at once.
const AT_ONCE: usize = 8;

/// Makes `count` confirmed users, dealt out to the projects in turn. They cannot sign in with a password.
pub(super) async fn make_users(stage: &mut Stage, count: u32) -> anyhow::Result<Vec<User>> {
    let projects = stage.projects().to_vec();
    let wanted: Vec<_> =
        projects.iter().cycle().take(count as usize).map(|project| (project.clone(), stage.address())).collect();
    let bar = stage.progress().steps("creating users", u64::from(count));
    let hash = hash_of_nothing(&random_text(), &random_text());
    let made: Vec<Result<User, Failure>> = stream::iter(wanted)
        .take_until(stage.stop().requested())
        .map(|(project, email)| make(project, email, &hash, stage.ledger()))
        .buffer_unordered(AT_ONCE)
        .inspect(|_| bar.inc(1))
        .collect()
        .await;
    bar.finish();
    // All were awaited before the first failure ends this: who exists is in the ledger.
    let made = made.into_iter().collect::<Result<Vec<_>, _>>().context("the users cannot be created")?;
    anyhow::ensure!(!stage.stop().is_requested(), "interrupted");
    Ok(made)
}

async fn make(project: Project, email: String, hash: &str, ledger: Ledger) -> Result<User, Failure> {
    let id = admin::create(&project, &email, hash).await?;
    ledger.note(&project, &id);
    Ok(User { project, id, email, password: Arc::default() })
}

/// A bcrypt hash of no password anybody knows: 22 characters of salt, 31 of digest, the last of each with bits to spare.
fn hash_of_nothing(salt: &str, digest: &str) -> String {
    format!("$2a$10${salt:.<21.21}.{digest:.<30.30}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_has_the_form_of_bcrypt() {
        let hash = hash_of_nothing("0123456789abcdef01234567", "89abcdef");
        assert_eq!(hash, "$2a$10$0123456789abcdef01234.89abcdef.......................");
        assert_eq!(hash.len(), 60);
    }
}
