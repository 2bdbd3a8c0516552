//! What a message to a configured destination is for, and what it says besides its event. It is fixed when the delivery is
//! made, so that each attempt says the same.

use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// Names the set of members of a [`Part`]. Another set gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PartFormat {
    /// The first.
    #[default]
    #[serde(rename = "countersign.part.v1")]
    V1,
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// It asks for an approval.
    Act,
    /// The approval that was asked for is wanted no more.
    Closing,
    /// It says what became of a request, to those whose request it is.
    Outcome,
    /// A message that is there already changes.
    Update,
    /// It informs.
    Information,
    /// An approver has claimed the request: where an incident is open, it is acknowledged.
    Claimed,
    /// It is a report, and so about no request.
    Report,
}

/// An approver who was looking at the request when the message was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The approver.
    pub by: PersonId,
    /// The time at which the claim ends by itself.
    pub until: Timestamp,
}

/// What time, and no event, has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// The request expires in so many seconds.
    ExpiresIn(u32),
    /// The request has waited for so many seconds.
    EscalatedAfter(u32),
}

/// What a message is for, for whom, and what it says besides its event. As it is stored: absent members are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The set of members.
    pub format: PartFormat,
    /// What it is for.
    pub kind: PartKind,
    /// The e-mail address; or the id of a channel or person in Slack, or the e-mail address to find them by. None where the
    /// destination has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who should act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// What became of the request, and what to do next: a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Why it is sent, if it is for no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// The priority of the request: `P1` to `P4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The approver who is looking at the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Whether it waits for the end of quiet hours, or for a digest: what waits together is one message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_held: bool,
}

impl Part {
    /// A message for something, and no more.
    pub fn new(kind: PartKind) -> Self {
        Self {
            format: PartFormat::V1,
            kind,
            address: None,
            who: Vec::new(),
            lines: Vec::new(),
            urgency: None,
            priority: None,
            claim: None,
            is_held: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_stored_by_the_names_of_its_members_and_read_back() {
        let part = Part {
            address: Some("ann@example.com".to_owned()),
            who: vec!["ann@example.com".to_owned()],
            urgency: Some(Urgency::ExpiresIn(600)),
            claim: Some(Claim {
                by: PersonId::from_email("bob@example.com").unwrap(),
                until: Timestamp::from_millisecond(1_769_900_400_000),
            }),
            is_held: true,
            ..Part::new(PartKind::Act)
        };
        let stored = serde_json::to_value(&part).unwrap();
        assert_eq!(stored["format"], "countersign.part.v1");
        assert_eq!(stored["urgency"]["expires_in"], 600);
        assert_eq!(serde_json::from_value::<Part>(stored.clone()).unwrap(), part);
        let mut another = stored;
        another["format"] = "countersign.part.v2".into();
        assert!(serde_json::from_value::<Part>(another).is_err());
    }
}
