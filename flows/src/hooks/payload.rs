//! What hooks are told.

use domain::hook::Point;
use domain::secret::Secret;
use domain::user::Metadata;
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;

/// The facts of a mail, for who sends it in our place. The contract's keys are always there
/// (`contract/platform.md` §4.5).
#[derive(Clone, Debug, Default)]
pub(crate) struct EmailData {
    /// The code as typed.
    pub(crate) token: Secret<String>,
    /// What stands in the link.
    pub(crate) token_hash: Secret<String>,
    /// Where the link leads in the end.
    pub(crate) redirect_to: String,
    /// `signup`, `recovery`, ...
    pub(crate) email_action_type: String,
    /// The second code of an address change that both addresses confirm.
    pub(crate) token_new: Secret<String>,
    /// Its counterpart in a link.
    pub(crate) token_hash_new: Secret<String>,
    /// For the notice of a changed address.
    pub(crate) old_email: String,
    /// For the notice of a changed number.
    pub(crate) old_phone: String,
    /// For notices about identities.
    pub(crate) provider: String,
    /// For notices about second factors.
    pub(crate) factor_type: String,
    /// For the notice of a used recovery code, which is ours: how many are left.
    pub(crate) remaining: Option<u32>,
    /// For the notice of a new device, which is ours.
    pub(crate) device: Option<NewDevice>,
}

/// A device that was not seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NewDevice {
    /// What it is called.
    pub(crate) name: String,
    /// The address it came from, empty where none is known.
    pub(crate) ip: String,
    /// When.
    pub(crate) time: String,
}

impl EmailData {
    pub(super) fn to_json(&self, ctx: &Context) -> Value {
        let mut told = json!({
            "token": self.token.expose(),
            "token_hash": self.token_hash.expose(),
            "redirect_to": self.redirect_to,
            "email_action_type": self.email_action_type,
            "site_url": ctx.tenant.base_url,
            "token_new": self.token_new.expose(),
            "token_hash_new": self.token_hash_new.expose(),
            "old_email": self.old_email,
            "old_phone": self.old_phone,
            "provider": self.provider,
            "factor_type": self.factor_type,
        });
        if let (Some(remaining), Some(told)) = (self.remaining, told.as_object_mut()) {
            told.insert("remaining".to_owned(), json!(remaining));
        }
        if let (Some(device), Some(told)) = (&self.device, told.as_object_mut()) {
            told.insert("new_device".to_owned(), json!(device));
        }
        told
    }
}

/// What is told at `point`: `input`, and the facts about the call that every hook is told.
pub(super) fn compose<const N: usize>(ctx: &Context, point: Point, input: [(&str, Value); N]) -> Value {
    let mut metadata = Metadata::new();
    metadata.insert("uuid".to_owned(), json!(ctx.entropy().uuid()));
    metadata.insert("time".to_owned(), json!(ctx.services.clock.now()));
    metadata.insert("name".to_owned(), json!(point.name()));
    metadata.extend(ctx.caller.ip.as_ref().map(|address| ("ip_address".to_owned(), json!(address))));
    let input = input.into_iter().map(|(name, value)| (name.to_owned(), value));
    std::iter::once(("metadata".to_owned(), Value::Object(metadata))).chain(input).collect()
}
