//! When approvals are enough, said a second time.
//!
//! Knows nothing of `People`, `Slots`, `Terms` or `Approvals`: it works on the numbers that a policy is
//! written from, and tries out every way to seat people.

use crate::worlds::{AGENT, CI, Caller, Seats, Set, Shown, Spec, Verb};
use std::collections::BTreeMap;

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
}

/// What the reference knows of the request.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) requester: usize,
    /// All addresses that were the requester's when they asked.
    pub(crate) requester_known: Set,
    pub(crate) filer: Option<usize>,
    /// All addresses that were the owner's then.
    pub(crate) owner: Set,
    pub(crate) in_production: bool,
    pub(crate) approvals: usize,
    pub(crate) slots: Seats,
    pub(crate) digest_required: bool,
    pub(crate) pending_seconds: i64,
    pub(crate) execute_within_seconds: i64,
    pub(crate) votes: Vec<Vote>,
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

/// Whether each seat can be given to somebody else, by trying each person on each seat.
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
    /// Whether the request is one of whoever has these addresses, as a policy has it.
    pub(crate) fn is_own(&self, spec: &Spec, mine: &Set) -> bool {
        [Some(self.requester), self.filer].iter().flatten().any(|maker| {
            mine.contains(maker) || spec.owner(*maker).is_some_and(|owner| mine.contains(&spec.main(owner)))
        })
    }

    /// Whether it is, or was one when it was made.
    pub(crate) fn is_or_was_own(&self, spec: &Spec, mine: &Set) -> bool {
        let then = &self.requester_known | &self.owner;
        self.is_own(spec, mine)
            || then.iter().any(|address| !spec.addresses(*address).is_disjoint(mine))
            || !then.is_disjoint(mine)
    }

    /// What is known of whoever voted: what was theirs then, and all that is now of whoever has any of it.
    fn known(spec: &Spec, vote: &Vote) -> Set {
        vote.known.iter().flat_map(|address| spec.addresses(*address)).chain(vote.known.clone()).collect()
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

    /// Whether somebody's approval with these groups counts under a policy.
    pub(crate) fn is_eligible(&self, spec: &Spec, vote: &Vote) -> bool {
        let known = Self::known(spec, vote);
        let may_act = !known.iter().any(|address| spec.is_disabled(*address))
            && (!spec.unlisted_refused || spec.entry(vote.address).is_some());
        let is_human = !known.iter().any(|address| spec.is_listed_machine(*address));
        let is_shown = vote.named || !(self.digest_required || spec.digest_required);
        vote.approves
            && may_act
            && is_human
            && is_shown
            && self.is_permitted(spec, &vote.groups)
            && !self.is_or_was_own(spec, &known)
    }

    /// The groups of each human who counts, by the first of their votes that does.
    pub(crate) fn counting(&self, spec: &Spec) -> BTreeMap<usize, Set> {
        let mut humans = BTreeMap::new();
        let mut counted = Set::new();
        for vote in self.votes.iter().filter(|vote| self.is_eligible(spec, vote)) {
            let known = Self::known(spec, vote);
            if known.is_disjoint(&counted) {
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

    pub(crate) fn is_refused_at_the_door(spec: &Spec, caller: &Caller) -> bool {
        let entry = spec.entry(caller.address);
        let is_machine =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        let owner = spec.owner(caller.address);
        entry.is_none() && spec.unlisted_refused
            || spec.is_disabled(caller.address)
            || is_machine && owner.is_none() && spec.owner_required
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
        if Self::is_refused_at_the_door(spec, caller) {
            return "door";
        }
        let groups: Set = caller.groups.iter().copied().filter(|group| spec.knows(*group)).collect();
        let mine = spec.addresses(caller.address);
        let own = self.is_own(spec, &mine);
        if !own && groups.is_empty() {
            return "not_found";
        }
        let is_machine =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        let is_requester = mine.contains(&self.requester);
        match verb {
            Verb::Approve | Verb::Reject => {
                if is_machine {
                    return "agent_cannot_approve";
                }
                if self.is_or_was_own(spec, &mine) {
                    return "self_approval";
                }
                let is_shown = groups.iter().any(|group| spec.blind != Some(*group));
                if !self.is_permitted(spec, &groups) || verb == Verb::Approve && !is_shown {
                    return "not_permitted";
                }
            }
            Verb::Cancel | Verb::Start if !is_requester => return "not_permitted",
            Verb::Cancel | Verb::Start => {}
        }
        let status = self.status(spec, now);
        let seats = self.in_force(spec);
        match (verb, status) {
            (_, "expired") => "expired",
            (Verb::Cancel, "pending" | "approved") => {
                self.status = "cancelled";
                "cancelled"
            }
            (Verb::Cancel, _) => "not_pending",
            (Verb::Start, "approved") => {
                let people: Vec<_> = self.counting(spec).into_values().collect();
                if !all_seated(&seats, &people) {
                    return "approvals_insufficient";
                }
                if shown == Shown::Wrong {
                    return "digest_mismatch";
                }
                self.status = "executing";
                "executing"
            }
            (Verb::Start, _) => "not_approved",
            (Verb::Approve | Verb::Reject, "pending") => {
                let me = spec.human(caller.address);
                if self
                    .votes
                    .iter()
                    .any(|vote| mine.contains(&vote.address) || !vote.known.is_disjoint(&mine))
                {
                    return "already_decided";
                }
                if verb == Verb::Reject {
                    let groups = Set::new();
                    self.votes.push(Vote {
                        address: spec.main(me),
                        known: mine,
                        groups,
                        approves: false,
                        named: false,
                    });
                    self.status = "rejected";
                    return "rejected";
                }
                let mut people: Vec<_> = self.counting(spec).into_values().collect();
                let before = most_seated(&seats, &people);
                people.push(groups.clone());
                if before < seats.len() && most_seated(&seats, &people) == before {
                    return "not_permitted";
                }
                if shown == Shown::Wrong {
                    return "digest_mismatch";
                }
                if shown == Shown::Nothing && (self.digest_required || spec.digest_required) {
                    return "validation_failed";
                }
                self.votes.push(Vote {
                    address: spec.main(me),
                    known: mine,
                    groups,
                    approves: true,
                    named: shown == Shown::Right,
                });
                if all_seated(&seats, &people) {
                    let within = self.execute_within_seconds.min(spec.execute_within_seconds);
                    (self.status, self.approved_at) = ("approved", now);
                    self.execute_by = now + within * 1000;
                }
                self.status
            }
            (Verb::Approve | Verb::Reject, _) => "not_pending",
        }
    }
}
