//! The operations about messages to people: how a person hears, and who would hear of a request. One function carries them out.

use crate::fields::Fields;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{ChangeMade, Reply};
use crate::run::Endpoint;
use crate::wire::{NotificationsBody, PreviewBody};
use countersign_app::dependencies::Dependencies;
use countersign_app::notifies;
use countersign_app::ports::LoadRequest;
use countersign_app::preferences::{self, PreferencesStore};
use countersign_core::principal::Principal;
use serde_json::{Map, Value};

/// What a person may say, besides the version that it replaces.
const MEMBERS: [&str; 4] = ["channels", "quiet_hours", "muted_events", "digest"];

/// `GET /v1/me/notifications`.
#[derive(Debug)]
pub struct GetNotifications;

impl<S: PreferencesStore> Endpoint<S> for GetNotifications {
    const OPERATION: Operation = Operation::GetNotifications;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        fields: Fields,
    ) -> Result<Reply, Problem> {
        fields.finish(Some(()))?;
        let mine = preferences::get(dependencies, actor).await?;
        Ok(Reply::json(200, &NotificationsBody::from(&mine)))
    }
}

/// `PUT /v1/me/notifications`.
#[derive(Debug)]
pub struct SetNotifications;

impl<S: PreferencesStore> Endpoint<S> for SetNotifications {
    const OPERATION: Operation = Operation::SetNotifications;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let document = document(&mut fields);
        // By the rules of the file; without one there are none to break.
        let configuration = preferences::configuration_for(dependencies, actor)?;
        let said = preferences::checked(&document, configuration);
        let said = said.map_err(|rules| fields.refuse_all(&rules)).ok();
        let (said, _) = fields.finish(said)?;
        let mine = preferences::put(dependencies, said, actor).await?;
        let reply = Reply::json(200, &NotificationsBody::from(&mine));
        Ok(Reply { change: Some(ChangeMade::Preferences), ..reply })
    }
}

/// What a caller sends, whatever it says: rules are the document's own.
pub(crate) fn document(fields: &mut Fields) -> Value {
    let mut document = Map::new();
    let version = fields.required("version", |version| Ok::<_, String>(version.clone()));
    document.extend(version.map(|version| ("version".to_owned(), version)));
    for name in MEMBERS {
        document.extend(fields.take(name).map(|value| (name.to_owned(), value)));
    }
    Value::Object(document)
}

/// `GET /v1/approvals/{id}/notifies`.
#[derive(Debug)]
pub struct PreviewNotifications;

impl<S: LoadRequest + PreferencesStore> Endpoint<S> for PreviewNotifications {
    const OPERATION: Operation = Operation::PreviewNotifications;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let preview = notifies::preview(dependencies, id, actor).await?;
        Ok(Reply::json(200, &PreviewBody::from(&preview)))
    }
}
