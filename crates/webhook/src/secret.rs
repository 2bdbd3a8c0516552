//! The secrets that deliveries are signed with: as their owner gets them, as they are stored, and while they are replaced.
//!
//! # As their owner gets them
//! `whsec_`, then the bytes in base64 with padding (RFC 4648 section 4), as Standard Webhooks 1.0.0 wants symmetric secrets
//! serialised. Ours are 32 random bytes, so 6 + 44 characters.
//!
//! # As they are stored
//! `v1.`, then in base64url without padding (RFC 4648 section 5) these bytes:
//!
//! | bytes | what they are |
//! |---|---|
//! | 0–11 | the nonce, random |
//! | 12–43 | the 32 bytes of the secret, encrypted |
//! | 44–59 | the tag |
//!
//! so 3 + 80 characters. The cipher is AES-256-GCM (NIST SP 800-38D). Its key is HMAC-SHA-256 under the deployment's key over
//! `countersign.webhook.v1` and a zero byte: [`DeploymentKey::purpose_key`]. The associated data are the bytes of
//! `countersign.webhook.v1`, a zero byte, the webhook's id, a zero byte and the generation in decimal digits: a sealed secret
//! that is moved to another webhook, or put back after it was replaced, does not open.
//!
//! The nonce must not come twice under one key. Random ones of 96 bits are good for 2^32 secrets (section 8.3); a deployment
//! has at most [`crate::webhook::MAX_WEBHOOKS`] webhooks, and seals one secret each time that one is made or rotated.
//!
//! # While they are replaced
//! Each secret of a webhook has a generation, from 1. A rotation makes the next one; the one before stays in force for an
//! overlap, in which deliveries carry the signatures of both. There are never more than two: a rotation during an overlap ends
//! the older one at once.

use crate::webhook::WebhookId;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::digest::DeploymentKey;
use countersign_core::timestamp::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// The bytes of a secret.
pub const SECRET_BYTES: usize = 32;
/// The bytes of the nonce that a secret is sealed with.
pub const NONCE_BYTES: usize = NONCE_LEN;
/// The overlap of a rotation, in seconds, unless another one is asked for: one day.
pub const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
/// The longest overlap, in seconds: 7 days.
pub const MAX_OVERLAP_SECONDS: u32 = 7 * 24 * 60 * 60;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1.";
/// The key's purpose, and the beginning of the associated data.
const PURPOSE: &str = "countersign.webhook.v1";

/// A secret. Its bytes are overwritten when it is dropped, and `Debug` shows none of them.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// The text is no secret of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 32 bytes in base64")]
pub struct InvalidSecret;

impl WebhookSecret {
    /// A secret of 32 random bytes.
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what [`Self::reveal`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidSecret)?);
        Self::from_slice(&bytes).ok_or(InvalidSecret)
    }

    fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        if bytes.len() != secret.len() {
            return None;
        }
        secret.copy_from_slice(bytes);
        Some(Self(secret))
    }

    /// The secret as its owner gets it, once: when it is made.
    pub fn reveal(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.bytes()));
        Zeroizing::new([PREFIX, &encoded].concat())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(secret)")
    }
}

/// The key that secrets are sealed under.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The key of a deployment.
    pub fn derived(key: &DeploymentKey) -> Self {
        Self(Zeroizing::new(key.purpose_key(PURPOSE)))
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(secret)")
    }
}

/// A secret as it is stored; see the module for its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(String);

/// The secret cannot be sealed. It never happens to keys and secrets of their lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret cannot be sealed")]
pub struct CannotSeal;

/// A sealed secret does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret does not open: it was sealed for another webhook or generation or under another key, or it was changed"
)]
pub struct CannotOpen;

