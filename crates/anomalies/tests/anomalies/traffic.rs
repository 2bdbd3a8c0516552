//! Three months of a made-up company: requests, decisions, executions and refused attempts, in the order of time.

use crate::dice::Dice;
use crate::events::{BEGIN, DAY, HOUR, MINUTE, Recorder, SECOND};
use crate::people::{Colleague, DAYS, company, deploy_time};
use countersign_core::audit::AuditEvent;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use std::collections::BTreeMap;

/// What happens, before it is recorded.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// Something happens to a request.
    OfRequest { event_type: EventType, user: PersonId, request: u64, requested_by: PersonId },
    /// An attempt is refused.
    Refused { user: PersonId },
}

/// What the company does. Times are in milliseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    pub(crate) dice: Dice,
    pub(crate) company: Vec<Colleague>,
    /// Requests that will be made, with the number of the requester in the company.
    pub(crate) requests: Vec<(i64, usize)>,
    /// For a number of a requester, who decides most of the requests.
    pub(crate) preferred: BTreeMap<usize, usize>,
    pub(crate) happenings: Vec<(i64, Happening)>,
    pub(crate) requests_made: u64,
}

/// How many of the requests of a person go to the approver whom the person prefers, where there is one. Others go to that
/// approver as well, by chance.
const PREFERRED: f64 = 0.6;

/// A decision that will be made.
struct Decision {
    planned: i64,
    approver: usize,
    request: u64,
    requester: usize,
}

