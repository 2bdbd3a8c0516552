//! E-mail to a server of SMTP on this machine, which takes it, refuses it, or never answers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use countersign_app::host::BoxFuture;
use countersign_app::ports::{ChannelMessage, DestinationSender as _, Matter, Outgoing};
use countersign_channels::call::Call;
use countersign_channels::secret::LocalSecrets;
use countersign_channels::sender::ConfiguredSender;
use countersign_chat::call::HttpCall;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::DeploymentKey;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{AnomalyNotice, Notice};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::slots::Groups;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::part::{Part, PartKind};
use countersign_egress::Answer;
use countersign_notifications::configuration::Configuration;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How the server answers to the end of a mail; not at all if there is nothing.
type Reply = Option<&'static str>;

/// A server with TLS from the first byte. The port, the certificate in PEM, and what it takes.
async fn server(reply: Reply) -> (u16, String, Arc<Mutex<Vec<String>>>) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(settings));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let mails = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            let mut mail = String::new();
            let mut is_data = false;
            stream.write_all(b"220 localhost ESMTP\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
                let answer = match (is_data, line.trim_end()) {
                    (true, ".") => {
                        is_data = false;
                        let Some(reply) = reply else {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            break;
                        };
                        if reply.starts_with('2') {
                            mails.lock().unwrap().push(std::mem::take(&mut mail));
                        }
                        reply
                    }
                    (true, _) => {
                        mail.push_str(&line);
                        line.clear();
                        continue;
                    }
                    (false, "DATA") => {
                        is_data = true;
                        "354 go on"
                    }
                    (false, "QUIT") => "221 bye",
                    (false, _) => "250 fine",
                };
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                line.clear();
            }
        }
    });
    (port, certified.cert.pem(), taken)
}

/// Calls nothing.
#[derive(Debug)]
struct NoCalls;

impl Call for NoCalls {
    fn opens_networks(&self) -> bool {
        false
    }

    fn call<'a>(
        &'a self,
        _: &'a HttpCall,
        _: Duration,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        panic!("no call is made")
    }
}

fn event() -> CloudEvent {
    let id = "019cd2f0-0000-7000-8000-000000000002";
    CloudEvent {
        source: Origin::of(&DeploymentKey::new([9; 32])),
        notice: Notice::Anomaly(AnomalyNotice {
            event_id: EventId::parse(id).unwrap(),
            event_type: EventType::AnomalyDetected,
            timestamp: Timestamp::parse("2026-03-09T14:00:00.000Z").unwrap(),
            user: PersonId::from_email("ann@example.com").unwrap(),
            request_id: RequestId::parse("019cd2f0-0000-7000-8000-000000000001").unwrap(),
            finding: "the seal does not fit".to_owned(),
            link: None,
        }),
    }
}

fn send(reply: Reply, trusts: bool) -> (Outcome, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (port, certificate, taken) = server(reply).await;
        let text = format!(
            "[destinations.mail]\nkind = \"email\"\nfrom = \"countersign@example.com\"\ntransport = \"smtp\"\n\
             host = \"localhost\"\nport = {port}\ntls = \"implicit\"\n"
        );
        let configuration = Arc::new(Configuration::parse(&text, &Groups::default()).unwrap());
        let roots = trusts.then(|| certificate.into_bytes());
        let sender = ConfiguredSender::new(configuration, Arc::new(NoCalls), Arc::new(LocalSecrets), roots)
            .with_time_limit(Duration::from_secs(2));
        let event = event();
        let part = Part { address: Some("bob@example.com".to_owned()), ..Part::new(PartKind::Information) };
        let now = Timestamp::parse("2026-03-09T14:00:00.000Z").unwrap();
        let destination = DestinationId::parse("mail#bob@example.com").unwrap();
        let message = ChannelMessage { matter: Matter::Event(&event), part: &part };
        let attempt = sender
            .send(Outgoing {
                destination: &destination,
                message,
                others: Vec::new(),
                earlier: None,
                may_be_there: false,
                made_at: now,
                now,
            })
            .await;
        assert_eq!(attempt.host.as_deref(), Some("localhost"));
        let taken = taken.lock().unwrap().clone();
        (attempt.outcome, taken)
    })
}

#[test]
fn a_mail_arrives_as_it_was_made() {
    let (outcome, taken) = send(Some("250 taken"), true);
    assert!(outcome.is_delivered(), "{outcome:?}");
    let mail = mail_parser::MessageParser::default().parse(taken[0].as_bytes()).unwrap();
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("bob@example.com"));
    assert_eq!(mail.from().unwrap().first().unwrap().address(), Some("countersign@example.com"));
    assert!(mail.body_text(0).unwrap().contains("the seal does not fit"));
    let Outcome::Delivered { reference, .. } = outcome else { panic!("it is delivered") };
    assert!(reference.unwrap().contains(mail.message_id().unwrap()));
}

#[test]
fn what_a_server_says_has_a_class() {
    for (reply, class) in [
        (Some("451 later"), FailureClass::Overloaded),
        (Some("550 no such mailbox bob@example.com"), FailureClass::Refused),
        (Some("535 who are you"), FailureClass::Credentials),
        (None, FailureClass::Timeout),
    ] {
        let (outcome, taken) = send(reply, true);
        let failure = outcome.failure().unwrap();
        assert_eq!(failure.class, class, "{reply:?}: {failure:?}");
        assert!(!failure.detail.contains("bob"), "{failure:?}");
        assert!(taken.is_empty());
    }
}

#[test]
fn a_server_whose_certificate_is_not_trusted_gets_nothing() {
    let (outcome, taken) = send(Some("250 taken"), false);
    assert!(!outcome.is_delivered() && taken.is_empty());
    let class = outcome.failure().unwrap().class;
    assert!(matches!(class, FailureClass::Tls | FailureClass::Connection), "{class}");
}
