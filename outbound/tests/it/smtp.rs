//! Sending over SMTP in the clear.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use outbound::{Encryption, MailTransport, RecordingTransport, SendError, SmtpServer, SmtpTransport};
use tokio::net::TcpListener;

use crate::messages::message;
use crate::smtp_server::{POLITE, Script, Tls, left_hanging, serve, serve_hanging, with_login};

fn transport() -> SmtpTransport {
    SmtpTransport::new("gateway.test", Arc::new(|_: IpAddr| true))
}

async fn refusal(script: Script) -> SendError {
    let (server, conversation) = serve(script).await;
    let error = transport().send(&server, &message()).await.unwrap_err();
    conversation.await.unwrap();
    error
}

fn cause(error: &SendError) -> String {
    error.source.to_string()
}

#[tokio::test]
async fn a_mail_is_handed_over() {
    let (server, conversation) = serve(POLITE).await;
    transport().send(&server, &message()).await.unwrap();
    let said = conversation.await.unwrap();
    assert_eq!(said[0], "EHLO gateway.test");
    assert_eq!(said[1], "MAIL FROM:<auth@acme.test>");
    assert_eq!(said[2], "RCPT TO:<ada@example.test>");
    assert_eq!(said[3], "DATA");
    assert_eq!(said.last().unwrap(), "QUIT");
    let mail = said[4..].join("\r\n");
    assert!(mail.starts_with("Message-ID: <00000000-0000-0000-0000-000000000007@acme.test>"), "{mail}");
    assert!(mail.contains("\r\n..\r\n"), "a lone dot is doubled: {mail}");
}

#[tokio::test]
async fn login_is_used_where_there_is_a_user_and_the_server_asks() {
    let plain = "AUTH PLAIN AG1haWxlcgBwNHNz";
    for (features, expected) in [(&["AUTH PLAIN LOGIN"] as &'static [&'static str], Some(plain)), (&["8BITMIME"], None)]
    {
        let (server, conversation) = serve(Script { features, ..POLITE }).await;
        transport().send(&with_login(server), &message()).await.unwrap();
        let said = conversation.await.unwrap();
        assert_eq!(said.iter().find(|line| line.starts_with("AUTH")).map(String::as_str), expected);
    }
    let (server, conversation) = serve(Script { auth: "535 no", ..POLITE }).await;
    let error = transport().send(&with_login(server), &message()).await.unwrap_err();
    assert!(error.permanent);
    assert!(!format!("{error:?}").contains("p4ss"));
    conversation.await.unwrap();
}

#[tokio::test]
async fn five_hundreds_are_final_and_four_hundreds_are_not() {
    for (script, permanent) in [
        (Script { rcpt: "550 no such user", ..POLITE }, true),
        (Script { rcpt: "450 mailbox busy", ..POLITE }, false),
        (Script { mail: "530 authentication required", ..POLITE }, true),
        (Script { end_of_data: "554 spam", ..POLITE }, true),
        (Script { end_of_data: "451 try later", ..POLITE }, false),
        (Script { greeting: "421 too busy", ..POLITE }, false),
        (Script { greeting: "554 go away", ..POLITE }, true),
        (Script { greeting: "nonsense", ..POLITE }, false),
    ] {
        let error = refusal(script).await;
        assert_eq!(error.permanent, permanent, "{error:?}");
    }
}

#[tokio::test]
async fn starttls_once_offered_is_not_given_up() {
    let (server, conversation) = serve(Script { features: &["STARTTLS"], ..POLITE }).await;
    let error = transport().send(&with_login(server), &message()).await.unwrap_err();
    assert!(!error.permanent, "{error:?}");
    let said = conversation.await.unwrap();
    assert_eq!(said, ["EHLO gateway.test", "STARTTLS"]);
}

