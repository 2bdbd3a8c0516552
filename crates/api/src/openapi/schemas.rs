//! The schemas of bodies and answers. Closed sets come from the code's enums; the tests hold the
//! members against the wire types, and the limits against what reads them.

mod bodies;
mod explanation;
mod notifications;
mod report;
mod simulation;
mod stats;
mod trail;
mod webhooks;

use super::values::{
    boolean, cost, count, described, digest, environment, identifier, instance_id, list, names, positive,
    reference, result, risk_level, string, target, text, ticket, time, uuid,
};
use super::{original_schema, original_schemas};
use crate::operation::OriginalOperation;
use crate::problem::Code;
use countersign_core::caller::Channel;
use countersign_core::execution::{ExecutionMode, ExecutionState};
use countersign_core::priority::Priority;
use countersign_core::request::{Status, Verdict};
use countersign_core::risk::{Environment, RiskLevel};
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;

/// The name of a member, with `*` at its end if it is required, and its schema.
type Member = (&'static str, Value);

/// An object of which the members marked `*` are required, and nothing else is allowed.
fn object(description: &str, members: &[Member]) -> Value {
    let required: Vec<_> = members.iter().filter_map(|(name, _)| name.strip_suffix('*')).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('*').to_owned(), schema.clone()))
        .collect();
    // An empty `required` says the same as none (JSON Schema 2020-12 validation, section 6.5.3).
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn original_object(original: OriginalOperation) -> Value {
    let name = if original == OriginalOperation::DEFAULT { "operation" } else { "operation*" };
    let mut members = vec![(name, json!({ "type": "string", "const": original.as_str() }))];
    members.extend(bodies::original(original));
    object(&format!("`{}` on the original endpoint.", original.as_str()), &members)
}

/// What policy demands of approvals, besides their number.
fn slots() -> Vec<Member> {
    vec![
        ("slots*", described(list(reference("Slot")), "Which groups some of them must come from.")),
        (
            "digest_required*",
            described(boolean(), "Whether an approval must name the `content_digest` of what was shown."),
        ),
    ]
}

fn approvals_required() -> Member {
    (
        "approvals_required*",
        described(count(), "How many distinct people must agree, those in `slots` included."),
    )
}

/// What lists and single requests both show.
fn shared() -> Vec<Member> {
    vec![
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("operation_type*", identifier()),
        ("instance_id*", instance_id()),
        ("environment*", described(environment(), "The effective one.")),
        ("risk_level*", described(risk_level(), "The effective one.")),
        ("requested_by*", string()),
        ("requested_at*", time()),
        ("estimated_cost", cost()),
        approvals_required(),
        ("expires_at*", described(time(), "By when it must be decided.")),
        ("execute_by", described(time(), "By when it must be started, once approved.")),
        ("execution_started_at", time()),
        ("executed_at", described(time(), "When it was executed, or failed.")),
    ]
}

/// How far a request has come, by itself and in a list.
fn standing() -> Vec<Member> {
    vec![
        (
            "approvals_received*",
            described(
                count(),
                "How many approvals on record count: while the request is pending or approved, under the \
                 current policy.",
            ),
        ),
        (
            "approved_by*",
            described(
                list(string()),
                "Who has approved, and has not withdrawn it. A request by itself says in `decisions` whose \
                 approval counts.",
            ),
        ),
        (
            "blocked_by",
            described(
                list(string()),
                "Why it cannot go ahead, one sentence each: its requester, or the owner of its requester, is \
                 disabled.",
            ),
        ),
        (
            "closed_at",
            described(
                time(),
                "When it closed; if it is expired, the deadline that it missed, or the withdrawal that left too \
                 few approvals and no time for more.",
            ),
        ),
        (
            "hold",
            described(
                reference("HoldOf"),
                "The approver who is looking at it, while it waits for approvers: a hint, which keeps no approver from deciding.",
            ),
        ),
    ]
}

fn summary() -> Vec<Member> {
    let open = vec![
        (
            "may",
            described(
                list(json!({ "type": "string", "enum": ["approve", "reject"] })),
                "What the caller may do, in a list of what waits for the caller.",
            ),
        ),
        ("missing", described(reference("Missing"), "Which approvals are missing, in such a list.")),
    ];
    [shared(), standing(), open].concat()
}

