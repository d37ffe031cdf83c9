//! A small SMTP server that says what a test tells it to.

use std::sync::Arc;

use domain::secret::Secret;
use outbound::{Encryption, SmtpServer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the server answers.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) greeting: &'static str,
    pub(crate) features: &'static [&'static str],
    pub(crate) starttls: &'static str,
    pub(crate) mail: &'static str,
    pub(crate) rcpt: &'static str,
    pub(crate) end_of_data: &'static str,
    pub(crate) auth: &'static str,
    /// Empty: the connection ends without an answer.
    pub(crate) quit: &'static str,
    /// The command it never answers; `greeting` and `.` count as such, `TLS` is the handshake.
    pub(crate) hangs_at: &'static str,
}

pub(crate) const POLITE: Script = Script {
    greeting: "220 test",
    features: &["8BITMIME", "AUTH PLAIN LOGIN"],
    starttls: "220 go on",
    mail: "250 ok",
    rcpt: "250 ok",
    end_of_data: "250 queued",
    auth: "235 ok",
    quit: "221 bye",
    hangs_at: "",
};

/// A certificate for `localhost`, and the authority that has issued it.
pub(crate) struct Identity {
    acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub(crate) authority: String,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: authority_certificate.pem() }
    }
}

/// When a server starts to encrypt.
pub(crate) enum Tls {
    Never,
    /// After `STARTTLS`.
    OnDemand(TlsAcceptor),
    AtOnce(TlsAcceptor),
}

impl Identity {
    pub(crate) fn on_demand(&self) -> Tls {
        Tls::OnDemand(self.acceptor.clone())
    }

    pub(crate) fn at_once(&self) -> Tls {
        Tls::AtOnce(self.acceptor.clone())
    }
}

pub(crate) fn with_login(server: SmtpServer) -> SmtpServer {
    SmtpServer { user: Some("mailer".to_owned()), pass: Some(Secret::new("p4ss".to_owned())), ..server }
}

/// Serves one connection in the clear, and returns the lines the client said.
pub(crate) async fn serve(script: Script) -> (SmtpServer, JoinHandle<Vec<String>>) {
    serve_with(script, Tls::Never).await
}

/// Serves one connection, and returns the lines the client said; `-- TLS --` stands where encryption started.
pub(crate) async fn serve_with(script: Script, tls: Tls) -> (SmtpServer, JoinHandle<Vec<String>>) {
    let (server, conversation, _) = serve_hanging(script, tls).await;
    (server, conversation)
}

/// What a client says of a server that hangs. The clock stands still from the moment the server falls silent, so that waiting
/// takes no time, and no wait ends early that is not about the silence.
pub(crate) async fn left_hanging<T>(hangs: Arc<Notify>, sending: impl Future<Output = T>) -> T {
    let silence = async {
        hangs.notified().await;
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = sending => outcome,
        () = silence => unreachable!(),
    }
}

/// [`serve_with`], and what tells that the server has fallen silent.
pub(crate) async fn serve_hanging(script: Script, tls: Tls) -> (SmtpServer, JoinHandle<Vec<String>>, Arc<Notify>) {
    let notify = Arc::new(Notify::new());
    let hangs = Hang { at: script.hangs_at, notify: Arc::clone(&notify) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let conversation = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        match tls {
            Tls::Never => {
                converse(&mut stream, script, true, &hangs, &mut said).await;
            }
            Tls::AtOnce(acceptor) => {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    said.push("-- TLS --".to_owned());
                    converse(&mut stream, script, true, &hangs, &mut said).await;
                }
            }
            Tls::OnDemand(acceptor) => {
                let clear = Script { features: &["STARTTLS", "8BITMIME", "AUTH PLAIN LOGIN"], ..script };
                if converse(&mut stream, clear, true, &hangs, &mut said).await {
                    hangs.if_at("TLS").await;
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        said.push("-- TLS --".to_owned());
                        converse(&mut stream, script, false, &hangs, &mut said).await;
                    }
                }
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
    (server, conversation, notify)
}

/// Where a server falls silent.
struct Hang {
    at: &'static str,
    notify: Arc<Notify>,
}

impl Hang {
    async fn if_at(&self, verb: &str) {
        if verb == self.at {
            self.notify.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Answers until the client leaves, or wants to encrypt: then `true`.
async fn converse<S>(stream: &mut S, script: Script, greet: bool, hangs: &Hang, said: &mut Vec<String>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    let mut in_data = false;
    let mut secrets = 0;
    if greet {
        hangs.if_at("greeting").await;
        write.write_all(format!("{}\r\n", script.greeting).as_bytes()).await.unwrap();
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.split(' ').next().unwrap().to_owned();
        if !in_data {
            hangs.if_at(&verb).await;
        }
        let answer = match verb.as_str() {
            "." if in_data => {
                hangs.if_at(".").await;
                in_data = false;
                script.end_of_data.to_owned()
            }
            _ if in_data => String::new(),
            "EHLO" => {
                let features = script.features.iter().map(|feature| format!("\r\n250-{feature}"));
                format!("250-test{}\r\n250 HELP", features.collect::<String>())
            }
            "STARTTLS" => script.starttls.to_owned(),
            // The questions of AUTH LOGIN: user name and password.
            "AUTH" if line == "AUTH LOGIN" => {
                secrets = 2;
                "334 VXNlcm5hbWU6".to_owned()
            }
            "AUTH" => script.auth.to_owned(),
            _ if secrets == 2 => {
                secrets = 1;
                "334 UGFzc3dvcmQ6".to_owned()
            }
            _ if secrets == 1 => {
                secrets = 0;
                script.auth.to_owned()
            }
            "MAIL" => script.mail.to_owned(),
            "RCPT" => script.rcpt.to_owned(),
            "DATA" => {
                in_data = true;
                "354 go on".to_owned()
            }
            "QUIT" => script.quit.to_owned(),
            _ => "502 unknown".to_owned(),
        };
        let leaving = verb == "QUIT" && !in_data;
        let encrypting = verb == "STARTTLS" && !in_data;
        said.push(line);
        if !answer.is_empty() && write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return false;
        }
        if leaving || encrypting {
            return encrypting && script.starttls.starts_with("220");
        }
    }
    false
}
