//! The lifecycle a second time, read off the design page and written in plain words and numbers:
//! what the core decides is compared with it.

use std::collections::BTreeSet;

/// One attempt at a command.
pub(crate) struct Attempt<'a> {
    pub(crate) who: &'a str,
    pub(crate) is_human: bool,
    pub(crate) groups: &'a BTreeSet<String>,
    pub(crate) verb: &'a str,
    /// The digest of the content that is named, and that of the parameters.
    pub(crate) shown: [Option<&'a str>; 2],
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

/// How many milliseconds a clock may be behind.
const SKEW: i64 = 5000;
/// For how many milliseconds an execution may be silent.
const LEASE: i64 = 3_600_000;
/// How many approvals of a request can be taken back.
const WITHDRAWALS: usize = 6;

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) requester: String,
    pub(crate) filer: Option<String>,
    /// Who answers for the requester, and who for the filer.
    pub(crate) owners: Vec<String>,
    /// The digest of the content, and that of the parameters.
    pub(crate) digests: [String; 2],
    pub(crate) needed: usize,
    pub(crate) approved_for: i64,
    pub(crate) state: &'static str,
    /// By when it must be approved.
    pending_until: i64,
    /// By when it must be started, once approved.
    approved_until: i64,
    /// When the last thing happened.
    updated: i64,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
    withdrawals: usize,
    execution: Option<(String, String)>,
    /// Until when the execution may be silent.
    heard_of_until: i64,
    keys: Vec<[String; 4]>,
}

impl Model {
    pub(crate) fn new(
        requester: &str,
        filer: Option<&str>,
        owners: Vec<String>,
        digests: [String; 2],
        needed: usize,
        lifetimes: (i64, i64),
    ) -> Self {
        let (pending_for, approved_for) = lifetimes;
        Self {
            requester: requester.to_owned(),
            filer: filer.map(str::to_owned),
            owners,
            digests,
            needed,
            approved_for,
            state: if needed == 0 { "approved" } else { "pending" },
            pending_until: pending_for,
            approved_until: approved_for,
            updated: 0,
            yes: BTreeSet::new(),
            no: BTreeSet::new(),
            withdrawals: 0,
            execution: None,
            heard_of_until: 0,
            keys: Vec::new(),
        }
    }

