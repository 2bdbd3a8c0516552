//! A question, and what the expressions of policies are worth under it:
//! <https://docs.cedarpolicy.com/policies/syntax-operators.html>.

use crate::attribute::Attribute;
use crate::decimal::decimal;
use crate::entity::{EntityType, SERVICE};
use crate::literal::{DAY_MILLISECONDS, Literal, Network};
use crate::policy::{Calculation, Comparison, Effect, Expression, Kind, Method, Policy, Scope, Variable};
use crate::schema::WEEKDAYS;
use countersign_core::policy::access::{AccessRequest, Subject};
use countersign_core::source_address::SourceAddress;
use jiff::tz::TimeZone;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The worth of an expression.
#[derive(Debug, Clone)]
enum Value<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Entity(EntityType, &'a str),
    Set(Vec<Value<'a>>),
    Decimal(i64),
    Network(Network),
    Time(i64),
    Duration(i64),
}

/// Values of different types are not equal; of sets neither order nor repetition counts.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Entity(one, id), Self::Entity(other, other_id)) => one == other && id == other_id,
            (Self::Set(one), Self::Set(other)) => {
                one.iter().all(|element| other.contains(element))
                    && other.iter().all(|element| one.contains(element))
            }
            (Self::Network(one), Self::Network(other)) => one == other,
            (Self::Long(one), Self::Long(other))
            | (Self::Decimal(one), Self::Decimal(other))
            | (Self::Time(one), Self::Time(other))
            | (Self::Duration(one), Self::Duration(other)) => one == other,
            _ => false,
        }
    }
}

/// An expression cannot be evaluated: a number is too large, or what it asks for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

type Evaluated<'a> = Result<Value<'a>, Failed>;

/// What policies say of a question.
#[derive(Debug, Default)]
pub(crate) struct Response<'a> {
    /// Those that hold.
    pub(crate) permits: Vec<&'a Policy>,
    pub(crate) forbids: Vec<&'a Policy>,
    /// Those that cannot be evaluated.
    pub(crate) failed: Vec<&'a Policy>,
}

impl Response<'_> {
    /// Whether a permit holds and no forbid does. A policy that failed counts as if it were not there.
    pub(crate) fn is_permitted(&self) -> bool {
        !self.permits.is_empty() && self.forbids.is_empty()
    }
}

/// A question as policies look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    request: &'a AccessRequest<'a>,
    groups: &'a BTreeSet<String>,
    time_zone: &'a TimeZone,
}

impl<'a> Question<'a> {
    /// `None` for an action of a request without one, and the other way round: a policy without conditions might permit
    /// what has no subject.
    pub(crate) fn new(
        request: &'a AccessRequest<'a>,
        groups: &'a BTreeSet<String>,
        time_zone: &'a TimeZone,
    ) -> Option<Self> {
        (request.subject.is_some() == request.action.is_of_request()).then_some(Self {
            request,
            groups,
            time_zone,
        })
    }

