//! A browser of the dashboard without a screen: it keeps cookies, and sends forms as a page of ours does.

use crate::client::{Answer, Client};
use crate::service::Service;
use std::fmt;

/// What carries a request of the browser: method, target, headers and body.
type Send<'a> = Box<dyn Fn(&str, &str, &[(&str, &str)], &str) -> Answer + 'a>;

/// A browser of one visitor.
pub struct Browser<'a> {
    origin: String,
    send: Send<'a>,
    /// Names and values of the cookies that it has.
    pub cookies: Vec<(String, String)>,
}

impl fmt::Debug for Browser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl<'a> Browser<'a> {
    /// A browser that has visited nothing yet. `send` carries its requests.
    pub fn with(origin: &str, send: impl Fn(&str, &str, &[(&str, &str)], &str) -> Answer + 'a) -> Self {
        Self { origin: origin.to_owned(), send: Box::new(send), cookies: Vec::new() }
    }

    /// A browser that visits the dashboard with this origin of what listens where `client` sends.
    pub fn at(origin: &str, client: Client) -> Self {
        Self::with(origin, move |method, target, headers, body| {
            client.send(method, target, headers, body.as_bytes()).unwrap()
        })
    }

    /// A browser that visits a service.
    pub fn new(service: &Service) -> Self {
        Self::at(service.base(), service.anonymous())
    }

    /// Signed in with a token that was pasted.
    pub fn signed_in(service: &Service, name: &str, groups: &[&str]) -> Self {
        let mut browser = Self::new(service);
        let token = service.token(&format!("{name}@example.com"), groups);
        browser.sign_in(&token);
        browser
    }

    /// Signs in with a token.
    ///
    /// # Panics
    /// When that is refused.
    pub fn sign_in(&mut self, token: &str) {
        let answer = self.post("/sign-in/token", &[("token", token)]);
        assert_eq!(answer.status, 303, "{}", answer.text);
    }

    /// Sends a request with the cookies of the browser, and keeps those of the answer.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = vec![("accept", "text/html")];
        if !cookies.is_empty() {
            all.push(("cookie", cookies.as_str()));
        }
        all.extend(headers);
        let answer = (self.send)(method, path, &all, body);
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get("set-cookie").into_iter().flat_map(|all| all.split('\n')) {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Opens a page.
    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Sends a form.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.origin.clone();
        let form = "application/x-www-form-urlencoded";
        self.send("POST", path, &[("origin", &origin), ("content-type", form)], &encoded(fields))
    }

    /// Sends the form of a page that has this action, with further fields.
    pub fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden = hidden(page, action);
        let mut all: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields);
        self.post(action, &all)
    }
}

/// Members as a form is sent.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The values of the hidden fields of the form with this action.
///
/// # Panics
/// When the page has no such form.
pub fn hidden(page: &str, action: &str) -> Vec<(String, String)> {
    let form = page.split("<form").find(|form| form.contains(&format!("action=\"{action}\""))).unwrap();
    let form = form.split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!("{name}=\"")).nth(1).map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    let inputs = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap());
    let of_type = inputs.filter(|tag| tag.contains("type=\"hidden\""));
    of_type.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

/// Whether an answer leads to the page to sign in on.
pub fn asks_to_sign_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.headers["location"].starts_with("/sign-in")
}
