//! A fresh proof before operations that the project names (`security/advisor.md` §1.9).

use domain::secret::Secret;
use domain::step_up::{Operation, Verdict, judge};

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::Result;
use crate::fresh_proof::{self, Takes};

/// What a request shows besides its token; empty texts show nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Proofs<'a> {
    nonce: Option<&'a Secret<String>>,
    current_password: Option<&'a Secret<String>>,
}

impl<'a> Proofs<'a> {
    /// Those of a body.
    pub(crate) fn new(nonce: &'a Secret<String>, current_password: Option<&'a Secret<String>>) -> Self {
        let given = |proof: &&Secret<String>| !proof.expose().is_empty();
        Self { nonce: Some(nonce).filter(given), current_password: current_password.filter(given) }
    }

    /// A request that cannot show any.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The nonce of a reauthentication.
    pub(crate) fn nonce(self) -> Option<&'a Secret<String>> {
        self.nonce
    }

    /// The password.
    pub(crate) fn current_password(self) -> Option<&'a Secret<String>> {
        self.current_password
    }
}

/// Refuses `operation` unless the project asks no step-up for it or one was made. Holds no connection afterwards; a right
/// nonce is used up.
pub(crate) async fn demand(
    ctx: &Context,
    operation: Operation,
    authenticated: &Authenticated,
    proofs: Proofs<'_>,
) -> Result<()> {
    match judge(operation, &authenticated.user, authenticated.session.as_ref(), ctx.policy(), ctx.now) {
        Verdict::Granted => Ok(()),
        Verdict::Refused(refusal) => Err(refusal.into()),
        Verdict::NeedsProof(refusal) => {
            fresh_proof::show(ctx, &authenticated.user, proofs, Takes::NonceOrPassword, refusal).await
        }
    }
}