    /// Puts the question to policies.
    pub(crate) fn ask<'p>(self, policies: impl IntoIterator<Item = &'p Policy>) -> Response<'p>
    where
        'p: 'a,
    {
        let mut response = Response::default();
        for policy in policies {
            match (self.holds(policy), policy.effect) {
                (Ok(true), Effect::Permit) => response.permits.push(policy),
                (Ok(true), Effect::Forbid) => response.forbids.push(policy),
                (Ok(false), _) => {}
                (Err(Failed), _) => response.failed.push(policy),
            }
        }
        response
    }

    fn holds<'p: 'a>(self, policy: &'p Policy) -> Result<bool, Failed> {
        if !policy.concerns(self.request.action) || !self.is_in_scope(policy) {
            return Ok(false);
        }
        for condition in &policy.conditions {
            if !self.boolean(condition)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether it is about what a policy's scope is about, the action aside.
    pub(crate) fn is_in_scope(self, policy: &Policy) -> bool {
        let principal = self.variable(Variable::Principal);
        let resource = self.variable(Variable::Resource);
        self.is_within(&policy.principal, principal) && self.is_within(&policy.resource, resource)
    }

    fn is_within(self, scope: &Scope, (entity_type, id): (EntityType, &str)) -> bool {
        let is_of = |named: &EntityType| *named == entity_type;
        let is_in =
            |named: &crate::entity::Entity| self.is_in((entity_type, id), (named.entity_type, &named.id));
        match scope {
            Scope::Any => true,
            Scope::Is(named) => is_of(named),
            Scope::Equal(named) => is_of(&named.entity_type) && named.id == id,
            Scope::In(named) => is_in(named),
            Scope::IsIn(named, entity) => is_of(named) && is_in(entity),
        }
    }

    /// Whether an entity is another, or, being the person who asks, is in it as a group.
    fn is_in(self, one: (EntityType, &str), other: (EntityType, &str)) -> bool {
        let is_caller = one == self.variable(Variable::Principal);
        one == other
            || (is_caller
                && other.0 == EntityType::Group
                && self.groups_of_caller().any(|group| group == other.1))
    }

    /// The groups of the person who asks that are configured; no others mean anything.
    pub(crate) fn groups_of_caller(self) -> impl Iterator<Item = &'a str> {
        let is_configured = move |group: &&String| self.groups.contains(*group);
        self.request.actor.groups.iter().filter(is_configured).map(String::as_str)
    }

    fn variable(self, variable: Variable) -> (EntityType, &'a str) {
        match variable {
            Variable::Principal => (EntityType::Person, self.request.actor.person.as_str()),
            Variable::Action => (EntityType::Action, self.request.action.as_str()),
            Variable::Resource => match self.request.subject {
                Some(subject) => (EntityType::Operation, subject.operation_type),
                None => (EntityType::Service, SERVICE),
            },
        }
    }

    fn boolean(self, expression: &'a Expression) -> Result<bool, Failed> {
        match self.evaluate(expression)? {
            Value::Bool(answer) => Ok(answer),
            _ => Err(Failed),
        }
    }

    fn long(self, expression: &'a Expression) -> Result<i64, Failed> {
        match self.evaluate(expression)? {
            Value::Long(number) => Ok(number),
            _ => Err(Failed),
        }
    }

    fn evaluate(self, expression: &'a Expression) -> Evaluated<'a> {
        Ok(match &expression.kind {
            Kind::Literal(literal) => of_literal(literal),
            Kind::Variable(variable) => {
                let (entity_type, id) = self.variable(*variable);
                Value::Entity(entity_type, id)
            }
            Kind::Attribute(attribute) => self.attribute(*attribute).ok_or(Failed)?,
            Kind::Has(attribute) => Value::Bool(self.attribute(*attribute).is_some()),
            Kind::Not(one) => Value::Bool(!self.boolean(one)?),
            Kind::Negative(one) => Value::Long(self.long(one)?.checked_neg().ok_or(Failed)?),
            // What comes second is not evaluated where the first decides.
            Kind::And(left, right) => Value::Bool(self.boolean(left)? && self.boolean(right)?),
            Kind::Or(left, right) => Value::Bool(self.boolean(left)? || self.boolean(right)?),
            Kind::If(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                self.evaluate(if self.boolean(condition)? { then } else { otherwise })?
            }
            Kind::Compared(operator, left, right) => {
                compared(*operator, &self.evaluate(left)?, &self.evaluate(right)?)?
            }
            Kind::Calculated(operator, left, right) => {
                let (left, right) = (self.long(left)?, self.long(right)?);
                let result = match operator {
                    Calculation::Add => left.checked_add(right),
                    Calculation::Subtract => left.checked_sub(right),
                    Calculation::Multiply => left.checked_mul(right),
                };
                Value::Long(result.ok_or(Failed)?)
            }
            Kind::In(left, right) => self.within(&self.evaluate(left)?, &self.evaluate(right)?)?,
            Kind::Is(one, entity_type) => match self.evaluate(one)? {
                Value::Entity(found, _) => Value::Bool(found == *entity_type),
                _ => return Err(Failed),
            },
            Kind::Like(one, pattern) => match self.evaluate(one)? {
                Value::Text(text) => Value::Bool(is_like(text, pattern)),
                _ => return Err(Failed),
            },
            Kind::Set(elements) => {
                Value::Set(elements.iter().map(|element| self.evaluate(element)).collect::<Result<_, _>>()?)
            }
            Kind::Method(method, receiver, argument) => {
                let receiver = self.evaluate(receiver)?;
                let argument = argument.as_ref().map(|argument| self.evaluate(argument)).transpose()?;
                called(*method, &receiver, argument.as_ref())?
            }
        })
    }

    fn within(self, one: &Value<'_>, other: &Value<'_>) -> Evaluated<'a> {
        let Value::Entity(entity_type, id) = one else { return Err(Failed) };
        let is_in = |other: &Value<'_>| match other {
            Value::Entity(other_type, other) => Ok(self.is_in((*entity_type, id), (*other_type, other))),
            _ => Err(Failed),
        };
        Ok(Value::Bool(match other {
            Value::Set(elements) => {
                let each: Vec<bool> = elements.iter().map(is_in).collect::<Result<_, _>>()?;
                each.contains(&true)
            }
            other => is_in(other)?,
        }))
    }

    /// What the context has; `None` where it does not have it.
    fn attribute(self, attribute: Attribute) -> Option<Value<'a>> {
        let subject = || self.request.subject;
        let of_subject = |of: fn(&Subject<'a>) -> Value<'a>| self.request.subject.as_ref().map(of);
        let actor = self.request.actor;
        match attribute {
            Attribute::Operation => of_subject(|subject| Value::Text(subject.operation_type)),
            Attribute::Instance => of_subject(|subject| Value::Text(subject.instance_id)),
            Attribute::Environment => {
                of_subject(|subject| Value::Entity(EntityType::Environment, subject.environment.as_str()))
            }
            Attribute::Risk => {
                of_subject(|subject| Value::Entity(EntityType::Risk, subject.risk_level.as_str()))
            }
            Attribute::EstimatedCost => Some(Value::Decimal(decimal(subject()?.estimated_cost))),
            Attribute::Requester => {
                of_subject(|subject| Value::Entity(EntityType::Person, subject.requested_by.as_str()))
            }
            Attribute::Own => Some(Value::Bool(self.request.is_own)),
            Attribute::Groups => Some(Value::Set(self.groups_of_caller().map(Value::Text).collect())),
            Attribute::Kind => Some(Value::Entity(EntityType::Kind, actor.kind.as_str())),
            Attribute::Channel => Some(Value::Entity(EntityType::Channel, actor.channel.as_str())),
            Attribute::SourceIp => match actor.source_ip {
                // An IPv4 address in the form of IPv6 is in no IPv4 range.
                Some(SourceAddress::Known(address)) => {
                    Some(Value::Network(Network::of(address.to_canonical())))
                }
                Some(SourceAddress::Unknown) | None => None,
            },
            Attribute::Time => Some(Value::Time(self.request.now.as_millisecond())),
            Attribute::Weekday => {
                let day = usize::try_from(self.local()?.weekday().to_monday_zero_offset()).ok()?;
                Some(Value::Entity(EntityType::Weekday, WEEKDAYS.get(day)?))
            }
            Attribute::Hour => Some(Value::Long(self.local()?.hour().into())),
            Attribute::Minute => Some(Value::Long(self.local()?.minute().into())),
        }
    }

    fn local(self) -> Option<jiff::civil::DateTime> {
        let now = jiff::Timestamp::from_millisecond(self.request.now.as_millisecond()).ok()?;
        Some(self.time_zone.to_datetime(now))
    }
}

