//! What a service may answer: an answer is believed as far as it names the requests that were asked for.

use countersign_api::operation::Operation;
use countersign_api::wire::{
    AuditBody, DeliveriesBody, DeliveryBody, EventsBody, ExecutionBody, ExplainBody, HealthBody, ListBody,
    MeBody, NotificationsBody, PreviewBody, RedeliveredBody, ReportBody, RequestBody, SignInCodeBody,
    SimulateBody, StatsBody, WebhookBody, WebhookEventsBody, WebhookTrialBody, WebhooksBody,
};
use countersign_core::ids::RequestId;
use serde::de::DeserializeOwned;

/// An answer of the service.
pub trait Answer: DeserializeOwned {
    /// The ids of the requests that it names, as it names them.
    fn request_ids(&self) -> Vec<&str>;

    /// Whether each id is one, written as ids are, and is the one that was asked for.
    fn is_about(&self, asked: Option<RequestId>) -> bool {
        self.request_ids().into_iter().all(|id| match (RequestId::parse(id), asked) {
            (Ok(parsed), None) => parsed.to_string() == id,
            (Ok(parsed), Some(asked)) => parsed == asked && parsed.to_string() == id,
            (Err(_), _) => false,
        })
    }
}

impl Answer for SignInCodeBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for RequestBody {
    fn request_ids(&self) -> Vec<&str> {
        vec![&self.request_id]
    }
}

impl Answer for NotificationsBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for PreviewBody {
    fn request_ids(&self) -> Vec<&str> {
        vec![&self.request_id]
    }
}

impl Answer for ExplainBody {
    fn request_ids(&self) -> Vec<&str> {
        vec![&self.request_id]
    }
}

impl Answer for ExecutionBody {
    fn request_ids(&self) -> Vec<&str> {
        vec![&self.request_id]
    }
}

impl Answer for ListBody {
    fn request_ids(&self) -> Vec<&str> {
        self.items.iter().map(|item| item.request_id.as_str()).collect()
    }
}

impl Answer for EventsBody {
    fn request_ids(&self) -> Vec<&str> {
        self.items.iter().map(|event| event.request_id.as_str()).collect()
    }
}

impl Answer for AuditBody {
    /// Those of the events that are about a request.
    fn request_ids(&self) -> Vec<&str> {
        self.items.iter().filter_map(|event| event.get("request_id")?.as_str()).collect()
    }
}

impl Answer for StatsBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// The request that it names is read as an id already.
impl Answer for ReportBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for SimulateBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for MeBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for HealthBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for WebhookBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for WebhooksBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for WebhookTrialBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for RedeliveredBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for WebhookEventsBody {
    fn request_ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Answer for DeliveryBody {
    fn request_ids(&self) -> Vec<&str> {
        vec![&self.request_id]
    }
}

impl Answer for DeliveriesBody {
    fn request_ids(&self) -> Vec<&str> {
        self.deliveries.iter().map(|delivery| delivery.request_id.as_str()).collect()
    }
}

/// The request that a path names: that of one request, or what is below.
pub fn named_in(path: &str) -> Option<RequestId> {
    let rest = path.strip_prefix(Operation::List.path_template())?.strip_prefix('/')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    RequestId::parse(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn a_path_names_the_request_that_its_answer_must_be_about() {
        let id = "01930000-0000-4000-8000-0000000000aa";
        for operation in Operation::iter() {
            for path in [operation.path(id), format!("{}?x=y", operation.path(id))] {
                let named = named_in(&path).map(|id| id.to_string());
                assert_eq!(named.as_deref(), operation.is_on_one().then_some(id), "{path}");
            }
        }
    }
}