fn request() -> Vec<Member> {
    let whole = vec![
        (
            "parameters",
            described(
                json!({ "type": "object" }),
                "The parameters of the operation. Absent where policy hides them.",
            ),
        ),
        (
            "parameters_digest",
            described(
                digest(),
                "SHA-256 of the parameters' canonical JSON (RFC 8785). Absent together with them.",
            ),
        ),
        (
            "content_digest",
            described(
                digest(),
                "SHA-256 of the canonical JSON (RFC 8785) of `content`: what decisions, start and finish may \
                 name. Absent together with the parameters.",
            ),
        ),
        (
            "content",
            described(
                json!({ "type": "object" }),
                "All that the request was made with, the parameters by their digest. Absent together with \
                 them.",
            ),
        ),
        ("filed_by", described(string(), "The service that asks for the requester.")),
        ("owner", described(string(), "Who answers for the agent or service that asks.")),
        ("requester_groups*", described(list(string()), "The requester's groups, when it was made.")),
        ("justification", described(text(4000), "Absent once it was erased, as all texts are.")),
        (
            "erased_at",
            described(
                time(),
                "When parameters, texts and result were erased, because the operator keeps them no longer.",
            ),
        ),
        ("estimated_duration", text(200)),
        ("ticket", ticket()),
        ("rollback_plan", text(4000)),
        (
            "priority",
            described(names(Priority::iter()), "How soon it needs an answer, as the requester has named it."),
        ),
        (
            "rules*",
            described(
                list(reference("Rule")),
                "The parts of the policy that demanded this, when it was made.",
            ),
        ),
        ("approved_at", time()),
        ("rejected_by", string()),
        ("rejected_at", time()),
        ("rejection_reason", text(2000)),
        ("cancelled_at", time()),
        ("cancelled_by", described(string(), "The requester, the owner of the requester, or an admin.")),
        ("cancellation_reason", text(2000)),
        ("executor", described(string(), "The executor that policy named when the request was made.")),
        ("execution", described(names(ExecutionMode::iter()), "`automatic` if that executor starts it.")),
        ("execute_at", described(time(), "The time before which it is not started.")),
        ("window", described(reference("Window"), "The span in which it may be started.")),
        ("target", target()),
        ("target_digest", described(digest(), "SHA-256 of the canonical JSON (RFC 8785) of `target`.")),
        ("target_observed_by", string()),
        ("target_observed_at", time()),
        ("execution_id", uuid()),
        ("execution_started_by", string()),
        ("execution_state", execution_state()),
        ("execution_audience", audience()),
        ("permit_expires_at", permit_expires_at()),
        ("lease_until", lease_until()),
        ("claimed_by", described(string(), "Who carries it out.")),
        ("claimed_at", time()),
        ("execution_note", described(text(2000), "What was found out, as it was reported.")),
        ("permit", permit()),
        ("notifies", described(reference("Notifies"), "How many hear of it, in the answer to its creation.")),
        (
            "execution_result",
            described(result(), "The result of the execution. Absent where policy hides it."),
        ),
        ("actual_cost", cost()),
        ("comments*", list(reference("CommentOf"))),
        ("decisions*", described(list(reference("Decision")), "Those on record.")),
        ("withdrawals", described(list(reference("Withdrawal")), "Which approvals were taken back.")),
        ("version*", described(count(), "How many events have happened to it.")),
        ("policy_version*", described(digest(), "SHA-256 of the policy that set its requirements.")),
        ("audit_head*", described(digest(), "The hash of its last audit event.")),
    ];
    [shared(), standing(), slots(), whole].concat()
}

fn execution_state() -> Value {
    described(
        names(ExecutionState::iter()),
        "How far the execution has come. Past `lease_until` it is `unknown`, written down or not: it may have \
         happened, and nothing carries it out again.",
    )
}

fn audience() -> Value {
    described(string(), "For whom the permit is: `client`, or the executor that policy names.")
}

fn permit_expires_at() -> Value {
    described(time(), "The time from which the permit claims nothing.")
}

fn lease_until() -> Value {
    described(
        time(),
        "The time from which the execution has been silent for too long. Absent once it is over.",
    )
}

fn permit() -> Value {
    described(
        string(),
        "A compact JWS (ES256) that says what was approved, see docs/permit.md. For the caller who may claim \
         with it, until it is claimed, expired or over.",
    )
}

