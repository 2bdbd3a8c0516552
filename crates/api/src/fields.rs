//! Reading a call's fields: every rule that is broken is found at once, and a field that no
//! operation reads is refused.

use crate::call::{Input, MAX_BODY_BYTES};
use crate::operation::Body;
use crate::problem::{Code, Problem};

use crate::wire::FieldError;
use countersign_app::waiting::Waiting;
use countersign_core::caller::Caller;
use countersign_core::canonical::{self, CanonicalJson};
use countersign_core::idempotency::{Idempotency, IdempotencyKey};
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::text::{FreeText, Identifier, InstanceId, Ticket};
use countersign_core::timestamp::Timestamp;
use countersign_webhook::webhook::WebhookId;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use strum::IntoEnumIterator;

/// How many names of a caller's own an answer repeats, and how much of each, in characters.
const MAX_NAMED: usize = 20;
const MAX_NAME: usize = 64;

/// The most values of a field that takes several.
pub(crate) const MAX_VALUES: usize = 20;

/// The members of a call's body, payload or query, on their way to becoming values.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    /// The canonical form of everything that was sent, for recognising a retry.
    sent: CanonicalJson,
    /// Whether they are the parameters of a query string, which has only text.
    is_query: bool,
    /// Those of a query string that are given several times: each is an array in `object`.
    repeated: BTreeSet<String>,
    path_id: Option<RequestId>,
    /// The parameters of the path.
    path: BTreeMap<String, String>,
    idempotency_key: Option<Value>,
    /// The `If-None-Match` header.
    if_none_match: Option<String>,
    /// Who could wait, and what lets them.
    pub(crate) waiter: Option<Waiter>,
    /// Whether the deployment resumes those who wait for a request outside of it.
    pub(crate) resumes: bool,
    errors: Vec<FieldError>,
    malformed_id: Option<Problem>,
    mismatch: Option<&'static str>,
    /// The names that were asked for, whether or not they were there.
    #[cfg(test)]
    pub(crate) asked: BTreeSet<String>,
}

/// A caller whose call may wait.
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Who waits.
    pub caller: Caller,
    /// What lets the call wait.
    pub waiting: Arc<dyn Waiting>,
}

impl Fields {
    /// Reads what a call carries, as far as it can be read at all.
    ///
    /// # Errors
    /// `unsupported_media_type`, `payload_too_large`, `malformed_json` and `malformed_id`. What else is wrong is found by
    /// [`Fields::finish`].
    pub fn read(input: Input, expected: Body) -> Result<Self, Problem> {
        match input {
            Input::Direct { payload } => {
                let (mut object, errors) = read_object(&payload)?;
                let idempotency_key = object.remove("idempotency_key");
                Ok(Self::new(object, errors, None, idempotency_key))
            }
            Input::Http { path, query, content_type, body, idempotency_key, if_none_match } => {
                let (object, errors, repeated) = match expected {
                    Body::None => {
                        let (object, repeated) = read_query(&query);
                        (object, Vec::new(), repeated)
                    }
                    Body::Optional(_) if body.is_empty() => (Map::new(), misplaced(&query), BTreeSet::new()),
                    Body::Optional(_) | Body::Required(_) => {
                        if !body.is_empty() && !content_type.as_deref().is_none_or(is_json) {
                            return Err(unsupported_media_type());
                        }
                        let (object, mut errors) = read_object(&body)?;
                        errors.extend(misplaced(&query));
                        (object, errors, BTreeSet::new())
                    }
                };
                let path_id = match path.get("id") {
                    None => None,
                    Some(id) => Some(RequestId::parse(id).map_err(|_| malformed_id())?),
                };
                let fields = Self::new(object, errors, path_id, idempotency_key.map(Value::String));
                Ok(Self { is_query: expected == Body::None, repeated, path, if_none_match, ..fields })
            }
        }
    }

