//! What we ask for and accept, against an authenticator and a client that somebody else wrote.

use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use crypto::webauthn::{
    Assertion, CeremonyError, Credential, Descriptor, Flags, NewCredential, Registration, SessionData, Used,
    start_authentication, start_registration, user_handle,
};
use domain::config::UserVerification;
use domain::entropy::Entropy;
use domain::ids::UserId;
use domain::time::Timestamp;
use domain::webauthn::{Purpose, RelyingParty, UserEntity};
use passkey_authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey_client::{Client, DefaultClientData, WebauthnError};
use passkey_crypto::iana::Algorithm;
use passkey_crypto::rust_crypto::RustCryptoBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use passkey_types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// Bytes that differ from call to call.
#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

/// Somebody who is there, and is known to the authenticator or is not.
struct Somebody {
    known: bool,
}

#[async_trait]
impl UserValidationMethod for Somebody {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        hint: UiHint<'a, Passkey>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        if matches!(hint, UiHint::InformExcludedCredentialFound(_)) {
            return Err(Ctap2Error::CredentialExcluded);
        }
        Ok(UserCheck { presence, verification: verification && self.known })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        self.known.then_some(true)
    }
}

/// A browser with an authenticator, and the page it shows.
struct Browser {
    client: Client<Option<Passkey>, Somebody, RustCryptoBackend, public_suffix::PublicSuffixList, ()>,
    page: Url,
}

impl Browser {
    fn new(algorithm: Algorithm, known: bool, counts: bool) -> Self {
        let (store, user) = (None, Somebody { known });
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), store, user, RustCryptoBackend);
        authenticator.set_algorithms(&[algorithm]).expect("the algorithm is one of its own");
        authenticator.set_make_credentials_with_signature_counter(counts);
        let client = Client::new(authenticator).user_verification_when_preferred(known);
        Self { client, page: "https://app.example.com".parse().unwrap() }
    }

    async fn create(&mut self, options: &Value) -> Result<Value, WebauthnError> {
        let options: CredentialCreationOptions = serde_json::from_value(json!({ "publicKey": options })).unwrap();
        let made = self.client.register(&self.page, options, DefaultClientData).await?;
        Ok(serde_json::to_value(made).unwrap())
    }

    async fn get(&mut self, options: &Value) -> Result<Value, WebauthnError> {
        let options: CredentialRequestOptions = serde_json::from_value(json!({ "publicKey": options })).unwrap();
        let answer = self.client.authenticate(&self.page, options, DefaultClientData).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }
}

/// The site.
struct Site {
    party: RelyingParty,
    user: UserEntity,
    verification: UserVerification,
    entropy: Counting,
}

impl Site {
    fn new(verification: UserVerification) -> Self {
        let origins = vec!["https://app.example.com".to_owned()];
        Self {
            party: RelyingParty { id: "example.com".to_owned(), name: "Example".to_owned(), origins },
            user: UserEntity {
                id: UserId(Uuid::from_u128(7)),
                name: "a@example.com".to_owned(),
                display_name: "Ada".to_owned(),
            },
            verification,
            entropy: Counting::default(),
        }
    }

    fn creation(&self, existing: &[Descriptor]) -> (Value, SessionData) {
        let end = Timestamp::from_unix(1_800_000_000);
        let (party, user) = (&self.party, &self.user);
        let entropy = &self.entropy;
        let begun = start_registration(Purpose::Passkey, party, user, existing, self.verification, end, entropy);
        (begun.options, begun.session)
    }

    async fn register(&self, browser: &mut Browser) -> Result<NewCredential, CeremonyError> {
        let (options, session) = self.creation(&[]);
        let answer = browser.create(&options).await.expect("the client makes a credential");
        Registration::parse(&answer).expect("the answer can be read").verify(&self.party, &session)
    }

    async fn sign_in(&self, browser: &mut Browser, credential: &Credential) -> Result<Used, CeremonyError> {
        let end = Timestamp::from_unix(1_800_000_000);
        let party = &self.party;
        let begun = start_authentication(Purpose::Passkey, party, None, &[], self.verification, end, &self.entropy);
        let answer = browser.get(&begun.options).await.expect("the client finds the credential");
        let assertion = Assertion::parse(&answer).expect("the answer can be read");
        assert_eq!(assertion.credential_id(), credential.id);
        assert_eq!(assertion.user_handle(), Some(user_handle(self.user.id).as_slice()));
        assertion.verify(party, &begun.session, credential)
    }
}

fn known(made: &NewCredential) -> Credential {
    Credential {
        id: made.id.clone(),
        public_key: made.public_key.clone(),
        sign_count: made.sign_count,
        backup_eligible: made.flags.backup_eligible,
        transports: made.transports.clone(),
    }
}

#[tokio::test]
async fn passkeys_of_every_kind_sign_in() {
    let site = Site::new(UserVerification::Preferred);
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        for user_known in [true, false] {
            for counts in [true, false] {
                let mut browser = Browser::new(algorithm, user_known, counts);
                let made = site.register(&mut browser).await.expect("the registration holds");
                assert_eq!(made.attestation_format, "none");
                let Flags { user_present, user_verified, .. } = made.flags;
                assert_eq!((user_present, user_verified), (true, user_known));
                let mut credential = known(&made);
                for _ in 0..3 {
                    let used = site.sign_in(&mut browser, &credential).await.expect("the answer holds");
                    assert_eq!((used.user_verified, used.counter_regressed), (user_known, false));
                    assert_eq!(used.sign_count > credential.sign_count, counts);
                    credential.sign_count = used.sign_count;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_authenticator_that_has_a_passkey_makes_no_other() {
    let site = Site::new(UserVerification::Preferred);
    let mut browser = Browser::new(Algorithm::ES256, true, true);
    let made = site.register(&mut browser).await.expect("the registration holds");
    let (options, _) = site.creation(&[known(&made).descriptor()]);
    let excluded = u8::from(Ctap2Error::CredentialExcluded);
    assert!(matches!(browser.create(&options).await, Err(WebauthnError::AuthenticatorError(code)) if code == excluded));
}

#[tokio::test]
async fn what_is_required_reaches_the_authenticator() {
    let mut browser = Browser::new(Algorithm::ES256, false, true);
    let (options, _) = Site::new(UserVerification::Required).creation(&[]);
    assert!(matches!(browser.create(&options).await, Err(WebauthnError::AuthenticatorError(_))));
    let mut browser = Browser::new(Algorithm::ES256, true, true);
    let made = Site::new(UserVerification::Required).register(&mut browser).await.expect("the registration holds");
    assert!(made.flags.user_verified);
}

#[tokio::test]
async fn another_site_gets_nothing() {
    let site = Site::new(UserVerification::Preferred);
    let mut browser = Browser::new(Algorithm::ES256, true, true);
    // A subdomain that is not one of the site's pages: the browser lets it ask, we do not take its answer.
    browser.page = "https://blog.example.com".parse().unwrap();
    assert_eq!(site.register(&mut browser).await, Err(CeremonyError::Origin));
    // A page of another domain cannot even ask.
    browser.page = "https://evil.example".parse().unwrap();
    let (options, _) = site.creation(&[]);
    assert!(matches!(browser.create(&options).await, Err(WebauthnError::OriginRpMissmatch)));
}
