//! What is sent to a webhook: the headers and the body of one attempt. Knows neither the event nor how it is sent.

use crate::ports::WebhookRecord;
use countersign_core::ids::EventId;
use countersign_core::timestamp::Timestamp;
use countersign_webhook::body::Body;
use countersign_webhook::secret::{CannotOpen, SecretKey};
use countersign_webhook::signature::SignedHeaders;

/// The header with the media type of the body.
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// The header with the name of the service.
pub const USER_AGENT_HEADER: &str = "user-agent";
/// The name of the service and its version.
pub const USER_AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// Names and values of headers, names in lower case.
pub type Headers = Vec<(String, String)>;

/// Signs the body of the event `id` for an attempt at `now`, with each secret of the webhook that is in force. The headers,
/// ours before those of the owner, and the bytes that are signed.
///
/// # Errors
/// A secret that does not open under the key.
pub fn message(
    record: &WebhookRecord,
    body: Body,
    id: EventId,
    key: &SecretKey,
    now: Timestamp,
) -> Result<(Headers, Vec<u8>), CannotOpen> {
    let secrets = record.secrets.open(key, record.webhook.id)?;
    let signed = SignedHeaders::sign(id, &body.bytes, secrets.in_force(now), now);
    let ours = [(CONTENT_TYPE_HEADER, body.content_type), (USER_AGENT_HEADER, USER_AGENT)];
    let headers = ours.into_iter().chain(signed.pairs()).chain(record.webhook.settings.headers.iter());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok((headers, body.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::digest::DeploymentKey;
    use countersign_core::origin::Origin;
    use countersign_core::person::PersonId;
    use countersign_delivery::health::Health;
    use countersign_webhook::secret::{SealedSecret, Secrets, WebhookSecret};
    use countersign_webhook::settings::{Draft, Format, Settings};
    use countersign_webhook::trail::TrailHead;
    use countersign_webhook::webhook::{Webhook, WebhookId};

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-31T09:30:00Z").unwrap()
    }

    fn key(byte: u8) -> SecretKey {
        SecretKey::derived(&DeploymentKey::new([byte; 32]))
    }

    fn record(key: &SecretKey) -> WebhookRecord {
        let id = WebhookId::parse("wh_01930000-0000-7000-8000-000000000001").unwrap();
        let seal = |byte, generation| {
            SealedSecret::seal(&WebhookSecret::new([byte; 32]), key, id, generation, [byte; 12]).unwrap()
        };
        let draft = Draft {
            url: "https://hooks.example.com/in".to_owned(),
            headers: [("X-Gateway".to_owned(), "token".to_owned())].into(),
            ..Draft::default()
        };
        let settings = Settings::new(&draft).unwrap();
        let person = PersonId::from_stored("ann@example.com").unwrap();
        WebhookRecord {
            webhook: Webhook::new(id, settings, person, now()),
            secrets: Secrets::new(seal(1, 1)).rotate(seal(2, 2), 60, now()).unwrap(),
            health: Health::default(),
            trail: TrailHead::EMPTY,
            deleted_at: None,
            seal: None,
            revision: 1,
        }
    }

    fn ping(record: &WebhookRecord, id: EventId) -> Body {
        let origin = Origin::parse("/countersign/test").unwrap();
        Body::ping(id, &origin, record.webhook.id, now(), Format::Document)
    }

    #[test]
    fn a_message_has_our_headers_then_those_of_the_owner_and_both_signatures_during_a_rotation() {
        let id = EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
        let record = record(&key(7));
        let body = ping(&record, id);
        for (at, signatures) in [(now(), 2), (now().plus_seconds(60), 1)] {
            let (headers, bytes) = message(&record, body.clone(), id, &key(7), at).unwrap();
            let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
            let expected = [
                "content-type",
                "user-agent",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "x-gateway",
            ];
            assert_eq!(names, expected);
            let value =
                |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap();
            assert_eq!(value("content-type"), "application/json");
            assert_eq!(value("user-agent"), format!("countersign/{}", env!("CARGO_PKG_VERSION")));
            assert_eq!(value("webhook-signature").split(' ').count(), signatures);
            let signed = SignedHeaders {
                id: value("webhook-id"),
                timestamp: value("webhook-timestamp"),
                signature: value("webhook-signature"),
            };
            signed.verify(&bytes, &WebhookSecret::new([2; 32]), at).unwrap();
            let is_old_good = signed.verify(&bytes, &WebhookSecret::new([1; 32]), at).is_ok();
            assert_eq!(is_old_good, signatures == 2);
        }
    }

    #[test]
    fn nothing_is_signed_by_a_secret_that_does_not_open() {
        let id = EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
        let record = record(&key(7));
        assert!(message(&record, ping(&record, id), id, &key(8), now()).is_err());
    }
}
