//! The operations of the API: one closed enum, and with each operation the one row that says what it is.
//!
//! The local server, the functions, the `OpenAPI` document and the infrastructure template follow from the
//! rows or are compared with them. How an operation is carried out belongs to `operations/`.

mod hold;
mod notifications;
mod original;
mod table;
mod webhooks;

pub use original::OriginalOperation;
pub use table::Operation;

use crate::problem::Code;
use std::fmt;
use strum::{Display, IntoStaticStr};

/// The function that carries out all operations about webhooks.
pub const WEBHOOKS_FUNCTION: &str = "webhooks";

/// The function that carries out both operations about claims by approvers.
pub const HOLD_FUNCTION: &str = "hold";
/// The function that carries out all operations about messages to people.
pub const NOTIFICATIONS_FUNCTION: &str = "notifications";

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Changes a request, once per idempotency key; or takes a body that no query string holds.
    Post,
    /// Changes a request, or replaces settings, once.
    Put,
    /// Changes members of something.
    Patch,
    /// Deletes something.
    Delete,
}

/// The types of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
pub enum BodyType {
    /// What a request is made with.
    Create,
    /// An approval.
    Approve,
    /// A rejection.
    Reject,
    /// The withdrawal of an approval.
    Withdraw,
    /// The end of a request that is given up.
    Cancel,
    /// A comment.
    Comment,
    /// The start of an execution.
    Start,
    /// The end of an execution, or that it goes on.
    Finish,
    /// The permit of an execution.
    Claim,
    /// The claim of a request by an approver.
    Hold,
    /// What an executor has found of a target.
    Observe,
    /// An original operation, named by `operation`.
    Dispatch,
    /// The settings of a new webhook.
    CreateWebhook,
    /// Settings of a webhook that change.
    ChangeWebhook,
    /// The rotation of a secret.
    RotateWebhook,
    /// Which deliveries begin anew.
    RedeliverWebhook,
    /// How a person wants to hear.
    SetNotifications,
}

/// What a call carries in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing that is read; fields come from the query string.
    None,
    /// A JSON object, or nothing at all: every field may be left out.
    Optional(BodyType),
    /// A JSON object.
    Required(BodyType),
}

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A request.
    Request,
    /// A page of requests.
    List,
    /// A request's audit trail.
    Events,
    /// A page of events of any streams.
    Audit,
    /// Figures of a range of days.
    Stats,
    /// The report on a day, week or month.
    Report,
    /// Who calls.
    Me,
    /// Where a request stands.
    Explanation,
    /// The execution of a request.
    Execution,
    /// What would come of making a request.
    Simulation,
    /// What an original operation answers.
    Original,
    /// That the service is there.
    Health,
    /// The keys that verify permits.
    Keys,
    /// The description of the API.
    Document,
    /// A webhook.
    Webhook,
    /// All webhooks.
    Webhooks,
    /// What came of trying a webhook out.
    WebhookTrial,
    /// How many deliveries were begun anew.
    Redelivered,
    /// A delivery to a webhook.
    Delivery,
    /// A page of deliveries to a webhook.
    Deliveries,
    /// The trail of a webhook.
    WebhookEvents,
    /// How the caller hears.
    Notifications,
    /// Who would hear of a request.
    Preview,
}

/// For whom a direct invocation acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectCaller {
    /// For no caller: the operation is public.
    Public,
    /// For a reader that names no person.
    Reader,
    /// For the person whom this field names.
    Person {
        /// The field.
        field: &'static str,
        /// Whether the operation is a decision, or takes one back.
        decides: bool,
    },
    /// As the original operation that the payload names.
    Original,
    /// For no caller: the operation is called over HTTP alone.
    Never,
}

/// A successful answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Success {
    /// The HTTP status.
    pub status: u16,
    /// What it means.
    pub description: &'static str,
    /// What it shows.
    pub answer: Answer,
    /// The names of its examples.
    pub examples: &'static [&'static str],
}

impl Success {
    const fn ok(description: &'static str, answer: Answer, examples: &'static [&'static str]) -> Self {
        Self { status: 200, description, answer, examples }
    }

    const fn created(description: &'static str, answer: Answer, examples: &'static [&'static str]) -> Self {
        Self { status: 201, description, answer, examples }
    }
}

/// The row of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The one name of its folder, file, command, log field and tests.
    pub slug: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, in the syntax that API Gateway and axum share.
    pub path: &'static str,
    /// Its body.
    pub body: Body,
    /// Whether it may change anything.
    pub changes: bool,
    /// For whom a direct invocation of it acts.
    pub direct: DirectCaller,
    /// Its successful answers.
    pub answers: &'static [Success],
    /// The problems that it can answer with and that do not follow from the other members of its row.
    pub problems: &'static [Code],
    /// The operations that take the id of the request that it answers with, as far as they are linked.
    pub links: &'static [Operation],
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What an integrator has to know of it.
    pub description: &'static str,
}

impl Operation {
    /// The one name of its folder, file, command, log field and tests.
    pub const fn slug(self) -> &'static str {
        self.definition().slug
    }

