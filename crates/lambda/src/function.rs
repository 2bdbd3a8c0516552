//! One operation of the API as a function: a payload in, an answer out, whatever its shape.

use crate::direct::{self, DirectAccess};
use crate::gateway::{self, Authentication, HttpAnswer};
use crate::iam::IamAccess;
use crate::invocation::{self, HttpEvent, Invocation, UnsupportedEvent};
use crate::metrics::Metrics;
use crate::polling::Polling;
use countersign_api::call::{Call, Input};
use countersign_api::files::{File, FileRoute};
use countersign_api::operation::{NOTIFICATIONS_FUNCTION, Operation};
use countersign_api::operations::health::{Health, Openapi};
use countersign_api::operations::hold::{Hold, Release};
use countersign_api::operations::notifications::{GetNotifications, PreviewNotifications, SetNotifications};
use countersign_api::operations::{self, EndpointVisitor};
use countersign_api::problem::Problem;
use countersign_api::reply::{IDEMPOTENT_REPLAYED, Reply};
use countersign_api::run::{self, Endpoint, PublicEndpoint, Store};
use countersign_app::dependencies::Dependencies;
use countersign_app::host::BoxFuture;
use countersign_app::ports::{CountAttempts, LoadRequest, PutHold, RecordEvent};
use countersign_app::preferences::PreferencesStore;
use countersign_core::caller::Caller;
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use futures_util::FutureExt as _;
use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use strum::IntoEnumIterator as _;

/// Everything that a function is put together from.
#[derive(Debug)]
pub struct Function<S> {
    /// The store, the policy, the clock.
    pub dependencies: Dependencies<S>,
    /// Who may call through the gateway.
    pub authentication: Authentication,
    /// Who may sign calls through the gateway.
    pub iam: IamAccess,
    /// What direct invocations may do.
    pub direct: DirectAccess,
    /// Whether those who wait for a request outside of it are resumed.
    pub resumes: bool,
    /// How calls wait.
    pub waiting: Polling,
    /// Where faults are counted.
    pub metrics: Metrics,
}

/// What a function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To the gateway.
    Http(HttpAnswer),
    /// To a direct invoker: the body alone.
    Direct(Box<RawValue>),
}

impl<S: Sync> Function<S> {
    /// Carries out an operation.
    ///
    /// # Errors
    /// For direct payloads, the refusal; for events of the wrong gateway, that they are. A call
    /// through the gateway is always answered.
    pub async fn handle<E: Endpoint<S>>(&self, payload: &str) -> Result<Answer, Diagnostic>
    where
        S: RecordEvent + CountAttempts,
    {
        let host = self.dependencies.host.as_ref();
        let correlation_id = host.event_id().to_string();
        let (identity, input, is_direct) = match invocation::read(payload).map_err(unsupported)? {
            Invocation::Gateway(event) => {
                event.check_route(&E::OPERATION.route_keys()).map_err(unsupported)?;
                (self.identify(&event).await, gateway::input(&event), false)
            }
            Invocation::Direct(payload) => {
                let identity = self.direct.actor(E::OPERATION, &payload);
                (identity, Input::Direct { payload }, true)
            }
        };
        let waiting = Arc::new(self.waiting);
        let resumes = self.resumes;
        let call = Call { correlation_id: correlation_id.clone(), identity, input, resumes, waiting };
        // A panic ends in an answer, as it does on a server.
        let outcome = AssertUnwindSafe(run::run::<E, S>(&self.dependencies, call)).catch_unwind().await;
        let result = outcome.unwrap_or_else(|_| {
            tracing::error!(correlation_id, operation = E::OPERATION.slug(), "panicked");
            Err(Problem::internal("panic"))
        });
        if let Err(problem) = &result {
            let (operation, code) = (E::OPERATION.slug(), problem.code.as_str());
            match problem.code.status() {
                500.. => self.metrics.fault(operation, code, host.now()),
                _ => self.metrics.refusal(operation, code, host.now()),
            }
        }
        if is_direct {
            result.map_err(|problem| direct::error(problem, &correlation_id)).and_then(direct_answer)
        } else {
            let reply = result.unwrap_or_else(|problem| problem.into_reply(&correlation_id));
            Ok(Answer::Http(gateway::answer(reply, &correlation_id)))
        }
    }

