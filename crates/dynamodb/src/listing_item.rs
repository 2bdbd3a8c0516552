//! What a list needs of a request besides the attributes of the original schema: one attribute of its item,
//! projected into every index. What people said with their decisions stands beside it.

use crate::attribute::{
    InvalidAttribute, all_addresses, keyed, other_addresses, read, read_keyed, read_option, text,
};
use countersign_core::digest::Digest;
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::request::{Decision, Request};
use countersign_core::slots::Groups;
use countersign_core::source_address::SourceAddress;
use countersign_core::text::CommentText;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What a list needs of a request besides the attributes of the original schema. One attribute, so that
/// a new member needs no new index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListingItem {
    digest_required: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requester_groups: Vec<String>,
    decisions: Vec<DecisionItem>,
    /// By it the sweep that erases passes over what is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DecisionCommentItem {
    event_id: String,
    text: String,
    text_key: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DecisionItem {
    person: String,
    /// Besides `person`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    decision: String,
    at: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    digest_presented: bool,
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
    policy_version: String,
    event_id: String,
}

pub(crate) fn decision_comment(decision: &Decision) -> Option<DecisionCommentItem> {
    let comment = decision.comment.as_ref()?;
    let (text, text_key) = keyed(comment);
    Some(DecisionCommentItem { event_id: decision.event_id.to_string(), text, text_key })
}

impl From<&Decision> for DecisionItem {
    fn from(decision: &Decision) -> Self {
        Self {
            person: decision.person.to_string(),
            addresses: other_addresses(&decision.addresses, &decision.person),
            decision: decision.verdict.as_str().to_owned(),
            at: decision.at.to_string(),
            groups: decision.groups.iter().cloned().collect(),
            digest_presented: decision.digest_presented,
            channel: decision.channel.as_str().to_owned(),
            source_ip: text(decision.source_ip),
            policy_version: decision.policy_version.to_string(),
            event_id: decision.event_id.to_string(),
        }
    }
}

impl TryFrom<&DecisionItem> for Decision {
    type Error = InvalidAttribute;

    fn try_from(item: &DecisionItem) -> Result<Self, InvalidAttribute> {
        Ok(Self {
            person: read("decisions.person", &item.person, PersonId::from_stored)?,
            addresses: all_addresses("decisions.addresses", &item.addresses, &item.person)?,
            verdict: read("decisions.decision", &item.decision, str::parse)?,
            at: read("decisions.at", &item.at, Timestamp::parse)?,
            groups: item.groups.iter().cloned().collect(),
            digest_presented: item.digest_presented,
            channel: read("decisions.channel", &item.channel, str::parse)?,
            source_ip: read_option("decisions.source_ip", item.source_ip.as_ref(), |text| {
                text.parse::<SourceAddress>()
            })?,
            comment: None,
            policy_version: read("decisions.policy_version", &item.policy_version, Digest::parse)?,
            event_id: read("decisions.event_id", &item.event_id, EventId::parse)?,
        })
    }
}

impl From<&Request> for ListingItem {
    fn from(request: &Request) -> Self {
        Self {
            digest_required: request.content.digest_required,
            requester_groups: request.content.requester_groups.iter().cloned().collect(),
            decisions: request.decisions.iter().map(DecisionItem::from).collect(),
            erased_at: text(request.erased_at),
        }
    }
}

impl ListingItem {
    /// The decisions, without what was said with them.
    pub(crate) fn decisions(&self) -> Result<Vec<Decision>, InvalidAttribute> {
        self.decisions.iter().map(Decision::try_from).collect()
    }

    /// When parameters and texts were erased.
    pub(crate) fn erased_at(&self) -> Result<Option<Timestamp>, InvalidAttribute> {
        read_option("listing.erased_at", self.erased_at.as_ref(), Timestamp::parse)
    }

    /// The groups of the requester when the request was made.
    pub(crate) fn requester_groups(&self) -> Groups {
        self.requester_groups.iter().cloned().collect()
    }

    /// Whether an approver must name the digest of what they were shown.
    pub(crate) fn digest_required(&self) -> bool {
        self.digest_required
    }
}

/// The decisions, with what was said with them.
pub(crate) fn decisions(
    listing: &ListingItem,
    comments: &[DecisionCommentItem],
) -> Result<Vec<Decision>, InvalidAttribute> {
    let mut decisions = listing.decisions()?;
    for comment in comments {
        let event_id = read("decision_comments.event_id", &comment.event_id, EventId::parse)?;
        let text =
            read_keyed("decision_comments.text", &comment.text, &comment.text_key, CommentText::parse)?;
        let decision = decisions.iter_mut().find(|decision| decision.event_id == event_id);
        decision.ok_or(InvalidAttribute::Value("decision_comments"))?.comment = Some(text);
    }
    Ok(decisions)
}
