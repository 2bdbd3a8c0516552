//! What is remembered of all persons together, as one document of bounded size.

use crate::decisions::DecisionCounts;
use crate::partners::ApproverCounts;
use crate::person::Clock;
use crate::weight::{HABIT_HALF_LIFE_DAYS, factor};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of all persons together: less than 8 KiB as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentHistory {
    clock: Clock,
    pub(crate) decisions: DecisionCounts,
    /// Who has approved requests.
    pub(crate) approvers: ApproverCounts,
}

impl DeploymentHistory {
    /// Moves on to a time, and fades what is older by whole days.
    pub(crate) fn move_on(&mut self, at: Timestamp) {
        let days = self.clock.move_on(at);
        if days > 0 {
            let habit = factor(days, HABIT_HALF_LIFE_DAYS);
            self.decisions.fade(habit);
            self.approvers.fade(habit);
        }
    }
}
