//! Calls of HTTP, by the client that calls no other addresses than may be called.

use countersign_app::host::BoxFuture;
use countersign_chat::call as chat;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass};
use countersign_egress::{Address, Answer, Client};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::time::Duration;

/// How much of an answer is read, in bytes: a page of the history of a channel, whose messages are ours and others'.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Carries a call out, once.
pub trait Call: Send + Sync + fmt::Debug {
    /// Whether the operator has allowed addresses of internal networks: then what stands in for Slack or Teams may be
    /// there.
    fn opens_networks(&self) -> bool;

    /// Sends a call. `now` is what a date in the answer is counted from.
    fn call<'a>(
        &'a self,
        call: &'a chat::HttpCall,
        time_limit: Duration,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Answer, Failure>>;
}

impl Call for Client {
    fn opens_networks(&self) -> bool {
        self.rules().opens_networks()
    }

    fn call<'a>(
        &'a self,
        call: &'a chat::HttpCall,
        time_limit: Duration,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move {
            let address = Address::parse(call.url.expose().as_str(), self.rules()).map_err(Failure::from)?;
            let pairs = call.headers.iter().map(|(name, value)| {
                let mut value = HeaderValue::from_str(value.expose()).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::from_static(name), value))
            });
            let headers: HeaderMap = pairs.collect::<Option<_>>().ok_or_else(|| Failure {
                class: FailureClass::Unusable,
                status: None,
                retry_after: None,
                detail: "a header that cannot be sent".to_owned(),
            })?;
            let body = call.body.clone().into();
            self.post_within(&address, &headers, body, time_limit, now, MAX_BODY_BYTES).await
        })
    }
}
