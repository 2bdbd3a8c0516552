//! Signatures of deliveries, as Standard Webhooks 1.0.0 has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! A delivery carries three headers:
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the id of the event, equal in all attempts: receivers drop by it what they have had |
//! | `webhook-timestamp` | the time of the attempt, in whole seconds since the Unix epoch |
//! | `webhook-signature` | one signature for each secret in force, the newest first, with a space between them |
//!
//! A signature is `v1,` and, in base64 with padding, HMAC-SHA-256 under the bytes of the secret over the id, `.`, the
//! timestamp, `.` and the bytes of the body. An id has no `.`, so that no other id, timestamp and body give the same bytes.

use crate::secret::WebhookSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::ids::EventId;
use countersign_core::timestamp::Timestamp;
use ring::hmac;

/// The name of the header with the id.
pub const ID_HEADER: &str = "webhook-id";
/// The name of the header with the time of the attempt.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The name of the header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// How far the time of an attempt may be from that of the receiver, either way, in seconds: 5 minutes, as the libraries of
/// Standard Webhooks have it.
pub const TOLERANCE_SECONDS: u64 = 5 * 60;

const VERSION: &str = "v1";

/// The headers of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// The value of [`ID_HEADER`].
    pub id: String,
    /// The value of [`TIMESTAMP_HEADER`].
    pub timestamp: String,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: String,
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The timestamp is not a number of seconds in its one spelling.
    #[error("the timestamp is no whole number of seconds")]
    Timestamp,
    /// The message is older than [`TOLERANCE_SECONDS`].
    #[error("the timestamp is more than 5 minutes ago")]
    TooOld,
    /// The message is from the future by more than [`TOLERANCE_SECONDS`].
    #[error("the timestamp is more than 5 minutes ahead")]
    TooNew,
    /// No signature is of the secret.
    #[error("no signature is of this secret")]
    Signature,
}

impl SignedHeaders {
    /// Signs the body of an event with the secrets in force, the newest first, for an attempt at `now`.
    pub fn sign<'a>(
        id: EventId,
        body: &[u8],
        secrets: impl IntoIterator<Item = &'a WebhookSecret>,
        now: Timestamp,
    ) -> Self {
        let (id, timestamp) = (id.to_string(), (now.as_millisecond() / 1000).to_string());
        let of = |secret: &WebhookSecret| signature(secret.bytes(), &id, &timestamp, body);
        let signatures: Vec<_> = secrets.into_iter().map(of).collect();
        Self { signature: signatures.join(" "), id, timestamp }
    }

    /// Names and values, as they are sent.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [(ID_HEADER, &self.id), (TIMESTAMP_HEADER, &self.timestamp), (SIGNATURE_HEADER, &self.signature)]
    }

    /// Verifies a message as a receiver does that has the secret. Signatures of other versions are passed over; each of ours is
    /// compared in constant time.
    ///
    /// # Errors
    /// Why the message is not believed.
    pub fn verify(&self, body: &[u8], secret: &WebhookSecret, now: Timestamp) -> Result<(), Unverified> {
        verify(self, body, secret.bytes(), now)
    }
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> hmac::Context {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context
}

fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    format!("{VERSION},{}", STANDARD.encode(mac(key, id, timestamp, body).sign()))
}