fn execution() -> Vec<Member> {
    vec![
        ("request_id*", uuid()),
        ("execution_id*", uuid()),
        ("execution_state*", execution_state()),
        ("execution_audience*", audience()),
        ("execution_started_by*", string()),
        ("execution_started_at*", time()),
        ("permit_expires_at*", permit_expires_at()),
        ("lease_until", lease_until()),
        ("claimed_by", described(string(), "Who carries it out.")),
        ("claimed_at", time()),
        ("permit", permit()),
    ]
}

fn window() -> Vec<Member> {
    vec![("from*", time()), ("to*", time())]
}

fn problem() -> Vec<Member> {
    vec![
        (
            "type*",
            described(
                json!({ "type": "string", "format": "uri" }),
                "`urn:countersign:problem:` and the code.",
            ),
        ),
        ("title*", described(string(), "The same for every problem of the code.")),
        ("status*", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
        ("detail*", described(string(), "What happened this time, for people.")),
        (
            "instance*",
            described(json!({ "type": "string", "format": "uri" }), "`urn:uuid:` and the correlation id."),
        ),
        ("code*", described(names(Code::iter()), "Stable; what a program looks at.")),
        ("current_status", described(reference("Status"), "Where the refusal comes from the status.")),
        (
            "reasons",
            described(
                list(string()),
                "Why, one sentence each: of every 403, 409, 422 and 429, as `explain` gives them.",
            ),
        ),
        (
            "errors",
            described(list(reference("FieldError")), "All that is wrong at once; `validation_failed`."),
        ),
    ]
}

fn list_page() -> Vec<Member> {
    vec![
        ("items*", list(reference("Summary"))),
        (
            "next_cursor*",
            json!({
                "type": ["string", "null"],
                "description": "Send it as `cursor` for the next page; null on the last, however many \
                                items a page has.",
            }),
        ),
        (
            "damaged",
            described(positive(), "How many rows were left out of this page because they cannot be read."),
        ),
    ]
}

fn me() -> Vec<Member> {
    let boolean = || json!({ "type": "boolean" });
    vec![
        ("person*", described(string(), "One id for all addresses of the caller.")),
        ("kind*", json!({ "type": "string", "enum": ["human", "agent", "service"] })),
        ("groups*", described(list(string()), "The groups that count.")),
        ("sees_all*", described(boolean(), "Whether the caller may list what others asked for.")),
        ("may_query_audit*", described(boolean(), "Whether the caller may query what others did.")),
    ]
}

fn comment() -> Vec<Member> {
    vec![
        ("user*", string()),
        ("timestamp*", time()),
        ("action*", json!({ "type": "string", "enum": ["commented", "approved", "rejected"] })),
        ("comment*", text(2000)),
    ]
}

fn decision() -> Vec<Member> {
    vec![
        ("person*", string()),
        ("decision*", names(Verdict::iter())),
        ("at*", time()),
        ("groups*", described(list(string()), "The groups that they were in, if they approved.")),
        (
            "digest_presented*",
            described(
                boolean(),
                "Whether they named the `content_digest` of what they were shown, if they approved.",
            ),
        ),
        (
            "counts",
            described(
                boolean(),
                "Of an approval, whether it counts: while the request is pending or approved, under the \
                     current policy.",
            ),
        ),
        ("reason", described(string(), "Why it does not count.")),
        ("policy_version*", described(digest(), "SHA-256 of the policy that it was made under.")),
        ("channel*", described(names(Channel::iter()), "The channel of the call.")),
        ("comment", text(2000)),
        ("event_id*", described(uuid(), "The event that records it.")),
    ]
}

fn withdrawal() -> Vec<Member> {
    vec![
        ("person*", described(string(), "The approver.")),
        ("at*", time()),
        ("event_id*", described(uuid(), "The event that records it.")),
    ]
}

fn hold() -> Vec<Member> {
    vec![
        ("by*", described(string(), "The approver.")),
        ("since*", described(time(), "When the approver began.")),
        ("until*", described(time(), "The time at which the claim ends by itself.")),
    ]
}

fn slot() -> Vec<Member> {
    vec![
        ("groups*", described(list(string()), "Each of them is in at least one of these.")),
        ("approvals*", described(positive(), "How many: other people than those of other slots.")),
    ]
}

fn rule() -> Vec<Member> {
    vec![
        (
            "name*",
            described(
                string(),
                "Its place in `operations.toml`; or `declared`, for what the requester declared.",
            ),
        ),
        ("demands*", described(list(string()), "Its demands, one sentence each.")),
    ]
}

fn health() -> Vec<Member> {
    vec![
        ("status*", json!({ "type": "string", "const": "healthy" })),
        ("version*", described(string(), "The release.")),
        ("policy_version*", described(digest(), "SHA-256 of the policy in force.")),
        (
            "notifications_version",
            described(digest(), "SHA-256 of `notifications.toml`. Absent where there is none."),
        ),
    ]
}

fn keys() -> Vec<Member> {
    vec![("keys*", json!({ "type": "array", "items": reference("Key") }))]
}

fn key() -> Vec<Member> {
    let constant = |value: &str| json!({ "type": "string", "const": value });
    let one_of = |values: &[&str]| json!({ "type": "string", "enum": values });
    vec![
        ("kty*", one_of(&["EC", "OKP"])),
        ("crv*", one_of(&["P-256", "Ed25519"])),
        ("x*", described(string(), "32 bytes, base64url without padding.")),
        ("y", described(string(), "32 bytes, base64url without padding. Absent of a key on Ed25519.")),
        ("kid*", described(string(), "Its thumbprint (RFC 7638).")),
        ("alg*", one_of(&["ES256", "Ed25519"])),
        ("use*", constant("sig")),
        (
            "purpose*",
            described(one_of(&["permit", "evidence", "log"]), "A key verifies nothing of another purpose."),
        ),
        ("status*", described(one_of(&["next", "current", "past"]), "`current` signs; all three verify.")),
    ]
}

fn fielderror() -> Vec<Member> {
    vec![
        (
            "pointer*",
            described(string(), "A JSON pointer (RFC 6901) into the body, or `/` and a query parameter."),
        ),
        ("message*", described(string(), "The rule.")),
    ]
}

/// A schema that is an object: its name, what it is, and its members.
type Object = (&'static str, &'static str, fn() -> Vec<Member>);

/// The schemas that are objects.
const OBJECTS: [Object; 77] = [
    ("Create", "The operation that the request is for.", bodies::create),
    ("Approve", "An approval.", bodies::approve),
    ("Reject", "A rejection.", bodies::reject),
    ("Withdraw", "The withdrawal of an approval.", bodies::withdraw),
    ("Cancel", "The cancellation of a request.", bodies::cancel),
    ("Comment", "A comment.", bodies::comment),
    ("Start", "The start of an execution.", bodies::start),
    ("Finish", "The end of an execution, or that it goes on.", bodies::finish),
    ("Claim", "The permit of an execution.", bodies::claim),
    ("Hold", "The claim of a request by an approver.", bodies::hold),
    ("HoldOf", "An approver who is looking at a request.", hold),
    ("Observe", "The target, as an executor has found it.", bodies::observe),
    ("Request", "A request. Members that do not apply, or not yet, are absent.", request),
    ("Summary", "A request in a list: no parameters, no free text.", summary),
    ("List", "A page of requests.", list_page),
    ("CommentOf", "A comment, made with a decision or by itself.", comment),
    ("Decision", "One person's decision.", decision),
    ("Withdrawal", "An approval that its approver took back.", withdrawal),
    ("Slot", "Approvers of certain groups, among those who approve.", slot),
    ("Rule", "A part of a policy that matched a request.", rule),
    ("Execution", "The execution of a request.", execution),
    ("Window", "A span of time, both ends included.", window),
    ("Me", "A caller, as policy knows them.", me),
    ("Explanation", "The standing of a request under the current policy.", explanation::explanation),
    ("Approval", "An approval on record.", explanation::approval),
    ("Missing", "The approvals that are missing.", explanation::missing),
    ("Action", "Whether the caller may carry out an operation on the request.", explanation::action),
    ("Simulation", "The outcome that creating a request would have.", simulation::simulation),
    ("Call", "A call that an executor would make.", simulation::call),
    ("Refusal", "A problem that a request would meet.", simulation::refusal),
    ("Events", "A request's audit trail, oldest first.", trail::events),
    ("Event", "An audit event.", trail::event),
    ("AuditPage", "A page of audit events.", trail::audit_page),
    ("Stats", "Figures of a range of days.", stats::stats),
    ("Group", "The figures of one group.", stats::group),
    ("Figures", "What is counted.", stats::figures),
    ("Durations", "Durations in milliseconds.", stats::durations),
    ("Answers", "How long persons took to decide, in milliseconds.", stats::answers),
    ("Amounts", "Amounts of money.", stats::amounts),
    ("Report", "The report on a day, a week or a month.", report::report),
    ("Outcomes", "What became of requests.", report::outcomes),
    ("DecisionTimes", "How long decisions took, in milliseconds.", report::decision_times),
    ("Waiting", "What waits for a decision.", report::waiting),
    ("OldestRequest", "A request that waits.", report::oldest_request),
    ("PersonFigures", "What one person did.", report::person_figures),
    ("DeadLetters", "Messages that were given up, and can be delivered again.", report::dead_letters),
    ("Approver", "A person who decided.", stats::approver),
    ("Slowest", "A person or a group that took long.", stats::slowest),
    (
        "AuditEvent",
        "An audit event of any stream. Those that are about no request repeat nothing of one.",
        trail::audit_event,
    ),
    ("CreateWebhook", "The settings of a new webhook.", webhooks::create),
    ("ChangeWebhook", "What changes of a webhook; what is left out stays.", webhooks::change),
    ("RotateWebhook", "The rotation of a secret.", webhooks::rotate),
    ("RedeliverWebhook", "The deliveries that begin anew.", webhooks::redeliver),
    ("Webhook", "A webhook. Members that do not apply, or not yet, are absent.", webhooks::webhook),
    ("Webhooks", "All webhooks.", webhooks::webhooks),
    ("WebhookTrial", "What came of trying a webhook out.", webhooks::trial),
    ("Redelivered", "How many deliveries were begun anew.", webhooks::redelivered),
    ("Delivery", "A delivery to a webhook.", webhooks::delivery),
    ("Attempt", "The last attempt of a delivery.", webhooks::attempt),
    ("Deliveries", "A page of deliveries, the latest event first.", webhooks::deliveries),
    ("WebhookEvents", "The trail of a webhook, oldest first.", webhooks::events),
    ("SetNotifications", "How a person wants to hear of requests.", notifications::set_notifications),
    ("Notifications", "How a person hears of requests.", notifications::notifications),
    ("Preferences", "What a person has said; the rest is by default.", notifications::preferences),
    ("NotificationSettings", "What holds for a person.", notifications::settings),
    ("QuietHours", "A span of the week without messages.", notifications::quiet_hours),
    ("DigestTime", "When a digest is sent.", notifications::digest_time),
    ("Channel", "A destination that a person can choose.", notifications::channel),
    ("Notifies", "How many hear of a request.", notifications::notifies),
    ("NotifyPreview", "Who would hear of a request, and when.", notifications::preview),
    ("Occasion", "What messages are sent for.", notifications::occasion),
    ("PlannedMessage", "A message that would be sent.", notifications::planned_message),
    ("Health", "The health of the service.", health),
    ("Keys", "Keys that verify permits, the audit log and evidence (RFC 7517).", keys),
    ("Key", "A public key on P-256.", key),
    ("FieldError", "A field that breaks a rule.", fielderror),
    ("Problem", "A refusal or failure (RFC 9457).", problem),
];

/// Every schema, by name.
pub(super) fn all() -> Map<String, Value> {
    let objects =
        OBJECTS.iter().map(|(name, about, members)| ((*name).to_owned(), object(about, &members())));
    let originals =
        OriginalOperation::iter().map(|original| (original_schema(original), original_object(original)));
    let status = described(
        names(Status::iter()),
        "Where a request is in its life. Past its deadline it is `expired`, written down or not.",
    );
    let dispatch = described(original_schemas(), "One of the original operations, named by `operation`.");
    // Not ours, and it may get further members.
    let gateway = json!({
        "type": "object",
        "description": "What API Gateway answers by itself.",
        "properties": { "message": string() },
        "required": ["message"],
    });
    let named = [
        ("Status", status),
        ("Environment", names(Environment::iter())),
        ("RiskLevel", names(RiskLevel::iter())),
        ("Dispatch", dispatch),
        ("GatewayMessage", gateway),
    ];
    let named = named.into_iter().map(|(name, schema)| (name.to_owned(), schema));
    objects.chain(originals).chain(named).collect()
}

#[cfg(test)]
mod tests;
