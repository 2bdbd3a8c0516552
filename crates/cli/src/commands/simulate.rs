//! `countersign simulate`: what would come of asking for an operation.

use crate::commands::create::DraftArguments;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::operation_names::unlisted;
use crate::session::Session;
use clap::Args;
use countersign_api::problem::Code;
use countersign_api::wire::SimulateBody;

/// `countersign simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArguments {
    /// What would be asked for.
    #[command(flatten)]
    pub draft: DraftArguments,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Asks what would come of it, and shows the answer.
///
/// # Errors
/// See [`CommandError`]; what would be refused ends as the refusal itself would.
pub fn run(arguments: &SimulateArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let request = arguments.draft.request()?;
    let simulation = session.connection.simulate(&request)?;
    session.show(&simulation, |view| {
        let mut text = view.simulation(&simulation);
        view.doubts(&mut text, &request.parameters);
        text
    })?;
    if let Some(note) = unlisted(&simulation.rules, &simulation.operation_type) {
        session.note(&note);
    }
    end(&simulation)
}

/// The end of the creation that was simulated.
fn end(simulation: &SimulateBody) -> Result<(), CommandError> {
    if simulation.permitted {
        return Ok(());
    }
    // INVARIANT: whatever the refusals look like, what is not permitted is no success.
    let code = simulation.refusals.first().map_or("not_permitted", |refusal| refusal.code.as_str());
    // What is not known here is a rule that is newer than this program.
    let known = code.parse::<Code>().ok();
    let status = known.map_or(403, Code::status);
    Err(CommandError::WouldBeRefused { status, code: code.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::exit;
    use crate::view::simulation::example;
    use serde_json::json;

    #[test]
    fn the_first_refusal_is_the_end() {
        assert!(end(&example(json!({}))).is_ok());
        for (code, number) in [
            ("not_permitted", 3),
            ("validation_failed", 3),
            ("too_many_pending", 3),
            ("too_many_approved", 3),
            ("idempotency_conflict", 5),
            ("something_new", 3),
        ] {
            let refused = example(json!({
                "permitted": false, "refusals": [{ "code": code, "detail": "no", "reasons": [] }],
            }));
            assert_eq!(exit::code(end(&refused).unwrap_err().kind()), number, "{code}");
        }
        let unexplained = example(json!({ "permitted": false }));
        assert_eq!(end(&unexplained).unwrap_err().kind(), Kind::Refused);
    }

    #[test]
    fn a_code_is_escaped() {
        let refused = example(json!({
            "permitted": false, "refusals": [{ "code": "x\u{1b}[2J", "detail": "no", "reasons": [] }],
        }));
        assert!(!end(&refused).unwrap_err().to_string().contains('\u{1b}'));
    }
}
