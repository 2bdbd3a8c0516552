//! The largest request that there can be is written and read, and a decision about it still fits: THREATS 43.

use crate::capacity::item_size;
use countersign_app::ports::{ChangeSet, CommitChange as _, LoadRequest as _};
use countersign_core::audit::{self, AuditEvent};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event::Message;
use countersign_core::command::MAX_TARGET_BYTES;
use countersign_core::command::{
    CommandName, Draft, ExecutionOutcome, MAX_PARAMETERS_BYTES, MAX_RESULT_BYTES,
};
use countersign_core::command_context::CommandContext;
use countersign_core::content::Content;
use countersign_core::creation;
use countersign_core::digest::Digest;
use countersign_core::execution::{Claim, Execution, ExecutionMode, Finish, Schedule, Target, Window};
use countersign_core::idempotency::IdempotencyRecord;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::notification::{Notice, Notification};
use countersign_core::person::PersonId;
use countersign_core::policy::people::{MAX_ADDRESSES, MAX_GROUP_NAME, MAX_GROUPS};
use countersign_core::policy::rules::MAX_MATCHED_RULES;
use countersign_core::principal::{Owner, Principal};
use countersign_core::request::{
    Comment, Decision, MAX_COMMENT_BYTES, MAX_COMMENTS, MAX_DECISIONS, MAX_WITHDRAWALS, Request, Status,
    Verdict, Withdrawal,
};
use countersign_core::requirements::MatchedRule;
use countersign_core::slots::{Groups, Slots};
use countersign_core::text::{CommentText, DurationText, Identifier, InstanceId, RollbackPlan, Ticket};
use countersign_core::text_key::{DigestedDocument, KeyedText, TextKey};
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::create_missing;
use countersign_e2e::inspection::{deployment_key, scan, tables};
use countersign_embedded::Embedded;
use serde_json::json;
use std::collections::BTreeSet;

/// DynamoDB's limit of an item, in bytes.
const MAX_ITEM: usize = 400 * 1024;

/// Four bytes in UTF-8, which is the most that a character has.
const WIDE: &str = "𝔸";

fn wide(characters: usize) -> String {
    WIDE.repeat(characters)
}

/// An address of 254 characters.
fn address(owner: usize, number: usize) -> PersonId {
    let domain = format!("{}.{}.{}.example", "d".repeat(60), "e".repeat(60), "f".repeat(59));
    let mut email = format!("{}p{owner:03}n{number}@{domain}", "x".repeat(58));
    email.insert_str(email.len() - 7, &"g".repeat(254_usize.saturating_sub(email.len())));
    PersonId::from_email(&email).unwrap()
}

fn addresses(owner: usize) -> BTreeSet<PersonId> {
    (0..MAX_ADDRESSES).map(|number| address(owner, number)).collect()
}

fn groups() -> Groups {
    (0..MAX_GROUPS).map(|number| format!("{}{number:02}", "g".repeat(MAX_GROUP_NAME - 2))).collect()
}

fn text(characters: usize) -> CommentText {
    CommentText::parse(&wide(characters)).unwrap()
}

fn event_id() -> EventId {
    EventId::parse("01930000-0000-7000-8000-000000000001").unwrap()
}

fn keyed<T>(text: T) -> KeyedText<T> {
    KeyedText::Kept { text, key: TextKey::new([7; 16]) }
}

