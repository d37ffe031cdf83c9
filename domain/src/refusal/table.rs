//! The table: one row for each refusal, by the endpoint that gives it. What concerns hooks, passkeys, and providers with wallets has
//! a table each beside it.

use std::borrow::Cow;

use super::{HookRefusal, PasskeyRefusal, ProviderRefusal, WeakPassword, Wire};
use crate::ids::ChallengeId;
use crate::quota::Quota;

refusals! {
    /// A refusal. The variants, with those of the tables it ends with, are the whole table.
    Refusal:
    // transport
    /// The body is not the JSON object that is wanted; holds the parser's words.
    BadJson(detail: String) => 400, "bad_json" format!("Could not parse request body as JSON: {detail}");
    /// More than one mebibyte.
    BodyTooLarge => 413, "request_entity_too_large" "Request body too large (max 1048576 bytes)";
    /// The deadline of the request has passed.
    RequestTimeout => 504, "request_timeout" "Processing this request timed out, please retry after a moment.";
    /// Text with NUL, invalid UTF-8 or lone surrogates.
    UnreadableText => 400, "validation_failed" "Text must be valid UTF-8 without NUL characters";
    /// A per-client bucket is empty.
    OverRequestRateLimit => 429, "over_request_rate_limit" "Request rate limit reached";
    /// As many attempts as allowed lie in the last window (`security/advisor.md` §1.10); holds the seconds to wait.
    OverAttemptLimit(_wait: u64) => 429, "over_request_rate_limit" "Request rate limit reached";
    /// The same for what sends mail.
    OverEmailAttemptLimit(wait: u64) => 429, "over_email_send_rate_limit"
        format!("For security purposes, you can only request this after {wait} seconds.");
    /// The same for what sends an SMS.
    OverSmsAttemptLimit(wait: u64) => 429, "over_sms_send_rate_limit"
        format!("For security purposes, you can only request this after {wait} seconds.");
    /// The project's mail limit is reached.
    OverEmailSendRateLimit => 429, "over_email_send_rate_limit" "email rate limit exceeded";
    /// The project's SMS limit is reached.
    OverSmsSendRateLimit => 429, "over_sms_send_rate_limit" "SMS rate limit exceeded";
    /// An SMS to this user went out a moment ago; holds the whole seconds left.
    SmsCoolDown(seconds: i64) => 429, "over_sms_send_rate_limit"
        format!("For security purposes, you can only request this after {seconds} seconds.");
    /// A message to this user went out a moment ago; holds the whole seconds left.
    EmailCoolDown(seconds: i64) => 429, "over_email_send_rate_limit"
        format!("For security purposes, you can only request this after {seconds} seconds.");
    /// The project serves nothing for now.
    ProjectPaused => 503, "project_paused" "This project is paused";
    /// The project's rows change their place; it serves again in seconds.
    ProjectHeld => 503, "project_unavailable" "This project is being moved, please try again in a moment";
    /// The operator grants the project no more of this right now.
    QuotaBusy(quota: Quota) => 503, "project_quota_reached" format!("This project's quota is used up: {quota}");
    /// The operator grants the project no more of this in this time.
    QuotaReached(quota: Quota) => 429, "project_quota_reached" format!("This project's quota is used up: {quota}");
    /// The operator grants the project no more of this at all.
    QuotaFull(quota: Quota) => 422, "project_quota_reached" format!("This project's quota is used up: {quota}");
    /// The operator grants the project no more mails in this hour.
    MailQuotaReached => 429, "over_email_send_rate_limit" format!("This project's quota is used up: {}", Quota::MailsPerHour);

    // bearer
    /// No or an ill-formed `Authorization` header.
    NoAuthorization => 401, "no_authorization" "This endpoint requires a valid Bearer token";
    /// An old-style API key in a project that has switched them off.
    LegacyKeysDisabled => 401, "no_authorization" "Legacy API keys are disabled";
    /// The token does not verify; holds the reason.
    BadJwt(detail: String) => 403, "bad_jwt" format!("invalid JWT: unable to parse or verify signature, {detail}");
    /// A token without subject, as API keys are.
    MissingSub => 403, "bad_jwt" "invalid claim: missing sub claim";
    /// The subject is not a UUID.
    SubNotUuid => 400, "bad_jwt" "invalid claim: sub claim must be a UUID";
    /// The session claim is not a UUID.
    SessionIdNotUuid => 403, "bad_jwt" "invalid claim: session_id claim must be a UUID";
    /// The subject's row is gone.
    BearerUserNotFound => 403, "user_not_found" "User from sub claim in JWT does not exist";
    /// The session's row is gone.
    BearerSessionNotFound => 403, "session_not_found" "Session from session_id claim in JWT does not exist";
    /// The account is banned.
    BearerUserBanned => 403, "user_banned" "User is banned";
    /// The token's role is no admin role.
    NotAdmin => 403, "not_admin" "User not allowed";
    /// An admin token whose session is over.
    SessionNoLongerValid => 403, "session_expired" "Session is no longer valid";
    /// The token is for another audience than the request.
    AudienceMismatch => 400, "validation_failed" "Token audience doesn't match request audience";

    // input
    /// More characters than the schema holds; names the field.
    TextTooLong(field: &'static str) => 400, "validation_failed" format!("{field} cannot be longer than 255 characters");
    /// An empty address.
    EmailRequired => 400, "validation_failed" "An email address is required";
    /// More than 255 bytes.
    EmailTooLong => 400, "validation_failed" "An email address is too long";
    /// Not an address.
    EmailFormat => 400, "validation_failed" "Unable to validate email address: invalid format";
    /// Not a number.
    PhoneFormat => 400, "validation_failed" "Invalid phone number format (E.164 required)";
    /// More than 72 bytes.
    PasswordTooLong => 400, "validation_failed" "Password cannot be longer than 72 characters";
    /// The project's password rules are not met.
    WeakPassword(weak: WeakPassword) => 422, "weak_password" weak.message.clone();
    /// One of the two PKCE parameters is missing.
    PkceIncomplete => 400, "validation_failed" "PKCE flow requires code_challenge_method and code_challenge";
    /// The challenge is too short or too long.
    PkceChallengeLength => 400, "validation_failed" "code challenge has to be between 43 and 128 characters";
    /// The challenge has other characters.
    PkceChallengeCharset => 400, "validation_failed"
        "code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes";
    /// A method that is neither `s256` nor `plain`.
    PkceMethod => 400, "validation_failed" "Invalid code_challenge_method";
    /// Page numbers that are none; holds the parser's words.
    BadPagination(detail: String) => 400, "validation_failed" format!("Bad Pagination Parameters: {detail}");
    /// A sort field that is none.
    BadSortField(field: String) => 400, "validation_failed" format!("Bad Sort Parameters: bad field for sort '{field}'");
    /// A sort direction that is none.
    BadSortDirection(direction: String) => 400, "validation_failed"
        format!("Bad Sort Parameters: bad direction for sort '{direction}', only 'asc' and 'desc' allowed");

    // sign-up
    /// Sign-ups are off.
    SignupDisabled => 422, "signup_disabled" "Signups not allowed for this instance";
    /// No password.
    SignupPasswordRequired => 400, "validation_failed" "Signup requires a valid password";
    /// Both contacts.
    SignupOneContact => 400, "validation_failed" "Only an email address or phone number should be provided on signup.";
    /// E-mail sign-ups are off.
    EmailSignupsDisabled => 400, "email_provider_disabled" "Email signups are disabled";
    /// Phone sign-ups are off.
    PhoneSignupsDisabled => 400, "phone_provider_disabled" "Phone signups are disabled";
    /// Anonymous sign-ins are off.
    AnonymousDisabled => 422, "anonymous_provider_disabled" "Anonymous sign-ins are disabled";
    /// A challenge with a number: messages carry no links.
    PkceNotForPhone => 400, "validation_failed" "PKCE not supported for phone signups";
    /// The address is taken and the project says so.
    UserAlreadyExists => 422, "user_already_exists" "User already registered";

    /// A channel the project's provider does not serve.
    SmsChannel => 400, "validation_failed"
        "Invalid channel, supported values are 'sms' or 'whatsapp'. 'whatsapp' is only supported if Twilio or Twilio Verify is used as the provider.";
    /// The SMS provider refused; holds what the code was for (`confirmation`, `phone_change`, `reauthentication`) and its words.
    SmsSendFailed(purpose: &'static str, detail: String) => 422, "sms_send_failed"
        format!("Error sending {purpose} OTP to provider: {detail}");
    /// No way to send an SMS is configured.
    SmsProviderMissing => 500, "unexpected_failure" "Unable to get SMS provider";
    /// The account vanished while it was signed up for.
    SignupConflict => 500, "unexpected_failure" "Database error saving new user";
    /// An anonymous account could not be made, whatever the reason (`contract/core.md` §12.4).
    AnonymousFailed => 500, "unexpected_failure" "Database error creating anonymous user";

    // sign-in
    /// No such grant.
    UnsupportedGrantType => 400, "invalid_credentials" "unsupported_grant_type";
    /// Both contacts.
    LoginOneContact => 400, "validation_failed" "Only an email address or phone number should be provided on login.";
    /// Neither contact.
    LoginContactMissing => 400, "validation_failed" "missing email or phone";
    /// E-mail sign-ins are off.
    EmailLoginsDisabled => 422, "email_provider_disabled" "Email logins are disabled";
    /// Phone sign-ins are off.
    PhoneLoginsDisabled => 422, "phone_provider_disabled" "Phone logins are disabled";
    /// Unknown user or wrong password.
    InvalidCredentials => 400, "invalid_credentials" "Invalid login credentials";
    /// The account is banned.
    UserBanned => 400, "user_banned" "User is banned";
    /// The address is not proven yet.
    EmailNotConfirmed => 400, "email_not_confirmed" "Email not confirmed";
    /// The number is not proven yet.
    PhoneNotConfirmed => 400, "phone_not_confirmed" "Phone not confirmed";

    // refresh
    /// Not the shape of a refresh token.
    RefreshTokenMalformed => 400, "validation_failed" "Refresh token is not valid";
    /// Unknown, forged, or of a session that is gone.
    RefreshTokenNotFound => 400, "refresh_token_not_found" "Invalid Refresh Token: Refresh Token Not Found";
    /// The account is banned.
    RefreshUserBanned => 400, "user_banned" "Invalid Refresh Token: User Banned";
    /// A stored token whose session is gone.
    RefreshSessionNotFound => 400, "session_not_found" "Invalid Refresh Token: No Valid Session Found";
    /// Past its end.
    SessionExpired => 400, "session_expired" "Invalid Refresh Token: Session Expired";
    /// Unused for too long.
    SessionExpiredInactivity => 400, "session_expired" "Invalid Refresh Token: Session Expired (Inactivity)";
    /// The second factor was due.
    SessionExpiredLowAal => 400, "session_expired"
        "Invalid Refresh Token: Session Expired (Low AAL: User Needs MFA Verification)";
    /// Another sign-in took its place.
    SessionExpiredNewerLogin => 400, "session_expired" "Invalid Refresh Token: Session Expired (Revoked by Newer Login)";
    /// A token that was used before.
    RefreshTokenAlreadyUsed => 400, "refresh_token_already_used" "Invalid Refresh Token: Already Used";
    /// The same, and its session has ended for that; the answer's header says so (`contract/core.md` §10.7).
    RefreshSessionEnded => 400, "refresh_token_already_used" "Invalid Refresh Token: Already Used";
    /// A counter that was never issued.
    RefreshTokenNotIssued => 400, "validation_failed" "Invalid Refresh Token: Not Issued By This Server";
    /// The row stayed locked for too long.
    RefreshConflict => 409, "conflict" "Too many concurrent token refresh requests on the same session or refresh token";

    // otp, magic link, recover, resend
    /// Both contacts.
    OtpOneContact => 400, "validation_failed" "Only an email address or phone number should be provided";
    /// Neither contact.
    OtpContactMissing => 400, "validation_failed" "One of email or phone must be set";
    /// A channel with an address.
    OtpChannelWithEmail => 400, "validation_failed" "Channel should only be specified with Phone OTP";
    /// An unknown contact that may not become an account.
    OtpDisabled => 422, "otp_disabled" "Signups not allowed for otp";
    /// Links are off.
    MagicLinkDisabled => 422, "email_provider_disabled" "Login with magic link is disabled";
    /// No address for a link.
    MagicLinkEmailRequired => 422, "validation_failed" "Password recovery requires an email";
    /// The body of a link request is not the JSON object that is wanted; holds the parser's words.
    MagicLinkBadJson(detail: String) => 400, "bad_json" format!("Could not read verification params: {detail}");
    /// Codes by SMS are off.
    PhoneOtpDisabled => 400, "phone_provider_disabled" "Unsupported phone provider";
    /// E-mail is off, for recovery and resend.
    RecoverEmailDisabled => 400, "email_provider_disabled" "Email logins are disabled";
    /// Phones are off, for resend.
    ResendPhoneDisabled => 400, "phone_provider_disabled" "Phone logins are disabled";
    /// No address to recover.
    RecoverEmailRequired => 400, "validation_failed" "Password recovery requires an email";
    /// No such type.
    ResendType => 400, "validation_failed" "Missing one of these types: signup, email_change, sms, phone_change";
    /// A sign-up is confirmed by mail.
    ResendEmailRequired => 400, "validation_failed" "Type provided requires an email address";
    /// An SMS goes to a number.
    ResendPhoneRequired => 400, "validation_failed" "Type provided requires a phone number";
    /// Both contacts.
    ResendOneContact => 400, "validation_failed" "Only an email address or phone number should be provided.";
    /// Neither contact.
    ResendContactMissing => 400, "validation_failed" "Missing email address or phone number";
    /// The project sends to listed addresses only; holds the address.
    EmailNotAuthorized(email: String) => 400, "email_address_not_authorized"
        format!("Email address \"{email}\" cannot be used as it is not authorized");
    /// The address gets no mail; holds the address.
    EmailInvalid(email: String) => 400, "email_address_invalid" format!("Email address \"{email}\" is invalid");

    // captcha
    /// Nothing to check, or the judge said no; holds the judge's codes.
    CaptchaFailed(codes: String) => 400, "captcha_failed" format!("captcha protection: request disallowed ({codes})");
    /// The judge could not be asked.
    CaptchaUnavailable => 500, "unexpected_failure" "captcha verification process failed";

    // verify
    /// No type.
    VerifyTypeRequired => 400, "validation_failed" "Verify requires a verification type";
    /// GET without token.
    VerifyLinkTokenRequired => 400, "validation_failed" "Verify requires a token or a token hash";
    /// POST with neither or both of token and hash.
    VerifyTokenRequired => 400, "validation_failed" "Verify requires either a token or a token hash";
    /// POST with a code and not exactly one contact.
    VerifyOneContact => 400, "validation_failed" "Only an email address or phone number should be provided on verify";
    /// POST with a hash and more.
    VerifyHashOnly => 400, "validation_failed" "Only the token_hash and type should be provided";
    /// The address is none.
    VerifyEmailFormat => 422, "validation_failed" "Invalid email format";
    /// No such type.
    VerifyTypeInvalid => 400, "validation_failed" "Invalid email verification type";
    /// A link that is unknown, used or too old.
    LinkExpired => 403, "otp_expired" "Email link is invalid or has expired";
    /// A code that is unknown, used or too old.
    CodeExpired => 403, "otp_expired" "Token has expired or is invalid";
    /// No flow waits for this link.
    LinkFlowNotFound => 400, "flow_state_not_found"
        "No associated flow state found. 422: No valid flow state found for user.";

    /// Something broke while a link was followed: where it leads, the app is told so much.
    LinkFailed => 500, "unexpected_failure" "Unexpected failure, please check server logs for more information";
    /// A link of a recovery alone, without the new password.
    RecoveryNeedsPassword => 422, "validation_failed" "Password recovery requires a new password";
    /// The change could not be completed: the address was taken meanwhile.
    EmailChangeConflict => 500, "unexpected_failure" "Error confirm email";

    // pkce
    /// A part is missing.
    PkceFieldsRequired => 400, "validation_failed"
        "invalid request: both auth code and code verifier should be non-empty";
    /// No such code.
    FlowStateNotFound => 404, "flow_state_not_found" "invalid flow state, no valid flow state found";
    /// The code is too old.
    FlowStateExpired => 422, "flow_state_expired" "invalid flow state, flow state has expired";
    /// The verifier does not fit.
    BadCodeVerifier => 400, "bad_code_verifier" "code challenge does not match previously saved code verifier";

    // user
    /// The row's role may not.
    AppMetadataNeedsAdmin => 403, "not_admin" "Updating app_metadata requires admin privileges";
    /// A second factor is due.
    UpdateNeedsAal2 => 401, "insufficient_aal"
        "AAL2 session is required to update email or password when MFA is enabled.";
    /// No way to sign in with it.
    AnonymousPassword => 422, "validation_failed"
        "Updating password of an anonymous user without an email or phone is not allowed";
    /// The account is managed elsewhere.
    UserSsoManaged => 422, "user_sso_managed"
        "Updating email, phone, password of a SSO account only possible via SSO";
    /// The address is taken.
    EmailExists => 422, "email_exists" "A user with this email address has already been registered";
    /// The number is taken.
    PhoneExists => 422, "phone_exists" "A user with this phone number has already been registered";
    /// The session is not fresh.
    ReauthenticationNeeded => 400, "reauthentication_needed" "Password update requires reauthentication";
    /// The nonce does not fit.
    ReauthenticationNotValid => 422, "reauthentication_not_valid" "Nonce has expired or is invalid";
    /// The old password is asked for.
    CurrentPasswordRequired => 400, "current_password_required"
        "Current password required when setting new password.";
    /// The old password is wrong.
    CurrentPasswordInvalid => 400, "current_password_invalid"
        "Current password required when setting new password.";
    /// Neither contact to send a nonce to.
    ReauthenticationContactMissing => 400, "validation_failed"
        "Reauthentication requires the user to have an email or a phone number";
    /// The address is not proven yet.
    ReauthenticationEmailNotConfirmed => 422, "email_not_confirmed" "Please verify your email first.";
    /// The number is not proven yet.
    ReauthenticationPhoneNotConfirmed => 422, "phone_not_confirmed" "Please verify your phone first.";
    /// A password that cannot be looked up among breached ones, where that refuses it.
    BreachCheckUnavailable => 500, "unexpected_failure"
        "Unable to perform password strength check with HaveIBeenPwned.org.";
    /// No change.
    SamePassword => 422, "same_password" "New password should be different from the old password.";

    // logout and sessions
    /// No such scope.
    UnsupportedLogoutScope(scope: String) => 400, "validation_failed" format!("Unsupported logout scope \"{scope}\"");
    /// No such session of this user.
    SessionNotFound => 404, "session_not_found" "Session not found";
    /// Not a UUID.
    SessionIdMalformed => 404, "validation_failed" "session_id must be an UUID";

    // second factors
    /// A guest has no second factor, no passkey and no recovery codes.
    AnonymousNotAllowed => 403, "no_authorization" "Anonymous user not allowed to perform these actions";
    /// A token without session cannot be raised.
    EnrollNeedsSession => 500, "unexpected_failure"
        "A valid session and a registered user are required to enroll a factor";
    /// The same when a factor is to go.
    UnenrollNeedsSession => 500, "unexpected_failure" "A valid session and factor are required to unenroll a factor";
    /// The same when a challenge is answered.
    VerifyNeedsSession => 500, "unexpected_failure" "Cannot read SessionId claim as UUID";
    /// No such kind of factor.
    FactorTypeInvalid => 400, "validation_failed" "factor_type needs to be totp, phone, or webauthn";
    /// No new TOTP factors.
    TotpEnrollDisabled => 422, "mfa_totp_enroll_not_enabled" "MFA enroll is disabled for TOTP";
    /// No new phone factors.
    PhoneEnrollDisabled => 422, "mfa_phone_enroll_not_enabled" "MFA enroll is disabled for Phone";
    /// No new WebAuthn factors.
    WebauthnEnrollDisabled => 422, "mfa_webauthn_enroll_not_enabled" "MFA enroll is disabled for WebAuthn";
    /// TOTP factors cannot be used.
    TotpVerifyDisabled => 422, "mfa_totp_verify_not_enabled" "MFA verification is disabled for TOTP";
    /// Phone factors cannot be used.
    PhoneVerifyDisabled => 422, "mfa_phone_verify_not_enabled" "MFA verification is disabled for Phone";
    /// WebAuthn factors cannot be challenged.
    WebauthnVerifyDisabled => 422, "mfa_webauthn_verify_not_enabled" "MFA verification is disabled for WebAuthn";
    /// The same when a challenge is answered, with the code the reference gives it there.
    WebauthnAnswerDisabled => 422, "mfa_webauthn_enroll_not_enabled" "MFA verification is disabled for WebAuthn";
    /// No number for a phone factor.
    FactorPhoneRequired => 400, "validation_failed" "Phone number required to enroll Phone factor";
    /// The number is that of another verified factor.
    FactorPhoneExists => 422, "mfa_verified_factor_exists"
        "A verified phone factor already exists, unenroll the existing factor to continue";
    /// The site has no host to name as issuer.
    FactorSiteUrl => 500, "unexpected_failure" "site url is improperly formatted";
    /// Nobody to name in the authenticator app.
    FactorQrCode => 500, "unexpected_failure" "Error generating QR Code";
    /// What the QR code would have to hold is too much for one.
    FactorLabelTooLong => 400, "validation_failed" "issuer and account name are too long for a QR code";
    /// Another factor of the user has the name; holds it.
    FactorNameConflict(name: String) => 422, "mfa_factor_name_conflict"
        format!("A factor with the friendly name \"{name}\" for this user already exists");
    /// As many as may be.
    TooManyFactors => 422, "too_many_enrolled_mfa_factors"
        "Maximum number of verified factors reached, unenroll to continue";
    /// A further factor needs one that is there.
    EnrollNeedsAal2 => 403, "insufficient_aal" "AAL2 required to enroll a new factor";
    /// A verified factor goes only for whoever can use one.
    UnenrollNeedsAal2 => 422, "insufficient_aal" "AAL2 required to unenroll verified factor";
    /// Not a UUID.
    FactorIdMalformed => 404, "validation_failed" "factor_id must be an UUID";
    /// No such factor.
    FactorNotFound => 404, "mfa_factor_not_found" "Factor not found";
    /// Another user's factor (mission row 9).
    FactorForeign => 403, "no_authorization" "Factor belongs to another user";
    /// The SMS for a factor could not be sent.
    FactorSmsFailed => 500, "unexpected_failure" "error sending message";
    /// No way to send one.
    FactorSmsProviderMissing => 500, "unexpected_failure" "Failed to get SMS provider";
    /// The hook that sends them failed.
    FactorSmsHookFailed => 500, "unexpected_failure" "error invoking hook";
    /// No code.
    FactorCodeRequired => 400, "validation_failed" "Code needs to be non-empty";
    /// No `webauthn` object.
    WebauthnConfigRequired => 400, "validation_failed" "WebAuthn config required";
    /// No such ceremony.
    WebauthnTypeInvalid => 400, "validation_failed" "WebAuthn type must be create or request";
    /// No answer of an authenticator.
    CredentialResponseRequired => 400, "validation_failed" "credential_response required";
    /// An answer that cannot be read.
    CredentialResponseInvalid => 400, "validation_failed" "Invalid credential_response";
    /// No such challenge of this factor.
    FactorChallengeNotFound => 422, "mfa_factor_not_found" "MFA factor with the provided challenge ID not found";
    /// Used before, or asked for from another address.
    FactorChallengeAddress => 422, "mfa_ip_address_mismatch" "Challenge and verify IP addresses mismatch.";
    /// Too old; holds it.
    FactorChallengeExpired(id: ChallengeId) => 422, "mfa_challenge_expired"
        format!("MFA challenge {id} has expired, verify against another challenge or create a new challenge.");
    /// The wrong code, or one that was used before.
    TotpInvalid => 422, "mfa_verification_failed" "Invalid TOTP code entered";
    /// The wrong code.
    PhoneCodeInvalid => 422, "mfa_verification_failed" "Invalid MFA Phone code entered";
    /// The authenticator's answer does not hold.
    WebauthnFactorInvalid => 422, "mfa_verification_failed" "Failed to validate WebAuthn MFA response";
    /// The hook said no; holds its words.
    MfaVerificationRejected(message: String) => 403, "mfa_verification_rejected" message.clone();
    /// The relying party cannot be told from the settings.
    WebauthnNotConfigured => 500, "unexpected_failure" "Failed to initialize WebAuthn";

    // recovery codes and step-up
    /// They cannot be made.
    RecoveryCodesEnrollDisabled => 422, "mfa_recovery_codes_enroll_not_enabled" "MFA enroll is disabled for recovery codes";
    /// They cannot be used.
    RecoveryCodesVerifyDisabled => 422, "mfa_recovery_codes_verify_not_enabled"
        "MFA verification is disabled for recovery codes";
    /// They are for whoever has another factor.
    RecoveryCodesSoleFactor => 422, "mfa_recovery_codes_sole_factor"
        "Recovery codes cannot be the only factor, enroll another factor first";
    /// There is a set already.
    RecoveryCodesExist => 422, "mfa_verified_factor_exists" "Recovery codes already exist, regenerate them to get new ones";
    /// Whoever makes or drops them shows the second factor first.
    RecoveryCodesNeedAal2 => 403, "insufficient_aal" "AAL2 required to manage recovery codes";
    /// The wrong code, or one that was used before.
    RecoveryCodeInvalid => 422, "mfa_verification_failed" "Invalid recovery code entered";
    /// Too many wrong ones; holds the seconds to wait.
    RecoveryCodesLocked(_wait: u64) => 429, "mfa_recovery_codes_locked"
        "Too many failed verification attempts, try again later";
    /// A fresh second factor is due.
    StepUpNeeded => 403, "insufficient_aal" "A fresh second factor is required for this operation.";
    /// The same for `PUT /user`.
    StepUpNeededToUpdate => 401, "insufficient_aal" "A fresh second factor is required for this operation.";
    /// The same before a factor goes.
    StepUpNeededToUnenroll => 422, "insufficient_aal" "A fresh second factor is required for this operation.";
    /// Somebody without second factor has to sign in again, or to show another proof; holds what he is about to do.
    FreshSignInNeeded(what: &'static str) => 400, "reauthentication_needed" format!("{what} requires reauthentication");
    /// Not a number.
    BadCursor => 400, "validation_failed" "Invalid cursor";
    /// No number, or longer than anybody may wait.
    RevocationsWait => 400, "validation_failed" "wait must be a number of seconds from 0 to 25";

    // admin
    /// Not a UUID.
    UserIdMalformed => 404, "validation_failed" "user_id must be an UUID";
    /// No such user.
    UserNotFound => 404, "user_not_found" "User not found";
    /// No contact at all.
    AdminContactRequired => 400, "validation_failed" "Cannot create a user without either an email or phone";
    /// The number is taken.
    AdminPhoneExists => 422, "phone_exists" "Phone number already registered by another user";
    /// Both given.
    AdminPasswordOrHash => 400, "validation_failed" "Only a password or a password hash should be provided";
    /// The hash cannot be read.
    AdminBadHash => 500, "unexpected_failure" "Error creating user";
    /// Not a UUID.
    AdminIdMalformed => 400, "validation_failed" "ID must conform to the uuid v4 format";
    /// The nil UUID.
    AdminIdNil => 400, "validation_failed" "ID cannot be a nil uuid";
    /// Not a duration; holds the parser's words.
    BanDuration(detail: String) => 400, "validation_failed" format!("invalid format for ban duration: {detail}");
    /// The row could not be made, as the reference says it.
    AdminCreateConflict => 500, "unexpected_failure" "Database error creating new user";
    /// The row could not be changed, as the reference says it.
    AdminUpdateConflict => 500, "unexpected_failure" "Error updating user";

    /// Somebody with this address exists.
    InviteEmailExists => 422, "email_exists" "A user with this email address has already been registered";
    /// No user with this address.
    LinkUserNotFound => 404, "user_not_found" "User with this email not found";
    /// No password for a new account.
    LinkPasswordRequired => 400, "validation_failed" "Signup requires a valid password";
    /// No such type; holds it.
    LinkTypeInvalid(kind: String) => 400, "validation_failed"
        format!("Invalid email action link type requested: {kind}");
    /// One confirmation is enough in this project.
    LinkSecureChangeOff => 400, "validation_failed"
        "Enable secure email change to generate link for current email";
    /// No such scope, or no colon; holds the query.
    AuditQuery(query: String) => 400, "validation_failed" format!("Invalid query scope: {query}");
    /// No token to look at.
    IntrospectionToken => 400, "validation_failed" "Introspection requires a token";

    // discovery
    /// The OAuth server is off.
    OauthServerDisabled => 404, "feature_disabled" "OAuth server is disabled";

    // the tables beside it
    + Hook(HookRefusal);
    + Passkey(PasskeyRefusal);
    + Provider(ProviderRefusal);
}
