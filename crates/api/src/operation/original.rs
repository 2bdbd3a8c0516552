//! The names of the original operations, which `POST /approvals` takes in the member `operation`.

use super::Operation;
use strum::{EnumIter, EnumString, IntoStaticStr};

macro_rules! originals {
    ($($(#[$about:meta])* $Original:ident is $Operation:ident;)*) => {
        /// An original operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, EnumIter)]
        #[strum(serialize_all = "snake_case")]
        pub enum OriginalOperation {
            $($(#[$about])* $Original),*
        }

        impl OriginalOperation {
            /// Its name.
            pub fn as_str(self) -> &'static str {
                self.into()
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
    CreateRequest is Create;
    /// Approves a request.
    ApproveRequest is Approve;
    /// Rejects a request.
    RejectRequest is Reject;
    /// Takes an approval back.
    WithdrawApproval is Withdraw;
    /// Cancels a request.
    CancelRequest is Cancel;
    /// Comments on a request.
    AddComment is Comment;
    /// Reads a request.
    GetRequest is Get;
    /// Reads a request's audit trail.
    GetRequestEvents is Events;
    /// Lists pending requests.
    GetPendingApprovals is List;
    /// Lists the requests of one requester.
    GetUserRequests is List;
    /// Lists the requests for one instance.
    GetInstanceRequests is List;
    /// Starts an execution.
    StartExecution is Start;
    /// Finishes an execution.
    FinishExecution is Finish;
    /// Starts an execution and finishes it.
    MarkExecuted is Finish;
}

impl OriginalOperation {
    /// The operation of a body that names none.
    pub const DEFAULT: Self = Self::CreateRequest;
}
