//! What time it is where the store is: the `Date` header of its answers (RFC 9110 section 6.6.1).
//!
//! An instance whose clock is wrong cannot find that out by itself. The embedded engine runs on the
//! same machine, knows no other time, and sends none.

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use countersign_core::timestamp::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// The time of the last answer; a second is as fine as the header is.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerTime(Arc<Mutex<Option<Timestamp>>>);

impl AnswerTime {
    /// When the last answer was given, if any answer has said so.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for AnswerTime {
    fn name(&self) -> &'static str {
        "AnswerTime"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(time) = context.response().headers().get("date").and_then(time) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
        }
        Ok(())
    }
}

fn time(header: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(header, DateTimeFormat::HttpDate).ok()?;
    Some(Timestamp::from_millisecond(time.to_millis().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_and_nonsense_is_no_time() {
        assert_eq!(
            time("Wed, 25 Nov 2026 19:03:21 GMT"),
            Some(Timestamp::parse("2026-11-25T19:03:21Z").unwrap())
        );
        for header in ["", "yesterday", "2026-11-25T19:03:21Z", "Wed, 25 Nov 2026"] {
            assert_eq!(time(header), None, "{header}");
        }
    }
}
