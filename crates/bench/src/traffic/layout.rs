//! Layouts: which function carries out which operation, and which functions are ready before they are called.

use super::visit::Callee;
use countersign_api::operation::Operation;

/// The function of the dashboard. It is a client of the API and has none of the API's rights, so it is a function of its own
/// in every layout.
pub(crate) const DASHBOARD: &str = "dashboard";

/// The operations that pages wait for.
const OF_PAGES: [Operation; 4] = [Operation::Get, Operation::List, Operation::Events, Operation::Explain];

/// How operations are spread over functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One function each, as the template has it.
    OneEach,
    /// One function for all that changes nothing, one each for the others.
    OneForReads,
    /// One function for all that changes something, one each for the others.
    OneForWrites,
    /// One function for all that changes nothing, one for all that does.
    ReadsAndWrites,
    /// One function.
    OneForAll,
}

impl Layout {
    pub(crate) const ALL: [Self; 5] =
        [Self::OneEach, Self::OneForReads, Self::OneForWrites, Self::ReadsAndWrites, Self::OneForAll];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OneEach => "one each",
            Self::OneForReads => "one for reads, one each for writes",
            Self::OneForWrites => "one each for reads, one for writes",
            Self::ReadsAndWrites => "one for reads, one for writes",
            Self::OneForAll => "one for all",
        }
    }

    /// The function that an operation is in.
    pub(crate) fn function(self, operation: Operation) -> &'static str {
        let definition = operation.definition();
        match (self, definition.changes) {
            (Self::OneForAll, _) => "all",
            (Self::OneForReads | Self::ReadsAndWrites, false) => "reads",
            (Self::OneForWrites | Self::ReadsAndWrites, true) => "writes",
            (Self::OneEach, _) | (Self::OneForReads, true) | (Self::OneForWrites, false) => definition.slug,
        }
    }

    /// The functions that a visit calls, the dashboard among them.
    pub(crate) fn functions(self, callee: Callee) -> Vec<&'static str> {
        match callee {
            Callee::Operation(operation) => vec![self.function(operation)],
            Callee::Function(function) => vec![function],
            Callee::Page(calls) => [DASHBOARD]
                .into_iter()
                .chain(calls.iter().map(|operation| self.function(*operation)))
                .collect(),
        }
    }
}

/// What is done so that environments are ready before people call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Nothing.
    Nowhere,
    /// Each function is called every five minutes by a schedule, so that one environment does not die.
    Called,
    /// Provisioned environments of the dashboard, and of the functions of what pages read most.
    ForPages(usize),
    /// Provisioned environments of every function.
    Everywhere(usize),
}

impl Ready {
    pub(crate) const ALL: [Self; 6] = [
        Self::Nowhere,
        Self::Called,
        Self::ForPages(1),
        Self::ForPages(3),
        Self::Everywhere(1),
        Self::Everywhere(3),
    ];

    pub(crate) fn as_text(self) -> String {
        match self {
            Self::Nowhere => "nothing".to_owned(),
            Self::Called => "a call every 5 minutes".to_owned(),
            Self::ForPages(count) => format!("{count} provisioned for pages"),
            Self::Everywhere(count) => format!("{count} provisioned everywhere"),
        }
    }

    /// How many provisioned environments a function has.
    pub(crate) fn count(self, layout: Layout, function: &str) -> usize {
        match self {
            Self::Nowhere | Self::Called => 0,
            Self::Everywhere(count) => count,
            Self::ForPages(count) => {
                let of_pages = OF_PAGES.into_iter().map(|operation| layout.function(operation));
                if of_pages.chain([DASHBOARD]).any(|name| name == function) { count } else { 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_where_its_layout_puts_it() {
        let functions = |layout: Layout| {
            [Operation::Get, Operation::Simulate, Operation::Approve]
                .map(|operation| layout.function(operation))
        };
        assert_eq!(functions(Layout::OneEach), ["get", "simulate", "approve"]);
        assert_eq!(functions(Layout::OneForReads), ["reads", "reads", "approve"]);
        assert_eq!(functions(Layout::OneForWrites), ["get", "simulate", "writes"]);
        assert_eq!(functions(Layout::ReadsAndWrites), ["reads", "reads", "writes"]);
        assert_eq!(functions(Layout::OneForAll), ["all", "all", "all"]);
        let page = Callee::Page(&[Operation::Get, Operation::Explain]);
        assert_eq!(Layout::OneForReads.functions(page), [DASHBOARD, "reads", "reads"]);
    }

    #[test]
    fn environments_for_pages_are_of_what_pages_read() {
        let counts = |layout| {
            ["dashboard", "get", "reads", "approve", "writes", "all"]
                .map(|function| Ready::ForPages(2).count(layout, function))
        };
        assert_eq!(counts(Layout::OneEach), [2, 2, 0, 0, 0, 0]);
        assert_eq!(counts(Layout::ReadsAndWrites), [2, 0, 2, 0, 0, 0]);
        assert_eq!(counts(Layout::OneForAll), [2, 0, 0, 0, 0, 2]);
    }
}
