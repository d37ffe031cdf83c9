//! Why a ceremony fails.

/// An answer of an authenticator that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credential cannot be read: {0}")]
pub struct Malformed(pub(super) &'static str);

/// An answer that can be read and does not hold. The variants are for the log and for tests: clients are told one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// Another ceremony was performed.
    #[error("client data are of another ceremony")]
    Ceremony,
    /// Another challenge was answered.
    #[error("another challenge was answered")]
    Challenge,
    /// A page of another origin asked.
    #[error("a page of another origin asked")]
    Origin,
    /// The credential belongs to another relying party.
    #[error("credential belongs to another relying party")]
    RelyingParty,
    /// Nobody was there.
    #[error("authenticator saw nobody")]
    UserPresence,
    /// It was required that the authenticator knows its user.
    #[error("authenticator did not verify its user")]
    UserVerification,
    /// The backup flags contradict each other, or what was said when the credential was made.
    #[error("backup flags contradict each other or the credential")]
    Backup,
    /// Another credential answered than was asked for.
    #[error("another credential answered than was asked for")]
    Credential,
    /// The credential names another user.
    #[error("credential names another user")]
    User,
    /// The public key is of a kind that was not offered, or is none.
    #[error("public key is unusable")]
    PublicKey,
    /// The attestation statement does not hold.
    #[error("attestation statement does not hold")]
    Attestation,
    /// The signature does not hold.
    #[error("signature does not hold")]
    Signature,
}
