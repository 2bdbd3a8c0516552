//! The table of operations: one row each. A row gives the operation its name in the enum, its route, its
//! page in the `OpenAPI` document and the endpoint that carries it out.
//!
//! A new operation is a row here and a file in `operations/`.

use super::{Answer, Body, BodyType, Definition, DirectCaller, Method, Success};
use crate::operations;
use crate::problem::Code;
use crate::run::{Endpoint, PublicEndpoint, Store};

/// What is done with the endpoint of an operation.
pub trait EndpointVisitor<S> {
    /// What comes of it.
    type Output;

    /// For an operation that has to know who calls.
    fn endpoint<E: Endpoint<S> + 'static>(self) -> Self::Output;

    /// For an operation that is public.
    fn public<E: PublicEndpoint + 'static>(self) -> Self::Output;
}

macro_rules! operations {
    ($($(#[$about:meta])* $Operation:ident: $kind:ident $module:ident = $definition:expr;)*) => {
        /// An operation of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation {
            $($(#[$about])* $Operation),*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: [Self; [$(stringify!($Operation)),*].len()] = [$(Self::$Operation),*];

            /// Its row.
            pub const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$Operation => const { &$definition }),*
                }
            }

            /// Hands the type that carries the operation out to a visitor.
            pub fn visit<S: Store, V: EndpointVisitor<S>>(self, visitor: V) -> V::Output {
                match self {
                    $(Self::$Operation => visitor.$kind::<operations::$module::$Operation>()),*
                }
            }
        }
    };
}

