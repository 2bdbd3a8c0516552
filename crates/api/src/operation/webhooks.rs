//! The rows of the operations about webhooks, which one function carries out, over HTTP alone. Decides nothing.

use super::{Answer, Body, BodyType, Definition, DirectCaller, Method, Success};
use crate::problem::Code;

/// Makes a webhook.
pub(super) const CREATE_WEBHOOK: Definition = Definition {
    slug: "create-webhook",
    method: Method::Post,
    path: "/v1/webhooks",
    body: Body::Required(BodyType::CreateWebhook),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::created("The webhook, with its secret.", Answer::Webhook, &["webhook_created"])],
    problems: &[Code::WebhookLimit],
    links: &[],
    summary: "Create a webhook",
    description: "\
        The answer has the secret that deliveries are signed with, and no other answer has it again. Sent twice, it makes \
        two webhooks: an `Idempotency-Key` has no effect.",
};

/// Lists webhooks.
pub(super) const LIST_WEBHOOKS: Definition = Definition {
    slug: "list-webhooks",
    method: Method::Get,
    path: "/v1/webhooks",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("All webhooks, the oldest first.", Answer::Webhooks, &["webhooks"])],
    problems: &[],
    links: &[],
    summary: "List webhooks",
    description: "All of the deployment, of every maker. Neither secrets nor values of headers are shown.",
};

/// Reads a webhook.
pub(super) const GET_WEBHOOK: Definition = Definition {
    slug: "get-webhook",
    method: Method::Get,
    path: "/v1/webhooks/{webhook_id}",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The webhook.", Answer::Webhook, &["webhook"])],
    problems: &[],
    links: &[],
    summary: "Read a webhook",
    description: "Its settings, and how its endpoint fares.",
};

/// Changes a webhook.
pub(super) const CHANGE_WEBHOOK: Definition = Definition {
    slug: "change-webhook",
    method: Method::Patch,
    path: "/v1/webhooks/{webhook_id}",
    body: Body::Required(BodyType::ChangeWebhook),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The webhook.", Answer::Webhook, &["webhook"])],
    problems: &[Code::VersionMismatch],
    links: &[],
    summary: "Change a webhook",
    description: "\
        A member that is left out stays as it is; `null` takes it back to what it is without any. `headers` replaces all \
        headers. What waits for the webhook goes to its new address.",
};

/// Deletes a webhook.
pub(super) const DELETE_WEBHOOK: Definition = Definition {
    slug: "delete-webhook",
    method: Method::Delete,
    path: "/v1/webhooks/{webhook_id}",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("What is left of the webhook.", Answer::Webhook, &["webhook_deleted"])],
    problems: &[],
    links: &[],
    summary: "Delete a webhook",
    description: "\
        What waits for it is not delivered. Its secrets, its headers and the path of its address are erased; its trail and \
        the log of its deliveries stay.",
};

/// Replaces the secret of a webhook.
pub(super) const ROTATE_WEBHOOK: Definition = Definition {
    slug: "rotate-webhook",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/rotate",
    body: Body::Optional(BodyType::RotateWebhook),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The webhook, with its new secret.", Answer::Webhook, &["webhook_rotated"])],
    problems: &[],
    links: &[],
    summary: "Rotate the secret of a webhook",
    description: "\
        For `overlap_seconds` deliveries carry the signatures of both secrets. A rotation within that time ends the older \
        one at once.",
};

/// Enables a webhook.
pub(super) const ENABLE_WEBHOOK: Definition = Definition {
    slug: "enable-webhook",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/enable",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The webhook.", Answer::Webhook, &["webhook"])],
    problems: &[],
    links: &[],
    summary: "Enable a webhook",
    description: "\
        From now on. What was skipped meanwhile is redelivered only on request. One that is enabled stays as it is.",
};

/// Disables a webhook.
pub(super) const DISABLE_WEBHOOK: Definition = Definition {
    slug: "disable-webhook",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/disable",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The webhook.", Answer::Webhook, &["webhook_disabled_by_operator"])],
    problems: &[],
    links: &[],
    summary: "Disable a webhook",
    description: "Its deliveries are skipped until it is enabled. One that is disabled stays as it is.",
};

/// Tries a webhook out.
pub(super) const TEST_WEBHOOK: Definition = Definition {
    slug: "test-webhook",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/test",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok(
        "What came of it.",
        Answer::WebhookTrial,
        &["webhook_taken", "webhook_not_taken"],
    )],
    problems: &[Code::WebhookDisabled],
    links: &[],
    summary: "Send a test message to a webhook",
    description: "\
        A message of the type `countersign.webhook.ping.v1`, signed as deliveries are, sent once and at once. An endpoint \
        that does not take it is answered with 200 too, in `failure`.",
};

/// Begins deliveries of a range of times anew.
pub(super) const REDELIVER_WEBHOOK: Definition = Definition {
    slug: "redeliver-webhook",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/redeliver",
    body: Body::Required(BodyType::RedeliverWebhook),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("How many deliveries were begun anew.", Answer::Redelivered, &["redelivered"])],
    problems: &[Code::WebhookDisabled],
    links: &[],
    summary: "Redeliver events of a range of times",
    description: "\
        The oldest first, dead and skipped ones unless `statuses` says otherwise, at most 1,000 in one call: while `next` is \
        not null, send the same again with it as `after`.",
};

/// Reads the log of deliveries.
pub(super) const WEBHOOK_DELIVERIES: Definition = Definition {
    slug: "webhook-deliveries",
    method: Method::Get,
    path: "/v1/webhooks/{webhook_id}/deliveries",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("A page.", Answer::Deliveries, &["deliveries"])],
    problems: &[],
    links: &[],
    summary: "Read the log of deliveries to a webhook",
    description: "\
        The latest event first, of 30 days; also of a webhook that is deleted. A page may be short, or empty, and not the \
        last: `next` says whether it is.",
};

/// Begins one delivery anew.
pub(super) const REDELIVER_DELIVERY: Definition = Definition {
    slug: "redeliver-delivery",
    method: Method::Post,
    path: "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    body: Body::None,
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The delivery.", Answer::Delivery, &["delivery"])],
    problems: &[Code::WebhookDisabled],
    links: &[],
    summary: "Redeliver one event",
    description: "In a new round of attempts, whatever has become of it before.",
};

/// Reads the trail of a webhook.
pub(super) const WEBHOOK_EVENTS: Definition = Definition {
    slug: "webhook-events",
    method: Method::Get,
    path: "/v1/webhooks/{webhook_id}/events",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("The trail.", Answer::WebhookEvents, &["webhook_events"])],
    problems: &[],
    links: &[],
    summary: "Read the trail of a webhook",
    description: "\
        Who changed what, the oldest first, each event bound to the one before by its hash; also of a webhook that is \
        deleted. `verified` says whether the trail is whole.",
};
