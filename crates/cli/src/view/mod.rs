//! What commands show: answers as people and as programs read them, and the terminal.

pub mod document;
pub mod explanation;
pub mod output;
pub mod request;
pub mod simulation;
pub mod terminal;
pub mod times;
pub mod width;
