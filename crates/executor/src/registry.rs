//! Which executor carries out an operation, by the name that policy gives.

use crate::planner::Planner;
use crate::program::Program;
use crate::rds::Rds;
use crate::ssm_automation::SsmAutomation;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The built-in executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum ExecutorName {
    /// Calls of Amazon RDS.
    Rds,
    /// Runbooks of AWS Systems Manager.
    SsmAutomation,
    /// A program of the operator's.
    Program,
}

/// The planner of an executor that needs no configuration, so that requests for it are held against its rules when they
/// are made. Of another executor nothing is known there.
pub fn built_in(executor: &str) -> Option<&'static dyn Planner> {
    match executor.parse().ok()? {
        ExecutorName::Rds => Some(&Rds),
        ExecutorName::SsmAutomation | ExecutorName::Program => None,
    }
}

/// The planners, with the configuration that plans depend on.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// The pinned runbooks.
    pub ssm_automation: SsmAutomation,
}

impl Registry {
    /// The planner of an executor.
    pub fn planner(&self, name: ExecutorName) -> &dyn Planner {
        match name {
            ExecutorName::Rds => &Rds,
            ExecutorName::SsmAutomation => &self.ssm_automation,
            ExecutorName::Program => &Program,
        }
    }
}
