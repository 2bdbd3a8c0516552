//! The rows of the operations about messages to people, which one function carries out, over HTTP alone. Decides nothing.

use super::{Answer, Body, BodyType, Definition, DirectCaller, Method, Success};
use crate::problem::Code;

/// Reads how the caller hears.
pub(super) const GET_NOTIFICATIONS: Definition = Definition {
    slug: "get-notifications",
    method: Method::Get,
    path: "/v1/me/notifications",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("How the caller hears.", Answer::Notifications, &["notifications"])],
    problems: &[Code::PeopleOnly, Code::NotConfigured],
    links: &[],
    summary: "Read how you hear of requests",
    description: "\
        What the caller has said, what holds with the defaults of `notifications.toml`, and which destinations can be \
        chosen. For humans alone.",
};

/// Says how the caller wants to hear.
pub(super) const SET_NOTIFICATIONS: Definition = Definition {
    slug: "set-notifications",
    method: Method::Put,
    path: "/v1/me/notifications",
    body: Body::Required(BodyType::SetNotifications),
    changes: true,
    direct: DirectCaller::Never,
    answers: &[Success::ok("How the caller hears.", Answer::Notifications, &["notifications"])],
    problems: &[Code::PeopleOnly, Code::NotConfigured, Code::VersionMismatch],
    links: &[],
    summary: "Say how you want to hear of requests",
    description: "\
        Replaces all that the caller has said: a member that is left out, or `null`, is as `notifications.toml` has it. It \
        counts within 10 seconds, for messages that are made from then on. It changes no right, and is in no audit trail.",
};

/// Lists who would hear of a request.
pub(super) const PREVIEW_NOTIFICATIONS: Definition = Definition {
    slug: "preview-notifications",
    method: Method::Get,
    path: "/v1/approvals/{id}/notifies",
    body: Body::None,
    changes: false,
    direct: DirectCaller::Never,
    answers: &[Success::ok("Who would hear of it.", Answer::Preview, &["notifies"])],
    problems: &[Code::NotConfigured],
    links: &[],
    summary: "List who would hear of a request",
    description: "\
        Of the request as it stands, and of each reminder and escalation to come: by which destination, for whom, why and \
        when. Nothing is sent. For those who may read the request with its parameters.",
};
