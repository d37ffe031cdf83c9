//! Tokens of other issuers that the project accepts (`contract/management.md` §2.7): verified by the issuer's keys, and read as
//! those of the account that has the issuer's subject as its identity.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use crypto::jwt::{KeySet, TokenError, claimed_issuer};
use domain::bearer::{self, Claims};
use domain::binding;
use domain::id_token::is_taken;
use domain::key_questions::KeyQuestions;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::third_party::{self, Source, Subject, ThirdParty};
use domain::time::Timestamp;
use domain::user::User;
use storage::Tx;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::account::{self, Admission, Arrival, Gets, Way};
use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::settle::{End, Given, Proving, Step, settle};

/// How long keys count as fresh, in seconds: a key that an issuer takes back is not trusted much longer.
const FRESH: i64 = 600;

/// An issuer with its keys, as a snapshot has it. The keys are renewed in place; at most one question is under way.
pub struct TrustedIssuer {
    row: Uuid,
    source: Source,
    held: RwLock<Held>,
    asking: Mutex<()>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    found_at: Option<Timestamp>,
    asked: KeyQuestions,
}

impl TrustedIssuer {
    /// The issuer of a row, with the keys as they were when it was made.
    pub fn new(row: &ThirdParty) -> Self {
        let stored = match &row.source {
            Source::CustomJwks(jwks) => Some(jwks),
            Source::OidcIssuer(_) | Source::JwksUrl(_) => row.resolved_jwks.as_ref(),
        };
        let keys = stored.and_then(KeySet::of_issuer).unwrap_or_else(|| KeySet::new(Secret::default(), Vec::new()));
        let held = Held { keys: Arc::new(keys), found_at: row.resolved_at, asked: KeyQuestions::default() };
        Self { row: row.id, source: row.source.clone(), held: RwLock::new(held), asking: Mutex::default() }
    }

    /// Whether `other` is the same issuer, so that its keys go on counting.
    fn is_same(&self, other: &Self) -> bool {
        self.row == other.row && self.source == other.source
    }

    /// The claims of a token that a key of the issuer signed and that is valid now.
    async fn verify(&self, ctx: &Context, token: &str) -> std::result::Result<Claims, TokenError> {
        let old = self.held();
        if old.found_at.is_none_or(|at| ctx.now >= at.plus_seconds(FRESH))
            // Who asks already is not waited for.
            && let Ok(_asking) = self.asking.try_lock()
        {
            self.renew(ctx).await;
        }
        let known = self.held().keys;
        match known.verify(token, ctx.now) {
            Err(error) if error.is_unknown_key() => {
                let _asking = self.asking.lock().await;
                if Arc::ptr_eq(&known, &self.held().keys) {
                    self.renew(ctx).await;
                }
                self.held().keys.verify(token, ctx.now)
            }
            verified => verified,
        }
    }

