//! Persons of a made-up company: when they work, what they ask for, whose requests they decide.

use crate::dice::Dice;
use crate::events::{BEGIN, DAY, HOUR, MINUTE, person};
use countersign_core::person::PersonId;

pub(crate) const DAYS: i64 = 90;
pub(crate) const PERSONS: usize = 40;
const TEAMS: usize = 7;
/// Offsets of the teams from UTC, in minutes.
const ZONES: [i64; TEAMS] = [-480, -300, 0, 60, 60, 330, 540];
/// The day from which clocks are an hour ahead, where they ever are.
const SUMMER_BEGINS: i64 = 60;
/// Days on which nobody works.
const PUBLIC_HOLIDAYS: [i64; 3] = [14, 42, 84];

/// One person of the company.
#[derive(Debug, Clone)]
pub(crate) struct Colleague {
    pub(crate) id: PersonId,
    pub(crate) team: usize,
    /// How many requests on a working day.
    pub(crate) requests_a_day: f64,
    pub(crate) is_approver: bool,
    /// How likely a request is rejected.
    pub(crate) rejects: f64,
    /// How often this approver is chosen, compared with others.
    pub(crate) diligence: f64,
    /// The first minute of a working day, local time, and how long it is.
    begins: i64,
    minutes: i64,
    /// The first day of two weeks of holidays.
    holiday: i64,
    /// Long days: until when in minutes after the usual end.
    overtime: Vec<(i64, i64)>,
    /// Saturdays and Sundays that are worked.
    weekends: Vec<i64>,
    zone: i64,
    has_summer_time: bool,
}

impl Colleague {
    /// When the working day begins and ends, in milliseconds, if it is one.
    pub(crate) fn working_day(&self, day: i64) -> Option<(i64, i64)> {
        let is_weekend = day.rem_euclid(7) >= 5;
        let is_away = (self.holiday..self.holiday + 14).contains(&day) || PUBLIC_HOLIDAYS.contains(&day);
        if is_away || (is_weekend && !self.weekends.contains(&day)) {
            return None;
        }
        let longer = self.overtime.iter().find(|(long, _)| *long == day).map_or(0, |(_, longer)| *longer);
        let summer = if self.has_summer_time && day >= SUMMER_BEGINS { 60 } else { 0 };
        let begin = BEGIN + day * DAY + (self.begins - self.zone - summer) * MINUTE;
        Some((begin, begin + (self.minutes + longer) * MINUTE))
    }

    /// The first time at which this person works, from a time on.
    pub(crate) fn next_at_work(&self, at: i64) -> i64 {
        let today = (at - BEGIN).div_euclid(DAY);
        let windows = (today - 1..today + 40).filter_map(|day| self.working_day(day));
        windows.filter(|(_, end)| at < *end).map(|(begin, _)| begin.max(at)).min().unwrap_or(at)
    }

    /// A time in the middle of the night of a day, local time.
    pub(crate) fn night(&self, day: i64, dice: &mut Dice) -> i64 {
        let asleep = self.begins - self.zone - 6 * 60 + dice.between(0, 60);
        BEGIN + day * DAY + asleep * MINUTE
    }
}

/// The persons of the company.
pub(crate) fn company(dice: &mut Dice) -> Vec<Colleague> {
    (0..PERSONS)
        .map(|number| {
            let team = number % TEAMS;
            let overtime = (0..DAYS).filter_map(|day| {
                let longer = dice.happens(0.04).then(|| dice.between(30, 180))?;
                Some((day, longer))
            });
            let overtime = overtime.collect();
            let weekends = (0..DAYS).filter(|_| dice.happens(0.03)).collect();
            Colleague {
                id: person(&format!("person-{number}")),
                team,
                requests_a_day: 0.5 + 4.5 * dice.part(),
                is_approver: number / TEAMS < 4,
                rejects: 0.04 + 0.08 * dice.part(),
                diligence: 0.5 + dice.part(),
                begins: dice.between(7 * 60 + 30, 10 * 60),
                minutes: dice.between(8 * 60, 10 * 60),
                holiday: dice.between(10, DAYS),
                overtime,
                weekends,
                zone: ZONES[team],
                has_summer_time: (0..=60).contains(&ZONES[team]) || ZONES[team] < 0,
            }
        })
        .collect()
}

/// A time in the morning of a working day at which a team deploys.
pub(crate) fn deploy_time(colleague: &Colleague, day: i64) -> Option<i64> {
    let is_deploy_day = [1, 3].contains(&day.rem_euclid(7));
    colleague.working_day(day).filter(|_| is_deploy_day).map(|(begin, _)| begin + 2 * HOUR)
}