operations! {
    /// Makes a request.
    Create: endpoint create = Definition {
        slug: "create",
        method: Method::Post,
        path: "/v1/approvals",
        body: Body::Required(BodyType::Create),
        changes: true,
        direct: DirectCaller::Person { field: "requested_by", decides: false },
        answers: &[Success { status: 201, description: "A new request.", answer: Answer::Request, examples: &["pending"] }, Success { status: 200, description: "A retry: the request that the first call made.", answer: Answer::Request, examples: &["half_approved"] }],
        problems: &[Code::Integrity, Code::TooManyPending, Code::TooManyApproved],
        links: &[Operation::Get, Operation::Approve, Operation::Reject, Operation::Withdraw, Operation::Cancel, Operation::Comment, Operation::Events, Operation::Explain, Operation::Start, Operation::Finish],
        summary: "Ask for an operation",
        description: "The answer shows the effective risk and environment: what is declared raises what policy \
says, and never lowers it. What needs nobody's approval is approved at once.",
    };

    /// Says what would come of making a request.
    Simulate: endpoint simulate = Definition {
        slug: "simulate",
        method: Method::Post,
        path: "/v1/approvals/simulate",
        body: Body::Required(BodyType::Create),
        changes: false,
        direct: DirectCaller::Person { field: "requested_by", decides: false },
        answers: &[Success { status: 200, description: "What would come of it, be it a refusal of policy.", answer: Answer::Simulation, examples: &["simulated", "simulated_refusal"] }],
        problems: &[],
        links: &[],
        summary: "Try out what would come of asking",
        description: "Takes the body of a creation and changes nothing. The answer says what policy would \
demand, and part by part why. What policy would refuse is answered with 200 too, in \
`refusals`.",
    };

    /// Lists requests.
    List: endpoint list = Definition {
        slug: "list",
        method: Method::Get,
        path: "/v1/approvals",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success { status: 200, description: "A page.", answer: Answer::List, examples: &["list"] }],
        problems: &[Code::MalformedCursor],
        links: &[Operation::Get, Operation::Approve, Operation::Reject, Operation::Comment, Operation::Events, Operation::Explain],
        summary: "List requests; pending ones unless filtered",
        description: "Filters hold together. Without `status`, `requested_by` and `instance_id` the list is of \
what is pending. A caller who may see only their own requests gets only their own. A \
page may be short, or empty, and not the last: `next_cursor` says whether it is. A list \
may lag behind the latest change.",
    };

    /// Reads a request.
    Get: endpoint get = Definition {
        slug: "get",
        method: Method::Get,
        path: "/v1/approvals/{id}",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["pending", "executed"] }],
        problems: &[],
        links: &[],
        summary: "Read a request",
        description: "As far as policy lets the caller see it. While it is pending or approved, the stricter \
holds and is shown: what was demanded when it was made, or what policy demands now. Its \
deadlines are those on record; `explain` has a sooner one that policy has come to set.",
    };

    /// Approves a request.
    Approve: endpoint approve = Definition {
        slug: "approve",
        method: Method::Post,
        path: "/v1/approvals/{id}/approve",
        body: Body::Optional(BodyType::Approve),
        changes: true,
        direct: DirectCaller::Person { field: "approved_by", decides: true },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["half_approved", "approved"] }],
        problems: &[Code::AgentCannotApprove, Code::SelfApproval, Code::AlreadyDecided, Code::NotPending, Code::ApprovalsInsufficient, Code::DigestMismatch],
        links: &[Operation::Withdraw],
        summary: "Agree",
        description: "Send the `content_digest` of what was shown to the approver: if the stored request has \
another, the approval is refused. Policy may demand it. An approval that would fill no \
open slot is not permitted. An approver whose approval counts no more may give it again, \
also once the request is approved.",
    };

    /// Rejects a request.
    Reject: endpoint reject = Definition {
        slug: "reject",
        method: Method::Post,
        path: "/v1/approvals/{id}/reject",
        body: Body::Required(BodyType::Reject),
        changes: true,
        direct: DirectCaller::Person { field: "rejected_by", decides: true },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["rejected"] }],
        problems: &[Code::AgentCannotApprove, Code::SelfApproval, Code::AlreadyDecided, Code::NotPending, Code::DigestMismatch],
        links: &[],
        summary: "Refuse",
        description: "One rejection ends a request that is pending, or that is approved by approvals of which \
too few count now.",
    };

    /// Takes an approval back.
    Withdraw: endpoint withdraw = Definition {
        slug: "withdraw",
        method: Method::Post,
        path: "/v1/approvals/{id}/withdraw",
        body: Body::Optional(BodyType::Withdraw),
        changes: true,
        direct: DirectCaller::Person { field: "withdrawn_by", decides: true },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["withdrawn"] }],
        problems: &[Code::NotDecided, Code::NotPending],
        links: &[],
        summary: "Take an approval back",
        description: "For an approver who has approved, while the request is pending or approved. If too few \
approvals remain, the request is pending again; past `expires_at` it is expired. The \
approver may approve again.",
    };

    /// Cancels a request.
    Cancel: endpoint cancel = Definition {
        slug: "cancel",
        method: Method::Post,
        path: "/v1/approvals/{id}/cancel",
        body: Body::Optional(BodyType::Cancel),
        changes: true,
        direct: DirectCaller::Person { field: "cancelled_by", decides: false },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["cancelled"] }],
        problems: &[Code::NotPending],
        links: &[],
        summary: "Give a request up",
        description: "For the requester, the owner of the agent or service that asks, and an admin, while the \
request is pending or approved.",
    };

    /// Comments on a request.
    Comment: endpoint comment = Definition {
        slug: "comment",
        method: Method::Post,
        path: "/v1/approvals/{id}/comments",
        body: Body::Required(BodyType::Comment),
        changes: true,
        direct: DirectCaller::Person { field: "comment_by", decides: false },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["commented"] }],
        problems: &[],
        links: &[],
        summary: "Comment",
        description: "Also after the end of a request, but not once it has expired.",
    };

    /// Reads a request's audit trail.
    Events: endpoint events = Definition {
        slug: "events",
        method: Method::Get,
        path: "/v1/approvals/{id}/events",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success { status: 200, description: "The trail.", answer: Answer::Events, examples: &["events"] }],
        problems: &[],
        links: &[],
        summary: "Read a request's audit trail",
        description: "Oldest first, for whom policy lets read it. Each event is bound to the one before by its \
hash. `verified` says whether the trail is whole and has made the request what it is.",
    };

    /// Explains where a request stands.
    Explain: endpoint explain = Definition {
        slug: "explain",
        method: Method::Get,
        path: "/v1/approvals/{id}/explain",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success { status: 200, description: "The explanation.", answer: Answer::Explanation, examples: &["explained", "half_approved_explained"] }],
        problems: &[],
        links: &[],
        summary: "Explain where a request stands",
        description: "For whoever sees the request. What is demanded of it and by which part of the policy, \
which approvals count, what is missing and who can still give it, what the caller may do \
and why not the rest, and what happens if nobody does anything.",
    };

    /// Starts the execution: spends the approval.
    Start: endpoint start = Definition {
        slug: "start",
        method: Method::Post,
        path: "/v1/approvals/{id}/execution",
        body: Body::Optional(BodyType::Start),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["executing"] }],
        problems: &[Code::NotApproved, Code::ApprovalsInsufficient, Code::DigestMismatch],
        links: &[Operation::Finish],
        summary: "Spend the approval",
        description: "For the requester, once, before `execute_by`, if the approvals on record still count \
under the policy of now. The answer's `execution_id` is needed to finish.",
    };

    /// Reports what came of the execution.
    Finish: endpoint finish = Definition {
        slug: "finish",
        method: Method::Put,
        path: "/v1/approvals/{id}/execution",
        body: Body::Required(BodyType::Finish),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success { status: 200, description: "The request.", answer: Answer::Request, examples: &["executed", "failed"] }],
        problems: &[Code::NotApproved, Code::DigestMismatch, Code::ExecutionMismatch],
        links: &[],
        summary: "Report what came of the execution",
        description: "For whoever started it. An admin other than the requester may finish it as failed.",
    };

    /// Carries out an original operation, by its name.
    Dispatch: endpoint dispatch = Definition {
        slug: "dispatch",
        method: Method::Post,
        path: "/approvals",
        body: Body::Required(BodyType::Dispatch),
        changes: true,
        direct: DirectCaller::Original,
        answers: &[Success { status: 201, description: "A new request.", answer: Answer::Request, examples: &["pending"] }, Success { status: 200, description: "What the operation answers.", answer: Answer::Original, examples: &["approved", "list", "events"] }],
        problems: &[],
        links: &[],
        summary: "Any operation, by its original name",
        description: "The operation is named by `operation` in the body; without it, it is `create_request`. \
`mark_executed` starts and finishes in one call: two events.",
    };

    /// Says that the service is there.
    Health: public health = Definition {
        slug: "health",
        method: Method::Get,
        path: "/health",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Public,
        answers: &[Success { status: 200, description: "It is.", answer: Answer::Health, examples: &["health"] }],
        problems: &[],
        links: &[],
        summary: "Whether the service is there",
        description: "And which one. Asks no database.",
    };

    /// Gives out the description of the API.
    Openapi: public health = Definition {
        slug: "openapi",
        method: Method::Get,
        path: "/openapi.json",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Public,
        answers: &[Success { status: 200, description: "The document.", answer: Answer::Document, examples: &["openapi"] }],
        problems: &[],
        links: &[],
        summary: "This document",
        description: "It describes the API of the service that gives it.",
    };
}
