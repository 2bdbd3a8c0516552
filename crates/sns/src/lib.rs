//! What subscribers receive of an event, and the publisher on Amazon SNS.
//!
//! [`message`] shapes texts and makes no calls; [`publisher`] sends them. The parameters of a request
//! are never part of a message: they are shown where people sign in.
#![warn(missing_docs)]

pub mod message;
pub mod publisher;
