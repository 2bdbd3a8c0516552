//! Slots: filling them with distinct people is a matching, and equals what trying out every
//! assignment finds.

use countersign_core::slots::{Groups, Slots};
use proptest::prelude::*;
use std::collections::BTreeSet;

const NAMES: [&str; 5] = ["dba", "security", "finance", "network", "approver"];

fn groups(names: &[&str]) -> Groups {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn any_groups() -> impl Strategy<Value = Groups> {
    prop::collection::btree_set(prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 0..4)
}

fn any_slots() -> impl Strategy<Value = Slots> {
    let slot = (any_groups().prop_filter("a slot names a group", |groups| !groups.is_empty()), 1..3u8);
    prop::collection::vec(slot, 0..4).prop_map(Slots::new)
}

/// The most people that can be seated, each on one seat, found by trying everything. A seat is a
/// set of groups, or `None` for anybody.
fn most_seated(seats: &[Option<&Groups>], people: &[&Groups], taken: &mut BTreeSet<usize>) -> usize {
    let Some((person, rest)) = people.split_first() else { return 0 };
    let mut most = most_seated(seats, rest, taken);
    for (place, seat) in seats.iter().enumerate() {
        if !taken.contains(&place) && seat.is_none_or(|groups| !groups.is_disjoint(person)) {
            taken.insert(place);
            most = most.max(1 + most_seated(seats, rest, taken));
            taken.remove(&place);
        }
    }
    most
}

fn by_brute_force(slots: &Slots, required: u8, people: &[&Groups]) -> (usize, usize) {
    let named: Vec<_> = slots
        .iter()
        .flat_map(|(groups, people)| std::iter::repeat_n(Some(groups), usize::from(people)))
        .collect();
    let anybody = usize::from(required).saturating_sub(named.len());
    let seats: Vec<_> = named.iter().copied().chain(std::iter::repeat_n(None, anybody)).collect();
    (most_seated(&seats, people, &mut BTreeSet::new()), seats.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn filling_equals_trying_everything(
        slots in any_slots(),
        required in 0..6u8,
        people in prop::collection::vec(any_groups(), 0..6),
    ) {
        let people: Vec<_> = people.iter().collect();
        let slot_assignment = slots.fill(required, &people);
        let (seated, seats) = by_brute_force(&slots, required, &people);
        prop_assert_eq!(slot_assignment.filled, seated);
        prop_assert_eq!(slot_assignment.is_complete(), seated == seats);
        let missing = usize::from(slot_assignment.missing_slots.total()) + slot_assignment.missing_from_anybody;
        prop_assert_eq!(slot_assignment.filled + missing, seats);
    }

    /// One more approver never undoes what others fill, and fills one place at most.
    #[test]
    fn one_more_person_fills_one_more_place_at_most(
        slots in any_slots(),
        required in 0..6u8,
        people in prop::collection::vec(any_groups(), 0..6),
        another in any_groups(),
    ) {
        let people: Vec<_> = people.iter().collect();
        let before = slots.fill(required, &people).filled;
        let with_another: Vec<_> = people.iter().copied().chain([&another]).collect();
        let after = slots.fill(required, &with_another).filled;
        prop_assert!(after == before || after == before + 1);
    }

    /// The order in which people come does not matter.
    #[test]
    fn order_does_not_matter(
        slots in any_slots(),
        required in 0..6u8,
        people in prop::collection::vec(any_groups(), 0..6).prop_shuffle(),
    ) {
        let people: Vec<_> = people.iter().collect();
        let backwards: Vec<_> = people.iter().rev().copied().collect();
        prop_assert_eq!(slots.fill(required, &people).filled, slots.fill(required, &backwards).filled);
    }

    /// Slots of two rules together ask for no less than either.
    #[test]
    fn joined_slots_are_no_easier(
        one in any_slots(),
        other in any_slots(),
        people in prop::collection::vec(any_groups(), 0..6),
    ) {
        let people: Vec<_> = people.iter().collect();
        let joined = one.join(&other);
        prop_assert_eq!(&joined, &other.join(&one));
        prop_assert_eq!(&joined.join(&one), &joined);
        if joined.fill(joined.total(), &people).is_complete() {
            prop_assert!(one.fill(one.total(), &people).is_complete());
            prop_assert!(other.fill(other.total(), &people).is_complete());
        }
    }
}

/// FIELD, integrity failure 6, and THREATS 7: an approver in both groups fills one slot.
#[test]
fn one_person_in_two_groups_fills_one_slot() {
    let slots = Slots::new([(groups(&["dba"]), 1), (groups(&["security"]), 1)]);
    let both = groups(&["dba", "security"]);
    let dba = groups(&["dba"]);
    let neither = groups(&["approver"]);
    assert_eq!(slots.fill(2, &[&both]).filled, 1);
    assert!(!slots.fill(2, &[&both, &neither]).is_complete());
    assert_eq!(slots.fill(2, &[&both, &neither]).filled, 1);
    // The first approver makes room.
    assert!(slots.fill(2, &[&both, &dba]).is_complete());
    assert_eq!(slots.fill(3, &[&both, &dba]).to_string(), "1 of anybody who may approve");
    assert_eq!(slots.fill(2, &[&dba]).to_string(), "1 of security");
}
