//! The database itself refuses what must never be written, even from code that decided wrongly:
//! these changes go around the core.

use countersign_app::ports::{CommitError, LoadRequest};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::digest::Digest;
use countersign_core::event::Change;
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::request::Request;
use countersign_core::slots::Groups;
use countersign_core::text::CommentText;
use countersign_dynamodb::store::DynamoStore;
use countersign_e2e::forged_commit;
use countersign_e2e::inspection;
use countersign_e2e::service::Service;

/// A request that `bob` has approved and that waits for one more.
fn half_approved(service: &Service) -> (DynamoStore, Request) {
    let path = Service::create(&service.requester("ann"), &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let store = DynamoStore::new(service.database.clone(), inspection::tables());
    let id = RequestId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let request = service.block_on(store.load(id)).unwrap().unwrap();
    (store, request)
}

/// Writes a change as if the core had decided it.
fn commit(
    service: &Service,
    store: &DynamoStore,
    before: &Request,
    user: &str,
    sequence: u64,
    change: Change,
) -> Result<(), CommitError> {
    commit_as(service, store, before, &[user], sequence, change)
}

/// The same, by somebody with several addresses; the first is the one they are known by.
fn commit_as(
    service: &Service,
    store: &DynamoStore,
    before: &Request,
    addresses: &[&str],
    sequence: u64,
    change: Change,
) -> Result<(), CommitError> {
    let mut ids = addresses.iter().map(|address| PersonId::from_email(address).unwrap());
    let mut actor = Principal::assumed(ids.next().unwrap(), PrincipalKind::Human, Channel::Local, []);
    actor.addresses.extend(ids);
    forged_commit::commit(service, store, before, &actor, sequence, change)
}

fn granted() -> Change {
    Change::Granted {
        comment: None,
        execute_by: None,
        groups: Groups::new(),
        digest_presented: false,
        policy_version: Digest::ZERO,
        replaces: Vec::new(),
    }
}

fn commented() -> Change {
    Change::Commented { text: CommentText::parse("hello").unwrap() }
}

#[test]
fn the_requester_is_refused_by_the_database() {
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let version = request.version + 1;
    let result = commit(&service, &store, &request, "ann@example.com", version, granted());
    assert_eq!(result, Err(CommitError::Conflict));
}

#[test]
fn a_second_approval_of_one_person_is_refused_by_the_database() {
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let version = request.version + 1;
    let result = commit(&service, &store, &request, "bob@example.com", version, granted());
    assert_eq!(result, Err(CommitError::Conflict));
}

/// THREATS 5: whichever of somebody's addresses stands on the request.
#[test]
fn another_address_of_the_requester_or_an_approver_is_refused_by_the_database() {
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let version = request.version + 1;
    for known in ["ann@example.com", "bob@example.com"] {
        let addresses = ["annabel@example.com", known];
        let result = commit_as(&service, &store, &request, &addresses, version, granted());
        assert_eq!(result, Err(CommitError::Conflict), "{known}");
    }
}

/// THREATS 5: an address that was the requester's when they asked, whatever policy says of it since.
#[test]
fn an_address_that_the_requester_had_is_refused_by_the_database() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let addresses = Some(AttributeValue::L(vec![AttributeValue::S("anna@example.com".to_owned())]));
    let id = request.id().to_string();
    service.block_on(inspection::replace_attribute(&service.database, &id, "requester_addresses", addresses));
    let version = request.version + 1;
    let result = commit(&service, &store, &request, "anna@example.com", version, granted());
    assert_eq!(result, Err(CommitError::Conflict));
    service.block_on(inspection::replace_attribute(&service.database, &id, "requester_addresses", None));
}