impl SealedSecret {
    /// Seals the secret of a generation of a webhook. `nonce` is 12 random bytes, never used before.
    ///
    /// # Errors
    /// Never for keys and secrets of their lengths.
    pub fn seal(
        secret: &WebhookSecret,
        key: &SecretKey,
        webhook: WebhookId,
        generation: u32,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, CannotSeal> {
        let cipher = key.cipher().ok_or(CannotSeal)?;
        let mut encrypted = Zeroizing::new(secret.bytes().to_vec());
        let tag = cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(webhook, generation)),
                encrypted.as_mut_slice(),
            )
            .map_err(|_| CannotSeal)?;
        let sealed = [nonce.as_slice(), encrypted.as_slice(), tag.as_ref()].concat();
        Ok(Self([VERSION, &URL_SAFE_NO_PAD.encode(sealed)].concat()))
    }

    /// Opens the secret of a generation of a webhook.
    ///
    /// # Errors
    /// Whatever was not sealed so: for this webhook and generation, under this key.
    pub fn open(
        &self,
        key: &SecretKey,
        webhook: WebhookId,
        generation: u32,
    ) -> Result<WebhookSecret, CannotOpen> {
        let encoded = self.0.strip_prefix(VERSION).ok_or(CannotOpen)?;
        let sealed = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| CannotOpen)?;
        let (nonce, encrypted) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(CannotOpen)?;
        let mut bytes = Zeroizing::new(encrypted.to_vec());
        let cipher = key.cipher().ok_or(CannotOpen)?;
        let opened = cipher
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated_data(webhook, generation)),
                bytes.as_mut_slice(),
            )
            .map_err(|_| CannotOpen)?;
        WebhookSecret::from_slice(opened).ok_or(CannotOpen)
    }

    /// Takes a stored text back. Whether it is a sealed secret shows when it is opened.
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn associated_data(webhook: WebhookId, generation: u32) -> Vec<u8> {
    format!("{PURPOSE}\0{webhook}\0{generation}").into_bytes()
}

/// The secrets of a webhook: sealed, as they are stored, or open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets<S> {
    /// The generation of the current one; that of the previous one is one less.
    pub generation: u32,
    /// The current one.
    pub current: S,
    /// The one before, while it is in force, or a little longer.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous<S>>,
}

/// A secret that another has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous<S> {
    /// The secret.
    pub secret: S,
    /// The time from which it signs nothing.
    pub until: Timestamp,
}

fn none<S>() -> Option<Previous<S>> {
    None
}

/// The overlap is longer than [`MAX_OVERLAP_SECONDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0 to 604800 seconds, which is 7 days")]
pub struct InvalidOverlap;

impl<S> Secrets<S> {
    /// The secrets of a new webhook: `first` is of generation 1.
    pub fn new(first: S) -> Self {
        Self { generation: 1, current: first, previous: None }
    }

    /// The generation that a rotation makes: what its secret is sealed for.
    pub fn next_generation(&self) -> u32 {
        self.generation.saturating_add(1)
    }

    /// The same with another current secret, of [`Self::next_generation`]. The one so far signs for `overlap_seconds` more; 0 ends
    /// it at once, as is right for one that others have learnt.
    ///
    /// # Errors
    /// An overlap that is too long.
    pub fn rotate(self, next: S, overlap_seconds: u32, now: Timestamp) -> Result<Self, InvalidOverlap> {
        if overlap_seconds > MAX_OVERLAP_SECONDS {
            return Err(InvalidOverlap);
        }
        let previous = Previous { secret: self.current, until: now.plus_seconds(overlap_seconds) };
        Ok(Self {
            generation: self.generation.saturating_add(1),
            current: next,
            previous: Some(previous).filter(|previous| previous.until > now),
        })
    }

    /// The secrets that sign at `now`, the newest first.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &S> {
        let previous = self.previous.as_ref().filter(|previous| now < previous.until);
        std::iter::once(&self.current).chain(previous.map(|previous| &previous.secret))
    }
}

