//! Operations that ask for a fresh second factor (`security/advisor.md` §1.9).

use std::collections::BTreeSet;

use crate::config::{Policy, UserVerification};
use crate::factor::PASSKEY;
use crate::refusal::Refusal;
use crate::session::{Aal, Session};
use crate::time::Timestamp;
use crate::user::User;

/// What a project can ask a fresh second factor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `PUT /user` with a password.
    PasswordChange,
    /// `PUT /user` with another address.
    EmailChange,
    /// `PUT /user` with another number.
    PhoneChange,
    /// `DELETE /factors/{id}` of a verified factor.
    FactorUnenroll,
    /// Making, renewing and dropping recovery codes.
    RecoveryCodes,
    /// Registering and removing passkeys.
    PasskeyManage,
    /// Linking an identity.
    IdentityLink,
    /// Unlinking an identity.
    IdentityUnlink,
    /// `DELETE /user`.
    AccountDelete,
    /// `/admin/*` and `/invite` with a person's token.
    Admin,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::PasswordChange,
        Self::EmailChange,
        Self::PhoneChange,
        Self::FactorUnenroll,
        Self::RecoveryCodes,
        Self::PasskeyManage,
        Self::IdentityLink,
        Self::IdentityUnlink,
        Self::AccountDelete,
        Self::Admin,
    ];

    /// The name in `security_step_up_operations`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PasswordChange => "password_change",
            Self::EmailChange => "email_change",
            Self::PhoneChange => "phone_change",
            Self::FactorUnenroll => "factor_unenroll",
            Self::RecoveryCodes => "recovery_codes",
            Self::PasskeyManage => "passkey_manage",
            Self::IdentityLink => "identity_link",
            Self::IdentityUnlink => "identity_unlink",
            Self::AccountDelete => "account_delete",
            Self::Admin => "admin",
        }
    }
}

/// What a project asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepUp {
    /// Operations that need a fresh proof.
    pub operations: BTreeSet<Operation>,
    /// How old a proof may be, in seconds.
    pub max_age: i64,
}

/// Whether an operation may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Granted,
    /// It may not before a second factor was used.
    Refused(Refusal),
    /// It may with another proof: a nonce or the password. Holds the answer where there is none.
    NeedsProof(Refusal),
}

impl Operation {
    /// The answer to a user who has a second factor and has not just used it.
    fn second_factor_due(self) -> Refusal {
        match self {
            Self::PasswordChange | Self::EmailChange | Self::PhoneChange => Refusal::StepUpNeededToUpdate,
            Self::FactorUnenroll => Refusal::StepUpNeededToUnenroll,
            _ => Refusal::StepUpNeeded,
        }
    }

    /// The answer to a user who has none and has not just signed in.
    fn sign_in_due(self) -> Refusal {
        Refusal::FreshSignInNeeded(match self {
            Self::PasswordChange => return Refusal::ReauthenticationNeeded,
            // Only whoever has a second factor is an administrator (`security/advisor.md` §1.9).
            Self::Admin => return Refusal::StepUpNeeded,
            Self::EmailChange => "Email update",
            Self::PhoneChange => "Phone update",
            Self::FactorUnenroll => "Removing a factor",
            Self::RecoveryCodes => "Managing recovery codes",
            Self::PasskeyManage => "Managing passkeys",
            Self::IdentityLink => "Linking an identity",
            Self::IdentityUnlink => "Unlinking an identity",
            Self::AccountDelete => "Account deletion",
        })
    }
}

/// Judges `operation` of `user` in `session`, where the project asks for a step-up before it.
///
/// Users with a verified factor need a fresh second factor. Others need a fresh sign-in, of whatever method: the session's
/// newest authentication method is what it was opened with, for a refresh adds none. Guests are let through, but for what
/// administrators do: they have nothing to sign in with, and an operation that asked them could never be done.
pub fn judge(operation: Operation, user: &User, session: Option<&Session>, policy: &Policy, now: Timestamp) -> Verdict {
    if !policy.step_up.operations.contains(&operation) || has_fresh_second_factor(session, policy, now) {
        return Verdict::Granted;
    }
    if user.has_verified_factor() {
        return Verdict::Refused(operation.second_factor_due());
    }
    match operation {
        Operation::Admin => Verdict::Refused(operation.sign_in_due()),
        _ if user.is_anonymous || is_fresh_sign_in(session, policy, now) => Verdict::Granted,
        _ => Verdict::NeedsProof(operation.sign_in_due()),
    }
}

