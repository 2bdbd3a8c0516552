//! The operations behind axum: an HTTP request becomes a [`Call`], a reply becomes a response.
//!
//! Who calls is established from the headers before the body is read; of those who are not known
//! none is.

use crate::answer::{conclude, correlation_id, texts};
use crate::application::Application;
use crate::evidence_route;
use crate::incoming::{Taken, let_go, take};
use crate::log_route;
use crate::metrics_route;
use crate::plain_route::identify;
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::{self, MethodFilter, MethodRouter};
use countersign_api::call::{Call, Input};
use countersign_api::operation::{Body as ApiBody, Method, Operation};
use countersign_api::operations::get::Get;
use countersign_api::operations::{self, EndpointVisitor};
use countersign_api::problem::{Code, Problem};
use countersign_api::run::{self, Endpoint, PublicEndpoint};
use countersign_dynamodb::store::DynamoStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use strum::IntoEnumIterator;
use tokio::task::AbortHandle;

/// All routes.
pub fn router(application: Application) -> Router {
    let router = Operation::iter().fold(Router::new(), |router, operation| {
        operation.paths().fold(router, |router, path| {
            router.route(path, operations::visit::<DynamoStore, _>(operation, Mount))
        })
    });
    // The gateway has no route for this but that of any id, and `simulate` is none.
    let get = routing::on(filter(Operation::Get.method()), handle::<Get>);
    let router = router.route(Operation::Simulate.path_template(), get);
    let router = router.route(log_route::ROUTE, routing::get(log_route::file));
    let router = router.route(evidence_route::ROUTE, routing::get(evidence_route::evidence));
    with_refusals(router.route(metrics_route::ROUTE, routing::get(metrics_route::metrics)), application)
}

/// The metrics alone, for callers without a token: whoever listens has to see to it that only this machine calls.
pub fn metrics_router(application: Application) -> Router {
    let route = routing::get(metrics_route::metrics_without_token);
    with_refusals(Router::new().route(metrics_route::ROUTE, route), application)
}

/// The routes, and the answers to calls of others.
fn with_refusals(router: Router<Application>, application: Application) -> Router {
    router
        .fallback(|State(app): State<Application>| async move {
            refuse(&app, Code::RouteNotFound, "see GET /openapi.json for the routes there are")
        })
        .method_not_allowed_fallback(|State(app): State<Application>| async move {
            refuse(&app, Code::MethodNotAllowed, "this path has other methods; see the Allow header")
        })
        .with_state(application)
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

/// Makes the handler of an operation.
struct Mount;

impl EndpointVisitor<DynamoStore> for Mount {
    type Output = MethodRouter<Application>;

    fn endpoint<E: Endpoint<DynamoStore> + 'static>(self) -> Self::Output {
        routing::on(filter(E::OPERATION.method()), handle::<E>)
    }

    fn public<E: PublicEndpoint + 'static>(self) -> Self::Output {
        routing::on(filter(E::OPERATION.method()), async move |State(app): State<Application>| {
            let (correlation_id, dependencies) = (correlation_id(&app), app.dependencies());
            let began = dependencies.host.elapsed();
            let answer = run::run_public::<E, _>(&dependencies, &correlation_id).await;
            let took = dependencies.host.elapsed().saturating_sub(began);
            conclude(&app, E::OPERATION.slug(), answer, Some(took), &correlation_id)
        })
    }
}

async fn handle<E: Endpoint<DynamoStore> + 'static>(
    State(app): State<Application>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    // First, so that a call that waits hears of each policy after the one that it begins with.
    let waiting = app.waiters.of_call();
    let dependencies = app.dependencies();
    let correlation_id = correlation_id(&app);
    let operation = E::OPERATION.slug();
    let (parts, body) = request.into_parts();
    let identity = identify(&app, dependencies.host.as_ref(), &parts).await;
    let caller = identity.as_ref().ok();
    let has_body = caller.is_some() && E::OPERATION.body() != ApiBody::None;
    let taken = if has_body || parts.headers.contains_key(header::EXPECT) {
        take(&app, caller, has_body.then_some(body)).await
    } else {
        let_go(body).await;
        take(&app, caller, None).await
    };
    let Taken { turn, body, room } = match taken {
        Ok(taken) => taken,
        Err(problem) => {
            tracing::warn!(correlation_id, operation, code = problem.code.as_str(), "the call did not begin");
            return conclude(&app, operation, Err(problem), None, &correlation_id);
        }
    };
    let identity = match identity {
        Err(problem) if !app.refusal_log.has_line() => {
            dependencies.host.on_unauthenticated();
            return conclude(&app, operation, Err(problem), None, &correlation_id);
        }
        identity => identity,
    };
    let turn = turn.map(Arc::new);
    let host = Arc::clone(&dependencies.host);
    let began = host.elapsed();
    let call = Call {
        correlation_id: correlation_id.clone(),
        identity,
        resumes: false,
        waiting: Arc::new(waiting.in_turn(turn.as_ref())),
        input: Input::Http {
            path: path_parameters(E::OPERATION, path, &parts.uri),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            content_type: joined(&parts.headers, header::CONTENT_TYPE.as_str(), ","),
            // Several are something that no key is.
            idempotency_key: joined(&parts.headers, "idempotency-key", "\n"),
            if_none_match: joined(&parts.headers, header::IF_NONE_MATCH.as_str(), ","),
            body,
        },
    };
    // A task of its own: a panic ends in an answer.
    let task = tokio::spawn(async move {
        let _room = room;
        run::run::<E, _>(&dependencies, call).await
    });
    // A caller who goes away does not stop half-way what they began. What changes nothing, such as waiting, ends.
    let _ended_with_the_call = (!E::OPERATION.changes()).then(|| AbortOnDrop(task.abort_handle()));
    let result = task.await.unwrap_or_else(|_| {
        tracing::error!(correlation_id, operation, "panicked");
        Err(Problem::internal("panic"))
    });
    if E::OPERATION.changes() && result.is_ok() {
        app.wake_sweeps();
    }
    let took = host.elapsed().saturating_sub(began);
    let took = (!turn.as_ref().is_some_and(|turn| turn.has_waited())).then_some(took);
    let mut response = conclude(&app, operation, result, took, &correlation_id);
    if let Some(turn) = turn {
        // Until the answer has been taken.
        response.extensions_mut().insert(turn);
    }
    response
}

/// A task that ends when this is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The parameters of the path; of one that is no text, `id` is something that no id is, and there is no other.
fn path_parameters(
    operation: Operation,
    path: Result<RawPathParams, RawPathParamsRejection>,
    uri: &Uri,
) -> BTreeMap<String, String> {
    let id = |id: &str| BTreeMap::from([("id".to_owned(), id.to_owned())]);
    match path {
        Ok(path) if path.iter().next().is_none() && operation.is_on_one() => {
            id(uri.path().rsplit('/').next().unwrap_or_default())
        }
        Ok(path) => path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        Err(_) => id(""),
    }
}

/// The values of a header.
fn joined(headers: &HeaderMap, name: &str, separator: &str) -> Option<String> {
    let values = texts(headers, name);
    (!values.is_empty()).then(|| values.join(separator))
}

fn refuse(app: &Application, code: Code, detail: &str) -> Response {
    let correlation_id = correlation_id(app);
    conclude(app, "none", Err(Problem::new(code, detail)), None, &correlation_id)
}
