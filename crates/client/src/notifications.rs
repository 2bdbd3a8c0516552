//! The calls about messages to people: how the caller hears, and who would hear of a request.

use crate::connection::Connection;
use crate::error::Error;
use countersign_api::bodies::SetNotificationsBody;
use countersign_api::operation::Operation;
use countersign_api::wire::{NotificationsBody, PreviewBody};
use serde_json::json;

impl Connection {
    /// How the caller hears.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn notifications(&self) -> Result<NotificationsBody, Error> {
        self.get(Operation::GetNotifications.path_template())
    }

    /// Says how the caller wants to hear. Sent again after a lost answer, it is answered like the first time.
    ///
    /// # Errors
    /// As for [`Self::notifications`].
    pub fn set_notifications(&self, body: &SetNotificationsBody) -> Result<NotificationsBody, Error> {
        let operation = Operation::SetNotifications;
        let (method, path) = (operation.method().into(), operation.path_template());
        Ok(self.sized_call(method, path, Some(&json!(body)), None, self.retries)?.0)
    }

    /// Who would hear of a request.
    ///
    /// # Errors
    /// As for [`Self::notifications`].
    pub fn notify_preview(&self, request_id: &str) -> Result<PreviewBody, Error> {
        self.get(&Operation::PreviewNotifications.path(request_id))
    }
}
