//! The schemas of bodies and answers. Closed sets come from the code's enums; the tests hold the
//! members against the wire types, and the limits against what reads them.

mod bodies;

use super::values::{
    boolean, cost, count, digest, environment, identifier, instance_id, list, names, positive, reference,
    result, risk_level, string, text, ticket, time, told, uuid,
};
use super::{original_schema, original_schemas};
use crate::operations::dispatch;
use crate::problem::Code;
use countersign_core::actor::{Channel, PrincipalKind};
use countersign_core::audit;
use countersign_core::command::CommandName;
use countersign_core::event::EventType;
use countersign_core::request::{Status, Verdict};
use countersign_core::requirements::RequiredField;
use countersign_core::risk::{Environment, RiskLevel};
use serde_json::{Map, Value, json};

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

fn original_object(operation: &'static str) -> Value {
    let name = if operation == "create_request" { "operation" } else { "operation*" };
    let mut members = vec![(name, json!({ "type": "string", "const": operation }))];
    members.extend(bodies::original(operation));
    object(&format!("`{operation}` on the original endpoint."), &members)
}

/// What policy demands of approvals, besides their number.
fn slots() -> Vec<Member> {
    vec![
        ("slots*", told(list(reference("Slot")), "Which groups some of them must come from.")),
        (
            "digest_required*",
            told(boolean(), "Whether an approval must name the `content_digest` of what was shown."),
        ),
    ]
}

fn approvals_required() -> Member {
    ("approvals_required*", told(count(), "How many distinct people must agree, those in `slots` included."))
}

/// What lists and single requests both show.
fn shared() -> Vec<Member> {
    vec![
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("operation_type*", identifier()),
        ("instance_id*", instance_id()),
        ("environment*", told(environment(), "The effective one.")),
        ("risk_level*", told(risk_level(), "The effective one.")),
        ("requested_by*", string()),
        ("requested_at*", time()),
        ("estimated_cost", cost()),
        approvals_required(),
        ("expires_at*", told(time(), "By when it must be decided.")),
        ("execute_by", told(time(), "By when it must be started, once approved.")),
        ("execution_started_at", time()),
        ("executed_at", told(time(), "When it was executed, or failed.")),
    ]
}

/// How far a request has come, by itself and in a list.
fn standing() -> Vec<Member> {
    vec![
        (
            "approvals_received*",
            told(
                count(),
                "How many approvals on record count: while the request is pending or approved, under the \
                 policy of now.",
            ),
        ),
        (
            "approved_by*",
            told(
                list(string()),
                "Who has approved, and has not withdrawn it. A request by itself says in `decisions` whose \
                 approval counts.",
            ),
        ),
        (
            "blocked_by",
            told(
                list(string()),
                "Why it cannot go ahead, one sentence each: its requester, or the owner of its requester, is \
                 disabled.",
            ),
        ),
        (
            "closed_at",
            told(
                time(),
                "When it closed; if it is expired, the deadline that it missed, or the withdrawal that left too \
                 few approvals and no time for more.",
            ),
        ),
    ]
}

fn summary() -> Vec<Member> {
    [shared(), standing()].concat()
}