/// Whether anything was proven in `session` recently enough: its newest authentication method is young.
pub fn is_fresh_sign_in(session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
    session.is_some_and(|session| session.amr.iter().any(|entry| is_fresh(entry.at, policy, now)))
}

/// Whether a second factor was used recently enough, or a passkey whose authenticator knew its user. That it did is known
/// from the level the session was stored with, or because the project takes no other. A session that was raised to the
/// level later has a younger entry than the passkey's, which speaks for itself.
fn has_fresh_second_factor(session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
    let Some(session) = session else { return false };
    let verified = session.aal == Aal::Aal2 || policy.webauthn.user_verification == UserVerification::Required;
    let counts = |method: &str| method == PASSKEY && verified;
    let mut entries = session.amr.iter().filter(|entry| entry.is_second_factor() || counts(&entry.method));
    entries.any(|entry| is_fresh(entry.at, policy, now))
}

fn is_fresh(at: Timestamp, policy: &Policy, now: Timestamp) -> bool {
    now < at.plus_seconds(policy.step_up.max_age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{amr_entry, at, factor, policy, session, user};

    const AGE: i64 = 600;

    fn asking(operations: impl IntoIterator<Item = Operation>) -> Policy {
        let step_up = StepUp { operations: operations.into_iter().collect(), max_age: AGE };
        Policy { step_up, ..policy() }
    }

    fn proven_by(entries: &[(&str, i64)]) -> Session {
        let amr = entries.iter().map(|(method, second)| amr_entry(method, *second)).collect();
        Session { amr, ..session() }
    }

    fn enrolled() -> User {
        User { factors: vec![factor(true)], ..user() }
    }

    #[test]
    fn what_is_not_asked_for_is_granted() {
        for operation in Operation::ALL {
            let others = asking(Operation::ALL.into_iter().filter(|other| *other != operation));
            for someone in [user(), enrolled()] {
                assert_eq!(judge(operation, &someone, None, &others, at(0)), Verdict::Granted, "{operation:?}");
            }
        }
    }

    /// The table of `security/advisor.md` §1.9.
    #[test]
    fn each_operation_has_its_own_refusal() {
        let reauthenticate = |what| Verdict::NeedsProof(Refusal::FreshSignInNeeded(what));
        for (operation, with_factor, without) in [
            (
                Operation::PasswordChange,
                Refusal::StepUpNeededToUpdate,
                Verdict::NeedsProof(Refusal::ReauthenticationNeeded),
            ),
            (Operation::EmailChange, Refusal::StepUpNeededToUpdate, reauthenticate("Email update")),
            (Operation::PhoneChange, Refusal::StepUpNeededToUpdate, reauthenticate("Phone update")),
            (Operation::FactorUnenroll, Refusal::StepUpNeededToUnenroll, reauthenticate("Removing a factor")),
            (Operation::RecoveryCodes, Refusal::StepUpNeeded, reauthenticate("Managing recovery codes")),
            (Operation::PasskeyManage, Refusal::StepUpNeeded, reauthenticate("Managing passkeys")),
            (Operation::IdentityLink, Refusal::StepUpNeeded, reauthenticate("Linking an identity")),
            (Operation::IdentityUnlink, Refusal::StepUpNeeded, reauthenticate("Unlinking an identity")),
            (Operation::AccountDelete, Refusal::StepUpNeeded, reauthenticate("Account deletion")),
            (Operation::Admin, Refusal::StepUpNeeded, Verdict::Refused(Refusal::StepUpNeeded)),
        ] {
            let policy = asking([operation]);
            let old = proven_by(&[("totp", 0), ("password", 0)]);
            let refused = Verdict::Refused(with_factor);
            assert_eq!(judge(operation, &enrolled(), Some(&old), &policy, at(AGE)), refused, "{operation:?}");
            assert_eq!(judge(operation, &enrolled(), None, &policy, at(0)), refused, "{operation:?}");
            assert_eq!(judge(operation, &user(), Some(&session()), &policy, at(AGE)), without, "{operation:?}");
            assert_eq!(judge(operation, &user(), None, &policy, at(0)), without, "{operation:?}");
        }
    }

    #[test]
    fn the_refusals_are_those_of_the_endpoints() {
        for (refusal, status, code, message) in [
            (
                Refusal::StepUpNeededToUpdate,
                401,
                "insufficient_aal",
                "A fresh second factor is required for this operation.",
            ),
            (
                Refusal::StepUpNeededToUnenroll,
                422,
                "insufficient_aal",
                "A fresh second factor is required for this operation.",
            ),
            (Refusal::StepUpNeeded, 403, "insufficient_aal", "A fresh second factor is required for this operation."),
            (
                Refusal::ReauthenticationNeeded,
                400,
                "reauthentication_needed",
                "Password update requires reauthentication",
            ),
            (
                Refusal::FreshSignInNeeded("Email update"),
                400,
                "reauthentication_needed",
                "Email update requires reauthentication",
            ),
        ] {
            let wire = refusal.wire();
            assert_eq!((wire.status, wire.code, &*wire.message), (status, code, message));
        }
    }

    #[test]
    fn what_counts_as_a_fresh_second_factor() {
        let policy = asking([Operation::PasskeyManage]);
        let now = at(1000);
        let (young, old) = (1000 - AGE + 1, 1000 - AGE);
        for (entries, fresh) in [
            (vec![("totp", young)], true),
            (vec![("mfa/phone", young)], true),
            (vec![("mfa/webauthn", young)], true),
            (vec![("mfa/recovery_code", young)], true),
            (vec![("totp", old)], false),
            // The newest counts.
            (vec![("mfa/recovery_code", young), ("totp", old)], true),
            (vec![("password", young), ("totp", old)], false),
            (vec![("password", young)], false),
            (vec![("recovery", young)], false),
            (vec![("passkey", young)], false),
            (vec![], false),
        ] {
            let judged = judge(Operation::PasskeyManage, &enrolled(), Some(&proven_by(&entries)), &policy, now);
            assert_eq!(judged == Verdict::Granted, fresh, "{entries:?}");
        }
    }

    #[test]
    fn a_passkey_counts_where_its_authenticator_knew_the_user() {
        let policy = asking([Operation::Admin]);
        let mut strict = policy.clone();
        strict.webauthn.user_verification = UserVerification::Required;
        let opened = proven_by(&[("passkey", 0)]);
        let raised = Session { aal: Aal::Aal2, ..opened.clone() };
        // Raised by a factor long ago: the passkey that opened it is older still.
        let later = Session { aal: Aal::Aal2, ..proven_by(&[("totp", 0), ("passkey", -1)]) };
        for (session, policy, second, granted) in [
            (&opened, &policy, 0, false),
            (&opened, &strict, 0, true),
            (&opened, &strict, AGE, false),
            (&raised, &policy, AGE - 1, true),
            (&raised, &policy, AGE, false),
            (&later, &policy, AGE, false),
        ] {
            for someone in [user(), enrolled()] {
                let judged = judge(Operation::Admin, &someone, Some(session), policy, at(second));
                assert_eq!(judged == Verdict::Granted, granted, "{session:?} {second}");
            }
        }
    }

    #[test]
    fn without_a_factor_a_fresh_sign_in_does() {
        let policy = asking(Operation::ALL);
        for method in ["password", "otp", "magiclink", "recovery", "oauth", "passkey", "sso/saml", "invite"] {
            let session = proven_by(&[(method, 0)]);
            let judged = |second| judge(Operation::EmailChange, &user(), Some(&session), &policy, at(second));
            assert_eq!(judged(AGE - 1), Verdict::Granted, "{method}");
            assert_ne!(judged(AGE), Verdict::Granted, "{method}");
        }
        // A factor that was never proven is none.
        let begun = User { factors: vec![factor(false)], ..user() };
        assert_eq!(judge(Operation::PasswordChange, &begun, Some(&session()), &policy, at(1)), Verdict::Granted);
    }

    #[test]
    fn guests_have_nothing_to_show() {
        let policy = asking(Operation::ALL);
        let guest = User { is_anonymous: true, email: None, ..user() };
        let session = proven_by(&[("anonymous", 0)]);
        for operation in Operation::ALL {
            let judged = judge(operation, &guest, Some(&session), &policy, at(AGE));
            assert_eq!(judged == Verdict::Granted, operation != Operation::Admin, "{operation:?}");
        }
    }
}
