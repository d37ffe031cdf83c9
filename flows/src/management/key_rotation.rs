//! Rotation: a key that every gateway knows takes the place of the one that signs.

use std::time::Duration;

use crypto::jwt::Algorithm;
use domain::ids::{ProjectId, ProjectRef};
use domain::time::Timestamp;
use storage::control::{Bundle, KeyStatus, SigningKey as Row};
use uuid::Uuid;

use super::signing_keys::{key_of, logged, parse_algorithm, view};
use super::{Error, Management, Result, SigningKeyView};
use crate::gateways::{ALIVE, all_acknowledge};

/// How long other gateways are waited for until they verify with a new key: less than a request may take.
const PATIENCE: Duration = Duration::from_secs(7);

/// The longest time on standby, in seconds: a year.
const LONGEST_STANDBY: u32 = 365 * 24 * 3600;

/// How a project's key is to be rotated.
#[derive(Clone, Debug, Default)]
pub struct RotateSigningKey {
    /// `ES256`, `RS256`, `EdDSA` or `HS256`; `None` = that of the newest key on standby that is no shared secret, else that of the key in
    /// use, where the shared secret counts as ES256.
    pub algorithm: Option<String>,
    /// How long the new key is published before it signs; `None`, 0 = until every gateway knows it.
    pub standby_seconds: Option<u32>,
}

impl Management {
    /// Puts the key on standby in use, or makes one first. Every gateway verifies with it before one signs with it, and all go on
    /// verifying with the old one: no request fails.
    pub async fn rotate_signing_key(&self, project: &ProjectRef, rotate: RotateSigningKey) -> Result<SigningKeyView> {
        let standby = rotate.standby_seconds.unwrap_or(0);
        if standby > LONGEST_STANDBY {
            return Err(Error::Invalid(format!("standby_seconds must be at most {LONGEST_STANDBY}")));
        }
        let bundle = self.changeable(project).await?;
        let next = match self.waiting(&bundle, rotate.algorithm.as_deref())? {
            Some(waiting) => waiting.id,
            None => {
                let algorithm = wanted(&bundle, rotate.algorithm.as_deref())?;
                self.add_key(&bundle, &self.generate(algorithm)?, KeyStatus::Standby).await?.id
            }
        };
        let bundle = self.bundle(project).await?;
        let row = key_of(&bundle, next)?;
        if standby > 0 {
            return self.schedule(&bundle, row, self.now().plus_seconds(i64::from(standby))).await;
        }
        self.known_everywhere().await?;
        self.move_key(&bundle, row, KeyStatus::InUse).await?;
        self.signing_key(project, next).await
    }

    /// Puts a key in use whose time on standby is over. Nothing happens when it is not, or when somebody was faster.
    pub async fn promote_scheduled(&self, project: ProjectId, key: Uuid) -> Result<()> {
        let Some(found) = self.control.projects().by_id(project).await? else { return Ok(()) };
        let bundle = match self.bundle(&found.project_ref).await {
            Ok(bundle) if bundle.project.id == project => bundle,
            Ok(_) | Err(Error::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let due = |row: &&Row| row.id == key && row.status == KeyStatus::Standby;
        let due = bundle.signing_keys.iter().find(due);
        match due.filter(|row| row.promote_at.is_some_and(|at| at <= self.now())) {
            Some(row) => match self.move_key(&bundle, row, KeyStatus::InUse).await {
                Err(Error::Conflict(_)) => Ok(()),
                done => done,
            },
            None => Ok(()),
        }
    }

    /// The newest key on standby that can sign and is what is asked for. A shared secret takes over only where it is asked for.
    fn waiting<'b>(&self, bundle: &'b Bundle, algorithm: Option<&str>) -> Result<Option<&'b Row>> {
        let asked = algorithm.map(parse_algorithm).transpose()?.map(Algorithm::as_str);
        let fits = |row: &Row| match asked {
            Some(asked) => asked == row.algorithm,
            None => Algorithm::parse(&row.algorithm).is_some_and(|algorithm| !algorithm.is_symmetric()),
        };
        for row in bundle.signing_keys.iter().filter(|row| row.status == KeyStatus::Standby) {
            if fits(row) && self.open_key(bundle, row)?.is_private() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    async fn schedule(&self, bundle: &Bundle, row: &Row, at: Timestamp) -> Result<SigningKeyView> {
        let project = &bundle.project;
        let after = Row { promote_at: Some(at), ..row.clone() };
        let control = self.noting("signing_key.scheduled", Some(project), Some(logged(row)), Some(logged(&after)));
        if !control.signing_keys().schedule(project.id, row.id, Some(at), self.now()).await? {
            return Err(Error::Conflict("the key changed its status meanwhile".to_owned()));
        }
        self.announce(project.id).await;
        Ok(view(&after))
    }

    /// Waits until every gateway that lives has followed what was changed up to now.
    async fn known_everywhere(&self) -> Result<()> {
        let seq = self.control.events().latest().await?;
        if all_acknowledge(&self.control, &*self.clock, seq, PATIENCE).await? {
            return Ok(());
        }
        let behind = self.control.gateways().behind(seq, self.now().plus_seconds(-ALIVE)).await?;
        let Some(first) = behind.first() else { return Ok(()) };
        let text = "does not know the new key yet; the key is on standby: rotate again in a moment";
        Err(Error::Conflict(format!("gateway {} {text}", first.name)))
    }
}

fn wanted(bundle: &Bundle, asked: Option<&str>) -> Result<Algorithm> {
    if let Some(asked) = asked {
        return parse_algorithm(asked);
    }
    let used = bundle.signing_keys.iter().find(|row| row.status == KeyStatus::InUse);
    let used = used.and_then(|row| Algorithm::parse(&row.algorithm)).filter(|algorithm| !algorithm.is_symmetric());
    Ok(used.unwrap_or(Algorithm::ES256))
}
