//! The operations, one file each: read the fields, run the use case, shape the reply.

pub mod approve;
pub mod audit;
pub mod cancel;
pub mod claim;
pub mod comment;
pub mod create;
pub mod dispatch;
pub mod events;
pub mod execution;
pub mod explain;
pub mod finish;
pub mod get;
pub mod health;
pub mod hold;
pub mod keys;
pub mod list;
pub mod me;
pub mod notifications;
pub mod observe;
pub mod reject;
pub mod report;
pub mod simulate;
pub mod start;
pub mod stats;
pub mod webhooks;
pub mod withdraw;

use crate::fields::{Fields, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{ChangeMade, IDEMPOTENT_REPLAYED, Reply};
use crate::run::{Endpoint, PublicEndpoint, Store};
use crate::wire::RequestBody;
use countersign_app::command::{self, CommandStore, Done};
use countersign_app::dependencies::Dependencies;
use countersign_core::command::{Command, Shown};
use countersign_core::principal::Principal;
use serde_json::Value;

/// What is done with the type that carries an operation out.
pub trait EndpointVisitor<S> {
    /// What comes of it.
    type Output;

    /// For an operation that has to know who calls.
    fn endpoint<E: Endpoint<S> + 'static>(self) -> Self::Output;

    /// For an operation that is public.
    fn public<E: PublicEndpoint + 'static>(self) -> Self::Output;
}

/// Hands the type that carries an operation out to a visitor.
pub fn visit<S: Store, V: EndpointVisitor<S>>(operation: Operation, visitor: V) -> V::Output {
    match operation {
        Operation::Create => visitor.endpoint::<create::Create>(),
        Operation::Simulate => visitor.endpoint::<simulate::Simulate>(),
        Operation::List => visitor.endpoint::<list::List>(),
        Operation::Get => visitor.endpoint::<get::Get>(),
        Operation::Approve => visitor.endpoint::<approve::Approve>(),
        Operation::Reject => visitor.endpoint::<reject::Reject>(),
        Operation::Withdraw => visitor.endpoint::<withdraw::Withdraw>(),
        Operation::Cancel => visitor.endpoint::<cancel::Cancel>(),
        Operation::Comment => visitor.endpoint::<comment::Comment>(),
        Operation::Events => visitor.endpoint::<events::Events>(),
        Operation::Audit => visitor.endpoint::<audit::Audit>(),
        Operation::Me => visitor.endpoint::<me::Me>(),
        Operation::Stats => visitor.endpoint::<stats::Stats>(),
        Operation::Report => visitor.endpoint::<report::Report>(),
        Operation::Explain => visitor.endpoint::<explain::Explain>(),
        Operation::Start => visitor.endpoint::<start::Start>(),
        Operation::Finish => visitor.endpoint::<finish::Finish>(),
        Operation::Execution => visitor.endpoint::<execution::Execution>(),
        Operation::Claim => visitor.endpoint::<claim::Claim>(),
        Operation::Observe => visitor.endpoint::<observe::Observe>(),
        Operation::Hold => visitor.endpoint::<hold::Hold>(),
        Operation::Release => visitor.endpoint::<hold::Release>(),
        Operation::CreateWebhook => visitor.endpoint::<webhooks::CreateWebhook>(),
        Operation::ListWebhooks => visitor.endpoint::<webhooks::ListWebhooks>(),
        Operation::GetWebhook => visitor.endpoint::<webhooks::GetWebhook>(),
        Operation::ChangeWebhook => visitor.endpoint::<webhooks::ChangeWebhook>(),
        Operation::DeleteWebhook => visitor.endpoint::<webhooks::DeleteWebhook>(),
        Operation::RotateWebhook => visitor.endpoint::<webhooks::RotateWebhook>(),
        Operation::EnableWebhook => visitor.endpoint::<webhooks::EnableWebhook>(),
        Operation::DisableWebhook => visitor.endpoint::<webhooks::DisableWebhook>(),
        Operation::TestWebhook => visitor.endpoint::<webhooks::TestWebhook>(),
        Operation::RedeliverWebhook => visitor.endpoint::<webhooks::RedeliverWebhook>(),
        Operation::WebhookDeliveries => visitor.endpoint::<webhooks::WebhookDeliveries>(),
        Operation::RedeliverDelivery => visitor.endpoint::<webhooks::RedeliverDelivery>(),
        Operation::WebhookEvents => visitor.endpoint::<webhooks::WebhookEvents>(),
        Operation::GetNotifications => visitor.endpoint::<notifications::GetNotifications>(),
        Operation::SetNotifications => visitor.endpoint::<notifications::SetNotifications>(),
        Operation::PreviewNotifications => visitor.endpoint::<notifications::PreviewNotifications>(),
        Operation::Dispatch => visitor.endpoint::<dispatch::Dispatch>(),
        Operation::Health => visitor.public::<health::Health>(),
        Operation::Keys => visitor.public::<keys::Keys>(),
        Operation::Openapi => visitor.public::<health::Openapi>(),
    }
}

/// What the caller names of what they were shown.
fn version(value: &Value) -> Result<u64, String> {
    let version = value.as_u64().filter(|version| *version > 0);
    version.ok_or_else(|| "must be a whole number, the `version` of the request".to_owned())
}

fn shown(fields: &mut Fields) -> Option<Shown> {
    let content_digest = fields.optional("content_digest", string);
    let parameters_digest = fields.optional("parameters_digest", string);
    let version = fields.optional("expected_version", version);
    Some(Shown { content_digest: content_digest?, parameters_digest: parameters_digest?, version: version? })
}

/// An operation that is one command on an existing request.
pub trait CommandEndpoint {
    /// Its operation.
    const OPERATION: Operation;

    /// Reads the command from the fields, the request's id excepted. `None` if a rule is broken.
    fn read(fields: &mut Fields, actor: &Principal) -> Option<Command>;

    /// The answer to a command that is done: the request.
    fn reply<S: CommandStore>(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        done: &Done,
    ) -> impl Future<Output = Result<Reply, Problem>> + Send {
        std::future::ready(Ok(reply(dependencies, actor, done, 200)))
    }
}

impl<O: CommandEndpoint, S: CommandStore> Endpoint<S> for O {
    const OPERATION: Operation = <O as CommandEndpoint>::OPERATION;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let command = O::read(&mut fields, actor);
        let ((id, command), idempotency) = fields.finish(id.zip(command))?;
        let done = command::command(dependencies, id, &command, actor, idempotency.as_ref()).await?;
        O::reply(dependencies, actor, &done).await
    }
}

/// The request as a command left it.
fn reply<S>(dependencies: &Dependencies<S>, actor: &Principal, done: &Done, status: u16) -> Reply {
    reply_with(dependencies, actor, done, status, |body| body)
}

/// The same, with what only this answer says.
fn reply_with<S>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    done: &Done,
    status: u16,
    with: impl FnOnce(RequestBody) -> RequestBody,
) -> Reply {
    let request = &done.request;
    let now = dependencies.host.now();
    let (request_id, after) = (request.id(), request.status_at(now));
    let change = ChangeMade::Request { request_id, event_id: done.event_id, status: after };
    let body = with(RequestBody::of(request, actor, &dependencies.policy, now));
    let reply = Reply { change: Some(change), ..Reply::json(status, &body) };
    if done.is_replay() { reply.with_header(IDEMPOTENT_REPLAYED, "true".to_owned()) } else { reply }
}
