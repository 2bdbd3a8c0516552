//! How a person hears of requests, and who would hear of one, as people read it.

use crate::view::page::View;
use crate::view::text::{Line, Text, Tone};
use countersign_api::wire::{
    DigestBody, NotificationsBody, NotifiesBody, OccasionBody, PlannedMessageBody, PreviewBody,
    QuietHoursBody,
};

/// What is shown behind a setting that a person has not made.
const BY_DEFAULT: &str = " (by default)";

impl View {
    /// How the caller hears: what holds, and what of it they have not said themselves.
    pub fn notifications(&self, notifications: &NotificationsBody) -> Text {
        let NotificationsBody { version, said, in_force, available_channels, ignored } = notifications;
        let mut text = Text::default();
        let by = |is_said: bool| if is_said { "" } else { BY_DEFAULT };
        let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let channels = format!("{}{}", listed(&in_force.channels), by(in_force.channels_chosen));
        self.line(&mut text, "channels", &channels, None);
        let mut spans: Vec<String> = in_force.quiet_hours.iter().map(span).collect();
        if spans.is_empty() {
            spans.push("none".to_owned());
        }
        if let Some(last) = spans.last_mut() {
            last.push_str(by(said.quiet_hours.is_some()));
        }
        self.lines(&mut text, "quiet hours", spans);
        let muted = format!("{}{}", listed(&in_force.muted_events), by(said.muted_events.is_some()));
        self.line(&mut text, "muted events", &muted, None);
        let digest = in_force.digest.as_ref().map_or_else(|| "off: at once".to_owned(), digest);
        self.line(&mut text, "digest", &format!("{digest}{}", by(said.digest.is_some())), None);
        let available =
            available_channels.iter().map(|channel| format!("{} ({})", channel.name, channel.kind));
        let available: Vec<String> = available.collect();
        self.line(&mut text, "to choose", &listed(&available), None);
        self.line(&mut text, "version", &version.to_string(), None);
        for error in ignored {
            let name = error.pointer.trim_start_matches('/');
            let message = format!("does not hold: {name} {}", error.message);
            text.wrapped(Tone::Warning, message.trim(), self.width);
        }
        text
    }

    /// Who would hear of a request.
    pub fn notify_preview(&self, preview: &PreviewBody) -> Text {
        let mut text = Text::default();
        let head = format!("{}  {}, {}", preview.request_id, preview.status, preview.priority);
        text.wrapped(Tone::Strong, &head, self.width);
        if preview.no_approver_found {
            let warning = "No approver is found in notifications.toml: the fallback hears of it.";
            text.wrapped(Tone::Warning, warning, self.width);
        }
        for occasion in &preview.occasions {
            text.blank();
            self.occasion(&mut text, occasion);
        }
        text
    }

    fn occasion(&self, text: &mut Text, occasion: &OccasionBody) {
        let name = occasion.name.iter().map(|name| format!(" {name}")).collect::<String>();
        let title = match occasion.occasion.as_str() {
            "now" => "now".to_owned(),
            other => format!("{other}{name}, {}", self.moment.deadline(&occasion.at)),
        };
        text.wrapped(Tone::Strong, &title, self.width);
        if occasion.messages.is_empty() {
            text.push(Line::new(Tone::Quiet, "no message is sent"));
        }
        for message in &occasion.messages {
            self.lines(text, "to", self.message(message));
        }
    }

    /// For whom a message is, why, and when it is sent.
    fn message(&self, message: &PlannedMessageBody) -> Vec<String> {
        let people = message.people.join(", ");
        let whom = match (message.recipient.as_str(), &message.group) {
            ("group", Some(group)) => format!("the group {group}"),
            ("person", _) => people,
            _ if people.is_empty() => "all who look there".to_owned(),
            _ => format!("all who look there, for {people}"),
        };
        let why = match message.why.as_str() {
            "asks" => "asks for an approval",
            "closes" => "says that no approval is needed any more",
            "outcome" => "says what became of it",
            "updates" => "changes the message that is there",
            "informs" => "informs",
            other => other,
        };
        let when = match message.when.as_str() {
            "at_once" => "at once".to_owned(),
            "after_quiet_hours" => {
                format!("after quiet hours, {}", self.moment.deadline(&message.not_before))
            }
            "in_digest" => format!("in a digest, {}", self.moment.deadline(&message.not_before)),
            other => other.to_owned(),
        };
        // The name of a destination may be longer than what stands beside a value.
        vec![format!("{} ({}): {whom}", message.destination, message.kind), format!("{why}, {when}")]
    }
}

/// How many hear of a request, in words.
pub(crate) fn notifies(notifies: NotifiesBody) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let people = counted(notifies.people, "person", "people");
    format!("{people} by {}", counted(notifies.destinations, "destination", "destinations"))
}

fn span(span: &QuietHoursBody) -> String {
    let days = span.days.as_ref().map_or_else(|| "every day".to_owned(), |days| days.join(", "));
    format!("{days} {} to {}, {}", span.from, span.to, span.zone.as_deref().unwrap_or("UTC"))
}

fn digest(digest: &DigestBody) -> String {
    format!("{} at {}, {}", digest.period, digest.at, digest.zone.as_deref().unwrap_or("UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::check_fits;
    use crate::view::times::{RelativeTime, Times};
    use countersign_core::timestamp::Timestamp;
    use serde_json::{Value, json};

    fn view() -> View {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        View { moment: RelativeTime { now, times: Times::Relative }, width: 80 }
    }

    fn preview(evil: &str) -> Value {
        json!({
            "request_id": evil, "status": evil, "priority": evil, "notifications_version": evil, "no_approver_found": true,
            "occasions": [{ "occasion": evil, "name": evil, "at": evil, "messages": [{
                "destination": evil, "kind": evil, "recipient": evil, "group": evil, "people": [evil], "why": evil,
                "when": evil, "not_before": evil,
            }] }],
        })
    }

    #[test]
    fn what_is_by_default_is_told_from_what_a_person_has_said() {
        let body = serde_json::from_value(json!({
            "version": 2,
            "said": { "channels": ["dm"] },
            "in_force": {
                "channels": ["dm"], "channels_chosen": true, "muted_events": [],
                "quiet_hours": [{ "days": ["monday"], "from": "18:00", "to": "08:00", "zone": "Europe/Vienna" }],
            },
            "available_channels": [{ "name": "dm", "kind": "slack_bot" }],
            "ignored": [{ "pointer": "/channels", "message": "names fax" }],
        }));
        let text = view().notifications(&body.unwrap()).to_string();
        for line in [
            "channels      dm\n",
            "quiet hours   monday 18:00 to 08:00, Europe/Vienna (by default)\n",
            "muted events  none (by default)\n",
            "digest        off: at once (by default)\n",
            "to choose     dm (slack_bot)\n",
            "does not hold: channels names fax",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn whatever_the_service_says_fits_and_acts_on_no_terminal() {
        let evil = format!("{}\u{1b}[2J\nnow{}", "a ".repeat(60), "b".repeat(120));
        let body = serde_json::from_value(preview(&evil)).unwrap();
        let text = view().notify_preview(&body).to_string();
        check_fits(&text);
        assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line == "now"), "{text}");
    }

    #[test]
    fn a_count_has_its_noun() {
        assert_eq!(notifies(NotifiesBody { people: 1, destinations: 2 }), "1 person by 2 destinations");
        assert_eq!(notifies(NotifiesBody { people: 0, destinations: 1 }), "0 people by 1 destination");
    }
}
