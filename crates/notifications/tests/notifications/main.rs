//! Who hears of what, when and by which way, as behaviour: from the text of the file to the messages of one event.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture is a failed test")]

mod file;
mod fixture;
mod merge;
mod plan;
mod preferences;
mod quiet;
mod recipients;
mod reports;
mod timers;
mod warnings;
