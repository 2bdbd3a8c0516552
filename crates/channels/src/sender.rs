//! The one sender of all configured destinations.

use crate::call::Call;
use crate::cloud::{Cloud, CloudMessage};
use crate::mail::mail;
use crate::secret::Secrets;
use crate::slack::{BotAttempt, read};
use crate::smtp::{self, Server};
use crate::summary::summary;
use countersign_app::courier::TIME_LIMIT;
use countersign_app::host::BoxFuture;
use countersign_app::ports::{DestinationSender, Matter, Outgoing};
use countersign_chat::call::{HttpCall, SecretUrl};
use countersign_chat::pagerduty::{self, Action, PagerDuty};
use countersign_chat::report;
use countersign_chat::slack_bot::{self, SlackBot};
use countersign_chat::slack_webhook::{self, SlackWebhook};
use countersign_chat::summary::Summary;
use countersign_chat::teams::{self, TeamsWebhook};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::part::PartKind;
use countersign_delivery::state::Attempt;
use countersign_egress as egress;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Region, Target, Transport};
use countersign_notifications::secret::SecretReference;
use std::sync::Arc;
use std::time::Duration;

/// Sends to the destinations of a configuration.
#[derive(Debug, Clone)]
pub struct ConfiguredSender {
    configuration: Arc<Configuration>,
    call: Arc<dyn Call>,
    secrets: Arc<dyn Secrets>,
    cloud: Option<Arc<dyn Cloud>>,
    roots: Option<Arc<[u8]>>,
    time_limit: Duration,
}

impl ConfiguredSender {
    /// A sender that has nothing of AWS. `roots` in PEM count for servers of e-mail besides the public ones.
    pub fn new(
        configuration: Arc<Configuration>,
        call: Arc<dyn Call>,
        secrets: Arc<dyn Secrets>,
        roots: Option<Vec<u8>>,
    ) -> Self {
        let roots = roots.map(Arc::from);
        Self { configuration, call, secrets, cloud: None, roots, time_limit: TIME_LIMIT }
    }

    /// The same, which sends through AWS as well.
    #[must_use]
    pub fn with_cloud(self, cloud: Arc<dyn Cloud>) -> Self {
        Self { cloud: Some(cloud), ..self }
    }

    /// The same, with another limit of the time that an attempt may take.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// One attempt; `host` is set to where it went, as soon as that is known.
    async fn attempt(&self, outgoing: &Outgoing<'_>, host: &mut Option<String>) -> Result<Outcome, Failure> {
        let name = outgoing.destination.name();
        let destination = self.configuration.destination(name);
        let destination = destination.ok_or_else(|| unusable("the file has this destination no more"))?;
        let said = summary(outgoing);
        match &destination.target {
            Target::Log => {
                match outgoing.message.matter {
                    Matter::Event(event) => {
                        let notice = &event.notice;
                        let (event_id, request_id) = (notice.event_id(), notice.request_id());
                        let event_type = notice.event_type().as_str();
                        tracing::info!(destination = name, %event_id, %request_id, event_type, "event");
                    }
                    Matter::Report(message) => {
                        let (report_id, period) = (message.id, message.report.name.as_str());
                        let figures = report::line(&said);
                        tracing::info!(destination = name, %report_id, period, figures, "report");
                    }
                }
                Ok(Outcome::Delivered { status: None, reference: None })
            }
            Target::Sns { topic_arn } => {
                self.through_cloud(CloudMessage::Topic { topic_arn, event: event(outgoing)? }).await
            }
            Target::EventBridge { bus } => {
                self.through_cloud(CloudMessage::Bus { bus, event: event(outgoing)? }).await
            }
            Target::SlackWebhook { url } => {
                let text = self.secret(url).await?;
                let webhook = match SlackWebhook::parse(&text) {
                    Ok(webhook) => webhook,
                    Err(error) => SlackWebhook::at(self.elsewhere(&text, &error)?),
                };
                let answer = self.call(&webhook.post(&said), outgoing.now, host).await?;
                Ok(slack_webhook::outcome(&read(&answer)))
            }
            Target::Teams { url } => {
                let text = self.secret(url).await?;
                let webhook = match TeamsWebhook::parse(&text) {
                    Ok(webhook) => webhook,
                    Err(error) => TeamsWebhook::at(self.elsewhere(&text, &error)?),
                };
                let answer = self.call(&webhook.post(&said), outgoing.now, host).await?;
                Ok(teams::outcome(&read(&answer)))
            }
            Target::SlackBot { token, channel } => {
                let token = self.secret(token).await?;
                let api = SecretUrl::parse(slack_bot::API).map_err(|error| unusable(&error.to_string()))?;
                *host = Some(api.host().to_owned());
                let bot = SlackBot::new(api, &token)
                    .map_err(|error| credentials(&format!("the token of the bot {error}")))?;
                let attempt = BotAttempt {
                    call: self.call.as_ref(),
                    bot: &bot,
                    channel: channel.as_deref(),
                    time_limit: self.time_limit,
                };
                Ok(attempt.send(outgoing, &said).await)
            }
            Target::PagerDuty { routing_key, region } => {
                let key = self.secret(routing_key).await?;
                let endpoint = match region {
                    Region::Us => pagerduty::ENDPOINT,
                    Region::Eu => pagerduty::EU_ENDPOINT,
                };
                let endpoint = SecretUrl::parse(endpoint).map_err(|error| unusable(&error.to_string()))?;
                let service = PagerDuty::new(endpoint, &key)
                    .map_err(|error| credentials(&format!("the routing key {error}")))?;
                let action = match outgoing.message.part.kind {
                    PartKind::Closing => Action::Resolve,
                    PartKind::Claimed => Action::Acknowledge,
                    PartKind::Act
                    | PartKind::Outcome
                    | PartKind::Update
                    | PartKind::Information
                    | PartKind::Report => Action::Trigger,
                };
                let call = service.enqueue(action, &said).map_err(|error| unusable(&error.to_string()))?;
                let answer = self.call(&call, outgoing.now, host).await?;
                Ok(pagerduty::outcome(&read(&answer)))
            }
            Target::Email { from, transport } => self.by_mail(outgoing, &said, from, transport, host).await,
        }
    }

