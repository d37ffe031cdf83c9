//! Signing in with a passkey (`contract/mfa-passkeys-oauth.md` §2.4, §2.5): five statements, and no transaction is held open
//! while signatures are checked or a hook is asked. The challenge goes first and is good for one answer; the guards of the last
//! two statements see to it that a passkey that was removed and a user who was banned meanwhile open nothing.

use crypto::webauthn::{Assertion, CeremonyError, Credential, SessionData, Used, start_authentication, user_of_handle};
use domain::factor::PASSKEY;
use domain::ids::{PasskeyId, UserId};
use domain::passkey_authentication::{Options, Verify, admit, level, takes_counter_regress};
use domain::passkey_registration::Challenge;
use domain::refusal::{PasskeyRefusal, Refusal};
use domain::tokens::IssuedSession;
use domain::user::{Metadata, User};
use domain::webauthn::{Purpose, RelyingParty};
use serde_json::{Value, json};
use storage::{CeremonyKind, PasskeyUse, StoredPasskey};
use uuid::Uuid;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::issue::{self, Proof};
use crate::limits::{self, Limited};
use crate::{audit, captcha, ceremony};

/// How often a passkey is looked at again that was used elsewhere in between.
const TRIES: usize = 16;

/// A key that nobody has: the base point of P-256 (COSE). Answers for unknown passkeys are checked with it, so that the answer
/// takes as long as for known ones.
const DECOY: [u8; 77] = [
    0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8,
    0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45,
    0xd8, 0x98, 0xc2, 0x96, 0x22, 0x58, 0x20, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a,
    0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51,
    0xf5,
];

/// What a browser asks the authenticators it reaches. Nobody is named, neither by us nor by who asks.
pub async fn passkey_authentication_options(ctx: &Context, request: Options) -> Result<Challenge> {
    ceremony::enabled(ctx)?;
    limits::per_address(ctx, Limited::PasskeyOptions).await?;
    captcha::check(ctx, &request.captcha).await?;
    let party = ceremony::relying_party(ctx)?;
    let started = start_authentication(
        Purpose::Passkey,
        &party,
        None,
        &[],
        ctx.policy().webauthn.user_verification,
        ceremony::end(ctx),
        ctx.entropy(),
    );
    ceremony::begin(ctx, started, CeremonyKind::Authentication, None).await
}

/// Opens a session for the owner of the passkey that answers.
pub async fn passkey_authentication_verify(ctx: &Context, request: Verify) -> Result<IssuedSession> {
    ceremony::enabled(ctx)?;
    let (challenge, credential) = request.body?.parts()?;
    let party = ceremony::relying_party(ctx)?;
    let begun = ceremony::consume(ctx, challenge, CeremonyKind::Authentication, None).await?;
    let mut known = Known::default();
    match by_passkey(ctx, &party, &begun, &credential, &mut known).await {
        Err(Error::Refused(refusal)) => {
            note_failure(ctx, known, &refusal).await?;
            Err(refusal.into())
        }
        outcome => outcome,
    }
}

/// What was found out about an answer before it was refused.
#[derive(Default)]
struct Known {
    owner: Option<User>,
    passkey: Option<PasskeyId>,
    counter_regressed: bool,
}

impl Known {
    /// What an audit row tells of it. Not the counts: whoever reads the log need not know how much a passkey is used.
    fn traits(&self) -> Metadata {
        let passkey = self.passkey.map(|passkey| ("passkey_id".to_owned(), json!(passkey)));
        let regressed = self.counter_regressed.then(|| ("counter_regressed".to_owned(), json!(true)));
        passkey.into_iter().chain(regressed).collect()
    }
}

async fn by_passkey(
    ctx: &Context,
    party: &RelyingParty,
    begun: &SessionData,
    credential: &Value,
    known: &mut Known,
) -> Result<IssuedSession> {
    let assertion = Assertion::parse(credential).map_err(|error| {
        tracing::debug!(%error, "passkey refused");
        PasskeyRefusal::ResponseInvalid
    })?;
    for _ in 0..TRIES {
        let (user, passkey, used) = proven(ctx, party, begun, &assertion).await?;
        *known = Known {
            owner: Some(user.clone()),
            passkey: Some(passkey.passkey.id),
            counter_regressed: used.counter_regressed,
        };
        admit(&user, ctx.now)?;
        if used.counter_regressed && !takes_counter_regress(ctx.policy()) {
            tracing::warn!(passkey = %passkey.passkey.id, "count of a passkey has not grown: there may be a copy of its key");
            return Err(PasskeyRefusal::Invalid.into());
        }
        let mut opening = issue::opening(ctx, user.id, PASSKEY);
        opening.session.aal = level(ctx.policy(), used.user_verified);
        let approved = issue::approve(ctx, &opening, &user).await?;
        let mark = PasskeyUse {
            id: passkey.passkey.id,
            expected: passkey.sign_count,
            sign_count: used.sign_count.into(),
            backed_up: used.backup_state,
            now: ctx.now,
        };
        if !ctx.store().use_passkey(mark).await? {
            // It was used or removed since it was read: what its count says now decides.
            continue;
        }
        let entry = ctx.audit(audit::by_user(&user, audit::LOGIN, Value::Object(known.traits())));
        let Some(opened) = issue::open(ctx, &opening, &user, Proof::default(), entry).await? else {
            // Banned or deleted since he was read.
            let user = ctx.store().find_user(user.id).await?.ok_or(PasskeyRefusal::Invalid)?;
            admit(&user, ctx.now)?;
            return Err(PasskeyRefusal::Invalid.into());
        };
        let session = opened.session.ok_or_else(|| Error::fault("a session just made is not there"))?;
        return opening.finish(ctx, opened.user, session, approved).await;
    }
    Err(PasskeyRefusal::Invalid.into())
}

