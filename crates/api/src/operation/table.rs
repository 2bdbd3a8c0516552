//! The table of operations: one row each. A row gives the operation its name in the enum, its route, and its
//! part of the `OpenAPI` document. What carries an operation out is in `operations/`.

use super::{
    Answer, Body, BodyType, Definition, DirectCaller, Method, Success, hold, notifications, webhooks,
};
use crate::problem::Code;
use strum::EnumIter;

macro_rules! operations {
    ($($(#[$about:meta])* $Operation:ident = $definition:expr;)*) => {
        /// An operation of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter)]
        pub enum Operation {
            $($(#[$about])* $Operation),*
        }

        impl Operation {
            /// Its row.
            pub const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$Operation => const { &$definition }),*
                }
            }
        }
    };
}

operations! {
    /// Makes a request.
    Create = Definition {
        slug: "create",
        method: Method::Post,
        path: "/v1/approvals",
        body: Body::Required(BodyType::Create),
        changes: true,
        direct: DirectCaller::Person { field: "requested_by", decides: false },
        answers: &[
            Success::created("A new request.", Answer::Request, &["pending"]),
            Success::ok("A retry: the request that the first call made.", Answer::Request, &["half_approved"]),
        ],
        problems: &[Code::Integrity, Code::TooManyPending, Code::TooManyApproved, Code::WorkflowDisabled],
        links: &[
            Operation::Get, Operation::Approve, Operation::Reject, Operation::Withdraw, Operation::Cancel,
            Operation::Comment, Operation::Events, Operation::Explain, Operation::Start, Operation::Finish,
        ],
        summary: "Create a request",
        description: "\
            The answer shows the effective risk and environment: what is declared raises what policy says, \
            and never lowers it. A request that needs no approval is approved at once.",
    };

    /// Says what would come of making a request.
    Simulate = Definition {
        slug: "simulate",
        method: Method::Post,
        path: "/v1/approvals/simulate",
        body: Body::Required(BodyType::Create),
        changes: false,
        direct: DirectCaller::Person { field: "requested_by", decides: false },
        answers: &[
            Success::ok(
                "The outcome of a creation, refusals of policy included.",
                Answer::Simulation,
                &["simulated", "simulated_refusal"],
            ),
        ],
        problems: &[],
        links: &[],
        summary: "Simulate a request",
        description: "\
            Takes the body of a creation and changes nothing. The answer says what policy would demand, \
            and part by part why. What policy would refuse is answered with 200 too, in `refusals`.",
    };

    /// Lists requests.
    List = Definition {
        slug: "list",
        method: Method::Get,
        path: "/v1/approvals",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("A page.", Answer::List, &["list"])],
        problems: &[Code::MalformedCursor],
        links: &[
            Operation::Get, Operation::Approve, Operation::Reject, Operation::Comment, Operation::Events,
            Operation::Explain,
        ],
        summary: "List requests; pending ones unless filtered",
        description: "\
            Filters hold together. Without `status`, `requested_by` and `instance_id` the list is of what \
            is pending. A caller who may see only their own requests gets only their own. A page may be \
            short, or empty, and not the last: `next_cursor` says whether it is. A list may lag behind the \
            latest change.",
    };

    /// Reads a request.
    Get = Definition {
        slug: "get",
        method: Method::Get,
        path: "/v1/approvals/{id}",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The request.", Answer::Request, &["pending", "executed"])],
        problems: &[],
        links: &[],
        summary: "Read a request",
        description: "\
            As far as policy lets the caller see it. While it is pending or approved, the stricter holds \
            and is shown: what was demanded when it was made, or what policy demands now. Its deadlines \
            are those on record; `explain` has a sooner one that policy has come to set. With `wait` the answer \
            comes when the request has changed, or in time without that.",
    };

    /// Approves a request.
    Approve = Definition {
        slug: "approve",
        method: Method::Post,
        path: "/v1/approvals/{id}/approve",
        body: Body::Optional(BodyType::Approve),
        changes: true,
        direct: DirectCaller::Person { field: "approved_by", decides: true },
        answers: &[Success::ok("The request.", Answer::Request, &["half_approved", "approved"])],
        problems: &[
            Code::AgentCannotApprove, Code::SelfApproval, Code::AlreadyDecided, Code::NotPending,
            Code::ApprovalsInsufficient, Code::DigestMismatch, Code::VersionMismatch, Code::WorkflowDisabled,
        ],
        links: &[Operation::Withdraw],
        summary: "Approve a request",
        description: "\
            Send the `content_digest` of what was shown to the approver: if the stored request has \
            another, the approval is refused. Policy may demand it. An approval that would fill no open \
            slot is not permitted. An approver whose approval counts no more may give it again, also once \
            the request is approved.",
    };

    /// Rejects a request.
    Reject = Definition {
        slug: "reject",
        method: Method::Post,
        path: "/v1/approvals/{id}/reject",
        body: Body::Required(BodyType::Reject),
        changes: true,
        direct: DirectCaller::Person { field: "rejected_by", decides: true },
        answers: &[Success::ok("The request.", Answer::Request, &["rejected"])],
        problems: &[
            Code::AgentCannotApprove, Code::SelfApproval, Code::AlreadyDecided, Code::NotPending,
            Code::DigestMismatch, Code::VersionMismatch,
        ],
        links: &[],
        summary: "Reject a request",
        description: "\
            One rejection ends a request that is pending, or that is approved by approvals of which too \
            few count now.",
    };

    /// Takes an approval back.
    Withdraw = Definition {
        slug: "withdraw",
        method: Method::Post,
        path: "/v1/approvals/{id}/withdraw",
        body: Body::Optional(BodyType::Withdraw),
        changes: true,
        direct: DirectCaller::Person { field: "withdrawn_by", decides: true },
        answers: &[Success::ok("The request.", Answer::Request, &["withdrawn"])],
        problems: &[Code::NotDecided, Code::NotPending],
        links: &[],
        summary: "Withdraw an approval",
        description: "\
            For an approver who has approved, while the request is pending or approved. If too few \
            approvals remain, the request is pending again; past `expires_at` it is expired. The approver \
            may approve again.",
    };

    /// Cancels a request.
    Cancel = Definition {
        slug: "cancel",
        method: Method::Post,
        path: "/v1/approvals/{id}/cancel",
        body: Body::Optional(BodyType::Cancel),
        changes: true,
        direct: DirectCaller::Person { field: "cancelled_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["cancelled"])],
        problems: &[Code::NotPending],
        links: &[],
        summary: "Cancel a request",
        description: "\
            For the requester, the owner of the agent or service that asks, and an admin, while the \
            request is pending or approved.",
    };

    /// Comments on a request.
    Comment = Definition {
        slug: "comment",
        method: Method::Post,
        path: "/v1/approvals/{id}/comments",
        body: Body::Required(BodyType::Comment),
        changes: true,
        direct: DirectCaller::Person { field: "comment_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["commented"])],
        problems: &[],
        links: &[],
        summary: "Comment on a request",
        description: "Also after the end of a request, but not once it has expired.",
    };

    /// Reads a request's audit trail.
    Events = Definition {
        slug: "events",
        method: Method::Get,
        path: "/v1/approvals/{id}/events",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The trail.", Answer::Events, &["events"])],
        problems: &[],
        links: &[],
        summary: "Read a request's audit trail",
        description: "\
            Oldest first, for whom policy lets read it. Each event is bound to the one before by its hash. \
            `verified` says whether the trail is whole and has made the request what it is.",
    };

    /// Queries events across requests.
    Audit = Definition {
        slug: "audit",
        method: Method::Get,
        path: "/v1/audit-logs",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("A page.", Answer::Audit, &["audit"])],
        problems: &[Code::MalformedCursor],
        links: &[],
        summary: "Query audit events across requests",
        description: "\
            Filters hold together; the oldest event comes first unless `order` says otherwise. Items are the events as they are \
            stored, those included that are about no request. Nothing after `settled_until` is given: a walk over all pages \
            misses nothing up to then, and one that begins a millisecond later goes on where it ended. A page may be short, \
            or empty, and not the last: `next_cursor` says whether it is.",
    };

    /// Answers with the figures of a range of days.
    Stats = Definition {
        slug: "stats",
        method: Method::Get,
        path: "/v1/audit-logs/stats",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The figures.", Answer::Stats, &["stats"])],
        problems: &[],
        links: &[],
        summary: "Figures of requests, decisions and refused calls",
        description: "\
            Counted from the audit log, each event exactly once, by the day in UTC on which it happened; of the last 30 days \
            unless the query says. `log_size` says how many events of the log are in the figures: what happened since \
            follows within seconds.",
    };

    /// Answers with the report on a day, week or month.
    Report = Definition {
        slug: "report",
        method: Method::Get,
        path: "/v1/reports/{period}",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The report.", Answer::Report, &["report"])],
        problems: &[],
        links: &[],
        summary: "Report on a day, a week or a month",
        description: "\
            What became of requests, how long decisions took, what waits longest, and who asked and decided; of the period in \
            UTC that contains `date`, or of the last one that is over. `over` says whether it is. Weeks are those of ISO 8601. \
            `alerts` names what deserves attention. `waiting` and `dead_letters` are as of now.",
    };

    /// Says who calls.
    Me = Definition {
        slug: "me",
        method: Method::Get,
        path: "/v1/me",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The caller.", Answer::Me, &["me"])],
        problems: &[],
        links: &[],
        summary: "Who calls, as policy knows them",
        description: "\
            One id for all addresses of a person, and the groups that count: those of the token that policy \
            knows, and those that policy itself gives.",
    };

    /// Explains where a request stands.
    Explain = Definition {
        slug: "explain",
        method: Method::Get,
        path: "/v1/approvals/{id}/explain",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[
            Success::ok("The explanation.", Answer::Explanation, &["explained", "half_approved_explained"]),
        ],
        problems: &[],
        links: &[],
        summary: "Explain where a request stands",
        description: "\
            For every caller who may see the request. What is demanded of it and by which part of the \
            policy, which approvals count, what is missing and who can still give it, what the caller may \
            do and why not the rest, and what happens if no call changes it.",
    };

    /// Starts the execution: spends the approval.
    Start = Definition {
        slug: "start",
        method: Method::Post,
        path: "/v1/approvals/{id}/execution",
        body: Body::Optional(BodyType::Start),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["executing"])],
        problems: &[
            Code::NotApproved, Code::ApprovalsInsufficient, Code::NotYet, Code::DigestMismatch, Code::VersionMismatch,
            Code::SigningUnavailable, Code::WorkflowDisabled,
        ],
        links: &[Operation::Finish, Operation::Execution, Operation::Claim],
        summary: "Start the execution",
        description: "\
            Spends the approval. For the requester, once, before `execute_by`, if the approvals on record \
            still count under the current policy; what is automatic is started by its executor. The answer's \
            `execution_id` is needed to finish. Its `permit` says offline what was approved, and is spent by \
            a claim.",
    };

    /// Reads the execution of a request.
    Execution = Definition {
        slug: "execution",
        method: Method::Get,
        path: "/v1/approvals/{id}/execution",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Reader,
        answers: &[Success::ok("The execution.", Answer::Execution, &["execution"])],
        problems: &[Code::NotApproved, Code::Integrity, Code::SigningUnavailable],
        links: &[],
        summary: "Read the execution of a request",
        description: "\
            How far it has come. With the permit for the caller who has started it, and for the executor that \
            it is for, until it is claimed, expired or over.",
    };

    /// Spends the permit of an execution.
    Claim = Definition {
        slug: "claim",
        method: Method::Post,
        path: "/v1/approvals/{id}/execution/claim",
        body: Body::Required(BodyType::Claim),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["execution_claimed"])],
        problems: &[
            Code::PermitInvalid, Code::PermitSpent, Code::PermitExpired, Code::DigestMismatch, Code::VersionMismatch,
            Code::SigningUnavailable, Code::WorkflowDisabled,
        ],
        links: &[],
        summary: "Claim the execution with its permit",
        description: "\
            Once, so that an executor needs no memory of the permits it has seen: who is answered with 200 \
            carries the operation out. For the caller who has started it; where policy names an executor, for \
            that alone. From then on the claimant reports, and is to be heard of before `lease_until`.",
    };

    /// Records what an executor has found of the target.
    Observe = Definition {
        slug: "observe",
        method: Method::Post,
        path: "/v1/approvals/{id}/target",
        body: Body::Required(BodyType::Observe),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["observed"])],
        problems: &[Code::NotPending, Code::AlreadyObserved],
        links: &[],
        summary: "Record the target as an executor has found it",
        description: "\
            Once, while the request is pending or approved. Approvers see it, and an executor that finds \
            another target at the execution does nothing.",
    };

    /// Reports what came of the execution.
    Finish = Definition {
        slug: "finish",
        method: Method::Put,
        path: "/v1/approvals/{id}/execution",
        body: Body::Required(BodyType::Finish),
        changes: true,
        direct: DirectCaller::Person { field: "executed_by", decides: false },
        answers: &[Success::ok("The request.", Answer::Request, &["executed", "failed"])],
        problems: &[Code::NotApproved, Code::DigestMismatch, Code::VersionMismatch, Code::ExecutionMismatch],
        links: &[],
        summary: "Report on the execution",
        description: "\
            Reports the outcome; `running` says that it goes on, and moves `lease_until`. For the caller who \
            carries it out: the claimant, or the starter while there is none. An admin other than the \
            requester may finish it as failed, and settle one that is unknown, with a `note`.",
    };

    /// Claims a request for an approver who is looking at it.
    Hold = hold::HOLD;
    /// Gives the claim back.
    Release = hold::RELEASE;

    /// Makes a webhook.
    CreateWebhook = webhooks::CREATE_WEBHOOK;
    /// Lists webhooks.
    ListWebhooks = webhooks::LIST_WEBHOOKS;
    /// Reads a webhook.
    GetWebhook = webhooks::GET_WEBHOOK;
    /// Changes a webhook.
    ChangeWebhook = webhooks::CHANGE_WEBHOOK;
    /// Deletes a webhook.
    DeleteWebhook = webhooks::DELETE_WEBHOOK;
    /// Replaces the secret of a webhook.
    RotateWebhook = webhooks::ROTATE_WEBHOOK;
    /// Enables a webhook.
    EnableWebhook = webhooks::ENABLE_WEBHOOK;
    /// Disables a webhook.
    DisableWebhook = webhooks::DISABLE_WEBHOOK;
    /// Tries a webhook out.
    TestWebhook = webhooks::TEST_WEBHOOK;
    /// Begins deliveries of a range of times anew.
    RedeliverWebhook = webhooks::REDELIVER_WEBHOOK;
    /// Reads the log of deliveries.
    WebhookDeliveries = webhooks::WEBHOOK_DELIVERIES;
    /// Begins one delivery anew.
    RedeliverDelivery = webhooks::REDELIVER_DELIVERY;
    /// Reads the trail of a webhook.
    WebhookEvents = webhooks::WEBHOOK_EVENTS;

    /// Reads how the caller hears.
    GetNotifications = notifications::GET_NOTIFICATIONS;
    /// Says how the caller wants to hear.
    SetNotifications = notifications::SET_NOTIFICATIONS;
    /// Lists who would hear of a request.
    PreviewNotifications = notifications::PREVIEW_NOTIFICATIONS;

    /// Carries out an original operation, by its name.
    Dispatch = Definition {
        slug: "dispatch",
        method: Method::Post,
        path: "/approvals",
        body: Body::Required(BodyType::Dispatch),
        changes: true,
        direct: DirectCaller::Original,
        answers: &[
            Success::created("A new request.", Answer::Request, &["pending"]),
            Success::ok("What the operation answers.", Answer::Original, &["approved", "list", "events"]),
        ],
        problems: &[],
        links: &[],
        summary: "Any operation, by its original name",
        description: "\
            The operation is named by `operation` in the body; without it, it is `create_request`. \
            `mark_executed` starts and finishes in one call: two events.",
    };

    /// Says that the service is there.
    Health = Definition {
        slug: "health",
        method: Method::Get,
        path: "/health",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Public,
        answers: &[Success::ok("The service answers.", Answer::Health, &["health"])],
        problems: &[],
        links: &[],
        summary: "Health of the service",
        description: "Version and policy of the service. No database call.",
    };

    /// Gives out the keys that permits, the audit log and evidence are verified by.
    Keys = Definition {
        slug: "keys",
        method: Method::Get,
        path: "/.well-known/jwks.json",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Public,
        answers: &[Success::ok("The keys.", Answer::Keys, &["keys"])],
        problems: &[Code::SigningUnavailable],
        links: &[],
        summary: "Keys that verify permits, the audit log and evidence",
        description: "\
            A key set (RFC 7517): of each purpose the key that signs now, the next one, and those that did. May be kept for \
            five minutes.",
    };

    /// Gives out the description of the API.
    Openapi = Definition {
        slug: "openapi",
        method: Method::Get,
        path: "/openapi.json",
        body: Body::None,
        changes: false,
        direct: DirectCaller::Public,
        answers: &[Success::ok("The document.", Answer::Document, &["openapi"])],
        problems: &[],
        links: &[],
        summary: "This document",
        description: "It describes the API of the service that gives it.",
    };
}
