//! Policies read by Cedar's own library as well: for services, commands and tests. A function links none of it.

use super::{ACCESS_FILE, LoadError, in_access, in_access_of, load, put_together};
use countersign_access::Warning;
use countersign_cedar::CedarPolicies;
use countersign_core::policy::finding::Name;
use countersign_core::policy::mistake::InvalidPolicy;
use countersign_core::policy::people::People;
use countersign_core::policy::rules::Rules;
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::timestamp::Timestamp;
use std::path::Path;

/// A policy of texts, with access policies held against their schema: by Cedar's own library as well, whose validator says
/// more of what is wrong, and finds what is odd.
///
/// # Errors
/// As for [`super::parse`], and a policy that does not fit the schema.
pub fn check(text: &PolicyText<'_>) -> Result<(Policy, Vec<String>), InvalidPolicy> {
    let (policy, _, warnings) = read_by_both(text)?;
    Ok((policy, warnings.iter().map(ToString::to_string).collect()))
}

/// The same, with everything that is odd about access policies. Takes seconds at worst: for trying a policy
/// out, not for a start.
///
/// # Errors
/// As for [`check`].
pub(crate) fn lint_access(
    text: &PolicyText<'_>,
    now: Timestamp,
) -> Result<(Policy, Vec<Warning>), InvalidPolicy> {
    let (policy, cedar, mut warnings) = read_by_both(text)?;
    // Cedar sees by itself that some policies never hold.
    let is_told = |place: (usize, usize)| {
        warnings.iter().any(|told| (told.line, told.column) == place && told.reason.contains("impossible"))
    };
    let mut found = cedar.lint(now);
    found.retain(|one| one.name != Name::PolicyNeverHolds || !is_told((one.line, one.column)));
    warnings.extend(found);
    Ok((policy, warnings))
}

/// Cedar comes first: of a text that neither reads, its messages help more.
fn read_by_both(text: &PolicyText<'_>) -> Result<(Policy, CedarPolicies, Vec<Warning>), InvalidPolicy> {
    let people = People::parse(text.people)?;
    let rules = Rules::parse(text.operations, people.groups())?;
    let cedar = CedarPolicies::parse(ACCESS_FILE, text.access, people.groups(), rules.time_zone())
        .map_err(|error| in_access_of(text, error))?;
    let warnings = cedar.validate().map_err(in_access)?;
    let (policy, access) = put_together(text, people, rules)?;
    access.check().map_err(in_access)?;
    Ok((policy, cedar, warnings))
}

/// The policy of a directory or the bundled one, as [`super::policy`] reads it, and by Cedar's own library as well.
///
/// # Errors
/// As for [`super::policy`].
pub fn checked_policy(directory: Option<&Path>, now: Timestamp) -> Result<Policy, LoadError> {
    load(directory, now, |text| check(text).map(|(policy, _)| policy))
}
