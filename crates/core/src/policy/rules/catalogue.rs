//! The operations that `operations.toml` lists: how risky each is, its times, and who carries it out.

use super::bounds::{check_lifetime, check_seconds};
use super::{MAX_LEASE_SECONDS, MAX_PERMIT_SECONDS};
use crate::execution::CLIENT;
use crate::policy::mistake::Mistake;
use crate::policy::source::Source;
use crate::risk::{Environment, RiskLevel};
use crate::runbook::Runbook;
use crate::text::Identifier;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) production: RiskLevel,
    pub(super) non_production: RiskLevel,
    pub(super) pending_seconds: Option<u32>,
    pub(super) execute_within_seconds: Option<u32>,
    pub(super) permit_seconds: Option<u32>,
    pub(super) lease_seconds: Option<u32>,
    executor: Option<String>,
    runbook: Option<String>,
}

impl Operation {
    pub(super) fn risk(&self, environment: Environment) -> RiskLevel {
        match environment {
            Environment::Production => self.production,
            Environment::NonProduction => self.non_production,
        }
    }
}

pub(super) fn check_operation(source: Source<'_>, name: &str, operation: &Operation) -> Result<(), Mistake> {
    if operation.production < operation.non_production {
        return source
            .refuse(&["operations", name], "must not be less risky in production than outside of it");
    }
    for (key, seconds) in [
        ("pending_seconds", operation.pending_seconds),
        ("execute_within_seconds", operation.execute_within_seconds),
    ] {
        seconds.map(|seconds| check_lifetime(source, &["operations", name, key], seconds)).transpose()?;
    }
    for (key, seconds, most) in [
        ("permit_seconds", operation.permit_seconds, MAX_PERMIT_SECONDS),
        ("lease_seconds", operation.lease_seconds, MAX_LEASE_SECONDS),
    ] {
        seconds
            .map(|seconds| check_seconds(source, &["operations", name, key], seconds, most))
            .transpose()?;
    }
    Ok(())
}

/// Who carries an operation out.
#[derive(Debug, Clone)]
pub(super) struct CarriedOut {
    pub(super) executor: Identifier,
    pub(super) runbook: Option<Runbook>,
}

/// Executors that run no runbook.
const WITHOUT_RUNBOOK: [&str; 2] = ["rds", "program"];

/// The executors that operations name. None is called as the audience of permits without an executor.
pub(super) fn read_executors(
    source: Source<'_>,
    operations: &BTreeMap<String, Operation>,
) -> Result<BTreeMap<String, CarriedOut>, Mistake> {
    let mut executors = BTreeMap::new();
    for (name, operation) in operations {
        let path = ["operations", name, "executor"];
        let at_runbook = ["operations", name, "runbook"];
        let runbook = operation.runbook.as_deref().map(Runbook::parse).transpose();
        let runbook = match runbook {
            Ok(runbook) => runbook,
            Err(error) => return source.refuse(&at_runbook, error.to_string()),
        };
        let runs_none = |executor: &String| WITHOUT_RUNBOOK.contains(&executor.as_str());
        if runbook.is_some() && operation.executor.as_ref().is_none_or(runs_none) {
            return source.refuse(&at_runbook, "needs an executor of runbooks, such as `ssm_automation`");
        }
        let Some(executor) = &operation.executor else { continue };
        if executor == CLIENT {
            return source.refuse(&path, format!("must not be `{CLIENT}`: leave it out if the requester's own program carries the operation out"));
        }
        match Identifier::parse(executor) {
            Ok(executor) => executors.insert(name.clone(), CarriedOut { executor, runbook }),
            Err(error) => return source.refuse(&path, error.to_string()),
        };
    }
    Ok(executors)
}
