//! Every update and condition expression.
//!
//! A condition guards the race: the request is as it was read. It restates only the two rules the
//! product stands on, not the requester and not a second time; how many must agree stays in the
//! core.

use aws_sdk_dynamodb::types::AttributeValue;
use countersign_core::person::PersonId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An item as the SDK knows it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An expression with its names and values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Expression {
    /// The placeholder of an attribute name: many names are reserved words.
    pub(crate) fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    pub(crate) fn value(&mut self, placeholder: &str, value: AttributeValue) -> String {
        let placeholder = format!(":{placeholder}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// The placeholder of a string.
    pub(crate) fn string(&mut self, placeholder: &str, value: impl ToString) -> String {
        self.value(placeholder, AttributeValue::S(value.to_string()))
    }
}

/// `SET` what is new or different, `REMOVE` what is gone. What neither item knows, such as an
/// attribute of a newer release, is left alone.
pub(crate) fn update(before: &Item, after: &Item) -> Expression {
    let mut expression = Expression::default();
    let after: BTreeMap<_, _> = after.iter().collect();
    let mut set = Vec::new();
    for (attribute, value) in &after {
        if before.get(*attribute) != Some(value) {
            let name = expression.name(attribute);
            let value = expression.value(attribute, (*value).clone());
            set.push(format!("{name} = {value}"));
        }
    }
    let gone: std::collections::BTreeSet<_> =
        before.keys().filter(|attribute| !after.contains_key(attribute)).collect();
    let remove: Vec<_> = gone.into_iter().map(|attribute| expression.name(attribute)).collect();
    let clauses = [("SET", set), ("REMOVE", remove)];
    expression.text = clauses
        .into_iter()
        .filter(|(_, actions)| !actions.is_empty())
        .map(|(keyword, actions)| format!("{keyword} {}", actions.join(", ")))
        .collect::<Vec<_>>()
        .join(" ");
    expression
}

/// Adds to an update the condition under which it may happen, and returns it.
pub(crate) fn update_condition(
    expression: &mut Expression,
    seen_version: u64,
    deciding: Option<Deciding<'_>>,
) -> String {
    let version = expression.name("version");
    let seen = expression.value("seen", AttributeValue::N(seen_version.to_string()));
    let mut condition = format!("{version} = {seen}");
    if let Some(deciding) = deciding {
        condition.push_str(" AND ");
        condition.push_str(&not_made_or_approved_by(expression, deciding.addresses, deciding.replaced));
    }
    condition
}

/// A decision, as far as the database itself holds it against the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deciding<'a> {
    /// All addresses of who decides.
    pub(crate) addresses: &'a BTreeSet<PersonId>,
    /// Those among them whose earlier approval this decision takes the place of.
    pub(crate) replaced: &'a BTreeSet<PersonId>,
}

/// The request was not made by, for or by an agent of the person with these addresses, and none of them
/// has approved it, but for approvals that are being replaced.
pub(crate) fn not_made_or_approved_by(
    expression: &mut Expression,
    addresses: &BTreeSet<PersonId>,
    replaced: &BTreeSet<PersonId>,
) -> String {
    let requested_by = expression.name("requested_by");
    let requester_addresses = expression.name("requester_addresses");
    let filed_by = expression.name("filed_by");
    let owner = expression.name("owner");
    let owner_addresses = expression.name("owner_addresses");
    let placeholders: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(place, address)| expression.string(&format!("person{place}"), address))
        .collect();
    let anybody = placeholders.join(", ");
    // A list that is not there contains nothing.
    let not_theirs = placeholders.iter().zip(addresses).map(|(person, address)| {
        let not_made = format!(
            " AND NOT contains({requester_addresses}, {person}) AND NOT contains({owner_addresses}, {person})"
        );
        if replaced.contains(address) {
            return not_made;
        }
        let approved_by = expression.name("approved_by");
        format!("{not_made} AND NOT contains({approved_by}, {person})")
    });
    format!(
        "NOT {requested_by} IN ({anybody}) \
         AND (attribute_not_exists({filed_by}) OR NOT {filed_by} IN ({anybody})) \
         AND (attribute_not_exists({owner}) OR NOT {owner} IN ({anybody})){}",
        not_theirs.collect::<String>()
    )
}

/// Nothing stands under this key yet: the placeholder `#key` is an attribute of the table's key.
pub(crate) const ABSENT: &str = "attribute_not_exists(#key)";

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, &str)]) -> Item {
        attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned())))
            .collect()
    }

    #[test]
    fn an_update_touches_only_what_differs() {
        let before = item(&[("same", "1"), ("changed", "1"), ("gone", "1")]);
        let after = item(&[("same", "1"), ("changed", "2"), ("new", "1")]);
        let expression = update(&before, &after);
        assert_eq!(expression.text, "SET #changed = :changed, #new = :new REMOVE #gone");
        assert_eq!(expression.names.len(), 3);
        assert_eq!(expression.values.len(), 2);
    }

    #[test]
    fn a_decision_is_conditional_on_version_requester_and_approvers() {
        let addresses =
            ["bob@example.com", "robert@example.com"].map(|address| PersonId::from_email(address).unwrap());
        let mut expression = Expression::default();
        assert_eq!(
            update_condition(
                &mut expression,
                3,
                Some(Deciding { addresses: &BTreeSet::from(addresses), replaced: &BTreeSet::new() })
            ),
            "#version = :seen AND NOT #requested_by IN (:person0, :person1) \
             AND (attribute_not_exists(#filed_by) OR NOT #filed_by IN (:person0, :person1)) \
             AND (attribute_not_exists(#owner) OR NOT #owner IN (:person0, :person1)) \
             AND NOT contains(#requester_addresses, :person0) AND NOT contains(#owner_addresses, :person0) \
             AND NOT contains(#approved_by, :person0) \
             AND NOT contains(#requester_addresses, :person1) AND NOT contains(#owner_addresses, :person1) \
             AND NOT contains(#approved_by, :person1)"
        );
        assert_eq!(expression.values.get(":seen"), Some(&AttributeValue::N("3".to_owned())));
        assert_eq!(update_condition(&mut Expression::default(), 3, None), "#version = :seen");
    }
}
