//! Which priority a request has that names none: by its risk and environment.

use countersign_core::priority::Priority;
use countersign_core::risk::{Environment, RiskLevel};

/// The priority of a risk, in both environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByEnvironment {
    /// In production.
    pub production: Priority,
    /// Elsewhere.
    pub non_production: Priority,
}

/// The priorities of requests that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priorities {
    /// Of low risk.
    pub low: ByEnvironment,
    /// Of medium risk.
    pub medium: ByEnvironment,
    /// Of high risk.
    pub high: ByEnvironment,
}

impl Default for Priorities {
    /// An emergency is one that a requester calls so.
    fn default() -> Self {
        let by = |production, non_production| ByEnvironment { production, non_production };
        Self {
            low: by(Priority::P4, Priority::P4),
            medium: by(Priority::P3, Priority::P4),
            high: by(Priority::P2, Priority::P3),
        }
    }
}

impl Priorities {
    /// The priority of a request: what its requester has named, else that of its risk and environment.
    pub fn of(&self, named: Option<Priority>, risk_level: RiskLevel, environment: Environment) -> Priority {
        let by_environment = match risk_level {
            RiskLevel::Low => self.low,
            RiskLevel::Medium => self.medium,
            RiskLevel::High => self.high,
        };
        named.unwrap_or(match environment {
            Environment::Production => by_environment.production,
            Environment::NonProduction => by_environment.non_production,
        })
    }
}
