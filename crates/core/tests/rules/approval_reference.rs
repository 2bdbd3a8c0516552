//! When approvals are enough, said a second time.
//!
//! Knows nothing of `People`, `Slots`, `Requirements` or `Approvals`: it works on the numbers that a policy is
//! written from, and tries out every way to seat people.

use crate::worlds::{AGENT, CI, Caller, Seats, Set, Shown, Spec, Verb};
use std::collections::BTreeMap;

/// How many milliseconds a clock may be behind.
const SKEW: i64 = 5000;
/// How many approvals of a request can be taken back.
const WITHDRAWALS: usize = 6;

/// A vote as the reference remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Vote {
    pub(crate) address: usize,
    /// All addresses that were one human's then.
    pub(crate) known: Set,
    pub(crate) groups: Set,
    pub(crate) approves: bool,
    /// Whether they named the digest.
    pub(crate) named: bool,
    pub(crate) at: i64,
}

/// What the reference knows of the request.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) requester: usize,
    /// All addresses that were the requester's when they asked.
    pub(crate) requester_known: Set,
    pub(crate) filer: Option<usize>,
    /// The owner of then, and all addresses that were theirs.
    pub(crate) owner: Option<(usize, Set)>,
    pub(crate) in_production: bool,
    pub(crate) approvals: usize,
    pub(crate) slots: Seats,
    pub(crate) digest_required: bool,
    pub(crate) pending_seconds: i64,
    pub(crate) execute_within_seconds: i64,
    pub(crate) votes: Vec<Vote>,
    pub(crate) withdrawals: usize,
    /// When the last thing happened.
    pub(crate) updated_at: i64,
    pub(crate) status: &'static str,
    pub(crate) approved_at: i64,
    pub(crate) execute_by: i64,
}

/// Every seat: a set of groups, or none for anybody.
pub(crate) fn seats(slots: &Seats, approvals: usize) -> Vec<Option<Set>> {
    let mut seats: Vec<_> = slots
        .iter()
        .flat_map(|(groups, people)| std::iter::repeat_n(Some(groups.clone()), *people))
        .collect();
    while seats.len() < approvals {
        seats.push(None);
    }
    seats
}

/// Whether each seat can be given to another person, by trying each person on each seat.
pub(crate) fn all_seated(seats: &[Option<Set>], people: &[Set]) -> bool {
    let Some((seat, others)) = seats.split_first() else { return true };
    (0..people.len()).any(|place| {
        let fits = seat.as_ref().is_none_or(|groups| !groups.is_disjoint(&people[place]));
        let mut rest = people.to_vec();
        rest.remove(place);
        fits && all_seated(others, &rest)
    })
}

/// How many seats can be taken at most.
pub(crate) fn most_seated(seats: &[Option<Set>], people: &[Set]) -> usize {
    let Some((seat, others)) = seats.split_first() else { return 0 };
    let left_empty = most_seated(others, people);
    let taken = (0..people.len())
        .filter(|place| seat.as_ref().is_none_or(|groups| !groups.is_disjoint(&people[*place])));
    let best = taken.map(|place| {
        let mut rest = people.to_vec();
        rest.remove(place);
        1 + most_seated(others, &rest)
    });
    best.max().unwrap_or(0).max(left_empty)
}

impl Reference {
    /// Whether the request is one of this holder's, who has these addresses, as a policy has it. What was
    /// made under a retired address is its former holder's alone.
    pub(crate) fn is_own(&self, spec: &Spec, me: usize, mine: &Set) -> bool {
        [Some(self.requester), self.filer].iter().flatten().any(|made_by| {
            spec.maker(*made_by) == me
                || spec.retired(*made_by).is_none() && mine.contains(made_by)
                || spec.owner(*made_by).is_some_and(|owner| mine.contains(&spec.main(owner)))
        })
    }

    /// Whether it is, or was one when it was made.
    pub(crate) fn is_or_was_own(&self, spec: &Spec, me: usize, mine: &Set) -> bool {
        let mut then = self.requester_known.clone();
        then.extend(self.owner.iter().flat_map(|(_, addresses)| addresses));
        self.is_own(spec, me, mine)
            || then.iter().any(|address| spec.holder(*address) == me)
            || !then.is_disjoint(mine)
    }

