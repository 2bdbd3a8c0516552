//! What a shell takes from the machine it runs on: the clock, random ids, pauses, the log and text
//! files. Both shells use it; nothing inside them knows it.
#![warn(missing_docs)]

pub mod logging;
pub mod system;
pub mod text_file;
