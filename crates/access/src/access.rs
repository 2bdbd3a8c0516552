//! A set of policies, ready to answer.

use crate::attribute::Attribute;
use crate::entity::{Entity, EntityType};
use crate::literal::Literal;
use crate::literals::{Clock, Literals};
use crate::parse::{self, Refused};
use crate::policy::{Effect, Kind, Policy};
use crate::problem::{InvalidAccess, Problem, Reason};
use crate::question::{Question, Response};
use crate::schema;
use crate::source::Source;
use countersign_core::policy::access::{
    AccessDecision, AccessRequest, Action, Authorizer, Reference, RequestAttribute, Subject,
};
use countersign_core::risk::Cost;
use countersign_core::source_address::SourceAddress;
use countersign_core::timestamp::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The text of the policies that come with Countersign.
pub const BUNDLED: &str = include_str!("../../../policy/access.cedar");

/// A readable set of policies.
#[derive(Debug)]
pub struct Access {
    file: String,
    source: Source,
    policies: Vec<Policy>,
    groups: BTreeSet<String>,
    time_zone: TimeZone,
}

impl Access {
    /// Reads policies. `file` is the name of the text in messages, `groups` are the names of the
    /// configured groups: any other group is unknown, to a policy and of a caller. `time_zone` is
    /// the IANA name of the time zone in which policies tell weekday, hour and minute.
    ///
    /// Whether policies fit the schema is not looked at: see [`Access::check`].
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
        let refused = |refused: Vec<Refused>| problems(file, &source, refused);
        let policies = parse::policies(text).map_err(refused)?;
        check_names(file, &source, &policies)?;
        let time_zone = bundled_time_zone(time_zone)?;
        Ok(Self { file: file.to_owned(), source, policies, groups: groups.clone(), time_zone })
    }

    /// Holds the policies against the schema: every name is known, every comparison makes sense, no
    /// attribute that may be missing is used untested.
    ///
    /// # Errors
    /// When a policy does not fit.
    pub fn check(&self) -> Result<(), InvalidAccess> {
        let misfits = self.policies.iter().filter_map(|policy| schema::check(policy, &self.groups).err());
        let misfits: Vec<Refused> = misfits.flatten().collect();
        if misfits.is_empty() { Ok(()) } else { Err(problems(&self.file, &self.source, misfits)) }
    }

    /// What all of its policies name.
    pub fn literals(&self) -> Literals {
        let mut literals = Literals::default();
        for policy in &self.policies {
            literals.extend(Literals::of(policy));
        }
        literals
    }

    /// Whether one of its policies holds, or cannot be evaluated, which refuses; `None` where the question cannot be put.
    pub fn speaks(&self, access_request: &AccessRequest<'_>) -> Option<bool> {
        let response = self.question(access_request)?.ask(self.about(access_request.action));
        Some(!(response.permits.is_empty() && response.forbids.is_empty() && response.failed.is_empty()))
    }

    fn about(&self, action: Action) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(move |policy| policy.concerns(action))
    }

    fn question<'a>(&'a self, access_request: &'a AccessRequest<'a>) -> Option<Question<'a>> {
        Question::new(access_request, &self.groups, &self.time_zone)
    }

    /// The names of entities in policies.
    fn named(&self, entity_type: EntityType) -> Vec<Reference> {
        let of_policy = |policy: &Policy| {
            let entities = policy.entities().into_iter().filter(|entity| entity.entity_type == entity_type);
            let reference =
                |entity: &Entity| Reference { policy: policy.id.clone(), name: entity.id.clone() };
            entities.map(reference).collect::<Vec<_>>()
        };
        self.policies.iter().flat_map(of_policy).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether policy asks for the address of a caller that a proxy has not given so that it can be read.
    /// No deny list would hold for it.
    fn lacks_address(&self, access_request: &AccessRequest<'_>) -> bool {
        access_request.actor.source_ip == Some(SourceAddress::Unknown)
            && self.about(access_request.action).any(|policy| policy.wanted().contains(&Attribute::SourceIp))
    }

    fn permits(&self, action: Action) -> impl Iterator<Item = &Policy> {
        self.about(action).filter(|policy| policy.effect == Effect::Permit)
    }

    /// Whether no permit holds, nor could one if some parts of the question were others.
    fn is_never_permitted(
        &self,
        access_request: &AccessRequest<'_>,
        open: &[RequestAttribute],
    ) -> Option<bool> {
        let question = self.question(access_request)?;
        let could_hold = |policy: &Policy| {
            policy.looks_at(open)
                && (open.contains(&RequestAttribute::Person)
                    || open.contains(&RequestAttribute::Operation)
                    || question.is_in_scope(policy))
        };
        if self.permits(access_request.action).any(could_hold) {
            return Some(false);
        }
        Some(!self.is_permitted_but_for_forbids(question, access_request.action))
    }

    fn is_permitted_but_for_forbids<'a>(&'a self, question: Question<'a>, action: Action) -> bool {
        question.ask(self.permits(action)).is_permitted()
    }

    fn denies_whatever_as_put(&self, access_request: &AccessRequest<'_>, open: &[RequestAttribute]) -> bool {
        let Some(question) = self.question(access_request) else { return false };
        let response = question.ask(self.about(access_request.action));
        if response.is_permitted() {
            return false;
        }
        // A denial rests on the forbids that hold.
        response.forbids.iter().any(|policy| !policy.looks_at(open))
            || self.is_never_permitted(access_request, open).unwrap_or(false)
    }

    fn answer_as_put(&self, access_request: &AccessRequest<'_>) -> AccessDecision {
        let Some(question) = self.question(access_request) else {
            return AccessDecision::Denied(vec![format!(
                "this access_request cannot be put to {}",
                self.file
            )]);
        };
        let response = question.ask(self.about(access_request.action));
        // A policy that failed has not been counted. If it is a forbid, what it forbids would be permitted.
        if !response.is_permitted() || !response.failed.is_empty() {
            return AccessDecision::Denied(self.refusal(question, access_request.action, &response));
        }
        if self.lacks_address(access_request) {
            let reason = "policy asks where this call comes from, and its address cannot be read";
            return AccessDecision::Denied(vec![reason.to_owned()]);
        }
        AccessDecision::Permitted
    }

    fn refusal<'a>(&'a self, question: Question<'a>, action: Action, response: &Response<'_>) -> Vec<String> {
        let in_order = |policies: &[&'a Policy], said: &dyn Fn(&str) -> String| -> Vec<String> {
            let policies: BTreeMap<&str, &Policy> =
                policies.iter().map(|policy| (policy.id.as_str(), *policy)).collect();
            policies.values().map(|policy| with_reason(policy, said(&policy.id))).collect()
        };
        let file = &self.file;
        let failed = self.by_id(&response.failed);
        let mut reasons = in_order(&failed, &|id| format!("policy `{id}` in {file} cannot be evaluated"));
        // A caller who comes back when nothing forbids it any more is not to learn only then that nothing
        // permits it.
        if reasons.is_empty() && !self.is_permitted_but_for_forbids(question, action) {
            reasons.push(unpermitted(question, action));
        }
        let forbids = self.by_id(&response.forbids);
        reasons.extend(in_order(&forbids, &|id| format!("forbidden by policy `{id}`")));
        reasons
    }

    fn by_id(&self, policies: &[&Policy]) -> Vec<&Policy> {
        let is_one = |policy: &&Policy| policies.iter().any(|one| one.id == policy.id);
        self.policies.iter().filter(is_one).collect()
    }
}

