//! The rows about passkeys (`contract/mfa-passkeys-oauth.md` §2).

use std::borrow::Cow;

use super::Wire;

refusals! {
    /// A refusal about passkeys.
    PasskeyRefusal:
    /// Switched off.
    Disabled => 404, "passkey_disabled" "Passkeys are disabled";
    /// The account is managed elsewhere.
    SsoUser => 422, "validation_failed" "SSO users cannot register passkeys";
    /// The second factor is due.
    NeedsAal2 => 403, "insufficient_aal" "AAL2 session is required to manage passkeys when MFA is enabled";
    /// As many as may be.
    TooMany => 422, "too_many_passkeys" "Maximum number of passkeys reached";
    /// No challenge.
    ChallengeRequired => 400, "validation_failed" "challenge_id is required";
    /// No answer of an authenticator.
    CredentialRequired => 400, "validation_failed" "credential is required";
    /// Not a UUID.
    ChallengeMalformed => 400, "validation_failed" "challenge_id must be a valid UUID";
    /// No such challenge, or used before.
    ChallengeNotFound => 400, "webauthn_challenge_not_found" "Challenge not found or already used";
    /// Too old.
    ChallengeExpired => 400, "webauthn_challenge_expired" "Challenge has expired";
    /// An answer that cannot be read.
    ResponseInvalid => 400, "webauthn_verification_failed" "Invalid credential response";
    /// An answer that does not hold.
    Invalid => 400, "webauthn_verification_failed" "Credential verification failed";
    /// Registered before.
    Exists => 422, "webauthn_credential_exists" "This credential is already registered";
    /// The address is not proven yet.
    EmailNotConfirmed => 403, "email_not_confirmed" "Email not confirmed";
    /// The number is not proven yet.
    PhoneNotConfirmed => 403, "phone_not_confirmed" "Phone not confirmed";
    /// No such passkey of this user, or not a UUID.
    NotFound => 404, "validation_failed" "Passkey not found";
    /// No name.
    NameRequired => 400, "validation_failed" "friendly_name is required";
    /// More than 120 bytes.
    NameTooLong => 400, "validation_failed" "friendly_name must be 120 characters or less";
}
