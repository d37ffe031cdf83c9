//! Sending over SMTP, against a small server that says what a test tells it to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::secret::Secret;
use outbound::{Encryption, MailTransport, RecordingTransport, SendError, SmtpServer, SmtpTransport};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::messages::message;

/// What the server answers; the usual where nothing is given.
#[derive(Clone, Copy)]
struct Script {
    greeting: &'static str,
    features: &'static [&'static str],
    mail: &'static str,
    rcpt: &'static str,
    end_of_data: &'static str,
    auth: &'static str,
    /// Empty: the connection ends without an answer.
    quit: &'static str,
}

const POLITE: Script = Script {
    greeting: "220 test",
    features: &["8BITMIME", "AUTH PLAIN LOGIN"],
    mail: "250 ok",
    rcpt: "250 ok",
    end_of_data: "250 queued",
    auth: "235 ok",
    quit: "221 bye",
};

/// Serves one connection, and returns the lines the client said.
async fn serve(script: Script) -> (SmtpServer, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let conversation = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut said = Vec::new();
        let mut in_data = false;
        write.write_all(format!("{}\r\n", script.greeting).as_bytes()).await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            let verb = line.split(' ').next().unwrap().to_owned();
            let answer = match verb.as_str() {
                "." if in_data => {
                    in_data = false;
                    script.end_of_data.to_owned()
                }
                _ if in_data => String::new(),
                "EHLO" => {
                    let mut answer = String::from("250-test");
                    for feature in script.features {
                        answer += &format!("\r\n250-{feature}");
                    }
                    answer + "\r\n250 HELP"
                }
                "STARTTLS" => "220 go on".to_owned(),
                "AUTH" => script.auth.to_owned(),
                "MAIL" => script.mail.to_owned(),
                "RCPT" => script.rcpt.to_owned(),
                "DATA" => {
                    in_data = true;
                    "354 go on".to_owned()
                }
                "QUIT" => script.quit.to_owned(),
                _ => "502 unknown".to_owned(),
            };
            said.push(line);
            if !answer.is_empty() && write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                break;
            }
            if verb == "QUIT" || (verb == "STARTTLS" && !in_data) {
                break;
            }
        }
        said
    });
    let server = SmtpServer {
        host: "127.0.0.1".to_owned(),
        port,
        user: None,
        pass: None,
        encryption: Encryption::Opportunistic,
    };
    (server, conversation)
}

fn transport() -> SmtpTransport {
    SmtpTransport::new("gateway.test", Arc::new(|_: IpAddr| true))
}

fn with_login(server: SmtpServer) -> SmtpServer {
    SmtpServer { user: Some("mailer".to_owned()), pass: Some(Secret::new("p4ss".to_owned())), ..server }
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

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server =
        SmtpServer { host: "127.0.0.1".to_owned(), port, user: None, pass: None, encryption: Encryption::default() };
    let begin = tokio::time::Instant::now();
    let error = transport().send(&server, &message()).await.unwrap_err();
    assert!(!error.permanent);
    assert_eq!(cause(&error), "no answer within 10s");
    assert!(begin.elapsed() <= Duration::from_secs(20));
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
