//! The `state` of a sign-in at a provider. It is random, and everything that belongs to it is computed from it with the
//! project's key: the row that holds the flow, the verifier and the nonce for the provider, the mark in the browser's cookie.
//! So any gateway can end a flow that another one began, and who reads the database finds no state there.

use crypto::digest::{constant_time_eq, hex};
use domain::authorize::StateCookie;
use domain::pkce::FLOW_LIFE;
use domain::provider::ProviderTokens;
use domain::secret::Secret;
use uuid::Uuid;

use crate::context::Context;
use crate::error::{Error, Result};

/// How many flows one browser can have under way: each tab its own.
const MARKS: usize = 5;

/// What stands between the marks of a cookie.
const SEPARATOR: char = '.';

/// Set in the state of a flow that asked its provider for all that a strict project wants.
const STRICT: u128 = 1;

/// Set in the state of a flow that only the browser it began in can end.
const BOUND: u128 = 2;

/// Begins the mark of a flow whose answer another site posts.
const CROSS_SITE: char = 'x';

/// Begins every other mark.
const SAME_SITE: char = 's';

/// A letter and 128 bits in hexadecimal.
const MARK_LENGTH: usize = 33;

/// A state on its way. It says itself how its flow began, so that the flow ends in the same way after the project's settings
/// have changed: who changes it has another state, which nobody was given.
pub(crate) struct State(Uuid);

impl State {
    /// One that nobody knows.
    pub(crate) fn fresh(ctx: &Context, is_strict: bool, is_bound: bool) -> Self {
        let flag = |on: bool, flag: u128| if on { flag } else { 0 };
        let random = ctx.entropy().uuid().as_u128() & !(STRICT | BOUND);
        Self(Uuid::from_u128(random | flag(is_strict, STRICT) | flag(is_bound, BOUND)))
    }

    /// Whether the provider was asked for all that a strict project wants.
    pub(crate) fn is_strict(&self) -> bool {
        self.0.as_u128() & STRICT != 0
    }

    /// Whether only the browser that was given the state can come back with it.
    pub(crate) fn is_bound(&self) -> bool {
        self.0.as_u128() & BOUND != 0
    }

    /// Reads a state in any spelling of a UUID.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }

    /// As it travels.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }

    /// The row of its flow.
    pub(crate) fn row(&self, ctx: &Context) -> Uuid {
        let mut id = [0; 16];
        id.iter_mut().zip(self.secret(ctx, "row")).for_each(|(to, byte)| *to = byte);
        Uuid::from_bytes(id)
    }

    /// The verifier of the challenge that the provider gets (RFC 7636 §4.1).
    pub(crate) fn code_verifier(&self, ctx: &Context) -> Secret<String> {
        Secret::new(hex(self.secret(ctx, "code verifier")))
    }

    /// What the provider's ID token must repeat.
    pub(crate) fn nonce(&self, ctx: &Context) -> String {
        hex(self.secret(ctx, "nonce"))
    }

    /// The cookie of a browser that is given this state and had the cookie `earlier`.
    pub(crate) fn cookie(&self, ctx: &Context, earlier: &str, cross_site: bool) -> StateCookie {
        let kind = if cross_site { CROSS_SITE } else { SAME_SITE };
        let mark = self.mark(ctx, kind);
        let others = earlier.split(SEPARATOR).filter(|other| is_mark(other) && *other != mark);
        let marks: Vec<&str> = std::iter::once(&*mark).chain(others).take(MARKS).collect();
        StateCookie {
            cross_site: marks.iter().any(|mark| mark.starts_with(CROSS_SITE)),
            value: marks.join(&SEPARATOR.to_string()),
            max_age: FLOW_LIFE,
        }
    }

    /// Whether `cookie` is of a browser that was given this state.
    pub(crate) fn is_marked(&self, ctx: &Context, cookie: &str) -> bool {
        let known = [CROSS_SITE, SAME_SITE].map(|kind| self.mark(ctx, kind));
        let is_known = |mark: &str| known.iter().any(|own| constant_time_eq(own.as_bytes(), mark.as_bytes()));
        cookie.split(SEPARATOR).any(is_known)
    }

    fn mark(&self, ctx: &Context, kind: char) -> String {
        let mut mark = hex(self.secret(ctx, "cookie"));
        mark.truncate(MARK_LENGTH - 1);
        mark.insert(0, kind);
        mark
    }

    fn secret(&self, ctx: &Context, label: &str) -> [u8; 32] {
        ctx.tenant.project_key.state_secret(label, &self.0)
    }
}

/// The provider's tokens as they wait in the row of a flow for its code to be traded.
pub(crate) fn sealed(ctx: &Context, row: Uuid, tokens: &ProviderTokens) -> ProviderTokens {
    let seal = |token: &Secret<String>| match token.expose().as_str() {
        "" => Secret::default(),
        token => Secret::new(ctx.tenant.project_key.seal(&purpose(row), token.as_bytes(), ctx.entropy())),
    };
    ProviderTokens { access_token: seal(&tokens.access_token), refresh_token: seal(&tokens.refresh_token) }
}

/// Opens what [`sealed`] made; `None` where the provider gave none.
pub(crate) fn opened(ctx: &Context, row: Uuid, sealed: ProviderTokens) -> Result<Option<ProviderTokens>> {
    let open = |token: Secret<String>| match token.expose().as_str() {
        "" => Ok(token),
        text => {
            let bytes = ctx.tenant.project_key.open(&purpose(row), text).map_err(Error::fault)?;
            String::from_utf8(bytes).map(Secret::new).map_err(Error::fault)
        }
    };
    let ProviderTokens { access_token, refresh_token } = sealed;
    let tokens = ProviderTokens { access_token: open(access_token)?, refresh_token: open(refresh_token)? };
    let is_empty = tokens.access_token.expose().is_empty() && tokens.refresh_token.expose().is_empty();
    Ok((!is_empty).then_some(tokens))
}

fn purpose(row: Uuid) -> String {
    format!("flow {row}")
}

fn is_mark(text: &str) -> bool {
    text.len() == MARK_LENGTH
        && text.starts_with([CROSS_SITE, SAME_SITE])
        && text.bytes().skip(1).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
