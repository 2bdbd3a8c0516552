//! Who calls.

use countersign_app::me::Me;
use serde::{Deserialize, Serialize};

/// A caller, as policy knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeBody {
    /// The id that stands for all of the caller's addresses.
    pub person: String,
    /// `human`, `agent` or `service`.
    pub kind: String,
    /// The groups that count.
    pub groups: Vec<String>,
    /// Whether the caller may list what others asked for.
    pub sees_all: bool,
    /// Whether the caller may query what others did.
    pub may_query_audit: bool,
}

impl MeBody {
    /// A caller.
    pub fn of(me: &Me) -> Self {
        Self {
            person: me.person.to_string(),
            kind: me.kind.as_str().to_owned(),
            groups: me.groups.iter().cloned().collect(),
            sees_all: me.sees_all,
            may_query_audit: me.may_query_audit,
        }
    }
}

/// Where `countersign serve` trades a token for a [`SignInCodeBody`].
pub const SIGN_IN_CODES_PATH: &str = "/v1/sign-in-codes";

/// A code that a browser signs in by, once and within a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInCodeBody {
    /// The page that takes the code.
    pub url: String,
}
