//! Addresses that mail is sent to and from.

use countersign_core::person::PersonId;
use countersign_core::text::must_be_escaped;
use lettre::Address;
use lettre::message::Mailbox;
use std::fmt;

/// The longest display name, in characters: more does not fit into the lists that people read mail in.
const MAX_NAME: usize = 64;

/// The text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address in ASCII, such as ann@example.com")]
pub struct InvalidMailAddress;

/// The text is no display name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a name of 1 to 64 characters on one line, without characters that cannot be seen")]
pub struct InvalidSenderName;

/// An address of one mailbox. It is printed in full: logs that must not name people must not print it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress(Address);

impl MailAddress {
    /// Checks an address: what [`PersonId::from_email`] takes, without white space around it. Upper and lower case are kept before
    /// the `@`, since some servers tell them apart.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidMailAddress> {
        let person = PersonId::from_email(text).map_err(|_| InvalidMailAddress)?;
        // The id is trimmed.
        if person.as_str().len() != text.len() {
            return Err(InvalidMailAddress);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidMailAddress)?;
        let address = Address::new(local, domain.to_ascii_lowercase()).map_err(|_| InvalidMailAddress)?;
        Ok(Self(address))
    }

    /// The address of a person.
    ///
    /// # Errors
    /// A service, or a part of the system.
    pub fn of(person: &PersonId) -> Result<Self, InvalidMailAddress> {
        Self::parse(person.as_str())
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// What is behind the `@`, in lower case.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        Mailbox::new(None, self.0.clone())
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom mail is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    name: Option<String>,
    address: MailAddress,
}

impl Sender {
    /// A sender. Message ids are under the domain of the address.
    ///
    /// # Errors
    /// A name that could pass for something else.
    pub fn new(name: Option<&str>, address: MailAddress) -> Result<Self, InvalidSenderName> {
        if let Some(name) = name {
            let is_printable = !name.trim().is_empty() && !name.chars().any(must_be_escaped);
            if !is_printable || name.chars().count() > MAX_NAME || name.contains("=?") {
                return Err(InvalidSenderName);
            }
        }
        Ok(Self { name: name.map(|name| name.trim().to_owned()), address })
    }

    /// The address.
    pub fn address(&self) -> &MailAddress {
        &self.address
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.name.clone(), self.address.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_one_mailbox() {
        for (text, shown) in [
            ("ann@example.com", "ann@example.com"),
            ("Ann.O'Neil+ops@Example.COM", "Ann.O'Neil+ops@example.com"),
            ("a@b.example", "a@b.example"),
        ] {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), shown);
        }
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            " ann@example.com",
            "ann@example.com\n",
            "ann@example.com\r\nBcc: eve@example.com",
            "ann@example.com, eve@example.com",
            "Ann <ann@example.com>",
            "\"ann\"@example.com",
            "ann@exam ple.com",
            "ann@ex\u{e4}mple.com",
            "\u{430}nn@example.com",
            "ann@[127.0.0.1]",
            "service:ci",
        ] {
            assert_eq!(MailAddress::parse(text), Err(InvalidMailAddress), "{text:?}");
        }
        assert_eq!(MailAddress::of(&PersonId::expiry()), Err(InvalidMailAddress));
        assert_eq!(MailAddress::of(&PersonId::service("ci@example.com").unwrap()), Err(InvalidMailAddress));
    }

    #[test]
    fn a_name_is_on_one_line() {
        let address = MailAddress::parse("approvals@example.com").unwrap();
        for name in ["Countersign", "Approvals (prod), \"EU\"", "Freigaben für Köln"] {
            assert!(Sender::new(Some(name), address.clone()).is_ok(), "{name}");
        }
        for name in ["", " ", "a\r\nBcc: eve@example.com", "a\u{202e}b", "=?utf-8?q?a?=", &"a".repeat(65)] {
            assert_eq!(Sender::new(Some(name), address.clone()), Err(InvalidSenderName), "{name:?}");
        }
    }
}
