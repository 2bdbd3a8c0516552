//! Calls of the API for an agent, and what their answers are: the answer itself, or why there is none.

use crate::settings::Settings;
use crate::underway::Turn;
use countersign_agents::notice::Notice;
use countersign_api::operation::{Method as OperationMethod, Operation};
use countersign_api::outgoing::{Api, ApiAnswer, ApiCall};
use countersign_api::wire::{MeBody, ProblemBody, RequestBody};
use countersign_core::canonical;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The code of a call that could not be made.
const SERVICE_UNAVAILABLE: &str = "service_unavailable";
/// The code of a call with a human's token.
pub(crate) const HUMAN_TOKEN: &str = "human_token";

/// Calls of one caller.
#[derive(Debug)]
pub(crate) struct Calls<P> {
    api: Arc<P>,
    pub(crate) settings: Arc<Settings>,
    me: OnceCell<MeBody>,
    /// The part that a call takes of what its caller may have at once, where the shell counts that.
    turn: Mutex<Option<Turn>>,
}

impl<P: Api> Calls<P> {
    pub(crate) fn new(api: Arc<P>, settings: Arc<Settings>, turn: Option<Turn>) -> Self {
        Self { api, settings, me: OnceCell::new(), turn: Mutex::new(turn) }
    }

    /// Gives the turn back before the call ends.
    pub(crate) fn end_turn(&self) {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Who calls. An agent that has the token of a human could approve elsewhere what it asks for here.
    pub(crate) async fn me(&self) -> Result<&MeBody, Box<Notice>> {
        let asked = self.me.get_or_try_init(async || self.get::<MeBody>(Operation::Me.path_template()).await);
        let me = asked.await?;
        if me.kind == "human" && !self.settings.takes_humans {
            return Err(Box::new(Notice::new(
                HUMAN_TOKEN,
                "the token is a human's, and agents are not to act as humans",
                "the operator has to give a token of an agent, or to allow a human's (--as-human)",
            )));
        }
        Ok(me)
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Box<Notice>> {
        let answer = self.send(Method::GET, path.to_owned(), None, None).await?;
        serde_json::from_value(answer).map_err(|_| unreadable())
    }

    /// Carries an operation out that takes a body. `key` names the call, if it is one that changes something.
    pub(crate) async fn carry_out(
        &self,
        operation: Operation,
        request_id: &str,
        body: Value,
        key: Option<String>,
    ) -> Result<Value, Box<Notice>> {
        let method = match operation.method() {
            OperationMethod::Get => Method::GET,
            OperationMethod::Post => Method::POST,
            OperationMethod::Put => Method::PUT,
            OperationMethod::Patch => Method::PATCH,
            OperationMethod::Delete => Method::DELETE,
        };
        // A key of its own: the shell may have to send the call again.
        let fresh = || self.settings.host.request_id().to_string();
        let key = operation.takes_idempotency_key().then(|| key.unwrap_or_else(fresh));
        let answer = self.send(method, operation.path(request_id), key, Some(body)).await?;
        let is_about = |id: &Value| !operation.is_on_one() || id.as_str() == Some(request_id);
        if answer.get("request_id").is_none_or(is_about) { Ok(answer) } else { Err(unreadable()) }
    }

    /// A request.
    pub(crate) async fn request(&self, request_id: &str) -> Result<RequestBody, Box<Notice>> {
        self.request_at(request_id, &Operation::Get.path(request_id)).await
    }

    /// A request once it is another one than this, or after some seconds.
    pub(crate) async fn request_after(
        &self,
        seen: &RequestBody,
        seconds: u64,
    ) -> Result<RequestBody, Box<Notice>> {
        let path = Operation::Get.path(&seen.request_id);
        let path = format!("{path}?wait={seconds}&since_version={}", seen.version);
        self.request_at(&seen.request_id, &path).await
    }

    async fn request_at(&self, request_id: &str, path: &str) -> Result<RequestBody, Box<Notice>> {
        let request: RequestBody = self.get(path).await?;
        if request.request_id == request_id { Ok(request) } else { Err(unreadable()) }
    }

    /// Reads with a query.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        members: &[(String, String)],
    ) -> Result<T, Box<Notice>> {
        let path = format!("{}?{}", Operation::List.path_template(), encoded(members));
        self.get(&path).await
    }

    async fn send(
        &self,
        method: Method,
        path: String,
        idempotency_key: Option<String>,
        body: Option<Value>,
    ) -> Result<Value, Box<Notice>> {
        let token = self.settings.token.clone();
        read(&self.api.call(ApiCall { method, path, token, idempotency_key, body }).await)
    }
}

/// A query. The serializer cannot be kept while a call is under way.
fn encoded(members: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
}

/// The answer, as JSON that has one reading.
fn read(answer: &ApiAnswer) -> Result<Value, Box<Notice>> {
    match answer.status {
        200..=299 => canonical::read_answer(&answer.body).map_err(|_| unreadable()),
        status => Err(Box::new(refused(status, &answer.body))),
    }
}

fn refused(status: u16, body: &[u8]) -> Notice {
    let again = "call again in a moment, with the same arguments";
    match (serde_json::from_slice::<ProblemBody>(body), status) {
        (Ok(problem), _) if problem.code == SERVICE_UNAVAILABLE => {
            Notice::new(SERVICE_UNAVAILABLE, &problem.detail, again)
        }
        (Ok(problem), _) => Notice::of_problem(&problem),
        // Gateways and proxies refuse in words of their own.
        (Err(_), 401 | 403) => Notice::new(
            "unauthenticated",
            "the service does not accept the token",
            "the operator has to give a token that the service accepts",
        ),
        (Err(_), 0) => Notice::new(SERVICE_UNAVAILABLE, "the service does not answer", again),
        (Err(_), _) => {
            Notice::new(SERVICE_UNAVAILABLE, &format!("what answers says {status}, and nothing more"), again)
        }
    }
}

/// What answers is not the service, or not the one that was meant.
pub(crate) fn unreadable() -> Box<Notice> {
    Box::new(Notice::new(
        SERVICE_UNAVAILABLE,
        "the answer of the service cannot be read",
        "tell the operator; whether something was done shows get_request or list_my_requests",
    ))
}

/// Whether the same call may go through a little later.
pub(crate) fn is_passing(notice: &Notice) -> bool {
    matches!(notice.code.as_str(), SERVICE_UNAVAILABLE | "store_unavailable" | "internal")
}
