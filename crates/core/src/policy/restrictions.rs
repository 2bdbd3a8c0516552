//! What the operator of a process takes away from its policy, whatever that says. Only ever less goes ahead: no
//! restriction lets anything go ahead that policy would not.

use crate::requirements::MAX_PENDING_LIMIT;

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restrictions {
    /// Whether anything that needs an approval goes ahead.
    pub workflow_enabled: bool,
    /// The most pending requests of one requester, if that is fewer than policy allows.
    pub max_pending: Option<u16>,
}

impl Default for Restrictions {
    fn default() -> Self {
        Self { workflow_enabled: true, max_pending: None }
    }
}

/// Reads a switch: `true` or `false`, in capitals or not.
///
/// # Errors
/// The rule. What is neither is no answer to whether approvals are switched off.
pub fn workflow_enabled(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Reads a limit.
///
/// # Errors
/// The rule.
pub fn max_pending(text: &str) -> Result<u16, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PENDING_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {MAX_PENDING_LIMIT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_or_off_and_nothing_else() {
        for (text, expected) in [("true", true), ("True", true), ("false", false), ("FALSE", false)] {
            assert_eq!(workflow_enabled(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "1", "no", "off", " false", "true\n", "ｆalse"] {
            assert!(workflow_enabled(text).is_err(), "{text}");
        }
        assert_eq!((max_pending("1"), max_pending("1000")), (Ok(1), Ok(1000)));
        for text in ["", "0", "1001", "-1", "5.0", "x"] {
            assert!(max_pending(text).is_err(), "{text}");
        }
    }
}
