//! GET /v1/approvals/{id}

use crate::fields::{Fields, whole_number};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{ETAG, Reply};
use crate::run::Endpoint;
use crate::wire::RequestBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::held::HeldRequest;
use countersign_app::ports::{LoadHold, LoadRequest};
use countersign_app::wait::Wait;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// How long a call may wait, in seconds: less than a gateway, or a client, waits for an answer.
pub(crate) const MAX_WAIT_SECONDS: u64 = 25;

/// Reads a request; at once, or when it has changed.
#[derive(Debug)]
pub struct Get;

impl<S: LoadRequest + LoadHold> Endpoint<S> for Get {
    const OPERATION: Operation = Operation::Get;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let seconds = fields.optional("wait", |value| whole_number(value, MAX_WAIT_SECONDS));
        let since_version = fields.optional("since_version", |value| whole_number(value, u64::MAX));
        if let (Some(None), Some(Some(_))) = (seconds, since_version) {
            fields.refuse("since_version", "is for a call with `wait`");
        }
        let condition = fields.condition();
        let waiter = fields.waiter.take();
        let ((id, seconds, since_version), _) =
            fields.finish((|| Some((id?, seconds?.unwrap_or_default(), since_version?)))())?;
        let reply = match waiter.filter(|_| seconds > 0) {
            None => {
                let held = countersign_app::get::get_held(dependencies, id, actor).await?;
                tagged(&held, actor, &dependencies.policy, dependencies.host.now())
            }
            Some(waiter) => {
                let wait = Wait {
                    request_id: id,
                    since_version,
                    at_most: Duration::from_secs(seconds),
                    caller: &waiter.caller,
                    waiting: waiter.waiting.as_ref(),
                };
                // A caller who has something else than what there is does not wait to hear of it.
                let is_news = |reply: &Reply| condition.is_some() && !is_known(reply, condition.as_deref());
                countersign_app::wait::wait(dependencies, wait, actor, tagged, is_news).await?
            }
        };
        Ok(if is_known(&reply, condition.as_deref()) { reply.not_modified() } else { reply })
    }
}

/// `get_request` of the original endpoint: answers at once, and always with the request.
pub(super) async fn original<S: LoadRequest + LoadHold>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    mut fields: Fields,
) -> Result<Reply, Problem> {
    let id = fields.request_id();
    let (id, _) = fields.finish(id)?;
    let held = countersign_app::get::get_held(dependencies, id, actor).await?;
    let body = RequestBody::held(&held, actor, &dependencies.policy, dependencies.host.now());
    Ok(Reply::json(200, &body))
}

/// What the caller is shown, with an entity tag of it.
fn tagged(held: &HeldRequest, actor: &Principal, policy: &Policy, now: Timestamp) -> Reply {
    Reply::json(200, &RequestBody::held(held, actor, policy, now)).with_entity_tag()
}

/// Whether an `If-None-Match` header names the reply's entity tag (RFC 9110 section 13.1.2), or any. Entity tags of ours
/// have no comma in them; a header that cannot be read names none.
fn is_known(reply: &Reply, condition: Option<&str>) -> bool {
    let entity_tag = reply.headers.iter().find(|(name, _)| *name == ETAG).map(|(_, tag)| tag.as_str());
    let mut names = condition.into_iter().flat_map(|names| names.split(',')).map(str::trim);
    names.any(|name| name == "*" || Some(name.strip_prefix("W/").unwrap_or(name)) == entity_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_what_is_known_in_any_way_that_the_standard_has() {
        let reply = Reply::json(200, &"shown").with_entity_tag();
        let tag = reply.headers[0].1.clone();
        assert!(tag.len() == 66 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for condition in [tag.clone(), format!("W/{tag}"), format!("\"other\" , {tag}"), "*".to_owned()] {
            assert!(is_known(&reply, Some(&condition)), "{condition}");
        }
        let bare = tag.trim_matches('"').to_owned();
        for condition in [String::new(), bare, "\"other\"".to_owned(), format!("w/{tag}"), "**".to_owned()] {
            assert!(!is_known(&reply, Some(&condition)), "{condition}");
        }
        assert!(!is_known(&reply, None));
        assert_ne!(Reply::json(200, &"else").with_entity_tag().headers, reply.headers);
        let not_modified = reply.clone().not_modified();
        assert_eq!((not_modified.status, not_modified.body.as_ref()), (304, ""));
        assert_eq!(not_modified.headers, reply.headers);
    }
}
