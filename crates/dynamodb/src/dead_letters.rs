//! Counting dead letters: of the outbox, and of deliveries to single destinations.

use crate::counting::count;
use crate::keys::{DEAD, DEAD_DELIVERIES, DUE_INDEX};
use crate::store::DynamoStore;
use countersign_app::ports::StoreError;
use countersign_app::report::CountDeadLetters;
use countersign_figures::period_report::DeadLetters;

impl CountDeadLetters for DynamoStore {
    async fn dead_letters(&self) -> Result<DeadLetters, StoreError> {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let events = count(&self.client, &self.tables.outbox, None, DEAD).await?;
        let deliveries = match &self.tables.deliveries {
            Some(table) => count(&self.client, table, Some(DUE_INDEX), DEAD_DELIVERIES).await?,
            None => 0,
        };
        Ok(DeadLetters { events: number(events), deliveries: number(deliveries) })
    }
}
