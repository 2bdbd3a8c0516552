//! What came of an attempt to deliver.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

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
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FailureClass {
    /// The address is one that may not be called, or its name resolves to one.
    ForbiddenAddress,
    /// The name does not resolve.
    Name,
    /// No connection.
    Connection,
    /// The host answered that nothing listens there.
    ConnectionRefused,
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

/// The text names no class of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a class of failures, such as timeout")]
pub struct InvalidFailureClass;

impl FailureClass {
    /// The name in items, logs and metrics: `forbidden_address`, `name`, `connection`, `connection_refused`, `tls`, `timeout`, `overloaded`, `refused`,
    /// `gone`, `credentials`, `unusable`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a name as [`Self::as_str`] writes it.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidFailureClass> {
        text.parse().map_err(|_| InvalidFailureClass)
    }

    /// Whether the other side was not reached, as far as the sender can tell: the cause may as well be the network, the
    /// resolver, the clock or the trusted roots of the sender.
    ///
    /// TLS is among them: a sender with a wrong clock or without roots trusts no certificate. A forbidden address is not: it
    /// is a property of the destination, which no waiting repairs. Nor is a refused connection: its host has answered.
    pub fn is_unreached(self) -> bool {
        match self {
            Self::Name | Self::Connection | Self::Tls | Self::Timeout => true,
            Self::ConnectionRefused
            | Self::ForbiddenAddress
            | Self::Overloaded
            | Self::Refused
            | Self::Gone
            | Self::Credentials
            | Self::Unusable => false,
        }
    }
}

impl Outcome {
    /// The failure, if it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Delivered { .. } => None,
            Self::Failed(failure) => Some(failure),
        }
    }

    /// Whether the message was taken.
    pub fn is_delivered(&self) -> bool {
        self.failure().is_none()
    }

    /// The status of the answer, if there was one and the channel speaks HTTP.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Delivered { status, .. } => *status,
            Self::Failed(failure) => failure.status,
        }
    }

    /// Whether the other side answered, whatever it said: then the network of the sender works.
    ///
    /// Credentials that are refused prove it by the status of the answer: without one they may be credentials that the sender
    /// could not get.
    pub fn is_answer(&self) -> bool {
        match self.failure().map(|failure| failure.class) {
            None
            | Some(
                FailureClass::ConnectionRefused
                | FailureClass::Overloaded
                | FailureClass::Refused
                | FailureClass::Gone,
            ) => true,
            Some(FailureClass::Credentials) => self.status().is_some(),
            Some(
                FailureClass::ForbiddenAddress
                | FailureClass::Name
                | FailureClass::Connection
                | FailureClass::Tls
                | FailureClass::Timeout
                | FailureClass::Unusable,
            ) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator as _;

    #[test]
    fn each_class_has_one_name_that_reads_back() {
        let names: Vec<_> = FailureClass::iter().map(FailureClass::as_str).collect();
        let expected = [
            "forbidden_address",
            "name",
            "connection",
            "connection_refused",
            "tls",
            "timeout",
            "overloaded",
            "refused",
            "gone",
            "credentials",
            "unusable",
        ];
        assert_eq!(names, expected);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for class in FailureClass::iter() {
            assert_eq!(FailureClass::parse(class.as_str()), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        for text in ["", "Timeout", "TIMEOUT", " timeout", "forbidden-address"] {
            assert_eq!(FailureClass::parse(text), Err(InvalidFailureClass), "{text}");
        }
    }

    #[test]
    fn an_answer_is_what_the_other_side_said() {
        let failed = |class, status| {
            Outcome::Failed(Failure { class, status, retry_after: None, detail: String::new() })
        };
        assert!(Outcome::Delivered { status: None, reference: None }.is_answer());
        for class in FailureClass::iter() {
            let answers = [
                FailureClass::ConnectionRefused,
                FailureClass::Overloaded,
                FailureClass::Refused,
                FailureClass::Gone,
            ];
            assert_eq!(failed(class, None).is_answer(), answers.contains(&class), "{class}");
            assert!(!(class.is_unreached() && failed(class, None).is_answer()), "{class}");
        }
        assert!(failed(FailureClass::Credentials, Some(401)).is_answer());
        assert_eq!(failed(FailureClass::Refused, Some(500)).status(), Some(500));
    }
}
