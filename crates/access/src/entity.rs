//! What policies speak of by a type and a name, as in `Group::"approver"`.

use strum::{EnumString, IntoStaticStr};

/// The types of entities. Which names each has is in [`crate::schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr)]
pub(crate) enum EntityType {
    Action,
    Person,
    Group,
    Operation,
    Service,
    Risk,
    Environment,
    Kind,
    Channel,
    Weekday,
}

/// An entity that a policy names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entity {
    pub(crate) entity_type: EntityType,
    pub(crate) id: String,
}

/// The one service: what `list`, `query_audit` and `manage_webhooks` are asked about.
pub(crate) const SERVICE: &str = "countersign";
