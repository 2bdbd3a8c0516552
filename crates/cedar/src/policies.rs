//! `access.cedar`: read by Cedar, held against its schema, and asked.

use crate::context::{EntityTypes, bundled_time_zone};
use crate::named_policy::{NamedPolicy, located, named_policies};
use crate::problem;
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, EntityUid, PolicyId, PolicySet, Response, Schema,
    ValidationMode, Validator,
};
use countersign_access::{Attribute, InvalidAccess, LowerCase, Problem, Reason, Source, Warning};
use countersign_core::person::PersonId;
use countersign_core::policy::access::{self, AccessDecision, AccessRequest, Action};
use countersign_core::policy::finding::Name;
use countersign_core::source_address::SourceAddress;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;
use strum::IntoEnumIterator;

/// What policies may speak of, except for the names of groups.
const SCHEMA: &str = include_str!("access.cedarschema");

/// A readable set of policies.
pub struct CedarPolicies {
    pub(crate) file: String,
    pub(crate) time_zone: String,
    source: Source,
    pub(crate) policies: Vec<NamedPolicy>,
    actions: Vec<ActionPolicies>,
    pub(crate) entity_types: EntityTypes,
    /// Made for the first question, which not every function puts: it costs a third of reading the policies.
    authorizer: OnceLock<Authorizer>,
    pub(crate) groups: BTreeSet<String>,
}

/// One action, and what policies have to say about it.
struct ActionPolicies {
    action: Action,
    uid: EntityUid,
    /// Made when it is first asked about: most processes see few of the actions.
    relevant: OnceLock<Relevant>,
    /// The permits among them, made for the first refusal.
    permits: OnceLock<PolicySet>,
}

/// Those policies that an action concerns. Any other policy is about other actions only, and has
/// nothing to say and nothing to fail at.
#[derive(Default)]
struct Relevant {
    policies: PolicySet,
    wanted: BTreeSet<Attribute>,
}

