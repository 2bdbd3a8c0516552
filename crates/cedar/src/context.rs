//! A question, put the way Cedar asks it: who, what, about what, in which context.
//!
//! Everything that does not change from question to question is made once. Of the context only
//! those attributes are made that a policy about the action may ask for: an address, an amount and a
//! time are texts that Cedar has to parse, and most policies want none of them.

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicySet, Request,
    RestrictedExpression,
};
use countersign_access::{Attribute, Code, InvalidAccess, decimal};
use countersign_core::policy::access::{AccessRequest, Action};
use countersign_core::principal::Principal;
use countersign_core::source_address::SourceAddress;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator as _;

/// Those attributes that a policy may ask for.
pub(crate) fn wanted_by(policy: &Code) -> BTreeSet<Attribute> {
    let all = policy.may_ask_for_anything();
    Attribute::iter().filter(|attribute| all || policy.may_ask_for(attribute.into())).collect()
}

/// A text with the name of every type. Cedar's parser of single names would take a fifth of a
/// millisecond to get ready; the one for policies is so already.
const TYPES: &str = r#"permit (principal, action, resource) when {
    [Action::"", Person::"", Group::"", Operation::"", Risk::"", Environment::"", Kind::"", Channel::"", Weekday::"", Service::""]
};"#;

/// The question cannot be put to Cedar. Nothing a caller sends leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidRequest;

/// What is the same in every question.
#[derive(Debug)]
pub(crate) struct EntityTypes {
    action: EntityTypeName,
    person: EntityTypeName,
    operation: EntityTypeName,
    risk: EntityTypeName,
    environment: EntityTypeName,
    kind: EntityTypeName,
    channel: EntityTypeName,
    weekday: EntityTypeName,
    /// What `list`, `query_audit` and `manage_webhooks` are asked about.
    service: EntityUid,
    /// The configured groups.
    groups: BTreeMap<String, EntityUid>,
    time_zone: TimeZone,
}

impl EntityTypes {
    /// `None` if Cedar should not know the types by their names, which it does.
    pub(crate) fn new(groups: &BTreeSet<String>, time_zone: TimeZone) -> Option<Self> {
        let types: PolicySet = TYPES.parse().ok()?;
        let literals: Vec<EntityUid> = types.policies().flat_map(Policy::entity_literals).collect();
        let entity_type =
            |name| literals.iter().map(EntityUid::type_name).find(|known| known.basename() == name).cloned();
        let group = entity_type("Group")?;
        let groups = groups.iter().map(|name| (name.clone(), entity(&group, name))).collect();
        Some(Self {
            action: entity_type("Action")?,
            person: entity_type("Person")?,
            operation: entity_type("Operation")?,
            risk: entity_type("Risk")?,
            environment: entity_type("Environment")?,
            kind: entity_type("Kind")?,
            channel: entity_type("Channel")?,
            weekday: entity_type("Weekday")?,
            service: entity(&entity_type("Service")?, "countersign"),
            groups,
            time_zone,
        })
    }

    /// The name of an action in policies.
    pub(crate) fn action(&self, action: Action) -> EntityUid {
        entity(&self.action, action.as_str())
    }

