//! The claim of a request by an approver, as it is shown.

use countersign_core::hold::Hold;
use serde::{Deserialize, Serialize};

/// An approver who is looking at a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HoldBody {
    /// The approver.
    pub by: String,
    /// When the approver began.
    pub since: String,
    /// The time at which the claim ends by itself.
    pub until: String,
}

impl HoldBody {
    /// A hold.
    pub fn of(hold: &Hold) -> Self {
        let Hold { by, since, until, .. } = hold;
        Self { by: by.to_string(), since: since.to_string(), until: until.to_string() }
    }
}
