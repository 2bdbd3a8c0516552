//! One call for a program that does something which may need approval: check, create, and carry it out, or say that an
//! approval is required.
//!
//! ```no_run
//! use countersign_api::bodies::CreateBody;
//! use countersign_client::connection::Connection;
//! use countersign_client::execute_operation::Executed;
//! use countersign_client::limits::Limits;
//! use countersign_client::profile::{Overrides, settings};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let no_signer = |_: &_, _: Option<&str>| Err("calls are not signed".to_owned());
//! let connection = Connection::open(&settings(&Overrides::default())?, no_signer)?;
//! let request = CreateBody {
//!     operation_type: "create_snapshot".to_owned(),
//!     instance_id: "dev-db-01".to_owned(),
//!     parameters: json!({ "snapshot_id": "before-migration" }),
//!     environment: "non-production".to_owned(),
//!     justification: "before the migration of Tuesday".to_owned(),
//!     ..CreateBody::default()
//! };
//! // The same key finds the same request: called again once it is approved, this carries it out.
//! let executed = connection.execute_operation(&request, "migration-42", Limits::default(), |execution| {
//!     println!("carrying out {}", execution.request.request_id);
//!     Ok::<_, String>(Some(json!({ "snapshot": "before-migration" })))
//! })?;
//! match executed {
//!     Executed::ApprovalRequired(request) => println!("{} waits for approval", request.request_id),
//!     Executed::Done { request, .. } => println!("{}", request.status),
//!     Executed::Over(request) => println!("it is {} and is not carried out", request.status),
//! }
//! # Ok(())
//! # }
//! ```

use crate::connection::Connection;
use crate::error::Error;
use crate::execution::Execution;
use crate::limits::Limits;
use countersign_api::bodies::CreateBody;
use countersign_api::wire::RequestBody;
use serde_json::{Value, json};
use std::fmt::Display;

/// What has become of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Executed<E> {
    /// It waits for approval, and nothing was carried out. The same call with the same key goes on later.
    ApprovalRequired(RequestBody),
    /// It was carried out, now, and reported.
    Done {
        /// The request, executed or failed.
        request: RequestBody,
        /// What the program gave, or why it failed.
        outcome: Result<Option<Value>, E>,
    },
    /// It was carried out before, is being carried out, or never will be: its status says which.
    Over(RequestBody),
}

impl Connection {
    /// Asks for an operation and carries it out if it is approved, by policy at once or by people since the last call with
    /// this key. `carry_out` is called at most once for a request, however many clients call this. If it takes longer
    /// than [`Execution::lease`], it calls [`Connection::renew`] in between.
    ///
    /// # Errors
    /// What the service refuses, before anything was carried out; or that the report did not reach it, and then the request
    /// stays `executing` until it is reported or its lease ends.
    pub fn execute_operation<E: Display>(
        &self,
        request: &CreateBody,
        key: &str,
        limits: Limits,
        carry_out: impl FnOnce(&Execution) -> Result<Option<Value>, E>,
    ) -> Result<Executed<E>, Error> {
        self.check_limits(request, limits)?;
        let request = self.create(request, key)?;
        match request.status.as_str() {
            "pending" => return Ok(Executed::ApprovalRequired(request)),
            "approved" => {}
            _ => return Ok(Executed::Over(request)),
        }
        let execution = self.begin(&request, &format!("{key}-start"))?;
        let outcome = carry_out(&execution);
        let result = match &outcome {
            Ok(result) => result.clone(),
            Err(error) => Some(json!({ "error": error.to_string() })),
        };
        let request = self.report(&execution, outcome.is_ok(), result, &execution.execution_id)?;
        Ok(Executed::Done { request, outcome })
    }
}