    fn new(
        object: Map<String, Value>,
        errors: Vec<FieldError>,
        path_id: Option<RequestId>,
        idempotency_key: Option<Value>,
    ) -> Self {
        // The same command is the same by every path: the original endpoint names in the body what
        // the others name in the path.
        let mut sent = object.clone();
        sent.remove("operation");
        // Secrets, of which nothing is kept, and others at each try of a task.
        sent.remove("task_token");
        sent.remove("callback_id");
        if let Some(id) = path_id {
            sent.insert("request_id".to_owned(), Value::String(id.to_string()));
        }
        Self {
            sent: CanonicalJson::of(&Value::Object(sent)),
            object,
            is_query: false,
            repeated: BTreeSet::new(),
            path_id,
            path: BTreeMap::new(),
            idempotency_key,
            if_none_match: None,
            waiter: None,
            resumes: false,
            errors,
            malformed_id: None,
            mismatch: None,
            #[cfg(test)]
            asked: BTreeSet::new(),
        }
    }

    /// Takes a member out, whatever it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        #[cfg(test)]
        self.asked.insert(name.to_owned());
        self.object.remove(name)
    }

    /// A field that must be there. `None` if a rule is broken, which is then on the list.
    pub fn required<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Option<T> {
        match self.take(name) {
            Some(value) => self.parse(name, &value, parse),
            None => {
                self.refuse(name, "is required");
                None
            }
        }
    }

    /// A field that may be absent. The outer `None` is a broken rule. `null` is not absence.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match self.take(name) {
            Some(value) => self.parse(name, &value, parse).map(Some),
            None => Some(None),
        }
    }

    fn parse<T, E: Display>(
        &mut self,
        name: &str,
        value: &Value,
        parse: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Option<T> {
        if self.repeated.contains(name) {
            self.refuse(name, "is given twice");
            return None;
        }
        parse(value).map_err(|error| self.refuse(name, &error.to_string())).ok()
    }

    /// A field of several values: one text, or an array of texts; in a query string the parameter several
    /// times, or commas between the values. Empty if it is absent; `None` is a broken rule.
    pub fn several<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&Value) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let texts = match self.take(name) {
            None => return Some(Vec::new()),
            Some(Value::Array(texts)) => texts,
            Some(value) => vec![value],
        };
        let values: Vec<_> = if self.is_query { texts.iter().flat_map(separated).collect() } else { texts };
        if !(1..=MAX_VALUES).contains(&values.len()) {
            self.refuse(name, &format!("must be from 1 to {MAX_VALUES} values"));
            return None;
        }
        let parsed: Result<Vec<_>, _> = values.iter().map(parse).collect();
        parsed.map_err(|error| self.refuse(name, &error.to_string())).ok()
    }

    /// Puts a broken rule on the list.
    pub fn refuse(&mut self, name: &str, message: &str) {
        self.errors.push(FieldError::new(&pointer(name), message));
    }

    /// The request that the call is about: of the path, or the member `request_id`.
    pub fn request_id(&mut self) -> Option<RequestId> {
        if self.path_id.is_some() {
            return self.path_id;
        }
        let text = self.required("request_id", string)?;
        let id = RequestId::parse(&text).ok();
        self.malformed_id = id.is_none().then(malformed_id);
        id
    }

    /// The webhook that the call is about, of the path.
    pub(crate) fn webhook_id(&mut self) -> Option<WebhookId> {
        let id = self.path.get("webhook_id").and_then(|id| WebhookId::parse(id).ok());
        if id.is_none() {
            let detail = "the id of a webhook is wh_ and a UUID in lower-case hyphenated form";
            self.malformed_id = Some(Problem::new(Code::MalformedId, detail));
        }
        id
    }

    /// What the path says in place of `{name}`; of a direct payload, its member of this name.
    pub(crate) fn of_path<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if let Some(value) = self.path.get(name) {
            let value = Value::String(value.clone());
            if self.object.insert(name.to_owned(), value).is_some() {
                self.refuse(name, "is in the path, and nowhere else");
            }
        }
        self.required(name, read)
    }

    /// The delivery that the call is about, of the path: the id of its event.
    pub(crate) fn delivery_id(&mut self) -> Option<EventId> {
        let id = self.path.get("delivery_id").and_then(|id| EventId::parse(id).ok());
        if id.is_none() {
            let detail = "the id of a delivery is that of its event, a UUID in lower-case hyphenated form";
            self.malformed_id = Some(Problem::new(Code::MalformedId, detail));
        }
        id
    }

    /// Puts broken rules on the list, each at its JSON pointer.
    pub(crate) fn refuse_all(&mut self, rules: &[(String, String)]) {
        self.errors.extend(rules.iter().map(|(pointer, rule)| FieldError::new(pointer, rule)));
    }

    /// What the caller says that they have: the `If-None-Match` header.
    pub(crate) fn condition(&mut self) -> Option<String> {
        self.if_none_match.take()
    }

    /// A member that may name the caller and no other person.
    pub fn caller(&mut self, name: &'static str, actor: &Principal) {
        let Some(Some(text)) = self.optional(name, string) else { return };
        if !actor.addresses.iter().any(|address| address.is_named_by(&text)) {
            self.mismatch = Some(name);
        }
    }

    /// Ends the reading: the values, or everything that is wrong, in the documented order.
    ///
    /// # Errors
    /// `malformed_id`, then `identity_mismatch`, then `validation_failed`.
    pub fn finish<T>(mut self, values: Option<T>) -> Result<(T, Option<Idempotency>), Problem> {
        let idempotency = self.idempotency();
        let twice = self.object.keys().filter(|name| self.repeated.contains(*name));
        let mut unknown = named(twice, "is given twice");
        unknown.extend(named(self.object.keys(), "is not a field of this operation"));
        self.errors.extend(unknown);
        if let Some(problem) = self.malformed_id {
            return Err(problem);
        }
        if let Some(name) = self.mismatch {
            let detail = format!("`{name}` must be left out or name you, whose token this is");
            return Err(Problem::new(Code::IdentityMismatch, detail));
        }
        match values {
            Some(values) if self.errors.is_empty() => Ok((values, idempotency)),
            Some(_) | None if self.errors.is_empty() => {
                Err(Problem::internal("a field is missing without an error"))
            }
            Some(_) | None => {
                self.errors.sort_by_key(|error| (error.pointer.is_empty(), error.pointer.clone()));
                Err(Problem::validation(self.errors))
            }
        }
    }

    fn idempotency(&mut self) -> Option<Idempotency> {
        let key = self.idempotency_key.take()?;
        let key = self.parse("idempotency_key", &key, |value| {
            let text = string(value)?;
            IdempotencyKey::parse(&text).map_err(|error| error.to_string())
        })?;
        Some(Idempotency { key, body_digest: self.sent.digest() })
    }
}

