//! What policies may speak of, and whether they do: the names of entities, the types of attributes, and that every
//! comparison makes sense. `access.cedarschema` of the crate `countersign-cedar` says the same to Cedar's own validator,
//! and a test compares what both accept.

use crate::attribute::Attribute;
use crate::entity::{Entity, EntityType, SERVICE};
use crate::literal::Literal;
use crate::parse::Refused;
use crate::policy::{Comparison, Expression, Kind, Method, Policy, Scope, Variable};
use crate::problem::Reason;
use countersign_core::caller::PrincipalKind;
use countersign_core::person::PersonId;
use countersign_core::policy::access::Action;
use countersign_core::risk::{Environment, RiskLevel};
use std::collections::BTreeSet;
use std::fmt;
use strum::IntoEnumIterator as _;

/// The days that a policy can name, as `jiff` numbers them from Monday.
pub(crate) const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    /// With the answer, where the action alone gives it.
    Bool(Option<bool>),
    Long,
    Text,
    Entity(EntityType),
    Set(Box<Type>),
    Decimal,
    Network,
    Time,
    Duration,
}

impl Type {
    const BOOL: Self = Self::Bool(None);

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(_), Self::Bool(_)) => true,
            (Self::Set(one), Self::Set(other)) => one.is_same(other),
            _ => self == other,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(_) => f.write_str("Bool"),
            Self::Long => f.write_str("Long"),
            Self::Text => f.write_str("String"),
            Self::Entity(entity_type) => f.write_str(entity_type.into()),
            Self::Set(element) => write!(f, "Set<{element}>"),
            Self::Decimal => f.write_str("decimal"),
            Self::Network => f.write_str("ipaddr"),
            Self::Time => f.write_str("datetime"),
            Self::Duration => f.write_str("duration"),
        }
    }
}

