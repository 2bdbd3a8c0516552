//! Anomalies that are planted into the traffic of a company.

use crate::dice::Dice;
use crate::events::{BEGIN, DAY, HOUR, MINUTE, SECOND};
use crate::people::{Colleague, PERSONS};
use crate::traffic::{END, Happening, Traffic, later_day};
use countersign_anomalies::finding::{Finding, Rule};
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use std::ops::RangeInclusive;

/// An anomaly that is to be found.
#[derive(Debug, Clone)]
pub(crate) struct Planted {
    pub(crate) rule: Rule,
    persons: Vec<PersonId>,
    /// When a finding is of this anomaly, in milliseconds since 1970.
    during: RangeInclusive<i64>,
}

impl Planted {
    pub(crate) fn is_found_by(&self, finding: &Finding) -> bool {
        let names = |person: &PersonId| self.persons.contains(person);
        finding.rule == self.rule
            && names(&finding.person)
            && finding.other_person.as_ref().is_none_or(names)
            && self.during.contains(&finding.at.as_millisecond())
    }
}

/// How many anomalies of one rule are planted that last for an hour.
const SHORT: usize = 6;

/// Plants anomalies of every rule.
pub(crate) fn plant(traffic: &mut Traffic) -> Vec<Planted> {
    let mut planted = Vec::new();
    plant_rows(traffic, &mut planted);
    plant_pairs(traffic, &mut planted);
    let first = traffic.dice.next() as usize;
    for number in 0..SHORT {
        // Other persons for each of a rule, so that none hides another.
        let person = |rule: usize| (first % PERSONS + rule * 13 + number * 7) % PERSONS;
        plant_burst(traffic, person(0), &mut planted);
        plant_quick_approvals(traffic, person(1), &mut planted);
        plant_night(traffic, person(2), &mut planted);
        plant_attempts(traffic, person(3), &mut planted);
    }
    planted
}

fn found_from(rule: Rule, colleague: &Colleague, at: i64) -> Planted {
    Planted { rule, persons: vec![colleague.id.clone()], during: at..=at + 2 * HOUR }
}

/// A time at which a person works.
fn at_work(colleague: &Colleague, dice: &mut Dice) -> i64 {
    let day = later_day(dice);
    colleague.next_at_work(BEGIN + day * DAY + dice.between(0, DAY))
}

/// Ten to twenty requests in forty minutes.
fn plant_burst(traffic: &mut Traffic, number: usize, planted: &mut Vec<Planted>) {
    let at = at_work(&traffic.company[number], &mut traffic.dice);
    for _ in 0..traffic.dice.between(10, 20) {
        traffic.requests.push((at + traffic.dice.between(0, 40 * MINUTE), number));
    }
    planted.push(found_from(Rule::RequestBurst, &traffic.company[number], at));
}

/// Six approvals, each two to six seconds after the one before.
fn plant_quick_approvals(traffic: &mut Traffic, number: usize, planted: &mut Vec<Planted>) {
    let colleague = traffic.company[number].clone();
    let mut at = at_work(&colleague, &mut traffic.dice);
    planted.push(found_from(Rule::QuickApprovals, &colleague, at));
    let is_other = |other: &&Colleague| other.team == colleague.team && other.id != colleague.id;
    let others: Vec<_> = traffic.company.iter().filter(is_other).map(|other| other.id.clone()).collect();
    for _ in 0..6 {
        let Some(requester) = traffic.dice.choose(&others).cloned() else { return };
        at += traffic.dice.between(2 * SECOND, 6 * SECOND);
        traffic.requests_made += 1;
        let request = traffic.requests_made;
        let requested_at = at - traffic.dice.between(2 * SECOND, HOUR);
        traffic.of_request(requested_at, EventType::ApprovalRequestCreated, &requester, request, &requester);
        traffic.of_request(at, EventType::ApprovalGranted, &colleague.id, request, &requester);
    }
}

/// One request in the middle of the night.
fn plant_night(traffic: &mut Traffic, number: usize, planted: &mut Vec<Planted>) {
    let day = later_day(&mut traffic.dice);
    let at = traffic.company[number].night(day, &mut traffic.dice);
    traffic.requests.push((at, number));
    planted.push(found_from(Rule::UnusualHour, &traffic.company[number], at));
}

/// Five to eight refused attempts in five minutes.
fn plant_attempts(traffic: &mut Traffic, number: usize, planted: &mut Vec<Planted>) {
    let colleague = traffic.company[number].clone();
    let at = at_work(&colleague, &mut traffic.dice);
    for _ in 0..traffic.dice.between(5, 8) {
        let at = at + traffic.dice.between(0, 5 * MINUTE);
        traffic.happenings.push((at, Happening::Refused { user: colleague.id.clone() }));
    }
    planted.push(found_from(Rule::RefusedAttempts, &colleague, at));
}

/// Two approvers who never refuse anything.
fn plant_rows(traffic: &mut Traffic, planted: &mut Vec<Planted>) {
    for number in [3, 11] {
        let colleague = &mut traffic.company[number];
        colleague.rejects = 0.0;
        let persons = vec![colleague.id.clone()];
        planted.push(Planted { rule: Rule::NoRejections, persons, during: BEGIN..=END });
    }
}

/// Two pairs, each of one team, whose requests are mostly approved by the other of the pair.
fn plant_pairs(traffic: &mut Traffic, planted: &mut Vec<Planted>) {
    for (one, other) in [(0, 7), (5, 12)] {
        traffic.preferred.insert(one, other);
        traffic.preferred.insert(other, one);
        let persons = vec![traffic.company[one].id.clone(), traffic.company[other].id.clone()];
        planted.push(Planted { rule: Rule::ReciprocalApproval, persons, during: BEGIN..=END });
    }
}
