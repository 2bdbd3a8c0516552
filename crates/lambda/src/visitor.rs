//! Where the visitor of a page is. Pages call the API from a function, so the address that the gateway sees is the
//! function's own. With each call the dashboard sends the visitor's address and a MAC over it, by a key that only the
//! dashboard and the functions of the API can read.
//!
//! Every byte of the header is in `docs/dashboard.md`.

use crate::invocation::HttpEvent;
use aws_types::SdkConfig;
use countersign_api::problem::{Code, Problem};
use countersign_app::host::Clock;
use countersign_aws::secret::{self, KeyTexts, SecretError};
use countersign_core::caller::{Caller, Channel};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::source_address::SourceAddress;
use countersign_core::timestamp::Timestamp;
use std::fmt;
use std::time::Duration;
use tokio::sync::Mutex;

/// The header of a call that is made for a visitor.
pub const VISITOR: &str = "countersign-visitor";
/// The first member of the header.
const FORMAT: &str = "v1";
/// What stands between its members.
const SEPARATOR: &str = ";";
/// The context of the MAC.
const CONTEXT: &str = "countersign.visitor.v1";
/// How far the time of a call may be from that of this machine, in milliseconds.
const TOLERANCE: u64 = 60 * 1000;
/// How long a key is used before it is read again.
pub(crate) const KEPT: Duration = Duration::from_secs(5 * 60);
/// How old a key is before it is used, in seconds: every sandbox has read it by then.
const KNOWN_AFTER: i64 = 10 * 60;
/// The shortest text of a key, in characters.
const MIN_KEY: usize = 32;

/// A key of the dashboard cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("a secret of the dashboard cannot be read: {0}")]
    Unreadable(#[from] SecretError),
    /// It could be guessed.
    #[error("a secret of the dashboard must give a text of at least {MIN_KEY} characters")]
    TooShort,
}

/// The texts of a key of the dashboard.
///
/// # Errors
/// See [`KeyError`].
pub(crate) async fn key_texts(aws: &SdkConfig, arn: &str, now: Timestamp) -> Result<KeyTexts, KeyError> {
    let keys = secret::read_keys(aws, arn, now.as_millisecond() / 1000, KNOWN_AFTER).await?;
    let is_long = |text: &String| text.chars().count() >= MIN_KEY;
    if is_long(&keys.used) && keys.other.as_ref().is_none_or(is_long) {
        Ok(keys)
    } else {
        Err(KeyError::TooShort)
    }
}

/// The key of the MAC.
#[derive(Debug, Clone)]
pub struct VisitorKey(DeploymentKey);

/// A call, as far as the MAC is over it.
#[derive(Debug, Clone, Copy)]
pub struct SignedCall<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, without its query.
    pub path: &'a str,
    /// The bearer token.
    pub token: &'a str,
}

impl VisitorKey {
    /// The key of a secret text.
    pub fn of(text: &str) -> Self {
        Self(DeploymentKey::new(*Digest::of(text).as_bytes()))
    }

    /// The header of a call for the visitor at this address.
    pub fn sign(&self, address: SourceAddress, now: Timestamp, call: SignedCall<'_>) -> String {
        let (address, time) = (address.to_string(), now.as_millisecond().to_string());
        let mac = self.mac(&address, &time, call);
        [FORMAT, &address, &time, &mac.to_string()].join(SEPARATOR)
    }

    fn mac(&self, address: &str, time: &str, call: SignedCall<'_>) -> Digest {
        let SignedCall { method, path, token } = call;
        let token = Digest::of(token).to_string();
        self.0.digest(CONTEXT, &[address, time, method, path, &token].join("\n"))
    }

    /// The address of a header that was made with this key for this call within a minute.
    fn verify(&self, header: &str, now: Timestamp, call: SignedCall<'_>) -> Option<SourceAddress> {
        let [FORMAT, address, time, mac] = header.split(SEPARATOR).collect::<Vec<_>>()[..] else {
            return None;
        };
        let millisecond: i64 = time.parse().ok()?;
        let is_in_time = now.as_millisecond().abs_diff(millisecond) <= TOLERANCE;
        let is_ours = are_equal(&self.mac(address, time, call).to_string(), mac);
        if is_in_time && is_ours { address.parse().ok() } else { None }
    }
}

