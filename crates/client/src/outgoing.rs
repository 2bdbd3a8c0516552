//! Calls of the API for those that read its answers themselves: the bytes, with the status, as they came.

use crate::connection::{Connection, MAX_ANSWER_BYTES};
use crate::error::Error;
use crate::signing::Unsigned;
use countersign_api::outgoing::{ApiAnswer, ApiCall};
use countersign_api::wire::ProblemBody;
use serde_json::{Value, json};
use std::time::Duration;

/// The code of a call that could not be made.
const SERVICE_UNAVAILABLE: &str = "service_unavailable";
/// The code of a call that has no token, or none that is accepted.
const UNAUTHENTICATED: &str = "unauthenticated";

impl Connection {
    /// Makes a call with this connection's own credential, and makes it again where the service was not ready for it. Why there is
    /// no answer is a problem, as if the service had given it.
    pub fn outgoing(&self, call: &ApiCall) -> ApiAnswer {
        self.made(call).unwrap_or_else(|error| {
            let (status, code) = match &error {
                Error::Credential(_) => (401, UNAUTHENTICATED),
                _ => (503, SERVICE_UNAVAILABLE),
            };
            let problem = ProblemBody {
                problem_type: format!("urn:countersign:problem:{code}"),
                title: "The call was not made".to_owned(),
                status,
                detail: error.to_string(),
                instance: "urn:uuid:00000000-0000-0000-0000-000000000000".to_owned(),
                code: code.to_owned(),
                current_status: None,
                reasons: Vec::new(),
                errors: Vec::new(),
            };
            ApiAnswer { status, body: json!(problem).to_string().into() }
        })
    }

    fn made(&self, call: &ApiCall) -> Result<ApiAnswer, Error> {
        let token = self.token()?;
        let url = format!("{}{}", self.url(), call.path);
        let body = call.body.as_ref().map(Value::to_string);
        let mut headers = Vec::new();
        headers.extend(call.idempotency_key.clone().map(|key| ("idempotency-key", key)));
        headers.extend(body.as_ref().map(|_| ("content-type", "application/json".to_owned())));
        let unsigned = Unsigned {
            method: call.method.as_str(),
            url: &url,
            headers: &headers,
            body: body.as_deref().unwrap_or_default(),
        };
        let mut pause = Duration::from_millis(250);
        let mut tries = 0;
        loop {
            let proof = self.proof(unsigned, token.as_ref())?;
            match self.attempt_bytes(unsigned, &proof, MAX_ANSWER_BYTES) {
                // Nothing was changed, or the same key finds what was.
                Ok((503, _)) | Err(ureq::Error::ConnectionFailed) if tries < self.retries => {}
                Ok((status, body)) => return Ok(ApiAnswer { status, body: body.into() }),
                Err(error) => return Err(self.unreachable(&error)),
            }
            tries += 1;
            std::thread::sleep(pause);
            pause *= 2;
        }
    }
}