#[tokio::test]
async fn required_encryption_sends_nothing_in_the_clear() {
    let (server, conversation) = serve(POLITE).await;
    let server = SmtpServer { encryption: Encryption::Required, ..with_login(server) };
    let error = transport().send(&server, &message()).await.unwrap_err();
    assert!(error.permanent);
    assert_eq!(cause(&error), "the mail server does not offer encryption");
    assert_eq!(conversation.await.unwrap(), ["EHLO gateway.test", "QUIT"]);
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_reached() {
    let (server, conversation) = serve(POLITE).await;
    let guarded = SmtpTransport::new("gateway.test", Arc::new(|ip: IpAddr| !ip.is_loopback()));
    for host in ["127.0.0.1", "localhost"] {
        let error =
            guarded.send(&SmtpServer { host: host.to_owned(), ..server.clone() }, &message()).await.unwrap_err();
        assert!(error.permanent);
        assert!(cause(&error).starts_with("the mail server's address is not allowed"), "{error:?}");
    }
    assert!(!conversation.is_finished());
    conversation.abort();
}

#[tokio::test]
async fn a_closed_port_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server =
        SmtpServer { host: "127.0.0.1".to_owned(), port, user: None, pass: None, encryption: Encryption::default() };
    let error = transport().send(&server, &message()).await.unwrap_err();
    assert!(!error.permanent, "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for() {
    for (at, limit) in
        [("greeting", 10), ("EHLO", 10), ("AUTH", 20), ("MAIL", 20), ("RCPT", 20), ("DATA", 20), (".", 30)]
    {
        let (server, conversation, hangs) = serve_hanging(Script { hangs_at: at, ..POLITE }, Tls::Never).await;
        let begin = tokio::time::Instant::now();
        let error = left_hanging(hangs, transport().send(&with_login(server), &message())).await.unwrap_err();
        tokio::time::resume();
        assert!(!error.permanent, "{at}");
        assert_eq!(cause(&error), format!("no answer within {limit}s"), "{at}");
        assert!(begin.elapsed() <= Duration::from_secs(limit + 3), "{at}: {:?}", begin.elapsed());
        conversation.abort();
    }
}

#[tokio::test]
async fn a_server_that_hangs_at_the_end_has_the_mail() {
    let (server, conversation, hangs) = serve_hanging(Script { hangs_at: "QUIT", ..POLITE }, Tls::Never).await;
    left_hanging(hangs, transport().send(&server, &message())).await.unwrap();
    conversation.abort();
}

#[tokio::test]
async fn login_takes_the_way_the_server_knows() {
    for (features, expected) in [
        (&["AUTH PLAIN LOGIN"] as &'static [&'static str], "AUTH PLAIN AG1haWxlcgBwNHNz"),
        (&["AUTH LOGIN PLAIN CRAM-MD5"], "AUTH PLAIN AG1haWxlcgBwNHNz"),
        (&["AUTH LOGIN XOAUTH2"], "AUTH LOGIN bWFpbGVy cDRzcw=="),
    ] {
        let (server, conversation) = serve(Script { features, ..POLITE }).await;
        transport().send(&with_login(server), &message()).await.unwrap();
        let said = conversation.await.unwrap();
        let start = said.iter().position(|line| line.starts_with("AUTH")).unwrap();
        let end = said.iter().position(|line| line.starts_with("MAIL")).unwrap();
        assert_eq!(said[start..end].join(" "), expected, "{features:?}");
    }
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_server_that_takes_it() {
    let mut foreign = message();
    foreign.to.email = "jürgen@example.test".to_owned();
    let (server, conversation) = serve(Script { features: &["SMTPUTF8", "8BITMIME"], ..POLITE }).await;
    transport().send(&server, &foreign).await.unwrap();
    let said = conversation.await.unwrap();
    assert_eq!(said[1], "MAIL FROM:<auth@acme.test> SMTPUTF8 BODY=8BITMIME");
    assert_eq!(said[2], "RCPT TO:<jürgen@example.test>");

    let (server, conversation) = serve(POLITE).await;
    let error = transport().send(&server, &foreign).await.unwrap_err();
    assert!(error.permanent);
    assert_eq!(cause(&error), "the mail server takes no addresses beyond ASCII");
    assert_eq!(conversation.await.unwrap(), ["EHLO gateway.test", "QUIT"]);
}

#[tokio::test]
async fn a_server_that_never_says_goodbye_has_the_mail_all_the_same() {
    let (server, conversation) = serve(Script { quit: "", ..POLITE }).await;
    transport().send(&server, &message()).await.unwrap();
    assert_eq!(conversation.await.unwrap().last().unwrap(), "QUIT");
}

#[tokio::test]
async fn a_server_that_breaks_the_mail_library_breaks_one_mail() {
    // A line of blanks among the features, which lettre 0.11 does not expect.
    let error = refusal(Script { features: &["   "], ..POLITE }).await;
    assert!(!error.permanent);
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_not_sent() {
    let mut broken = message();
    broken.to.email = "nobody".to_owned();
    let server =
        SmtpServer { host: "127.0.0.1".to_owned(), port: 1, user: None, pass: None, encryption: Encryption::default() };
    let error = transport().send(&server, &broken).await.unwrap_err();
    assert!(error.permanent);
    assert_eq!(error.to_string(), "the mail was refused");
}

#[tokio::test]
async fn the_recording_transport_keeps_mails_and_fails_on_demand() {
    let recording = RecordingTransport::new();
    let (server, conversation) = serve(POLITE).await;
    conversation.abort();
    recording.fail_next(true);
    recording.fail_next(false);
    assert!(recording.send(&server, &message()).await.unwrap_err().permanent);
    assert!(!recording.send(&server, &message()).await.unwrap_err().permanent);
    recording.send(&server, &message()).await.unwrap();
    assert_eq!(recording.sent(), [message()]);
    assert_eq!(recording.take(), [(server, message())]);
    assert!(recording.sent().is_empty());
}