    async fn by_mail(
        &self,
        outgoing: &Outgoing<'_>,
        said: &Summary,
        from: &str,
        transport: &Transport,
        host: &mut Option<String>,
    ) -> Result<Outcome, Failure> {
        let mail = mail(from, outgoing.message.part.address.as_deref(), said, outgoing.made_at)?;
        match transport {
            Transport::Ses => self.through_cloud(CloudMessage::Mail(&mail)).await,
            Transport::Smtp { host: name, port, credentials, tls } => {
                *host = Some(name.clone());
                let credentials = match credentials {
                    Some(known) => Some((known.username.clone(), self.secret(&known.password).await?)),
                    None => None,
                };
                let roots = self.roots.as_deref();
                let server = Server { host: name, port: *port, protection: *tls, roots };
                Ok(smtp::send(server, credentials, &mail, self.time_limit).await)
            }
        }
    }

    async fn through_cloud(&self, message: CloudMessage<'_>) -> Result<Outcome, Failure> {
        match &self.cloud {
            Some(cloud) => Ok(cloud.send(message).await),
            None => Err(unusable("this program sends nothing through AWS")),
        }
    }

    async fn secret(&self, reference: &SecretReference) -> Result<String, Failure> {
        self.secrets.read(reference).await.map_err(|error| credentials(&error.to_string()))
    }

    /// The address of what stands in for a service, where the operator has allowed internal networks.
    fn elsewhere(&self, text: &str, error: &impl std::fmt::Display) -> Result<SecretUrl, Failure> {
        let address = SecretUrl::parse(text).ok().filter(|_| self.call.opens_networks());
        address.ok_or_else(|| credentials(&format!("the address {error}")))
    }

    async fn call(
        &self,
        call: &HttpCall,
        now: Timestamp,
        host: &mut Option<String>,
    ) -> Result<egress::Answer, Failure> {
        *host = Some(call.url.host().to_owned());
        self.call.call(call, self.time_limit, now).await
    }
}

impl DestinationSender for ConfiguredSender {
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let mut host = None;
            // One message may take several calls; all of them together are one attempt.
            let attempt = tokio::time::timeout(self.time_limit, self.attempt(&outgoing, &mut host)).await;
            let outcome = match attempt {
                Ok(outcome) => outcome.unwrap_or_else(Outcome::Failed),
                Err(_) => Outcome::Failed(Failure {
                    class: FailureClass::Timeout,
                    status: None,
                    retry_after: None,
                    detail: format!("no whole answer in {} ms", self.time_limit.as_millis()),
                }),
            };
            Attempt { outcome, host }
        })
    }
}

/// The event of a message to a program, which takes nothing else.
fn event<'a>(outgoing: &Outgoing<'a>) -> Result<&'a CloudEvent, Failure> {
    match outgoing.message.matter {
        Matter::Event(event) => Ok(event),
        Matter::Report(_) => Err(unusable("a report is no event, and the destination takes events alone")),
    }
}

fn unusable(detail: &str) -> Failure {
    Failure { class: FailureClass::Unusable, status: None, retry_after: None, detail: detail.to_owned() }
}

/// What only the operator can mend.
fn credentials(detail: &str) -> Failure {
    Failure { class: FailureClass::Credentials, status: None, retry_after: None, detail: detail.to_owned() }
}