impl CedarPolicies {
    /// Reads policies. `file` is the name of the text in messages, `groups` are the names of the
    /// configured groups: any other group is unknown, to a policy and of a caller. `time_zone` is
    /// the IANA name of the time zone in which policies tell weekday, hour and minute.
    ///
    /// Whether policies fit the schema is not looked at: see [`CedarPolicies::validate`].
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
        InvalidAccess::check_depth(file, &source)?;
        let policies = named_policies(file, &source, text)?;
        let entity_types = EntityTypes::new(groups, bundled_time_zone(time_zone)?).ok_or_else(unnameable)?;
        Ok(Self {
            file: file.to_owned(),
            time_zone: time_zone.to_owned(),
            source,
            policies,
            actions: Action::iter().map(|action| ActionPolicies::new(action, &entity_types)).collect(),
            entity_types,
            authorizer: OnceLock::new(),
            groups: groups.clone(),
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
        let misfits =
            found.validation_errors().map(|error| located(&self.file, &self.source, error, Reason::Schema));
        let problems: Vec<Problem> = misfits.chain(self.misspelt_people()).collect();
        if !problems.is_empty() {
            return Err(InvalidAccess::policies(problems));
        }
        let warnings: BTreeSet<Warning> = found
            .validation_warnings()
            .map(|warning| {
                let (line, column) = problem::place(&self.source, warning);
                Warning {
                    file: self.file.clone(),
                    line,
                    column,
                    name: Name::CedarValidator,
                    reason: problem::message(warning),
                }
            })
            .collect();
        Ok(warnings.into_iter().collect())
    }

    /// People by ids that no person can have. Cedar takes any text, and a `forbid` about such an id would
    /// never hold, in silence.
    fn misspelt_people(&self) -> impl Iterator<Item = Problem> {
        self.policies.iter().flat_map(|named| {
            let literals = named.policy.entity_literals().into_iter();
            let people = literals.filter(|literal| self.entity_types.is_person(literal));
            let misspelt = people.filter(|literal| PersonId::from_stored(literal.id().unescaped()).is_err());
            misspelt.map(|literal| {
                let (line, column) = named.place;
                let advice = match PersonId::from_email(literal.id().unescaped()) {
                    Ok(id) => format!("write `Person::\"{id}\"`"),
                    Err(_) => {
                        "people are e-mail addresses, services `service:` and the subject of their token"
                            .to_owned()
                    }
                };
                let id = named.policy.id();
                let reason = Reason::Schema(format!("for policy `{id}`: `{literal}` is nobody ({advice})"));
                Problem { file: self.file.clone(), line, column, reason }
            })
        })
    }

    fn action_policies(&self, action: Action) -> Option<&ActionPolicies> {
        self.actions.iter().find(|action_policies| action_policies.action == action)
    }

    /// Holds a question against the schema, as it would be put.
    #[cfg(test)]
    pub(crate) fn conforms(&self, access_request: &AccessRequest<'_>) -> Result<(), String> {
        let (schema, _) =
            Schema::from_cedarschema_str(&schema(&self.groups)).map_err(|error| error.to_string())?;
        let uid = self.entity_types.action(access_request.action);
        let (request, entities) = self
            .entity_types
            .put(access_request, uid, &Attribute::iter().collect())
            .map_err(|error| format!("{error:?}"))?;
        let [principal, action, resource] =
            [request.principal(), request.action(), request.resource()].map(|uid| uid.cloned().unwrap());
        let context = request.context().cloned().unwrap();
        cedar_policy::Request::new(principal, action, resource, context, Some(&schema))
            .map_err(|error| error.to_string())?;
        cedar_policy::Entities::from_entities(entities, Some(&schema)).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn ask(&self, access_request: &AccessRequest<'_>) -> Option<Response> {
        let action_policies = self.action_policies(access_request.action)?;
        self.ask_of(&action_policies.relevant(&self.policies).policies, action_policies, access_request)
    }

    fn ask_of(
        &self,
        policies: &PolicySet,
        action_policies: &ActionPolicies,
        access_request: &AccessRequest<'_>,
    ) -> Option<Response> {
        let wanted = &action_policies.relevant(&self.policies).wanted;
        let (request, entities) =
            self.entity_types.put(access_request, action_policies.uid.clone(), wanted).ok()?;
        let authorizer = self.authorizer.get_or_init(Authorizer::new);
        Some(authorizer.is_authorized(&request, policies, &entities))
    }

    /// Whether policy asks for the address of a caller that a proxy has not given so that it can be read.
    /// No deny list would hold for it.
    fn lacks_address(&self, access_request: &AccessRequest<'_>) -> bool {
        access_request.actor.source_ip == Some(SourceAddress::Unknown)
            && self.action_policies(access_request.action).is_some_and(|action_policies| {
                action_policies.relevant(&self.policies).wanted.contains(&Attribute::SourceIp)
            })
    }

    fn is_permitted_but_for_forbids(
        &self,
        action_policies: &ActionPolicies,
        access_request: &AccessRequest<'_>,
    ) -> Option<bool> {
        let permits = action_policies
            .permits
            .get_or_init(|| policy_set(action_policies.permits(&self.policies)).unwrap_or_default());
        Some(self.ask_of(permits, action_policies, access_request)?.decision() == Decision::Allow)
    }

    fn refusal(&self, access_request: &AccessRequest<'_>, response: &Response) -> Vec<String> {
        let failed: BTreeSet<&PolicyId> = response.diagnostics().errors().map(failed_policy).collect();
        let failed = failed
            .into_iter()
            .map(|id| self.with_reason(id, format!("policy `{id}` in {} cannot be evaluated", self.file)));
        // What an answer rests on: the permits, or else the forbids.
        let forbidding: BTreeSet<&PolicyId> = match response.decision() {
            Decision::Allow => BTreeSet::new(),
            Decision::Deny => response.diagnostics().reason().collect(),
        };
        let forbidding =
            forbidding.into_iter().map(|id| self.with_reason(id, format!("forbidden by policy `{id}`")));
        let mut reasons: Vec<String> = failed.collect();
        // A caller who comes back when nothing forbids it any more is not to learn only then that nothing
        // permits it.
        let action_policies = self.action_policies(access_request.action);
        if reasons.is_empty()
            && !action_policies
                .and_then(|action_policies| {
                    self.is_permitted_but_for_forbids(action_policies, access_request)
                })
                .unwrap_or(false)
        {
            reasons.push(self.unpermitted(access_request));
        }
        reasons.extend(forbidding);
        reasons
    }

    /// What is said of a policy, with its author's words.
    fn with_reason(&self, id: &PolicyId, said: String) -> String {
        let named = self.policies.iter().find(|named| named.policy.id() == id);
        match named.and_then(|named| named.reason.as_ref()) {
            Some(reason) => format!("{said}: {}", reason.as_str()),
            None => said,
        }
    }

    fn unpermitted(&self, access_request: &AccessRequest<'_>) -> String {
        let groups: Vec<&str> =
            self.entity_types.groups_of(access_request.actor).map(|(name, _)| name).collect();
        let whom = match groups.as_slice() {
            [] => "somebody without a group".to_owned(),
            [group] => format!("group {group}"),
            groups => format!("groups {}", groups.join(", ")),
        };
        format!("no policy permits `{}` to {whom}", access_request.action.as_str())
    }
}

impl ActionPolicies {
    fn new(action: Action, entity_types: &EntityTypes) -> Self {
        let uid = entity_types.action(action);
        Self { action, uid, relevant: OnceLock::new(), permits: OnceLock::new() }
    }

    fn permits<'a>(&'a self, policies: &'a [NamedPolicy]) -> impl Iterator<Item = &'a NamedPolicy> {
        policies.iter().filter(|named| named.policy.effect() == Effect::Permit && named.concerns(&self.uid))
    }

    fn relevant(&self, policies: &[NamedPolicy]) -> &Relevant {
        self.relevant.get_or_init(|| {
            let relevant: Vec<&NamedPolicy> =
                policies.iter().filter(|named| named.concerns(&self.uid)).collect();
            let wanted = relevant.iter().flat_map(|named| named.wanted.iter().copied()).collect();
            // Without policies nothing is permitted.
            policy_set(relevant).map_or_else(Relevant::default, |policies| Relevant { policies, wanted })
        })
    }
}

/// `None` if two had one name, which they have not.
fn policy_set<'a>(policies: impl IntoIterator<Item = &'a NamedPolicy>) -> Option<PolicySet> {
    PolicySet::from_policies(policies.into_iter().map(|named| named.policy.clone())).ok()
}

impl fmt::Debug for CedarPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&PolicyId> = self.policies.iter().map(|named| named.policy.id()).collect();
        f.debug_struct("CedarPolicies")
            .field("file", &self.file)
            .field("policies", &names)
            .finish_non_exhaustive()
    }
}

