//! Other issuers whose access tokens a project accepts (`contract/management.md` §2.7).

use crypto::jwt::{KeySet, has_private_key};
use domain::binding;
use domain::ids::ProjectRef;
use domain::third_party::{MOST, Source, ThirdParty};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Error, Management, Result};
use crate::custom_providers::check_place;

/// An issuer to be accepted: exactly one of the three says where its keys come from.
#[derive(Clone, Debug, Default)]
pub struct NewThirdParty {
    /// The issuer identifier; its metadata (OpenID Connect Discovery 1.0) names the keys.
    pub oidc_issuer_url: Option<String>,
    /// Where its JWK set is.
    pub jwks_url: Option<String>,
    /// The JWK set itself.
    pub custom_jwks: Option<Value>,
}

impl Management {
    /// Accepts the tokens of an issuer, from now on, on every gateway. Its keys must be there to be seen.
    pub async fn create_third_party(&self, project: &ProjectRef, request: NewThirdParty) -> Result<ThirdParty> {
        let bundle = self.changeable(project).await?;
        let source = Source::one_of(request.oidc_issuer_url, request.jwks_url, request.custom_jwks);
        let source = source.map_err(Error::Invalid)?;
        check_beside(&bundle.third_party, &source)?;
        self.check_foreign(project, &source)?;
        let jwks = self.issuer_keys(&source).await?;
        let now = self.now();
        let row = ThirdParty {
            id: self.entropy.uuid(),
            source,
            resolved_jwks: Some(jwks),
            inserted_at: now,
            updated_at: now,
            resolved_at: Some(now),
        };
        // Others may have come meanwhile.
        let control = self.noting("third_party.created", Some(&bundle.project), None, Some(logged(&row)));
        control.third_party().insert(bundle.project.id, &row, |known| check_beside(known, &row.source)).await??;
        self.announce(bundle.project.id).await;
        Ok(row)
    }

    /// The issuers whose tokens a project accepts, oldest first.
    pub async fn third_parties(&self, project: &ProjectRef) -> Result<Vec<ThirdParty>> {
        Ok(self.bundle(project).await?.third_party)
    }

    /// One of them.
    pub async fn third_party(&self, project: &ProjectRef, id: Uuid) -> Result<ThirdParty> {
        let rows = self.third_parties(project).await?;
        rows.into_iter().find(|row| row.id == id).ok_or(Error::NotFound)
    }

    /// Accepts the tokens of an issuer no more. The accounts that came with them stay.
    pub async fn delete_third_party(&self, project: &ProjectRef, id: Uuid) -> Result<ThirdParty> {
        let bundle = self.changeable(project).await?;
        let row = bundle.third_party.iter().find(|row| row.id == id).cloned().ok_or(Error::NotFound)?;
        let control = self.noting("third_party.deleted", Some(&bundle.project), Some(logged(&row)), None);
        if !control.third_party().delete(bundle.project.id, id, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce(bundle.project.id).await;
        Ok(row)
    }

    /// Refuses a project of this gateway as another one's issuer: each takes its own tokens alone.
    fn check_foreign(&self, project: &ProjectRef, source: &Source) -> Result<()> {
        let Some((field, url)) = source.url() else { return Ok(()) };
        let issuer = url.split("/.well-known/").next().unwrap_or(url);
        match binding::issuing_project(issuer, &self.urls.auth(project)) {
            Some(_) => Err(Error::Invalid(format!("{field} must not be a project of this gateway"))),
            None => Ok(()),
        }
    }

    /// The keys of an issuer as they are now: public ones, at least one that tokens can be verified with.
    async fn issuer_keys(&self, source: &Source) -> Result<Value> {
        let place = source.place(&self.urls.external).map_err(Error::Invalid)?;
        let field = source.url().map_or("custom_jwks", |(field, _)| field);
        if let Some(place) = place {
            check_place(&*self.providers, &place).await.map_err(|why| Error::Invalid(format!("{field}: {why}")))?;
        }
        let jwks =
            match source {
                Source::CustomJwks(jwks) => jwks.clone(),
                asked => self.providers.keys(asked, true).await.map_err(|error| {
                    Error::Invalid(format!("{field}: the keys of the issuer cannot be had: {error}"))
                })?,
            };
        if jwks.to_string().contains("\\u0000") {
            return Err(Error::Invalid(format!("{field} must not contain NUL characters")));
        }
        if has_private_key(&jwks) {
            return Err(Error::Invalid(format!("{field} must hold public keys alone")));
        }
        if KeySet::of_issuer(&jwks).is_none() {
            let demand = "at least one public key for RS256 (2048 bits or more), ES256 or EdDSA, with a kid";
            return Err(Error::Invalid(format!("{field} must hold {demand}")));
        }
        Ok(jwks)
    }
}

/// Refuses an issuer that is among the `known` ones, or one too many.
fn check_beside(known: &[ThirdParty], source: &Source) -> Result<()> {
    if known.iter().any(|known| known.source.is_same(source)) {
        return Err(Error::Conflict("this issuer is accepted already".to_owned()));
    }
    if known.len() >= MOST {
        return Err(Error::Invalid(format!("a project accepts the tokens of at most {MOST} issuers")));
    }
    Ok(())
}

/// What the operator log says of an issuer.
fn logged(row: &ThirdParty) -> Value {
    json!({ "id": row.id, "issuer": row.source.url().map(|(_, url)| url) })
}
