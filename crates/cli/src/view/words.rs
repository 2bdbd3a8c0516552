//! Parts of requests in words. Knows no width and no colour.

use countersign_api::wire::{RequestBody, RuleBody, SlotBody};

/// That an approver must name what they were shown.
pub(crate) const DIGEST_REQUIRED: &str = "an approver must name the content_digest of what they were shown";

/// How many approvals there are; that some on record do not count is said.
pub(crate) fn approvals(request: &RequestBody) -> String {
    let (received, required) = (request.approvals_received, request.approvals_required);
    let is_discounted = request.decisions.iter().any(|decision| decision.counts == Some(false));
    let noun = if is_discounted { "count" } else { "approvals" };
    format!("{received} of {required} {noun}")
}

/// `bob@example.com (approver, dba)`.
pub(crate) fn in_groups(person: &str, groups: &[String]) -> String {
    if groups.is_empty() { person.to_owned() } else { format!("{person} ({})", groups.join(", ")) }
}

/// Approvals by whom they must come from: `1 of dba`, `2 of finance or controlling`, `1 of anybody
/// who may approve`.
pub(crate) fn seats(slots: &[SlotBody], from_anybody: usize) -> Vec<String> {
    let mut seats: Vec<_> =
        slots.iter().map(|slot| format!("{} of {}", slot.approvals, slot.groups.join(" or "))).collect();
    if from_anybody > 0 {
        seats.push(format!("{from_anybody} of anybody who may approve"));
    }
    seats
}

/// `1 of dba, 1 of anybody who may approve`.
pub(crate) fn needs(approvals_required: u8, slots: &[SlotBody]) -> String {
    let from_slots: usize = slots.iter().map(|slot| usize::from(slot.approvals)).sum();
    seats(slots, usize::from(approvals_required).saturating_sub(from_slots)).join(", ")
}

/// `2 approvals: 1 of dba, 1 of anybody who may approve`.
pub(crate) fn demanded(approvals_required: u8, slots: &[SlotBody]) -> String {
    match approvals_required {
        0 if slots.is_empty() => "none".to_owned(),
        1 => format!("1 approval: {}", needs(1, slots)),
        required => format!("{required} approvals: {}", needs(required, slots)),
    }
}

/// `rules.databases: 1 of dba; must be started within 3600 seconds`.
pub(crate) fn rules(rules: &[RuleBody]) -> impl Iterator<Item = String> {
    rules.iter().map(|rule| format!("{}: {}", rule.name, rule.demands.join("; ")))
}

/// What a person is asked: it names again what may have left the screen.
pub(crate) fn question(verb: &str, request: &RequestBody) -> String {
    format!(
        "{verb} {} on {} ({}, {} risk)?",
        request.operation_type, request.instance_id, request.environment, request.risk_level
    )
}
