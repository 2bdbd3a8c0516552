//! What Slack, Teams and `PagerDuty` get, and what is made of their answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod events;
mod pagerduty;
mod reports;
mod slack_bot;
mod slack_messages;
mod slack_webhook;
mod summaries;
mod teams;