/// The passkey that answered and its owner, whom the authenticator must name. Whatever is wrong, the answer is the same, and so
/// is the work before it.
async fn proven(
    ctx: &Context,
    party: &RelyingParty,
    begun: &SessionData,
    assertion: &Assertion,
) -> Result<(User, StoredPasskey, Used)> {
    let named = assertion.user_handle().and_then(user_of_handle).unwrap_or(UserId(Uuid::nil()));
    let passkey = ctx.store().find_passkey(assertion.credential_id()).await?;
    let owner = ctx.store().find_user(named).await?;
    let found = passkey.filter(|passkey| passkey.user_id == named).zip(owner);
    let Some((passkey, user)) = found else {
        pretend(party, begun, assertion);
        tracing::debug!("passkey refused: it is not known, or not of the user it names");
        return Err(PasskeyRefusal::Invalid.into());
    };
    let known = Credential {
        id: passkey.credential_id.clone(),
        public_key: passkey.public_key.clone(),
        sign_count: u32::try_from(passkey.sign_count).unwrap_or_default(),
        backup_eligible: passkey.backup_eligible,
        transports: passkey.transports.clone(),
    };
    let used = assertion.verify(party, begun, &known).map_err(|error| {
        tracing::debug!(%error, "passkey refused");
        PasskeyRefusal::Invalid
    })?;
    Ok((user, passkey, used))
}

/// Checks an answer as if its passkey were known. It says whether its key may be copied; a known passkey says the same.
fn pretend(party: &RelyingParty, begun: &SessionData, assertion: &Assertion) {
    for backup_eligible in [false, true] {
        if assertion.verify(party, begun, &decoy(assertion, backup_eligible)) != Err(CeremonyError::Backup) {
            return;
        }
    }
}

fn decoy(assertion: &Assertion, backup_eligible: bool) -> Credential {
    let id = assertion.credential_id().to_vec();
    Credential { id, public_key: DECOY.to_vec(), sign_count: 0, backup_eligible, transports: Vec::new() }
}

/// Writes down a refused sign-in, where the project wants that.
async fn note_failure(ctx: &Context, known: Known, refusal: &Refusal) -> Result<()> {
    ctx.write_failure(|| {
        let mut traits = known.traits();
        traits.insert("provider".to_owned(), json!(PASSKEY));
        traits.insert("reason".to_owned(), json!(refusal.wire().code));
        let traits = Value::Object(traits);
        ctx.audit(match &known.owner {
            Some(owner) => audit::by_user(owner, audit::LOGIN_FAILED, traits),
            None => audit::by_stranger("", audit::LOGIN_FAILED, traits),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use crypto::webauthn::{Assertion, CeremonyError, start_authentication};
    use domain::config::UserVerification;
    use domain::time::Timestamp;
    use domain::webauthn::{Purpose, RelyingParty};
    use testkit::{Algorithm, Authenticator, SeededEntropy};

    use super::decoy;

    const ORIGIN: &str = "http://localhost:3000";

    #[test]
    fn the_decoy_is_a_key_whose_signature_is_checked() {
        let (id, origins) = ("localhost".to_owned(), vec![ORIGIN.to_owned()]);
        let party = RelyingParty { id, name: "Passkeys".to_owned(), origins };
        let (end, entropy) = (Timestamp::from_unix(1_800_000_000), SeededEntropy::new(1));
        let preferred = UserVerification::Preferred;
        let begun = start_authentication(Purpose::Passkey, &party, None, &[], preferred, end, &entropy);
        let mut authenticator = Authenticator::new(Algorithm::Es256, ORIGIN);
        for copied in [false, true] {
            authenticator.backed_up = copied;
            let assertion = Assertion::parse(&authenticator.get(&begun.options)).unwrap();
            let outcome = assertion.verify(&party, &begun.session, &decoy(&assertion, copied));
            assert_eq!(outcome, Err(CeremonyError::Signature));
        }
    }
}