fn request() -> Vec<Member> {
    let whole = vec![
        ("parameters", told(json!({ "type": "object" }), "Exactly how. Absent where policy hides it.")),
        (
            "parameters_digest",
            told(
                digest(),
                "SHA-256 of the parameters' canonical JSON (RFC 8785). Absent together with them.",
            ),
        ),
        (
            "content_digest",
            told(
                digest(),
                "SHA-256 of the canonical JSON (RFC 8785) of `content`: what decisions, start and finish may \
                 name. Absent together with the parameters.",
            ),
        ),
        (
            "content",
            told(
                json!({ "type": "object" }),
                "All that the request was made with, the parameters by their digest. Absent together with \
                 them.",
            ),
        ),
        ("filed_by", told(string(), "The service that asks for the requester.")),
        ("owner", told(string(), "Who answers for the agent or service that asks.")),
        ("requester_groups*", told(list(string()), "The requester's groups, when it was made.")),
        ("justification*", text(4000)),
        ("estimated_duration", text(200)),
        ("ticket", ticket()),
        ("rollback_plan", text(4000)),
        (
            "rules*",
            told(list(reference("Rule")), "The parts of the policy that demanded this, when it was made."),
        ),
        ("approved_at", time()),
        ("rejected_by", string()),
        ("rejected_at", time()),
        ("rejection_reason", text(2000)),
        ("cancelled_at", time()),
        ("cancelled_by", told(string(), "The requester, the owner of the requester, or an admin.")),
        ("cancellation_reason", text(2000)),
        ("execution_id", uuid()),
        ("execution_started_by", string()),
        ("execution_result", told(result(), "What came of it. Absent where policy hides it.")),
        ("actual_cost", cost()),
        ("comments*", list(reference("CommentOf"))),
        ("decisions*", told(list(reference("Decision")), "Those on record.")),
        ("withdrawals", told(list(reference("Withdrawal")), "Which approvals were taken back.")),
        ("version*", told(count(), "How many events have happened to it.")),
        ("policy_version*", told(digest(), "SHA-256 of the policy that set its requirements.")),
        ("audit_head*", told(digest(), "The hash of its last audit event.")),
    ];
    [shared(), standing(), slots(), whole].concat()
}

fn explanation() -> Vec<Member> {
    let head = vec![
        ("request_id*", uuid()),
        ("status*", reference("Status")),
        ("risk_level*", told(risk_level(), "The effective one.")),
        ("environment*", told(environment(), "The effective one.")),
        approvals_required(),
    ];
    let who = "Who can still give what is missing: whoever is in all groups of one of these. Empty unless it \
               is pending.";
    let rest = vec![
        ("policy_version*", told(digest(), "SHA-256 of the policy that it was made under.")),
        ("rules*", told(list(reference("Rule")), "What each part of that policy demanded.")),
        ("current_policy_version*", told(digest(), "SHA-256 of the policy of now.")),
        (
            "current_rules*",
            told(
                list(reference("Rule")),
                "What each part of the policy of now would demand. While the request is pending or approved, \
                 the stricter of both holds.",
            ),
        ),
        (
            "blocked_by",
            told(
                list(string()),
                "Why it cannot go ahead, one sentence each: its requester, or the owner of its requester, is \
                 disabled.",
            ),
        ),
        ("approvals*", told(list(reference("Approval")), "Those on record.")),
        ("missing*", reference("Missing")),
        ("approvers*", told(list(list(string())), who)),
        ("actions*", told(list(reference("Action")), "What the caller may do to it.")),
        ("otherwise*", told(string(), "What happens if nobody does anything.")),
        ("deadline", told(time(), "When that happens. Absent where nothing happens by itself.")),
    ];
    [head, slots(), rest].concat()
}

/// The commands that an explanation is about: those of people on a request.
const ACTIONS: [CommandName; 7] = [
    CommandName::Approve,
    CommandName::Reject,
    CommandName::Withdraw,
    CommandName::Cancel,
    CommandName::Comment,
    CommandName::Start,
    CommandName::Finish,
];

/// The fields that policy may demand.
const REQUIRED_FIELDS: [RequiredField; 4] = [
    RequiredField::Ticket,
    RequiredField::RollbackPlan,
    RequiredField::EstimatedCost,
    RequiredField::EstimatedDuration,
];

