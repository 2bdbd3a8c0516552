//! How much is still under way: a gate that is about to end waits for it.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Counts what is under way.
#[derive(Debug, Clone)]
pub struct Busy {
    count: Arc<watch::Sender<usize>>,
}

/// Something that is under way until it is dropped.
#[derive(Debug)]
pub struct UnderWay {
    count: Arc<watch::Sender<usize>>,
}

impl Default for Busy {
    fn default() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }
}

impl Busy {
    /// Something begins.
    pub fn begin(&self) -> UnderWay {
        self.count.send_modify(|count| *count += 1);
        UnderWay { count: Arc::clone(&self.count) }
    }

    /// Waits until nothing is under way; gives whether that has come about in time.
    pub async fn is_done_within(&self, limit: Duration) -> bool {
        let mut count = self.count.subscribe();
        tokio::time::timeout(limit, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}