/// What Cedar answers. Programs ask `countersign-access`; this is what its answers are compared with.
impl access::Authorizer for CedarPolicies {
    /// Permitted is what is permitted both as it is sent and with its names in lower case: Cedar compares
    /// text letter by letter, and a `forbid` about `payments-db` is to hold for `Payments-db`.
    fn answer(&self, access_request: &AccessRequest<'_>) -> AccessDecision {
        let answer = self.answer_as_put(access_request);
        let Some(names) = LowerCase::of(access_request).filter(|_| answer.is_permitted()) else {
            return answer;
        };
        match self.answer_as_put(&names.put_into(access_request)) {
            AccessDecision::Permitted => AccessDecision::Permitted,
            AccessDecision::Denied(reasons) => {
                let in_lower_case = |reason| format!("{reason}, with the names in lower case");
                AccessDecision::Denied(reasons.into_iter().map(in_lower_case).collect())
            }
        }
    }
}

impl CedarPolicies {
    fn answer_as_put(&self, access_request: &AccessRequest<'_>) -> AccessDecision {
        let Some(response) = self.ask(access_request) else {
            return AccessDecision::Denied(vec![format!(
                "this access_request cannot be put to {}",
                self.file
            )]);
        };
        // Cedar skips a policy that fails. If it is a forbid, what it forbids would be permitted.
        match (response.decision(), response.diagnostics().errors().next()) {
            (Decision::Allow, None) if self.lacks_address(access_request) => AccessDecision::Denied(vec![
                "policy asks where this call comes from, and its address cannot be read".to_owned(),
            ]),
            (Decision::Allow, None) => AccessDecision::Permitted,
            (Decision::Allow | Decision::Deny, _) => {
                AccessDecision::Denied(self.refusal(access_request, &response))
            }
        }
    }
}

fn failed_policy(error: &AuthorizationError) -> &PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}

fn unnameable() -> InvalidAccess {
    InvalidAccess::Schema("its types have no names".to_owned())
}

/// The schema, completed with the configured groups.
fn schema(groups: &BTreeSet<String>) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.escape_debug());
    let mut names: Vec<String> = groups.iter().map(|name| quoted(name)).collect();
    if names.is_empty() {
        // A list must not be empty, and this is the name of no group.
        names.push(quoted(""));
    }
    format!("{SCHEMA}\nentity Group enum [{}];\n", names.join(", "))
}
