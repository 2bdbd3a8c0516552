//! The environment of the command: reset as sudo does, with what the requester names besides.

use crate::error::BindError;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// What a command finds without being given it.
const KEPT: [&str; 6] = ["HOME", "LANG", "PATH", "TERM", "TZ", "USER"];
/// Shown to approvers, it would be theirs to use.
const TOKEN: &str = "COUNTERSIGN_TOKEN";

/// The variables of the command.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// With their values, for approvers and the command.
    pub(crate) shown: BTreeMap<String, String>,
    /// Without: the values are for the command alone.
    pub(crate) secret: BTreeMap<String, OsString>,
}

/// Those of `own` that the command gets. `named` are names, or `NAME=VALUE`.
pub(crate) fn reset(
    own: &BTreeMap<OsString, OsString>,
    named: &[String],
    secret: &[String],
) -> Result<Environment, BindError> {
    let mut environment = Environment::default();
    for name in KEPT {
        if let Some(value) = own.get(OsStr::new(name)) {
            environment.shown.insert(name.to_owned(), text(name, value)?);
        }
    }
    for name in secret {
        let value = value(own, valid(name)?)?;
        environment.shown.remove(name);
        environment.secret.insert(name.clone(), value.clone());
    }
    for named in named {
        let (name, value) = match named.split_once('=') {
            Some((name, value)) => (valid(name)?, value.to_owned()),
            None => (named.as_str(), text(named, value(own, valid(named)?)?)?),
        };
        if name == TOKEN {
            return Err(BindError::Token);
        }
        if environment.secret.contains_key(name) {
            return Err(BindError::ShownSecret { name: name.to_owned() });
        }
        environment.shown.insert(name.to_owned(), value);
    }
    Ok(environment)
}

fn valid(name: &str) -> Result<&str, BindError> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(BindError::VariableName { name: name.to_owned() });
    }
    Ok(name)
}

fn value<'a>(own: &'a BTreeMap<OsString, OsString>, name: &str) -> Result<&'a OsString, BindError> {
    own.get(OsStr::new(name)).ok_or_else(|| BindError::NoVariable { name: name.to_owned() })
}

fn text(name: &str, value: &OsStr) -> Result<String, BindError> {
    let text = value.to_str().map(str::to_owned);
    text.ok_or_else(|| BindError::NotUtf8 { what: format!("the variable {name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_not_named_is_not_there() {
        let own =
            own(&[("PATH", "/bin"), ("LD_PRELOAD", "x.so"), ("COUNTERSIGN_TOKEN", "t"), ("REGION", "eu")]);
        let environment = reset(&own, &[], &[]).unwrap();
        assert_eq!(environment.shown, BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]));
        let environment = reset(&own, &names(&["REGION", "MODE=fast=1"]), &names(&["LD_PRELOAD"])).unwrap();
        assert_eq!(environment.shown["REGION"], "eu");
        assert_eq!(environment.shown["MODE"], "fast=1");
        assert_eq!(environment.secret["LD_PRELOAD"], "x.so");
    }

    #[test]
    fn a_secret_is_shown_by_no_other_option() {
        let own = own(&[("KEY", "k"), ("COUNTERSIGN_TOKEN", "t"), ("USER", "ann")]);
        for (named, secret) in [
            (&["KEY"][..], &["KEY"][..]),
            (&["COUNTERSIGN_TOKEN"], &[]),
            (&["NOT_SET"], &[]),
            (&[], &["NOT_SET"]),
            (&["=x"], &[]),
        ] {
            assert!(reset(&own, &names(named), &names(secret)).is_err(), "{named:?} {secret:?}");
        }
        let environment = reset(&own, &[], &names(&["USER"])).unwrap();
        assert!(environment.shown.is_empty());
    }
}
