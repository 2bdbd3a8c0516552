//! `/approvals/{id}`: a request with every byte of what will run, and what the visitor may do about it.

pub(crate) mod act;
pub(crate) mod activity;
pub(crate) mod forms;
pub(crate) mod loaded;
pub(crate) mod page;
pub(crate) mod view;
