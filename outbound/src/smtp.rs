//! Mail over SMTP (`contract/platform.md` §5.1): one connection for each message.

mod clear;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::mail::Message;
use crate::reach::Reach;
use crate::transport::{Encryption, MailTransport, SendError, SmtpServer};
use clear::Clear;

/// Looking up the host, and again reaching it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Everything from the look-up until the server wants to have the mail.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// Taking the mail. Longer, since a mail that the server takes after this is sent again.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(30);
/// Saying good-bye, when the outcome is known and no longer depends on it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The port on which TLS starts at once (RFC 8314).
const IMPLICIT_TLS_PORT: u16 = 465;
/// How every certificate in a PEM file starts.
const PEM_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Sends over the network.
///
/// - Port 465 is TLS from the start; on any other port `STARTTLS` is used when offered, and once it is offered a
///   failure of it fails the mail. [`Encryption::Required`] refuses what stays in the clear.
/// - The server's certificate must be valid for its name, issued by a public authority or one of [`SmtpTransport::trusting`].
/// - Credentials go only over TLS or to a loopback address, so that nobody in between gets them by hiding `STARTTLS`.
/// - The look-up and the connection take at most 10 s each, everything before the mail itself 20 s, the mail and the
///   server's verdict on it 30 s.
pub struct SmtpTransport {
    hello: ClientId,
    reach: Reach,
    roots: Vec<Certificate>,
    implicit_tls_port: u16,
}

/// A text that holds no usable certificates.
#[derive(Debug, thiserror::Error)]
#[error("not a list of certificates in PEM form")]
pub struct NotCertificates(#[source] Option<lettre::transport::smtp::Error>);

/// Why a mail was not tried, or broken off, by us.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the mail server's name has no address")]
    NoAddress,
    #[error("the mail server's address is not allowed: {0}")]
    Forbidden(IpAddr),
    #[error("the mail server does not offer encryption")]
    NotEncrypted,
    #[error("the mail server does not offer encryption, so the password was not sent")]
    PasswordInClear,
    #[error("the mail server takes no addresses beyond ASCII")]
    AddressNotAscii,
    #[error("sending broke down")]
    BrokeDown,
}

impl SmtpTransport {
    /// A transport that greets servers as `hello` (the host of the gateway's external URL) and connects only where
    /// `reach` allows it.
    pub fn new(hello: &str, reach: Reach) -> Self {
        let hello = match hello.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(ip)) => ClientId::Ipv4(ip),
            Ok(IpAddr::V6(ip)) => ClientId::Ipv6(ip),
            Err(_) if is_host_name(hello) => ClientId::Domain(hello.to_owned()),
            Err(_) => ClientId::Domain("localhost".to_owned()),
        };
        Self { hello, reach, roots: Vec::new(), implicit_tls_port: IMPLICIT_TLS_PORT }
    }

    /// Speaks TLS from the start on this port instead of 465.
    pub fn implicit_tls_port(self, port: u16) -> Self {
        Self { implicit_tls_port: port, ..self }
    }

    /// Also trusts servers with a certificate that one of these authorities, certificates in PEM form, has issued.
    ///
    /// # Errors
    /// There is no certificate in `pem`, or one that cannot be read.
    pub fn trusting(mut self, pem: &str) -> Result<Self, NotCertificates> {
        if !pem.contains(PEM_CERTIFICATE) {
            return Err(NotCertificates(None));
        }
        self.roots.push(Certificate::from_pem(pem.as_bytes()).map_err(|error| NotCertificates(Some(error)))?);
        // Whether they are certificates shows only here.
        tls("localhost", &self.roots).map_err(|error| NotCertificates(Some(error)))?;
        Ok(self)
    }
}

#[async_trait]
impl MailTransport for SmtpTransport {
    async fn send(&self, server: &SmtpServer, message: &Message) -> Result<(), SendError> {
        let mail = message.build().map_err(SendError::permanent)?;
        let delivery = Delivery {
            hello: self.hello.clone(),
            reach: Arc::clone(&self.reach),
            roots: self.roots.clone(),
            implicit_tls: server.port == self.implicit_tls_port,
            server: server.clone(),
            envelope: mail.envelope().clone(),
            bytes: mail.formatted(),
        };
        // A task of its own: what a hostile server can break in the mail library stays there. Dropping the set ends it.
        let mut task = JoinSet::new();
        task.spawn(delivery.run());
        match task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(SendError::transient(Fault::BrokeDown)),
        }
    }
}

struct Delivery {
    hello: ClientId,
    reach: Reach,
    roots: Vec<Certificate>,
    implicit_tls: bool,
    server: SmtpServer,
    envelope: Envelope,
    bytes: Vec<u8>,
}