    /// Whether it does not go ahead: its requester, or a present or former owner of theirs, is disabled.
    fn is_blocked(&self, spec: &Spec) -> bool {
        let requester = spec.maker(self.requester);
        let owner = spec.owner(self.requester).map(|owner| spec.main(owner));
        let owners = [owner, self.owner.as_ref().map(|(owner, _)| *owner)];
        let owners = owners.into_iter().flatten().map(|owner| spec.maker(owner));
        owners.chain([requester]).any(|holder| spec.is_disabled_holder(holder))
    }

    /// What is known of the voter: what was theirs then, all that is or was theirs now, and all
    /// of the persons who have any of it now, but for what is known to have changed hands.
    fn known(spec: &Spec, vote: &Vote) -> Set {
        let moved = vote.known.iter().filter(|address| spec.retired(**address).is_none());
        let theirs = spec.of_holder(spec.maker(vote.address));
        moved.flat_map(|address| spec.addresses(*address)).chain(theirs).chain(vote.known.clone()).collect()
    }

    /// Whether a vote is this holder's by any address of then or now.
    fn is_vote_of(spec: &Spec, vote: &Vote, me: usize, mine: &Set) -> bool {
        spec.holder(vote.address) == me || mine.contains(&vote.address) || !vote.known.is_disjoint(mine)
    }

    /// What it has become while it is open; what has ended stays what it was.
    fn is_in_production(&self, spec: &Spec) -> bool {
        let is_open = ["pending", "approved"].contains(&self.status);
        self.in_production || is_open && !spec.non_production
    }

    /// Whether a policy lets people in these groups decide on it.
    fn is_permitted(&self, spec: &Spec, groups: &Set) -> bool {
        let in_production = self.is_in_production(spec);
        groups
            .iter()
            .filter(|group| spec.knows(**group))
            .any(|group| spec.permitted.contains(group) || !in_production && spec.juniors == Some(*group))
    }

    /// Whether an approval with these groups counts under a policy.
    pub(crate) fn is_eligible(&self, spec: &Spec, vote: &Vote) -> bool {
        let known = Self::known(spec, vote);
        let maker = spec.maker(vote.address);
        let is_disabled = |address: &usize| spec.retired(*address).is_none() && spec.is_disabled(*address);
        let may_act = !known.iter().any(is_disabled) && (!spec.unlisted_refused || maker >= 100);
        let is_human = !known.iter().any(|address| spec.is_listed_machine(*address));
        let is_shown = vote.named || !(self.digest_required || spec.digest_required);
        let is_since_restore = spec.restored_at.is_none_or(|restored_at| vote.at >= restored_at * 1000);
        vote.approves
            && may_act
            && is_human
            && is_shown
            && is_since_restore
            && self.is_permitted(spec, &vote.groups)
            && !self.is_or_was_own(spec, maker, &known)
    }

    /// The groups of each human who counts, by the first of their votes that does.
    pub(crate) fn counting(&self, spec: &Spec) -> BTreeMap<usize, Set> {
        let mut humans = BTreeMap::new();
        let mut counted = Set::new();
        for vote in self.votes.iter().filter(|vote| self.is_eligible(spec, vote)) {
            let known = Self::known(spec, vote);
            // Its two holders are known to be two.
            let shared = known.intersection(&counted).any(|address| spec.retired(*address).is_none());
            if !shared {
                humans.insert(vote.address, vote.groups.clone());
                counted.extend(known);
            }
        }
        humans
    }

    /// What one policy demands by itself.
    pub(crate) fn demanded(spec: &Spec) -> Vec<Option<Set>> {
        seats(&spec.slots, spec.high.max(spec.approvals))
    }

    pub(crate) fn pinned(&self) -> Vec<Option<Set>> {
        seats(&self.slots, self.approvals)
    }

    /// What the creation and the policy of now demand together.
    pub(crate) fn in_force(&self, spec: &Spec) -> Vec<Option<Set>> {
        let mut slots = self.slots.clone();
        for (groups, people) in &spec.slots {
            let entry = slots.entry(groups.clone()).or_default();
            *entry = (*people).max(*entry);
        }
        seats(&slots, self.pinned().len().max(Self::demanded(spec).len()))
    }