    /// The state after the attempt, or the code it is refused with.
    pub(crate) fn play(&mut self, attempt: &Attempt<'_>) -> Result<&'static str, &'static str> {
        let own = [Some(&self.requester), self.filer.as_ref()]
            .into_iter()
            .flatten()
            .chain(&self.owners)
            .any(|who| who == attempt.who);
        if attempt.verb != "expire" {
            let sees_all = attempt.is_in(&["approver", "auditor", "admin", "guest"]);
            let sees_own = attempt.is_in(&["developer", "agent"]) || sees_all;
            let takes_back = attempt.verb == "withdraw" && self.yes.contains(attempt.who);
            if !(sees_all || own && sees_own || takes_back) {
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
            self.allows(attempt, own)?;
        }
        let now = attempt.now.max(self.updated);
        let mut next = self.clone();
        let after = next.lead_on(attempt, now)?;
        // By a clock that is behind nothing happens, but for what would not happen anyway.
        if attempt.now + SKEW < self.updated {
            return Err("clock_skew");
        }
        *self = next;
        Ok(after)
    }

    /// What an attempt of an actor who may comes to at a time.
    fn lead_on(&mut self, attempt: &Attempt<'_>, now: i64) -> Result<&'static str, &'static str> {
        let late = match self.state {
            "pending" => now >= self.pending_until,
            "approved" => now >= self.approved_until,
            _ => false,
        };
        let after = match (attempt.verb, late || self.state == "expired") {
            ("expire", true) if late => "expired",
            ("expire", _) => return Err("not_due"),
            (_, true) => return Err("expired"),
            ("approve" | "reject", _) => self.decide(attempt)?,
            ("withdraw", _) => self.withdraw(attempt, now)?,
            ("cancel", _) => match self.state {
                "pending" | "approved" => "cancelled",
                _ => return Err("not_pending"),
            },
            ("start", _) => {
                self.heard_of_until = now + LEASE;
                self.start(attempt)?
            }
            ("comment", _) => self.state,
            _ => self.finish(attempt, now)?,
        };
        if after == "approved" && self.state != "approved" {
            self.approved_until = now + self.approved_for;
        }
        self.state = after;
        self.updated = now;
        if let Some((key, body)) = attempt.key {
            self.keys.push([attempt.who, attempt.verb, key, body].map(str::to_owned));
        }
        Ok(after)
    }

    /// Whether they may give the command at all, wherever the request is in its life.
    fn allows(&self, attempt: &Attempt<'_>, own: bool) -> Result<(), &'static str> {
        let is_allowed = match attempt.verb {
            "approve" | "reject" if !attempt.is_human => return Err("agent_cannot_approve"),
            "approve" | "reject" if own => return Err("self_approval"),
            "approve" | "reject" => attempt.is_in(&["approver", "admin"]),
            "withdraw" => true,
            "cancel" => attempt.is_in(&["admin"]) || own && attempt.is_in(&["developer"]),
            "comment" => attempt.is_in(&["approver", "admin"]) || own && attempt.is_in(&["developer"]),
            "start" => attempt.who == self.requester && attempt.is_in(&["developer", "admin", "agent"]),
            _ => {
                let starter = self.execution.as_ref().map_or(&self.requester, |(_, who)| who);
                let by_starter = attempt.who == starter && attempt.is_in(&["developer", "admin", "agent"]);
                let is_settled = !attempt.succeeded || self.is_unknown(attempt.now);
                by_starter || attempt.is_in(&["admin"]) && !own && is_settled
            }
        };
        if is_allowed { Ok(()) } else { Err("not_permitted") }
    }

    fn check_shown(&self, attempt: &Attempt<'_>) -> Result<(), &'static str> {
        let differs =
            attempt.shown.iter().zip(&self.digests).any(|(shown, digest)| shown.is_some_and(|s| s != digest));
        if differs { Err("digest_mismatch") } else { Ok(()) }
    }

    fn decide(&mut self, attempt: &Attempt<'_>) -> Result<&'static str, &'static str> {
        if self.state != "pending" {
            return Err("not_pending");
        }
        if self.yes.contains(attempt.who) || self.no.contains(attempt.who) {
            return Err("already_decided");
        }
        self.check_shown(attempt)?;
        if attempt.verb == "reject" {
            self.no.insert(attempt.who.to_owned());
            return Ok("rejected");
        }
        self.yes.insert(attempt.who.to_owned());
        Ok(if self.yes.len() < self.needed { "pending" } else { "approved" })
    }

    /// An approved request takes no approval, so without any of its approvals it has too few.
    fn withdraw(&mut self, attempt: &Attempt<'_>, now: i64) -> Result<&'static str, &'static str> {
        match self.state {
            "pending" | "approved" => {}
            _ => return Err("not_pending"),
        }
        if !self.yes.contains(attempt.who) {
            return Err("not_decided");
        }
        if self.withdrawals == WITHDRAWALS {
            return Err("not_permitted");
        }
        self.yes.remove(attempt.who);
        self.withdrawals += 1;
        Ok(if now < self.pending_until { "pending" } else { "expired" })
    }

    fn start(&mut self, attempt: &Attempt<'_>) -> Result<&'static str, &'static str> {
        if self.state != "approved" {
            return Err("not_approved");
        }
        self.check_shown(attempt)?;
        self.execution = Some((attempt.new_execution.to_owned(), attempt.who.to_owned()));
        Ok("executing")
    }

    fn is_unknown(&self, now: i64) -> bool {
        self.state == "executing" && now >= self.heard_of_until
    }

    fn finish(&self, attempt: &Attempt<'_>, now: i64) -> Result<&'static str, &'static str> {
        let running = self.execution.as_ref().map(|(id, _)| id.as_str());
        match self.state {
            "executing" if running == Some(attempt.names_execution) => {
                self.check_shown(attempt)?;
                // Who settles what is unknown says what was found, which no attempt does here.
                let is_starter = self.execution.as_ref().is_some_and(|(_, who)| who == attempt.who);
                if !is_starter && self.is_unknown(now) {
                    return Err("validation_failed");
                }
                Ok(if attempt.succeeded { "executed" } else { "failed" })
            }
            "executing" | "approved" | "executed" | "failed" => Err("execution_mismatch"),
            _ => Err("not_approved"),
        }
    }
}
