//! The operations that a policy lists, and what is said of one that it does not list.

use countersign_api::wire::RuleBody;
use countersign_app::host::Clock as _;
use countersign_client::environment::Environment;
use countersign_core::text::escaped_line;
use countersign_policy::load;
use countersign_system::system::SystemHost;

/// How unlike two names may be, in letters that are changed, added, left out or swapped, to be taken for
/// a slip.
const MAX_SLIPS: usize = 3;

/// The names of the operations of the policy that `POLICY_DIR` names, or that comes with the program.
pub fn known() -> Vec<String> {
    let directory = Environment::of_process().policy_directory;
    let policy = load::policy(directory.as_deref(), SystemHost::default().now());
    policy.map(|policy| policy.rules().operations().map(str::to_owned).collect()).unwrap_or_default()
}

/// What is to be said of an operation that the service's policy does not list.
pub fn unlisted(rules: &[RuleBody], operation_type: &str) -> Option<String> {
    // INVARIANT: the part of a policy that lists an operation is named `operations.NAME`, and
    // `operations` is what demands high risk of all others.
    rules.iter().find(|rule| rule.name == "operations")?;
    let name = escaped_line(operation_type);
    let suggestion = match meant(operation_type, &known()) {
        Some(meant) => format!("; did you mean `{}`?", escaped_line(&meant)),
        None => "; `countersign operations` lists those of a policy".to_owned(),
    };
    Some(format!("the service's policy does not list `{name}`, so it is high risk{suggestion}"))
}

/// The name that the requester probably meant.
fn meant(name: &str, known: &[String]) -> Option<String> {
    let distance = |known: &&String| strsim::damerau_levenshtein(name, known);
    known.iter().min_by_key(distance).filter(|known| (1..=MAX_SLIPS).contains(&distance(known))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_slip_is_recognized_and_another_name_is_not() {
        let known = ["modify_storage", "reboot", "modify_instance_class"].map(str::to_owned);
        for (name, expected) in [
            ("modfy_storage", Some("modify_storage")),
            ("reboto", Some("reboot")),
            ("modify-storage", Some("modify_storage")),
            ("drop_table", None),
            ("reboot", None),
        ] {
            assert_eq!(meant(name, &known).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn only_what_the_service_does_not_list_is_worth_a_note() {
        let rules = |name: &str| -> Vec<RuleBody> {
            serde_json::from_value(json!([{ "name": name, "demands": ["risk high"] }])).unwrap()
        };
        let note = unlisted(&rules("operations"), "modfy_storage").unwrap();
        assert!(note.ends_with("did you mean `modify_storage`?"), "{note}");
        assert_eq!(unlisted(&rules("operations.modfy_storage"), "modfy_storage"), None);
        assert!(!unlisted(&rules("operations"), "x\u{1b}[2J").unwrap().contains('\u{1b}'));
    }
}
