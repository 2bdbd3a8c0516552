//! `countersign whoami`: what the token says, and that the service accepts it.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::view::text::{Line, Text};
use clap::Args;
use countersign_app::host::Clock as _;
use countersign_client::credential::{expiry, person};
use countersign_client::list_query::ListQuery;
use countersign_identity::claims::ClaimNames;
use countersign_identity::jws;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// `countersign whoami`.
#[derive(Debug, Clone, Args)]
pub struct WhoamiArguments {
    /// The directory of the policy that the service runs with: say which of its groups yours count as
    #[arg(long, value_name = "DIR", env = "POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What a token says of its bearer.
#[derive(Debug, Serialize)]
struct Whoami {
    url: String,
    person: String,
    groups: Vec<String>,
    /// The groups of a policy that they count as, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    counting_groups: Option<BTreeSet<String>>,
    expires_at: Option<String>,
}

/// Whose credentials sign calls.
#[derive(Debug, Serialize)]
struct Signed {
    url: String,
    signer: String,
}

/// Shows who the caller is.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &WhoamiArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    if let Some(signer) = session.connection.signer() {
        // Whom it signs for is the service's business.
        session.connection.list(&ListQuery { limit: Some(1), ..ListQuery::default() }, false)?;
        let signer = signer.name().map_err(CommandError::Failed)?;
        let signed = Signed { url: session.connection.url().to_owned(), signer };
        return session.show(&signed, |_| {
            Text::of_line(&format!("calls to {} are signed with {}", signed.url, signed.signer))
        });
    }
    let Some(token) = session.connection.token()? else {
        return Err(CommandError::Refused(
            "nobody: set COUNTERSIGN_TOKEN to a token, or run `countersign login`".to_owned(),
        ));
    };
    // Who bears the token is the service's business: it is asked for anything at all.
    session.connection.list(&ListQuery { limit: Some(1), ..ListQuery::default() }, false)?;
    let claims = jws::claims(token.expose()).map_err(|_| {
        CommandError::Failed("the service accepts your token, but it does not say who you are".to_owned())
    })?;
    let names = ClaimNames::default();
    let groups =
        names.groups.iter().filter_map(|path| path.find(&claims).ok().flatten()).flat_map(|groups| {
            match groups {
                Value::Array(groups) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                Value::String(group) => vec![group.clone()],
                _ => Vec::new(),
            }
        });
    let expires_at = expiry(&claims).map(|end| end.to_string());
    let groups: Vec<String> = groups.collect();
    let now = SystemHost::default().now();
    let policy = arguments.policy_dir.as_deref().map(|directory| load::policy(Some(directory), now));
    let policy = policy.transpose()?;
    let counts_as = |group: &String| Some(policy.as_ref()?.people().group(group)?.to_owned());
    let whoami = Whoami {
        url: session.connection.url().to_owned(),
        person: person(&claims),
        counting_groups: policy.as_ref().map(|_| groups.iter().filter_map(counts_as).collect()),
        groups,
        expires_at,
    };
    session.show(&whoami, |view| {
        let mut text = Text::of_line(&format!("{} at {}", whoami.person, whoami.url));
        for group in &whoami.groups {
            let meaning = match counts_as(group) {
                Some(name) if name == *group => String::new(),
                Some(name) => format!(" counts as {name}"),
                None if policy.is_some() => " means nothing to this policy".to_owned(),
                None => String::new(),
            };
            text.push(Line::plain(&format!("  group {group}{meaning}")));
        }
        // Only the service has its policy.
        match whoami.groups.as_slice() {
            [] => text.push(Line::plain("  no group")),
            _ if policy.is_some() => {}
            _ => text.push(Line::plain(
                "  (which groups count is for the policy of the service to say: see --policy-dir)",
            )),
        }
        if let Some(expires_at) = &whoami.expires_at {
            text.push(Line::plain(&format!("  token: {}", view.moment.deadline(expires_at))));
        }
        text
    })
}
