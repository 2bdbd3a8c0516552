//! The lifecycle a second time, read off the design page and written in plain words and numbers:
//! what the core decides is compared with it.

use std::collections::BTreeSet;

/// One attempt at a command.
pub(crate) struct Attempt<'a> {
    pub(crate) who: &'a str,
    pub(crate) is_human: bool,
    pub(crate) groups: &'a BTreeSet<String>,
    pub(crate) verb: &'a str,
    pub(crate) shown_digest: Option<&'a str>,
    /// The execution that a `finish` names.
    pub(crate) names_execution: &'a str,
    /// Whether a `finish` reports success.
    pub(crate) succeeded: bool,
    /// A key and the body it came with.
    pub(crate) key: Option<(&'a str, &'a str)>,
    pub(crate) now: i64,
    /// What the execution will be called if this starts one.
    pub(crate) new_execution: &'a str,
}

impl Attempt<'_> {
    fn is_in(&self, groups: &[&str]) -> bool {
        groups.iter().any(|group| self.groups.contains(*group))
    }
}

pub(crate) struct Model {
    pub(crate) requester: String,
    pub(crate) filer: Option<String>,
    pub(crate) digest: String,
    pub(crate) needed: usize,
    pub(crate) approved_for: i64,
    pub(crate) state: &'static str,
    pub(crate) deadline: Option<i64>,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
    execution: Option<(String, String)>,
    keys: Vec<[String; 4]>,
}

impl Model {
    pub(crate) fn new(
        requester: &str,
        filer: Option<&str>,
        digest: &str,
        needed: usize,
        lifetimes: (i64, i64),
        now: i64,
    ) -> Self {
        let (pending_for, approved_for) = lifetimes;
        let (state, lives) = if needed == 0 { ("approved", approved_for) } else { ("pending", pending_for) };
        Self {
            requester: requester.to_owned(),
            filer: filer.map(str::to_owned),
            digest: digest.to_owned(),
            needed,
            approved_for,
            state,
            deadline: Some(now + lives),
            yes: BTreeSet::new(),
            no: BTreeSet::new(),
            execution: None,
            keys: Vec::new(),
        }
    }

    /// The state after the attempt, or the code it is refused with.
    pub(crate) fn play(&mut self, attempt: &Attempt<'_>) -> Result<&'static str, &'static str> {
        let late = self.deadline.is_some_and(|deadline| attempt.now >= deadline);
        if attempt.verb == "expire" {
            if !late {
                return Err("not_due");
            }
            self.state = "expired";
            self.deadline = None;
            return Ok("expired");
        }
        let own = attempt.who == self.requester || Some(attempt.who) == self.filer.as_deref();
        let sees_all = attempt.is_in(&["approver", "auditor", "admin", "guest"]);
        let sees_own = attempt.is_in(&["developer", "agent"]) || sees_all;
        if !(sees_all || own && sees_own) {
            return Err("not_found");
        }
        if let Some((key, body)) = attempt.key {
            let used = self
                .keys
                .iter()
                .find(|[who, verb, k, _]| who == attempt.who && verb == attempt.verb && k == key);
            match used {
                Some([.., known]) if known == body => return Ok("replayed"),
                Some(_) => return Err("idempotency_conflict"),
                None => {}
            }
        }
        let state = if late { "expired" } else { self.state };
        let after = match attempt.verb {
            "approve" | "reject" => self.decide(attempt, own, state)?,
            "cancel" | "start" => self.move_own(attempt, state)?,
            "comment" => {
                let comments = attempt.is_in(&["approver", "admin"]) || own && attempt.is_in(&["developer"]);
                match (comments, state) {
                    (false, _) => return Err("not_permitted"),
                    (true, "expired") => return Err("expired"),
                    (true, state) => state,
                }
            }
            _ => self.finish(attempt, own, state)?,
        };
        if after != self.state {
            self.state = after;
            self.deadline = (after == "approved").then_some(attempt.now + self.approved_for);
        }
        if let Some((key, body)) = attempt.key {
            self.keys.push([attempt.who, attempt.verb, key, body].map(str::to_owned));
        }
        Ok(after)
    }

    fn decide(
        &mut self,
        attempt: &Attempt<'_>,
        own: bool,
        state: &str,
    ) -> Result<&'static str, &'static str> {
        if !attempt.is_human {
            return Err("agent_cannot_approve");
        }
        if own {
            return Err("self_approval");
        }
        if !attempt.is_in(&["approver", "admin"]) {
            return Err("not_permitted");
        }
        if state != "pending" {
            return Err(if state == "expired" { "expired" } else { "not_pending" });
        }
        if self.yes.contains(attempt.who) || self.no.contains(attempt.who) {
            return Err("already_decided");
        }
        if attempt.verb == "reject" {
            self.no.insert(attempt.who.to_owned());
            return Ok("rejected");
        }
        if attempt.shown_digest.is_some_and(|shown| shown != self.digest) {
            return Err("digest_mismatch");
        }
        self.yes.insert(attempt.who.to_owned());
        Ok(if self.yes.len() < self.needed { "pending" } else { "approved" })
    }

    /// Cancel and start: the requester's own moves.
    fn move_own(&mut self, attempt: &Attempt<'_>, state: &str) -> Result<&'static str, &'static str> {
        let starts = attempt.verb == "start";
        let groups: &[&str] = if starts { &["developer", "admin", "agent"] } else { &["developer", "admin"] };
        if attempt.who != self.requester || !attempt.is_in(groups) {
            return Err("not_permitted");
        }
        match (starts, state) {
            (_, "expired") => Err("expired"),
            (false, "pending" | "approved") => Ok("cancelled"),
            (false, _) => Err("not_pending"),
            (true, "approved") if attempt.shown_digest.is_none_or(|shown| shown == self.digest) => {
                self.execution = Some((attempt.new_execution.to_owned(), attempt.who.to_owned()));
                Ok("executing")
            }
            (true, "approved") => Err("digest_mismatch"),
            (true, _) => Err("not_approved"),
        }
    }

    fn finish(&self, attempt: &Attempt<'_>, own: bool, state: &str) -> Result<&'static str, &'static str> {
        let starter = self.execution.as_ref().map_or(&self.requester, |(_, who)| who);
        let by_starter = attempt.who == starter && attempt.is_in(&["developer", "admin", "agent"]);
        let by_admin = attempt.is_in(&["admin"]) && !own && !attempt.succeeded;
        if !by_starter && !by_admin {
            return Err("not_permitted");
        }
        let running = self.execution.as_ref().map(|(id, _)| id.as_str());
        match state {
            "expired" => Err("expired"),
            "executing" if running == Some(attempt.names_execution) => {
                Ok(if attempt.succeeded { "executed" } else { "failed" })
            }
            "executing" | "approved" | "executed" | "failed" => Err("execution_mismatch"),
            _ => Err("not_approved"),
        }
    }
}
