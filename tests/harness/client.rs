//! A caller of the API.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A caller, with or without a token.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; null if it is no JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// Fails unless the status is this one. Gives the body.
    ///
    /// # Panics
    /// With the whole answer, when the status is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Fails unless it is a problem of this status and code. Gives the body.
    ///
    /// # Panics
    /// With the whole answer, when it is anything else.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers.get("content-type").map(String::as_str), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        self.body
    }
}

impl Client {
    /// A caller of the service at `base`, such as `http://127.0.0.1:9000`.
    pub fn new(base: &str, token: Option<String>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { base: base.to_owned(), token, agent }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").expect("an answer")
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], body.to_string().as_bytes()).expect("an answer")
    }

    /// PUT with a JSON body.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], body.to_string().as_bytes()).expect("an answer")
    }

    /// PATCH with a JSON body.
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[], body.to_string().as_bytes()).expect("an answer")
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"").expect("an answer")
    }

    /// POST without a body.
    pub fn command(&self, path: &str) -> Answer {
        self.send("POST", path, &[], b"").expect("an answer")
    }

    /// POST with a JSON body and an idempotency key.
    pub fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.send("POST", path, &[("idempotency-key", key)], body.to_string().as_bytes()).expect("an answer")
    }

    /// Walks a list from its first page to its last. `list` is a path, with or without a query.
    ///
    /// # Panics
    /// When a page that is not the last is not full, or an item comes twice.
    #[track_caller]
    pub fn pages(&self, list: &str, limit: usize) -> Vec<Vec<Value>> {
        let (mut pages, mut seen) = (Vec::new(), BTreeSet::new());
        let mut cursor = None;
        loop {
            let (items, next) = self.page(list, limit, cursor.as_deref());
            assert!(
                items.len() == limit || (items.len() < limit && next.is_none()),
                "{list}: {}",
                items.len()
            );
            for item in &items {
                assert!(seen.insert(item["request_id"].to_string()), "{list}: {item} comes twice");
            }
            pages.push(items);
            cursor = next;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    /// One page of a list and the cursor of the next.
    #[track_caller]
    pub fn page(&self, list: &str, limit: usize, cursor: Option<&str>) -> (Vec<Value>, Option<String>) {
        let separator = if list.contains('?') { '&' } else { '?' };
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let mut body = self.get(&format!("{list}{separator}limit={limit}{cursor}")).expect(200);
        let Value::Array(items) = body["items"].take() else { panic!("{list}: {body}") };
        (items, body["next_cursor"].as_str().map(str::to_owned))
    }

    /// The ids of everything in a list, page by page of 100.
    #[track_caller]
    pub fn ids(&self, list: &str) -> Vec<String> {
        let items = self.pages(list, 100).into_iter().flatten();
        items.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Any request at all; the token is added unless the headers name another authorization.
    ///
    /// # Errors
    /// When no answer comes back.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let has_own = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some(token) = self.token.as_ref().filter(|_| !has_own) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body).expect("a well-formed request");
        let agent = self.agent.configure_request(request).allow_non_standard_methods(true).build();
        let mut response = self.agent.run(agent)?;
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in response.headers() {
            let value = value.to_str().expect("a header in ASCII");
            // Those that are there more than once, one a line.
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| {
                    all.push('\n');
                    all.push_str(value);
                })
                .or_insert_with(|| value.to_owned());
        }
        // Files of the audit log are no text.
        let text = String::from_utf8_lossy(&response.body_mut().read_to_vec()?).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status: response.status().as_u16(), headers, body, text })
    }
}
