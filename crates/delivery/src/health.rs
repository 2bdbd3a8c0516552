//! How an endpoint fares: when all that waits for it pauses, and when it is disabled.
//!
//! Only attempts that count change it ([`crate::sweep::Verdict::Counts`]). What it says about disabling is meant for endpoints
//! that their owners register; a sender leaves it aside for destinations that the operator configures.

use crate::outcome::{Failure, FailureClass, Outcome};
use crate::schedule::{bounded_milliseconds, later};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The pause after the first answer that an endpoint is overloaded, in seconds. Each pause after which it is still overloaded
/// is followed by one of twice its length.
pub const FIRST_PAUSE_SECONDS: u32 = 30;
/// The longest pause that is not asked for, in seconds. A `Retry-After` lengthens it up to
/// [`crate::schedule::MAX_RETRY_AFTER_SECONDS`].
pub const LONGEST_PAUSE_SECONDS: u32 = 60 * 60;
/// An endpoint is disabled once it has failed for so long without a success, in seconds: 5 days. The attempts of one delivery
/// take a little more than three, so that more than one delivery has failed.
pub const FAILING_SECONDS: u32 = 5 * 24 * 60 * 60;

/// The health of an endpoint, as it is stored: absent members are left out, times are RFC 3339. The default is that of one that
/// was never called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// The last attempt that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// The first failure after the last success, moved later by the outages of the sender since: there is none while the
    /// endpoint works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The first attempt that was not counted since the last one that was: since then the sender has reached no endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreached_since: Option<Timestamp>,
    /// How many pauses in a row the endpoint has been found overloaded after.
    pub overloads: u32,
    /// Until when nothing is attempted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// Since when and why it takes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
}

/// An endpoint that is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disabled {
    /// The time from which it takes nothing.
    pub at: Timestamp,
    /// Why.
    pub reason: DisabledReason,
}

/// Why the service disables an endpoint.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisabledReason {
    /// It answered that it is gone for good (410).
    Gone,
    /// It has failed for [`FAILING_SECONDS`] without a success.
    NoSuccess,
}

impl DisabledReason {
    /// The name in requests and items: `gone`, `no_success`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Health {
    /// Whether nothing is to be attempted at `now`, and until when.
    pub fn pause_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }

    /// The same after an attempt that counts, which ended at `now`.
    ///
    /// - A success ends pause and failing. It enables nothing: that is for those who manage the endpoint.
    /// - `overloaded` pauses. Of several attempts that run into one overload only the first makes a pause; the next one to be
    ///   found after it doubles it.
    /// - `gone` disables at once.
    /// - Any failure disables if the endpoint has been failing for [`FAILING_SECONDS`]. Time that passes without attempts
    ///   disables nothing, and the time during which the sender reached no endpoint is not counted.
    #[must_use]
    pub fn attempted(mut self, outcome: &Outcome, now: Timestamp) -> Self {
        let failure = match outcome {
            Outcome::Delivered { .. } => {
                return Self {
                    last_success_at: self.last_success_at.max(Some(now)),
                    disabled: self.disabled,
                    ..Self::default()
                };
            }
            Outcome::Failed(failure) => failure,
        };
        if let Some((since, unreached)) = self.failing_since.zip(self.unreached_since) {
            let outage = now.as_millisecond().saturating_sub(unreached.as_millisecond());
            self.failing_since = Some(later(since, u64::try_from(outage).unwrap_or_default()).min(now));
        }
        self.unreached_since = None;
        let since = *self.failing_since.get_or_insert(now);
        let reason = match failure.class {
            FailureClass::Gone => Some(DisabledReason::Gone),
            FailureClass::Overloaded => {
                self.pause(failure, now);
                None
            }
            FailureClass::Refused => {
                // It has said something else than that it is overloaded.
                self.overloads = 0;
                None
            }
            FailureClass::ForbiddenAddress
            | FailureClass::Name
            | FailureClass::Connection
            | FailureClass::ConnectionRefused
            | FailureClass::Tls
            | FailureClass::Timeout
            | FailureClass::Credentials
            | FailureClass::Unusable => None,
        };
        let is_failing_long = now >= since.plus_seconds(FAILING_SECONDS);
        if let Some(reason) = reason.or(is_failing_long.then_some(DisabledReason::NoSuccess)) {
            self.disabled.get_or_insert(Disabled { at: now, reason });
        }
        self
    }

    fn pause(&mut self, failure: &Failure, now: Timestamp) {
        let asked = failure.retry_after.map_or(0, bounded_milliseconds);
        let own = match self.pause_at(now) {
            // Attempts that were under way when the pause began: they found the same overload.
            Some(_) => 0,
            None => {
                let doublings = self.overloads.min(16);
                self.overloads = self.overloads.saturating_add(1);
                let seconds = (u64::from(FIRST_PAUSE_SECONDS) << doublings).min(LONGEST_PAUSE_SECONDS.into());
                seconds * 1000
            }
        };
        self.paused_until = self.paused_until.max(Some(later(now, own.max(asked))));
    }

    /// The same after an attempt that does not count, because the sender reached no endpoint. Only the first one of an outage
    /// changes anything, so that the others need not be written.
    #[must_use]
    pub fn unreached(mut self, now: Timestamp) -> Self {
        self.unreached_since.get_or_insert(now);
        self
    }

    /// The same once those who manage the endpoint have enabled it: it starts afresh.
    #[must_use]
    pub fn enabled(self) -> Self {
        Self { last_success_at: self.last_success_at, ..Self::default() }
    }
}
