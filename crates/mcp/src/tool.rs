//! The tools: one row each. A row says what its tool is called, what a model reads of it, which arguments it takes, and what a
//! client may take it for.

use crate::schemas::{Member, answer_schema, argument_schema};
use countersign_api::operation::Operation;
use rmcp::model::{Tool as Description, ToolAnnotations};
use strum::{EnumIter, IntoEnumIterator as _, IntoStaticStr};

/// A tool. None of them approves, rejects, withdraws or claims: those are not for agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Tool {
    /// Says what would come of a request.
    SimulateRequest,
    /// Makes a request, and waits for its approvers.
    RequestApproval,
    /// Reads a request.
    GetRequest,
    /// Lists the caller's requests.
    ListMyRequests,
    /// Waits for the approvers of a request.
    WaitForDecision,
    /// Spends an approval.
    StartExecution,
    /// Reports on an execution.
    FinishExecution,
    /// Gives a request up.
    CancelRequest,
    /// Says something about a request.
    Comment,
}

/// What a client may take a tool for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It changes nothing.
    None,
    /// It adds something; the same call again adds nothing more.
    AddsOnce,
    /// It adds something with each call.
    Adds,
    /// It ends something.
    Ends,
}

/// The row of a tool.
#[derive(Debug, Clone, Copy)]
struct Row {
    title: &'static str,
    description: &'static str,
    /// The operation of the API.
    operation: Operation,
    /// Whose members are arguments, by the name of their schema.
    members_of: Option<&'static str>,
    /// Arguments besides those.
    further: &'static [Member],
    /// What it answers, by the name of its schema.
    answer: &'static str,
    effect: Effect,
}

impl Tool {
    /// The tool of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::iter().find(|tool| tool.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The operation that it carries out.
    pub fn operation(self) -> Operation {
        self.row().operation
    }

    /// As clients hear of it.
    pub fn description(self) -> Description {
        let row = self.row();
        let annotations = ToolAnnotations::from_raw(
            Some(row.title.to_owned()),
            Some(row.effect == Effect::None),
            Some(row.effect == Effect::Ends),
            Some(matches!(row.effect, Effect::None | Effect::AddsOnce)),
            Some(false),
        );
        Description::new(self.name(), row.description, argument_schema(row.members_of, row.further))
            .with_title(row.title)
            .with_raw_output_schema(answer_schema(row.answer))
            .with_annotations(annotations)
    }

    const fn row(self) -> Row {
        match self {
            Self::SimulateRequest => Row {
                title: "Simulate a request",
                description: "Says what would come of request_approval with the same arguments: the risk, how many people would \
                    have to approve, who could, and whether it would be refused. Makes nothing and tells no approver.",
                operation: Operation::Simulate,
                members_of: Some("Create"),
                further: &[],
                answer: "Simulation",
                effect: Effect::None,
            },
            Self::RequestApproval => Row {
                title: "Request an approval",
                description: "Asks people to approve one operation with exactly these parameters, and waits for them. Answers with \
                    the request once it is approved. Until then the answer is an error with code approval_pending: call again \
                    with the same arguments, which asks for nothing new, or call wait_for_decision. An approval does nothing by \
                    itself: call start_execution, do exactly what its answer says in `parameters`, then call finish_execution.",
                operation: Operation::Create,
                members_of: Some("Create"),
                further: &[Member::IdempotencyKey],
                answer: "Request",
                effect: Effect::AddsOnce,
            },
            Self::GetRequest => Row {
                title: "Get a request",
                description: "Reads a request: where it stands, who has decided what, and its digests.",
                operation: Operation::Get,
                members_of: None,
                further: &[Member::RequestId],
                answer: "Request",
                effect: Effect::None,
            },
            Self::ListMyRequests => Row {
                title: "List my requests",
                description: "Lists what you have asked for, newest first; by status, target or operation. With it you find a \
                    request again whose id you have lost.",
                operation: Operation::List,
                members_of: Some("List"),
                further: &[],
                answer: "List",
                effect: Effect::None,
            },
            Self::WaitForDecision => Row {
                title: "Wait for a decision",
                description: "Waits until people have decided on a request, and answers with it once it is approved. If that takes \
                    longer, the answer is an error with code approval_pending: call again.",
                operation: Operation::Get,
                members_of: None,
                further: &[Member::RequestId, Member::Seconds],
                answer: "Request",
                effect: Effect::None,
            },
            Self::StartExecution => Row {
                title: "Start an execution",
                description: "Spends the approval of a request, once. After it, do exactly what `parameters` of the answer says, \
                    and nothing else, then call finish_execution with its `execution_id`. Send the `content_digest` of what was \
                    approved: another one is refused.",
                operation: Operation::Start,
                members_of: Some("Start"),
                further: &[Member::RequestId, Member::IdempotencyKey],
                answer: "Request",
                effect: Effect::Ends,
            },
            Self::FinishExecution => Row {
                title: "Finish an execution",
                description: "Reports what came of an execution: `succeeded` or `failed`, with its result; or `running`, to show \
                    that it goes on.",
                operation: Operation::Finish,
                members_of: Some("Finish"),
                further: &[Member::RequestId, Member::IdempotencyKey],
                answer: "Request",
                effect: Effect::AddsOnce,
            },
            Self::CancelRequest => Row {
                title: "Cancel a request",
                description: "Gives a request of yours up that is not started yet. An approval of it is lost.",
                operation: Operation::Cancel,
                members_of: Some("Cancel"),
                further: &[Member::RequestId, Member::IdempotencyKey],
                answer: "Request",
                effect: Effect::Ends,
            },
            Self::Comment => Row {
                title: "Comment on a request",
                description: "Says something about a request to its approvers. It changes nothing of the request.",
                operation: Operation::Comment,
                members_of: Some("Comment"),
                further: &[Member::RequestId, Member::IdempotencyKey],
                answer: "Request",
                effect: Effect::Adds,
            },
        }
    }
}