    /// Who calls through the gateway.
    async fn identify(&self, event: &HttpEvent) -> Result<Caller, Problem> {
        match event.iam() {
            Some(iam) => self.iam.caller(iam, event, self.dependencies.policy.people()),
            None => self.authentication.actor(event, self.dependencies.host.as_ref()).await,
        }
    }

    /// Answers a file, which `make` makes for the caller.
    ///
    /// # Errors
    /// For a payload that is no event of this route: a file is asked for over HTTP alone.
    pub async fn handle_file(
        &self,
        route: FileRoute,
        payload: &str,
        make: impl AsyncFn(&HttpEvent, &Principal) -> Result<File, Problem>,
    ) -> Result<Answer, Diagnostic>
    where
        S: RecordEvent + CountAttempts,
    {
        let Invocation::Gateway(event) = invocation::read(payload).map_err(unsupported)? else {
            return Err(unsupported(UnsupportedEvent::no_event()));
        };
        event.check_route(&[route.route_key()]).map_err(unsupported)?;
        let host = self.dependencies.host.as_ref();
        let correlation_id = host.event_id().to_string();
        let identity = self.identify(&event).await;
        let caller = identity.as_ref().ok().cloned();
        let made = AssertUnwindSafe(async {
            let actor = self.dependencies.policy.people().resolve(identity?)?;
            make(&event, &actor).await
        });
        let result = made.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(correlation_id, operation = route.slug(), "panicked");
            Err(Problem::internal("panic"))
        });
        match result.and_then(gateway::file_answer(&correlation_id)) {
            Ok(answer) => Ok(Answer::Http(answer)),
            Err(problem) => {
                let (operation, code) = (route.slug(), problem.code.as_str());
                match problem.code.status() {
                    500.. => self.metrics.fault(operation, code, host.now()),
                    _ => self.metrics.refusal(operation, code, host.now()),
                }
                let request_id = event.path_parameter("id").and_then(|id| RequestId::parse(id).ok());
                run::refuse(&self.dependencies, &problem, caller, operation, &correlation_id, request_id)
                    .await;
                Ok(Answer::Http(gateway::answer(problem.into_reply(&correlation_id), &correlation_id)))
            }
        }
    }

    /// Carries out that operation of a function which the gateway has taken a call for.
    ///
    /// # Errors
    /// For a payload that is no event of one of its routes: such operations are called over HTTP alone.
    pub async fn handle_one_of(&self, function: &str, payload: &str) -> Result<Answer, Diagnostic>
    where
        S: Store + 'static,
    {
        let operation = called(function, payload)?;
        operations::visit(operation, Handling { function: self, payload }).await
    }

    /// Claims a request for an approver, or gives the claim back.
    ///
    /// # Errors
    /// As for [`Self::handle_one_of`].
    pub async fn handle_hold(&self, payload: &str) -> Result<Answer, Diagnostic>
    where
        S: LoadRequest + PutHold + RecordEvent + CountAttempts,
    {
        let Invocation::Gateway(event) = invocation::read(payload).map_err(unsupported)? else {
            return Err(unsupported(UnsupportedEvent::no_event()));
        };
        if event.check_route(&Operation::Release.route_keys()).is_ok() {
            self.handle::<Release>(payload).await
        } else {
            self.handle::<Hold>(payload).await
        }
    }

    /// Carries out the operation about messages to people that the route names.
    ///
    /// # Errors
    /// As for [`Self::handle`].
    pub async fn handle_notifications(&self, payload: &str) -> Result<Answer, Diagnostic>
    where
        S: LoadRequest + PreferencesStore + RecordEvent + CountAttempts,
    {
        // Not by a visitor: this program has three operations, and not all of them.
        match called(NOTIFICATIONS_FUNCTION, payload)? {
            Operation::GetNotifications => self.handle::<GetNotifications>(payload).await,
            Operation::SetNotifications => self.handle::<SetNotifications>(payload).await,
            _ => self.handle::<PreviewNotifications>(payload).await,
        }
    }

    /// Answers a public operation. No caller has to authenticate.
    ///
    /// # Errors
    /// As for [`Self::handle`].
    pub async fn handle_public<E: PublicEndpoint>(&self, payload: &str) -> Result<Answer, Diagnostic> {
        let is_direct = match invocation::read(payload).map_err(unsupported)? {
            Invocation::Gateway(event) => {
                event.check_route(&[E::OPERATION.route_key()]).map_err(unsupported)?;
                false
            }
            Invocation::Direct(_) => true,
        };
        let host = self.dependencies.host.as_ref();
        let correlation_id = host.event_id().to_string();
        let result = run::run_public::<E, S>(&self.dependencies, &correlation_id).await;
        if let Err(problem) = &result {
            self.metrics.fault(E::OPERATION.slug(), problem.code.as_str(), host.now());
        }
        if is_direct {
            result.map_err(|problem| direct::error(problem, &correlation_id)).and_then(direct_answer)
        } else {
            let reply = result.unwrap_or_else(|problem| problem.into_reply(&correlation_id));
            Ok(Answer::Http(gateway::answer(reply, &correlation_id)))
        }
    }

    /// Says that the service is there, or describes the API.
    ///
    /// # Errors
    /// As for [`Self::handle_public`].
    pub async fn handle_health(&self, payload: &str) -> Result<Answer, Diagnostic> {
        let is_description = match invocation::read(payload).map_err(unsupported)? {
            Invocation::Gateway(event) => event.check_route(&[Operation::Openapi.route_key()]).is_ok(),
            Invocation::Direct(_) => false,
        };
        if is_description {
            self.handle_public::<Openapi>(payload).await
        } else {
            self.handle_public::<Health>(payload).await
        }
    }
}

