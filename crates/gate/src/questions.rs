//! What servers have asked of an agent: an answer that was not asked for goes to no server.

use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most questions without an answer.
const MAX_QUESTIONS: usize = 256;

/// The questions of one conversation. Copies share everything.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    open: Arc<Mutex<HashSet<String>>>,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashSet<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question is asked; gives whether it may be: not while another with its id is open, or too many are.
    pub fn ask(&self, id: &Value) -> bool {
        let mut open = self.open();
        open.len() < MAX_QUESTIONS && open.insert(id.to_string())
    }

    /// A question is answered, or withdrawn; gives whether it was open.
    pub fn close(&self, id: &Value) -> bool {
        self.open().remove(&id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_is_answered_once() {
        let questions = Questions::default();
        assert!(!questions.close(&json!(1)));
        assert!(questions.ask(&json!(1)) && !questions.ask(&json!(1)));
        assert!(!questions.close(&json!("1")));
        assert!(questions.close(&json!(1)) && !questions.close(&json!(1)));
        assert!((0..MAX_QUESTIONS).all(|id| questions.ask(&json!(id))));
        assert!(!questions.ask(&json!("one more")));
    }
}
