//! The bodies of calls as a client sends them, one type for each [`BodyType`](crate::operation::BodyType).
//!
//! What a service accepts is stricter and is read by [`crate::fields`]; a test holds the members of a type
//! against what its operation reads. Values are not checked here.

use crate::wire::{QuietHoursBody, WindowBody};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What a request is made with; also the body of a simulation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CreateBody {
    /// What is to be done.
    pub operation_type: String,
    /// The target of the operation.
    pub instance_id: String,
    /// The parameters of the operation, an object.
    pub parameters: Value,
    /// The declared environment.
    pub environment: String,
    /// Why the operation is needed.
    pub justification: String,
    /// The declared risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<String>,
    /// The expected cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<f64>,
    /// How long it is expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<String>,
    /// The ticket it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// How to undo the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_plan: Option<String>,
    /// How soon it needs an answer: `P1` to `P4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `manual` or `automatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The time before which it is not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_at: Option<String>,
    /// The span in which it may be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowBody>,
    /// The token of a task of a state machine that waits for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_token: Option<String>,
    /// The id of a callback of a durable function that waits for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_id: Option<String>,
    /// Until when they wait: `decision` or `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_on: Option<String>,
    /// The requester, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// An approval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApproveBody {
    /// A comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// The approver, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The digest of the content that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// The digest of the parameters that were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// The version of the request that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// A rejection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RejectBody {
    /// The reason for the rejection.
    pub reason: String,
    /// The approver, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<String>,
    /// The digest of the content that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// The digest of the parameters that were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// The version of the request that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// The withdrawal of an approval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WithdrawBody {
    /// The reason for the withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The approver, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
}

/// The cancellation of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CancelBody {
    /// The reason for the cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
}

/// A comment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CommentBody {
    /// The text.
    pub text: String,
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_by: Option<String>,
}

/// The start of an execution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StartBody {
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_by: Option<String>,
    /// The digest of the content that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// The digest of the parameters that were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// The version of the request that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// The claim of a request by an approver.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldBody {
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// Whether it replaces the claim of another approver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<bool>,
}

/// The permit of an execution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimBody {
    /// The permit, as the start answered it.
    pub permit: String,
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_by: Option<String>,
    /// The digest of the content that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// The digest of the parameters that were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// The version of the request that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// What an executor has found of a target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ObserveBody {
    /// What it has found, an object.
    pub target: Value,
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_by: Option<String>,
}

/// The end of an execution, or that it goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FinishBody {
    /// The execution, as its start answered.
    pub execution_id: String,
    /// `running`, `succeeded` or `failed`.
    pub outcome: String,
    /// The result: any JSON but `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The cost it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_cost: Option<f64>,
    /// What was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The caller, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_by: Option<String>,
    /// The digest of the content that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// The digest of the parameters that were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<String>,
    /// The version of the request that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
}

/// The settings of a new webhook.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateWebhookBody {
    /// The address.
    pub url: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The types of events that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// The statuses that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// The risk levels that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_levels: Option<Vec<String>>,
    /// The environments that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<String>>,
    /// The operations that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    /// `full` or `thin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `cloudevents` or `document`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Headers that are sent with each message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
}

impl fmt::Debug for CreateWebhookBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateWebhookBody").finish_non_exhaustive()
    }
}

/// What changes of a webhook: what is left out stays, and null takes it back to what it is without any.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeWebhookBody {
    /// The version that was shown.
    pub version: u64,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Value>,
    /// The types of events that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Value>,
    /// The statuses that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Value>,
    /// The risk levels that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_levels: Option<Value>,
    /// The environments that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Value>,
    /// The operations that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Value>,
    /// `full` or `thin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// `cloudevents` or `document`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Value>,
    /// Headers that are sent with each message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
}

impl fmt::Debug for ChangeWebhookBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeWebhookBody").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The rotation of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateWebhookBody {
    /// For how long the secret before signs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u32>,
}

