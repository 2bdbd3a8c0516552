//! The rows of the operations about claims of requests by approvers, which one function carries out, over HTTP alone. Decides
//! nothing.

use super::{Answer, Body, BodyType, Definition, DirectCaller, Method, Success};
use crate::problem::Code;

/// Claims a request.
pub(super) const HOLD: Definition = Definition {
    slug: "hold",
    method: Method::Post,
    path: "/v1/approvals/{id}/claim",
    body: Body::Optional(BodyType::Hold),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The request, with the claim in `hold`.", Answer::Request, &["held"])],
    problems: &[
        Code::AgentCannotApprove,
        Code::SelfApproval,
        Code::NotPending,
        Code::AlreadyDecided,
        Code::ApprovalsInsufficient,
        Code::WorkflowDisabled,
        Code::Claimed,
    ],
    links: &[],
    summary: "Claim a request while looking at it",
    description: "\
        For a caller who may approve the request now. A hint for the other approvers: it is no event, changes no `version`, \
        and keeps no approver from deciding. While it lasts, others are not urged by escalations. Claimed again by the same person it \
        is prolonged. An `Idempotency-Key` has no effect.",
};

/// Gives a claim back.
pub(super) const RELEASE: Definition = Definition {
    slug: "release",
    method: Method::Delete,
    path: "/v1/approvals/{id}/claim",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The request, which the caller has not claimed.", Answer::Request, &["pending"])],
    problems: &[Code::Claimed],
    links: &[],
    summary: "Give a claim back",
    description: "For the holder of the claim. Where there is none, nothing happens.",
};
