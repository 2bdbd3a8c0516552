//! Rows of an index that cannot be read. They are left out, so that one row breaks no list, and
//! reported, so that an operator can mend them.

use crate::host::Observer;
use crate::ports::DamagedRow;

/// Reports rows that were left out: one line each, without what they hold.
pub fn report(observer: &dyn Observer, rows: &[DamagedRow]) {
    for row in rows {
        let request_id = row.request_id.map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
        tracing::warn!(request_id, attribute = row.attribute, "a row of an index cannot be read");
    }
    if !rows.is_empty() {
        observer.on_damaged_rows(rows.len());
    }
}
