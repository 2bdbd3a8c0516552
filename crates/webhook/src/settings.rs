//! What the owner of a webhook sets, and the rules for it.

use crate::filter::{Filter, MAX_OPERATIONS, OperationPattern, is_published};
use crate::headers::CustomHeaders;
pub use crate::rule::{Broken, Rule};
use countersign_core::event::EventType;
use countersign_core::text::must_be_escaped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The longest address, in bytes.
pub const MAX_URL_BYTES: usize = 2048;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 200;
/// The most names in a list of a closed set: more than any set has.
const MAX_NAMES: usize = 50;

/// How much of an event a delivery has.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Content {
    /// All that subscribers learn of it.
    #[default]
    Full,
    /// What the rest can be fetched by; see [`crate::body`].
    Thin,
}

/// Around what a delivery has.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// A `CloudEvent` in its structured mode.
    #[default]
    CloudEvents,
    /// Its data alone.
    Document,
}

/// The members of settings, as requests, stored documents and the trail name them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Member {
    /// The address.
    Url,
    /// The description.
    Description,
    /// The list of types of events.
    Events,
    /// The list of statuses.
    Statuses,
    /// The list of risk levels.
    RiskLevels,
    /// The list of environments.
    Environments,
    /// The list of operations.
    Operations,
    /// How much a delivery has.
    Content,
    /// Around what.
    Format,
    /// The headers of the owner.
    Headers,
}

/// Settings as texts, as they come in a request and as they are stored. What is absent has its default: everything, in full,
/// as `CloudEvents`.
///
/// | member | what it is |
/// |---|---|
/// | `url` | the address, at most 2,048 characters |
/// | `description` | at most 200 characters, none that cannot be seen |
/// | `events` | names of types of events, such as `APPROVAL_GRANTED` |
/// | `statuses`, `risk_levels`, `environments` | names as requests have them |
/// | `operations` | names of operations, or patterns with `*` and `?`; at most 50 |
/// | `content` | `full` or `thin` |
/// | `format` | `cloudevents` or `document` |
/// | `headers` | an object of at most 10 headers |
///
/// `Debug` shows neither the address nor the values of headers: they may be secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above has them")]
pub struct Draft {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk_levels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("description", &self.description).finish_non_exhaustive()
    }
}

/// What the owner of a webhook has set, by the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address.
    pub url: WebhookUrl,
    /// What it is for.
    pub description: Option<Description>,
    /// What it takes.
    pub filter: Filter,
    /// How much a delivery has.
    pub content: Content,
    /// Around what.
    pub format: Format,
    /// The headers of the owner.
    pub headers: CustomHeaders,
}

/// The address of an endpoint, as its owner wrote it. Which addresses may be called is decided elsewhere, when it is
/// registered and again each time that it is called. `Debug` shows its host alone: the rest may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: String,
    host: String,
}

impl WebhookUrl {
    /// Reads an absolute URL with a host.
    ///
    /// # Errors
    /// [`Rule::Url`].
    pub fn parse(text: &str) -> Result<Self, Rule> {
        // The parser drops tabs and line breaks, and would take other characters for what they look like.
        if text.len() > MAX_URL_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Rule::Url);
        }
        let url = url::Url::parse(text).map_err(|_| Rule::Url)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Rule::Url)?;
        let host = match url.port() {
            None => host.to_owned(),
            Some(port) => format!("{host}:{port}"),
        };
        Ok(Self { text: text.to_owned(), host })
    }

    /// The address as its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, and the port if it is not that of the scheme: what logs and the trail may show.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.host)
    }
}

