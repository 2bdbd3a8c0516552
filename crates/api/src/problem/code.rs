//! The table of problem codes: of each its name, HTTP status, title, and when it is answered.

use strum::{EnumIter, EnumString, IntoStaticStr};

macro_rules! codes {
    ($($Code:ident = $status:literal $name:literal, $title:literal: $when:literal;)*) => {
        /// A problem code, in the order of the documentation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, EnumIter)]
        pub enum Code {
            $(#[doc = $when] #[strum(serialize = $name)] $Code),*
        }

        impl Code {
            /// The name in answers, logs and Lambda errors.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// The HTTP status; always 4xx or 5xx.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$Code => $status),*
                }
            }

            /// The title: one for each code, whatever happened.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$Code => $title),*
                }
            }

            /// When it is answered.
            pub const fn when(self) -> &'static str {
                match self {
                    $(Self::$Code => $when),*
                }
            }
        }
    };
}

codes! {
    MalformedJson = 400 "malformed_json", "The body cannot be read":
        "the body is not JSON with one reading";
    MalformedId = 400 "malformed_id", "The id is malformed":
        "an id is not in its form: a UUID in lower case with hyphens, and of a webhook `wh_` before it";
    MalformedCursor = 400 "malformed_cursor", "The cursor is malformed":
        "the cursor was not given out to the caller for this list";
    Unauthenticated = 401 "unauthenticated", "Authentication is required":
        "no token, several, or one that is not accepted";
    IdentityMismatch = 403 "identity_mismatch", "The body names somebody else as the caller":
        "a field such as `approved_by` names another person than the caller";
    AgentCannotApprove = 403 "agent_cannot_approve", "Only people decide":
        "agents and services never decide";
    SelfApproval = 403 "self_approval", "Nobody decides their own request":
        "requesters never decide on their own request";
    PeopleOnly = 403 "people_only", "Only people have settings":
        "agents and services have no settings of notifications";
    NotPermitted = 403 "not_permitted", "Not permitted":
        "policy does not permit it to the caller, or has disabled them";
    NotFound = 404 "not_found", "Not found":
        "no such request, or not visible to the caller; no such webhook or delivery";
    RouteNotFound = 404 "route_not_found", "No such route":
        "no such path";
    MethodNotAllowed = 405 "method_not_allowed", "Method not allowed":
        "the path has other methods";
    Expired = 409 "expired", "The request has expired":
        "a deadline has passed";
    NotPending = 409 "not_pending", "The request is not pending":
        "the request is not pending any more";
    NotApproved = 409 "not_approved", "The request is not approved":
        "the request is not approved, or was started already";
    AlreadyDecided = 409 "already_decided", "Already decided":
        "this person has decided; each counts once";
    NotDecided = 409 "not_decided", "No approval to withdraw":
        "the caller has no approval on the request";
    Integrity = 409 "integrity", "The stored request is damaged":
        "the stored request is not what its events have made it; an operator finds what";
    ApprovalsInsufficient = 409 "approvals_insufficient", "The approvals are not enough any more":
        "approvals on record count no more under the current policy";
    DigestMismatch = 409 "digest_mismatch", "The request is not what was shown":
        "`content_digest` or `parameters_digest` is not that of the stored request";
    VersionMismatch = 409 "version_mismatch", "It has changed since":
        "`expected_version` is not that of the stored request, or `version` not that of the webhook or of the settings";
    NotYet = 409 "not_yet", "Its time has not come":
        "the request names a later time, or a window that has not begun";
    PermitInvalid = 403 "permit_invalid", "Not a permit of this execution":
        "what is presented was not signed for this execution and its executor";
    PermitSpent = 409 "permit_spent", "The permit is spent":
        "the execution has been claimed, or has ended";
    PermitExpired = 409 "permit_expired", "The permit has expired":
        "the execution was not claimed while its permit lasted";
    AlreadyObserved = 409 "already_observed", "The target has been observed":
        "an executor has recorded the target of the request before";
    ExecutionMismatch = 409 "execution_mismatch", "No such execution is running":
        "no execution of this id is running";
    IdempotencyConflict = 409 "idempotency_conflict", "The idempotency key was used for something else":
        "the key was used with another body";
    Claimed = 409 "claimed", "Another approver has claimed the request":
        "another approver is looking at the request; `detail` says who, and until when";
    WebhookLimit = 409 "webhook_limit", "Too many webhooks":
        "there are as many webhooks as there may be";
    WebhookDisabled = 409 "webhook_disabled", "The webhook is disabled":
        "a webhook that is disabled is neither tried out nor delivered to";
    NotConfigured = 409 "not_configured", "No messages are sent to people":
        "the deployment has no `notifications.toml`";
    PayloadTooLarge = 413 "payload_too_large", "The body is too large":
        "the body is over 256 KiB";
    UnsupportedMediaType = 415 "unsupported_media_type", "The body is not JSON":
        "`Content-Type` says that the body is something else than JSON";
    ValidationFailed = 422 "validation_failed", "Fields break rules":
        "fields break rules: `errors` has all of them";
    TooManyPending = 429 "too_many_pending", "Too many pending requests":
        "the requester has as many pending requests as policy allows";
    TooManyApproved = 429 "too_many_approved", "Too many approved requests":
        "policy would approve it at once, and the requester has as many approved requests that were not started as it allows";
    Internal = 500 "internal", "Internal error":
        "a bug; `instance` names it in the log";
    StoreUnavailable = 503 "store_unavailable", "Temporarily unavailable":
        "the database did not answer: ask again, with an Idempotency-Key";
    SigningUnavailable = 503 "signing_unavailable", "The permit cannot be signed now":
        "the signing key did not answer: the execution is started, ask for it again";
    WorkflowDisabled = 503 "workflow_disabled", "Approvals are switched off":
        "`APPROVAL_WORKFLOW_ENABLED` is false: nothing that needs an approval goes ahead";
    ClockSkew = 503 "clock_skew", "The clock of the service is wrong":
        "the clock of the service is behind the last event of the request";
}

impl Code {
    /// Whether a call that is refused so is an event of the audit trail: the caller has tried what they may not do, or what
    /// they present is not what was approved. What is late, taken or misspelt is not.
    pub const fn is_recorded(self) -> bool {
        matches!(
            self,
            Self::IdentityMismatch
                | Self::AgentCannotApprove
                | Self::SelfApproval
                | Self::NotPermitted
                | Self::DigestMismatch
                | Self::PermitInvalid
                | Self::WorkflowDisabled
        )
    }
}
