//! Messages that become one: by request, by the hour, and within ten seconds.

use countersign_core::ids::RequestId;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::merge::{MAX_MESSAGES_PER_HOUR, Waiting, flood_until, settled, standing};
use countersign_notifications::plan::MessageKind::{self, Act, Closing, Information, Outcome, Update};
use proptest::prelude::*;
use uuid::Uuid;

fn waiting(request: u128, kind: MessageKind) -> Waiting {
    Waiting { request_id: RequestId::new(Uuid::from_u128(request)), kind }
}

fn second(seconds: u32) -> Timestamp {
    Timestamp::from_millisecond(1_767_225_600_000).plus_seconds(seconds)
}

#[test]
fn of_each_request_one_message_stands() {
    for (kinds, was_asked, expected) in [
        (&[Act][..], false, &[0][..]),
        (&[Act, Closing], false, &[]),
        (&[Act, Closing], true, &[1]),
        (&[Closing], false, &[]),
        (&[Closing], true, &[0]),
        (&[Act, Update, Information], false, &[0]),
        (&[Act, Closing, Act], false, &[2]),
        (&[Information, Outcome], false, &[1]),
        (&[Outcome, Information], false, &[0]),
        (&[Information, Information], false, &[1]),
        (&[Information, Closing], false, &[0]),
        (&[Closing, Information], true, &[0]),
        (&[Outcome, Outcome], false, &[1]),
        (&[], false, &[]),
    ] {
        let list: Vec<Waiting> = kinds.iter().map(|kind| waiting(1, *kind)).collect();
        assert_eq!(standing(&list, |_| was_asked), expected, "{kinds:?} {was_asked}");
    }
    let list =
        [waiting(2, Act), waiting(1, Act), waiting(2, Closing), waiting(1, Update), waiting(3, Information)];
    assert_eq!(standing(&list, |_| false), [1, 4]);
}

#[test]
fn twenty_messages_an_hour() {
    let minutes = |count: u32| (0..count).map(|minute| second(minute * 60)).collect::<Vec<_>>();
    assert_eq!(flood_until(&minutes(19), second(1200)), None);
    assert_eq!(flood_until(&minutes(20), second(1200)), Some(second(3600)));
    assert_eq!(flood_until(&minutes(20), second(3599)), Some(second(3600)));
    assert_eq!(flood_until(&minutes(20), second(3600)), None);
    // More than the limit, such as what does not wait: the twentieth from the end counts.
    assert_eq!(flood_until(&minutes(25), second(1500)), Some(second(3600 + 5 * 60)));
    assert_eq!(MAX_MESSAGES_PER_HOUR, 20);
}

#[test]
fn changes_within_ten_seconds_are_one() {
    let at = |seconds: &[u32]| seconds.iter().map(|second_| second(*second_)).collect::<Vec<_>>();
    let groups = settled(&at(&[0, 3, 9, 10, 25, 30]));
    assert_eq!(groups, [(second(10), at(&[0, 3, 9])), (second(20), at(&[10])), (second(35), at(&[25, 30]))]);
    assert_eq!(settled(&[]), []);
}

proptest! {
    /// A sender who waits as it is said never sends more than twenty in any hour.
    #[test]
    fn no_hour_has_more_than_twenty(mut events in prop::collection::vec(0_u32..20_000, 0..120)) {
        events.sort_unstable();
        let mut sent: Vec<Timestamp> = Vec::new();
        for event in events {
            let now = second(event).max(sent.last().copied().unwrap_or(Timestamp::EARLIEST));
            match flood_until(&sent, now) {
                None => sent.push(now),
                Some(later) => {
                    prop_assert!(later > now && flood_until(&sent, later).is_none());
                    sent.push(later);
                }
            }
        }
        for (place, last) in sent.iter().enumerate() {
            let in_hour = sent.iter().take(place + 1).filter(|at| **at > last.minus_seconds(3600)).count();
            prop_assert!(in_hour <= MAX_MESSAGES_PER_HOUR, "{in_hour}");
        }
    }

    /// At most one message stands of each request, and what stands asks only if the last word did not take it back.
    #[test]
    fn one_stands_of_each(list in prop::collection::vec((1_u128..4, prop::sample::select(vec![Act, Closing, Outcome, Update, Information])), 0..20), was_asked: bool) {
        let list: Vec<Waiting> = list.into_iter().map(|(request, kind)| waiting(request, kind)).collect();
        let places = standing(&list, |_| was_asked);
        for (place, one) in list.iter().enumerate() {
            let same: Vec<usize> = places.iter().copied().filter(|other| list[*other].request_id == one.request_id).collect();
            prop_assert!(same.len() <= 1);
            let later = |kind: MessageKind| list.iter().skip(place + 1).any(|other| other.request_id == one.request_id && other.kind == kind);
            if one.kind == Act && !later(Act) {
                let stands = same.first() == Some(&place);
                prop_assert_eq!(stands, !later(Closing) && !later(Outcome));
            }
        }
    }
}