/// Holds a policy against the schema, completed with the names of the configured groups.
///
/// # Errors
/// What does not fit, the first of each action.
pub(crate) fn check(policy: &Policy, groups: &BTreeSet<String>) -> Result<(), Vec<Refused>> {
    let mut refused = Vec::new();
    for entity in policy.entities() {
        if let Err(rule) = check_name(entity, groups) {
            refused.push((policy.offset, rule));
        }
    }
    // What no question is about is held against nothing, as by Cedar.
    let actions = Action::iter().filter(|action| policy.concerns(*action));
    for action in actions.filter(|_| may_be_caller(&policy.principal)) {
        let resource = if action.is_of_request() { EntityType::Operation } else { EntityType::Service };
        if !may_be(&policy.resource, resource) {
            continue;
        }
        let place = Place { action, resource };
        let mut is_known = false;
        for condition in &policy.conditions {
            match place.boolean(condition, is_known) {
                // What comes after it is never looked at.
                Ok((Some(false), _)) => break,
                Ok((_, then_known)) => is_known |= then_known,
                Err(error) => {
                    refused.push(error);
                    break;
                }
            }
        }
    }
    let id = &policy.id;
    let mut refused: Vec<_> = refused
        .into_iter()
        .map(|(offset, rule)| (offset, Reason::Schema(format!("for policy `{id}`: {rule}"))))
        .collect();
    refused.dedup();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Whether a person can be what a scope is about.
fn may_be_caller(scope: &Scope) -> bool {
    let is_person = |entity_type: EntityType| entity_type == EntityType::Person;
    let may_be_in =
        |entity: &Entity| is_person(entity.entity_type) || entity.entity_type == EntityType::Group;
    match scope {
        Scope::Any => true,
        Scope::Is(named) => is_person(*named),
        Scope::Equal(entity) => is_person(entity.entity_type),
        Scope::In(entity) => may_be_in(entity),
        Scope::IsIn(named, entity) => is_person(*named) && may_be_in(entity),
    }
}

/// Whether an entity of this type can be what a scope is about.
fn may_be(scope: &Scope, entity_type: EntityType) -> bool {
    match scope {
        Scope::Any => true,
        Scope::Is(named) => *named == entity_type,
        Scope::Equal(entity) | Scope::In(entity) => entity.entity_type == entity_type,
        Scope::IsIn(named, entity) => *named == entity_type && entity.entity_type == entity_type,
    }
}

/// People by ids that no person can have, and names that an enumerated type does not have: a `forbid` about them
/// would never hold, in silence.
fn check_name(entity: &Entity, groups: &BTreeSet<String>) -> Result<(), String> {
    let id = entity.id.as_str();
    let entity_type: &str = entity.entity_type.into();
    let is_known = match entity.entity_type {
        EntityType::Person => {
            if PersonId::from_stored(id).is_ok() {
                return Ok(());
            }
            let advice = match PersonId::from_email(id) {
                Ok(id) => format!("write `Person::\"{id}\"`"),
                Err(_) => "people are e-mail addresses, services `service:` and the subject of their token"
                    .to_owned(),
            };
            return Err(format!("`Person::\"{}\"` is nobody ({advice})", id.escape_debug()));
        }
        EntityType::Operation => true,
        EntityType::Group => groups.contains(id),
        EntityType::Action => Action::iter().any(|action| action.as_str() == id),
        EntityType::Service => id == SERVICE,
        EntityType::Risk => RiskLevel::iter().any(|risk| risk.as_str() == id),
        EntityType::Environment => Environment::iter().any(|environment| environment.as_str() == id),
        EntityType::Kind => PrincipalKind::iter().any(|kind| kind.as_str() == id),
        EntityType::Channel => ["api", "dashboard", "direct", "local"].contains(&id),
        EntityType::Weekday => WEEKDAYS.contains(&id),
    };
    if is_known {
        return Ok(());
    }
    let hint =
        if entity.entity_type == EntityType::Group { " (groups are listed in people.toml)" } else { "" };
    Err(format!("there is no `{entity_type}::\"{}\"`{hint}", id.escape_debug()))
}

/// The action that a question is about, and what it is done to.
#[derive(Debug, Clone, Copy)]
struct Place {
    action: Action,
    resource: EntityType,
}

/// What an expression is, and whether the context is known to have an address once it is true.
type Checked = Result<(Type, bool), (usize, String)>;

impl Place {
    /// What a condition is, and whether the context is known to have an address once it holds.
    fn boolean(
        self,
        expression: &Expression,
        is_known: bool,
    ) -> Result<(Option<bool>, bool), (usize, String)> {
        match self.check(expression, is_known)? {
            (Type::Bool(answer), known) => Ok((answer, known)),
            (other, _) => Err((expression.offset, format!("expected Bool, and this is {other}"))),
        }
    }

    fn expect(self, expression: &Expression, is_known: bool, expected: &Type) -> Result<(), (usize, String)> {
        let (found, _) = self.check(expression, is_known)?;
        if found.is_same(expected) {
            return Ok(());
        }
        Err((expression.offset, format!("expected {expected}, and this is {found}{}", hint(&found))))
    }

    fn check(self, expression: &Expression, is_known: bool) -> Checked {
        let offset = expression.offset;
        Ok((
            match &expression.kind {
                Kind::Literal(literal) => of_literal(literal),
                Kind::Variable(Variable::Principal) => Type::Entity(EntityType::Person),
                Kind::Variable(Variable::Action) => Type::Entity(EntityType::Action),
                Kind::Variable(Variable::Resource) => Type::Entity(self.resource),
                Kind::Attribute(attribute) => self.attribute(offset, *attribute, is_known)?,
                Kind::Has(attribute) => match attribute {
                    Attribute::SourceIp => return Ok((Type::Bool(is_known.then_some(true)), true)),
                    _ => Type::Bool(Some(!attribute.is_of_request() || self.action.is_of_request())),
                },
                Kind::Not(one) => Type::Bool(self.boolean(one, is_known)?.0.map(|answer| !answer)),
                Kind::Negative(one) => {
                    self.expect(one, is_known, &Type::Long)?;
                    Type::Long
                }
                Kind::And(left, right) => return self.and(left, right, is_known),
                Kind::Or(left, right) => return self.or(left, right, is_known),
                Kind::If(parts) => return self.choice(parts, is_known),
                Kind::Compared(operator, left, right) => self.compared(*operator, left, right, is_known)?,
                Kind::Calculated(_, left, right) => {
                    self.expect(left, is_known, &Type::Long)?;
                    self.expect(right, is_known, &Type::Long)?;
                    Type::Long
                }
                Kind::In(left, right) => self.within(left, right, is_known)?,
                Kind::Is(one, entity_type) => match self.check(one, is_known)? {
                    (Type::Entity(found), _) => Type::Bool(Some(found == *entity_type)),
                    (other, _) => return Err((offset, format!("expected an entity, and this is {other}"))),
                },
                Kind::Like(one, _) => {
                    self.expect(one, is_known, &Type::Text)?;
                    Type::BOOL
                }
                Kind::Set(elements) => {
                    let [first, rest @ ..] = elements.as_slice() else {
                        return Err((offset, "a set of nothing has no type".to_owned()));
                    };
                    let (element, _) = self.check(first, is_known)?;
                    for one in rest {
                        self.expect(one, is_known, &element)?;
                    }
                    Type::Set(Box::new(if let Type::Bool(_) = element { Type::BOOL } else { element }))
                }
                Kind::Method(method, receiver, argument) => {
                    self.method(*method, receiver, argument.as_deref(), is_known)?
                }
            },
            false,
        ))
    }

    fn attribute(self, offset: usize, attribute: Attribute, is_known: bool) -> Result<Type, (usize, String)> {
        if attribute.is_of_request() && !self.action.is_of_request() {
            let action = self.action.as_str();
            let rule = format!(
                "attribute `{attribute}` in context for Action::\"{action}\" not found (`{action}` is about no request; a \
                 policy with `resource is Operation` is not about `{action}`)"
            );
            return Err((offset, rule));
        }
        Ok(match attribute {
            Attribute::Operation | Attribute::Instance => Type::Text,
            Attribute::Environment => Type::Entity(EntityType::Environment),
            Attribute::Risk => Type::Entity(EntityType::Risk),
            Attribute::EstimatedCost => Type::Decimal,
            Attribute::Requester => Type::Entity(EntityType::Person),
            Attribute::Own => Type::BOOL,
            Attribute::Groups => Type::Set(Box::new(Type::Text)),
            Attribute::Kind => Type::Entity(EntityType::Kind),
            Attribute::Channel => Type::Entity(EntityType::Channel),
            Attribute::SourceIp if is_known => Type::Network,
            Attribute::SourceIp => {
                let rule = "the context may have no `source_ip`: test `context has source_ip &&` before it";
                return Err((offset, rule.to_owned()));
            }
            Attribute::Time => Type::Time,
            Attribute::Weekday => Type::Entity(EntityType::Weekday),
            Attribute::Hour | Attribute::Minute => Type::Long,
        })
    }

    fn and(self, left: &Expression, right: &Expression, is_known: bool) -> Checked {
        let (one, left_known) = self.boolean(left, is_known)?;
        // What is never looked at is not held against anything.
        if one == Some(false) {
            return Ok((Type::Bool(one), false));
        }
        let (other, right_known) = self.boolean(right, is_known || left_known)?;
        let answer = match (one, other) {
            (_, Some(false)) => Some(false),
            (Some(true), other) => other,
            _ => None,
        };
        Ok((Type::Bool(answer), left_known || right_known))
    }

    fn or(self, left: &Expression, right: &Expression, is_known: bool) -> Checked {
        let (one, left_known) = self.boolean(left, is_known)?;
        if one == Some(true) {
            return Ok((Type::Bool(one), left_known));
        }
        let (other, right_known) = self.boolean(right, is_known)?;
        Ok(match (one, other) {
            (Some(false), other) => (Type::Bool(other), right_known),
            (_, Some(false)) => (Type::BOOL, left_known),
            (_, Some(true)) => (Type::Bool(other), false),
            _ => (Type::BOOL, left_known && right_known),
        })
    }

    fn choice(self, [condition, then, otherwise]: &[Expression; 3], is_known: bool) -> Checked {
        let (answer, condition_known) = self.boolean(condition, is_known)?;
        match answer {
            Some(true) => return self.check(then, is_known || condition_known),
            Some(false) => return self.check(otherwise, is_known),
            None => {}
        }
        let (one, then_known) = self.check(then, is_known || condition_known)?;
        let (other, otherwise_known) = self.check(otherwise, is_known)?;
        if !one.is_same(&other) {
            return Err((otherwise.offset, format!("expected {one}, and this is {other}")));
        }
        let known = (condition_known || then_known) && otherwise_known;
        Ok((if let Type::Bool(_) = one { Type::BOOL } else { one }, known))
    }

    fn compared(
        self,
        operator: Comparison,
        left: &Expression,
        right: &Expression,
        is_known: bool,
    ) -> Result<Type, (usize, String)> {
        let (one, _) = self.check(left, is_known)?;
        let (other, _) = self.check(right, is_known)?;
        let known = self.known_equality((left, &one), (right, &other));
        match operator {
            Comparison::Equal if known.is_some() => return Ok(Type::Bool(known)),
            Comparison::Unequal if known.is_some() => return Ok(Type::Bool(known.map(|is_equal| !is_equal))),
            Comparison::Equal | Comparison::Unequal => {}
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                if !matches!(one, Type::Long | Type::Time | Type::Duration) {
                    let hint = hint(&one);
                    let rule = format!("expected Long, datetime or duration, and this is {one}{hint}");
                    return Err((left.offset, rule));
                }
            }
        }
        if one.is_same(&other) {
            return Ok(Type::BOOL);
        }
        Err((right.offset, format!("expected {one}, and this is {other}{}", hint(&other))))
    }

    /// Whether two expressions are equal, where their types or the action alone tell. As by Cedar, what is known is held
    /// against nothing.
    fn known_equality(
        self,
        (left, left_type): (&Expression, &Type),
        (right, right_type): (&Expression, &Type),
    ) -> Option<bool> {
        match (left_type, right_type) {
            (Type::Entity(one), Type::Entity(other)) if one != other => return Some(false),
            _ => {}
        }
        Some(self.literal(left)? == self.literal(right)?)
    }

    /// A value that stands in the text, or the action. What a function makes of a text is none.
    fn literal(self, expression: &Expression) -> Option<Literal> {
        match &expression.kind {
            Kind::Variable(Variable::Action) => Some(Literal::Entity(Entity {
                entity_type: EntityType::Action,
                id: self.action.as_str().to_owned(),
            })),
            Kind::Literal(
                literal @ (Literal::Bool(_) | Literal::Long(_) | Literal::Text(_) | Literal::Entity(_)),
            ) => Some(literal.clone()),
            _ => None,
        }
    }

    fn within(self, left: &Expression, right: &Expression, is_known: bool) -> Result<Type, (usize, String)> {
        let one = match self.check(left, is_known)? {
            (Type::Entity(found), _) => found,
            (other, _) => return Err((left.offset, format!("expected an entity, and this is {other}"))),
        };
        let other = match self.check(right, is_known)? {
            (Type::Entity(found), _) => found,
            (Type::Set(element), _) if let Type::Entity(found) = *element => found,
            (other, _) => {
                return Err((
                    right.offset,
                    format!("expected an entity or a set of them, and this is {other}"),
                ));
            }
        };
        let elements = match &right.kind {
            Kind::Set(elements) => elements.iter().collect(),
            _ => vec![right],
        };
        let named: Option<Vec<Literal>> = elements.into_iter().map(|element| self.literal(element)).collect();
        Ok(Type::Bool(match (self.literal(left), named) {
            (Some(action @ Literal::Entity(_)), Some(named)) if one == EntityType::Action => {
                Some(named.contains(&action))
            }
            // Persons are in groups, and everything is in itself.
            _ if one == other || (one, other) == (EntityType::Person, EntityType::Group) => None,
            _ => Some(false),
        }))
    }

    fn method(
        self,
        method: Method,
        receiver: &Expression,
        argument: Option<&Expression>,
        is_known: bool,
    ) -> Result<Type, (usize, String)> {
        let (found, _) = self.check(receiver, is_known)?;
        if let (
            Method::Contains | Method::ContainsAll | Method::ContainsAny | Method::IsEmpty,
            Type::Set(element),
        ) = (method, &found)
        {
            let expected = if method == Method::Contains { element } else { &found };
            return match argument {
                Some(argument) => self.expect(argument, is_known, expected).map(|()| Type::BOOL),
                None => Ok(Type::BOOL),
            };
        }
        let (expected, of_argument, result) = match method {
            Method::Contains | Method::ContainsAll | Method::ContainsAny | Method::IsEmpty => {
                return Err((receiver.offset, format!("expected a set, and this is {found}")));
            }
            Method::LessThan | Method::LessThanOrEqual | Method::GreaterThan | Method::GreaterThanOrEqual => {
                (Type::Decimal, Some(Type::Decimal), Type::BOOL)
            }
            Method::IsIpv4 | Method::IsIpv6 | Method::IsLoopback | Method::IsMulticast => {
                (Type::Network, None, Type::BOOL)
            }
            Method::IsInRange => (Type::Network, Some(Type::Network), Type::BOOL),
            Method::Offset => (Type::Time, Some(Type::Duration), Type::Time),
            Method::DurationSince => (Type::Time, Some(Type::Time), Type::Duration),
            Method::ToDate => (Type::Time, None, Type::Time),
            Method::ToTime => (Type::Time, None, Type::Duration),
            Method::ToMilliseconds
            | Method::ToSeconds
            | Method::ToMinutes
            | Method::ToHours
            | Method::ToDays => (Type::Duration, None, Type::Long),
        };
        if found != expected {
            return Err((receiver.offset, format!("expected {expected}, and this is {found}")));
        }
        if let (Some(argument), Some(expected)) = (argument, of_argument) {
            self.expect(argument, is_known, &expected)?;
        }
        Ok(result)
    }
}

/// How amounts are compared, for an author who tries to do it as with numbers.
fn hint(found: &Type) -> &'static str {
    match found {
        Type::Decimal => {
            " (compare amounts with `.greaterThan(decimal(\"500.0\"))`, `.lessThan(…)` and the like)"
        }
        _ => "",
    }
}

fn of_literal(literal: &Literal) -> Type {
    match literal {
        Literal::Bool(answer) => Type::Bool(Some(*answer)),
        Literal::Long(_) => Type::Long,
        Literal::Text(_) => Type::Text,
        Literal::Entity(entity) => Type::Entity(entity.entity_type),
        Literal::Decimal(_) => Type::Decimal,
        Literal::Network(_) => Type::Network,
        Literal::Time(_) => Type::Time,
        Literal::Duration(_) => Type::Duration,
    }
}
