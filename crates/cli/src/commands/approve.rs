//! `countersign approve`: agreeing, after being shown everything.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::decision::{decidable, decided, outcome, proposal, session, shown, undecided, unless_unread};
use crate::error::CommandError;
use crate::view::terminal::Sight;
use crate::view::words::question;
use clap::Args;
use clap_complete::ArgValueCompleter;
use countersign_api::bodies::ApproveBody;
use countersign_client::change::Change;

/// `countersign approve`.
#[derive(Debug, Clone, Args)]
pub struct ApproveArguments {
    /// The requests: their ids, or the beginnings of them
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::requests))]
    pub ids: Vec<String>,

    /// Something to say
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub comment: Option<String>,

    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Approves requests, one after the other.
///
/// # Errors
/// The last thing that went wrong; the other requests are gone through all the same.
pub fn run(arguments: &ApproveArguments) -> Result<(), CommandError> {
    let session = session(&arguments.connection, arguments.yes)?;
    let decide = |name: &str| {
        let request = session.connection.find(name)?;
        let digest = decidable(&session, &request)?;
        let comment = arguments.comment.as_deref();
        if arguments.yes {
            shown(&session, &request)?;
        } else {
            let text = |_| proposal(&session, Some(&request), comment);
            let question = question("Approve", &request);
            let answer = session.terminal.confirm(&mut Sight::new()?, text, &question, "--yes");
            if !unless_unread(&request, answer)? {
                return Err(undecided(&request));
            }
        }
        let comments = comment.map(str::to_owned);
        decided(
            &session,
            &request,
            &Change::Approve(ApproveBody {
                comments,
                content_digest: Some(digest),
                ..ApproveBody::default()
            }),
        )
    };
    session.each(&arguments.ids, decide, |_, after| outcome(after))
}
