//! `access.cedar`: read, held against its schema, and asked.

use crate::context::{Attribute, Vocabulary};
use crate::problem::{self, InvalidAccess, Problem, Reason, Warning};
use crate::source::{Code, Source};
use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, EntityUid, Policy, PolicyId, PolicySet,
    Response, Schema, ValidationMode, Validator,
};
use countersign_core::access::{Access, Action, Answer, Question};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use miette::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

/// The text of the policies that come with Countersign.
pub const BUNDLED: &str = include_str!("../../../policy/access.cedar");

/// What policies may speak of, except for the names of groups.
const SCHEMA: &str = include_str!("access.cedarschema");

/// The longest name of a policy, in characters.
const MAX_ID: usize = 64;

/// A readable set of policies, ready to answer.
pub struct CedarAccess {
    file: String,
    source: Source,
    policies: Vec<NamedPolicy>,
    matters: Vec<Matter>,
    vocabulary: Vocabulary,
    /// Made for the first question: it costs a third of reading the policies, and a function that
    /// reports health or expires requests puts none.
    authorizer: OnceLock<Authorizer>,
    groups: BTreeSet<String>,
    addresses: Vec<IpAddr>,
}

/// A policy under the name that its `@id` gives it.
struct NamedPolicy {
    policy: Policy,
    wanted: BTreeSet<Attribute>,
    /// Whether it may be about some resources only.
    names_resource: bool,
}

/// One action, and what policies have to say about it.
struct Matter {
    action: Action,
    uid: EntityUid,
    /// Made when it is first asked about: most processes see few of the actions.
    relevant: OnceLock<Relevant>,
}

/// Those policies that an action concerns. Any other policy is about other actions only, and has
/// nothing to say and nothing to fail at.
#[derive(Default)]
struct Relevant {
    policies: PolicySet,
    wanted: BTreeSet<Attribute>,
    names_resource: bool,
}

impl CedarAccess {
    /// Reads policies. `file` is the name of the text in messages, `groups` are the names of the
    /// configured groups: any other group is unknown, to a policy and of a caller. `time_zone` is
    /// the IANA name of the time zone in which policies tell weekday, hour and minute.
    ///
    /// Whether policies fit the schema is not looked at: see [`CedarAccess::validate`].
    ///
    /// # Errors
    /// When the text is not a set of named policies, or there is no such time zone.
    pub fn parse(
        file: &str,
        text: &str,
        groups: &BTreeSet<String>,
        time_zone: &str,
    ) -> Result<Self, InvalidAccess> {
        let source = Source::read(text);
        let policies = named_policies(file, &source, text)?;
        let vocabulary = Vocabulary::new(groups, bundled_time_zone(time_zone)?).ok_or_else(unnameable)?;
        Ok(Self {
            file: file.to_owned(),
            source,
            policies,
            matters: Action::ALL.into_iter().map(|action| Matter::new(action, &vocabulary)).collect(),
            vocabulary,
            authorizer: OnceLock::new(),
            groups: groups.clone(),
            addresses: addresses(text),
        })
    }

    /// Holds the policies against the schema: every name is known, every comparison makes sense, no
    /// attribute that may be missing is used untested. Takes some milliseconds.
    ///
    /// # Errors
    /// When a policy does not fit.
    pub fn validate(&self) -> Result<Vec<Warning>, InvalidAccess> {
        let (schema, _) = Schema::from_cedarschema_str(&schema(&self.groups))
            .map_err(|error| InvalidAccess::Schema(problem::message(&error)))?;
        let policies = PolicySet::from_policies(self.policies.iter().map(|named| named.policy.clone()))
            .map_err(|error| InvalidAccess::Schema(problem::message(&error)))?;
        let found = Validator::new(schema).validate(&policies, ValidationMode::Strict);
        if !found.validation_passed() {
            let problems = found
                .validation_errors()
                .map(|error| located(&self.file, &self.source, error, Reason::Schema));
            return Err(InvalidAccess::policies(problems));
        }
        let warnings: BTreeSet<Warning> = found
            .validation_warnings()
            .map(|warning| {
                let (line, column) = problem::place(&self.source, warning);
                Warning { file: self.file.clone(), line, column, reason: problem::message(warning) }
            })
            .collect();
        Ok(warnings.into_iter().collect())
    }