fn of_literal(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Bool(answer) => Value::Bool(*answer),
        Literal::Long(number) => Value::Long(*number),
        Literal::Text(text) => Value::Text(text),
        Literal::Entity(entity) => Value::Entity(entity.entity_type, &entity.id),
        Literal::Decimal(amount) => Value::Decimal(*amount),
        Literal::Network(network) => Value::Network(*network),
        Literal::Time(time) => Value::Time(*time),
        Literal::Duration(duration) => Value::Duration(*duration),
    }
}

fn compared<'a>(operator: Comparison, left: &Value<'_>, right: &Value<'_>) -> Evaluated<'a> {
    let order = || match (left, right) {
        (Value::Long(left), Value::Long(right))
        | (Value::Time(left), Value::Time(right))
        | (Value::Duration(left), Value::Duration(right)) => Ok(left.cmp(right)),
        _ => Err(Failed),
    };
    Ok(Value::Bool(match operator {
        Comparison::Equal => left == right,
        Comparison::Unequal => left != right,
        Comparison::Less => order()? == Ordering::Less,
        Comparison::LessOrEqual => order()? != Ordering::Greater,
        Comparison::Greater => order()? == Ordering::Greater,
        Comparison::GreaterOrEqual => order()? != Ordering::Less,
    }))
}

