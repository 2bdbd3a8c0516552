//! The one list of routes. The local server mounts it, the infrastructure template and the
//! `OpenAPI` document are checked against it.

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Never changes anything.
    Get,
    /// Changes something, once per idempotency key.
    Post,
    /// Changes something, once.
    Put,
}

impl Method {
    /// The name in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// One route. The path is in the syntax that API Gateway and axum share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The operation: the one slug of its folder, function, type, command and tests.
    pub operation: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
}

const fn route(operation: &'static str, method: Method, path: &'static str) -> Route {
    Route { operation, method, path }
}

/// Make a request.
pub const CREATE: Route = route("create", Method::Post, "/v1/approvals");
/// List requests.
pub const LIST: Route = route("list", Method::Get, "/v1/approvals");
/// Read a request.
pub const GET: Route = route("get", Method::Get, "/v1/approvals/{id}");
/// Agree.
pub const APPROVE: Route = route("approve", Method::Post, "/v1/approvals/{id}/approve");
/// Refuse.
pub const REJECT: Route = route("reject", Method::Post, "/v1/approvals/{id}/reject");
/// Withdraw.
pub const CANCEL: Route = route("cancel", Method::Post, "/v1/approvals/{id}/cancel");
/// Say something.
pub const COMMENT: Route = route("comment", Method::Post, "/v1/approvals/{id}/comments");
/// Read a request's audit trail.
pub const EVENTS: Route = route("events", Method::Get, "/v1/approvals/{id}/events");
/// Spend the approval.
pub const START: Route = route("start", Method::Post, "/v1/approvals/{id}/execution");
/// Report what came of it.
pub const FINISH: Route = route("finish", Method::Put, "/v1/approvals/{id}/execution");
/// All of them through the original single endpoint.
pub const DISPATCH: Route = route("dispatch", Method::Post, "/approvals");
/// Whether the service is there.
pub const HEALTH: Route = route("health", Method::Get, "/health");
/// The description of all of this.
pub const OPENAPI: Route = route("health", Method::Get, "/openapi.json");

/// Every route.
pub const ALL: [Route; 13] =
    [CREATE, LIST, GET, APPROVE, REJECT, CANCEL, COMMENT, EVENTS, START, FINISH, DISPATCH, HEALTH, OPENAPI];
