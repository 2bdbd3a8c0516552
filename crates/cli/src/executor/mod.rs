//! What `countersign executor` is made of: the service as an executor sees it, and programs that carry operations out.

pub mod approvals;
pub mod program;
