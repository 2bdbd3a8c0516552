//! `countersign reject`: refusing, with a reason.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::decision::{decidable, decided, outcome, proposal, session, shown, undecided, unless_unread};
use crate::error::CommandError;
use crate::view::terminal::Sight;
use crate::view::words::question;
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::RejectBody;
use countersign_client::change::Change;

/// `countersign reject`.
#[derive(Debug, Clone, Args)]
pub struct RejectArguments {
    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::requests))]
    pub ids: Vec<String>,

    /// Why; asked for if it is left out
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub reason: Option<String>,

    /// Do not ask
    #[arg(long, short, requires = "reason")]
    pub yes: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Rejects requests, one after the other.
///
/// # Errors
/// The last thing that went wrong; the other requests are gone through all the same.
pub fn run(arguments: &RejectArguments) -> Result<(), CommandError> {
    let session = session(&arguments.connection, arguments.yes)?;
    let decide = |name: &str| {
        let request = session.connection.find(name)?;
        let digest = decidable(&session, &request)?;
        let question = question("Reject", &request);
        let mut sight = Sight::new()?;
        let reason = match &arguments.reason {
            Some(reason) => reason.clone(),
            None => {
                let text = |_| proposal(&session, Some(&request), None);
                let question = format!("{question} Say why (nothing leaves it undecided):");
                let reason = session.terminal.ask(&mut sight, text, &question, "--reason and --yes");
                unless_unread(&request, reason)?.trim().to_owned()
            }
        };
        if reason.is_empty() {
            return Err(undecided(&request));
        }
        if arguments.yes {
            shown(&session, &request)?;
        } else {
            let text =
                |is_there: bool| proposal(&session, Some(&request).filter(|_| !is_there), Some(&reason));
            let answer = session.terminal.confirm(&mut sight, text, &question, "--yes");
            if !unless_unread(&request, answer)? {
                return Err(undecided(&request));
            }
        }
        decided(
            &session,
            &request,
            &Change::Reject(RejectBody { reason, content_digest: Some(digest), ..RejectBody::default() }),
        )
    };
    session.each(&arguments.ids, decide, |_, after| outcome(after))
}