    /// Holds a question against the schema, as it would be put.
    #[cfg(test)]
    pub(crate) fn conforms(&self, question: &Question<'_>) -> Result<(), String> {
        let (schema, _) =
            Schema::from_cedarschema_str(&schema(&self.groups)).map_err(|error| error.to_string())?;
        let uid = self.vocabulary.action(question.action);
        let (request, entities) = self
            .vocabulary
            .put(question, uid, &Attribute::ALL.into())
            .map_err(|error| format!("{error:?}"))?;
        let [principal, action, resource] =
            [request.principal(), request.action(), request.resource()].map(|uid| uid.cloned().unwrap());
        let context = request.context().cloned().unwrap();
        cedar_policy::Request::new(principal, action, resource, context, Some(&schema))
            .map_err(|error| error.to_string())?;
        cedar_policy::Entities::from_entities(entities, Some(&schema)).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn ask(&self, question: &Question<'_>) -> Option<Response> {
        let matter = self.matters.iter().find(|matter| matter.action == question.action)?;
        let relevant = matter.relevant(&self.policies);
        let (request, entities) = self.vocabulary.put(question, matter.uid.clone(), &relevant.wanted).ok()?;
        let authorizer = self.authorizer.get_or_init(Authorizer::new);
        Some(authorizer.is_authorized(&request, &relevant.policies, &entities))
    }

    fn refusal(&self, question: &Question<'_>, response: &Response) -> Vec<String> {
        let failed: BTreeSet<&PolicyId> = response.diagnostics().errors().map(failed_policy).collect();
        let failed =
            failed.into_iter().map(|id| format!("policy `{id}` in {} cannot be evaluated", self.file));
        // What an answer rests on: the permits, or else the forbids.
        let forbidding: BTreeSet<&PolicyId> = match response.decision() {
            Decision::Allow => BTreeSet::new(),
            Decision::Deny => response.diagnostics().reason().collect(),
        };
        let forbidding = forbidding.into_iter().map(|id| format!("forbidden by policy `{id}`"));
        let reasons: Vec<String> = failed.chain(forbidding).collect();
        if reasons.is_empty() { vec![self.unpermitted(question)] } else { reasons }
    }

    fn unpermitted(&self, question: &Question<'_>) -> String {
        let groups: Vec<&str> = self.vocabulary.groups_of(question.actor).map(|(name, _)| name).collect();
        let whom = match groups.as_slice() {
            [] => "somebody without a group".to_owned(),
            [group] => format!("group {group}"),
            groups => format!("groups {}", groups.join(", ")),
        };
        format!("no policy permits `{}` to {whom}", question.action.as_str())
    }
}

impl Matter {
    fn new(action: Action, vocabulary: &Vocabulary) -> Self {
        Self { action, uid: vocabulary.action(action), relevant: OnceLock::new() }
    }

    fn relevant(&self, policies: &[NamedPolicy]) -> &Relevant {
        self.relevant.get_or_init(|| {
            // There are no groups of actions in the schema, so `in` means one of the list.
            let is_relevant = |named: &&NamedPolicy| match named.policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(one) => one == self.uid,
                ActionConstraint::In(several) => several.contains(&self.uid),
            };
            let relevant: Vec<&NamedPolicy> = policies.iter().filter(is_relevant).collect();
            let wanted = relevant.iter().flat_map(|named| named.wanted.iter().copied()).collect();
            let names_resource = relevant.iter().any(|named| named.names_resource);
            // Names differ, which is all that could fail. Without policies nothing is permitted.
            let policies = PolicySet::from_policies(relevant.into_iter().map(|named| named.policy.clone()));
            policies.map_or_else(
                |_| Relevant::default(),
                |policies| Relevant { policies, wanted, names_resource },
            )
        })
    }
}

impl fmt::Debug for CedarAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&PolicyId> = self.policies.iter().map(|named| named.policy.id()).collect();
        f.debug_struct("CedarAccess")
            .field("file", &self.file)
            .field("policies", &names)
            .finish_non_exhaustive()
    }
}

