//! What callers send about webhooks. Whether an address, a name or a header may be what it is, is for others.

use crate::fields::{Fields, string};
use countersign_app::webhooks::Patch;
use countersign_webhook::secret::MAX_OVERLAP_SECONDS;
use countersign_webhook::settings::Draft;
use serde_json::Value;
use std::collections::BTreeMap;

/// A list of texts.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let texts = value.as_array().and_then(|values| {
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    texts.ok_or_else(|| "must be an array of strings".to_owned())
}

/// An object of texts.
fn headers(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let headers = value.as_object().and_then(|members| {
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        members.iter().map(pair).collect::<Option<BTreeMap<_, _>>>()
    });
    headers.ok_or_else(|| "must be an object of strings".to_owned())
}

/// What `null` takes back to what it is without any.
fn clearable<T: Default>(read: impl Fn(&Value) -> Result<T, String>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| if value.is_null() { Ok(T::default()) } else { read(value) }
}

/// A text that `null` takes away.
fn text(value: &Value) -> Result<Option<String>, String> {
    if value.is_null() { Ok(None) } else { string(value).map(Some) }
}

/// The settings of a new webhook.
pub(crate) fn draft(fields: &mut Fields) -> Option<Draft> {
    let url = fields.required("url", string);
    let description = fields.optional("description", string);
    let events = fields.optional("events", texts);
    let statuses = fields.optional("statuses", texts);
    let risk_levels = fields.optional("risk_levels", texts);
    let environments = fields.optional("environments", texts);
    let operations = fields.optional("operations", texts);
    let content = fields.optional("content", string);
    let format = fields.optional("format", string);
    let headers = fields.optional("headers", headers);
    Some(Draft {
        url: url?,
        description: description?,
        events: events?.unwrap_or_default(),
        statuses: statuses?.unwrap_or_default(),
        risk_levels: risk_levels?.unwrap_or_default(),
        environments: environments?.unwrap_or_default(),
        operations: operations?.unwrap_or_default(),
        content: content?,
        format: format?,
        headers: headers?.unwrap_or_default(),
    })
}

/// Which version is changed, and how: what is left out stays, `null` takes it back to what it is without any.
pub(crate) fn patch(fields: &mut Fields) -> Option<(u64, Patch)> {
    let version = fields.required("version", version);
    let url = fields.optional("url", string);
    let description = fields.optional("description", text);
    let events = fields.optional("events", clearable(texts));
    let statuses = fields.optional("statuses", clearable(texts));
    let risk_levels = fields.optional("risk_levels", clearable(texts));
    let environments = fields.optional("environments", clearable(texts));
    let operations = fields.optional("operations", clearable(texts));
    let content = fields.optional("content", text);
    let format = fields.optional("format", text);
    let headers = fields.optional("headers", clearable(headers));
    let patch = Patch {
        url: url?,
        description: description?,
        events: events?,
        statuses: statuses?,
        risk_levels: risk_levels?,
        environments: environments?,
        operations: operations?,
        content: content?,
        format: format?,
        headers: headers?,
    };
    Some((version?, patch))
}

fn version(value: &Value) -> Result<u64, String> {
    let version = value.as_u64().filter(|version| *version > 0);
    version.ok_or_else(|| "must be a whole number, the `version` of the webhook".to_owned())
}

/// How long the secret before signs on, in seconds.
pub(crate) fn overlap(fields: &mut Fields) -> Option<Option<u32>> {
    fields.optional("overlap_seconds", |value| {
        let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = seconds.filter(|seconds| *seconds <= MAX_OVERLAP_SECONDS);
        seconds.ok_or_else(|| format!("must be a whole number of seconds from 0 to {MAX_OVERLAP_SECONDS}"))
    })
}
