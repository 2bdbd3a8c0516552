//! Counting the items of a partition.

use crate::error::store_error;
use crate::expression::Expression;
use crate::keys::SHARD;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::Select;
use countersign_app::ports::StoreError;

/// All of a partition of the outbox, or of an index that has the same key.
pub(crate) fn partition(shard: &str) -> Expression {
    let mut condition = Expression::default();
    let name = condition.name(SHARD);
    let value = condition.string("shard", shard);
    condition.text = format!("{name} = {value}");
    condition
}

/// How many items a partition of a table, or of one of its indexes, holds. Of an index the answer may lag behind.
pub(crate) async fn count(
    client: &Client,
    table: &str,
    index: Option<&str>,
    shard: &str,
) -> Result<usize, StoreError> {
    let condition = partition(shard);
    let mut count = 0;
    let mut start = None;
    loop {
        let page = client
            .query()
            .table_name(table)
            .set_index_name(index.map(str::to_owned))
            .consistent_read(index.is_none())
            .key_condition_expression(&condition.text)
            .set_expression_attribute_names(Some(condition.names.clone()))
            .set_expression_attribute_values(Some(condition.values.clone()))
            .select(Select::Count)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(store_error)?;
        count += usize::try_from(page.count).unwrap_or_default();
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(count);
        }
    }
}
