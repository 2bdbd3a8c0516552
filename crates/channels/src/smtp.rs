//! E-mail by SMTP, always with TLS.

use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_mail::mail::Mail;
use countersign_notifications::destination::Tls as Protection;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};
use std::time::Duration;

/// A server of SMTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) protection: Protection,
    /// Roots in PEM besides the public ones.
    pub(crate) roots: Option<&'a [u8]>,
}

/// Sends a mail, once.
pub(crate) async fn send(
    server: Server<'_>,
    credentials: Option<(String, String)>,
    mail: &Mail,
    time_limit: Duration,
) -> Outcome {
    let transport = match transport(server, credentials, time_limit) {
        Ok(transport) => transport,
        Err(error) => return failed(FailureClass::Unusable, None, &error),
    };
    let address = |text: &str| text.parse::<Address>().map_err(|error| error.to_string());
    let envelope = address(mail.envelope_from.as_str())
        .and_then(|from| Ok((from, address(mail.recipient.as_str())?)))
        .and_then(|(from, to)| Envelope::new(Some(from), vec![to]).map_err(|error| error.to_string()));
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return failed(FailureClass::Unusable, None, &error),
    };
    match transport.send_raw(&envelope, &mail.bytes).await {
        Ok(response) => {
            let code: u16 = response.code().into();
            Outcome::Delivered { status: Some(code), reference: Some(mail.message_id.clone()) }
        }
        Err(error) => failure(&error),
    }
}

fn transport(
    server: Server<'_>,
    credentials: Option<(String, String)>,
    time_limit: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let Server { host, port, protection, roots } = server;
    let mut parameters =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(roots) = roots {
        let root = Certificate::from_pem(roots).map_err(|_| "a root cannot be used".to_owned())?;
        parameters = parameters.add_root_certificate(root);
    }
    let parameters = parameters.build_rustls().map_err(|error| error.to_string())?;
    let tls = match protection {
        Protection::Implicit => Tls::Wrapper(parameters),
        Protection::StartTls => Tls::Required(parameters),
    };
    // Dangerous is only that it has no TLS until it is given some.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(time_limit));
    if let Some((username, password)) = credentials {
        builder = builder.credentials(Credentials::new(username, password));
    }
    Ok(builder.build())
}

/// What an error means. The text of the server is not repeated: it may quote addresses.
fn failure(error: &smtp::Error) -> Outcome {
    let status = error.status().map(u16::from);
    let class = match status {
        // RFC 4954: the server does not believe the sender, or wants to be told more of it.
        Some(530 | 534 | 535 | 538) => FailureClass::Credentials,
        Some(400..=499) => FailureClass::Overloaded,
        Some(_) => FailureClass::Refused,
        None if error.is_timeout() => FailureClass::Timeout,
        None if error.is_tls() => FailureClass::Tls,
        None if error.is_client() => FailureClass::Refused,
        None => FailureClass::Connection,
    };
    let detail = match status {
        Some(status) => format!("the mail server answered {status}"),
        None => format!("the mail server was not reached: {class}"),
    };
    failed(class, status, &detail)
}

fn failed(class: FailureClass, status: Option<u16>, detail: &str) -> Outcome {
    Outcome::Failed(Failure { class, status, retry_after: None, detail: detail.to_owned() })
}
