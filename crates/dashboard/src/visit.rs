//! What one answer is made with besides the request: the time, and random bytes.

use countersign_core::digest::DeploymentKey;
use countersign_core::timestamp::Timestamp;
use std::fmt;

/// What one answer is made with. Each visit has random bytes of its own.
#[derive(Clone, Copy)]
pub struct Visit {
    /// Now.
    pub now: Timestamp,
    /// From the system's random source: every secret of the answer is derived from them.
    pub random: [u8; 32],
}

impl Visit {
    /// Bytes that no other party can guess: others for another purpose, another text or another visit.
    pub(crate) fn random(&self, purpose: &str, text: &str) -> [u8; 32] {
        *DeploymentKey::new(self.random).digest(purpose, text).as_bytes()
    }

    /// 128 bits of them as hexadecimal digits.
    pub(crate) fn random_name(&self, purpose: &str, text: &str) -> String {
        hex::encode(self.random(purpose, text).first_chunk::<16>().copied().unwrap_or_default())
    }

    /// Milliseconds since a time; 0 if it is yet to come.
    pub(crate) fn since(&self, millisecond: i64) -> i64 {
        self.now.as_millisecond().saturating_sub(millisecond).max(0)
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("now", &self.now).finish_non_exhaustive()
    }
}