/// Which deliveries begin anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliverWebhookBody {
    /// The first time of events.
    pub from: String,
    /// The last time of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where the deliveries are in their lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// The `next` of the call before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How a person wants to hear: what is left out is as `notifications.toml` has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetNotificationsBody {
    /// The version that was shown; 0 if nothing has been said.
    pub version: u64,
    /// The names of the destinations by which they want to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// When they want to be left in peace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<Vec<QuietHoursBody>>,
    /// The events that they do not want to hear of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_events: Option<Vec<String>>,
    /// When they want what is for their information only: `"off"`, or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Input;
    use crate::fields::Fields;
    use crate::operation::{Body, BodyType};
    use crate::operations::{
        CommandEndpoint, approve, cancel, claim, comment, create, finish, notifications, observe, reject,
        start, webhooks, withdraw,
    };
    use countersign_core::caller::{Channel, PrincipalKind};
    use countersign_core::person::PersonId;
    use countersign_core::principal::Principal;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn ann() -> Principal {
        let person = PersonId::from_email("ann@example.com").unwrap();
        Principal::assumed(person, PrincipalKind::Human, Channel::Local, ["developer"])
    }

    fn names(members: &Value) -> BTreeSet<String> {
        members.as_object().unwrap().keys().cloned().collect()
    }

    /// `body` has every member: those that `read` reads, and those of its schema. Without what may be absent
    /// it has those that the schema requires.
    fn is_read<T: Serialize + Default>(
        schema: BodyType,
        body: &T,
        read: impl FnOnce(&mut Fields, &Principal),
    ) {
        let schema = crate::openapi::document()["components"]["schemas"][schema.to_string()].clone();
        let body = serde_json::to_value(body).unwrap();
        assert_eq!(names(&body), names(&schema["properties"]));
        let required = schema["required"].as_array().unwrap().iter();
        let required: BTreeSet<_> = required.map(|name| name.as_str().unwrap().to_owned()).collect();
        assert_eq!(names(&serde_json::to_value(T::default()).unwrap()), required);
        let input = Input::Http {
            path: std::collections::BTreeMap::new(),
            query: String::new(),
            content_type: None,
            body: body.to_string().into_bytes(),
            idempotency_key: None,
            if_none_match: None,
        };
        let mut fields = Fields::read(input, Body::Required(BodyType::Dispatch)).unwrap();
        read(&mut fields, &ann());
        assert_eq!(fields.asked, names(&body));
    }

    fn is_read_by<E: CommandEndpoint, T: Serialize + Default>(body: &T) {
        let (Body::Required(schema) | Body::Optional(schema)) = E::OPERATION.body() else {
            panic!("an operation without a body");
        };
        is_read(schema, body, |fields, actor| assert!(E::read(fields, actor).is_some()));
    }

    #[test]
    fn every_body_has_the_members_that_its_operation_reads() {
        let some = |text: &str| Some(text.to_owned());
        let (ann, digest) = (some("ann@example.com"), some(&"0".repeat(64)));
        let create = CreateBody {
            operation_type: "reboot".to_owned(),
            instance_id: "db-01".to_owned(),
            parameters: json!({}),
            environment: "production".to_owned(),
            justification: "maintenance".to_owned(),
            risk_level: some("high"),
            estimated_cost: Some(1.0),
            estimated_duration: some("1 minute"),
            ticket: some("OPS-1"),
            rollback_plan: some("none"),
            priority: some("P2"),
            execution: some("manual"),
            execute_at: some("2026-01-31T10:00:00Z"),
            window: Some(WindowBody {
                from: "2026-01-31T10:00:00Z".to_owned(),
                to: "2026-01-31T11:00:00Z".to_owned(),
            }),
            task_token: some("AQCEAAAAKg"),
            callback_id: some("AQCEAAAAKg=="),
            resume_on: some("end"),
            requested_by: ann.clone(),
        };
        is_read(BodyType::Create, &create, |fields, actor| {
            assert!(create::read(fields, actor).is_some());
            assert!(create::continuation(fields).is_none(), "only one of both");
        });
        is_read_by::<approve::Approve, _>(&ApproveBody {
            comments: some("yes"),
            approved_by: ann.clone(),
            content_digest: digest.clone(),
            parameters_digest: digest.clone(),
            expected_version: Some(1),
        });
        is_read_by::<reject::Reject, _>(&RejectBody {
            reason: "no".to_owned(),
            rejected_by: ann.clone(),
            content_digest: digest.clone(),
            parameters_digest: digest.clone(),
            expected_version: Some(1),
        });
        is_read_by::<withdraw::Withdraw, _>(&WithdrawBody { reason: some("no"), withdrawn_by: ann.clone() });
        is_read_by::<cancel::Cancel, _>(&CancelBody { reason: some("no"), cancelled_by: ann.clone() });
        is_read_by::<comment::Comment, _>(&CommentBody { text: "note".to_owned(), comment_by: ann.clone() });
        is_read_by::<start::Start, _>(&StartBody {
            executed_by: ann.clone(),
            content_digest: digest.clone(),
            parameters_digest: digest.clone(),
            expected_version: Some(1),
        });
        let claim = ClaimBody {
            permit: "a.b.c".to_owned(),
            executed_by: ann.clone(),
            content_digest: digest.clone(),
            parameters_digest: digest.clone(),
            expected_version: Some(1),
        };
        is_read(BodyType::Claim, &claim, |fields, actor| assert!(claim::read(fields, actor).is_some()));
        let hold = HoldBody { minutes: Some(30), take: Some(true) };
        is_read(BodyType::Hold, &hold, |fields, _| assert!(crate::operations::hold::terms(fields).is_some()));
        is_read_by::<observe::Observe, _>(&ObserveBody { target: json!({}), executed_by: ann.clone() });
        is_read_by::<finish::Finish, _>(&FinishBody {
            execution_id: "019c1339-a5c0-7000-8000-0000000000e1".to_owned(),
            outcome: "succeeded".to_owned(),
            result: Some(json!(1)),
            actual_cost: Some(1.0),
            note: some("looked at it"),
            executed_by: ann,
            content_digest: digest.clone(),
            parameters_digest: digest,
            expected_version: Some(1),
        });
    }

    #[test]
    fn every_body_about_webhooks_and_settings_has_the_members_that_its_operation_reads() {
        let some = |text: &str| Some(text.to_owned());
        let names = |name: &str| Some(vec![name.to_owned()]);
        let create = CreateWebhookBody {
            url: "https://hooks.example.com/".to_owned(),
            description: some("calendar"),
            events: names("APPROVAL_GRANTED"),
            statuses: names("approved"),
            risk_levels: names("high"),
            environments: names("production"),
            operations: names("modify_*"),
            content: some("thin"),
            format: some("document"),
            headers: Some(BTreeMap::from([("x-a".to_owned(), "b".to_owned())])),
        };
        is_read(BodyType::CreateWebhook, &create, |fields, _| assert!(webhooks::draft(fields).is_some()));
        let null = || Some(Value::Null);
        let change = ChangeWebhookBody {
            version: 1,
            url: some("https://hooks.example.com/"),
            description: null(),
            events: null(),
            statuses: null(),
            risk_levels: null(),
            environments: null(),
            operations: null(),
            content: null(),
            format: null(),
            headers: null(),
        };
        is_read(BodyType::ChangeWebhook, &change, |fields, _| assert!(webhooks::patch(fields).is_some()));
        let rotate = RotateWebhookBody { overlap_seconds: Some(0) };
        is_read(BodyType::RotateWebhook, &rotate, |fields, _| assert!(webhooks::overlap(fields).is_some()));
        let redeliver = RedeliverWebhookBody {
            from: "2026-01-31T10:00:00Z".to_owned(),
            to: some("2026-01-31T11:00:00Z"),
            statuses: names("dead"),
            after: some("019c1339-a5c0-7000-8000-0000000000e1"),
        };
        is_read(BodyType::RedeliverWebhook, &redeliver, |fields, _| {
            assert!(webhooks::redelivery(fields).is_some());
        });
        let set = SetNotificationsBody {
            version: 1,
            channels: names("mail"),
            quiet_hours: Some(Vec::new()),
            muted_events: names("COMMENT_ADDED"),
            digest: Some(json!("off")),
        };
        is_read(BodyType::SetNotifications, &set, |fields, _| {
            assert_eq!(notifications::document(fields), json!(set));
        });
    }
}
