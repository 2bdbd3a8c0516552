//! What `countersign executor` is made of: programs that carry operations out.

pub mod program;