    /// The groups of an actor that are configured; no others mean anything.
    pub(crate) fn groups_of<'a>(
        &'a self,
        actor: &Principal,
    ) -> impl Iterator<Item = (&'a str, &'a EntityUid)> {
        actor
            .groups
            .iter()
            .filter_map(|name| self.groups.get_key_value(name))
            .map(|(name, uid)| (name.as_str(), uid))
    }

    /// The names of the configured groups.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The time zone in which policies tell weekday, hour and minute.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Whether policies mean a person, an agent or a service by this.
    pub(crate) fn is_person(&self, entity: &EntityUid) -> bool {
        *entity.type_name() == self.person
    }

    /// The question, with those attributes that are wanted, and the entities that it is about.
    pub(crate) fn put(
        &self,
        access_request: &AccessRequest<'_>,
        action: EntityUid,
        wanted: &BTreeSet<Attribute>,
    ) -> Result<(Request, Entities), InvalidRequest> {
        let principal = entity(&self.person, access_request.actor.person.as_str());
        let resource = match (&access_request.subject, access_request.action.is_of_request()) {
            (Some(subject), true) => entity(&self.operation, subject.operation_type),
            (None, false) => self.service.clone(),
            // A policy without conditions might permit what has no subject.
            (Some(_), false) | (None, true) => return Err(InvalidRequest),
        };
        let groups = self.groups_of(access_request.actor).map(|(_, uid)| uid.clone()).collect();
        let person = Entity::new_no_attrs(principal.clone(), groups);
        let entities = Entities::from_entities([person], None).map_err(|_| InvalidRequest)?;
        let request = Request::new(principal, action, resource, self.context(access_request, wanted)?, None)
            .map_err(|_| InvalidRequest)?;
        Ok((request, entities))
    }

    fn context(
        &self,
        access_request: &AccessRequest<'_>,
        wanted: &BTreeSet<Attribute>,
    ) -> Result<Context, InvalidRequest> {
        let mut pairs = Vec::with_capacity(wanted.len());
        for &attribute in wanted {
            if let Some(value) = self.value(attribute, access_request)? {
                pairs.push((attribute.to_string(), value));
            }
        }
        Context::from_pairs(pairs).map_err(|_| InvalidRequest)
    }

    /// `None` where the question has no such attribute.
    fn value(
        &self,
        attribute: Attribute,
        access_request: &AccessRequest<'_>,
    ) -> Result<Option<RestrictedExpression>, InvalidRequest> {
        let of = |entity_type, name| RestrictedExpression::new_entity_uid(entity(entity_type, name));
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let subject = access_request.subject.as_ref();
        let actor = access_request.actor;
        Ok(match attribute {
            Attribute::Operation => subject.map(|subject| text(subject.operation_type)),
            Attribute::Instance => subject.map(|subject| text(subject.instance_id)),
            Attribute::Environment => {
                subject.map(|subject| of(&self.environment, subject.environment.as_str()))
            }
            Attribute::Risk => subject.map(|subject| of(&self.risk, subject.risk_level.as_str())),
            Attribute::EstimatedCost => subject.map(|subject| {
                let parts = decimal(subject.estimated_cost);
                RestrictedExpression::new_decimal(format!("{}.{:04}", parts / 10_000, parts % 10_000))
            }),
            Attribute::Requester => subject.map(|subject| of(&self.person, subject.requested_by.as_str())),
            Attribute::Own => Some(RestrictedExpression::new_bool(access_request.is_own)),
            Attribute::Groups => {
                Some(RestrictedExpression::new_set(self.groups_of(actor).map(|(name, _)| text(name))))
            }
            Attribute::Kind => Some(of(&self.kind, actor.kind.as_str())),
            Attribute::Channel => Some(of(&self.channel, actor.channel.as_str())),
            Attribute::SourceIp => match actor.source_ip {
                // An IPv4 address in the form of IPv6 is in no IPv4 range.
                Some(SourceAddress::Known(address)) => {
                    Some(RestrictedExpression::new_ip(address.to_canonical().to_string()))
                }
                Some(SourceAddress::Unknown) | None => None,
            },
            Attribute::Time => Some(RestrictedExpression::new_datetime(access_request.now.to_string())),
            Attribute::Weekday => Some(of(&self.weekday, weekday(self.local(access_request)?.weekday()))),
            Attribute::Hour => {
                Some(RestrictedExpression::new_long(self.local(access_request)?.hour().into()))
            }
            Attribute::Minute => {
                Some(RestrictedExpression::new_long(self.local(access_request)?.minute().into()))
            }
        })
    }

    fn local(&self, access_request: &AccessRequest<'_>) -> Result<jiff::civil::DateTime, InvalidRequest> {
        let now = jiff::Timestamp::from_millisecond(access_request.now.as_millisecond())
            .map_err(|_| InvalidRequest)?;
        Ok(self.time_zone.to_datetime(now))
    }
}

/// Any text can be an id: it is never parsed.
fn entity(entity_type: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

fn weekday(weekday: jiff::civil::Weekday) -> &'static str {
    match weekday {
        jiff::civil::Weekday::Monday => "monday",
        jiff::civil::Weekday::Tuesday => "tuesday",
        jiff::civil::Weekday::Wednesday => "wednesday",
        jiff::civil::Weekday::Thursday => "thursday",
        jiff::civil::Weekday::Friday => "friday",
        jiff::civil::Weekday::Saturday => "saturday",
        jiff::civil::Weekday::Sunday => "sunday",
    }
}

pub(crate) fn bundled_time_zone(name: &str) -> Result<TimeZone, InvalidAccess> {
    // The machine's own database is not asked: every shell is to know the same zones.
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|time_zone| !time_zone.is_unknown());
    found.ok_or_else(|| InvalidAccess::TimeZone(name.to_owned()))
}