pub(crate) fn malformed_id() -> Problem {
    Problem::new(Code::MalformedId, "a request id is a UUID in lower-case hyphenated form")
}

pub(crate) fn unsupported_media_type() -> Problem {
    Problem::new(Code::UnsupportedMediaType, "send the body with `Content-Type: application/json`")
}

/// Whether a `Content-Type` says JSON in UTF-8. A body that declares nothing is read as JSON.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) | None => true,
        })
}

/// The JSON pointer (RFC 6901) of a member of the body.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of a body, and what is wrong with them already.
fn read_object(body: &[u8]) -> Result<(Map<String, Value>, Vec<FieldError>), Problem> {
    if body.len() > MAX_BODY_BYTES {
        let detail = format!("a body is at most {MAX_BODY_BYTES} bytes");
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    match canonical::read(body) {
        Ok(Value::Object(object)) => Ok((object, Vec::new())),
        Ok(_) => Ok((Map::new(), vec![FieldError::new("", "the body must be a JSON object")])),
        Err(error) => Err(Problem::new(Code::MalformedJson, error.to_string())),
    }
}

/// Every parameter of a query string where fields belong into the body. Ignoring one, such as
/// `parameters_digest`, would let its sender believe that it was checked.
fn misplaced(query: &str) -> Vec<FieldError> {
    let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    named(names, "belongs into the body, not the query string")
}

/// The same error for each of these names, which are the caller's own: the first of them, cut where they
/// are long, and how many there are besides. An answer is not to be larger than what it answers.
fn named(mut names: impl Iterator<Item = impl AsRef<str>>, message: &str) -> Vec<FieldError> {
    let named = names.by_ref().take(MAX_NAMED).map(|name| {
        let mut characters = name.as_ref().chars();
        let mut shown: String = characters.by_ref().take(MAX_NAME).collect();
        shown.extend(characters.next().map(|_| '…'));
        FieldError::new(&pointer(&shown), message)
    });
    let mut errors: Vec<_> = named.collect();
    let more = names.count();
    if more > 0 {
        errors.push(FieldError::new("", &format!("{more} more names, each of which {message}")));
    }
    errors
}

/// The parameters of a query string, and which of them are given several times.
fn read_query(query: &str) -> (Map<String, Value>, BTreeSet<String>) {
    let mut object: Map<String, Value> = Map::new();
    let mut repeated = BTreeSet::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Value::String(value.into_owned());
        match object.get_mut(name.as_ref()) {
            None => drop(object.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => {
                *first = Value::Array(vec![first.take(), value]);
                repeated.insert(name.into_owned());
            }
        }
    }
    (object, repeated)
}

/// The values of a parameter with commas between them.
fn separated(value: &Value) -> impl Iterator<Item = Value> {
    value.as_str().unwrap_or_default().split(',').map(|part| Value::String(part.to_owned()))
}

/// A string.
pub fn string(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "must be a string".to_owned())
}

