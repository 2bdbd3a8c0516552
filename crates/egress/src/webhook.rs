//! Webhooks are called through the client of this crate.

use crate::address::Address;
use crate::answer::Answer;
use crate::client::Client;
use countersign_app::courier::TIME_LIMIT;
use countersign_app::host::BoxFuture;
use countersign_app::ports::WebhookClient;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{Failure, FailureClass, Outcome};
use countersign_delivery::state::Attempt;
use http::{HeaderMap, HeaderName, HeaderValue};

impl WebhookClient for Client {
    fn check(&self, url: &str) -> Result<(), String> {
        Address::parse(url, self.rules()).map(|_| ()).map_err(|invalid| invalid.to_string())
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
        now: Timestamp,
    ) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            // What was registered may be forbidden by now.
            let address = match Address::parse(url, self.rules()) {
                Ok(address) => address,
                Err(invalid) => {
                    return Attempt { outcome: Outcome::Failed(invalid.into()), host: None };
                }
            };
            let outcome = match header_map(headers) {
                Some(headers) => match self.post(&address, &headers, body.into(), TIME_LIMIT, now).await {
                    Ok(answer) => outcome(&answer),
                    Err(failure) => Outcome::Failed(failure),
                },
                None => Outcome::Failed(Failure {
                    class: FailureClass::Unusable,
                    status: None,
                    retry_after: None,
                    detail: "a header that cannot be sent".to_owned(),
                }),
            };
            Attempt { outcome, host: Some(address.host().to_owned()) }
        })
    }
}

fn header_map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let pairs = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    pairs.collect()
}

/// What an answer means: 2xx is success. A redirect is none: where it leads was not checked.
fn outcome(answer: &Answer) -> Outcome {
    let status = answer.status;
    let class = match status {
        200..=299 => return Outcome::Delivered { status: Some(status), reference: None },
        410 => FailureClass::Gone,
        429 | 502 | 503 | 504 => FailureClass::Overloaded,
        _ => FailureClass::Refused,
    };
    let detail = format!("the endpoint answered {status}");
    Outcome::Failed(Failure { class, status: Some(status), retry_after: answer.retry_after, detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_is_taken_is_a_success() {
        let wait = Some(Duration::from_secs(7));
        for (status, class) in [
            (200, None),
            (204, None),
            (301, Some(FailureClass::Refused)),
            (400, Some(FailureClass::Refused)),
            (401, Some(FailureClass::Refused)),
            (410, Some(FailureClass::Gone)),
            (429, Some(FailureClass::Overloaded)),
            (500, Some(FailureClass::Refused)),
            (503, Some(FailureClass::Overloaded)),
        ] {
            let outcome = outcome(&Answer { status, retry_after: wait, body: Vec::new() });
            assert_eq!(outcome.status(), Some(status));
            assert_eq!(
                outcome.failure().map(|failure| (failure.class, failure.retry_after)),
                class.map(|c| (c, wait))
            );
        }
    }
}