impl Access for CedarAccess {
    fn tells_requests_apart(&self, action: Action) -> bool {
        let Some(matter) = self.matters.iter().find(|matter| matter.action == action) else { return true };
        let relevant = matter.relevant(&self.policies);
        relevant.names_resource || relevant.wanted.iter().any(|attribute| attribute.is_of_request())
    }

    fn names_group(&self, group: &str) -> bool {
        let quoted = format!("\"{group}\"");
        self.policies.iter().any(|named| {
            let code = Code::read(&named.policy.to_string());
            // An escape can spell a name in another way.
            code.may_ask_for(&quoted) || code.may_ask_for("\\")
        })
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.clone()
    }

    fn answer(&self, question: &Question<'_>) -> Answer {
        let Some(response) = self.ask(question) else {
            return Answer::Denied(vec![format!("this question cannot be put to {}", self.file)]);
        };
        // Cedar skips a policy that fails. If it is a forbid, what it forbids would be permitted.
        match (response.decision(), response.diagnostics().errors().next()) {
            (Decision::Allow, None) => Answer::Permitted,
            (Decision::Allow | Decision::Deny, _) => Answer::Denied(self.refusal(question, &response)),
        }
    }
}

/// One address of each network in the text: `ip("10.0.0.0/8")` asks for 10.0.0.0. What stands in a
/// comment is found as well, and does no harm: addresses are only for trying out.
fn addresses(text: &str) -> Vec<IpAddr> {
    let networks = text.split("ip(\"").skip(1).filter_map(|rest| rest.split(['"', '/']).next());
    networks.filter_map(|address| address.parse().ok()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Reads policies and calls each by its `@id`, which Cedar by itself takes no notice of.
fn named_policies(file: &str, source: &Source, text: &str) -> Result<Vec<NamedPolicy>, InvalidAccess> {
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
        match id_of(policy) {
            None => problem_at(place, Reason::NoId),
            Some(id) if !is_policy_id(id) => problem_at(place, Reason::OddId(id.to_owned())),
            Some(id) => match lines.get(id) {
                Some(&line) => problem_at(place, Reason::RepeatedId { id: id.to_owned(), line }),
                None => {
                    lines.insert(id, place.0);
                    let code = Code::read(&policy.to_string());
                    named.push(NamedPolicy {
                        policy: policy.new_id(PolicyId::new(id)),
                        wanted: Attribute::wanted_by(&code),
                        names_resource: code.may_name_the_resource(),
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

/// Cedar calls the policies of a text `policy0`, `policy1` and so on.
fn number_of(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.strip_prefix("policy").and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// `Policy::annotation` reads the name it is given with a parser of its own, which takes a fifth of
/// a millisecond to get ready.
fn id_of(policy: &Policy) -> Option<&str> {
    policy.annotations().find(|(name, _)| *name == "id").map(|(_, id)| id)
}

fn failed_policy(error: &AuthorizationError) -> &PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}

fn is_policy_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_allowed)
}

fn located(
    file: &str,
    source: &Source,
    diagnostic: &dyn Diagnostic,
    reason: impl FnOnce(String) -> Reason,
) -> Problem {
    let (line, column) = problem::place(source, diagnostic);
    Problem { file: file.to_owned(), line, column, reason: reason(problem::message(diagnostic)) }
}

fn bundled_time_zone(name: &str) -> Result<TimeZone, InvalidAccess> {
    // The machine's own database is not asked: every shell is to know the same zones.
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|time_zone| !time_zone.is_unknown());
    found.ok_or_else(|| InvalidAccess::TimeZone(name.to_owned()))
}

fn unnameable() -> InvalidAccess {
    InvalidAccess::Schema("its types have no names".to_owned())
}

/// The schema, completed with the configured groups.
fn schema(groups: &BTreeSet<String>) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.escape_debug());
    let mut names: Vec<String> = groups.iter().map(|name| quoted(name)).collect();
    if names.is_empty() {
        // A list must not be empty, and this is nobody's group.
        names.push(quoted(""));
    }
    format!("{SCHEMA}\nentity Group enum [{}];\n", names.join(", "))
}
