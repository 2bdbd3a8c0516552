//! A check of everything in a store: state, trail and outbox belong together.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_app::ports::{LoadEvents, LoadHold, LoadRequest};
use countersign_audit::evidence::assembly::{Draft, Sources};
use countersign_audit::evidence::verification::{Demands, verify};
use countersign_audit::key::{KeyStatus, PrivateKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_core::audit::{self, Stream, replay};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::RequestId;
use countersign_core::origin::Origin;
use countersign_core::request::{Request, Status};
use countersign_dynamodb::keys::{COUNTED, HOLD, SHARD, STREAM};
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The secret bytes of [`deployment_key`].
pub const DEPLOYMENT_KEY: [u8; 32] = [9; 32];

/// The deployment's key of services under test.
pub fn deployment_key() -> DeploymentKey {
    DeploymentKey::new(DEPLOYMENT_KEY)
}

/// The tables that the program makes for itself.
pub fn tables() -> TableNames {
    TableNames::of_environment("local")
}

/// Every item of a table.
pub async fn scan(client: &Client, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = client.scan().table_name(table).set_exclusive_start_key(start).send().await.expect("scan");
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() {
            return items;
        }
    }
}

/// Reads the whole store and fails unless every request has exactly the events that made it what
/// it is. Gives the requests back.
///
/// # Panics
/// When anything does not belong together.
pub async fn check(client: &Client) -> Vec<Request> {
    check_with(client, &deployment_key()).await
}

/// The same of a store that was written under another key.
///
/// # Panics
/// When anything does not belong together.
pub async fn check_with(client: &Client, key: &DeploymentKey) -> Vec<Request> {
    let store = DynamoStore::new(client.clone(), tables());
    let mut trails: BTreeMap<String, usize> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for item in scan(client, &tables().audit).await {
        let stream = string(&item, "stream");
        match stream.strip_prefix("request/") {
            Some(id) => *trails.entry(id.to_owned()).or_default() += 1,
            // What is a leaf of the log is no event.
            None if stream.starts_with("leaf/") => {}
            None => drop(others.insert(stream)),
        }
    }
    for name in others {
        let stream = Stream::parse(&name).unwrap();
        let trail = store.load_stream(&stream).await.unwrap();
        assert_eq!(trail.damaged, Vec::<String>::new(), "{name}");
        audit::verify_records(&stream, &Origin::of(key), &trail.events)
            .unwrap_or_else(|finding| panic!("{name}: {finding}"));
    }
    let mut requests = Vec::new();
    for item in scan(client, &tables().approvals).await {
        let id = string(&item, "request_id");
        // Who looks at a request is an item of its own, and of no trail.
        if let Some(of) = id.strip_prefix(HOLD) {
            store.load_hold(RequestId::parse(of).unwrap()).await.unwrap().expect("it was just there");
            continue;
        }
        let events_written = trails.remove(&id).unwrap_or_default();
        let id = RequestId::parse(&id).unwrap();
        // Loading checks that no attribute contradicts another.
        let request = store.load(id).await.unwrap().expect("it was just there");
        check_request(&store, &request, key).await;
        if requests.len() < EVIDENCE_OF {
            check_evidence(&store, &request).await;
        }
        assert_eq!(events_written as u64, request.version, "{id}: as many events as changes");
        requests.push(request);
    }
    assert!(trails.is_empty(), "events without a request: {trails:?}");
    requests
}

/// Fails unless a request has exactly the events that made it what it is.
///
/// # Panics
/// When anything does not belong together.
pub async fn check_request(store: &DynamoStore, request: &Request, key: &DeploymentKey) {
    check_rules(request);
    let id = request.id();
    let trail = store.load_events(id).await.unwrap();
    assert_eq!(trail.damaged, Vec::<String>::new(), "{id}");
    let events = trail.events;
    let origin = Origin::of(key);
    replay::check(request, &events, Some(&origin)).unwrap_or_else(|finding| panic!("{id}: {finding}"));
    assert_eq!(audit::seal(request, key), request.seal, "{id}: the seal");
    // A comment may follow the end; nothing else does.
    let statuses: Vec<_> =
        events.iter().filter_map(|event| event.request.as_ref()).map(|about| about.status).collect();
    if let Some(end) = statuses.iter().position(|status| !status.is_open()) {
        assert!(statuses.iter().skip(end).all(|status| *status == statuses[end]), "{id}: {statuses:?}");
    }
}

/// Of how many requests of a store evidence is made: it takes some milliseconds of each.
const EVIDENCE_OF: usize = 200;

/// Fails unless evidence of a request can be made, and is believed.
async fn check_evidence(store: &DynamoStore, request: &Request) {
    let id = request.id();
    let events = store.load_events(id).await.unwrap().events;
    let events: Vec<_> = events.into_iter().map(|event| (event, None)).collect();
    let private = PrivateKey::from_bytes(&[11; 32]);
    let key = private.public(Purpose::Evidence, KeyStatus::Current);
    for redacted in [false, true] {
        let sources = Sources {
            request,
            events: &events,
            policies: &[countersign_policy::load::BUNDLED],
            permit: None,
            made_at: request.updated_at,
            redacted,
        };
        let draft = Draft::assemble(sources).unwrap_or_else(|unmade| panic!("{id}: {unmade:?}"));
        let signature = private.sign(&draft.signed_bytes());
        let evidence = draft.with_signature(&key, &signature).unwrap();
        let verified = verify(evidence.as_bytes(), &KeySet::new(vec![key.clone()]), Demands::default());
        assert_eq!(verified.map(|verified| verified.pending.len()), Ok(events.len()), "{id}");
    }
}