fn called<'a>(method: Method, receiver: &Value<'_>, argument: Option<&Value<'_>>) -> Evaluated<'a> {
    let set = || match receiver {
        Value::Set(elements) => Ok(elements),
        _ => Err(Failed),
    };
    let other_set = || match argument {
        Some(Value::Set(elements)) => Ok(elements),
        _ => Err(Failed),
    };
    let amounts = || match (receiver, argument) {
        (Value::Decimal(one), Some(Value::Decimal(other))) => Ok(one.cmp(other)),
        _ => Err(Failed),
    };
    let network = || match receiver {
        Value::Network(network) => Ok(*network),
        _ => Err(Failed),
    };
    let time = || match receiver {
        Value::Time(time) => Ok(*time),
        _ => Err(Failed),
    };
    let duration = |unit: i64| match receiver {
        Value::Duration(milliseconds) => Ok(Value::Long(milliseconds / unit)),
        _ => Err(Failed),
    };
    Ok(match (method, argument) {
        (Method::Contains, Some(element)) => Value::Bool(set()?.contains(element)),
        (Method::ContainsAll, Some(_)) => {
            let set = set()?;
            Value::Bool(other_set()?.iter().all(|element| set.contains(element)))
        }
        (Method::ContainsAny, Some(_)) => {
            let set = set()?;
            Value::Bool(other_set()?.iter().any(|element| set.contains(element)))
        }
        (Method::IsEmpty, None) => Value::Bool(set()?.is_empty()),
        (Method::LessThan, Some(_)) => Value::Bool(amounts()? == Ordering::Less),
        (Method::LessThanOrEqual, Some(_)) => Value::Bool(amounts()? != Ordering::Greater),
        (Method::GreaterThan, Some(_)) => Value::Bool(amounts()? == Ordering::Greater),
        (Method::GreaterThanOrEqual, Some(_)) => Value::Bool(amounts()? != Ordering::Less),
        (Method::IsIpv4, None) => Value::Bool(network()?.address.is_ipv4()),
        (Method::IsIpv6, None) => Value::Bool(network()?.address.is_ipv6()),
        (Method::IsLoopback, None) => Value::Bool(network()?.is_loopback()),
        (Method::IsMulticast, None) => Value::Bool(network()?.is_multicast()),
        (Method::IsInRange, Some(Value::Network(other))) => Value::Bool(network()?.is_in(*other)),
        (Method::Offset, Some(Value::Duration(by))) => Value::Time(time()?.checked_add(*by).ok_or(Failed)?),
        (Method::DurationSince, Some(Value::Time(other))) => {
            Value::Duration(time()?.checked_sub(*other).ok_or(Failed)?)
        }
        (Method::ToDate, None) => {
            let time = time()?;
            Value::Time(time.checked_sub(time.rem_euclid(DAY_MILLISECONDS)).ok_or(Failed)?)
        }
        (Method::ToTime, None) => Value::Duration(time()?.rem_euclid(DAY_MILLISECONDS)),
        (Method::ToMilliseconds, None) => duration(1)?,
        (Method::ToSeconds, None) => duration(1000)?,
        (Method::ToMinutes, None) => duration(60_000)?,
        (Method::ToHours, None) => duration(3_600_000)?,
        (Method::ToDays, None) => duration(DAY_MILLISECONDS)?,
        _ => return Err(Failed),
    })
}

/// Whether a text is made of these parts, where `None` stands for any characters or none.
fn is_like(text: &str, pattern: &[Option<String>]) -> bool {
    let mut rest = text;
    let mut after_wildcard = false;
    let Some((last, parts)) = pattern.split_last() else { return text.is_empty() };
    for part in parts {
        match part {
            None => after_wildcard = true,
            Some(part) if after_wildcard => {
                // The first place is as good as any other: what follows has the most left to match.
                let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
                (rest, after_wildcard) = (after, false);
            }
            Some(part) => {
                let Some(after) = rest.strip_prefix(part.as_str()) else { return false };
                rest = after;
            }
        }
    }
    match last {
        None => true,
        Some(last) if after_wildcard => rest.ends_with(last.as_str()),
        Some(last) => rest == last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::pattern;

    #[test]
    fn a_pattern_is_matched_as_a_whole() {
        for (text, like, expected) in [
            ("", "", true),
            ("a", "", false),
            ("", "*", true),
            ("modify_storage", "modify_*", true),
            ("modify_storage", "*storage", true),
            ("modify_storage", "*_s*", true),
            ("modify_storage", "modify", false),
            ("aab", "*ab", true),
            ("abab", "ab*ab", true),
            ("ab", "ab*ab", false),
            ("aba", "ab*ba", false),
            ("a*b", r"a\*b", true),
            ("axb", r"a\*b", false),
            ("xaxbx", "*a*b*", true),
            ("xbxax", "*a*b*", false),
            ("äöü", "ä*ü", true),
            ("aaa", "*a*a*a*", true),
            ("aa", "*a*a*a*", false),
        ] {
            assert_eq!(is_like(text, &pattern(like).unwrap()), expected, "{text} like {like}");
        }
    }
}
