//! `/settings`: zone, language, theme, keys and notifications, kept in a cookie of the browser.

use crate::answer::Answer;
use crate::calls::Failure;
use crate::frame::Frame;
use crate::preferences::{Preferences, is_zone, zones};
use crate::problems::Alert;
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::{Language, Words};
use askama::Template;
use http::StatusCode;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    words: &'static Words,
    frame: Frame,
    zone: Shown,
    zones: Vec<String>,
    /// The tag of the language that was chosen.
    language: &'static str,
    theme: &'static str,
    has_keys: bool,
    notifies: bool,
}

/// The page.
pub(crate) fn page<P>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let update = if visitor.fields.get("saved") == "yes" { visitor.words().saved } else { "" };
    let zone = &visitor.preferences.zone;
    Ok(rendered(
        visitor,
        StatusCode::OK,
        zone,
        visitor.frame(heading(visitor)).with_update(update.to_owned()),
    ))
}

/// Saves what the form says.
pub(crate) fn save<P>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let fields = &visitor.fields;
    let zone = fields.trimmed("zone");
    if !zone.is_empty() && !is_zone(zone) {
        let alert = Alert::of(visitor.words().zone_unknown);
        let frame = visitor.frame(heading(visitor)).with_alert(Some(alert));
        return Ok(rendered(visitor, StatusCode::UNPROCESSABLE_ENTITY, zone, frame));
    }
    let preferences = Preferences {
        zone: zone.to_owned(),
        chosen_language: fields.get("language").parse().ok(),
        theme: fields.get("theme").parse().unwrap_or_default(),
        has_keys: fields.get("keys") == "on",
        notifies: fields.get("notifications") == "on",
        ..visitor.preferences.clone()
    };
    Ok(Answer::redirect("/settings?saved=yes").with_cookies([preferences.cookie()]))
}

fn heading<P>(visitor: &Visitor<'_, P>) -> String {
    visitor.words().settings.to_owned()
}

fn rendered<P>(visitor: &Visitor<'_, P>, status: StatusCode, zone: &str, frame: Frame) -> Answer {
    let preferences = &visitor.preferences;
    let page = SettingsPage {
        words: visitor.words(),
        frame,
        zone: Shown::line(zone),
        zones: zones(),
        language: preferences.chosen_language.map(Language::tag).unwrap_or_default(),
        theme: preferences.theme.into(),
        has_keys: preferences.has_keys,
        notifies: preferences.notifies,
    };
    visitor.page_with(status, &page)
}
