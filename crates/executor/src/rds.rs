//! Operations on Amazon RDS, without a call: parameters, plans, and what is made of what RDS shows.
//!
//! Calls of RDS have no client tokens. So of each operation it is known how an effect shows: in the target's state, by a
//! name or tag that holds the execution's id, or by RDS's own events.

pub mod change;
pub mod instance;
pub mod plan;
pub mod settle;

#[cfg(test)]
mod tests;

use crate::planner::{Fault, Plan, Planner};
use crate::target::Target;
use change::Change;
use instance::Instance;
use serde_json::Value;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The tag of what an execution makes.
pub const TAG: &str = "countersign:execution-id";

/// The operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    /// Another class.
    ModifyInstanceClass,
    /// More or other storage.
    ModifyStorage,
    /// Metrics of the operating system.
    EnableEnhancedMonitoring,
    /// A restart.
    Reboot,
    /// A snapshot by hand.
    CreateSnapshot,
    /// Another instance of the cluster, or the standby, takes over.
    Failover,
    /// Another parameter group, or other values in it.
    ModifyParameterGroup,
    /// A new instance from a snapshot.
    RestoreFromSnapshot,
    /// The end of an instance.
    DeleteInstance,
}

/// The planner of RDS. It needs no configuration: what the executor's configuration adds is left open in a plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rds;

impl Planner for Rds {
    fn knows(&self, operation_type: &str) -> bool {
        operation_type.parse::<Operation>().is_ok()
    }

    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>> {
        Change::read(operation_type, parameters).map(|_| ())
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        target: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        let change = Change::read(operation_type, parameters)?;
        let instance = target.map(Instance::read).transpose().map_err(|error| {
            vec![Fault::of_target(format!("the recorded target is none of this executor: {error}"))]
        })?;
        plan::plan(&change, instance_id, instance.as_ref())
    }
}
