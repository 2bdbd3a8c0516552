//! Where in a token a claim stands.

use serde_json::{Map, Value};
use std::fmt;

/// A token's claims.
pub type Claims = Map<String, Value>;

/// The name of a claim, or the way to a member of one.
///
/// A claim whose name is the whole text is that claim, dots and all: `https://example.com/groups`. If a
/// token has none of that name, each dot is a step into an object: `realm_access.roles`. `\.` is a dot
/// within a name, and `\\` a backslash: `resource_access.my\.app.roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    /// The text without escapes.
    name: String,
    /// The claim that is stepped into first.
    first: String,
    /// The members to step into from there.
    rest: Vec<String>,
}

/// A text that names no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the name of a claim, or names with a dot between them, such as realm_access.roles; a dot \
     within a name is written \\. and a backslash \\\\"
)]
pub struct InvalidClaimPath;

/// A step leads into something that is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnObject;

impl ClaimPath {
    /// Reads a path. White space around it belongs to the list that it stands in.
    ///
    /// # Errors
    /// An empty name, or a backslash before anything but a dot or a backslash.
    pub fn parse(text: &str) -> Result<Self, InvalidClaimPath> {
        let mut names = vec![String::new()];
        let mut characters = text.trim().chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '.' => {
                    names.push(String::new());
                    continue;
                }
                '\\' => {
                    characters.next().filter(|next| ['.', '\\'].contains(next)).ok_or(InvalidClaimPath)?
                }
                other => other,
            };
            names.last_mut().ok_or(InvalidClaimPath)?.push(literal);
        }
        if names.iter().any(String::is_empty) {
            return Err(InvalidClaimPath);
        }
        let name = names.join(".");
        let mut names = names.into_iter();
        let first = names.next().ok_or(InvalidClaimPath)?;
        Ok(Self { name, first, rest: names.collect() })
    }

    /// The claims that the path can begin at. Which one it does depends on which of them a token has.
    pub fn claims(&self) -> [&str; 2] {
        [&self.name, &self.first]
    }

    /// What stands there in a token with these claims.
    ///
    /// # Errors
    /// When a step leads into something that is no object.
    pub fn find<'a>(&self, claims: &'a Claims) -> Result<Option<&'a Value>, NotAnObject> {
        if let Some(claim) = claims.get(&self.name) {
            return Ok(Some(claim));
        }
        let mut found = claims.get(&self.first);
        for name in &self.rest {
            let Some(value) = found else { return Ok(None) };
            found = value.as_object().ok_or(NotAnObject)?.get(name);
        }
        Ok(found)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_a_name_with_dots_or_leads_into_objects() {
        let token = json!({
            "groups": "flat", "https://example.com/groups": "a name with dots",
            "realm_access": { "roles": "nested" }, "a.b": "the claim of that name", "a": { "b": "not this" },
            "resource_access": { "my.app": { "roles": "a member with dots" } }, "back\\slash": "backslash",
        });
        let claims = token.as_object().unwrap();
        for (path, expected) in [
            ("groups", Some("flat")),
            (" groups ", Some("flat")),
            ("https://example.com/groups", Some("a name with dots")),
            ("realm_access.roles", Some("nested")),
            ("a.b", Some("the claim of that name")),
            (r"resource_access.my\.app.roles", Some("a member with dots")),
            (r"back\\slash", Some("backslash")),
            ("resource_access.my.app.roles", None),
            ("realm_access.groups", None),
            ("nothing", None),
            ("nothing.at.all", None),
            ("Groups", None),
        ] {
            let found = ClaimPath::parse(path).unwrap().find(claims).unwrap();
            assert_eq!(found.and_then(Value::as_str), expected, "{path}");
        }
        for path in ["groups.roles", "realm_access.roles.x"] {
            assert_eq!(ClaimPath::parse(path).unwrap().find(claims), Err(NotAnObject), "{path}");
        }
    }

    #[test]
    fn what_names_no_claim_is_refused() {
        for path in ["", " ", ".", "a.", ".a", "a..b", r"a\b", r"a\"] {
            assert_eq!(ClaimPath::parse(path), Err(InvalidClaimPath), "{path}");
        }
    }
}