/// What is said of a policy, with its author's words.
fn with_reason(policy: &Policy, said: String) -> String {
    match &policy.reason {
        Some(reason) => format!("{said}: {}", reason.as_str()),
        None => said,
    }
}

fn unpermitted(question: Question<'_>, action: Action) -> String {
    let groups: Vec<&str> = question.groups_of_caller().collect();
    let whom = match groups.as_slice() {
        [] => "somebody without a group".to_owned(),
        [group] => format!("group {group}"),
        groups => format!("groups {}", groups.join(", ")),
    };
    format!("no policy permits `{}` to {whom}", action.as_str())
}

fn problems(file: &str, source: &Source, refused: Vec<Refused>) -> InvalidAccess {
    InvalidAccess::policies(refused.into_iter().map(|(offset, reason)| {
        let (line, column) = source.line_and_column(offset);
        Problem { file: file.to_owned(), line, column, reason }
    }))
}

fn check_names(file: &str, source: &Source, policies: &[Policy]) -> Result<(), InvalidAccess> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut repeated = Vec::new();
    for policy in policies {
        match lines.get(policy.id.as_str()) {
            Some(&line) => {
                repeated.push((policy.offset, Reason::RepeatedId { id: policy.id.clone(), line }));
            }
            None => {
                lines.insert(&policy.id, source.line_and_column(policy.offset).0);
            }
        }
    }
    if repeated.is_empty() { Ok(()) } else { Err(problems(file, source, repeated)) }
}