    /// Its method.
    pub const fn method(self) -> Method {
        self.definition().method
    }

    /// Further paths that lead to it.
    const fn aliases(self) -> &'static [&'static str] {
        if matches!(self, Self::WebhookDeliveries) { &["/v1/webhooks/{webhook_id}/logs"] } else { &[] }
    }

    /// Its path, with `{id}` for the id of a request.
    pub const fn path_template(self) -> &'static str {
        self.definition().path
    }

    /// Its path for a request; where the path names none, the path itself.
    pub fn path(self, request_id: impl fmt::Display) -> String {
        self.path_template().replace("{id}", &request_id.to_string())
    }

    /// Method and path template, as the gateway's `routeKey` has them.
    pub fn route_key(self) -> String {
        format!("{} {}", self.method(), self.path_template())
    }

    /// All paths that lead to it.
    pub fn paths(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.path_template()).chain(self.aliases().iter().copied())
    }

    /// The same of each of its paths.
    pub fn route_keys(self) -> Vec<String> {
        self.paths().map(|path| format!("{} {path}", self.method())).collect()
    }

    /// Its body.
    pub const fn body(self) -> Body {
        self.definition().body
    }

    /// Whether it may change anything.
    pub const fn changes(self) -> bool {
        self.definition().changes
    }

    /// Whether it answers without knowing who calls.
    pub const fn is_public(self) -> bool {
        matches!(self.definition().direct, DirectCaller::Public)
    }

    /// Whether its path names a request.
    pub fn is_on_one(self) -> bool {
        self.path_template().contains("{id}")
    }

    /// Whether its path names something by an id.
    pub fn is_on_something(self) -> bool {
        self.path_template().contains("id}")
    }

    /// Whether an `Idempotency-Key` makes sending it again safe.
    pub const fn takes_idempotency_key(self) -> bool {
        self.changes() && !matches!(self.definition().direct, DirectCaller::Never)
    }

    /// Whether it takes the deployment's key: to seal what it writes, or cursors, and to issue permits.
    pub fn takes_deployment_key(self) -> bool {
        let answers = self.definition().answers;
        self.changes()
            || answers.iter().any(|success| {
                matches!(
                    success.answer,
                    Answer::Audit | Answer::Stats | Answer::Report | Answer::List | Answer::Execution
                )
            })
    }

    /// Whether it says how many people hear of a request, or who, or how they want to: by `notifications.toml`.
    pub const fn takes_notifications(self) -> bool {
        let says_how_many = matches!(self, Self::Create | Self::Simulate | Self::Dispatch);
        says_how_many || self.is_about_notifications()
    }

    const fn is_about_notifications(self) -> bool {
        matches!(self, Self::GetNotifications | Self::SetNotifications | Self::PreviewNotifications)
    }

    /// The function that carries it out. One function has the operations that ask nothing of AWS, one those about webhooks,
    /// one those about claims by approvers, one those about messages to people.
    pub const fn function(self) -> &'static str {
        if self.is_about_notifications() {
            NOTIFICATIONS_FUNCTION
        } else if matches!(self, Self::Hold | Self::Release) {
            HOLD_FUNCTION
        } else if matches!(self.definition().direct, DirectCaller::Never) {
            WEBHOOKS_FUNCTION
        } else if matches!(self, Self::Openapi) {
            Self::Health.slug()
        } else {
            self.slug()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator;

    #[test]
    fn no_two_operations_have_the_same_name_or_route() {
        let names: BTreeSet<_> = Operation::iter().map(Operation::slug).collect();
        let routes: BTreeSet<_> = Operation::iter().map(Operation::route_key).collect();
        assert_eq!((names.len(), routes.len()), (Operation::iter().len(), Operation::iter().len()));
    }

    #[test]
    fn what_changes_something_acts_for_a_person() {
        for operation in Operation::iter().filter(|operation| operation.changes()) {
            let direct = operation.definition().direct;
            let names_one =
                matches!(direct, DirectCaller::Person { .. } | DirectCaller::Original | DirectCaller::Never);
            assert!(names_one, "{operation:?}");
        }
        for original in OriginalOperation::iter() {
            let names_one = matches!(original.operation().definition().direct, DirectCaller::Person { .. });
            assert_eq!(names_one, original.operation().changes(), "{original:?}");
        }
    }

    #[test]
    fn a_path_has_the_id_of_its_request() {
        assert_eq!(Operation::Approve.path("7"), "/v1/approvals/7/approve");
        assert_eq!(Operation::Create.path("7"), "/v1/approvals");
    }
}
