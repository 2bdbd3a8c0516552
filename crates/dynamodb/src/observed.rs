//! How long the database takes for each call, and how the call ends: a client that reports it. Knows no metrics.

use crate::error::cancelled;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use countersign_app::host::Clock;
use countersign_app::ports::CommitError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use strum::{EnumIter, IntoStaticStr};

/// How a call of the database ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// Its transaction was cancelled: another writer was faster.
    Conflict,
    /// With an error, or without an answer.
    Failed,
}

/// Hears of each call of the database.
pub trait ObserveCalls: Send + Sync + fmt::Debug {
    /// A call, such as `GetItem`, has ended, with all that the SDK has tried again.
    fn called(&self, call: &str, outcome: Outcome, took: Duration);
}

/// The same client; `observer` hears of its calls.
pub fn observed(client: &Client, clock: Arc<dyn Clock>, observer: Arc<dyn ObserveCalls>) -> Client {
    let calls = Calls { clock, observer };
    Client::from_conf(client.config().to_builder().interceptor(calls).build())
}

#[derive(Debug)]
struct Calls {
    clock: Arc<dyn Clock>,
    observer: Arc<dyn ObserveCalls>,
}

/// When a call began.
#[derive(Debug)]
struct Began(Duration);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

/// Which call it is. Known before it is sent, since nothing is left of the request then.
#[derive(Debug)]
struct Sent(String);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "observed calls"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        state.interceptor_state().store_put(Began(self.clock.elapsed()));
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target");
        if let Some(call) = target.and_then(|target| target.rsplit('.').next()) {
            let sent = Sent(call.to_owned());
            state.interceptor_state().store_put(sent);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // A call that could not be built has reached no database.
        if let (Some(Sent(call)), Some(Began(began))) = (state.load::<Sent>(), state.load::<Began>()) {
            let outcome = match context.output_or_error() {
                Some(Ok(_)) => Outcome::Answered,
                Some(Err(error)) => {
                    let error = error.as_operation_error();
                    let error = error.and_then(|error| error.downcast_ref::<TransactWriteItemsError>());
                    match error.and_then(cancelled) {
                        Some(CommitError::Conflict) => Outcome::Conflict,
                        Some(CommitError::Store(_)) | None => Outcome::Failed,
                    }
                }
                None => Outcome::Failed,
            };
            self.observer.called(call, outcome, self.clock.elapsed().saturating_sub(*began));
        }
        Ok(())
    }
}