impl Delivery {
    async fn run(self) -> Result<(), SendError> {
        let deadline = Instant::now() + SEND_TIMEOUT;
        let addresses = self.addresses().await?;
        let connection = self.connect(&addresses).await?;
        // A connection whose handshake failed is of no more use, not even for a good-bye.
        let encrypting = timeout_at(deadline, self.encrypt(connection));
        let mut connection = encrypting.await.unwrap_or_else(|_| Err(too_late(SEND_TIMEOUT)))?;
        let opening = self.open(&mut connection, &addresses);
        let opened = timeout_at(deadline, opening).await.unwrap_or_else(|_| Err(too_late(SEND_TIMEOUT)));
        let result = match opened {
            Ok(()) => {
                let handing = self.hand_over(&mut connection);
                timeout(VERDICT_TIMEOUT, handing).await.unwrap_or_else(|_| Err(too_late(VERDICT_TIMEOUT)))
            }
            Err(error) => Err(error),
        };
        // A server that hangs now must not turn a mail it has taken into one that is sent again.
        let closing = async {
            match &result {
                Ok(()) => drop(connection.quit().await),
                Err(_) => connection.abort().await,
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
        result
    }

    /// The server's addresses, if every one of them may be reached: a name that also points to a forbidden place is
    /// not to be trusted.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, SendError> {
        let lookup = tokio::net::lookup_host((self.host(), self.server.port));
        let found = match timeout(CONNECT_TIMEOUT, lookup).await {
            Ok(found) => found.map_err(SendError::transient)?,
            Err(_elapsed) => return Err(too_late(CONNECT_TIMEOUT)),
        };
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(SendError::transient(Fault::NoAddress));
        }
        match addresses.iter().find(|address| !(self.reach)(address.ip())) {
            Some(forbidden) => Err(SendError::permanent(Fault::Forbidden(forbidden.ip()))),
            None => Ok(addresses),
        }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<AsyncSmtpConnection, SendError> {
        let connecting = async {
            if self.implicit_tls {
                let tls = Some(self.tls()?);
                let connected = AsyncSmtpConnection::connect_tokio1(addresses, None, &self.hello, tls, None);
                return connected.await.map_err(classify);
            }
            let stream = TcpStream::connect(addresses).await.map_err(SendError::transient)?;
            let clear = Box::new(Clear::new(stream));
            AsyncSmtpConnection::connect_with_transport(clear, &self.hello).await.map_err(classify)
        };
        timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(too_late(CONNECT_TIMEOUT)))
    }

    /// The connection, encrypted where the server offers it.
    async fn encrypt(&self, mut connection: AsyncSmtpConnection) -> Result<AsyncSmtpConnection, SendError> {
        if connection.can_starttls() {
            connection.starttls(self.tls()?, &self.hello).await.map_err(classify)?;
        }
        Ok(connection)
    }

    /// Everything up to the point where the server wants to have the mail.
    async fn open(&self, connection: &mut AsyncSmtpConnection, addresses: &[SocketAddr]) -> Result<(), SendError> {
        let encrypted = connection.is_encrypted();
        if !encrypted && self.server.encryption == Encryption::Required {
            return Err(SendError::permanent(Fault::NotEncrypted));
        }
        if let Some((credentials, mechanism)) = self.login(connection) {
            if !encrypted && !addresses.iter().all(|address| address.ip().is_loopback()) {
                return Err(SendError::permanent(Fault::PasswordInClear));
            }
            connection.auth(&[mechanism], &credentials).await.map_err(classify)?;
        }
        let sender = self.envelope.from().cloned();
        connection.command(Mail::new(sender, self.parameters(connection)?)).await.map_err(classify)?;
        for receiver in self.envelope.to() {
            connection.command(Rcpt::new(receiver.clone(), Vec::new())).await.map_err(classify)?;
        }
        connection.command(Data).await.map_err(classify)?;
        Ok(())
    }

    /// What the server must know of the mail before it comes (RFC 6531, RFC 6152).
    fn parameters(&self, connection: &AsyncSmtpConnection) -> Result<Vec<MailParameter>, SendError> {
        let offered = |extension| connection.server_info().supports_feature(extension);
        let mut parameters = Vec::new();
        let mut addresses = self.envelope.to().iter().chain(self.envelope.from());
        if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !offered(Extension::SmtpUtfEight) {
                return Err(SendError::permanent(Fault::AddressNotAscii));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !self.bytes.is_ascii() && offered(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    async fn hand_over(&self, connection: &mut AsyncSmtpConnection) -> Result<(), SendError> {
        connection.message(&self.bytes).await.map_err(classify)?;
        Ok(())
    }

    /// Credentials and the way to show them: none without a user, none where the server asks for none.
    fn login(&self, connection: &AsyncSmtpConnection) -> Option<(Credentials, Mechanism)> {
        let user = self.server.user.clone().filter(|user| !user.is_empty())?;
        let pass = self.server.pass.as_ref().map(|pass| pass.expose().clone()).unwrap_or_default();
        let offered = connection.server_info().get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login])?;
        Some((Credentials::new(user, pass), offered))
    }

    fn tls(&self) -> Result<TlsParameters, SendError> {
        tls(self.host(), &self.roots).map_err(SendError::permanent)
    }

    /// The host; an IPv6 address without its brackets.
    fn host(&self) -> &str {
        self.server.host.trim_matches(['[', ']'])
    }
}

/// TLS to `host`, with public authorities and `roots` trusted.
fn tls(host: &str, roots: &[Certificate]) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let builder = TlsParameters::builder(host.to_owned());
    roots.iter().cloned().fold(builder, |builder, root| builder.add_root_certificate(root)).build()
}

fn too_late(limit: Duration) -> SendError {
    SendError::transient(Fault::Timeout(limit))
}

/// 5xx and messages the server cannot take are final; anything about the network is not.
fn classify(error: lettre::transport::smtp::Error) -> SendError {
    let permanent = error.is_permanent() || error.is_client();
    SendError { permanent, source: Box::<dyn Error + Send + Sync>::from(error) }
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}