/// Compares all bytes, so that the time tells nothing of how many are right.
fn are_equal(own: &str, sent: &str) -> bool {
    let pairs = own.bytes().zip(sent.bytes());
    own.len() == sent.len() && pairs.fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// Where the keys are.
#[derive(Debug)]
enum Source {
    /// There is no dashboard that signs addresses.
    None,
    /// The key itself.
    Fixed(VisitorKey),
    /// A secret in Secrets Manager. Its version before counts as well, so that a key can be replaced.
    Secret { aws: Box<SdkConfig>, arn: String },
}

/// What a function knows of the dashboard's visitors.
pub struct Visitors {
    source: Source,
    /// With the time at which they were read, by the clock that only measures.
    read: Mutex<Option<(Duration, Vec<VisitorKey>)>>,
}

impl Visitors {
    fn of(source: Source) -> Self {
        Self { source, read: Mutex::default() }
    }

    /// Of a dashboard with the key in the secret of this ARN.
    pub fn in_secret(aws: SdkConfig, arn: String) -> Self {
        Self::of(Source::Secret { aws: Box::new(aws), arn })
    }

    /// Of a dashboard with this key; of none without one.
    pub fn fixed(key: Option<VisitorKey>) -> Self {
        Self::of(key.map_or(Source::None, Source::Fixed))
    }

    /// The caller as the dashboard has seen them, if the call is one of the dashboard's. Any other is left as it is. To be asked
    /// only of a caller whose token has been verified: it is what strangers cannot have keys read by.
    ///
    /// # Errors
    /// 401 for a header that the dashboard has not made for this call; 503 when its key cannot be read.
    pub async fn caller(
        &self,
        caller: Caller,
        event: &HttpEvent,
        token: &str,
        clock: &dyn Clock,
    ) -> Result<Caller, Problem> {
        let headers = event.header(VISITOR);
        if headers.is_empty() {
            return Ok(caller);
        }
        let call = SignedCall { method: event.method(), path: event.path(), token };
        let keys = self.keys(clock).await?;
        let address = match headers[..] {
            [header] => keys.iter().find_map(|key| key.verify(header, clock.now(), call)),
            _ => None,
        };
        match address {
            Some(address) => Ok(Caller { channel: Channel::Dashboard, source_ip: Some(address), ..caller }),
            None => Err(Problem::unauthenticated(format!("{VISITOR} is not the dashboard's for this call"))),
        }
    }

    async fn read(aws: &SdkConfig, arn: &str, now: Timestamp) -> Result<Vec<VisitorKey>, KeyError> {
        let keys = key_texts(aws, arn, now).await?;
        Ok([Some(keys.used), keys.other].into_iter().flatten().map(|text| VisitorKey::of(&text)).collect())
    }

    async fn keys(&self, clock: &dyn Clock) -> Result<Vec<VisitorKey>, Problem> {
        let (aws, arn) = match &self.source {
            Source::None => return Ok(Vec::new()),
            Source::Fixed(key) => return Ok(vec![key.clone()]),
            Source::Secret { aws, arn } => (aws, arn),
        };
        let mut read = self.read.lock().await;
        if let Some((at, keys)) = read.as_ref()
            && clock.elapsed().saturating_sub(*at) < KEPT
        {
            return Ok(keys.clone());
        }
        match Self::read(aws, arn, clock.now()).await {
            Ok(keys) => {
                *read = Some((clock.elapsed(), keys.clone()));
                Ok(keys)
            }
            Err(error) => {
                tracing::error!(%error, "the key of the dashboard's visitors");
                match read.as_ref() {
                    Some((_, keys)) => Ok(keys.clone()),
                    None => Err(Problem::new(Code::StoreUnavailable, "the dashboard's key is not known now")),
                }
            }
        }
    }
}

impl fmt::Debug for Visitors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitors").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: SignedCall<'_> =
        SignedCall { method: "POST", path: "/v1/approvals/x/approve", token: "a.b.c" };

    fn now(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_231_980_083 + milliseconds)
    }

    /// The same bytes are made by `tests/readers/visitor.py`.
    #[test]
    fn the_header_has_the_bytes_of_its_page() {
        let key = VisitorKey::of("a key of visitors that is none, long enough");
        let header = key.sign("203.0.113.24".parse().unwrap(), now(0), CALL);
        let mac = "c8e376eacc9931abb99b777ee0c95664b20858c314edd992bf9274f21589a6ef";
        assert_eq!(header, format!("v1;203.0.113.24;1795231980083;{mac}"));
    }

    #[test]
    fn a_header_is_good_for_its_call_and_for_a_minute() {
        let key = VisitorKey::of("a key of visitors that is none, long enough");
        for address in ["203.0.113.24", "2001:db8::9", "unknown"] {
            let address: SourceAddress = address.parse().unwrap();
            let header = key.sign(address, now(0), CALL);
            for offset in [0, -60_000, 60_000] {
                assert_eq!(key.verify(&header, now(offset), CALL), Some(address), "{offset}");
            }
            for offset in [-60_001, 60_001] {
                assert_eq!(key.verify(&header, now(offset), CALL), None, "{offset}");
            }
            for other in [
                SignedCall { method: "GET", ..CALL },
                SignedCall { path: "/v1/approvals/y/approve", ..CALL },
                SignedCall { token: "a.b.d", ..CALL },
            ] {
                assert_eq!(key.verify(&header, now(0), other), None, "{other:?}");
            }
            let other = VisitorKey::of("another key of visitors, long enough as well");
            assert_eq!(other.verify(&header, now(0), CALL), None);
            for place in 0..header.len() {
                let mut forged = header.clone().into_bytes();
                forged[place] = if forged[place] == b'1' { b'2' } else { b'1' };
                let forged = String::from_utf8(forged).unwrap();
                assert_eq!(key.verify(&forged, now(0), CALL), None, "{forged}");
            }
        }
    }
}