/// As large as every limit lets a request become.
pub(crate) fn worst() -> (Request, AuditEvent, Message) {
    let parameters = json!({ "a": "x".repeat(MAX_PARAMETERS_BYTES - 8) });
    let mut draft = Draft::new("o", "i", &parameters, "production", &wide(4000)).unwrap();
    draft.operation_type = Identifier::parse(&"o".repeat(128)).unwrap();
    draft.instance_id = InstanceId::parse(&"i".repeat(InstanceId::MAX)).unwrap();
    draft.ticket = Some(Ticket::parse(&"t".repeat(Ticket::MAX)).unwrap());
    draft.rollback_plan = Some(RollbackPlan::parse(&wide(4000)).unwrap());
    draft.estimated_duration = Some(DurationText::parse(&wide(200)).unwrap());
    let ann = Principal::assumed(address(0, 0), PrincipalKind::Human, Channel::Local, ["developer"]);
    let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let execution_id = ExecutionId::parse("01930000-0000-7000-8000-0000000000ee").unwrap();
    let context = CommandContext { now, event_id: event_id(), execution_id, text_key: TextKey::new([7; 16]) };
    let id = RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
    let policy = countersign_policy::load::bundled().unwrap();
    let assessment = creation::assess(&draft, &ann, &policy);
    let event = creation::create(id, draft, &assessment, &ann, &context, &policy, None).unwrap();
    let mut request = Request::create(&event).unwrap();
    assert_eq!(request.content.justification.text(), Some(wide(4000).as_str()));

    request.content = Content {
        requester_addresses: addresses(0),
        requester_groups: groups(),
        owner: Some(Owner { person: address(1, 0), addresses: addresses(1) }),
        filed_by: Some(PersonId::service(&"s".repeat(128)).unwrap()),
        executor: Some(Identifier::parse(&"e".repeat(128)).unwrap()),
        schedule: Schedule {
            mode: ExecutionMode::Automatic,
            execute_at: Some(now),
            window: Some(Window { from: now, to: now }),
        },
        slots: Slots::new(groups().into_iter().take(10).map(|group| (Groups::from([group]), 1))),
        approvals_required: 10,
        rules: vec![
            MatchedRule {
                name: format!("rules.{}", "r".repeat(64)),
                demands: vec!["d".repeat(100); 10]
            };
            MAX_MATCHED_RULES
        ],
        ..Content::clone(&request.content)
    }
    .into();
    request.decisions = (0..MAX_DECISIONS)
        .map(|number| Decision {
            person: address(10 + number, 0),
            addresses: addresses(10 + number),
            verdict: Verdict::Approved,
            at: now,
            comment: Some(keyed(text(2000))),
            groups: groups(),
            digest_presented: true,
            channel: Channel::Direct,
            source_ip: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()),
            policy_version: Digest::of("policy"),
            event_id: EventId::parse(&format!("01930000-0000-7000-8000-0000000001{number:02}")).unwrap(),
        })
        .collect();
    request.withdrawals = (0..MAX_WITHDRAWALS)
        .map(|number| Withdrawal { person: address(30 + number, 0), at: now, event_id: event_id() })
        .collect();
    let characters = MAX_COMMENT_BYTES / MAX_COMMENTS / WIDE.len();
    request.comments = (0..MAX_COMMENTS)
        .map(|_| Comment {
            person: address(50, 0),
            at: now,
            text: keyed(text(characters)),
            event_id: event_id(),
        })
        .collect();
    // Every comment and decision, as many approvals again that were withdrawn, the withdrawals, and the
    // creation, the observation, the start, the claim and the finish.
    let commands = MAX_COMMENTS + MAX_DECISIONS + 2 * MAX_WITHDRAWALS + 5;
    request.idempotency = (0..commands)
        .map(|_| IdempotencyRecord {
            person: address(60, 0),
            command: CommandName::Withdraw,
            key_digest: Digest::of("key"),
            body_digest: Digest::of("body"),
        })
        .collect();
    request.status = Status::Executed;
    request.approved_at = Some(now);
    request.execute_by = Some(now.plus_seconds(86_400));
    request.expired_at = None;
    request.execution = Some(Execution {
        id: execution_id,
        started_by: address(0, 0),
        started_at: now,
        policy_version: Digest::of("policy"),
        permit_expires_at: now,
        lease_seconds: u32::MAX,
        lease_until: now,
        claim: Some(Claim { by: address(61, 0), at: now }),
        unknown_since: Some(now),
        finish: Some(Finish {
            at: now,
            outcome: ExecutionOutcome::Succeeded,
            result: Some(keyed(CanonicalJson::of(&json!(
                "r".repeat(MAX_RESULT_BYTES - MAX_TARGET_BYTES - 2)
            )))),
            actual_cost: None,
            note: None,
        }),
    });
    // Target, result and note have one limit together: as two of them they are as large as they get.
    let found = json!({ "t": "t".repeat(MAX_TARGET_BYTES - 8) });
    request.target = Some(Target {
        by: address(62, 0),
        at: now,
        document: DigestedDocument::Kept(CanonicalJson::of(&found)),
    });
    let key = deployment_key();
    let record = AuditEvent::record(&event, &request, &key);
    request.audit_head = record.hash;
    request.seal = audit::seal(&request, &key);
    let message = Message::of(&Notice::Event(Box::new(Notification::of(&event, &request))), &key);
    (request, record, message)
}

#[test]
fn threat_43_the_largest_request_that_there_can_be_fits_into_an_item() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = countersign_embedded::client(Embedded::in_memory().unwrap());
        create_missing(&client, &tables()).await.unwrap();
        let store = DynamoStore::new(client.clone(), tables());
        let (request, record, message) = worst();
        let addresses = BTreeSet::new();
        let change = ChangeSet {
            before: None,
            after: &request,
            audit: &record,
            addresses: &addresses,
            message: &message,
            timer: None,
            continuation: None,
        };
        store.commit(change).await.unwrap();
        assert_eq!(store.load(request.id()).await.unwrap().unwrap(), request);
        let item = scan(&client, &tables().approvals).await.remove(0);
        let size = item_size(&item);
        assert!(size < MAX_ITEM, "{size} bytes of {MAX_ITEM}");
        assert!(size > MAX_ITEM / 2, "{size} bytes are not the worst");
    });
}
