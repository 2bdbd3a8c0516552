//! A policy as it was read: its scope and its conditions.

use crate::attribute::Attribute;
use crate::entity::{Entity, EntityType};
use crate::literal::Literal;
use countersign_core::policy::access::{Action, RequestAttribute};
use countersign_core::text::FreeText;
use std::collections::BTreeSet;

/// The words of a policy's author: what a refusal may repeat on one line.
pub type AuthorsWords = FreeText<200>;

/// What a policy that holds does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Permit,
    Forbid,
}

/// A policy under the name that its `@id` gives it.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) id: String,
    /// Its `@reason`: what a refusal gives the caller besides its name.
    pub(crate) reason: Option<AuthorsWords>,
    pub(crate) effect: Effect,
    pub(crate) principal: Scope,
    /// The actions that it is about; all of them if it names none.
    pub(crate) actions: Option<Vec<Entity>>,
    pub(crate) resource: Scope,
    /// All of them have to hold. `unless` is one that is negated.
    pub(crate) conditions: Vec<Expression>,
    /// Where it begins, in bytes.
    pub(crate) offset: usize,
}

/// Whom or what a policy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Any,
    Is(EntityType),
    Equal(Entity),
    In(Entity),
    IsIn(EntityType, Entity),
}

impl Scope {
    /// The entity that it names.
    pub(crate) fn entity(&self) -> Option<&Entity> {
        match self {
            Self::Any | Self::Is(_) => None,
            Self::Equal(entity) | Self::In(entity) | Self::IsIn(_, entity) => Some(entity),
        }
    }
}

/// An expression, and where it stands in the text, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) offset: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Literal),
    Variable(Variable),
    /// `context.NAME`.
    Attribute(Attribute),
    /// `context has NAME`.
    Has(Attribute),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    If(Box<[Expression; 3]>),
    Compared(Comparison, Box<Expression>, Box<Expression>),
    Calculated(Calculation, Box<Expression>, Box<Expression>),
    In(Box<Expression>, Box<Expression>),
    Is(Box<Expression>, EntityType),
    /// `None` stands for the wildcard.
    Like(Box<Expression>, Vec<Option<String>>),
    Set(Vec<Expression>),
    Method(Method, Box<Expression>, Option<Box<Expression>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Principal,
    Action,
    Resource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calculation {
    Add,
    Subtract,
    Multiply,
}

/// What is called on a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub(crate) enum Method {
    // Of sets.
    Contains,
    ContainsAll,
    ContainsAny,
    IsEmpty,
    // Of decimals.
    LessThan,
    LessThanOrEqual,
    GreaterThan,
    GreaterThanOrEqual,
    // Of addresses.
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    IsInRange,
    // Of times.
    Offset,
    DurationSince,
    ToDate,
    ToTime,
    // Of durations.
    ToMilliseconds,
    ToSeconds,
    ToMinutes,
    ToHours,
    ToDays,
}

impl Method {
    /// Whether it is called with one argument, or none.
    pub(crate) fn takes_argument(self) -> bool {
        match self {
            Self::Contains
            | Self::ContainsAll
            | Self::ContainsAny
            | Self::LessThan
            | Self::LessThanOrEqual
            | Self::GreaterThan
            | Self::GreaterThanOrEqual
            | Self::IsInRange
            | Self::Offset
            | Self::DurationSince => true,
            Self::IsEmpty
            | Self::IsIpv4
            | Self::IsIpv6
            | Self::IsLoopback
            | Self::IsMulticast
            | Self::ToDate
            | Self::ToTime
            | Self::ToMilliseconds
            | Self::ToSeconds
            | Self::ToMinutes
            | Self::ToHours
            | Self::ToDays => false,
        }
    }
}

impl Expression {
    /// This, and all that it is made of.
    pub(crate) fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Expression)) {
        visit(self);
        match &self.kind {
            Kind::Literal(_) | Kind::Variable(_) | Kind::Attribute(_) | Kind::Has(_) => {}
            Kind::Not(one) | Kind::Negative(one) | Kind::Is(one, _) | Kind::Like(one, _) => one.each(visit),
            Kind::And(left, right)
            | Kind::Or(left, right)
            | Kind::Compared(_, left, right)
            | Kind::Calculated(_, left, right)
            | Kind::In(left, right) => {
                left.each(visit);
                right.each(visit);
            }
            Kind::If(parts) => parts.iter().for_each(|part| part.each(visit)),
            Kind::Set(elements) => elements.iter().for_each(|element| element.each(visit)),
            Kind::Method(_, receiver, argument) => {
                receiver.each(visit);
                if let Some(argument) = argument {
                    argument.each(visit);
                }
            }
        }
    }
}

impl Policy {
    pub(crate) fn concerns(&self, action: Action) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.iter().any(|named| named.id == action.as_str()))
    }

    /// All expressions of its conditions.
    pub(crate) fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Expression)) {
        self.conditions.iter().for_each(|condition| condition.each(visit));
    }

    /// What it asks of the context.
    pub(crate) fn wanted(&self) -> BTreeSet<Attribute> {
        let mut wanted = BTreeSet::new();
        self.each(&mut |expression| {
            if let Kind::Attribute(attribute) | Kind::Has(attribute) = expression.kind {
                wanted.insert(attribute);
            }
        });
        wanted
    }

    fn names(&self, variable: Variable) -> bool {
        let mut is_named = false;
        self.each(&mut |expression| {
            is_named |= matches!(expression.kind, Kind::Variable(named) if named == variable);
        });
        is_named
    }

    /// Whether it may be about some resources only.
    pub(crate) fn names_resource(&self) -> bool {
        self.resource != Scope::Any || self.names(Variable::Resource)
    }

    /// Whether it may be about some people only, leaving aside what it wants to know of them.
    fn names_principal(&self) -> bool {
        self.principal != Scope::Any || self.names(Variable::Principal)
    }

    /// Whether what it says may differ with one of these parts of a question.
    pub(crate) fn looks_at(&self, parts: &[RequestAttribute]) -> bool {
        self.wanted().iter().any(|attribute| parts.contains(&attribute.part()))
            || (parts.contains(&RequestAttribute::Person) && self.names_principal())
            || (parts.contains(&RequestAttribute::Operation) && self.names_resource())
    }

    /// The entities that its scope and its conditions name.
    pub(crate) fn entities(&self) -> Vec<&Entity> {
        let scopes = [self.principal.entity(), self.resource.entity()];
        let mut entities: Vec<&Entity> = scopes.into_iter().flatten().collect();
        entities.extend(self.actions.iter().flatten());
        self.each(&mut |expression| {
            if let Kind::Literal(Literal::Entity(entity)) = &expression.kind {
                entities.push(entity);
            }
        });
        entities
    }
}
