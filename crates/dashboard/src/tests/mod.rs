//! Pages against an API that a test plays.

mod browser;
mod examples;
mod hostile;
mod inbox;
mod insights;
mod markup;
mod pages;
mod request;
mod sign_in;

pub(crate) use browser::{Browser, keys, later, visit};
