//! Countersign's store: the ports of `countersign-app` on `DynamoDB`.
//!
//! One implementation for AWS and for the embedded engine; the difference is the SDK client it is
//! given. What an item looks like is in [`item`], every expression in [`expression`], the tables
//! in [`table`]. Knows nothing of HTTP, Lambda or the environment.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod anomalies;
mod answer_time;
mod attribute;
mod audit_item;
mod channel_item;
mod channels;
mod comment_item;
mod continuation_item;
mod counted_item;
mod counting;
mod dead_letters;
pub mod deliveries;
mod delivery_item;
mod error;
mod event_query;
mod execution_item;
mod expression;
mod figure_item;
mod figures;
mod hold_item;
mod holds;
mod item;
pub mod keys;
mod listing;
mod listing_item;
mod log;
mod log_item;
mod merge;
pub mod observed;
pub mod outbox;
mod outbox_item;
mod position;
mod preferences;
mod preferences_item;
mod record;
mod retention;
pub mod store;
mod summary_item;
pub mod table;
mod timer_item;
mod webhook_item;
