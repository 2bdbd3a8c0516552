//! Calls of the API for a visitor, and what their answers are. What a page makes of them is not known here.

use crate::ports::{Api, ApiAnswer, ApiCall};
use countersign_api::wire::ProblemBody;
use countersign_core::canonical;
use countersign_core::digest::Digest;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a call gives nothing to show.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// The token is not accepted.
    SignedOut,
    /// There is no such thing, or not for this visitor.
    NotFound,
    /// Any other problem.
    Problem(Box<ProblemBody>),
    /// No answer, or none that can be read.
    Unavailable,
}

/// What was read, and the digest of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Read<T> {
    pub value: T,
    pub digest: Digest,
}

/// Calls with one token.
#[derive(Debug)]
pub(crate) struct Calls<'a, P> {
    pub api: &'a P,
    pub token: &'a str,
}

impl<P: Api> Calls<'_, P> {
    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Read<T>, Failure> {
        let answer = self.send(Method::GET, path, None, None).await;
        let digest = Digest::of(&answer.body);
        Ok(Read { value: read(&answer)?, digest })
    }

    /// A file, as it is answered.
    pub(crate) async fn file(&self, path: &str) -> Result<bytes::Bytes, Failure> {
        let answer = self.send(Method::GET, path, None, None).await;
        if answer.status == 200 { Ok(answer.body) } else { Err(failure(&answer)) }
    }

    /// Sends a body, once for each key.
    pub(crate) async fn send_body<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> Result<T, Failure> {
        read(&self.send(method, path, key, Some(body)).await)
    }

    async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> ApiAnswer {
        let call = ApiCall {
            method,
            path: path.to_owned(),
            token: self.token.to_owned(),
            idempotency_key: key.map(str::to_owned),
            body,
        };
        self.api.call(call).await
    }
}

fn read<T: DeserializeOwned>(answer: &ApiAnswer) -> Result<T, Failure> {
    if !(200..300).contains(&answer.status) {
        return Err(failure(answer));
    }
    let value = canonical::read_answer(&answer.body).map_err(|_| Failure::Unavailable)?;
    serde_json::from_value(value).map_err(|_| Failure::Unavailable)
}

fn failure(answer: &ApiAnswer) -> Failure {
    let problem = || serde_json::from_slice::<ProblemBody>(&answer.body).ok().map(Box::new);
    match answer.status {
        401 => Failure::SignedOut,
        404 => Failure::NotFound,
        _ => problem().map_or(Failure::Unavailable, Failure::Problem),
    }
}

/// A path of the API with a query; members without a value are left out.
pub(crate) fn with_query(path: &str, members: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(members.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
