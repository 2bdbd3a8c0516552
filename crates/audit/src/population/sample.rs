//! Which requests of a population are looked at: chosen by a seed, so that the choice can be repeated and was not made by those
//! who are looked at.

use super::Population;
use countersign_core::ids::RequestId;
use sha2::{Digest as _, Sha256};

/// What stands between the seed and the id.
const SEPARATOR: [u8; 1] = [0];

impl Population {
    /// The `count` requests with the smallest SHA-256 of seed, a zero byte and request id, the smallest first; all of them if
    /// there are not so many.
    #[must_use]
    pub fn sample(&self, seed: &str, count: usize) -> Vec<RequestId> {
        let mut ranked: Vec<_> =
            self.rows().map(|row| (rank(seed, row.request_id()), row.request_id())).collect();
        ranked.sort_unstable();
        ranked.into_iter().take(count).map(|(_, request_id)| request_id).collect()
    }
}

fn rank(seed: &str, request_id: RequestId) -> [u8; 32] {
    let hash = Sha256::new().chain_update(seed).chain_update(SEPARATOR);
    hash.chain_update(request_id.to_string()).finalize().into()
}