fn simulation() -> Vec<Member> {
    let head = vec![
        ("permitted*", told(boolean(), "Whether it could be made.")),
        (
            "refusals*",
            told(
                list(reference("Refusal")),
                "The problems that it would meet; the first would be the answer. Empty if it could be made.",
            ),
        ),
        ("satisfiable*", told(boolean(), "Whether policy lets people approve it who fill what is demanded.")),
        (
            "status*",
            told(
                names(&[Status::Pending, Status::Approved], Status::as_str),
                "The status that it would begin with.",
            ),
        ),
        ("operation_type*", identifier()),
        ("instance_id*", instance_id()),
        ("environment*", told(environment(), "The effective one.")),
        ("risk_level*", told(risk_level(), "The effective one.")),
        ("requested_by*", string()),
        ("requester_groups*", list(string())),
        ("requested_at*", told(time(), "When it would be made.")),
        ("parameters_digest*", told(digest(), "SHA-256 of the parameters' canonical JSON (RFC 8785).")),
        approvals_required(),
    ];
    let rest = vec![
        ("expires_at*", told(time(), "By when it would have to be decided.")),
        ("execute_by", told(time(), "By when it would have to be started, if it is approved at once.")),
        ("execute_within_seconds*", told(positive(), "How long an approval of it would last.")),
        (
            "required_fields*",
            told(list(names(&REQUIRED_FIELDS, RequiredField::as_str)), "The fields that policy demands."),
        ),
        ("cost_limit", told(cost(), "The most it may be expected to cost.")),
        (
            "justification_min",
            told(positive(), "How long its justification must be, in characters that can be read."),
        ),
        (
            "pending_limit*",
            told(positive(), "How many pending requests its requester may have, this one included."),
        ),
        (
            "approved_limit*",
            told(
                positive(),
                "How many approved requests that were not started its requester may have, this one included, \
                 if it is approved at once.",
            ),
        ),
        ("policy_version*", told(digest(), "SHA-256 of the policy.")),
        ("rules*", told(list(reference("Rule")), "What each part of it demands.")),
    ];
    [head, slots(), rest].concat()
}

fn event() -> Vec<Member> {
    vec![
        ("format*", json!({ "type": "string", "const": audit::FORMAT })),
        ("origin", told(string(), "The deployment that recorded it: a URN.")),
        ("stream*", told(string(), "The chain that it belongs to: `request/` and the id of the request.")),
        ("event_id*", uuid()),
        ("request_id*", uuid()),
        ("sequence*", json!({ "type": "integer", "minimum": 1 })),
        ("timestamp*", time()),
        ("event_type*", names(&EventType::ALL, EventType::as_str)),
        ("user*", told(string(), "Who acted, or `system:expiry`.")),
        ("kind*", names(&PrincipalKind::ALL, PrincipalKind::as_str)),
        ("channel*", names(&Channel::ALL, Channel::as_str)),
        (
            "source_ip",
            told(
                string(),
                "The caller's address, as far as the service can vouch for it; `unknown` if a proxy has not given one that can be read.",
            ),
        ),
        (
            "auth",
            told(
                json!({
                    "type": "object", "required": ["issuer", "subject"],
                    "properties": { "issuer": string(), "subject": string(), "at": time() },
                }),
                "How the caller was proven: issuer and subject of the verified token, and when the subject signed \
                 in, or else when the token was issued. Absent for direct invocations and sweeps.",
            ),
        ),
        ("instance_id*", instance_id()),
        ("operation_type*", identifier()),
        ("environment*", environment()),
        ("risk_level*", risk_level()),
        ("requested_by*", string()),
        ("status*", told(reference("Status"), "The status after the event.")),
        ("details*", told(json!({ "type": "object" }), "Digests, numbers, times, ids and groups.")),
        ("state_digest*", told(digest(), "SHA-256 of the canonical state of the request after the event.")),
        ("prev_hash*", told(digest(), "The hash of the event before; zeros for the first.")),
        ("hash*", told(digest(), "SHA-256 of the canonical JSON of all other members.")),
    ]
}

