//! Messages to phones, against stand-ins of the providers that look at each request.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::config::SmsProvider;
use domain::secret::Secret;
use domain::sms::{Channel, Sms};
use outbound::http::HttpClient;
use outbound::sms::{Endpoints, HttpSms};
use outbound::{RecordingSms, SmsTransport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What one request said.
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
    form: BTreeMap<String, String>,
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.unwrap();
        assert_ne!(length, 0, "the request breaks off");
        bytes.extend_from_slice(&chunk[..length]);
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..at].to_vec()).unwrap(), bytes[at + 4..].to_vec());
        }
    };
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while body.len() < length {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        body.extend_from_slice(&chunk[..read]);
    }
    Asked { line, headers, form: url::form_urlencoded::parse(&body).into_owned().collect() }
}

/// Answers one request; empty: says nothing and keeps the connection.
async fn provider(status: u16, body: &str) -> (HttpSms, JoinHandle<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status} Any\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let silent = body.is_empty();
    let conversation = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read(&mut stream).await;
        if silent {
            std::future::pending::<()>().await;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        asked
    });
    (transport(&base), conversation)
}

fn transport(base: &str) -> HttpSms {
    let client = HttpClient::new(Arc::new(|_: IpAddr| true), Duration::from_secs(30)).unwrap();
    HttpSms::new(client, Endpoints::all_at(base))
}

fn twilio(content_sid: &str, service: &str) -> SmsProvider {
    SmsProvider::Twilio {
        account_sid: "AC1".to_owned(),
        auth_token: Secret::new("t0ken".to_owned()),
        message_service_sid: service.to_owned(),
        content_sid: content_sid.to_owned(),
    }
}

fn twilio_verify() -> SmsProvider {
    SmsProvider::TwilioVerify {
        account_sid: "AC1".to_owned(),
        auth_token: Secret::new("t0ken".to_owned()),
        message_service_sid: "VA1".to_owned(),
    }
}

fn messagebird() -> SmsProvider {
    SmsProvider::Messagebird { access_key: Secret::new("k3y".to_owned()), originator: "Acme".to_owned() }
}

fn textlocal() -> SmsProvider {
    SmsProvider::Textlocal { api_key: Secret::new("k3y".to_owned()), sender: "ACME".to_owned() }
}

fn vonage() -> SmsProvider {
    SmsProvider::Vonage {
        api_key: "key".to_owned(),
        api_secret: Secret::new("s3cret".to_owned()),
        from: "Acme".to_owned(),
    }
}

fn all() -> [SmsProvider; 5] {
    [twilio("", "MG1"), twilio_verify(), messagebird(), textlocal(), vonage()]
}

fn message(channel: Channel, body: &str) -> Sms {
    Sms {
        phone: "15550001111".to_owned(),
        channel,
        body: Secret::new(body.to_owned()),
        code: Secret::new("123456".to_owned()),
    }
}

fn sms() -> Sms {
    message(Channel::Sms, "Your code is 123456")
}

