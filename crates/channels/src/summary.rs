//! What a message says: of one event and its part, or of several that have waited.

use countersign_app::ports::{ChannelMessage, Matter, Outgoing};
use countersign_chat::report;
use countersign_chat::summary::{Ask, Context, Note, Summary, Tone};
use countersign_core::notification::Notice;
use countersign_core::priority::Priority;
use countersign_core::status::Status;
use countersign_delivery::part::{PartKind, Urgency};

/// The summary of what is sent.
pub(crate) fn summary(outgoing: &Outgoing<'_>) -> Summary {
    let last = of_one(&outgoing.message);
    if outgoing.others.is_empty() {
        return last;
    }
    let messages: Vec<&ChannelMessage<'_>> = outgoing.others.iter().chain([&outgoing.message]).collect();
    let asks = messages.iter().any(|message| message.part.kind == PartKind::Act);
    let who = &outgoing.message.part.who;
    let link = last.link.as_deref().and_then(|link| link.rsplit_once("/approvals/"));
    Summary {
        event_id: last.event_id,
        request_id: None,
        source: last.source.clone(),
        timestamp: last.timestamp,
        risk_level: messages.iter().filter_map(|message| of_one(message).risk_level).max(),
        target: None,
        tone: if asks { Tone::Waiting } else { Tone::Neutral },
        label: None,
        headline: format!("{} messages about requests", messages.len()),
        notes: messages.iter().map(|message| line(message)).collect(),
        ask: (asks && !who.is_empty()).then(|| Ask { who: who.clone(), until: None }),
        facts: Vec::new(),
        table: None,
        quotes: Vec::new(),
        advice: None,
        link: link.map(|(dashboard, _)| format!("{dashboard}/")),
        link_title: "All requests:",
    }
}

/// One of several, in a line: what it is about, and where.
fn line(message: &ChannelMessage<'_>) -> String {
    let Summary { link, .. } = of_one(message);
    let title = of_one(message).title();
    match link {
        Some(link) => format!("{title} {link}"),
        None => title,
    }
}

fn of_one(message: &ChannelMessage<'_>) -> Summary {
    let ChannelMessage { matter, part } = message;
    let event = match matter {
        Matter::Event(event) => event,
        Matter::Report(message) => {
            return report::summary(message.id, &message.source, &message.report, message.link.clone());
        }
    };
    let mut notes = Vec::new();
    notes.extend(part.urgency.map(|urgency| match urgency {
        Urgency::ExpiresIn(seconds) => Note::ExpiresIn { seconds },
        Urgency::EscalatedAfter(seconds) => Note::EscalatedAfter { seconds },
    }));
    if part.kind == PartKind::Closing {
        let is_pending = match &event.notice {
            Notice::Event(notification) => notification.status == Status::Pending,
            Notice::Anomaly(_) => false,
        };
        notes.push(if is_pending { Note::NotNeeded } else { Note::Closed });
    }
    let claim = part.claim.as_ref();
    notes.extend(claim.map(|claim| Note::Claimed { holder: claim.by.clone(), until: claim.until }));
    notes.extend(part.lines.iter().cloned().map(Note::Line));
    let priority = part.priority.as_deref().and_then(|name| name.parse::<Priority>().ok());
    notes.extend(priority.map(|priority| Note::Priority {
        name: priority.as_str(),
        response_seconds: Some(priority.response_target_seconds()),
    }));
    Summary::of(event, &Context { notes, who: part.who.clone(), until: None })
}