/// True or false.
pub(crate) fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// A whole number that is not negative, or its decimal digits: a query string has only text.
pub(crate) fn whole_number(value: &Value, at_most: u64) -> Result<u64, String> {
    let digits = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    let from_text = value.as_str().filter(digits).and_then(|text| text.parse().ok());
    from_text.or(value.as_u64()).filter(|number| *number <= at_most).ok_or_else(|| match at_most {
        u64::MAX => "must be a whole number, 0 or more".to_owned(),
        at_most => format!("must be a whole number from 0 to {at_most}"),
    })
}

/// The name of one of a few values.
pub fn one_of<T: FromStr + IntoEnumIterator + Into<&'static str>>(value: &Value) -> Result<T, String> {
    string(value)?.parse().map_err(|_| {
        let names: Vec<&str> = T::iter().map(Into::into).collect();
        format!("must be one of {}", names.join(", "))
    })
}

/// A day, by its first moment.
pub(crate) fn day(value: &Value) -> Result<Timestamp, String> {
    let text = string(value)?;
    let first = Timestamp::parse_first(&text).ok().filter(|first| first.day() == text);
    first.ok_or_else(|| "must be a day such as 2026-01-31".to_owned())
}

/// Free text.
pub fn free_text<const MAX: usize>(value: &Value) -> Result<FreeText<MAX>, String> {
    FreeText::parse(&string(value)?).map_err(|error| error.to_string())
}

/// An identifier.
pub fn identifier(value: &Value) -> Result<Identifier, String> {
    Identifier::parse(&string(value)?).map_err(|error| error.to_string())
}

/// An instance.
pub fn instance_id(value: &Value) -> Result<InstanceId, String> {
    InstanceId::parse(&string(value)?).map_err(|error| error.to_string())
}

/// A ticket.
pub fn ticket(value: &Value) -> Result<Ticket, String> {
    Ticket::parse(&string(value)?).map_err(|error| error.to_string())
}

/// A person, by e-mail or by stored id.
pub fn person(value: &Value) -> Result<PersonId, String> {
    let text = string(value)?;
    PersonId::from_stored(&text).or_else(|_| PersonId::from_email(&text)).map_err(|error| error.to_string())
}