/// THREATS 6: whoever answers for the agent that asks, by any address that was theirs.
#[test]
fn the_owner_of_an_agent_is_refused_by_the_database() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let id = request.id().to_string();
    let version = request.version + 1;
    let carol = AttributeValue::S("carol@example.com".to_owned());
    for (attribute, value) in [("owner", carol.clone()), ("owner_addresses", AttributeValue::L(vec![carol]))]
    {
        service.block_on(inspection::replace_attribute(&service.database, &id, attribute, Some(value)));
        let result = commit(&service, &store, &request, "carol@example.com", version, granted());
        assert_eq!(result, Err(CommitError::Conflict), "{attribute}");
        service.block_on(inspection::replace_attribute(&service.database, &id, attribute, None));
    }
}

#[test]
fn a_stale_change_is_refused_even_where_its_place_in_the_trail_is_free() {
    let service = Service::start();
    let (store, stale) = half_approved(&service);
    let version = stale.version + 1;
    commit(&service, &store, &stale, "dan@example.com", version, commented()).unwrap();
    let result = commit(&service, &store, &stale, "eve@example.com", version + 7, commented());
    assert_eq!(result, Err(CommitError::Conflict));
}

#[test]
fn an_audit_event_is_never_written_over() {
    let service = Service::start();
    let (store, request) = half_approved(&service);
    // The version is right; the place in the trail is taken.
    let result = commit(&service, &store, &request, "dan@example.com", request.version, commented());
    assert_eq!(result, Err(CommitError::Conflict));
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let service = Service::start();
    let (store, request) = half_approved(&service);
    let everything = |service: &Service| {
        service.block_on(async {
            (
                inspection::scan(&service.database, &inspection::tables().approvals).await,
                inspection::events(&service.database).await,
                inspection::outbox(&service.database).await,
            )
        })
    };
    let before = everything(&service);
    let version = request.version + 1;
    commit(&service, &store, &request, "bob@example.com", version, granted()).unwrap_err();
    assert_eq!(everything(&service), before);
}

/// An item that was edited by hand is not believed: neither shown nor acted on.
#[test]
fn an_item_edited_by_hand_is_refused() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for (attribute, value) in [
        ("status", text("approved")),
        ("status", text("executed")),
        ("status", text("nonsense")),
        ("approvals_required", AttributeValue::N("1".to_owned())),
        ("approvals_received", AttributeValue::N("2".to_owned())),
        ("approved_by", AttributeValue::L(vec![text("bob@example.com"), text("cat@example.com")])),
        ("parameters", text("{\"target_instance_class\":\"db.r6g.16xlarge\"}")),
        ("parameters", text("{ }")),
        ("parameters_digest", text(&"0".repeat(64))),
        ("requested_by", text("Bob@example.com")),
        ("rejected_by", text("cat@example.com")),
        ("status_key", text("approved")),
        ("status_at", text("2030-01-01T00:00:00.000Z")),
        ("status_at", text("2030-01-01T00:00:00.000Z#01930000-0000-7000-8000-000000000000")),
        ("open_key", text("ann@example.com#approved")),
        ("open_key", text("bob@example.com#pending")),
        ("made_at", text("2030-01-01T00:00:00.000Z#01930000-0000-7000-8000-000000000000")),
        ("expires_at", text("2030-01-01T00:00:00.000Z")),
        ("version", AttributeValue::N("-1".to_owned())),
        ("audit_head", text("short")),
    ] {
        let service = Service::start();
        let (_, request) = half_approved(&service);
        let path = format!("/v1/approvals/{}", request.id());
        let original = service.block_on(inspection::replace_attribute(
            &service.database,
            &request.id().to_string(),
            attribute,
            Some(value.clone()),
        ));
        let context = format!("{attribute}: {value:?}");
        for answer in [
            service.requester("ann").get(&path),
            Service::approve(&service.approver("cat"), &path),
            service.requester("ann").post(&format!("{path}/execution"), &serde_json::json!({})),
        ] {
            assert_eq!((answer.status, &answer.body["code"]), (409, &"integrity".into()), "{context}");
        }
        service.block_on(inspection::replace_attribute(
            &service.database,
            &request.id().to_string(),
            attribute,
            original,
        ));
    }
}
