//! What a shell offers to complete a line with, while a person types it. Nothing is said about what
//! fails: there is nothing to offer then.

use crate::aws;
use crate::operation_names;
use clap_complete::CompletionCandidate;
use countersign_client::config::{Config, ProfileName};
use countersign_client::connection::Connection;
use countersign_client::environment::Environment;
use countersign_client::list_query::{ListQuery, MAX_LIMIT};
use countersign_client::profile::{self, Overrides};
use countersign_core::request::Status;
use countersign_core::text::escaped_line;
use std::ffi::OsStr;
use strum::IntoEnumIterator;

/// The open requests of the service that the environment and the default profile name; the options of the
/// line are not looked at.
pub fn requests(beginning: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(settings) = profile::settings(&Overrides::default()) else { return Vec::new() };
    let status = Status::iter().filter(|status| status.is_open()).collect();
    let open = ListQuery { status, limit: Some(MAX_LIMIT), ..ListQuery::default() };
    let list =
        Connection::open_hurried(&settings, aws::signer).and_then(|connection| connection.list(&open, false));
    let Ok(list) = list else { return Vec::new() };
    let candidates = list.items.into_iter().map(|item| {
        let help = escaped_line(&format!(
            "{}: {} on {}, by {}",
            item.status, item.operation_type, item.instance_id, item.requested_by
        ));
        // INVARIANT: the connection passes nothing on but ids, which no shell acts on.
        CompletionCandidate::new(item.request_id).help(Some(help.into()))
    });
    beginning_with(beginning, candidates)
}

/// The operations of the policy that `POLICY_DIR` names, or that comes with the program.
pub fn operations(beginning: &OsStr) -> Vec<CompletionCandidate> {
    beginning_with(beginning, operation_names::known().into_iter().map(CompletionCandidate::new))
}

/// The profiles of the configuration file.
pub fn profiles(beginning: &OsStr) -> Vec<CompletionCandidate> {
    let config = Environment::of_process().config_path().and_then(|path| Config::read(&path).ok());
    let names = config.unwrap_or_default().profiles.into_keys();
    beginning_with(beginning, names.map(|name: ProfileName| CompletionCandidate::new(name.to_string())))
}

fn beginning_with(
    beginning: &OsStr,
    candidates: impl Iterator<Item = CompletionCandidate>,
) -> Vec<CompletionCandidate> {
    let beginning = beginning.as_encoded_bytes();
    candidates.filter(|candidate| candidate.get_value().as_encoded_bytes().starts_with(beginning)).collect()
}
