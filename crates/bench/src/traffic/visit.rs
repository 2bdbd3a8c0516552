//! Visits: what somebody waits for at once. A page is one visit, though the dashboard makes calls for it.

use countersign_api::operation::Operation;

/// Milliseconds since the first midnight of a simulation.
pub(crate) type Moment = u64;

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A person, who looks at the screen meanwhile.
    Person,
    /// A pipeline, an agent, or a program that a person has left alone.
    Program,
    /// Nobody in particular: a call that waits for a request to change, and finds that it has not; or a schedule.
    Waiting,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    /// A page, with the calls that the dashboard makes for it, all at once.
    Page(&'static [Operation]),
    /// An operation, by itself.
    Operation(Operation),
    /// A function, by a schedule: it has nothing to do.
    Function(&'static str),
}

/// One visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) at: Moment,
    pub(crate) who: Who,
    pub(crate) callee: Callee,
    /// How long an operation takes where nothing has to be started, in milliseconds. A page takes as long as its calls.
    pub(crate) takes: u64,
}

impl Visit {
    pub(crate) fn page(at: Moment, calls: &'static [Operation]) -> Self {
        Self { at, who: Who::Person, callee: Callee::Page(calls), takes: 0 }
    }

    pub(crate) fn schedule(at: Moment, function: &'static str) -> Self {
        Self { at, who: Who::Waiting, callee: Callee::Function(function), takes: 5 }
    }

    pub(crate) fn operation(at: Moment, who: Who, operation: Operation) -> Self {
        Self { at, who, callee: Callee::Operation(operation), takes: usual(operation) }
    }
}

/// How long an operation takes in a running environment, in milliseconds. What comes out hardly depends on it: environments
/// are idle for most of the time.
pub(crate) fn usual(operation: Operation) -> u64 {
    if operation.definition().changes { 40 } else { 20 }
}
