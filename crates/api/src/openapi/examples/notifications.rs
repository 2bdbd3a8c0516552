//! How a person hears, and who would hear of the request of the examples.

use super::Story;
use crate::wire::{NotificationsBody, PreviewBody};
use countersign_app::notifies::previewed;
use countersign_app::preferences::{checked, shown};
use countersign_core::person::PersonId;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::Planning;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FILE: &str = "\
[destinations.mail]
kind = 'email'
from = 'countersign@example.com'
transport = 'ses'
[destinations.team]
kind = 'slack_bot'
token = 'env:SLACK_TOKEN'
channel = 'C0123456789'
[groups.approver]
members = ['bob@example.com', 'dan@example.com']
[groups.dba]
members = ['cleo@example.com']
[routes.approvals]
to = ['approvers']
via = ['mail', 'team']
[reminders.soon]
before_expiry_seconds = [3600]
[escalations]
[defaults]
channels = ['mail']
";

pub(super) fn settings() -> Vec<(&'static str, Value)> {
    let hours = json!({
        "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "from": "18:00", "to": "08:00", "zone": "Europe/Vienna",
    });
    vec![
        (
            "everything",
            json!({
                "version": 0,
                "channels": ["mail"],
                "quiet_hours": [hours],
                "muted_events": ["COMMENT_ADDED"],
                "digest": { "period": "daily", "at": "08:00", "zone": "Europe/Vienna" },
            }),
        ),
        ("as_the_file_has_it", json!({ "version": 1 })),
    ]
}

fn configuration() -> Option<Configuration> {
    let groups = super::policy()?.people().groups().clone();
    Configuration::parse(FILE, &groups).ok()
}

/// Answers, by name. `story` waits for its approvals.
pub(super) fn answers(story: &Story) -> Option<Vec<(&'static str, Value)>> {
    let configuration = configuration()?;
    let (_, body) = settings().into_iter().next()?;
    let said = checked(&body, &configuration).ok()?.at_version(1);
    let bob = PersonId::from_email("bob@example.com").ok()?;
    let mine = shown(said.clone(), Vec::new(), &configuration);
    let (policy, preferences) = (super::policy()?, BTreeMap::from([(bob, said)]));
    let planning = Planning { configuration: &configuration, policy: &policy, preferences: &preferences };
    let preview = previewed(&planning, story.request.clone(), story.at);
    Some(vec![
        ("notifications", serde_json::to_value(NotificationsBody::from(&mine)).ok()?),
        ("notifies", serde_json::to_value(PreviewBody::from(&preview)).ok()?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_could_approve_are_in_the_example() {
        let answers: BTreeMap<_, _> = answers(&Story::begin().unwrap()).unwrap().into_iter().collect();
        let now = &answers["notifies"]["occasions"][0];
        let people = |message: &Value| message["people"].as_array().unwrap().len();
        let messages = now["messages"].as_array().unwrap();
        assert_eq!(messages.iter().map(people).sum::<usize>(), 6, "{now}");
        assert_eq!(answers["notifies"]["occasions"][1]["occasion"], "reminder");
        assert_eq!(answers["notifications"]["in_force"]["channels_chosen"], true);
    }
}
