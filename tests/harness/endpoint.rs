//! The endpoint of every webhook of a service under test: no network is touched, what is sent is kept, and the test says
//! what is answered. Which addresses may be registered is decided by the rules of the real client.

use countersign_app::host::BoxFuture;
use countersign_app::ports::WebhookClient;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::state::Attempt;
use countersign_egress::{Address, EgressRules};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What was sent once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The address.
    pub url: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// When.
    pub at: Timestamp,
}

/// Why an attempt fails, and with which status.
type Refusal = (FailureClass, Option<u16>);

/// The endpoint of all webhooks.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    sent: Arc<Mutex<Vec<Sent>>>,
    failure: Arc<Mutex<Option<Refusal>>>,
}

impl Endpoint {
    /// What was sent since this was asked last.
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// From now on everything fails so.
    pub fn fail(&self, class: FailureClass, status: Option<u16>) {
        *self.failure.lock().unwrap() = Some((class, status));
    }

    /// From now on everything is taken.
    pub fn recover(&self) {
        *self.failure.lock().unwrap() = None;
    }
}

impl WebhookClient for Endpoint {
    fn check(&self, url: &str) -> Result<(), String> {
        Address::parse(url, &EgressRules::default()).map(|_| ()).map_err(|rule| rule.to_string())
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
        now: Timestamp,
    ) -> BoxFuture<'a, Attempt> {
        let sent = Sent { url: url.to_owned(), headers: headers.iter().cloned().collect(), body, at: now };
        self.sent.lock().unwrap().push(sent);
        let outcome = match *self.failure.lock().unwrap() {
            None => Outcome::Delivered { status: Some(204), reference: None },
            Some((class, status)) => Outcome::Failed(Failure {
                class,
                status,
                retry_after: None,
                detail: "as the test wants it".to_owned(),
            }),
        };
        let host = Address::parse(url, &EgressRules::default()).map(|address| address.host().to_owned()).ok();
        Box::pin(std::future::ready(Attempt { outcome, host }))
    }
}
