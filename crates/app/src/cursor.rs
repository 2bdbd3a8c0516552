//! Cursors: where a page ended, sealed.
//!
//! A position names a request, perhaps one that the caller must not see, and tells how the store reads a
//! list. A cursor is the position under a key of the deployment. It opens for its list and its caller
//! alone; anything else, however it came about, is [`AppError::MalformedCursor`].

use crate::error::AppError;
use crate::ports::{EventQuery, ListQuery};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::DeploymentKey;
use countersign_core::principal::Principal;
use countersign_core::seal::SealingKey;
use countersign_core::timestamp::Timestamp;

const PURPOSE: &str = "countersign.cursor.v1";

/// The longest cursor that is looked at, in bytes. Ours are shorter than 300, but
/// the sort key of a damaged row, which a page may end at, has up to 1,024 bytes.
const MAX_LENGTH: usize = 2048;

/// The cursors of one list for one caller.
#[derive(Debug)]
pub(crate) struct Cursors {
    key: SealingKey,
    belongs_to: String,
}

impl Cursors {
    /// Those of a list as it was asked for. `limit` may differ from page to page, and time goes on.
    pub(crate) fn of(query: &ListQuery, actor: &Principal, key: &DeploymentKey) -> Self {
        let ListQuery {
            statuses,
            requested_by,
            instance_id,
            operation_types,
            risk_levels,
            environments,
            awaiting_decision_by,
            from,
            to,
            limit: _,
            after: _,
            max_queries: _,
            now: _,
        } = query;
        let filters = format!(
            "{statuses:?} {requested_by:?} {instance_id:?} {operation_types:?} {risk_levels:?} \
             {environments:?} {awaiting_decision_by:?} {from:?} {to:?}"
        );
        Self::for_caller(&filters, actor, key)
    }

    /// Those of a query of events, likewise. `to` is the end that the caller has named.
    pub(crate) fn of_events(
        query: &EventQuery,
        to: Option<Timestamp>,
        actor: &Principal,
        key: &DeploymentKey,
    ) -> Self {
        let EventQuery {
            stream,
            instance_id,
            users,
            event_types,
            from,
            until: _,
            is_ascending,
            limit: _,
            after: _,
        } = query;
        let filters = format!(
            "events {stream:?} {instance_id:?} {users:?} {event_types:?} {from:?} {to:?} {is_ascending}"
        );
        Self::for_caller(&filters, actor, key)
    }

    fn for_caller(filters: &str, actor: &Principal, key: &DeploymentKey) -> Self {
        let belongs_to = format!("{:?} {filters}", actor.person);
        Self { key: SealingKey::derived(key, PURPOSE), belongs_to }
    }

    /// The position in a cursor.
    pub(crate) fn open(&self, cursor: &str) -> Result<String, AppError> {
        let sealed = (cursor.len() <= MAX_LENGTH).then(|| URL_SAFE_NO_PAD.decode(cursor).ok()).flatten();
        sealed.and_then(|sealed| self.key.open(&self.belongs_to, &sealed)).ok_or(AppError::MalformedCursor)
    }

    /// The cursor of a position.
    pub(crate) fn seal(&self, position: &str) -> Result<String, AppError> {
        let sealed = self.key.seal(&self.belongs_to, position);
        let sealed = sealed.ok_or_else(|| AppError::Corrupt("a cursor cannot be sealed".to_owned()))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::caller::{Channel, PrincipalKind};
    use countersign_core::person::PersonId;
    use countersign_core::request::Status;

    fn query() -> ListQuery {
        ListQuery { statuses: vec![Status::Pending], ..ListQuery::unfiltered(50, 1, Timestamp::EARLIEST) }
    }

    fn cursors(query: &ListQuery, email: &str) -> Cursors {
        let person = PersonId::from_email(email).unwrap();
        let actor = Principal::assumed(person, PrincipalKind::Human, Channel::Local, ["developer"]);
        Cursors::of(query, &actor, &DeploymentKey::new([1; 32]))
    }

    /// THREATS 10: nothing of another person's.
    #[test]
    fn a_cursor_opens_for_its_list_and_its_caller_alone() {
        let ann = cursors(&query(), "ann@example.com");
        let cursor = ann.seal("a position").unwrap();
        assert_eq!(ann.open(&cursor).as_deref(), Ok("a position"));
        assert_eq!(cursors(&query(), "bob@example.com").open(&cursor), Err(AppError::MalformedCursor));
        for other in [
            ListQuery { statuses: vec![Status::Approved], ..query() },
            ListQuery { statuses: vec![Status::Pending, Status::Approved], ..query() },
            ListQuery { from: Some(Timestamp::EARLIEST), ..query() },
            ListQuery { to: Some(Timestamp::EARLIEST), ..query() },
            ListQuery { risk_levels: [countersign_core::risk::RiskLevel::High].into(), ..query() },
        ] {
            assert_eq!(cursors(&other, "ann@example.com").open(&cursor), Err(AppError::MalformedCursor));
        }
        let later = ListQuery { limit: 1, now: Timestamp::LATEST, ..query() };
        assert_eq!(cursors(&later, "ann@example.com").open(&cursor).as_deref(), Ok("a position"));
    }

    #[test]
    fn a_forged_cursor_is_malformed_wherever_it_was_changed() {
        let ann = cursors(&query(), "ann@example.com");
        let cursor = ann.seal("a position").unwrap();
        for (place, letter) in cursor.char_indices() {
            for other in ['A', 'b', '7', '_', '=', ' '].into_iter().filter(|other| *other != letter) {
                let mut forged = cursor.clone();
                forged.replace_range(place..=place, &other.to_string());
                assert_eq!(ann.open(&forged), Err(AppError::MalformedCursor), "{forged}");
            }
            let cut: String = cursor.chars().take(place).collect();
            assert_eq!(ann.open(&cut), Err(AppError::MalformedCursor));
        }
        for junk in
            [format!("{cursor}A"), format!("{cursor}="), format!("{cursor}{cursor}"), "A".repeat(5000)]
        {
            assert_eq!(ann.open(&junk), Err(AppError::MalformedCursor), "{junk}");
        }
    }
}
