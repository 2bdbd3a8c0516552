//! `countersign operations`: the catalogue of a policy, and whether the service has this policy.
//!
//! No route gives the policy away; its version does, which says whether two policies are the same.

use crate::client::arguments::OperationsArguments;
use crate::client::connection::Connection;
use crate::client::environment::Environment;
use crate::client::profile;
use crate::client::terminal::{Terminal, Tone};
use crate::exit::Exit;
use countersign_api::wire::RuleBody;
use countersign_app::host::Host as _;
use countersign_core::policy::Policy;
use countersign_core::text::escaped_line;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use serde::Serialize;
use std::fmt::Write as _;

/// How unlike two names may be, in letters that are changed, added, left out or swapped, to be taken for
/// a slip.
const MAX_SLIPS: usize = 3;

/// What is said of the operations of a policy.
#[derive(Debug, Serialize)]
struct Catalogue {
    policy_version: String,
    /// The version of the service's policy; nothing if it does not say.
    service_policy_version: Option<String>,
    operations: Vec<Entry>,
}

/// An operation in an environment.
#[derive(Debug, Serialize)]
struct Entry {
    operation_type: String,
    environment: &'static str,
    risk_level: &'static str,
    approvals_required: u8,
}

/// `countersign operations`.
///
/// # Errors
/// When the policy cannot be used, or stdout not be written. A service that does not answer is none.
pub fn run(arguments: &OperationsArguments) -> Result<(), Exit> {
    let policy =
        load::policy(arguments.policy_dir.as_deref(), SystemHost::default().now()).map_err(Exit::usage)?;
    let settings = profile::settings(&arguments.connection)?;
    let health = Connection::to(&settings).and_then(|connection| connection.health());
    let catalogue = Catalogue {
        policy_version: policy.version().to_string(),
        service_policy_version: health.ok().map(|(health, _)| health.policy_version),
        operations: entries(&policy),
    };
    let terminal = Terminal::of_process();
    arguments.connection.output().print(terminal, &catalogue, || catalogue.text(terminal, &settings.url))
}

fn entries(policy: &Policy) -> Vec<Entry> {
    let catalogue = policy.rules().catalogue();
    let entries = catalogue.map(|(name, environment, risk_level, approvals_required)| Entry {
        operation_type: name.to_owned(),
        environment: environment.as_str(),
        risk_level: risk_level.as_str(),
        approvals_required,
    });
    entries.collect()
}

impl Catalogue {
    fn text(&self, terminal: Terminal, url: &str) -> String {
        let longest = self.operations.iter().map(|entry| entry.operation_type.len()).max();
        let width = longest.unwrap_or_default().max("OPERATION".len());
        let header = format!("{:<width$}  {:<14}  {:<6}  APPROVALS", "OPERATION", "ENVIRONMENT", "RISK");
        let mut text = format!("{}\n", terminal.paint(Tone::Quiet, &header));
        for Entry { operation_type, environment, risk_level, approvals_required } in &self.operations {
            let name = escaped_line(operation_type);
            let _ =
                writeln!(text, "{name:<width$}  {environment:<14}  {risk_level:<6}  {approvals_required}");
        }
        text.push_str(
            "What is not listed is high. Rules may demand more: `countersign simulate` says what.\n",
        );
        let url = escaped_line(url);
        let service = match &self.service_policy_version {
            Some(version) if *version == self.policy_version => {
                terminal.paint(Tone::Good, &format!("The service at {url} has this policy."))
            }
            Some(_) => terminal.paint(
                Tone::Warning,
                &format!("The service at {url} has another policy: name its directory with --policy-dir."),
            ),
            None => terminal
                .paint(Tone::Warning, &format!("The service at {url} does not say which policy it has.")),
        };
        text.push_str(&service);
        text
    }
}

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

/// The name that somebody probably meant.
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

    #[test]
    fn the_catalogue_has_every_operation_in_both_environments() {
        let policy = load::bundled().unwrap();
        let entries = entries(&policy);
        assert_eq!(entries.len(), 2 * policy.rules().operations().count());
        let class: Vec<_> = entries
            .iter()
            .filter(|entry| entry.operation_type == "modify_instance_class")
            .map(|entry| (entry.environment, entry.risk_level, entry.approvals_required))
            .collect();
        assert!(class.contains(&("production", "high", 2)), "{class:?}");
        assert!(class.contains(&("non-production", "medium", 1)), "{class:?}");
    }
}
