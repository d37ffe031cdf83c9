//! `POST /token?grant_type=web3` (`contract/mfa-passkeys-oauth.md` §7): a wallet's signature under a message for this project. Where
//! the project says so, a message opens one session: it is marked as used in the transaction that opens it.

use async_trait::async_trait;
use crypto::digest;
use crypto::web3::{Signature, checksummed};
use domain::provider::Profile;
use domain::refusal::ProviderRefusal;
use domain::tokens::IssuedSession;
use domain::web3::{self, Body, Message, Request};
use storage::Tx;

use crate::account::{self, Admission, Arrival, Gets, Way};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::settle::{Given, Proving, Settled, Step, open, settle};
use crate::{audit, captcha};

/// The method in sessions, and what the hook hears.
const METHOD: &str = "web3";

/// Opens a session for a signed message.
pub async fn web3(ctx: &Context, request: Request) -> Result<IssuedSession> {
    captcha::check(ctx, &request.captcha).await?;
    limits::per_address(ctx, Limited::Web3).await?;
    web3::check_switches(&ctx.policy().oauth)?;
    let message = signed(ctx, &request.body?)?;
    let proving =
        ByWallet { profile: message.profile(), subjects: message.subjects(&checksummed(&message.address)), message };
    match settle(ctx, &proving).await? {
        Settled::Session(issued) => Ok(*issued),
        _ => Err(Error::fault("something else in place of tokens")),
    }
}

/// The message, where a wallet has signed it for this project and for now.
fn signed(ctx: &Context, body: &Body) -> Result<Message> {
    let chain = body.chain(&ctx.policy().oauth)?;
    let signature = Signature::parse(chain, body.signature.expose())
        .map_err(|error| ProviderRefusal::Web3Malformed(error.to_string()))?;
    let message = Message::parse(chain, &body.message)?;
    if !signature.proves(&body.message, &message.address, &message.domain) {
        return Err(refused("Signature does not match address in message".to_owned()));
    }
    message.check(ctx.policy(), ctx.now)?;
    Ok(message)
}

fn refused(why: String) -> Error {
    ProviderRefusal::Web3Refused(why).into()
}

struct ByWallet {
    message: Message,
    profile: Profile,
    /// Under which an identity of the wallet is looked for.
    subjects: Vec<String>,
}

#[async_trait]
impl Proving for ByWallet {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        self.spend(ctx, tx).await?;
        let arrival = Arrival {
            provider: web3::PROVIDER,
            profile: &self.profile,
            also_known_as: &self.subjects,
            email_optional: false,
            way: Way::SignIn,
            gets: Gets::Session,
        };
        let admitted = match account::admit(ctx, tx, given, &arrival).await? {
            Admission::Waits(step) => return Ok(step),
            Admission::Admitted(admitted) => admitted,
        };
        let entry = audit::by_user(&admitted.user, audit::LOGIN, self.message.traits());
        ctx.write_audit(tx, entry).await?;
        let end = open(ctx, tx, given, &admitted.before, METHOD).await?;
        Ok(admitted.done(end))
    }
}

impl ByWallet {
    /// Marks the message as used, where the project says that it is good once. What is marked is what was signed, since a
    /// signature has more than one form.
    async fn spend(&self, ctx: &Context, tx: &mut Tx) -> Result<()> {
        if !ctx.policy().oauth.web3_single_use {
            return Ok(());
        }
        let Message { chain, text, .. } = &self.message;
        let digest = digest::sha256_of(&[chain.name(), text]);
        match tx.spend_signature(&digest, self.message.spent_until()).await? {
            true => Ok(()),
            false => Err(refused(format!("Signed {} message was used already", chain.title()))),
        }
    }
}
