//! The bot of Slack: one message about a request at a place, which changes with it.

use crate::call::Call;
use countersign_app::ports::Outgoing;
use countersign_chat::call::{Answer, HttpCall};
use countersign_chat::slack_bot::{self, Found, MessageReference, SlackBot, SlackId, Sought};
use countersign_chat::summary::Summary;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_egress as egress;
use std::time::Duration;

/// How many pages of a history are looked through.
const MAX_PAGES: usize = 5;
/// How long before its delivery was made a message may have been posted at the earliest, in seconds: clocks differ.
const CLOCKS_SECONDS: u32 = 60;

/// One attempt of a bot.
pub(crate) struct BotAttempt<'a> {
    pub(crate) call: &'a dyn Call,
    pub(crate) bot: &'a SlackBot,
    /// The channel that it posts to; none if it writes to people.
    pub(crate) channel: Option<&'a str>,
    pub(crate) time_limit: Duration,
}

impl BotAttempt<'_> {
    /// Changes the message that is there, or finds it, or posts one.
    pub(crate) async fn send(&self, outgoing: &Outgoing<'_>, summary: &Summary) -> Outcome {
        self.try_send(outgoing, summary).await.unwrap_or_else(Outcome::Failed)
    }

    async fn try_send(&self, outgoing: &Outgoing<'_>, summary: &Summary) -> Result<Outcome, Failure> {
        let now = outgoing.now;
        // A reminder is to be noticed: it is a message of its own.
        let changes = outgoing.message.part.urgency.is_none() && outgoing.others.is_empty();
        let earlier = outgoing.earlier.filter(|_| changes);
        if let Some(reference) = earlier.and_then(|text| MessageReference::parse(text).ok()) {
            let answer = self.answer(&self.bot.update(&reference, summary), now).await?;
            if !slack_bot::is_lost(&read(&answer)) {
                return Ok(slack_bot::outcome(&read(&answer)));
            }
        }
        let place = self.place(outgoing).await?;
        if outgoing.may_be_there && changes {
            match self.find(&place, outgoing, summary).await {
                Ok(Some(reference)) => {
                    let answer = self.answer(&self.bot.update(&reference, summary), now).await?;
                    return Ok(slack_bot::outcome(&read(&answer)));
                }
                Ok(None) => {}
                // A bot that may not read a history posts twice rather than never.
                Err(failure) if failure.class == FailureClass::Credentials => {
                    tracing::warn!(error = failure.detail, "the history of a channel cannot be read");
                }
                Err(failure) => return Err(failure),
            }
        }
        let answer = self.answer(&self.bot.post(&place, summary), now).await?;
        Ok(slack_bot::outcome(&read(&answer)))
    }

    /// The channel or user that is written to.
    async fn place(&self, outgoing: &Outgoing<'_>) -> Result<SlackId, Failure> {
        let unusable = |detail: &str| Failure {
            class: FailureClass::Unusable,
            status: None,
            retry_after: None,
            detail: detail.to_owned(),
        };
        let address = outgoing.message.part.address.as_deref().or(self.channel);
        let address = address.ok_or_else(|| unusable("the message names no place in Slack"))?;
        if let Ok(id) = SlackId::parse(address) {
            return Ok(id);
        }
        let person = PersonId::from_email(address)
            .map_err(|_| unusable("the address is neither one of e-mail nor an id of Slack"))?;
        let answer = self.answer(&self.bot.user_of(&person), outgoing.now).await?;
        slack_bot::read_user(&read(&answer))
    }

    async fn find(
        &self,
        place: &SlackId,
        outgoing: &Outgoing<'_>,
        summary: &Summary,
    ) -> Result<Option<MessageReference>, Failure> {
        let Some(request_id) = summary.request_id else { return Ok(None) };
        let now = outgoing.now;
        let answer = self.answer(&self.bot.identity(), now).await?;
        let bot = slack_bot::read_identity(&read(&answer))?;
        let is_user = place.as_str().starts_with(['U', 'W']);
        let conversation = if is_user {
            let answer = self.answer(&self.bot.open(place), now).await?;
            slack_bot::read_conversation(&read(&answer))?
        } else {
            place.clone()
        };
        let oldest = outgoing.made_at.minus_seconds(CLOCKS_SECONDS);
        let sought = Sought { request_id, source: &summary.source, bot: &bot };
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let call = self.bot.history(&conversation, oldest, cursor.as_deref());
            let answer = self.answer(&call, now).await?;
            match slack_bot::find(&read(&answer), &conversation, &sought)? {
                Found::Message(reference) => return Ok(Some(reference)),
                Found::More(next) => cursor = Some(next),
                Found::Nothing => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn answer(&self, call: &HttpCall, now: Timestamp) -> Result<egress::Answer, Failure> {
        self.call.call(call, self.time_limit, now).await
    }
}

/// An answer as the channels read it.
pub(crate) fn read(answer: &egress::Answer) -> Answer<'_> {
    Answer { status: answer.status, body: &answer.body, retry_after: answer.retry_after }
}