impl Secrets<SealedSecret> {
    /// The same, opened.
    ///
    /// # Errors
    /// If one of them does not open.
    pub fn open(&self, key: &SecretKey, webhook: WebhookId) -> Result<Secrets<WebhookSecret>, CannotOpen> {
        let previous = self.previous.as_ref().map(|previous| {
            let secret = previous.secret.open(key, webhook, self.generation.saturating_sub(1))?;
            Ok(Previous { secret, until: previous.until })
        });
        Ok(Secrets {
            generation: self.generation,
            current: self.current.open(key, webhook, self.generation)?,
            previous: previous.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: [u8; 12] = [9; 12];

    fn key(byte: u8) -> SecretKey {
        SecretKey::derived(&DeploymentKey::new([byte; 32]))
    }

    fn webhook(last: u8) -> WebhookId {
        WebhookId::parse(&format!("wh_01930000-0000-7000-8000-0000000000{last:02x}")).unwrap()
    }

    fn secret(byte: u8) -> WebhookSecret {
        WebhookSecret::new([byte; 32])
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-31T09:30:00Z").unwrap()
    }

    fn revealed<'a>(secrets: impl Iterator<Item = &'a WebhookSecret>) -> Vec<String> {
        secrets.map(|secret| secret.reveal().to_string()).collect()
    }

    #[test]
    fn a_secret_is_revealed_in_one_spelling() {
        let text = secret(0xfb).reveal();
        assert_eq!(*text, format!("whsec_{}", STANDARD.encode([0xfb; 32])));
        assert_eq!(text.len(), 50);
        assert_eq!(WebhookSecret::parse(&text).unwrap().bytes(), [0xfb; 32]);
        let url_safe = text.replace('+', "-").replace('/', "_");
        let wrong = [
            "",
            "whsec_",
            &text.replace("whsec_", ""),
            text.trim_end_matches('='),
            &format!("{}\n", *text),
            &text.to_uppercase(),
            &url_safe,
            &format!("whsec_{}", STANDARD.encode([1; 31])),
            &format!("whsec_{}", STANDARD.encode([1; 33])),
        ];
        for text in wrong {
            assert_eq!(WebhookSecret::parse(text).err(), Some(InvalidSecret), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret_and_no_key() {
        let secrets = Secrets::new(secret(0xab)).rotate(secret(0xcd), 60, now()).unwrap();
        let debug = format!("{secrets:?} {:?}", key(7)).to_lowercase();
        for hint in ["171", "ab, ", "205", "whsec", &*secret(0xab).reveal()] {
            assert!(!debug.contains(hint), "{debug}");
        }
        assert!(debug.contains("webhooksecret(secret)"));
    }

    #[test]
    fn a_secret_opens_for_its_webhook_generation_and_key_alone() {
        let sealed = SealedSecret::seal(&secret(5), &key(1), webhook(1), 3, NONCE).unwrap();
        assert_eq!(sealed.as_str().len(), 83);
        assert!(sealed.as_str().starts_with("v1.CQkJCQkJCQkJCQkJ"), "{}", sealed.as_str());
        assert_eq!(sealed.open(&key(1), webhook(1), 3).unwrap().bytes(), [5; 32]);
        for (key, webhook, generation) in [
            (key(2), webhook(1), 3),
            (key(1), webhook(2), 3),
            (key(1), webhook(1), 2),
            (key(1), webhook(1), 33),
        ] {
            assert_eq!(sealed.open(&key, webhook, generation).err(), Some(CannotOpen));
        }
        let other_nonce = SealedSecret::seal(&secret(5), &key(1), webhook(1), 3, [8; 12]).unwrap();
        assert_ne!(sealed, other_nonce);
    }

    /// Computed from the description above by the module `crypto` of Node.js: the key with `createHmac`, the rest with
    /// `createCipheriv("aes-256-gcm", …)`.
    #[test]
    fn what_is_stored_is_as_described() {
        let sealed = SealedSecret::seal(&secret(5), &key(1), webhook(1), 3, NONCE).unwrap();
        let known = "v1.CQkJCQkJCQkJCQkJgdBZl_Av1a4e-un0Sec52xQFy0RaP8W5ytVKJ5BudhfIFoCkKQAhagr98agrC0CL";
        assert_eq!(sealed.as_str(), known);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_what_is_stored_is_found() {
        let sealed = SealedSecret::seal(&secret(5), &key(1), webhook(1), 1, NONCE).unwrap();
        let opens = |text: &str| SealedSecret::from_stored(text).open(&key(1), webhook(1), 1).is_ok();
        assert!(opens(sealed.as_str()));
        let bytes = URL_SAFE_NO_PAD.decode(sealed.as_str().replace("v1.", "")).unwrap();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut forged = bytes.clone();
                forged[place] ^= 1 << bit;
                assert!(!opens(&format!("v1.{}", URL_SAFE_NO_PAD.encode(forged))), "{place} {bit}");
            }
            assert!(!opens(&format!("v1.{}", URL_SAFE_NO_PAD.encode(&bytes[..place]))), "{place}");
        }
        for text in ["", "v1.", &sealed.as_str().replace("v1.", ""), &sealed.as_str().replace("v1.", "v2.")] {
            assert!(!opens(text), "{text}");
        }
    }

    #[test]
    fn a_rotation_leaves_both_in_force_for_its_overlap() {
        let secrets = Secrets::new(secret(1)).rotate(secret(2), 60, now()).unwrap();
        assert_eq!(secrets.generation, 2);
        let at = |seconds| revealed(secrets.in_force(now().plus_seconds(seconds)));
        let [first, second] = [1, 2].map(|byte| secret(byte).reveal().to_string());
        assert_eq!(at(0), [second.clone(), first.clone()]);
        assert_eq!(at(59), [second.clone(), first]);
        assert_eq!(at(60), std::slice::from_ref(&second));
        // Another one during the overlap ends the first at once.
        let third = secrets.rotate(secret(3), DEFAULT_OVERLAP_SECONDS, now().plus_seconds(30)).unwrap();
        let third_text = secret(3).reveal().to_string();
        assert_eq!(revealed(third.in_force(now().plus_seconds(30))), [third_text, second]);
        let fourth = third.rotate(secret(4), 0, now()).unwrap();
        assert_eq!((fourth.previous.is_none(), fourth.generation), (true, 4));
        assert_eq!(revealed(fourth.in_force(now())), [secret(4).reveal().to_string()]);
    }

    #[test]
    fn an_overlap_has_a_limit() {
        let secrets = || Secrets::new(secret(1));
        assert!(secrets().rotate(secret(2), MAX_OVERLAP_SECONDS, now()).is_ok());
        let too_long = secrets().rotate(secret(2), MAX_OVERLAP_SECONDS + 1, now());
        assert_eq!(too_long.err(), Some(InvalidOverlap));
    }

    #[test]
    fn stored_secrets_open_generation_by_generation() {
        let seal = |byte, generation| {
            SealedSecret::seal(&secret(byte), &key(1), webhook(1), generation, [byte; 12]).unwrap()
        };
        let stored = Secrets::new(seal(1, 1));
        let next = seal(2, stored.next_generation());
        let stored = stored.rotate(next, 60, now()).unwrap();
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Secrets<SealedSecret>>(&text).unwrap(), stored);
        let open = stored.open(&key(1), webhook(1)).unwrap();
        let expected = [2, 1].map(|byte| secret(byte).reveal().to_string());
        assert_eq!(revealed(open.in_force(now())), expected);
        // The older secret cannot be put in the place of the current one.
        let swapped = Secrets { current: seal(1, 1), ..stored.clone() };
        assert_eq!(swapped.open(&key(1), webhook(1)).err(), Some(CannotOpen));
        assert_eq!(stored.open(&key(1), webhook(2)).err(), Some(CannotOpen));
        let first = serde_json::to_string(&Secrets::new(seal(1, 1))).unwrap();
        assert!(!first.contains("previous"), "{first}");
        assert!(serde_json::from_str::<Secrets<SealedSecret>>(&first).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(bytes in any::<[u8; 32]>(), nonce in any::<[u8; 12]>(), generation in any::<u32>()) {
            let secret = WebhookSecret::new(bytes);
            let sealed = SealedSecret::seal(&secret, &key(1), webhook(1), generation, nonce).unwrap();
            let opened = sealed.open(&key(1), webhook(1), generation).unwrap();
            prop_assert_eq!(opened.bytes(), bytes);
            let read = WebhookSecret::parse(&secret.reveal()).unwrap();
            prop_assert_eq!(read.bytes(), bytes);
        }
    }
}
