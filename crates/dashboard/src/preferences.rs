//! How a visitor wants pages: zone, language, theme, keys and notifications, in a cookie of the browser.

use crate::cookies;
use crate::words::Language;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use strum::{EnumIter, EnumString, IntoStaticStr};

/// The cookie of what was chosen.
const CHOSEN: &str = "__Host-countersign-settings";
/// The cookie in which our script says the browser's zone.
const ZONE_OF_BROWSER: &str = "__Host-countersign-zone";
const YEAR_SECONDS: i64 = 365 * 24 * 60 * 60;

/// Colours of pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Theme {
    /// As the system has them.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// How a visitor wants pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// The zone that was chosen; empty: the browser's.
    pub zone: String,
    /// The zone of the browser.
    pub zone_of_browser: String,
    /// The language that was chosen; `None`: the browser's.
    pub chosen_language: Option<Language>,
    /// The language.
    pub language: Language,
    pub theme: Theme,
    pub has_keys: bool,
    pub notifies: bool,
}

impl Preferences {
    /// What a browser's cookies and headers say. What cannot be read is as if it were not there.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let chosen = cookies::cookie(headers, CHOSEN).unwrap_or_default();
        let get = |name: &str| {
            let mut members = form_urlencoded::parse(chosen.as_bytes());
            members.find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let decoded = |text: &str| {
            let pairs = format!("zone={text}");
            form_urlencoded::parse(pairs.as_bytes())
                .next()
                .map(|(_, zone)| zone.into_owned())
                .unwrap_or_default()
        };
        let chosen_language = get("language").parse().ok();
        Self {
            zone: Some(get("zone")).filter(|zone| is_zone(zone)).unwrap_or_default(),
            zone_of_browser: cookies::cookie(headers, ZONE_OF_BROWSER)
                .map(decoded)
                .filter(|zone| is_zone(zone))
                .unwrap_or_default(),
            chosen_language,
            language: chosen_language.unwrap_or_else(|| accepted(headers)),
            theme: get("theme").parse().unwrap_or_default(),
            has_keys: get("keys") != "off",
            notifies: get("notifications") == "on",
        }
    }

    /// The cookie that keeps what was chosen.
    pub(crate) fn cookie(&self) -> String {
        let language = self.chosen_language.map(Language::tag).unwrap_or_default();
        let value = form_urlencoded::Serializer::new(String::new())
            .append_pair("zone", &self.zone)
            .append_pair("language", language)
            .append_pair("theme", self.theme.into())
            .append_pair("keys", if self.has_keys { "on" } else { "off" })
            .append_pair("notifications", if self.notifies { "on" } else { "off" })
            .finish();
        cookies::set(CHOSEN, &value, YEAR_SECONDS)
    }

    /// The zone of times: the chosen one, the browser's, or UTC.
    pub(crate) fn time_zone(&self) -> TimeZone {
        let names = [&self.zone, &self.zone_of_browser];
        names.into_iter().find_map(|name| zone(name)).unwrap_or(TimeZone::UTC)
    }
}

fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { None } else { TimeZoneDatabase::bundled().get(name).ok() }
}

/// Whether there is such a zone.
pub(crate) fn is_zone(name: &str) -> bool {
    zone(name).is_some()
}

/// The names of zones.
pub(crate) fn zones() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
}

/// Korean if the browser asks for it before English.
fn accepted(headers: &HeaderMap) -> Language {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tags = accepted.split(',').filter_map(|range| range.trim().get(..2));
    tags.filter_map(|tag| tag.parse().ok()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::COOKIE;

    fn read(cookie: &str, language: &str) -> Preferences {
        Preferences::read(&HeaderMap::from_iter([
            (COOKIE, HeaderValue::from_str(cookie).unwrap()),
            (ACCEPT_LANGUAGE, HeaderValue::from_str(language).unwrap()),
        ]))
    }

    #[test]
    fn what_is_chosen_comes_back_from_the_cookie() {
        let chosen = Preferences {
            zone: "Asia/Seoul".to_owned(),
            chosen_language: Some(Language::Korean),
            language: Language::Korean,
            theme: Theme::Dark,
            has_keys: false,
            notifies: true,
            zone_of_browser: String::new(),
        };
        let cookie = chosen.cookie();
        assert_eq!(read(cookie.split(';').next().unwrap(), "en"), chosen);
    }

    #[test]
    fn without_a_choice_the_browser_says_and_nonsense_is_nothing() {
        let browser = read("__Host-countersign-zone=Europe%2FVienna", "ko-KR,ko;q=0.9,en;q=0.8");
        assert_eq!(browser.time_zone().iana_name(), Some("Europe/Vienna"));
        assert_eq!((browser.language, browser.has_keys, browser.notifies), (Language::Korean, true, false));
        let nonsense = read("__Host-countersign-settings=zone=../etc&theme=red&language=xx", "de, en");
        assert_eq!(nonsense.time_zone(), TimeZone::UTC);
        assert_eq!((nonsense.language, nonsense.theme), (Language::English, Theme::System));
    }

    #[test]
    fn zones_have_names() {
        assert!(zones().iter().any(|zone| zone == "Asia/Seoul"));
        assert!(is_zone("UTC") && !is_zone("") && !is_zone("Mars/Olympus"));
    }
}
