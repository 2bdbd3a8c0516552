//! Where a request is in its life, and which deadline it has there.

use crate::timestamp::Timestamp;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// Where a request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Status {
    /// Waits for people.
    Pending,
    /// May be started, once.
    Approved,
    /// Started, and not reported on.
    Executing,
    /// Refused.
    Rejected,
    /// A deadline passed.
    Expired,
    /// Withdrawn.
    Cancelled,
    /// Done.
    Executed,
    /// Started, and did not work.
    Failed,
}

impl Status {
    /// Those in which nothing can happen to the operation any more.
    pub const CLOSED: [Self; 5] =
        [Self::Rejected, Self::Expired, Self::Cancelled, Self::Executed, Self::Failed];

    /// The name in requests and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status at a time of a request that was written down with this one: past its deadline a
    /// request is expired, whether or not a sweep has written that down.
    pub fn at(self, now: Timestamp, expires_at: Timestamp, execute_by: Option<Timestamp>) -> Self {
        match self.deadline(expires_at, execute_by) {
            Some(deadline) if now >= deadline => Self::Expired,
            Some(_) | None => self,
        }
    }

    pub(crate) fn deadline(self, expires_at: Timestamp, execute_by: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Pending => Some(expires_at),
            // INVARIANT: an approved request has `execute_by`. One without could never be
            // started: its deadline is in the past.
            Self::Approved => Some(execute_by.unwrap_or(Timestamp::EARLIEST)),
            Self::Executing
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Executed
            | Self::Failed => None,
        }
    }

    /// Whether approvals matter still: it waits for them, or for the start that asks them again.
    pub fn is_decidable(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }

    /// Whether anything can still happen to the operation.
    pub fn is_open(self) -> bool {
        !Self::CLOSED.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn what_has_no_deadline_and_runs_no_more_is_closed() {
        let open = [Status::Pending, Status::Approved, Status::Executing];
        let closed: Vec<_> = Status::iter().filter(|status| !open.contains(status)).collect();
        assert_eq!(closed, Status::CLOSED);
    }
}
