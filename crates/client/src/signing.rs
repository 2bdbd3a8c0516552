//! Calls that are signed and have no token: what is signed, and what signs. How a signature is made, and with whose
//! credentials, is not known here.

use serde::Deserialize;
use std::fmt;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// What proves to the service who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, EnumString, IntoStaticStr, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Auth {
    /// A token.
    Token,
    /// A signature with credentials of AWS.
    Aws,
}

/// A call that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// The headers that are to be signed, besides `Host`.
    pub headers: &'a [(&'static str, String)],
    /// The body.
    pub body: &'a str,
}

/// What signs calls.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The headers that a call gets, signed now.
    ///
    /// # Errors
    /// Why it cannot be signed, and what to do about it.
    fn sign(&self, call: Unsigned<'_>) -> Result<Vec<(String, String)>, String>;

    /// Whose credentials they are, as far as it is known, for people.
    ///
    /// # Errors
    /// As for [`Signer::sign`].
    fn name(&self) -> Result<String, String>;
}
