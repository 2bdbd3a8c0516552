//! Messages for Slack, Teams and `PagerDuty`, and what their answers mean.
//!
//! Each channel makes an [`HttpCall`](call::HttpCall) of a [`Summary`](summary::Summary) and reads an
//! [`Answer`](call::Answer). Refuses to know how calls are sent, which addresses may be called, who is told and when.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod call;
pub mod cut;
pub mod link;
pub mod pagerduty;
pub mod report;
mod slack_answer;
pub mod slack_bot;
mod slack_message;
pub mod slack_webhook;
pub mod summary;
pub mod teams;
mod wording;
