//! Changes that go around the core, as if it had decided wrongly: what the database itself refuses.

use crate::inspection::deployment_key;
use crate::service::Service;
use countersign_app::host::{Clock as _, Host as _, Ids as _};
use countersign_app::ports::{ChangeSet, CommitChange as _, CommitError};
use countersign_core::audit::{self, AuditEvent};
use countersign_core::cloud_event::Message;
use countersign_core::event::{Change, Event};
use countersign_core::notification::{Notice, Notification};
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_dynamodb::store::DynamoStore;

/// Writes a change that no command has made, at a place of the request's trail.
pub fn commit(
    service: &Service,
    store: &DynamoStore,
    before: &Request,
    actor: &Principal,
    sequence: u64,
    change: Change,
) -> Result<(), CommitError> {
    let event = Event {
        id: service.host.event_id(),
        request_id: before.id(),
        sequence,
        at: service.host.now(),
        user: actor.person.clone(),
        kind: actor.kind,
        channel: actor.channel,
        addresses: actor.addresses.clone(),
        source_ip: actor.source_ip,
        authentication: actor.authentication.clone(),
        text_key: service.host.command_context().text_key,
        status: Status::Pending,
        change,
        idempotency: None,
    };
    let mut after = before.clone();
    after.apply(&event);
    let key = deployment_key();
    let audit = AuditEvent::record(&event, &after, &key);
    after.audit_head = audit.hash;
    after.seal = audit::seal(&after, &key);
    let message = Message::of(&Notice::Event(Box::new(Notification::of(&event, &after))), &key);
    let change = ChangeSet {
        before: Some(before),
        after: &after,
        audit: &audit,
        addresses: &actor.addresses,
        message: &message,
        timer: None,
        continuation: None,
    };
    service.block_on(store.commit(change))
}
