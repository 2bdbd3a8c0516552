//! The one list of routes. The local server mounts it, the infrastructure template and the
//! `OpenAPI` document are checked against it.

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Never changes anything.
    Get,
    /// Changes something, once per idempotency key; or takes a body that no query string holds.
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

/// What a request of a route carries in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing that is looked at; fields come from the query string.
    None,
    /// A JSON object, or nothing at all: every field may be left out.
    Optional,
    /// A JSON object.
    Required,
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
    /// Its body.
    pub body: Body,
    /// Whether it may change anything.
    pub changes: bool,
}

impl Route {
    /// Whether it takes the deployment's key: to digest free text, or to seal cursors.
    pub fn takes_deployment_key(self) -> bool {
        self.changes || self == LIST
    }
}

const fn read(operation: &'static str, path: &'static str) -> Route {
    Route { operation, method: Method::Get, path, body: Body::None, changes: false }
}

const fn write(operation: &'static str, method: Method, path: &'static str, body: Body) -> Route {
    Route { operation, method, path, body, changes: true }
}

/// Make a request.
pub const CREATE: Route = write("create", Method::Post, "/v1/approvals", Body::Required);
/// Say what would come of making a request.
pub const SIMULATE: Route = Route {
    operation: "simulate",
    method: Method::Post,
    path: "/v1/approvals/simulate",
    body: Body::Required,
    changes: false,
};
/// List requests.
pub const LIST: Route = read("list", "/v1/approvals");
/// Read a request.
pub const GET: Route = read("get", "/v1/approvals/{id}");
/// Agree.
pub const APPROVE: Route = write("approve", Method::Post, "/v1/approvals/{id}/approve", Body::Optional);
/// Refuse.
pub const REJECT: Route = write("reject", Method::Post, "/v1/approvals/{id}/reject", Body::Required);
/// Take an approval back.
pub const WITHDRAW: Route = write("withdraw", Method::Post, "/v1/approvals/{id}/withdraw", Body::Optional);
/// Give a request up.
pub const CANCEL: Route = write("cancel", Method::Post, "/v1/approvals/{id}/cancel", Body::Optional);
/// Say something.
pub const COMMENT: Route = write("comment", Method::Post, "/v1/approvals/{id}/comments", Body::Required);
/// Read a request's audit trail.
pub const EVENTS: Route = read("events", "/v1/approvals/{id}/events");
/// Explain a request.
pub const EXPLAIN: Route = read("explain", "/v1/approvals/{id}/explain");
/// Spend the approval.
pub const START: Route = write("start", Method::Post, "/v1/approvals/{id}/execution", Body::Optional);
/// Report what came of it.
pub const FINISH: Route = write("finish", Method::Put, "/v1/approvals/{id}/execution", Body::Required);
/// All of them through the original single endpoint.
pub const DISPATCH: Route = write("dispatch", Method::Post, "/approvals", Body::Required);
/// Whether the service is there.
pub const HEALTH: Route = read("health", "/health");
/// The description of all of this.
pub const OPENAPI: Route = read("health", "/openapi.json");

/// Every route.
pub const ALL: [Route; 16] = [
    CREATE, SIMULATE, LIST, GET, APPROVE, REJECT, WITHDRAW, CANCEL, COMMENT, EVENTS, EXPLAIN, START, FINISH,
    DISPATCH, HEALTH, OPENAPI,
];
