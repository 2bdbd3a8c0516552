//! Slots: which groups approvers must come from, and whether given people can fill them.
//!
//! Different people fill different slots, so this is a matching and not a count: an approver in two
//! groups fills one slot, and whichever leaves the other to another approver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Group names.
pub type Groups = BTreeSet<String>;

/// Whose approval is needed: for each set of groups, how many people who are in at least one of
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots(BTreeMap<Groups, u8>);

impl Slots {
    /// Slots from groups and counts. The same groups twice are as strict as the higher count.
    pub fn new(slots: impl IntoIterator<Item = (Groups, u8)>) -> Self {
        let mut all = Self::default();
        for (groups, people) in slots.into_iter().filter(|(_, people)| *people > 0) {
            let entry = all.0.entry(groups).or_default();
            *entry = people.max(*entry);
        }
        all
    }

    /// What fills the slots of both: for the same groups the higher count.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter()).map(|(groups, people)| (groups.clone(), people)))
    }

    /// The groups of each slot, and how many people it takes.
    pub fn iter(&self) -> impl Iterator<Item = (&Groups, u8)> {
        self.0.iter().map(|(groups, people)| (groups, *people))
    }

    /// How many people all slots take.
    pub fn total(&self) -> u8 {
        self.0.values().fold(0, |total, people| total.saturating_add(*people))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fills the slots and then the approvals that anybody may give, up to `approvals_required`,
    /// with distinct people, as many as can be. `people` are the groups of one person each.
    pub fn fill(&self, approvals_required: u8, people: &[&Groups]) -> SlotAssignment {
        // INVARIANT: `seats` has one entry for each person that a slot takes.
        let seats: Vec<&Groups> = self
            .iter()
            .flat_map(|(groups, people)| std::iter::repeat_n(groups, usize::from(people)))
            .collect();
        let mut seat_of_person: Vec<Option<usize>> = vec![None; people.len()];
        for seat in 0..seats.len() {
            give_seat(seat, &seats, people, &mut seat_of_person, &mut vec![false; people.len()]);
        }
        let taken: BTreeSet<usize> = seat_of_person.iter().flatten().copied().collect();
        let anybody = usize::from(approvals_required).saturating_sub(seats.len());
        let unseated = people.len() - taken.len();
        let missing = seats.iter().enumerate().filter(|(seat, _)| !taken.contains(seat));
        let mut missing_slots = BTreeMap::<Groups, u8>::new();
        for (_, groups) in missing {
            *missing_slots.entry((*groups).clone()).or_default() += 1;
        }
        SlotAssignment {
            filled: taken.len() + anybody.min(unseated),
            missing_slots: Self(missing_slots),
            missing_from_anybody: anybody.saturating_sub(unseated),
        }
    }
}

/// Gives a seat to a person, if need be by moving others (an augmenting path: Kuhn's algorithm for
/// bipartite matching). `tried` are the people who were asked on this path.
fn give_seat(
    seat: usize,
    seats: &[&Groups],
    people: &[&Groups],
    seat_of_person: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let Some(wanted) = seats.get(seat) else { return false };
    for (person, groups) in people.iter().enumerate() {
        let Some(was_tried) = tried.get_mut(person) else { continue };
        if *was_tried || groups.is_disjoint(wanted) {
            continue;
        }
        *was_tried = true;
        let current = seat_of_person.get(person).copied().flatten();
        let is_free = current.is_none_or(|current| give_seat(current, seats, people, seat_of_person, tried));
        if is_free && let Some(place) = seat_of_person.get_mut(person) {
            *place = Some(seat);
            return true;
        }
    }
    false
}

/// How far some people fill the slots of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotAssignment {
    /// How many of the people count.
    pub filled: usize,
    /// The slots that are still open.
    pub missing_slots: Slots,
    /// How many approvals are missing besides, which anybody may give who may approve.
    pub missing_from_anybody: usize,
}

impl SlotAssignment {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing_slots.is_empty() && self.missing_from_anybody == 0
    }
}

/// `1 of dba, 2 of finance or controlling`.
impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (groups, people)) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            let groups: Vec<_> = groups.iter().map(String::as_str).collect();
            write!(f, "{separator}{people} of {}", groups.join(" or "))?;
        }
        Ok(())
    }
}

/// `1 of dba, 1 of anybody who may approve`.
impl fmt::Display for SlotAssignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.missing_slots.fmt(f)?;
        if self.missing_from_anybody > 0 {
            let separator = if self.missing_slots.is_empty() { "" } else { ", " };
            write!(f, "{separator}{} of anybody who may approve", self.missing_from_anybody)?;
        }
        Ok(())
    }
}