fn check_rules(request: &Request) {
    let id = request.id();
    let people: BTreeSet<_> = request.decisions.iter().map(|decision| &decision.person).collect();
    assert_eq!(people.len(), request.decisions.len(), "{id}: one decision per person");
    assert!(!people.contains(&request.content.requested_by), "{id}: nobody decides their own");
    assert!(
        request.content.owner.as_ref().is_none_or(|owner| !people.contains(&owner.person)),
        "{id}: nor one's agent's"
    );
    let groups: Vec<_> = request.approvals().map(|decision| &decision.groups).collect();
    let enough = request.content.slots.fill(request.content.approvals_required, &groups).is_complete();
    match request.status {
        Status::Approved | Status::Executing | Status::Executed | Status::Failed => {
            assert!(enough, "{id}: {} with too few approvals", request.status);
        }
        Status::Pending => assert!(!enough, "{id}: stuck in pending"),
        Status::Rejected | Status::Expired | Status::Cancelled => {}
    }
}

/// One request, past the API.
///
/// # Panics
/// When there is none of this id.
pub async fn load(client: &Client, id: &str) -> Request {
    let store = DynamoStore::new(client.clone(), tables());
    store.load(RequestId::parse(id).unwrap()).await.unwrap().expect("a request")
}

/// Every item of every table, as text: equal if and only if nothing was written in between.
pub async fn snapshot(client: &Client) -> BTreeSet<String> {
    snapshot_of(client, |_| true).await
}

/// As [`snapshot`], without what is written down of an attempt that was refused.
pub async fn snapshot_without_attempts(client: &Client) -> BTreeSet<String> {
    let is_text = |item: &HashMap<String, AttributeValue>, name: &str, holds: fn(&str) -> bool| {
        item.get(name).and_then(|value| value.as_s().ok()).is_some_and(|text| holds(text))
    };
    snapshot_of(client, |item| {
        !is_text(item, STREAM, |stream| stream.starts_with("refused/"))
            && !is_text(item, SHARD, |shard| shard == COUNTED)
    })
    .await
}

async fn snapshot_of(
    client: &Client,
    is_of_interest: impl Fn(&HashMap<String, AttributeValue>) -> bool,
) -> BTreeSet<String> {
    let tables = tables();
    let mut items = BTreeSet::new();
    for table in [&tables.approvals, &tables.audit, &tables.outbox] {
        for item in scan(client, table).await {
            if is_of_interest(&item) {
                items.insert(format!("{table}: {}", text(&AttributeValue::M(item))));
            }
        }
    }
    items
}

/// An attribute in one spelling: the members of a map in order.
fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(members) => {
            let members: BTreeMap<_, _> = members.iter().map(|(name, value)| (name, text(value))).collect();
            format!("{members:?}")
        }
        AttributeValue::L(elements) => format!("{:?}", elements.iter().map(text).collect::<Vec<_>>()),
        scalar => format!("{scalar:?}"),
    }
}

/// The ids of the events that wait in the outbox or are dead letters.
pub async fn outbox(client: &Client) -> BTreeSet<String> {
    let items = scan(client, &tables().outbox).await;
    let is_message = |item: &&HashMap<_, _>| !["timer", "log"].contains(&string(item, "shard").as_str());
    let messages = items.iter().filter(is_message).filter(|item| !item.contains_key("published"));
    messages.map(|item| string(item, "event_id")).collect()
}

/// The ids of all audit events but those of anomalies, which follow from the others and are not published.
pub async fn events(client: &Client) -> BTreeSet<String> {
    let items = scan(client, &tables().audit).await;
    let is_other = |stream: &str| stream.starts_with("leaf/") || stream.starts_with("system/anomalies:");
    let events = items.iter().filter(|item| !is_other(&string(item, "stream")));
    events.map(|item| string(item, "event_id")).collect()
}

fn string(item: &HashMap<String, AttributeValue>, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).expect("a string").clone()
}

/// Writes or removes one attribute of a request past every rule, and gives what stood there.
///
/// # Panics
/// When there is no such request.
pub async fn replace_attribute(
    client: &Client,
    id: &str,
    attribute: &str,
    value: Option<AttributeValue>,
) -> Option<AttributeValue> {
    let key = AttributeValue::S(id.to_owned());
    let table = tables().approvals;
    let found = client.get_item().table_name(&table).key("request_id", key).send().await.unwrap();
    let mut item = found.item.expect("a request");
    let before = match value {
        Some(value) => item.insert(attribute.to_owned(), value),
        None => item.remove(attribute),
    };
    client.put_item().table_name(&table).set_item(Some(item)).send().await.unwrap();
    before
}
