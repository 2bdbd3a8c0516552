//! The server behind the gate, wherever it is, and the list of its tools.

use crate::answers;
use crate::child::Child;
use crate::definition::Definition;
use crate::exchange::{Aside, UpstreamError};
use crate::message::{Answer, Message, Request};
use crate::upstream_http::HttpUpstream;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The most pages that are read of a list of tools.
const MAX_PAGES: usize = 100;
/// The most that a list of tools has, in bytes as JSON.
pub const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;
/// How long a server may take to list its tools.
const LISTING: Duration = Duration::from_secs(30);

/// A server. Copies share everything.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// A process.
    Child(Arc<Child>),
    /// A URL.
    Http(Arc<HttpUpstream>),
}

/// The tools of a server are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It has not answered.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// It has answered something else.
    #[error("the server does not list its tools: {0}")]
    Refused(String),
}

impl Upstream {
    /// Sends a request and waits for its answer; what belongs to it meanwhile goes to `aside`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn request(
        &self,
        request: Request,
        headers: &[(String, String)],
        aside: &Aside,
    ) -> Result<Answer, UpstreamError> {
        let answer = match self {
            Self::Child(child) => child.request(request, aside).await,
            Self::Http(http) => http.request(request, headers, aside).await,
        };
        answer.map(answers::of_server)
    }

    /// Sends what wants no answer.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn send(&self, message: Message) -> Result<(), UpstreamError> {
        match self {
            Self::Child(child) => child.send(&message),
            Self::Http(http) => http.send(message).await,
        }
    }

    /// Becomes true once nothing comes any more; nothing if that is not known.
    pub fn ended(&self) -> Option<watch::Receiver<bool>> {
        match self {
            Self::Child(child) => Some(child.ended()),
            Self::Http(_) => None,
        }
    }

    /// Ends the conversation.
    pub async fn close(&self) {
        match self {
            Self::Child(child) => {
                let child = Arc::clone(child);
                // The thread only waits.
                let _ = tokio::task::spawn_blocking(move || child.close()).await;
            }
            Self::Http(http) => http.close().await,
        }
    }

    /// All tools as the server describes them now. `meta` is what the protocol wants with each request.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn tools(&self, meta: Option<&Value>) -> Result<Vec<Definition>, ListError> {
        let listed = tokio::time::timeout(LISTING, self.all_pages(meta)).await;
        let late = || ListError::Refused(format!("it takes longer than {} s", LISTING.as_secs()));
        listed.unwrap_or_else(|_| Err(late()))
    }

    async fn all_pages(&self, meta: Option<&Value>) -> Result<Vec<Definition>, ListError> {
        let mut tools = Vec::new();
        let mut bytes = 0;
        let mut cursor = None;
        let aside = Aside::deaf();
        for _ in 0..MAX_PAGES {
            let mut params = json!({});
            if let Some(members) = params.as_object_mut() {
                meta.iter().for_each(|meta| drop(members.insert("_meta".to_owned(), (*meta).clone())));
                cursor
                    .iter()
                    .for_each(|cursor: &Value| drop(members.insert("cursor".to_owned(), cursor.clone())));
            }
            let request =
                Request { id: json!("tools"), method: "tools/list".to_owned(), params: Some(params) };
            let page = match self.request(request, &[], &aside).await? {
                Answer::Result(page) => page,
                Answer::Error(error) => {
                    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
                    return Err(ListError::Refused(message.to_owned()));
                }
            };
            bytes = length(&page).saturating_add(bytes);
            if bytes > MAX_LIST_BYTES {
                return Err(ListError::Refused(format!("they have more than {MAX_LIST_BYTES} bytes")));
            }
            let listed = page.get("tools").and_then(Value::as_array);
            let listed =
                listed.ok_or_else(|| ListError::Refused("there is no list in its answer".to_owned()))?;
            tools.extend(listed.iter().filter_map(Definition::of));
            cursor = page.get("nextCursor").filter(|cursor| cursor.is_string()).cloned();
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(ListError::Refused(format!("it has more than {MAX_PAGES} pages")))
    }
}

/// How long a value is as JSON, in bytes.
pub fn length(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
