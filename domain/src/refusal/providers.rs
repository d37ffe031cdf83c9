//! The rows about sign-ins at providers, ID tokens, identities, wallets and custom providers
//! (`contract/mfa-passkeys-oauth.md` §3 to §7).

use std::borrow::Cow;

use super::Wire;

refusals! {
    /// A refusal about sign-ins at others.
    ProviderRefusal:
    // the way out
    /// The provider cannot be used; holds why.
    Unsupported(reason: String) => 400, "validation_failed" format!("Unsupported provider: {reason}");
    /// Nobody has such an invitation.
    InviteTokenUnknown => 404, "user_not_found" "User identified by token not found";
    /// A scope that the project does not let clients ask for.
    ScopeNotAllowed(scope: String) => 400, "validation_failed" format!("Scope \"{scope}\" is not allowed for this project");
    /// The provider has failed too often of late.
    Unavailable(provider: String) => 503, "provider_unavailable"
        format!("Provider {provider} cannot be reached at the moment, please try again later");

    // the way back
    /// No `state`.
    StateMissing => 400, "bad_oauth_callback" "OAuth state parameter missing";
    /// No UUID, or of another browser.
    StateInvalid => 400, "bad_oauth_state" "OAuth state parameter is invalid";
    /// No flow has it.
    StateUnknown => 400, "bad_oauth_state" "OAuth state not found or expired";
    /// Its flow is too old.
    StateExpired => 400, "bad_oauth_state" "OAuth state has expired";
    /// Its flow has ended.
    StateUsed => 400, "flow_state_already_used" "State has already been used";
    /// The account that a provider was to be linked to is gone.
    LinkTargetGone => 422, "user_not_found" "Linking target user not found";
    /// Neither code nor error.
    CodeMissing => 400, "bad_oauth_callback" "OAuth callback with missing authorization code missing";
    /// The answer names another issuer than the one that was asked (RFC 9207).
    ForeignAnswer => 400, "bad_oauth_callback" "OAuth callback was answered by another issuer";
    /// The provider was switched off in between; holds why.
    NotSupported(reason: String) => 400, "oauth_provider_not_supported" format!("Unsupported provider: {reason}");
    /// The provider does not take the code; holds its first letters.
    CodeRefused(start: String) => 500, "unexpected_failure" format!("Unable to exchange external code: {start}");
    /// The provider does not say who it is.
    ProfileFailed => 500, "unexpected_failure" "Error getting user profile from external provider";
    /// The provider tells no address.
    EmailMissing => 500, "unexpected_failure" "Error getting user email from external provider";
    /// OAuth 1.0a: no access token.
    TokenFailed => 500, "unexpected_failure" "Unable to retrieve access token";

    // whose account
    /// The addresses belong to several accounts; holds the linking domain.
    MultipleAccounts(domain: String) => 500, "unexpected_failure"
        format!("Multiple accounts with the same email address in the same linking domain detected: {domain}");
    /// The verified address is another account's, and the project links nothing by address.
    AddressTaken => 422, "email_exists" "A user with this email address has already been registered";
    /// The address must be confirmed by mail; holds the provider.
    EmailNeedsVerification(provider: String) => 422, "provider_email_needs_verification"
        format!("Unverified email with {provider}. A confirmation email has been sent to your {provider} email");
    /// There is no address that could be confirmed; holds the provider.
    NoEmailToVerify(provider: String) => 422, "provider_email_needs_verification"
        format!("Unverified email with {provider}. Verify the email with {provider} in order to sign in");
    /// The invitation is gone.
    InviteNotFound => 404, "invite_not_found" "Invite not found";
    /// The invitation is for another address.
    InviteForAnother => 400, "validation_failed" "Invited email does not match emails from external provider";

    // identities
    /// The project does not let users link.
    ManualLinkingDisabled => 404, "manual_linking_disabled" "Manual linking is disabled";
    /// The path names no row.
    IdentityIdNotUuid => 404, "validation_failed" "identity_id must be an UUID";
    /// The token is for another audience than the request.
    UnexpectedAudience => 403, "unexpected_audience" "Token audience doesn't match request audience";
    /// The last way in stays.
    LastIdentity => 422, "single_identity_not_deletable" "User must have at least 1 identity after unlinking";
    /// Not one of the user's.
    IdentityNotFound => 422, "identity_not_found" "Identity doesn't exist";
    /// No address would be left that is free.
    IdentityEmailConflict => 422, "email_conflict_identity_not_deletable"
        "Unable to unlink identity due to email conflict";
    /// It is the user's already.
    IdentityAlreadyLinked => 422, "identity_already_exists" "Identity is already linked";
    /// It is somebody else's.
    IdentityOfAnother => 422, "identity_already_exists" "Identity is already linked to another user";
    /// The address of the identity is somebody else's.
    LinkedEmailExists => 400, "email_exists" "A user with this email address has already been registered";
    /// The address of the linked identity must be confirmed by mail; holds the provider.
    LinkedEmailUnverified(provider: String) => 422, "email_not_confirmed"
        format!("Unverified email with {provider}. A confirmation email has been sent to your {provider} email");
    /// The linked identity has no address that could be confirmed.
    LinkedEmailMissing => 500, "unexpected_failure" "Error sending confirmation email";

    // ID tokens
    /// No token.
    IdTokenRequired => 400, "invalid request" "id_token required";
    /// Nothing says whose token it is.
    IdTokenProviderRequired => 400, "invalid request" "provider or client_id and issuer required";
    /// To be linked to nobody.
    LinkNeedsAuthorization => 400, "invalid request" "Linking requires a valid user access token in Authorization";
    /// Its provider is off; holds the issuer.
    IdTokenProviderDisabled(issuer: String) => 400, "provider_disabled"
        format!("Provider (issuer \"{issuer}\") is not enabled");
    /// No such provider; holds the name.
    IdTokenProviderUnknown(provider: String) => 400, "validation_failed"
        format!("Custom OIDC provider \"{provider}\" not allowed");
    /// The token does not say who issued it; holds `Apple` or `Azure`.
    IssuerUndetected(provider: &'static str) => 400, "validation_failed"
        format!("Unable to detect issuer in ID token for {provider} provider");
    /// Another issuer's token; holds `Apple` or `Azure`.
    IssuerForeign(provider: &'static str) => 400, "validation_failed"
        format!("Detected ID token issuer is not an {provider} ID token issuer");
    /// The request names another issuer than the token.
    IssuerDiffers => 400, "validation_failed" "Provided issuer does not match ID token issuer";
    /// Signature, issuer, times, types or `at_hash` do not hold.
    IdTokenBad => 400, "invalid request" "Bad ID token";
    /// No subject.
    IdTokenWithoutSub => 400, "invalid request" "Missing sub claim in id_token";
    /// For somebody else; holds the audiences, separated by blanks.
    IdTokenAudience(audiences: String) => 400, "invalid request"
        format!("Unacceptable audience in id_token: [{audiences}]");
    /// One nonce without the other.
    NonceMissing => 400, "invalid request" "Passed nonce and nonce in id_token should either both exist or not.";
    /// Another nonce.
    NonceMismatch => 400, "invalid nonce" "Nonces mismatch";

    // custom providers
    /// They are off; said where an ID token names one.
    CustomProvidersDisabled => 400, "validation_failed" "Custom OAuth providers are disabled";
    /// No such one; said where an ID token names it.
    CustomProviderUnknown(identifier: String) => 400, "validation_failed"
        format!("Custom provider \"{identifier}\" not found");
    /// It issues no ID tokens.
    CustomProviderNotOidc(identifier: String) => 400, "validation_failed"
        format!("Provider \"{identifier}\" is not an OIDC provider");
    /// It is switched off; said where an ID token names it.
    CustomProviderDisabled(identifier: String) => 400, "provider_disabled"
        format!("Custom provider \"{identifier}\" is disabled");
    /// They are off; said to administrators.
    CustomProvidersOff => 404, "feature_disabled" "Custom OAuth providers are disabled";
    /// No such one.
    CustomProviderNotFound => 404, "custom_provider_not_found" "Custom OAuth provider not found";
    /// What was sent cannot be a provider; holds why.
    CustomProviderInvalid(why: String) => 400, "validation_failed" why.clone();
    /// The name is taken.
    CustomProviderExists => 400, "conflict" "A custom OAuth provider with this identifier already exists";
    /// The project has as many as it may.
    CustomProviderQuota => 400, "over_custom_provider_quota"
        "Maximum number of custom OAuth/OIDC providers reached";

    // tokens of other issuers
    /// They say who somebody is, and do not change how he comes in.
    ForeignToken => 403, "no_authorization" "Tokens of other issuers are not allowed to perform these actions";

    // wallets
    /// No chain is on.
    Web3Disabled => 422, "web3_provider_disabled" "Web3 provider is disabled";
    /// This one is off; holds its name.
    Web3ChainDisabled(chain: &'static str) => 422, "web3_provider_disabled"
        format!("{chain} Web3 provider is disabled");
    /// No such chain.
    Web3Chain => 400, "web3_unsupported_chain" "Unsupported chain";
    /// Message or signature cannot be read; holds why.
    Web3Malformed(why: String) => 400, "validation_failed" why.clone();
    /// The message is for another place or time, or was signed by somebody else; holds why.
    Web3Refused(why: String) => 400, "invalid_grant" why.clone();
}

impl ProviderRefusal {
    /// Whether it is told in the form of RFC 6749 §5.2, `error` and `error_description`, as these grants do.
    pub fn is_of_oauth(&self) -> bool {
        matches!(self.wire().code, "invalid request" | "invalid nonce" | "invalid_grant")
    }
}
