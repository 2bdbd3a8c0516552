//! `countersign operations`: the catalogue of a policy, and whether the service has this policy.
//!
//! No route gives the policy away; its version does, which says whether two policies are the same.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::view::terminal::Terminal;
use crate::view::text::{Line, Text, Tone};
use clap::Args;
use countersign_app::host::Clock as _;
use countersign_client::connection::Connection;
use countersign_client::profile;
use countersign_core::policy::Policy;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use serde::Serialize;
use std::path::PathBuf;

/// `countersign operations`.
#[derive(Debug, Clone, Args)]
pub struct OperationsArguments {
    /// A directory with operations.toml, people.toml and access.cedar, in place of the policy that comes
    /// with the program
    #[arg(long, value_name = "DIR", env = "POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

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
pub fn run(arguments: &OperationsArguments) -> Result<(), CommandError> {
    let policy = load::policy(arguments.policy_dir.as_deref(), SystemHost::default().now())
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    let settings = profile::settings(&arguments.connection.overrides())?;
    let health = Connection::to(&settings).and_then(|connection| connection.health());
    let catalogue = Catalogue {
        policy_version: policy.version().to_string(),
        service_policy_version: health.ok().map(|(health, _)| health.policy_version),
        operations: entries(&policy),
    };
    let terminal = Terminal::of_process();
    arguments.connection.output().print(terminal, &catalogue, || catalogue.text(&settings.url))
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
    fn text(&self, url: &str) -> Text {
        let longest = self.operations.iter().map(|entry| entry.operation_type.len()).max();
        let width = longest.unwrap_or_default().max("OPERATION".len());
        let header = format!("{:<width$}  {:<14}  {:<6}  APPROVALS", "OPERATION", "ENVIRONMENT", "RISK");
        let mut text = Text::default();
        text.push(Line::new(Tone::Quiet, &header));
        for Entry { operation_type, environment, risk_level, approvals_required } in &self.operations {
            text.push(Line::plain(&format!(
                "{operation_type:<width$}  {environment:<14}  {risk_level:<6}  {approvals_required}"
            )));
        }
        text.push(Line::plain(
            "What is not listed is high. Rules may demand more: `countersign simulate` says what.",
        ));
        let (tone, service) = match &self.service_policy_version {
            Some(version) if *version == self.policy_version => (Tone::Good, "has this policy."),
            Some(_) => (Tone::Warning, "has another policy: name its directory with --policy-dir."),
            None => (Tone::Warning, "does not say which policy it has."),
        };
        text.push(Line::new(tone, &format!("The service at {url} {service}")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
