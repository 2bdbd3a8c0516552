//! What this machine allows of itself: whether operations that need approvals are asked for at all, and how many requests
//! of one person may wait. Only ever stricter than the policy of the service.

use crate::config::ConfigurationError;
use crate::connection::Connection;
use crate::credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::list_query::{ListQuery, MAX_LIMIT};
use countersign_api::bodies::CreateBody;
use countersign_api::wire::SimulateBody;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_identity::jws;

/// What this machine allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether what needs approvals may be asked for: `APPROVAL_WORKFLOW_ENABLED`.
    pub is_workflow_enabled: bool,
    /// How many requests of one person may be pending: `APPROVAL_MAX_PENDING`.
    pub max_pending: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { is_workflow_enabled: true, max_pending: None }
    }
}

impl Limits {
    /// Those of an environment.
    ///
    /// # Errors
    /// When a variable has a value that means nothing: what is doubtful is not taken for permission.
    pub fn of(environment: &Environment) -> Result<Self, ConfigurationError> {
        let is_workflow_enabled = match environment.workflow_enabled.as_deref().unwrap_or("true") {
            "true" => true,
            "false" => false,
            _ => {
                return Err(ConfigurationError::Variable {
                    name: "APPROVAL_WORKFLOW_ENABLED",
                    rule: "must be true or false",
                });
            }
        };
        let number = |text: &String| {
            let number = text.parse().ok().filter(|number| (1..=1000).contains(number));
            number.ok_or(ConfigurationError::Variable {
                name: "APPROVAL_MAX_PENDING",
                rule: "must be a number from 1 to 1000",
            })
        };
        let max_pending = environment.max_pending.as_ref().map(number).transpose()?;
        Ok(Self { is_workflow_enabled, max_pending })
    }

    fn are_none(self) -> bool {
        self == Self::default()
    }
}

impl Connection {
    /// What would come of a request, if this machine allows that it is asked for.
    ///
    /// # Errors
    /// [`Error::WorkflowDisabled`] or [`Error::TooManyPending`], or as for [`Connection::simulate`].
    pub fn check(&self, request: &CreateBody, limits: Limits) -> Result<SimulateBody, Error> {
        let simulation = self.simulate(request)?;
        let needs_approvals = simulation.approvals_required > 0;
        if needs_approvals && !limits.is_workflow_enabled {
            return Err(Error::WorkflowDisabled);
        }
        if let Some(max) = limits.max_pending.filter(|_| needs_approvals) {
            let query = ListQuery {
                status: vec![Status::Pending],
                // A caller who signs calls has no name here, and is shown at least what is theirs.
                requested_by: self.person()?,
                limit: Some(MAX_LIMIT),
                ..ListQuery::default()
            };
            let pending = self.list(&query, true)?.items.len();
            if u32::try_from(pending).unwrap_or(u32::MAX) >= max {
                return Err(Error::TooManyPending { max });
            }
        }
        Ok(simulation)
    }

    /// The same, and no call where this machine has no limits of its own.
    ///
    /// # Errors
    /// As for [`Self::check`].
    pub fn check_limits(&self, request: &CreateBody, limits: Limits) -> Result<(), Error> {
        if limits.are_none() { Ok(()) } else { self.check(request, limits).map(drop) }
    }

    /// The caller, as answers name them, if the token says.
    fn person(&self) -> Result<Option<String>, Error> {
        let token = self.token()?;
        let claims = token.and_then(|token| jws::claims(token.expose()).ok());
        let person = claims.map(|claims| credential::person(&claims));
        Ok(person.map(|name| PersonId::from_email(&name).map_or(name, |person| person.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_not_taken_for_permission() {
        let of = |enabled: Option<&str>, max: Option<&str>| {
            let text = |text: &str| text.to_owned();
            let environment = Environment {
                workflow_enabled: enabled.map(text),
                max_pending: max.map(text),
                ..Environment::default()
            };
            Limits::of(&environment)
        };
        assert_eq!(of(None, None), Ok(Limits::default()));
        let limits = Limits { is_workflow_enabled: false, max_pending: Some(3) };
        assert_eq!(of(Some("false"), Some("3")), Ok(limits));
        for (enabled, max) in
            [(Some("no"), None), (Some("FALSE"), None), (None, Some("0")), (None, Some("x"))]
        {
            assert!(of(enabled, max).is_err(), "{enabled:?} {max:?}");
        }
    }
}
