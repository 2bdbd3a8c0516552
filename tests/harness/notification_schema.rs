//! The schema of what is published, and the check of a CloudEvent against it.

use jsonschema::Validator;
use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../docs/schemas/notification.json"))
        .unwrap_or_else(|error| panic!("docs/schemas/notification.json: {error}"));
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("docs/schemas/notification.json: {error}"))
});

/// Panics unless the event is as the schema says.
pub fn check(event: &Value) {
    let errors: Vec<_> = SCHEMA.iter_errors(event).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new(), "{event}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of a page that are CloudEvents.
    fn examples(page: &str) -> Vec<Value> {
        let documents = page.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        documents.filter(|document| document.get("specversion").is_some()).collect()
    }

    #[test]
    fn the_examples_of_the_pages_are_as_the_schema_says() {
        let notifications = examples(include_str!("../../docs/notifications.md"));
        let lines = examples(include_str!("../../docs/logging.md"));
        assert_eq!((notifications.len(), lines.len()), (2, 1));
        notifications.iter().chain(&lines).for_each(check);
    }

    #[test]
    fn the_schema_refuses_what_is_no_notification() {
        let example = examples(include_str!("../../docs/notifications.md")).remove(0);
        for (place, value) in [
            ("/specversion", json!("0.3")),
            ("/source", json!("countersign")),
            ("/type", json!("countersign.approval.granted.v1")),
            ("/type", json!("countersign.anomaly.detected.v1")),
            ("/sequence", json!(1)),
            ("/time", json!("yesterday")),
            ("/data/status", json!("open")),
            ("/data/approvals_received", json!(-1)),
            ("/data/hash", Value::Null),
        ] {
            let mut edited = example.clone();
            *edited.pointer_mut(place).unwrap() = value;
            assert!(!SCHEMA.is_valid(&edited), "{place}");
        }
    }
}
