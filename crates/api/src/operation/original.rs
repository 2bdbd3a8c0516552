//! The names of the original operations, which `POST /approvals` takes in the member `operation`.

use super::Operation;

macro_rules! originals {
    ($($(#[$about:meta])* $Original:ident = $name:literal is $Operation:ident;)*) => {
        /// An original operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum OriginalOperation {
            $($(#[$about])* $Original),*
        }

        impl OriginalOperation {
            /// Every original operation.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$Original),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Original => $name),*
                }
            }

            /// The operation that it is a form of.
            pub const fn operation(self) -> Operation {
                match self {
                    $(Self::$Original => Operation::$Operation),*
                }
            }
        }
    };
}

originals! {
    /// Makes a request; also what a body without `operation` is.
    CreateRequest = "create_request" is Create;
    /// Approves a request.
    ApproveRequest = "approve_request" is Approve;
    /// Rejects a request.
    RejectRequest = "reject_request" is Reject;
    /// Takes an approval back.
    WithdrawApproval = "withdraw_approval" is Withdraw;
    /// Cancels a request.
    CancelRequest = "cancel_request" is Cancel;
    /// Comments on a request.
    AddComment = "add_comment" is Comment;
    /// Reads a request.
    GetRequest = "get_request" is Get;
    /// Reads a request's audit trail.
    GetRequestEvents = "get_request_events" is Events;
    /// Lists pending requests.
    GetPendingApprovals = "get_pending_approvals" is List;
    /// Lists the requests of one requester.
    GetUserRequests = "get_user_requests" is List;
    /// Lists the requests for one instance.
    GetInstanceRequests = "get_instance_requests" is List;
    /// Starts an execution.
    StartExecution = "start_execution" is Start;
    /// Finishes an execution.
    FinishExecution = "finish_execution" is Finish;
    /// Starts an execution and finishes it.
    MarkExecuted = "mark_executed" is Finish;
}

impl OriginalOperation {
    /// The operation of a body that names none.
    pub const DEFAULT: Self = Self::CreateRequest;

    /// The original operation of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|original| original.as_str() == name)
    }
}