    pub(crate) fn status(&self, spec: &Spec, now: i64) -> &'static str {
        let pending = self.pending_seconds.min(spec.pending_seconds);
        let executing = self.execute_within_seconds.min(spec.execute_within_seconds);
        let execute_by = self.execute_by.min(self.approved_at + executing * 1000);
        match self.status {
            "pending" if now >= pending * 1000 => "expired",
            "approved" if now >= execute_by => "expired",
            status => status,
        }
    }

    pub(crate) fn is_caller_refused(spec: &Spec, caller: &Caller) -> bool {
        let entry = spec.entry(caller.address);
        let is_non_human =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        let owner = spec.owner(caller.address);
        entry.is_none() && (spec.unlisted_refused || spec.retired(caller.address).is_some())
            || spec.is_disabled(caller.address)
            || is_non_human && owner.is_none() && spec.owner_required
            || owner.is_some_and(|owner| {
                spec.is_disabled(owner) || spec.unlisted_refused && spec.entry(owner).is_none()
            })
    }

    /// What a step comes to, and what is remembered of it.
    pub(crate) fn answer(
        &mut self,
        spec: &Spec,
        caller: &Caller,
        verb: Verb,
        shown: Shown,
        now: i64,
    ) -> &'static str {
        if verb == Verb::Expire {
            return self.expire(spec, now);
        }
        if Self::is_caller_refused(spec, caller) {
            return "door";
        }
        let groups: Set = caller.groups.iter().copied().filter(|group| spec.knows(*group)).collect();
        let me = spec.holder(caller.address);
        let mine = spec.addresses(caller.address);
        let own = self.is_own(spec, me, &mine);
        let takes_back = verb == Verb::Withdraw
            && self.votes.iter().any(|vote| vote.approves && spec.maker(vote.address) == me);
        if !own && groups.is_empty() && !takes_back {
            return "not_found";
        }
        let is_non_human =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        match verb {
            Verb::Approve | Verb::Reject => {
                if is_non_human {
                    return "agent_cannot_approve";
                }
                if self.is_or_was_own(spec, me, &mine) {
                    return "self_approval";
                }
                let is_shown = groups.iter().any(|group| spec.blind != Some(*group));
                if !self.is_permitted(spec, &groups) || verb == Verb::Approve && !is_shown {
                    return "not_permitted";
                }
            }
            Verb::Cancel if !own => return "not_permitted",
            Verb::Start if spec.maker(self.requester) != me => return "not_permitted",
            Verb::Cancel | Verb::Start | Verb::Withdraw | Verb::Expire => {}
        }
        let at = now.max(self.updated_at);
        let mut next = self.clone();
        match next.lead_on(spec, caller, verb, shown, at) {
            Err(refusal) => refusal,
            // By a clock that is behind nothing happens, but for what would not happen anyway.
            Ok(_) if now + SKEW < self.updated_at => "clock_skew",
            Ok(answer) => {
                *self = next;
                answer
            }
        }
    }

    /// What a step of an actor who may comes to at a time.
    fn lead_on(
        &mut self,
        spec: &Spec,
        caller: &Caller,
        verb: Verb,
        shown: Shown,
        now: i64,
    ) -> Result<&'static str, &'static str> {
        let me = spec.holder(caller.address);
        let before = self.status;
        let status = self.status(spec, now);
        let seats = self.in_force(spec);
        let too_few = !all_seated(&seats, &self.counting(spec).into_values().collect::<Vec<_>>());
        let answer = match (verb, status) {
            (_, "expired") => return Err("expired"),
            (Verb::Cancel, "pending" | "approved") => {
                self.status = "cancelled";
                "cancelled"
            }
            (Verb::Cancel, _) => return Err("not_pending"),
            (Verb::Start, "approved") => {
                if self.is_blocked(spec) {
                    return Err("not_permitted");
                }
                if too_few {
                    return Err("approvals_insufficient");
                }
                if shown == Shown::Wrong {
                    return Err("digest_mismatch");
                }
                self.status = "executing";
                "executing"
            }
            (Verb::Start, _) => return Err("not_approved"),
            (Verb::Withdraw, "pending" | "approved") => {
                let before = self.votes.len();
                self.votes.retain(|vote| spec.maker(vote.address) != me);
                if self.votes.len() == before {
                    return Err("not_decided");
                }
                if self.withdrawals == WITHDRAWALS {
                    return Err("not_permitted");
                }
                self.withdrawals += 1;
                let people: Vec<_> = self.counting(spec).into_values().collect();
                if status == "pending" || !all_seated(&seats, &people) {
                    self.status = self.pending_or_expired(spec, now);
                }
                self.status
            }
            (Verb::Approve | Verb::Reject, status)
                if status == "pending" || status == "approved" && too_few =>
            {
                self.decide(spec, caller, verb, shown, now)?
            }
            (Verb::Approve | Verb::Reject | Verb::Withdraw, _) => return Err("not_pending"),
            (Verb::Expire, _) => return Err("not_due"),
        };
        self.updated_at = now;
        match (before, self.status) {
            ("approved", "approved") => {}
            (_, "approved") => {
                self.approved_at = now;
                let within = self.execute_within_seconds.min(spec.execute_within_seconds);
                self.execute_by = now + within * 1000;
            }
            (_, "pending" | "expired") => self.execute_by = i64::MAX,
            _ => {}
        }
        Ok(answer)
    }

    /// What waits for people again, if there is time for it.
    fn pending_or_expired(&self, spec: &Spec, now: i64) -> &'static str {
        let until = self.pending_seconds.min(spec.pending_seconds) * 1000;
        if now < until { "pending" } else { "expired" }
    }

    fn decide(
        &mut self,
        spec: &Spec,
        caller: &Caller,
        verb: Verb,
        shown: Shown,
        now: i64,
    ) -> Result<&'static str, &'static str> {
        let groups: Set = caller.groups.iter().copied().filter(|group| spec.knows(*group)).collect();
        let me = spec.holder(caller.address);
        let mine = spec.addresses(caller.address);
        let seats = self.in_force(spec);
        let counting = self.counting(spec);
        let is_mine = |vote: &Vote| Self::is_vote_of(spec, vote, me, &mine);
        if self.votes.iter().any(|vote| counting.contains_key(&vote.address) && is_mine(vote)) {
            return Err("already_decided");
        }
        let vote = Vote {
            address: spec.main(spec.human(caller.address)),
            known: mine.clone(),
            groups: if verb == Verb::Approve { groups.clone() } else { Set::new() },
            approves: verb == Verb::Approve,
            named: verb == Verb::Approve && shown == Shown::Right,
            at: now,
        };
        let kept: Vec<_> = self.votes.iter().filter(|vote| !is_mine(vote)).cloned().collect();
        if verb == Verb::Reject {
            if shown == Shown::Wrong {
                return Err("digest_mismatch");
            }
            self.votes = kept;
            self.votes.push(vote);
            self.status = "rejected";
            return Ok("rejected");
        }
        if self.is_blocked(spec) {
            return Err("not_permitted");
        }
        let mut people: Vec<_> = counting.into_values().collect();
        let filled = most_seated(&seats, &people);
        people.push(groups);
        if filled < seats.len() && most_seated(&seats, &people) == filled {
            return Err("not_permitted");
        }
        if shown == Shown::Wrong {
            return Err("digest_mismatch");
        }
        if shown != Shown::Right && (self.digest_required || spec.digest_required) {
            return Err("validation_failed");
        }
        let is_enough = all_seated(&seats, &people);
        if !is_enough && self.pending_or_expired(spec, now) == "expired" {
            return Err("approvals_insufficient");
        }
        self.votes = kept;
        self.votes.push(vote);
        self.status = if is_enough { "approved" } else { "pending" };
        Ok(self.status)
    }

    fn expire(&mut self, spec: &Spec, now: i64) -> &'static str {
        let is_behind = now + SKEW < self.updated_at;
        let now = now.max(self.updated_at);
        if self.status == "expired" || self.status(spec, now) != "expired" {
            return "not_due";
        }
        if is_behind {
            return "clock_skew";
        }
        (self.status, self.updated_at) = ("expired", now);
        "expired"
    }
}
