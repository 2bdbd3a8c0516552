//! The policies of a text under the names that their authors give them, and what each looks at.

use crate::context::wanted_by;
use crate::problem;
use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint};
use countersign_access::{Attribute, AuthorsWords, Code, InvalidAccess, Problem, Reason, Source};
use countersign_core::text::escaped_line;
use miette::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// The longest name of a policy, in characters.
const MAX_ID: usize = 64;

/// The annotation with the words that refusals repeat.
pub(crate) const REASON: &str = "reason";

/// A policy under the name that its `@id` gives it.
#[derive(Clone)]
pub(crate) struct NamedPolicy {
    pub(crate) policy: Policy,
    /// Its `@reason`: what a refusal gives the caller besides its name.
    pub(crate) reason: Option<AuthorsWords>,
    pub(crate) wanted: BTreeSet<Attribute>,
    /// Whether it may be about some people only, leaving aside what it wants to know of them.
    pub(crate) names_principal: bool,
    /// Whether it may be about some resources only.
    pub(crate) names_resource: bool,
    /// Line and column.
    pub(crate) place: (usize, usize),
}

impl NamedPolicy {
    pub(crate) fn concerns(&self, action: &EntityUid) -> bool {
        // There are no groups of actions in the schema, so `in` means one of the list.
        match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(one) => one == *action,
            ActionConstraint::In(several) => several.contains(action),
        }
    }
}

/// Reads policies and calls each by its `@id`, which Cedar by itself takes no notice of.
pub(crate) fn named_policies(
    file: &str,
    source: &Source,
    text: &str,
) -> Result<Vec<NamedPolicy>, InvalidAccess> {
    let read: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        InvalidAccess::policies(errors.iter().map(|error| located(file, source, error, Reason::Syntax)))
    })?;
    let mut problems = Vec::new();
    let mut problem_at = |(line, column): (usize, usize), reason: Reason| {
        problems.push(Problem { file: file.to_owned(), line, column, reason });
    };
    for template in read.templates() {
        problem_at(source.place(number_of(template.id())), Reason::Template);
    }
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for policy in read.policies() {
        let place = source.place(number_of(policy.id()));
        let reason = match annotation(policy, REASON).map(authors_words).transpose() {
            Ok(reason) => reason,
            Err(rule) => {
                problem_at(place, Reason::OddReason(rule));
                continue;
            }
        };
        match annotation(policy, "id") {
            None => problem_at(place, Reason::NoId),
            Some(id) if !is_policy_id(id) => problem_at(place, Reason::OddId(id.to_owned())),
            Some(id) => match lines.get(id) {
                Some(&line) => problem_at(place, Reason::RepeatedId { id: id.to_owned(), line }),
                None => {
                    lines.insert(id, place.0);
                    let text = policy.to_string();
                    let code = Code::read(&text);
                    named.push(NamedPolicy {
                        policy: policy.new_id(PolicyId::new(id)),
                        reason,
                        wanted: wanted_by(&code),
                        names_principal: may_name_the_principal(policy, &text),
                        names_resource: code.may_name_the_resource(),
                        place,
                    });
                }
            },
        }
    }
    if read.is_empty() {
        problem_at((1, 1), Reason::NoPolicy);
    }
    if problems.is_empty() { Ok(named) } else { Err(InvalidAccess::policies(problems)) }
}

/// Every policy has the word once, in its scope.
fn may_name_the_principal(policy: &Policy, text: &str) -> bool {
    policy.principal_constraint() != PrincipalConstraint::Any || text.matches("principal").count() > 1
}

/// Cedar calls the policies of a text `policy0`, `policy1` and so on.
fn number_of(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.strip_prefix("policy").and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// `Policy::annotation` reads the name it is given with a parser of its own, which takes a fifth of
/// a millisecond to get ready.
fn annotation<'a>(policy: &'a Policy, wanted: &str) -> Option<&'a str> {
    policy.annotations().find(|(name, _)| *name == wanted).map(|(_, text)| text)
}

/// Words that look on a screen as they do in the file.
fn authors_words(text: &str) -> Result<AuthorsWords, String> {
    if escaped_line(text) != text {
        return Err("must be one line without control, format or bidirectional characters".to_owned());
    }
    AuthorsWords::parse(text).map_err(|error| error.to_string())
}

fn is_policy_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_allowed)
}

pub(crate) fn located(
    file: &str,
    source: &Source,
    diagnostic: &dyn Diagnostic,
    reason: impl FnOnce(String) -> Reason,
) -> Problem {
    let (line, column) = problem::place(source, diagnostic);
    Problem { file: file.to_owned(), line, column, reason: reason(problem::message(diagnostic)) }
}
