//! How soon a request needs an answer. It decides who is reminded and when, and never what is demanded.

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// How soon a request needs an answer. Ordered: the most urgent is first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Deserialize,
    serde::Serialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
pub enum Priority {
    /// An emergency.
    P1,
    /// Urgent.
    P2,
    /// Of the day.
    P3,
    /// Planned.
    P4,
}

impl Priority {
    /// The name in requests and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Within how many seconds an answer is expected: at once, 30 minutes, 2 hours, a day. Shown to people; nothing
    /// is decided by it.
    pub fn response_target_seconds(self) -> u32 {
        match self {
            Self::P1 => 0,
            Self::P2 => 30 * 60,
            Self::P3 => 2 * 60 * 60,
            Self::P4 => 24 * 60 * 60,
        }
    }

    /// Whether its messages wait for nothing: neither for the end of quiet hours nor for a summary.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::P1 | Self::P2)
    }
}