fn problem() -> Vec<Member> {
    vec![
        (
            "type*",
            told(json!({ "type": "string", "format": "uri" }), "`urn:countersign:problem:` and the code."),
        ),
        ("title*", told(string(), "The same for every problem of the code.")),
        ("status*", json!({ "type": "integer", "minimum": 400, "maximum": 599 })),
        ("detail*", told(string(), "What happened this time, for people.")),
        (
            "instance*",
            told(json!({ "type": "string", "format": "uri" }), "`urn:uuid:` and the correlation id."),
        ),
        ("code*", told(names(&Code::ALL, Code::as_str), "Stable; what a program looks at.")),
        ("current_status", told(reference("Status"), "Where the refusal comes from the status.")),
        (
            "reasons",
            told(
                list(string()),
                "Why, one sentence each: of every 403, 409, 422 and 429, as `explain` gives them.",
            ),
        ),
        ("errors", told(list(reference("FieldError")), "All that is wrong at once; `validation_failed`.")),
    ]
}

fn members(schema: &str) -> Vec<Member> {
    match schema {
        "Create" => bodies::create(),
        "Approve" => bodies::approve(),
        "Reject" => bodies::reject(),
        "Withdraw" => bodies::withdraw(),
        "Cancel" => bodies::cancel(),
        "Comment" => bodies::comment(),
        "Start" => bodies::start(),
        "Finish" => bodies::finish(),
        "Request" => request(),
        "Summary" => summary(),
        "List" => vec![
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
                told(positive(), "How many rows were left out of this page because they cannot be read."),
            ),
        ],
        "CommentOf" => vec![
            ("user*", string()),
            ("timestamp*", time()),
            ("action*", json!({ "type": "string", "enum": ["commented", "approved", "rejected"] })),
            ("comment*", text(2000)),
        ],
        "Decision" => vec![
            ("person*", string()),
            ("decision*", names(&Verdict::ALL, Verdict::as_str)),
            ("at*", time()),
            ("groups*", told(list(string()), "The groups that they were in, if they approved.")),
            (
                "digest_presented*",
                told(
                    boolean(),
                    "Whether they named the `content_digest` of what they were shown, if they approved.",
                ),
            ),
            (
                "counts",
                told(
                    boolean(),
                    "Of an approval, whether it counts: while the request is pending or approved, under the \
                     policy of now.",
                ),
            ),
            ("reason", told(string(), "Why it does not count.")),
            ("policy_version*", told(digest(), "SHA-256 of the policy that it was made under.")),
            ("channel*", told(names(&Channel::ALL, Channel::as_str), "By which door they came.")),
            ("comment", text(2000)),
            ("event_id*", told(uuid(), "The event that records it.")),
        ],
        "Withdrawal" => vec![
            ("person*", told(string(), "The approver.")),
            ("at*", time()),
            ("event_id*", told(uuid(), "The event that records it.")),
        ],
        "Slot" => vec![
            ("groups*", told(list(string()), "Each of them is in at least one of these.")),
            ("approvals*", told(positive(), "How many: other people than those of other slots.")),
        ],
        "Rule" => vec![
            (
                "name*",
                told(string(), "Its place in `operations.toml`; or `declared`, for what the requester said."),
            ),
            ("demands*", told(list(string()), "What it demanded, in words.")),
        ],
        "Explanation" => explanation(),
        "Approval" => vec![
            ("person*", string()),
            ("groups*", told(list(string()), "The groups that they were in.")),
            ("counts*", told(boolean(), "Whether it counts under the policy of now.")),
            ("reason", told(string(), "Why not.")),
        ],
        "Missing" => vec![
            ("slots*", told(list(reference("Slot")), "Those that are open.")),
            ("from_anybody*", told(count(), "How many more, from anybody who may approve.")),
        ],
        "Action" => vec![
            ("action*", names(&ACTIONS, CommandName::as_str)),
            ("permitted*", told(boolean(), "Whether it would be accepted now.")),
            ("code", told(names(&Code::ALL, Code::as_str), "Of the problem that would be the answer.")),
            ("reasons", told(list(string()), "Why not: the `reasons` of that problem.")),
        ],
        "Simulation" => simulation(),
        "Refusal" => vec![
            ("code*", names(&Code::ALL, Code::as_str)),
            ("detail*", string()),
            ("reasons*", told(list(string()), "Why, one sentence each.")),
            ("errors", list(reference("FieldError"))),
        ],
        "Events" => vec![
            (
                "items*",
                told(list(reference("Event")), "Oldest first. Those that cannot be read are left out."),
            ),
            ("verified*", told(boolean(), "Whether the trail is whole and has made the request what it is.")),
            ("findings", told(list(string()), "What is not as it was written; absent if it is verified.")),
        ],
        "Event" => event(),
        "Health" => vec![
            ("status*", json!({ "type": "string", "const": "healthy" })),
            ("version*", told(string(), "The release.")),
            ("policy_version*", told(digest(), "SHA-256 of the policy in force.")),
        ],
        "FieldError" => vec![
            (
                "pointer*",
                told(string(), "A JSON pointer (RFC 6901) into the body, or `/` and a query parameter."),
            ),
            ("message*", told(string(), "The rule.")),
        ],
        _ => problem(),
    }
}

