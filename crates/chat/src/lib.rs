//! Messages for Slack, Teams and PagerDuty, and what their answers mean.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]
