//! What a population is not believed for.

use crate::checkpoint::InvalidCheckpoint;
use crate::evidence::mismatch::Mismatch;

/// The first thing that is not as the log gives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Discrepancy {
    /// The manifest is none, or not in its one form.
    #[error("the manifest is none: {0}")]
    Form(&'static str),
    /// The checkpoint of the manifest.
    #[error("the manifest's member checkpoint: {0}")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The manifest names another deployment than its checkpoint.
    #[error("the manifest's member origin is not that of its checkpoint")]
    Origin,
    /// The manifest names another size than its checkpoint.
    #[error("the manifest's member tree_size is {manifest}, and its checkpoint has {checkpoint} entries")]
    TreeSize {
        /// What the manifest says.
        manifest: u64,
        /// What the checkpoint says.
        checkpoint: u64,
    },
    /// The table is none.
    #[error("the table is not CSV in UTF-8")]
    NoTable,
    /// The first line does not name the columns.
    #[error("the first row of the table does not name the columns of this format")]
    Columns,
    /// A cell.
    #[error("row {row}, request {request_id}: {column} is {found:?}, and the log gives {expected:?}")]
    Cell {
        /// The row, from 1, that of the names of columns not counted.
        row: usize,
        /// Its request, as the log has it.
        request_id: String,
        /// The column.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What would have to.
        expected: String,
    },
    /// A row that the log gives is not there.
    #[error("row {row} is missing: request {request_id} of the log is not in the table")]
    Missing {
        /// Where it would stand.
        row: usize,
        /// Its request.
        request_id: String,
    },
    /// A row is there that the log does not give.
    #[error("row {row}: request {request_id:?} is not in the log, or not of this span, or there twice")]
    Surplus {
        /// The row.
        row: usize,
        /// What stands in the place of the request's id.
        request_id: String,
    },
    /// A row has another number of cells than there are columns.
    #[error("row {row} has {cells} cells, and there are {} columns", super::table::COLUMNS.len())]
    Width {
        /// The row.
        row: usize,
        /// How many cells it has.
        cells: usize,
    },
    /// Rows that are there stand in another order.
    #[error("row {row}: request {request_id} stands in another place than the log gives it")]
    Order {
        /// The row.
        row: usize,
        /// The request that would stand there.
        request_id: String,
    },
    /// All cells are what the log gives, and the bytes are not.
    #[error(
        "every cell of the table is what the log gives, and its bytes are not: it was written by another program"
    )]
    Spelling,
    /// The manifest has the digest of another table.
    #[error("the manifest's member sha256 is not that of the table")]
    Digest,
    /// The manifest has another number of rows.
    #[error("the manifest's member rows is {manifest}, and the table has {table}")]
    Rows {
        /// What the manifest says.
        manifest: u64,
        /// How many the log gives.
        table: u64,
    },
    /// The sample is not what the seed gives.
    #[error(
        "the manifest's member sample is not what its seed chooses: its requests differ from number {number} on"
    )]
    Sample {
        /// The first request that differs, from 1.
        number: usize,
    },
    /// The signature.
    #[error("{}", .0.as_ref().map(ToString::to_string).unwrap_or_default())]
    Signature(Option<Mismatch>),
}