impl Traffic {
    /// The requests and refused attempts of ordinary days. Nothing is decided yet.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let company = company(&mut dice);
        let mut traffic = Self {
            dice,
            company,
            requests: Vec::new(),
            preferred: BTreeMap::new(),
            happenings: Vec::new(),
            requests_made: 0,
        };
        for number in 0..traffic.company.len() {
            for day in 0..DAYS {
                traffic.add_day(number, day);
            }
        }
        traffic.add_service();
        traffic
    }

    fn add_day(&mut self, number: usize, day: i64) {
        let Self { dice, company, requests, happenings, .. } = self;
        let colleague = &company[number];
        // An incident wakes a person: that is unusual, and no harm.
        if dice.happens(0.001) {
            requests.push((colleague.night(day, dice), number));
        }
        let Some((begin, end)) = colleague.working_day(day) else { return };
        for _ in 0..dice.count(colleague.requests_a_day) {
            // One request is often followed by another.
            let mut at = dice.between(begin, end);
            requests.push((at, number));
            while dice.happens(0.2) {
                at += dice.between(MINUTE, 20 * MINUTE);
                requests.push((at, number));
            }
        }
        if let Some(at) = deploy_time(colleague, day)
            && dice.happens(0.25)
        {
            for _ in 0..dice.between(3, 6) {
                requests.push((at + dice.between(0, 30 * MINUTE), number));
            }
        }
        if dice.happens(0.1) {
            let at = dice.between(begin, end);
            for _ in 0..dice.between(1, 3) {
                let at = at + dice.between(0, MINUTE);
                happenings.push((at, Happening::Refused { user: colleague.id.clone() }));
            }
        }
    }

    /// A service that asks around the clock, more by day, and whose requests policy approves.
    fn add_service(&mut self) {
        let service = PersonId::service("pipeline").unwrap();
        for hour in 0..DAYS * 24 {
            let by_day = (8..18).contains(&(hour % 24));
            for _ in 0..self.dice.count(if by_day { 2.5 } else { 0.4 }) {
                let at = BEGIN + hour * HOUR + self.dice.between(0, HOUR);
                self.requests_made += 1;
                self.of_request(
                    at,
                    EventType::ApprovalRequestCreated,
                    &service,
                    self.requests_made,
                    &service,
                );
            }
        }
    }

    pub(crate) fn of_request(
        &mut self,
        at: i64,
        event_type: EventType,
        user: &PersonId,
        request: u64,
        requested_by: &PersonId,
    ) {
        let (user, requested_by) = (user.clone(), requested_by.clone());
        self.happenings.push((at, Happening::OfRequest { event_type, user, request, requested_by }));
    }

    /// Decides and executes what was requested, and gives everything as events.
    pub(crate) fn record(mut self) -> Vec<AuditEvent> {
        self.requests.sort();
        let mut decisions = Vec::new();
        for (at, requester) in std::mem::take(&mut self.requests) {
            self.requests_made += 1;
            let (request, id) = (self.requests_made, self.company[requester].id.clone());
            self.of_request(at, EventType::ApprovalRequestCreated, &id, request, &id);
            let mut approvers = Vec::new();
            for _ in 0..if self.dice.happens(0.3) { 2 } else { 1 } {
                if let Some(approver) = self.approver(at, requester, &approvers) {
                    let planned = self.decision_time(at, approver);
                    decisions.push(Decision { planned, approver, request, requester });
                    approvers.push(approver);
                }
            }
        }
        self.decide(decisions);
        self.happenings.sort_by_key(|(at, _)| *at);
        let mut recorder = Recorder::new();
        self.happenings
            .iter()
            .map(|(at, happening)| match happening {
                Happening::OfRequest { event_type, user, request, requested_by } => {
                    recorder.of_request(*event_type, user, *at, *request, requested_by)
                }
                Happening::Refused { user } => recorder.refused(user, *at),
            })
            .collect()
    }

    /// Who decides: mostly a person of the same team, by diligence, who works within half a day.
    fn approver(&mut self, at: i64, requester: usize, taken: &[usize]) -> Option<usize> {
        let preferred = self.preferred.get(&requester).copied();
        if let Some(preferred) = preferred.filter(|preferred| !taken.contains(preferred))
            && self.dice.happens(PREFERRED)
        {
            return Some(preferred);
        }
        let is_of_team = self.dice.happens(0.85);
        let team = self.company[requester].team;
        let candidates: Vec<_> = (0..self.company.len())
            .filter(|number| {
                let colleague = &self.company[*number];
                colleague.is_approver
                    && *number != requester
                    && !taken.contains(number)
                    && (colleague.team == team) == is_of_team
                    && colleague.next_at_work(at) < at + 12 * HOUR
            })
            .collect();
        let all: f64 = candidates.iter().map(|number| self.company[*number].diligence).sum();
        let mut left = self.dice.part() * all;
        candidates.into_iter().find(|number| {
            left -= self.company[*number].diligence;
            left < 0.0
        })
    }

    /// At once, because the requester asked the approver to; or when the approver next looks at what waits.
    fn decision_time(&mut self, at: i64, approver: usize) -> i64 {
        let looks_every = 45 * MINUTE;
        let at = if self.dice.happens(0.3) {
            at + 8 * SECOND + self.dice.wait(90_000.0) as i64
        } else {
            (at.div_euclid(looks_every) + 1) * looks_every + approver as i64 * MINUTE
        };
        self.company[approver].next_at_work(at)
    }

    /// Each approver decides one after another, some seconds for each.
    fn decide(&mut self, mut decisions: Vec<Decision>) {
        decisions.sort_by_key(|decision| (decision.planned, decision.request));
        let mut last = BTreeMap::<usize, i64>::new();
        for Decision { planned, approver, request, requester } in decisions {
            let pause = 6 * SECOND + self.dice.wait(30_000.0) as i64;
            let at = last.get(&approver).map_or(planned, |last| planned.max(last + pause));
            last.insert(approver, at);
            let (by, of) = (self.company[approver].clone(), self.company[requester].clone());
            if self.dice.happens(by.rejects) {
                self.of_request(at, EventType::ApprovalRejected, &by.id, request, &of.id);
                continue;
            }
            self.of_request(at, EventType::ApprovalGranted, &by.id, request, &of.id);
            let at = of.next_at_work(at + self.dice.between(MINUTE, 30 * MINUTE));
            self.of_request(at, EventType::ExecutionStarted, &of.id, request, &of.id);
            let ended = at + self.dice.between(SECOND, 10 * MINUTE);
            self.of_request(ended, EventType::ExecutionSucceeded, &of.id, request, &of.id);
        }
    }
}

/// A day after what is usual has been learned.
pub(crate) fn later_day(dice: &mut Dice) -> i64 {
    dice.between(45, DAYS - 2)
}

/// The last moment of traffic.
pub(crate) const END: i64 = BEGIN + (DAYS + 1) * DAY;
