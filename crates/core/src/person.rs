//! Who a person is: one id for every spelling that is surely the same address, and refusal of
//! everything that might be a disguise.

use std::fmt;

/// The id of a person, a service or a part of the system.
///
/// A person's id is their verified e-mail address, trimmed and in lower case. ASCII only: outside
/// it there are too many letters that look alike (the Kelvin sign, Cyrillic а, full-width forms),
/// and refusing is safer than folding. A service has no e-mail; its id starts with `service:`,
/// which no address can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(String);

/// The text cannot be a person id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address in ASCII, such as ann@example.com")]
pub struct InvalidPersonId;

const SERVICE_PREFIX: &str = "service:";
const SYSTEM_PREFIX: &str = "system:";

/// RFC 5321 section 4.5.3.1: 64 octets for the local part, 254 for the whole address.
const MAX_LOCAL: usize = 64;
const MAX_ADDRESS: usize = 254;

impl PersonId {
    /// The person who has this e-mail address.
    ///
    /// `atext` and dots before the `@` (RFC 5322; quoted strings and comments are refused: they
    /// spell one mailbox in many ways), letters, digits, hyphens and dots after it.
    pub fn from_email(email: &str) -> Result<Self, InvalidPersonId> {
        let id = email.trim_matches(|c: char| c.is_ascii_whitespace()).to_ascii_lowercase();
        let (local, domain) = id.split_once('@').ok_or(InvalidPersonId)?;
        let local_allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
        let domain_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
        let dots_are_inside = |part: &str| part.split('.').all(|label| !label.is_empty());
        if id.len() > MAX_ADDRESS
            || local.len() > MAX_LOCAL
            || !local.bytes().all(local_allowed)
            || !domain.bytes().all(domain_allowed)
            || !dots_are_inside(local)
            || !dots_are_inside(domain)
        {
            return Err(InvalidPersonId);
        }
        Ok(Self(id))
    }

    /// The service that a token without an e-mail names as its subject.
    pub fn service(subject: &str) -> Result<Self, InvalidPersonId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@|".contains(&b);
        if subject.is_empty() || subject.len() > 128 || !subject.bytes().all(allowed) {
            return Err(InvalidPersonId);
        }
        Ok(Self(format!("{SERVICE_PREFIX}{subject}")))
    }

    /// The part of the system that writes down that a deadline has passed.
    pub fn expiry() -> Self {
        Self(format!("{SYSTEM_PREFIX}expiry"))
    }

    /// The part of the system that erases what has been kept for long enough.
    pub fn retention() -> Self {
        Self(format!("{SYSTEM_PREFIX}retention"))
    }

    /// The part of the system that finds what is unusual in the audit log.
    pub fn anomalies() -> Self {
        Self(format!("{SYSTEM_PREFIX}anomalies"))
    }

    /// Whether it is a part of the system, or callers who are not known, and no person.
    pub fn is_of_the_system(&self) -> bool {
        self.0.starts_with(SYSTEM_PREFIX)
    }

    /// The callers who could not be told who they are.
    pub fn unauthenticated() -> Self {
        Self(format!("{SYSTEM_PREFIX}unauthenticated"))
    }

    /// The subject of a service's token; none of a person.
    pub fn service_subject(&self) -> Option<&str> {
        self.0.strip_prefix(SERVICE_PREFIX)
    }

    /// A made-up person, for asking what policy would let a person do.
    pub fn somebody() -> Self {
        Self(format!("{SYSTEM_PREFIX}somebody"))
    }

    /// Takes a stored id back.
    pub fn from_stored(text: &str) -> Result<Self, InvalidPersonId> {
        let of_the_system = [Self::expiry(), Self::retention(), Self::anomalies(), Self::unauthenticated()];
        if let Some(system) = of_the_system.into_iter().find(|id| id.0 == text) {
            return Ok(system);
        }
        let id = match text.strip_prefix(SERVICE_PREFIX) {
            Some(subject) => Self::service(subject)?,
            None => Self::from_email(text)?,
        };
        if id.0 != text {
            return Err(InvalidPersonId);
        }
        Ok(id)
    }

    /// Whether some text names this person, in any spelling that is surely the same.
    pub fn is_named_by(&self, text: &str) -> bool {
        self.0 == text || Self::from_email(text).is_ok_and(|id| id == *self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spellings of THREATS case 4: what is surely the same address is the same person, what
    /// may be a disguise is no person.
    #[test]
    fn spellings_of_one_address() {
        let dba = PersonId::from_email("dba@company.com").unwrap();
        for same in ["DBA@Company.COM", " dba@company.com", "dba@company.com\n", "\tDBA@company.com "] {
            assert_eq!(PersonId::from_email(same).as_ref(), Ok(&dba), "{same:?}");
            assert!(dba.is_named_by(same));
        }
        for nobody in [
            "dba＠company.com",
            "ｄｂａ@company.com",
            "dbа@company.com",
            "\u{212a}im@company.com",
            "mi\u{17f}e@company.com",
            "jose\u{301}@company.com",
            "dba@company.com.",
            "dba\u{200b}@company.com",
            "d\u{ad}ba@company.com",
            "dba(x)@company.com",
            "\"dba\"@company.com",
            "\u{a0}dba@company.com",
            "dba@company.com@company.com",
            "dba@",
            "@company.com",
            "d..ba@company.com",
            "dba@company..com",
            "service:dba@company.com",
            "dba\0@company.com",
            "",
        ] {
            assert_eq!(PersonId::from_email(nobody), Err(InvalidPersonId), "{nobody:?}");
            assert!(!dba.is_named_by(nobody));
        }
        // Other people, as far as anybody can tell from the address alone.
        for other in ["dba+2@company.com", "d.ba@company.com", "dba@company.net"] {
            assert_ne!(PersonId::from_email(other).unwrap(), dba, "{other}");
        }
    }

    #[test]
    fn a_service_is_never_a_person() {
        let service = PersonId::service("ann@example.com").unwrap();
        assert_ne!(service, PersonId::from_email("ann@example.com").unwrap());
        assert!(!service.is_named_by("ann@example.com"));
        assert_eq!(PersonId::from_stored(service.as_str()), Ok(service));
        assert!(PersonId::from_email(PersonId::expiry().as_str()).is_err());
        assert_eq!(PersonId::from_stored("Ann@example.com"), Err(InvalidPersonId));
    }
}