fn bundled_time_zone(name: &str) -> Result<TimeZone, InvalidAccess> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    // The machine's own database is not asked: every shell is to know the same zones.
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|time_zone| !time_zone.is_unknown());
    found.ok_or_else(|| InvalidAccess::TimeZone(name.to_owned()))
}

impl Authorizer for Access {
    fn tells_requests_apart(&self, action: Action) -> bool {
        self.about(action).any(|policy| {
            policy.names_resource() || policy.wanted().iter().any(|attribute| attribute.is_of_request())
        })
    }

    fn turns_on(&self, action: Action, part: RequestAttribute) -> bool {
        self.about(action).any(|policy| policy.looks_at(&[part]))
    }

    fn denies_whatever(&self, access_request: &AccessRequest<'_>, open: &[RequestAttribute]) -> bool {
        self.denies_whatever_as_put(access_request, open)
            || LowerCase::of(access_request)
                .is_some_and(|names| self.denies_whatever_as_put(&names.put_into(access_request), open))
    }

    fn named_people(&self) -> Vec<Reference> {
        self.named(EntityType::Person)
    }

    fn named_operations(&self) -> Vec<Reference> {
        self.named(EntityType::Operation)
    }

    fn names_group(&self, group: &str) -> bool {
        self.policies.iter().any(|policy| {
            let mut is_named = policy.entities().iter().any(|entity| entity.id == group);
            policy.each(&mut |expression| {
                is_named |= matches!(&expression.kind, Kind::Literal(Literal::Text(text)) if text == group);
            });
            is_named
        })
    }

    fn moments(&self, actions: &[Action], from: Timestamp) -> Option<Vec<Timestamp>> {
        let mut literals = Literals::default();
        let mut wanted = BTreeSet::new();
        let about = |policy: &&Policy| {
            policy.looks_at(&[RequestAttribute::Time])
                && actions.iter().any(|action| policy.concerns(*action))
        };
        for policy in self.policies.iter().filter(about) {
            literals.extend(Literals::of(policy));
            wanted.extend(policy.wanted());
        }
        let moments = literals.moments(Clock::of(&wanted), from, &self.time_zone);
        (!literals.is_beyond_reading).then(|| moments.into_iter().collect())
    }

    fn costs(&self) -> Vec<Cost> {
        let costs = self.policies.iter().flat_map(|policy| Literals::of(policy).costs());
        costs.flatten().collect()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = BTreeSet::new();
        for policy in &self.policies {
            policy.each(&mut |expression| {
                if let Kind::Literal(Literal::Network(network)) = &expression.kind {
                    addresses.insert(network.address);
                }
            });
        }
        addresses.into_iter().collect()
    }

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

/// The names of operation and instance in lower case.
#[derive(Debug)]
pub struct LowerCase {
    operation_type: String,
    instance_id: String,
}

impl LowerCase {
    /// `None` if that is how the question has them.
    pub fn of(access_request: &AccessRequest<'_>) -> Option<Self> {
        let subject = access_request.subject.as_ref()?;
        let has_capitals = |name: &str| name.bytes().any(|byte| byte.is_ascii_uppercase());
        // Both are identifiers, which have no letters but those of ASCII.
        (has_capitals(subject.operation_type) || has_capitals(subject.instance_id)).then(|| Self {
            operation_type: subject.operation_type.to_ascii_lowercase(),
            instance_id: subject.instance_id.to_ascii_lowercase(),
        })
    }

    /// The same question with these names.
    pub fn put_into<'a>(&'a self, access_request: &AccessRequest<'a>) -> AccessRequest<'a> {
        let Self { operation_type, instance_id } = self;
        AccessRequest {
            subject: access_request.subject.map(|subject| Subject { operation_type, instance_id, ..subject }),
            ..*access_request
        }
    }
}
