//! Risk levels, environments and costs: the closed sets that policy speaks about.

use std::fmt;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// How dangerous an operation is. Ordered: a higher level asks for more.
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
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum RiskLevel {
    /// Approved by policy at once.
    Low,
    /// One person must agree.
    Medium,
    /// Two people must agree.
    High,
}

impl RiskLevel {
    /// The name in requests and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The next higher one; none above high.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Low => Some(Self::Medium),
            Self::Medium => Some(Self::High),
            Self::High => None,
        }
    }

    /// How many distinct people must agree at least, whatever a policy says.
    pub fn min_approvals(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }
}

/// Where the target lives. Ordered: production asks for more.
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
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Environment {
    /// Anything policy names as non-production.
    NonProduction,
    /// Everything else.
    Production,
}

impl Environment {
    /// The name in requests and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An amount of money in the organisation's currency.
///
/// Zero, or between 10^-6 and 10^15: what `DynamoDB`'s numbers and everybody's spreadsheets hold.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Cost(f64);

/// The number cannot be a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 0 or a number from 0.000001 to 1000000000000000")]
pub struct InvalidCost;

impl Cost {
    /// Checks the range.
    pub fn new(amount: f64) -> Result<Self, InvalidCost> {
        if amount == 0.0 {
            return Ok(Self(0.0));
        }
        if (1e-6..=1e15).contains(&amount) {
            return Ok(Self(amount));
        }
        Err(InvalidCost)
    }

    /// The amount.
    pub fn amount(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for text in ["Production ", "prod", "PRODUCTION", "", "nonproduction"] {
            assert!(text.parse::<Environment>().is_err(), "{text}");
        }
        for text in ["HIGH", "low ", "critical", "none", ""] {
            assert!(text.parse::<RiskLevel>().is_err(), "{text}");
        }
        assert!(RiskLevel::High > RiskLevel::Medium && RiskLevel::Medium > RiskLevel::Low);
        assert!(Environment::Production > Environment::NonProduction);
    }

    #[test]
    fn costs_are_finite_and_not_negative() {
        for amount in [-1.0, -1e-9, f64::NAN, f64::INFINITY, 1e16, 1e-300] {
            assert!(Cost::new(amount).is_err(), "{amount}");
        }
        for amount in [0.0, -0.0, 0.01, 250.5, 1e15] {
            assert!(Cost::new(amount).is_ok(), "{amount}");
        }
    }
}