fn verify(headers: &SignedHeaders, body: &[u8], key: &[u8], now: Timestamp) -> Result<(), Unverified> {
    let seconds: i64 = headers.timestamp.parse().map_err(|_| Unverified::Timestamp)?;
    if seconds.to_string() != headers.timestamp {
        return Err(Unverified::Timestamp);
    }
    let now = now.as_millisecond() / 1000;
    if now.abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(if seconds < now { Unverified::TooOld } else { Unverified::TooNew });
    }
    let signed = [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let is_of_key = |text: &str| {
        let encoded = text.strip_prefix(VERSION).and_then(|text| text.strip_prefix(','));
        let tag = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        tag.is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    };
    if headers.signature.split(' ').any(is_of_key) { Ok(()) } else { Err(Unverified::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secrets;
    use proptest::prelude::*;

    const BODY: &[u8] =
        br#"{"id":"01930000-0000-7000-8000-000000000001","type":"countersign.approval.granted.v1"}"#;

    fn event() -> EventId {
        EventId::parse("01930000-0000-7000-8000-000000000001").unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-31T09:30:00.999Z").unwrap()
    }

    fn secret(byte: u8) -> WebhookSecret {
        WebhookSecret::new([byte; 32])
    }

    fn signed() -> SignedHeaders {
        SignedHeaders::sign(event(), BODY, [&secret(1)], now())
    }

    /// The test vectors of the libraries of Standard Webhooks: "sign function works" in
    /// `libraries/javascript/src/webhook.test.ts`, with a secret of 24 bytes.
    #[test]
    fn published_test_vector() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = signature(&key, id, "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let headers = SignedHeaders {
            id: id.to_owned(),
            timestamp: "1614265330".to_owned(),
            signature: format!("{other} {} {signature} {other}", other.replace("v1", "v2")),
        };
        let now = Timestamp::from_millisecond(1_614_265_330_000);
        assert_eq!(verify(&headers, body, &key, now), Ok(()));
        let headers = SignedHeaders { signature: other.to_owned(), ..headers };
        assert_eq!(verify(&headers, body, &key, now), Err(Unverified::Signature));
    }

    #[test]
    fn headers_are_those_of_the_standard() {
        let headers = signed();
        let [id, timestamp, signature] = headers.pairs();
        assert_eq!(id, ("webhook-id", "01930000-0000-7000-8000-000000000001"));
        assert_eq!(timestamp, ("webhook-timestamp", "1769851800"));
        assert!(signature.0 == "webhook-signature" && signature.1.starts_with("v1,"));
        assert!(!id.1.contains('.'));
        // Another attempt has another time and signature, and the same id.
        let again = SignedHeaders::sign(event(), BODY, [&secret(1)], now().plus_seconds(5));
        assert_eq!(again.id, headers.id);
        assert!(again.timestamp != headers.timestamp && again.signature != headers.signature);
    }

    #[test]
    fn every_flipped_bit_of_the_message_is_found() {
        let headers = signed();
        assert_eq!(headers.verify(BODY, &secret(1), now()), Ok(()));
        for place in 0..BODY.len() {
            for bit in 0..8 {
                let mut forged = BODY.to_vec();
                forged[place] ^= 1 << bit;
                assert_eq!(headers.verify(&forged, &secret(1), now()), Err(Unverified::Signature));
            }
            assert!(headers.verify(&BODY[..place], &secret(1), now()).is_err());
        }
        assert!(headers.verify(&[BODY, b" "].concat(), &secret(1), now()).is_err());
    }

    #[test]
    fn every_changed_byte_of_the_headers_is_found() {
        let headers = signed();
        let verify = |headers: &SignedHeaders| headers.verify(BODY, &secret(1), now());
        assert_eq!(verify(&headers), Ok(()));
        let forge = |text: &str, place: usize, with: char| {
            let mut forged = text.to_owned();
            forged.replace_range(place..=place, &with.to_string());
            (forged != text).then_some(forged)
        };
        for with in ['0', '1', 'a', 'Z', '.', ' ', ',', '=', '+', '-'] {
            for place in 0..headers.id.len() {
                let forged =
                    forge(&headers.id, place, with).map(|id| SignedHeaders { id, ..headers.clone() });
                assert!(forged.is_none_or(|forged| verify(&forged).is_err()), "{place} {with}");
            }
            for place in 0..headers.timestamp.len() {
                let forged = forge(&headers.timestamp, place, with)
                    .map(|timestamp| SignedHeaders { timestamp, ..headers.clone() });
                assert!(forged.is_none_or(|forged| verify(&forged).is_err()), "{place} {with}");
            }
            for place in 0..headers.signature.len() {
                let forged = forge(&headers.signature, place, with)
                    .map(|signature| SignedHeaders { signature, ..headers.clone() });
                assert!(forged.is_none_or(|forged| verify(&forged).is_err()), "{place} {with}");
            }
        }
        for signature in [
            "",
            " ",
            "v1,",
            "v1",
            &headers.signature.replace("v1,", ""),
            &headers.signature.replace("v1", "v1a"),
        ] {
            let forged = SignedHeaders { signature: signature.to_owned(), ..headers.clone() };
            assert_eq!(verify(&forged), Err(Unverified::Signature), "{signature}");
        }
    }

    #[test]
    fn the_parts_cannot_be_moved_into_each_other() {
        let headers = signed();
        let moved = SignedHeaders { id: format!("{}.{}", headers.id, headers.timestamp), ..headers.clone() };
        let (first, rest) = BODY.split_at(1);
        assert!(moved.verify(rest, &secret(1), now()).is_err());
        let moved = SignedHeaders { id: headers.id.replace('-', ""), ..headers };
        assert!(moved.verify(first, &secret(1), now()).is_err());
    }

    #[test]
    fn the_window_is_five_minutes_either_way() {
        let headers = signed();
        let verify = |now| headers.verify(BODY, &secret(1), now);
        assert_eq!(verify(now().plus_seconds(300)), Ok(()));
        assert_eq!(verify(now().plus_seconds(301)), Err(Unverified::TooOld));
        assert_eq!(verify(now().minus_seconds(300)), Ok(()));
        assert_eq!(verify(now().minus_seconds(301)), Err(Unverified::TooNew));
        for timestamp in
            ["", "hello", "+1769851800", "01769851800", " 1769851800", "1769851800.0", "99999999999999999999"]
        {
            let headers = SignedHeaders { timestamp: timestamp.to_owned(), ..headers.clone() };
            assert_eq!(headers.verify(BODY, &secret(1), now()), Err(Unverified::Timestamp), "{timestamp}");
        }
        let headers = SignedHeaders { timestamp: i64::MIN.to_string(), ..headers };
        assert_eq!(headers.verify(BODY, &secret(1), now()), Err(Unverified::TooOld));
    }

    #[test]
    fn both_secrets_verify_during_a_rotation_and_the_old_one_fails_after_it() {
        let secrets = Secrets::new(secret(1)).rotate(secret(2), 3600, now()).unwrap();
        let verify = |seconds: u32, byte: u8| {
            let now = now().plus_seconds(seconds);
            let headers = SignedHeaders::sign(event(), BODY, secrets.in_force(now), now);
            headers.verify(BODY, &secret(byte), now)
        };
        for seconds in [0, 1800, 3599] {
            assert_eq!((verify(seconds, 1), verify(seconds, 2)), (Ok(()), Ok(())), "{seconds}");
        }
        assert_eq!((verify(3600, 1), verify(3600, 2)), (Err(Unverified::Signature), Ok(())));
        assert_eq!(verify(0, 3), Err(Unverified::Signature));
        // The newest first.
        let [both, new] = [0, 3600].map(|seconds| {
            SignedHeaders::sign(event(), BODY, secrets.in_force(now().plus_seconds(seconds)), now()).signature
        });
        assert!(both.starts_with(&format!("{new} v1,")), "{both}");
        assert_eq!(both.split(' ').count(), 2);
    }

    proptest! {
        #[test]
        fn any_message_verifies_and_no_other_does(
            key in any::<[u8; 32]>(), other in any::<[u8; 32]>(),
            body in proptest::collection::vec(any::<u8>(), 0..200), tail in proptest::collection::vec(any::<u8>(), 1..9),
        ) {
            prop_assume!(key != other);
            let (secret, other) = (WebhookSecret::new(key), WebhookSecret::new(other));
            let headers = SignedHeaders::sign(event(), &body, [&secret], now());
            prop_assert_eq!(headers.verify(&body, &secret, now()), Ok(()));
            prop_assert_eq!(headers.verify(&body, &other, now()), Err(Unverified::Signature));
            let longer = [body, tail].concat();
            prop_assert_eq!(headers.verify(&longer, &secret, now()), Err(Unverified::Signature));
        }
    }
}
