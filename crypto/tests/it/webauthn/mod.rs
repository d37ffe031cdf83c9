//! Web Authentication ceremonies.

mod assertion;
mod attestation;
mod authenticator;
mod fuzz;
mod malformed;
mod options;
mod registration;
mod stored;

use crypto::webauthn::{Credential, NewCredential, Registration, Started, start_authentication, start_registration};
use domain::config::UserVerification;
use domain::ids::UserId;
use domain::time::Timestamp;
use domain::webauthn::{Purpose, RelyingParty, UserEntity};
use uuid::Uuid;

use self::authenticator::Authenticator;
use crate::support::Repeatable;

/// ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA.
pub(crate) const ALGORITHMS: [i64; 10] = [-7, -35, -36, -257, -258, -259, -37, -38, -39, -8];

fn party() -> RelyingParty {
    RelyingParty {
        id: "example.com".to_owned(),
        name: "Example".to_owned(),
        origins: vec!["https://example.com".to_owned(), "https://app.example.com:8443".to_owned()],
    }
}

fn user_id() -> UserId {
    UserId(Uuid::from_u128(0x0123_4567_89ab_4cde_8f01_2345_6789_abcd))
}

fn user() -> UserEntity {
    UserEntity { id: user_id(), name: "a@example.com".to_owned(), display_name: "A".to_owned() }
}

fn expires() -> Timestamp {
    Timestamp::from_unix(1_800_000_000)
}

/// A registration has begun.
fn registering(verification: UserVerification) -> Started {
    let entropy = Repeatable::seeded(7);
    start_registration(Purpose::Passkey, &party(), &user(), &[], verification, expires(), &entropy)
}

/// A second factor is to be proven.
fn proving(allowed: &[&Credential], verification: UserVerification) -> Started {
    let allowed: Vec<_> = allowed.iter().map(|credential| credential.descriptor()).collect();
    let entropy = Repeatable::seeded(11);
    let user = Some(user_id());
    start_authentication(Purpose::SecondFactor, &party(), user, &allowed, verification, expires(), &entropy)
}

/// The credential that `authenticator` makes.
fn registered(authenticator: &Authenticator) -> NewCredential {
    let started = registering(UserVerification::Preferred);
    let posted = authenticator.create(&started, |_| {});
    Registration::parse(&posted).unwrap().verify(&party(), &started.session).unwrap()
}

/// The credential as it is known later.
fn known(new: &NewCredential) -> Credential {
    Credential {
        id: new.id.clone(),
        public_key: new.public_key.clone(),
        sign_count: new.sign_count,
        backup_eligible: new.flags.backup_eligible,
        transports: new.transports.clone(),
    }
}
