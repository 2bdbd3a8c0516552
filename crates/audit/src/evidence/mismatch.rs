//! What evidence is refused for.

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The document is none, or not in its one form. Nothing else is looked at then.
    #[error("it is not evidence: {0}")]
    Form(&'static str),
    /// What is signed is not about this document.
    #[error("what is signed is not about this document: it was changed")]
    Statement,
    /// The signature.
    #[error("the signature is not believed: {0}")]
    Signature(&'static str),
    /// An event.
    #[error("event {sequence} {what}")]
    Event {
        /// Its place in the stream.
        sequence: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A member of the state is not what the events have made it.
    #[error("the state's member {0} does not follow from the events")]
    State(String),
    /// The digest of something that is shown.
    #[error("what is shown as {0} is not what the events are about")]
    Digest(&'static str),
    /// A member of the content is not what the first event says.
    #[error("the content's member {0} is not that of the first event")]
    Content(&'static str),
    /// Something is missing, or is there although it must not be.
    #[error("{0}")]
    Parts(&'static str),
    /// A text.
    #[error("the text {member} of event {event_id} {what}")]
    Text {
        /// The event.
        event_id: String,
        /// The member of its details.
        member: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A policy's files give another version.
    #[error("the files of policy {0} are those of another")]
    Policy(String),
    /// A claim of the permit is not what the events say.
    #[error("the permit's claim {0} is not what the events say")]
    Permit(String),
    /// The log does not have an event, as far as its proof shows.
    #[error("event {sequence} is not shown to be in the log: {reason}")]
    Inclusion {
        /// Its place in the stream.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// An event has no proof, and one is demanded.
    #[error("event {sequence} waits for the log")]
    Pending {
        /// Its place in the stream.
        sequence: u64,
    },
}
