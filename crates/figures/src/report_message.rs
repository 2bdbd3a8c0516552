//! The message of a report, as it waits for delivery: who makes it, and the report. It is no event.

use crate::period_report::PeriodReport;
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::ids::EventId;
use countersign_core::origin::Origin;
use serde::{Deserialize, Serialize};

/// The page of the dashboard that has the figures.
const FIGURES_PAGE: &str = "insights";

/// Names the set of members. Another set gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ReportFormat {
    /// The first.
    #[default]
    #[serde(rename = "countersign.report.v1")]
    V1,
}

/// The message of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportMessage {
    /// The set of members.
    pub format: ReportFormat,
    /// Names it: the same for the same table and period.
    pub id: EventId,
    /// The deployment.
    pub source: Origin,
    /// The report.
    pub report: PeriodReport,
    /// Where people look at figures; set when it is sent.
    #[serde(skip)]
    pub link: Option<String>,
}

impl ReportMessage {
    /// The message of a report.
    pub fn new(id: EventId, source: Origin, report: PeriodReport) -> Self {
        Self { format: ReportFormat::V1, id, source, report, link: None }
    }

    /// As it is stored, and what binds it.
    ///
    /// # Errors
    /// A report that is no JSON, which none is.
    pub fn sealed(&self, key: &DeploymentKey) -> Result<(CanonicalJson, Digest), serde_json::Error> {
        let document = CanonicalJson::of(&serde_json::to_value(self)?);
        let seal = cloud_event::seal(self.id, document.as_str(), key);
        Ok((document, seal))
    }

    /// Reads a stored document back.
    ///
    /// # Errors
    /// Why it cannot be read; no value of it.
    pub fn read(document: &str) -> Result<Self, String> {
        serde_json::from_str(document).map_err(|error| {
            format!("report cannot be read at line {}, column {}", error.line(), error.column())
        })
    }

    /// The same with a link to the figures of a dashboard at `url`.
    #[must_use]
    pub fn with_link(self, url: &str) -> Self {
        let link = format!("{}/{FIGURES_PAGE}", url.trim_end_matches('/'));
        Self { link: Some(link), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period_report::Standing;
    use countersign_core::period::{Period, Span};
    use countersign_core::timestamp::Timestamp;

    #[test]
    fn a_message_survives_its_document() {
        let key = DeploymentKey::new([7; 32]);
        let now = Timestamp::parse("2026-02-01T08:00:00Z").unwrap();
        let span = Span::last_whole(Period::Monthly, now);
        let report = PeriodReport::of(&span, [], 3, Standing::default(), now);
        let message = ReportMessage::new(EventId::derived(now, "x"), Origin::of(&key), report);
        let (document, _) = message.sealed(&key).unwrap();
        assert_eq!(ReportMessage::read(document.as_str()), Ok(message.clone()));
        let link = message.with_link("https://pages.example.com/").link;
        assert_eq!(link.as_deref(), Some("https://pages.example.com/insights"));
        let another = document.as_str().replace("report.v1", "report.v2");
        assert!(ReportMessage::read(&another).is_err());
    }
}