fn form(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Sends to a provider that takes everything, and returns what it was asked.
async fn taken(settings: SmsProvider, message: Sms, status: u16, body: &str) -> Asked {
    let (transport, conversation) = provider(status, body).await;
    transport.send(&settings, &message).await.unwrap();
    let asked = conversation.await.unwrap();
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    asked
}

async fn refusal(settings: SmsProvider, status: u16, body: &str) -> String {
    let (transport, conversation) = provider(status, body).await;
    let error = transport.send(&settings, &sms()).await.unwrap_err();
    conversation.await.unwrap();
    error.to_string()
}

// AC1:t0ken
const BASIC: &str = "Basic QUMxOnQwa2Vu";

#[tokio::test]
async fn twilio_gets_a_message() {
    let asked = taken(twilio("HX1", "MG1"), sms(), 201, r#"{"sid":"SM1","status":"queued"}"#).await;
    assert_eq!(asked.line, "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1");
    assert_eq!(asked.headers["authorization"], BASIC);
    let expected = [("To", "+15550001111"), ("Channel", "sms"), ("From", "MG1"), ("Body", "Your code is 123456")];
    assert_eq!(asked.form, form(&expected));
}

#[tokio::test]
async fn twilio_sends_over_whatsapp() {
    let whatsapp = || message(Channel::Whatsapp, "Your code is 123456");
    let common = [("To", "whatsapp:+15550001111"), ("Channel", "whatsapp")];
    for (content_sid, service, rest) in [
        ("", "MG1", [("From", "MG1"), ("Body", "Your code is 123456")].as_slice()),
        ("", "+15559999999", &[("From", "whatsapp:+15559999999"), ("Body", "Your code is 123456")]),
        ("HX1", "MG1", &[("From", "MG1"), ("ContentSid", "HX1"), ("ContentVariables", r#"{"1": "123456"}"#)]),
    ] {
        let asked = taken(twilio(content_sid, service), whatsapp(), 200, r#"{"status":"accepted"}"#).await;
        assert_eq!(asked.form, form(&[common.as_slice(), rest].concat()));
    }
}

#[tokio::test]
async fn twilio_refuses_in_its_own_words() {
    for (status, body, text) in [
        (
            401,
            r#"{"code":20003,"message":"Authenticate","more_info":"https://t.test/20003","status":401}"#,
            "Authenticate More information: https://t.test/20003",
        ),
        (500, r#"{"message":"Internal"}"#, "Internal More information: "),
        (
            201,
            r#"{"sid":"SM1","status":"failed","error_code":30007,"error_message":"Carrier violation"}"#,
            "twilio error: Carrier violation 30007 for message SM1",
        ),
        (
            200,
            r#"{"sid":"SM1","status":"undelivered","error_code":null,"error_message":null}"#,
            "twilio error:   for message SM1",
        ),
        (404, "<html>", "the SMS provider's answer cannot be read (status 404)"),
    ] {
        let expected = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(refusal(twilio("", "MG1"), status, body).await, expected, "{body}");
    }
}

#[tokio::test]
async fn twilio_verify_makes_its_own_code() {
    for (channel, name) in [(Channel::Sms, "sms"), (Channel::Whatsapp, "whatsapp")] {
        let asked = taken(twilio_verify(), message(channel, "ignored"), 201, r#"{"status":"pending"}"#).await;
        assert_eq!(asked.line, "POST /v2/Services/VA1/Verifications HTTP/1.1");
        assert_eq!(asked.headers["authorization"], BASIC);
        assert_eq!(asked.form, form(&[("To", "+15550001111"), ("Channel", name)]));
    }
    let refused = r#"{"code":60200,"message":"Invalid parameter","more_info":"https://t.test/60200","status":400}"#;
    let text = "Invalid parameter More information: https://t.test/60200";
    assert_eq!(refusal(twilio_verify(), 400, refused).await, text);
}

#[tokio::test]
async fn twilio_verify_checks_codes() {
    let code = Secret::new("654321".to_owned());
    for (status, body, expected) in [
        (200, r#"{"status":"approved","valid":true}"#, Ok(true)),
        (200, r#"{"status":"approved","valid":false}"#, Ok(false)),
        (200, r#"{"status":"pending","valid":false}"#, Ok(false)),
        (200, r#"{"status":"pending","valid":true}"#, Ok(false)),
        (404, r#"{"code":20404,"message":"not found","more_info":"x","status":404}"#, Ok(false)),
        (
            429,
            r#"{"code":60202,"message":"Max check attempts reached","more_info":"https://t.test/60202"}"#,
            Err("Max check attempts reached More information: https://t.test/60202"),
        ),
        (200, r#"{"status":"expired","error_message":"too late"}"#, Err("twilio verification error: too late expired")),
        (200, "nonsense", Err("the SMS provider's answer cannot be read (status 200)")),
    ] {
        let (transport, conversation) = provider(status, body).await;
        let checked = transport.check(&twilio_verify(), "15550001111", &code).await;
        assert_eq!(checked.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{body}");
        let asked = conversation.await.unwrap();
        assert_eq!(asked.line, "POST /v2/Services/VA1/VerificationCheck HTTP/1.1");
        assert_eq!(asked.headers["authorization"], BASIC);
        assert_eq!(asked.form, form(&[("To", "+15550001111"), ("Code", "654321")]));
    }
}

#[tokio::test]
async fn only_twilio_verify_checks_codes() {
    let code = Secret::new("654321".to_owned());
    for settings in [twilio("", "MG1"), messagebird(), textlocal(), vonage()] {
        let error = transport("http://127.0.0.1:1").check(&settings, "15550001111", &code).await.unwrap_err();
        assert_eq!(error.to_string(), "the SMS provider checks no codes");
    }
}

#[tokio::test]
async fn messagebird_gets_a_message() {
    let asked = taken(messagebird(), sms(), 201, r#"{"id":"m1","recipients":{"totalSentCount":1}}"#).await;
    assert_eq!(asked.line, "POST /messages HTTP/1.1");
    assert_eq!(asked.headers["authorization"], "AccessKey k3y");
    let expected = [
        ("originator", "Acme"),
        ("body", "Your code is 123456"),
        ("recipients", "15550001111"),
        ("type", "sms"),
        ("datacoding", "unicode"),
    ];
    assert_eq!(asked.form, form(&expected));
}

#[tokio::test]
async fn messagebird_refuses_in_its_own_words() {
    let refused = r#"{"errors":[{"code":9,"description":"no (correct) recipients found","parameter":"recipients"}]}"#;
    for status in [400, 401, 403, 422] {
        assert_eq!(refusal(messagebird(), status, refused).await, "no (correct) recipients found");
    }
    for (status, body, text) in [
        (201, r#"{"recipients":{"totalSentCount":0}}"#, "messagebird error: total sent count is 0"),
        (201, r#"{}"#, "the SMS provider's answer cannot be read (status 201)"),
        (403, r#"{"errors":[]}"#, "the SMS provider's answer cannot be read (status 403)"),
        (503, refused, "the SMS provider's answer cannot be read (status 503)"),
    ] {
        assert_eq!(refusal(messagebird(), status, body).await, text);
    }
}

#[tokio::test]
async fn vonage_gets_a_message() {
    let common = [("from", "Acme"), ("to", "15550001111"), ("api_key", "key"), ("api_secret", "s3cret")];
    for (text, unicode) in [("Your code is 123456", None), ("Ihr Schlüssel: 123456", Some(("type", "unicode")))] {
        let body = r#"{"message-count":"1","messages":[{"status":"0","message-id":"v1"}]}"#;
        let asked = taken(vonage(), message(Channel::Sms, text), 200, body).await;
        assert_eq!(asked.line, "POST /sms/json HTTP/1.1");
        assert!(!asked.headers.contains_key("authorization"));
        let own: Vec<_> = [("text", text)].into_iter().chain(unicode).collect();
        assert_eq!(asked.form, form(&[common.as_slice(), &own].concat()));
    }
}

#[tokio::test]
async fn vonage_refuses_in_its_own_words() {
    for (body, text) in [
        (
            r#"{"messages":[{"status":"4","error-text":"Bad Credentials","message-id":"v1"}]}"#,
            "vonage error: Bad Credentials (status: 4) for message v1",
        ),
        (r#"{"messages":[]}"#, "vonage error: Internal Error"),
        ("[]", "vonage error: Internal Error"),
    ] {
        assert_eq!(refusal(vonage(), 200, body).await, text);
    }
}

#[tokio::test]
async fn textlocal_gets_a_message() {
    let asked = taken(textlocal(), sms(), 200, r#"{"status":"success","messages":[{"id":"1"}]}"#).await;
    assert_eq!(asked.line, "POST /send HTTP/1.1");
    assert!(!asked.headers.contains_key("authorization"));
    let expected =
        [("sender", "ACME"), ("apikey", "k3y"), ("message", "Your code is 123456"), ("numbers", "15550001111")];
    assert_eq!(asked.form, form(&expected));
}

#[tokio::test]
async fn textlocal_refuses_in_its_own_words() {
    for (body, text) in [
        (
            r#"{"status":"failure","errors":[{"code":3,"message":"Invalid login details"}],"messages":[{"id":"t1"}]}"#,
            "textlocal error: Invalid login details (code: 3) message t1",
        ),
        (
            r#"{"status":"failure","errors":[{"code":80,"message":"Invalid template"}]}"#,
            "textlocal error: Invalid template (code: 80) template message: Your code is ***",
        ),
        (r#"{"status":"failure"}"#, "textlocal error: (code: ) message"),
        ("{}", "the SMS provider's answer cannot be read (status 200)"),
    ] {
        assert_eq!(refusal(textlocal(), 200, body).await, text);
    }
}

#[tokio::test]
async fn a_provider_that_quotes_a_secret_or_the_code_does_not_tell_it() {
    let words = "t0ken k3y s3cret 123456";
    let bodies = [
        format!(r#"{{"message":"{words}"}}"#),
        format!(r#"{{"message":"{words}"}}"#),
        format!(r#"{{"errors":[{{"description":"{words}"}}]}}"#),
        format!(r#"{{"status":"failure","errors":[{{"code":80,"message":"{words}"}}]}}"#),
        format!(r#"{{"messages":[{{"status":"4","error-text":"{words}"}}]}}"#),
    ];
    let secrets = ["t0ken", "t0ken", "k3y", "k3y", "s3cret"];
    for ((settings, body), secret) in all().into_iter().zip(bodies).zip(secrets) {
        let name = settings.name();
        let text = refusal(settings, 400, &body).await;
        assert!(text.contains("***"), "{name}: {text}");
        assert!(!text.contains(secret) && !text.contains("123456"), "{name}: {text}");
    }
}

#[tokio::test]
async fn nonsense_is_no_success() {
    for body in ["nonsense", "null", "[]", "<html></html>", "\u{fffd}"] {
        for settings in all() {
            let name = settings.name();
            let text = refusal(settings, 200, body).await;
            assert!(text.contains("cannot be read") || text.contains("Internal Error"), "{name}: {text}");
        }
    }
    let huge = format!("{{\"status\":\"success\",\"x\":\"{}\"}}", "x".repeat(70_000));
    let (transport, conversation) = provider(200, &huge).await;
    let error = transport.send(&textlocal(), &sms()).await.unwrap_err();
    assert_eq!(error.to_string(), "the SMS provider's answer is too large");
    drop(conversation);
}

#[tokio::test]
async fn a_provider_that_is_away_is_named_without_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for settings in all() {
        let error = transport(&base).send(&settings, &sms()).await.unwrap_err();
        assert_eq!(error.to_string(), "the SMS provider could not be reached");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_left_after_ten_seconds() {
    for settings in all() {
        let (transport, conversation) = provider(200, "").await;
        let begin = tokio::time::Instant::now();
        let error = transport.send(&settings, &sms()).await.unwrap_err();
        assert_eq!(error.to_string(), "the SMS provider did not answer in time");
        assert!(begin.elapsed() <= Duration::from_secs(11), "{:?}", begin.elapsed());
        conversation.abort();
    }
}

#[test]
fn the_real_hosts_are_encrypted() {
    let hosts = Endpoints::default();
    for base in [&hosts.twilio, &hosts.twilio_verify, &hosts.messagebird, &hosts.textlocal, &hosts.vonage] {
        assert!(base.starts_with("https://"), "{base}");
    }
}

#[tokio::test]
async fn the_recording_transport_keeps_messages_and_fails_on_demand() {
    let recording = RecordingSms::new();
    recording.fail_next("no credit");
    let refused = recording.send(&vonage(), &sms()).await.unwrap_err();
    assert_eq!(refused.to_string(), "no credit");
    recording.send(&vonage(), &sms()).await.unwrap();
    assert_eq!(recording.sent(), [sms()]);
    assert_eq!(recording.take(), [(vonage(), sms())]);
    assert!(recording.sent().is_empty());

    let code = Secret::new("1".to_owned());
    assert_eq!(recording.check(&twilio_verify(), "15550001111", &code).await, Ok(false));
    recording.approve("1");
    assert_eq!(recording.check(&twilio_verify(), "15550001111", &code).await, Ok(true));
    assert_eq!(recording.checked().len(), 2);
    recording.fail_next("down");
    assert!(recording.check(&twilio_verify(), "15550001111", &code).await.is_err());
}
