//! What came of an attempt to deliver.

use std::time::Duration;

/// What came of one attempt, as the channel reads the answer of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took the message.
    Delivered {
        /// The status of the answer, where the channel speaks HTTP.
        status: Option<u16>,
        /// What the other side calls the message, where a later one changes it or refers to it.
        reference: Option<String>,
    },
    /// The other side did not take it.
    Failed(Failure),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The earliest time of the next attempt, from now, if the other side has named one. It only lengthens a wait.
    pub retry_after: Option<Duration>,
    /// A short text for operators: never an address with a secret in it, never what people wrote.
    pub detail: String,
}

/// The kinds of failures, as logs and metrics name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// The address is one that may not be called, or its name resolves to one.
    ForbiddenAddress,
    /// The name does not resolve.
    Name,
    /// No connection.
    Connection,
    /// No TLS connection that is trusted.
    Tls,
    /// No answer in time. The other side may have taken the message all the same.
    Timeout,
    /// The other side answered that it is overloaded or away (429, 502, 503, 504, or what stands for them): all that waits for it
    /// pauses.
    Overloaded,
    /// The other side answered that it does not take this message.
    Refused,
    /// The other side answered that it is gone for good (410, or what stands for it).
    Gone,
    /// The other side does not know or does not believe the sender: nothing gets through until the operator acts.
    Credentials,
    /// The message cannot be made, or its secret cannot be read.
    Unusable,
}