/// The schemas that are objects, with what they are.
const OBJECTS: [(&str, &str); 27] = [
    ("Create", "An operation that is asked for."),
    ("Approve", "An approval."),
    ("Reject", "A rejection."),
    ("Withdraw", "The withdrawal of an approval."),
    ("Cancel", "The end of a request that is given up."),
    ("Comment", "A comment."),
    ("Start", "The start of an execution."),
    ("Finish", "The end of an execution."),
    ("Request", "A request. Members that do not apply, or not yet, are absent."),
    ("Summary", "A request in a list: no parameters, no free text."),
    ("List", "A page of requests."),
    ("CommentOf", "Something somebody said, with a decision or without."),
    ("Decision", "One person's decision."),
    ("Withdrawal", "An approval that its approver took back."),
    ("Slot", "People who must be among those who agree."),
    ("Rule", "A part of a policy that matched a request."),
    ("Explanation", "Why a request stands where it stands, under the policy of now."),
    ("Approval", "An approval on record."),
    ("Missing", "The approvals that are missing."),
    ("Action", "Whether the caller may do something to a request."),
    ("Simulation", "What would come of making a request."),
    ("Refusal", "A problem that a request would meet."),
    ("Events", "A request's audit trail, oldest first."),
    ("Event", "An audit event."),
    ("Health", "That the service is there."),
    ("FieldError", "A field that breaks a rule."),
    ("Problem", "A refusal or failure (RFC 9457)."),
];

/// Every schema, by name.
pub(super) fn all() -> Map<String, Value> {
    let objects = OBJECTS.iter().map(|(name, about)| ((*name).to_owned(), object(about, &members(name))));
    let originals = dispatch::OPERATIONS.iter().map(|name| (original_schema(name), original_object(name)));
    let status = told(
        names(&Status::ALL, Status::as_str),
        "Where a request is in its life. Past its deadline it is `expired`, written down or not.",
    );
    let dispatch = told(original_schemas(), "One of the original operations, named by `operation`.");
    // Not ours, and it may get further members.
    let gateway = json!({
        "type": "object",
        "description": "What API Gateway answers by itself.",
        "properties": { "message": string() },
        "required": ["message"],
    });
    let named = [
        ("Status", status),
        ("Environment", names(&Environment::ALL, Environment::as_str)),
        ("RiskLevel", names(&RiskLevel::ALL, RiskLevel::as_str)),
        ("Dispatch", dispatch),
        ("GatewayMessage", gateway),
    ];
    let named = named.into_iter().map(|(name, schema)| (name.to_owned(), schema));
    objects.chain(originals).chain(named).collect()
}

#[cfg(test)]
mod tests;
