//! Slack, Teams and `PagerDuty` as far as messages need them: what they were sent, and answers as a test says.

use countersign_app::host::BoxFuture;
use countersign_channels::call::Call;
use countersign_channels::secret::{Secrets, UnreadableSecret};
use countersign_chat::call::HttpCall;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass};
use countersign_egress::Answer;
use countersign_notifications::secret::SecretReference;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// As it should.
    Fair,
    /// With this status.
    Status(u16),
    /// Never.
    Hangs,
    /// It takes the message, and its answer is lost.
    LosesAnswer,
    /// With 200, and says that it has failed.
    SaysNo(&'static str),
}

/// A message that a service has taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The host.
    pub host: String,
    /// The last part of the path: with Slack's bot, the method.
    pub method: String,
    /// The body.
    pub body: Value,
}

#[derive(Debug, Default)]
struct State {
    weather: BTreeMap<String, Weather>,
    taken: Vec<Taken>,
    calls: BTreeMap<String, usize>,
    /// What Slack shows in its channels: channel, ts and message.
    posted: Vec<(String, String, Value)>,
}

/// The services.
#[derive(Debug, Clone, Default)]
pub struct ChatServices(Arc<Mutex<State>>);

impl ChatServices {
    /// Sets how a host answers.
    pub fn set(&self, host: &str, weather: Weather) {
        self.0.lock().unwrap().weather.insert(host.to_owned(), weather);
    }

    /// What a host has taken, without calls that only read.
    pub fn taken(&self, host: &str) -> Vec<Taken> {
        let state = self.0.lock().unwrap();
        state.taken.iter().filter(|taken| taken.host == host).cloned().collect()
    }

    /// How often a host was called.
    pub fn calls(&self, host: &str) -> usize {
        self.0.lock().unwrap().calls.get(host).copied().unwrap_or_default()
    }

    fn answer(&self, call: &HttpCall, time_limit: Duration) -> Result<Answer, Failure> {
        let url = call.url.expose();
        let host = call.url.host().to_owned();
        let method = url.path_segments().unwrap().next_back().unwrap().to_owned();
        let mut state = self.0.lock().unwrap();
        *state.calls.entry(host.clone()).or_default() += 1;
        let weather = state.weather.get(&host).copied().unwrap_or(Weather::Fair);
        let lost = Failure {
            class: FailureClass::Timeout,
            status: None,
            retry_after: None,
            detail: format!("no whole answer in {} ms", time_limit.as_millis()),
        };
        let json = |body: Value| Answer { status: 200, retry_after: None, body: body.to_string().into() };
        match weather {
            Weather::Hangs => return Err(lost),
            Weather::Status(status) => {
                let retry_after = (status == 429).then(|| Duration::from_secs(45));
                return Ok(Answer { status, retry_after, body: Vec::new() });
            }
            Weather::SaysNo(error) => return Ok(json(json!({ "ok": false, "error": error }))),
            Weather::Fair | Weather::LosesAnswer => {}
        }
        let answer = if host == "slack.com" {
            json(state.of_slack(&method, &call.body))
        } else {
            let body = serde_json::from_slice(&call.body).unwrap();
            state.taken.push(Taken { host: host.clone(), method, body });
            match host.as_str() {
                "hooks.slack.com" => Answer { status: 200, retry_after: None, body: b"ok".to_vec() },
                _ => Answer { status: 202, retry_after: None, body: b"{\"status\":\"success\"}".to_vec() },
            }
        };
        if weather == Weather::LosesAnswer { Err(lost) } else { Ok(answer) }
    }
}

impl State {
    fn of_slack(&mut self, method: &str, body: &[u8]) -> Value {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match method {
            "auth.test" => json!({ "ok": true, "bot_id": "B0000000001" }),
            "users.lookupByEmail" => {
                let name = form["email"].split('@').next().unwrap().to_uppercase();
                json!({ "ok": true, "user": { "id": format!("U00{name}") } })
            }
            "conversations.open" => {
                json!({ "ok": true, "channel": { "id": text("users").replacen('U', "D", 1) } })
            }
            "conversations.history" => {
                let messages: Vec<Value> = self
                    .posted
                    .iter()
                    .filter(|(channel, ..)| *channel == form["channel"])
                    .map(|(_, ts, body)| {
                        json!({ "ts": ts, "bot_id": "B0000000001", "metadata": body["metadata"] })
                    })
                    .collect();
                json!({ "ok": true, "messages": messages })
            }
            "chat.postMessage" | "chat.update" => {
                let channel = text("channel").replacen("U00", "D00", 1);
                let ts = if method == "chat.update" {
                    text("ts")
                } else {
                    format!("1700000000.{:06}", self.posted.len() + 1)
                };
                if method == "chat.postMessage" {
                    self.posted.push((channel.clone(), ts.clone(), body.clone()));
                }
                let host = "slack.com".to_owned();
                self.taken.push(Taken { host, method: method.to_owned(), body });
                json!({ "ok": true, "channel": channel, "ts": ts })
            }
            other => panic!("Slack has no {other}"),
        }
    }
}

impl Call for ChatServices {
    fn opens_networks(&self) -> bool {
        false
    }

    fn call<'a>(
        &'a self,
        call: &'a HttpCall,
        time_limit: Duration,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(std::future::ready(self.answer(call, time_limit)))
    }
}

/// The secrets of the services above.
#[derive(Debug, Clone, Copy)]
pub struct KnownSecrets;

impl Secrets for KnownSecrets {
    fn read<'a>(&'a self, reference: &'a SecretReference) -> BoxFuture<'a, Result<String, UnreadableSecret>> {
        let text = match reference.to_string().as_str() {
            "env:HOOK" => Ok("https://hooks.slack.com/services/T000/B000/0a1b2c3d"),
            "env:BOT" => Ok("xoxb-1-2-3"),
            "env:TEAMS" => Ok("https://prod-1.westeurope.logic.azure.com/workflows/a/triggers/b?sig=c"),
            "env:PAGER" => Ok("0123456789abcdef0123456789abcdef"),
            "env:PASSWORD" => Ok("correct horse"),
            other => {
                Err(UnreadableSecret { reference: other.to_owned(), reason: "it is not set".to_owned() })
            }
        };
        Box::pin(std::future::ready(text.map(str::to_owned)))
    }
}
