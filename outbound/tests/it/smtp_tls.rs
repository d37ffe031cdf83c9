//! Sending over SMTP with encryption, under a certificate made for the test.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use outbound::{Encryption, MailTransport, SendError, SmtpServer, SmtpTransport};

use crate::messages::message;
use crate::smtp_server::{Identity, POLITE, Script, Tls, left_hanging, serve_hanging, serve_with, with_login};

const LOGIN: &str = "AUTH PLAIN AG1haWxlcgBwNHNz";

fn transport() -> SmtpTransport {
    SmtpTransport::new("gateway.test", Arc::new(|_: IpAddr| true))
}

fn trusting(identity: &Identity) -> SmtpTransport {
    transport().trusting(&identity.authority).unwrap()
}

/// The certificate is for this name.
fn by_name(server: SmtpServer) -> SmtpServer {
    SmtpServer { host: "localhost".to_owned(), ..with_login(server) }
}

fn required(server: SmtpServer) -> SmtpServer {
    SmtpServer { encryption: Encryption::Required, ..server }
}

/// What the operator reads.
fn cause(error: &SendError) -> String {
    error.source.to_string()
}

#[tokio::test]
async fn starttls_comes_before_login_and_mail() {
    let identity = Identity::new();
    for needs in [by_name, |server| required(by_name(server))] {
        let (server, conversation) = serve_with(POLITE, identity.on_demand()).await;
        trusting(&identity).send(&needs(server), &message()).await.unwrap();
        let said = conversation.await.unwrap();
        let opening = ["EHLO gateway.test", "STARTTLS", "-- TLS --", "EHLO gateway.test", LOGIN];
        assert_eq!(said[..5], opening);
        assert_eq!(said[5], "MAIL FROM:<auth@acme.test>");
        assert_eq!(said.last().unwrap(), "QUIT");
    }
}

#[tokio::test]
async fn implicit_tls_encrypts_from_the_start() {
    let identity = Identity::new();
    let (server, conversation) = serve_with(POLITE, identity.at_once()).await;
    let transport = trusting(&identity).implicit_tls_port(server.port);
    transport.send(&required(by_name(server)), &message()).await.unwrap();
    let said = conversation.await.unwrap();
    assert_eq!(said[..3], ["-- TLS --", "EHLO gateway.test", LOGIN]);
    assert_eq!(said.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_not_accepted() {
    let identity = Identity::new();
    let other = Identity::new();
    for trusted in [transport(), trusting(&other)] {
        let (server, conversation) = serve_with(POLITE, identity.on_demand()).await;
        let error = trusted.send(&by_name(server), &message()).await.unwrap_err();
        assert!(!error.permanent, "the operator may repair it before the last attempt");
        assert!(cause(&error).contains("UnknownIssuer") || cause(&error).contains("BadSignature"), "{}", cause(&error));
        assert_eq!(conversation.await.unwrap(), ["EHLO gateway.test", "STARTTLS"]);
    }
    let (server, conversation) = serve_with(POLITE, identity.at_once()).await;
    let transport = transport().implicit_tls_port(server.port);
    assert!(!transport.send(&by_name(server), &message()).await.unwrap_err().permanent);
    assert!(conversation.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_accepted() {
    let identity = Identity::new();
    let (server, conversation) = serve_with(POLITE, identity.on_demand()).await;
    let error = trusting(&identity).send(&with_login(server), &message()).await.unwrap_err();
    assert!(cause(&error).contains("not valid for name"), "{}", cause(&error));
    assert_eq!(conversation.await.unwrap(), ["EHLO gateway.test", "STARTTLS"]);
}

#[tokio::test]
async fn what_was_said_before_encryption_does_not_count_afterwards() {
    let identity = Identity::new();
    let starttls = "220 go on\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 queued";
    let (server, conversation) = serve_with(Script { starttls, ..POLITE }, identity.on_demand()).await;
    let error = trusting(&identity).send(&by_name(server), &message()).await.unwrap_err();
    assert!(!error.permanent, "{error:?}");
    assert_eq!(conversation.await.unwrap(), ["EHLO gateway.test", "STARTTLS"]);
}

#[tokio::test]
async fn a_refused_starttls_is_not_given_up() {
    let identity = Identity::new();
    for (starttls, permanent) in [("454 not now", false), ("502 what", true)] {
        let (server, conversation) = serve_with(Script { starttls, ..POLITE }, identity.on_demand()).await;
        let error = trusting(&identity).send(&by_name(server), &message()).await.unwrap_err();
        assert_eq!(error.permanent, permanent, "{error:?}");
        assert_eq!(conversation.await.unwrap()[..2], ["EHLO gateway.test", "STARTTLS"]);
    }
}

#[tokio::test]
async fn a_server_that_hangs_while_encrypting_is_not_waited_for() {
    let identity = Identity::new();
    for at in ["STARTTLS", "TLS"] {
        let (server, conversation, hangs) =
            serve_hanging(Script { hangs_at: at, ..POLITE }, identity.on_demand()).await;
        let begin = tokio::time::Instant::now();
        let sending = trusting(&identity);
        let error = left_hanging(hangs, sending.send(&with_login(server), &message())).await.unwrap_err();
        tokio::time::resume();
        assert!(!error.permanent, "{at}");
        assert_eq!(error.source.to_string(), "no answer within 20s", "{at}");
        assert!(begin.elapsed() <= Duration::from_secs(23), "{at}: {:?}", begin.elapsed());
        conversation.abort();
    }
    // A server in the clear on a port where TLS is expected: both sides wait for the other.
    let (server, conversation, hangs) = serve_hanging(Script { hangs_at: "greeting", ..POLITE }, Tls::Never).await;
    let sending = trusting(&identity).implicit_tls_port(server.port);
    let error = left_hanging(hangs, sending.send(&server, &message())).await.unwrap_err();
    assert_eq!(error.source.to_string(), "no answer within 10s");
    conversation.abort();
}

#[test]
fn only_certificates_are_trusted() {
    let broken = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n";
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!!", broken] {
        assert!(transport().trusting(pem).is_err(), "{pem:?}");
    }
    let two = format!("{}{}", Identity::new().authority, Identity::new().authority);
    assert!(transport().trusting(&two).is_ok());
}
