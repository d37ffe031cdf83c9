//! Messages over the providers' HTTP interfaces.

use std::time::Duration;

use async_trait::async_trait;
use domain::config::SmsProvider;
use domain::secret::Secret;
use domain::sms::Sms;
use serde_json::Value;
use tokio::time::Instant;

use super::call::{Answer, Call, Login, presentable};
use super::twilio::Account;
use super::{SmsError, SmsTransport, messagebird, textlocal, twilio, vonage};
use crate::http::{HttpClient, HttpError};

/// One call, answer included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer; the documented ones have a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Where the providers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Twilio Messaging.
    pub twilio: String,
    /// Twilio Verify.
    pub twilio_verify: String,
    /// MessageBird.
    pub messagebird: String,
    /// Textlocal.
    pub textlocal: String,
    /// Vonage.
    pub vonage: String,
}

impl Default for Endpoints {
    /// The real hosts.
    fn default() -> Self {
        Self {
            twilio: "https://api.twilio.com".to_owned(),
            twilio_verify: "https://verify.twilio.com".to_owned(),
            messagebird: "https://rest.messagebird.com".to_owned(),
            textlocal: "https://api.textlocal.in".to_owned(),
            vonage: "https://rest.nexmo.com".to_owned(),
        }
    }
}

impl Endpoints {
    /// All providers at one place, for stand-ins.
    pub fn all_at(base: &str) -> Self {
        Self {
            twilio: base.to_owned(),
            twilio_verify: base.to_owned(),
            messagebird: base.to_owned(),
            textlocal: base.to_owned(),
            vonage: base.to_owned(),
        }
    }
}

/// Sends over the network. A call takes at most 10 s, however slowly the provider answers.
#[derive(Clone)]
pub struct HttpSms {
    client: HttpClient,
    endpoints: Endpoints,
}

impl HttpSms {
    /// A transport that calls the providers at `endpoints`.
    pub fn new(client: HttpClient, endpoints: Endpoints) -> Self {
        Self { client, endpoints }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Answer, SmsError> {
        let fields: Vec<(&str, &str)> = call.form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let post = self.client.post(call.url.as_str()).deadline(Instant::now() + TIMEOUT).form(&fields);
        let post = match call.login {
            Login::InForm => post,
            Login::Basic(user, password) => post.basic_auth(user, password),
            Login::AccessKey(key) => post.authorization("AccessKey", key),
        };
        let answer = post.send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let body = answer.read(MAX_ANSWER).await.map_err(no_answer)?;
        // Whatever is not JSON is read as an answer without the fields it should have.
        Ok(Answer { status, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }
}

/// The person at the phone learns that nothing was sent, the operator why.
fn no_answer(error: HttpError) -> SmsError {
    tracing::warn!(%error, "the SMS provider gave no answer");
    SmsError::new(match error {
        HttpError::Timeout | HttpError::Network { timed_out: true, .. } => "the SMS provider did not answer in time",
        HttpError::TooLarge(_) => "the SMS provider's answer is too large",
        _ => "the SMS provider could not be reached",
    })
}

/// The provider's credentials, which it may quote when it refuses them.
fn credentials(provider: &SmsProvider) -> &str {
    match provider {
        SmsProvider::Twilio { auth_token, .. } | SmsProvider::TwilioVerify { auth_token, .. } => auth_token.expose(),
        SmsProvider::Messagebird { access_key, .. } => access_key.expose(),
        SmsProvider::Textlocal { api_key, .. } => api_key.expose(),
        SmsProvider::Vonage { api_secret, .. } => api_secret.expose(),
    }
}

#[async_trait]
impl SmsTransport for HttpSms {
    async fn send(&self, provider: &SmsProvider, message: &Sms) -> Result<(), SmsError> {
        let call = match provider {
            SmsProvider::Twilio { account_sid, auth_token, message_service_sid, content_sid } => {
                let account = Account { sid: account_sid, token: auth_token, service: message_service_sid };
                twilio::message(&self.endpoints.twilio, &account, content_sid, message)
            }
            SmsProvider::TwilioVerify { account_sid, auth_token, message_service_sid } => {
                let account = Account { sid: account_sid, token: auth_token, service: message_service_sid };
                twilio::verification(&self.endpoints.twilio_verify, &account, message)
            }
            SmsProvider::Messagebird { access_key, originator } => {
                messagebird::message(&self.endpoints.messagebird, access_key, originator, message)
            }
            SmsProvider::Textlocal { api_key, sender } => {
                textlocal::message(&self.endpoints.textlocal, api_key.expose(), sender, message)
            }
            SmsProvider::Vonage { api_key, api_secret, from } => {
                vonage::message(&self.endpoints.vonage, api_key, api_secret.expose(), from, message)
            }
        };
        let answer = self.exchange(call?).await?;
        let accepted = match provider {
            SmsProvider::Twilio { .. } => twilio::accepted(&answer),
            SmsProvider::TwilioVerify { .. } => twilio::started(&answer),
            SmsProvider::Messagebird { .. } => messagebird::accepted(&answer),
            SmsProvider::Textlocal { .. } => textlocal::accepted(&answer, message.body.expose()),
            SmsProvider::Vonage { .. } => vonage::accepted(&answer),
        };
        // The answer goes to whoever asked for the code: it must not hold the code.
        accepted.map_err(|text| presentable(&text, &[credentials(provider), message.code.expose()]))
    }

    async fn check(&self, provider: &SmsProvider, phone: &str, code: &Secret<String>) -> Result<bool, SmsError> {
        let SmsProvider::TwilioVerify { account_sid, auth_token, message_service_sid } = provider else {
            return Err(SmsError::new("the SMS provider checks no codes"));
        };
        let account = Account { sid: account_sid, token: auth_token, service: message_service_sid };
        let call = twilio::check(&self.endpoints.twilio_verify, &account, phone, code.expose())?;
        let answer = self.exchange(call).await?;
        twilio::approved(&answer).map_err(|text| presentable(&text, &[credentials(provider), code.expose()]))
    }
}
