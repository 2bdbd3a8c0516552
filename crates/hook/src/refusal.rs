//! Why a hook refuses for reasons of its own, as a notice to the agent.

use countersign_agents::notice::Notice;
use countersign_core::text::escaped_line;

/// What an agent does about a refusal that it cannot mend.
const OPERATOR: &str = "the operator has to look into it; nothing was run";

/// The input is not what the agent's documentation says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable name.
    pub code: &'static str,
    /// What is wrong, without a word of the input.
    pub message: String,
    /// What the agent does now.
    pub next_step: &'static str,
}

impl Refusal {
    /// The input cannot be read in exactly one way.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self { code: "hook_input_unreadable", message: message.into(), next_step: OPERATOR }
    }

    /// The input is larger than any that is read.
    pub fn too_large(bytes: usize) -> Self {
        Self {
            code: "arguments_too_large",
            message: format!("the input of the hook has more than {bytes} bytes"),
            next_step: "call with less; nothing is cut for you",
        }
    }

    /// The program is not set up as it has to be.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self { code: "hook_unusable", message: message.into(), next_step: OPERATOR }
    }

    /// The tool cannot be named in a policy.
    pub fn unnameable(tool: &str) -> Self {
        Self {
            code: "tool_name_unsupported",
            message: format!("the tool {} has a name that no policy can have", escaped_line(tool)),
            next_step: "the operator has to map it to an operation in tools.toml; nothing was run",
        }
    }

    /// The program has failed.
    pub fn failed() -> Self {
        Self::unusable("the hook has failed in a way that it was not made for")
    }

    /// The agent's limit is near, and nothing is known yet.
    pub fn slow() -> Self {
        Self {
            code: "service_unavailable",
            message: "there was no answer within the hook's limit".to_owned(),
            next_step: "call again with the same arguments; nothing was run",
        }
    }

    /// The same for an agent.
    pub fn notice(&self) -> Box<Notice> {
        Box::new(Notice::new(self.code, &self.message, self.next_step))
    }
}
