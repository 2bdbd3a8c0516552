//! The story as an entry of a list, and its reader.

use super::{CURSOR, Story, policy};
use crate::wire::{ListBody, MeBody, RequestBody};
use countersign_app::held::HeldRequest;
use countersign_app::list::{Listed, ListedRequest};
use countersign_app::me::Me;
use countersign_app::ports::RequestSummary;
use countersign_core::hold::{HoldTerms, hold};
use countersign_core::open_decision::OpenDecision;
use serde_json::Value;

/// An approver, as policy knows them.
pub(super) fn me() -> Option<Value> {
    let approver = Story::actor("dan@example.com", "approver")?;
    let me = Me {
        person: approver.person,
        kind: approver.kind,
        groups: approver.groups,
        sees_all: true,
        may_query_audit: false,
    };
    serde_json::to_value(MeBody::of(&me)).ok()
}

impl Story {
    pub(super) fn listed(&self) -> Option<Value> {
        let request = &self.request;
        let summary = RequestSummary {
            id: request.id(),
            operation_type: request.content.operation_type.clone(),
            instance_id: request.content.instance_id.clone(),
            requested_by: request.content.requested_by.clone(),
            requested_at: request.content.requested_at,
            risk_level: request.content.risk_level,
            environment: request.content.environment,
            estimated_cost: request.content.estimated_cost,
            status: request.status_at(self.at),
            approvals_required: request.content.approvals_required,
            requester_addresses: request.content.requester_addresses.clone(),
            filed_by: request.content.filed_by.clone(),
            owner: request.content.owner.clone(),
            requester_groups: request.content.requester_groups.clone(),
            digest_required: request.content.digest_required,
            decisions: request.decisions.clone(),
            expires_at: request.content.expires_at,
            execute_by: request.execute_by,
            execution_started_at: None,
            executed_at: None,
            closed_at: None,
        };
        let approver = Self::actor("dan@example.com", "approver")?;
        let open_decision = OpenDecision::of(&summary, &approver, &policy()?, self.at);
        let page = Listed {
            items: vec![ListedRequest { summary, open_decision: Some(open_decision), hold: None }],
            next_cursor: Some(CURSOR.to_owned()),
            damaged: 0,
        };
        serde_json::to_value(ListBody::of(&page, &policy()?)).ok()
    }

    /// Claimed by the approver to whom it is shown.
    pub(super) fn held(&self) -> Option<Value> {
        let approver = Self::actor("bob@example.com", "approver")?;
        let (policy, context) = (policy()?, Self::context(self.at, self.events.len() + 1)?);
        let hold = hold(&self.request, None, HoldTerms::default(), &approver, &context, &policy).ok()?;
        let held = HeldRequest { request: self.request.clone(), hold: Some(hold) };
        serde_json::to_value(RequestBody::held(&held, &approver, &policy, self.at)).ok()
    }
}
