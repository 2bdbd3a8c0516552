//! The alternatives of a policy: the operands of each `||` that is not within a negation, in Cedar's JSON.

use serde_json::Value;

/// Which alternative, in words, and the policy with it in place of the whole `||`.
pub(super) fn of(policy: &Value) -> Vec<(String, Value)> {
    let conditions = policy.get("conditions").and_then(Value::as_array).map_or(0, Vec::len);
    let mut found = Vec::new();
    for number in 0..conditions {
        let place = format!("/conditions/{number}");
        let is_when = policy.pointer(&format!("{place}/kind")).is_some_and(|kind| kind == "when");
        if is_when {
            read(policy, &format!("{place}/body"), &mut found);
        }
    }
    found
}

fn read(policy: &Value, place: &str, found: &mut Vec<(String, Value)>) {
    for operand in ["left", "right"] {
        let conjunct = format!("{place}/&&/{operand}");
        if policy.pointer(&conjunct).is_some() {
            read(policy, &conjunct, found);
        }
    }
    let mut operands = Vec::new();
    operands_of(policy, place, &mut operands);
    if operands.len() < 2 {
        return;
    }
    let count = operands.len();
    for (number, operand) in operands.into_iter().enumerate() {
        let (Some(alternative), mut with) = (policy.pointer(&operand).cloned(), policy.clone()) else {
            continue;
        };
        if let Some(whole) = with.pointer_mut(place) {
            *whole = alternative;
            found.push((format!("{} of {count}", ordinal(number + 1)), with.clone()));
            read(&with, place, found);
        }
    }
}

/// `a || b || c` is nested to the left.
fn operands_of(policy: &Value, place: &str, operands: &mut Vec<String>) {
    let (left, right) = (format!("{place}/||/left"), format!("{place}/||/right"));
    if policy.pointer(&left).is_some() {
        operands_of(policy, &left, operands);
        operands_of(policy, &right, operands);
    } else {
        operands.push(place.to_owned());
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