/// The operation of a function that the gateway's event names by its route.
fn called(function: &str, payload: &str) -> Result<Operation, Diagnostic> {
    let Invocation::Gateway(event) = invocation::read(payload).map_err(unsupported)? else {
        return Err(unsupported(UnsupportedEvent::no_event()));
    };
    let mut operations = Operation::iter().filter(|operation| operation.function() == function);
    let called = operations.find(|operation| event.check_route(&operation.route_keys()).is_ok());
    called.ok_or_else(|| unsupported(UnsupportedEvent::of_another_function()))
}

/// Carries an operation out that is found at the call.
struct Handling<'a, S> {
    function: &'a Function<S>,
    payload: &'a str,
}

impl<'a, S: Store + 'static> EndpointVisitor<S> for Handling<'a, S> {
    type Output = BoxFuture<'a, Result<Answer, Diagnostic>>;

    fn endpoint<E: Endpoint<S> + 'static>(self) -> Self::Output {
        Box::pin(self.function.handle::<E>(self.payload))
    }

    fn public<E: PublicEndpoint + 'static>(self) -> Self::Output {
        Box::pin(self.function.handle_public::<E>(self.payload))
    }
}

fn direct_answer(reply: Reply) -> Result<Answer, Diagnostic> {
    let is_replayed = reply.headers.iter().any(|(name, _)| *name == IDEMPOTENT_REPLAYED);
    let body = if is_replayed {
        with_member(&reply.body, REPLAYED)
    } else {
        RawValue::from_string(reply.body.into_owned())
    };
    let body = body.map_err(|_| direct::error(Problem::internal("an answer is not JSON"), ""))?;
    Ok(Answer::Direct(body))
}

/// The member of a direct answer that says what the header [`IDEMPOTENT_REPLAYED`] says of others.
const REPLAYED: &str = "idempotent_replayed";

/// An object with one more member, which is true. What it has stays as it is written.
fn with_member(object: &str, name: &str) -> serde_json::Result<Box<RawValue>> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object)?;
    members.insert(name.to_owned(), serde_json::value::to_raw_value(&true)?);
    serde_json::value::to_raw_value(&members)
}

fn unsupported(error: UnsupportedEvent) -> Diagnostic {
    tracing::error!(%error, "refused");
    Diagnostic { error_type: "unsupported_event".to_owned(), error_message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(reply: Reply) -> String {
        serde_json::to_string(&direct_answer(reply).unwrap()).unwrap()
    }

    fn reply(body: &str) -> Reply {
        Reply { body: body.to_owned().into(), ..Reply::json(200, &()) }
    }

    #[test]
    fn a_direct_answer_to_a_retry_has_a_member_in_place_of_the_header() {
        let body = r#"{"version":2,"cost":1e-6,"parameters":{"b":1.10,"a":"\u00e9"}}"#;
        assert_eq!(answered(reply(body)), body);
        let replayed = reply(body).with_header(IDEMPOTENT_REPLAYED, "true".to_owned());
        assert_eq!(
            answered(replayed),
            r#"{"cost":1e-6,"idempotent_replayed":true,"parameters":{"b":1.10,"a":"\u00e9"},"version":2}"#
        );
        let other = reply(body).with_header("location", "/v1/approvals/1".to_owned());
        assert_eq!(answered(other), body);
    }
}
