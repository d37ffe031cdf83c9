//! Public-key credentials. Ceremony, factor and credential belong together: a challenge that was put to make a credential is
//! answered by making it, one that asks for a proof by this factor's own credential. A ceremony that fails leaves the
//! challenge open.

use async_trait::async_trait;
use crypto::webauthn::{Assertion, Credential, NewCredential, Registration, SessionData, Used};
use domain::passkey_authentication::takes_counter_regress;
use domain::refusal::Refusal;
use domain::tokens::IssuedSession;
use domain::user::User;
use domain::verify_factor::Ceremony;
use domain::webauthn::RelyingParty;
use serde_json::{Value, json};
use storage::Tx;

use super::{Answer, find, prove, traits, write_audit};
use crate::ceremony;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::notices::Notice;
use crate::raise::{Proof, Raise, raise};

/// What an authenticator said.
pub(super) enum Said {
    Created(Registration),
    Asserted(Assertion),
}

impl Said {
    /// Reads what was answered in `ceremony`.
    pub(super) fn read(ceremony: Ceremony, credential: &Value) -> std::result::Result<Self, Refusal> {
        let read = match ceremony {
            Ceremony::Create => Registration::parse(credential).map(Self::Created),
            Ceremony::Request => Assertion::parse(credential).map(Self::Asserted),
        };
        read.map_err(|_| Refusal::CredentialResponseInvalid)
    }

    fn ceremony(&self) -> Ceremony {
        match self {
            Self::Created(_) => Ceremony::Create,
            Self::Asserted(_) => Ceremony::Request,
        }
    }
}

/// Raises the session by what an authenticator said.
pub(super) async fn verify(ctx: &Context, answer: &Answer<'_>, said: Said) -> Result<IssuedSession> {
    let party = ceremony::relying_party(ctx)?;
    let ceremony = said.ceremony();
    let factor = &answer.factor.factor;
    if ceremony != Ceremony::due(factor.verified) {
        return Err(Refusal::WebauthnFactorInvalid.into());
    }
    let session = answer.challenge.session_data.as_ref().and_then(SessionData::from_stored_json);
    let session = session.ok_or_else(|| Error::fault("the state of a ceremony cannot be read"))?;
    let session = session.under(ctx.policy().webauthn.user_verification);
    let (outcome, shown) = match said {
        Said::Created(registration) => {
            // A challenge that names credentials asks for one of them.
            let asked_to_create = session.allowed_credentials.is_empty() && !session.cred_params.is_empty();
            let created = registration.verify(&party, &session).ok().filter(|_| asked_to_create);
            (created.map(|created| Outcome::Created(Box::new(created))), registration.shown())
        }
        Said::Asserted(assertion) => {
            let shown = assertion.shown();
            let stored = answer.factor.credential.clone();
            let stored = stored.ok_or_else(|| Error::fault("a proven factor has no credential"))?;
            let asked = Asked { party, session, assertion };
            (asked.judge(ctx, &stored).map(|used| Outcome::Asserted(Box::new(asked), stored, used)), shown)
        }
    };
    let proof = Answered { answer, ceremony, shown, outcome: outcome.ok_or(Refusal::WebauthnFactorInvalid)? };
    let (method, kind) = (factor.factor_type.method(), factor.factor_type);
    raise(ctx, Raise { bearer: answer.bearer, method, factor: Some((factor.id, kind)) }, &proof).await
}

/// An assertion and what it answers.
struct Asked {
    party: RelyingParty,
    session: SessionData,
    assertion: Assertion,
}

impl Asked {
    /// What the use of the `stored` credential tells; `None` where it does not hold.
    fn judge(&self, ctx: &Context, stored: &Value) -> Option<Used> {
        let credential = Credential::from_stored_json(stored)?;
        let id = self.assertion.credential_id();
        let named = self.session.allowed_credentials.iter().any(|allowed| allowed.0 == id);
        if credential.id != id || !named {
            return None;
        }
        let used = self.assertion.verify(&self.party, &self.session, &credential).ok()?;
        if used.counter_regressed {
            tracing::warn!("the counter of a security key did not grow: there may be a copy of it");
        }
        (!used.counter_regressed || takes_counter_regress(ctx.policy())).then_some(used)
    }
}

enum Outcome {
    Created(Box<NewCredential>),
    /// The assertion, the credential it was judged with, and what came of it.
    Asserted(Box<Asked>, Value, Used),
}

struct Answered<'a> {
    answer: &'a Answer<'a>,
    ceremony: Ceremony,
    /// The answer as the user is shown it.
    shown: Value,
    outcome: Outcome,
}

#[async_trait]
impl Proof for Answered<'_> {
    async fn consume(&self, ctx: &Context, tx: &mut Tx, user: &mut User) -> Result<Vec<Notice>> {
        let answer = self.answer;
        let factor = find(user, answer)?;
        if Ceremony::due(factor.verified) != self.ceremony {
            return Err(Refusal::WebauthnFactorInvalid.into());
        }
        if !tx.mfa_challenges().delete(answer.challenge.id).await? {
            return Err(Refusal::FactorChallengeNotFound.into());
        }
        let mut regressed = false;
        match &self.outcome {
            Outcome::Created(created) => {
                if is_taken(tx, answer, &created.id).await? {
                    return Err(Refusal::WebauthnFactorInvalid.into());
                }
                let aaguid = Some(created.aaguid);
                tx.factors().set_credential(factor.id, &created.stored_json(), aaguid).await?;
                factor.web_authn_aaguid = aaguid;
            }
            Outcome::Asserted(asked, judged, used) => {
                let held = tx.factors().lock(factor.id).await?.and_then(|held| held.credential);
                let held = held.ok_or(Refusal::FactorNotFound)?;
                // Another use of the credential may have come first.
                let used = if held == *judged { Some(*used) } else { asked.judge(ctx, &held) };
                let used = used.ok_or(Refusal::WebauthnFactorInvalid)?;
                regressed = used.counter_regressed;
                tx.factors().set_credential(factor.id, &used.stored_json(&held), None).await?;
            }
        }
        let data = self.data();
        tx.factors().set_challenge_data(factor.id, &data).await?;
        factor.last_webauthn_challenge_data = Some(data);
        let notices = prove(ctx, tx, factor).await?;
        let mut traits = traits(answer);
        if let (true, Some(traits)) = (regressed, traits.as_object_mut()) {
            traits.insert("counter_regressed".to_owned(), json!(true));
        }
        write_audit(ctx, tx, user, traits).await?;
        Ok(notices)
    }
}

impl Answered<'_> {
    /// What the user sees of the last ceremony (`contract/mfa-passkeys-oauth.md` §1.3).
    fn data(&self) -> Value {
        let challenge = &self.answer.challenge;
        json!({
            "challenge": {
                "challenge_id": challenge.id,
                "factor_id": challenge.factor,
                "created_at": challenge.created_at,
                "ip_address": challenge.ip.as_deref().unwrap_or_default(),
                "web_authn_session_data": challenge.session_data,
            },
            "type": self.ceremony.as_str(),
            "credential_response": self.shown,
        })
    }
}

/// Whether another factor of the user has the credential.
async fn is_taken(tx: &mut Tx, answer: &Answer<'_>, credential: &[u8]) -> Result<bool> {
    let factors = tx.factors().list(answer.factor.user_id).await?;
    let held = factors.iter().filter_map(|factor| Credential::from_stored_json(factor.credential.as_ref()?));
    Ok(held.map(|held| held.id).any(|id| id == credential))
}