/// What a webhook is for, in the words of its owner: 1 to 200 characters, all of which can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Checks length and characters.
    ///
    /// # Errors
    /// What is longer, blank, or has a character that moves the cursor, takes no room or changes the order of others.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if text.chars().count() > MAX_DESCRIPTION {
            return Err(Rule::TooLong { max: MAX_DESCRIPTION });
        }
        if text.trim().is_empty() {
            return Err(Rule::Empty);
        }
        if text.chars().any(must_be_escaped) {
            return Err(Rule::InvisibleCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Settings {
    /// Checks a draft.
    ///
    /// # Errors
    /// All rules that it breaks, each where it does.
    pub fn new(draft: &Draft) -> Result<Self, Vec<Broken>> {
        let mut check = Check::default();
        let url = check.one(Member::Url, WebhookUrl::parse(&draft.url));
        let description = draft.description.as_deref().map(Description::parse).transpose();
        let description = check.one(Member::Description, description);
        let filter = Filter {
            events: check.list(Member::Events, &draft.events, MAX_NAMES, published_event),
            statuses: check.list(Member::Statuses, &draft.statuses, MAX_NAMES, named),
            risk_levels: check.list(Member::RiskLevels, &draft.risk_levels, MAX_NAMES, named),
            environments: check.list(Member::Environments, &draft.environments, MAX_NAMES, named),
            operations: check.list(
                Member::Operations,
                &draft.operations,
                MAX_OPERATIONS,
                OperationPattern::parse,
            ),
        };
        let content = check.one(Member::Content, draft.content.as_deref().map(named).transpose());
        let format = check.one(Member::Format, draft.format.as_deref().map(named).transpose());
        let headers = CustomHeaders::new(&draft.headers).map_err(|broken| check.broken.extend(broken)).ok();
        match (url, description, content, format, headers) {
            (Some(url), Some(description), Some(content), Some(format), Some(headers))
                if check.broken.is_empty() =>
            {
                let (content, format) = (content.unwrap_or_default(), format.unwrap_or_default());
                Ok(Self { url, description, filter, content, format, headers })
            }
            _ => Err(check.broken),
        }
    }

    /// The settings as texts: what a change begins with, and what is stored.
    pub fn draft(&self) -> Draft {
        fn names<T: fmt::Display>(list: &[T]) -> Vec<String> {
            list.iter().map(T::to_string).collect()
        }
        Draft {
            url: self.url.as_str().to_owned(),
            description: self.description.as_ref().map(|description| description.as_str().to_owned()),
            events: names(&self.filter.events),
            statuses: names(&self.filter.statuses),
            risk_levels: names(&self.filter.risk_levels),
            environments: names(&self.filter.environments),
            operations: self.filter.operations.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            content: Some(self.content.to_string()),
            format: Some(self.format.to_string()),
            headers: self.headers.as_map().clone(),
        }
    }

    /// The names of the members that other settings have otherwise, in the order of [`Member`].
    pub fn changes_to(&self, other: &Self) -> Vec<Member> {
        let (mine, theirs) = (&self.filter, &other.filter);
        let changes = [
            (Member::Url, self.url != other.url),
            (Member::Description, self.description != other.description),
            (Member::Events, mine.events != theirs.events),
            (Member::Statuses, mine.statuses != theirs.statuses),
            (Member::RiskLevels, mine.risk_levels != theirs.risk_levels),
            (Member::Environments, mine.environments != theirs.environments),
            (Member::Operations, mine.operations != theirs.operations),
            (Member::Content, self.content != other.content),
            (Member::Format, self.format != other.format),
            (Member::Headers, self.headers != other.headers),
        ];
        changes.into_iter().filter_map(|(member, is_changed)| is_changed.then_some(member)).collect()
    }
}

/// What is broken so far.
#[derive(Default)]
struct Check {
    broken: Vec<Broken>,
}

impl Check {
    fn one<T>(&mut self, member: Member, checked: Result<T, Rule>) -> Option<T> {
        checked.map_err(|rule| self.broken.push(Broken { pointer: format!("/{member}"), rule })).ok()
    }

    /// The values of a list, each of them once.
    fn list<T: PartialEq>(
        &mut self,
        member: Member,
        texts: &[String],
        max: usize,
        read: impl Fn(&str) -> Result<T, Rule>,
    ) -> Vec<T> {
        if texts.len() > max {
            self.broken.push(Broken { pointer: format!("/{member}"), rule: Rule::TooMany { max } });
            return Vec::new();
        }
        let mut values = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            match read(text) {
                Ok(value) if values.contains(&value) => {
                    self.broken.push(Broken { pointer: format!("/{member}/{place}"), rule: Rule::Duplicate })
                }
                Ok(value) => values.push(value),
                Err(rule) => self.broken.push(Broken { pointer: format!("/{member}/{place}"), rule }),
            }
        }
        values
    }
}

/// A value of a closed set by its name.
fn named<T: FromStr + strum::IntoEnumIterator + fmt::Display>(text: &str) -> Result<T, Rule> {
    text.parse().map_err(|_| Rule::UnknownName { names: names(T::iter()) })
}

/// A type of events that subscribers get. Those that never reach them are refused: nothing would come of them.
fn published_event(text: &str) -> Result<EventType, Rule> {
    let all =
        || <EventType as strum::IntoEnumIterator>::iter().filter(|event_type| is_published(*event_type));
    let event_type = text.parse().ok().filter(|event_type| is_published(*event_type));
    event_type.ok_or_else(|| Rule::UnknownName { names: names(all()) })
}

fn names<T: fmt::Display>(all: impl Iterator<Item = T>) -> String {
    all.map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
