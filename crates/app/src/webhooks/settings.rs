//! Settings of webhooks as callers send them: all rules that they break, those about addresses included.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use countersign_webhook::settings::{Draft, Settings};
use std::collections::BTreeMap;

/// Settings that are changed: what is `None` stays.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of `Draft`")]
pub struct Patch {
    pub url: Option<String>,
    pub description: Option<Option<String>>,
    pub events: Option<Vec<String>>,
    pub statuses: Option<Vec<String>>,
    pub risk_levels: Option<Vec<String>>,
    pub environments: Option<Vec<String>>,
    pub operations: Option<Vec<String>>,
    pub content: Option<Option<String>>,
    pub format: Option<Option<String>>,
    pub headers: Option<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Patch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patch").finish_non_exhaustive()
    }
}

impl Patch {
    /// The draft with these changes.
    fn applied_to(&self, draft: Draft) -> Draft {
        let Self { url, description, events, statuses, risk_levels, environments, .. } = self.clone();
        let Self { operations, content, format, headers, .. } = self.clone();
        Draft {
            url: url.unwrap_or(draft.url),
            description: description.unwrap_or(draft.description),
            events: events.unwrap_or(draft.events),
            statuses: statuses.unwrap_or(draft.statuses),
            risk_levels: risk_levels.unwrap_or(draft.risk_levels),
            environments: environments.unwrap_or(draft.environments),
            operations: operations.unwrap_or(draft.operations),
            content: content.unwrap_or(draft.content),
            format: format.unwrap_or(draft.format),
            headers: headers.unwrap_or(draft.headers),
        }
    }
}

/// The settings of a draft, or all rules that it breaks: where, and which.
///
/// # Errors
/// The rules.
pub fn checked<S>(dependencies: &Dependencies<S>, draft: &Draft) -> Result<Settings, Vec<(String, String)>> {
    let settings = Settings::new(draft);
    let mut broken: Vec<_> = settings.as_ref().err().into_iter().flatten().collect();
    // What is no address at all breaks one rule, not two.
    let is_url = broken.iter().all(|broken| broken.pointer != "/url");
    let forbidden = match dependencies.webhook_client.check(&draft.url) {
        Err(rule) if is_url => Some(("/url".to_owned(), rule)),
        Ok(()) | Err(_) => None,
    };
    let rules = broken.drain(..).map(|broken| (broken.pointer.clone(), broken.rule.to_string()));
    let rules: Vec<_> = rules.chain(forbidden).collect();
    match settings {
        Ok(settings) if rules.is_empty() => Ok(settings),
        Ok(_) | Err(_) => Err(rules),
    }
}

/// The settings with changes.
pub(super) fn merged<S>(
    dependencies: &Dependencies<S>,
    settings: &Settings,
    patch: &Patch,
) -> Result<Settings, AppError> {
    let draft = patch.applied_to(settings.draft());
    // An address that is left as it is was checked before, and is again at each call.
    let is_same_url = draft.url == settings.url.as_str();
    match checked(dependencies, &draft) {
        Ok(settings) => Ok(settings),
        Err(rules) if is_same_url && rules.iter().all(|(pointer, _)| pointer == "/url") => {
            Settings::new(&draft).map_err(|_| AppError::InvalidWebhook(rules))
        }
        Err(rules) => Err(AppError::InvalidWebhook(rules)),
    }
}
