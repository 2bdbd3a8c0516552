//! A runbook of AWS Systems Manager, pinned to one version: what carries an operation out.

use std::fmt;

/// The most characters of a runbook. An ARN has up to 200.
const MAX_CHARACTERS: usize = 300;

/// A runbook, in one version for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// Its name or ARN.
    pub document: String,
    /// The number of its version. Names of versions, such as `$LATEST`, can come to mean another one.
    pub version: String,
    /// The parameter that is the request's `instance_id`, so that what runs is about what was approved.
    pub instance_parameter: String,
}

/// What is no pinned runbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a runbook is NAME:VERSION:PARAMETER, with a number as version: `{0}`")]
pub struct InvalidRunbook(String);

impl Runbook {
    /// Reads `NAME:VERSION:PARAMETER`; the name may be an ARN.
    ///
    /// # Errors
    /// When a part is missing, or the version is no number.
    pub fn parse(text: &str) -> Result<Self, InvalidRunbook> {
        let invalid = || InvalidRunbook(text.chars().take(MAX_CHARACTERS).collect());
        let mut parts = text.rsplitn(3, ':');
        let (Some(parameter), Some(version), Some(document)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        let is_number = version.parse::<u32>().is_ok_and(|number| number > 0)
            && version.bytes().all(|byte| byte.is_ascii_digit())
            && !version.starts_with('0');
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte))
        };
        if text.len() > MAX_CHARACTERS || !is_number || !is_name(document) || !is_name(parameter) {
            return Err(invalid());
        }
        Ok(Self {
            document: document.to_owned(),
            version: version.to_owned(),
            instance_parameter: parameter.to_owned(),
        })
    }
}

impl fmt::Display for Runbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.document, self.version, self.instance_parameter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_can_come_to_mean_another_one_is_refused() {
        for text in
            ["A:$LATEST:I", "A:$DEFAULT:I", "A:0:I", "A:01:I", "A:+1:I", "A:1", "A::I", ":1:I", "A:1:", ""]
        {
            assert!(Runbook::parse(text).is_err(), "{text}");
        }
        assert!(Runbook::parse(&format!("{}:1:I", "A".repeat(MAX_CHARACTERS))).is_err());
        let text = "arn:aws:ssm:eu-central-1:123456789012:document/Mine:12:Id";
        let arn = Runbook::parse(text).unwrap();
        assert_eq!((arn.version.as_str(), arn.instance_parameter.as_str()), ("12", "Id"));
        assert_eq!(arn.document, "arn:aws:ssm:eu-central-1:123456789012:document/Mine");
        assert_eq!(arn.to_string(), text);
    }
}
