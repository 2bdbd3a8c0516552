//! What a shell takes from the machine it runs on: the clock, random ids, pauses, the log, text files and files for
//! their owner alone. Both shells use it; nothing inside them knows it.
#![warn(missing_docs)]

pub mod logging;
pub mod private_file;
pub mod system;
pub mod text_file;
