//! The service that decides: reached when the gate starts, or as soon as it can be.

use countersign_agents::notice::Notice;
use countersign_client::credential::SignerOf;
use countersign_client::profile::Settings;
use countersign_tool_calls::Options;
use countersign_tool_calls::{OpenError, ToolCalls};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The code of a call that is refused because the service cannot be asked.
pub const GATE_UNAVAILABLE: &str = "gate_unavailable";

/// Opens [`ToolCalls`] once.
pub struct Approvals {
    settings: Settings,
    signer: SignerOf,
    options: Options,
    opened: Mutex<Option<ToolCalls>>,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}

impl Approvals {
    /// Those of a service.
    pub fn new(settings: Settings, signer: SignerOf, options: Options) -> Self {
        Self { settings, signer, options, opened: Mutex::new(None) }
    }

    /// What makes calls. Blocks.
    ///
    /// # Errors
    /// When the service cannot be reached, or does not take this program's token.
    pub fn calls(&self) -> Result<ToolCalls, OpenError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = opened.as_ref() {
            return Ok(calls.clone());
        }
        let calls = ToolCalls::open(&self.settings, self.signer, self.options.clone())?;
        *opened = Some(calls.clone());
        Ok(calls)
    }
}

/// Why nothing can be asked for, for an agent.
pub fn unavailable(reason: &str) -> Notice {
    let message = format!("the service that decides cannot be asked, so nothing was run: {reason}");
    Notice::new(GATE_UNAVAILABLE, &message, "call again with the same arguments once the service is back")
}

/// The same notice, under the code of a gate if the service cannot be reached.
pub fn as_gate(notice: Notice, is_passing: bool) -> Notice {
    match notice.code.as_str() {
        "service_unavailable" | "unreachable" if is_passing => {
            Notice { code: GATE_UNAVAILABLE.to_owned(), ..notice }
        }
        _ => notice,
    }
}