    /// Asks for the keys, unless that was done a moment ago. Whoever cannot be reached keeps the keys he had.
    async fn renew(&self, ctx: &Context) {
        if self.source.url().is_none() || !self.held().asked.may_ask(ctx.now) {
            return;
        }
        self.set(|held| held.asked.asked(ctx.now));
        match ctx.services.providers.keys(&self.source, true).await {
            Ok(jwks) => match KeySet::of_issuer(&jwks) {
                Some(keys) => self.set(|held| {
                    held.keys = Arc::new(keys);
                    held.found_at = Some(ctx.now);
                }),
                None => tracing::warn!(project = %ctx.tenant.project.id, "an issuer of tokens shows no usable key"),
            },
            Err(error) => {
                tracing::warn!(%error, project = %ctx.tenant.project.id, "an issuer of tokens cannot be asked for its keys");
            }
        }
    }

    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Gives `new` the issuers of `old` that stayed: what a project learned of their keys outlives a change of its configuration.
pub(crate) fn keep(old: &[Arc<TrustedIssuer>], new: &mut [Arc<TrustedIssuer>]) {
    for issuer in new {
        if let Some(known) = old.iter().find(|known| known.is_same(issuer)) {
            *issuer = Arc::clone(known);
        }
    }
}

/// The bearer of a token that is of an issuer of the project's; `None` where it is of none of them. His first token makes his
/// account.
pub(crate) async fn bearer(ctx: &Context, token: &Secret<String>) -> Result<Option<Authenticated>> {
    let issuers = &ctx.tenant.third_party;
    if issuers.is_empty() {
        return Ok(None);
    }
    let claimed = claimed_issuer(token.expose()).unwrap_or_default();
    // What says that it is ours is ours to verify, and what is a neighbour's is a stranger's nowhere.
    if claimed == ctx.tenant.base_url || binding::issuing_project(&claimed, &ctx.tenant.base_url).is_some() {
        return Ok(None);
    }
    let told = |wanted: Option<bool>| -> Vec<&TrustedIssuer> {
        issuers.iter().map(Arc::as_ref).filter(|issuer| issuer.source.is_issuer(&claimed) == wanted).collect()
    };
    let named = told(Some(true));
    let is_named = !named.is_empty();
    let mut refused = None;
    for issuer in if is_named { named } else { told(None) } {
        match issuer.verify(ctx, token.expose()).await {
            Ok(claims) => return accept(ctx, issuer, &claims).await.map(Some),
            // Of several issuers that do not name themselves, the one whose key has signed it knows what is wrong.
            Err(error) if is_signed(&error) => refused = Some(error),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused.filter(|error| is_named || is_signed(error)) {
        Some(error) => Err(Refusal::BadJwt(error.to_string()).into()),
        None => Ok(None),
    }
}

/// Whether a key of the issuer has signed what is refused.
fn is_signed(error: &TokenError) -> bool {
    matches!(error, TokenError::Claims(_))
}

/// The account behind verified claims.
async fn accept(ctx: &Context, issuer: &TrustedIssuer, claims: &Claims) -> Result<Authenticated> {
    let subject = issuer.source.subject(claims).map_err(|why| Refusal::BadJwt(why.to_owned()))?;
    // Given keys name their issuer themselves; that of another source is not theirs to name.
    let others = ctx.tenant.third_party.iter().map(Arc::as_ref).filter(|other| !std::ptr::eq(*other, issuer));
    let taken = others.filter_map(|other| other.source.url()).any(|(_, url)| subject.is_of(url))
        || issuer.source.is_issuer(&subject.provider).is_none() && is_taken(&subject.provider, &ctx.policy().oauth);
    if taken {
        return Err(Refusal::BadJwt("token has invalid claims: token is of another issuer".to_owned()).into());
    }
    let user = match read(ctx, &subject).await? {
        Some(user) => user,
        None => make(ctx, &subject).await?,
    };
    let claims = third_party::claims(&user, claims);
    bearer::admit(&claims, Some(&user), None, ctx.now)?;
    Ok(Authenticated { claims, user, session: None, foreign: true })
}

async fn read(ctx: &Context, subject: &Subject) -> Result<Option<User>> {
    Ok(ctx.store().read_user_by_identity(&subject.provider, &subject.profile.subject).await?)
}

/// The account of a subject that nobody has seen before: one with his verified address, or a new one.
async fn make(ctx: &Context, subject: &Subject) -> Result<User> {
    settle(ctx, &Making(subject)).await?;
    read(ctx, subject).await?.ok_or_else(|| Error::fault("an account was made and is not there"))
}

struct Making<'a>(&'a Subject);

#[async_trait]
impl Proving for Making<'_> {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let arrival = Arrival {
            provider: &self.0.provider,
            profile: &self.0.profile,
            also_known_as: &[],
            email_optional: true,
            way: Way::SignIn,
            gets: Gets::Account,
        };
        Ok(match account::admit(ctx, tx, given, &arrival).await? {
            Admission::Waits(step) => step,
            Admission::Admitted(admitted) => admitted.done(End::Plain),
        })
    }
}
