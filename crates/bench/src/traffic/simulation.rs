//! A simulation: visits in the order of time, and the environments that their calls find or start.

use super::environments::{Environment, Environments, Lifetimes};
use super::layout::{DASHBOARD, Layout, Ready};
use super::visit::{Callee, Moment, Visit, Who, usual};
use countersign_api::operation::Operation;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How much later a call is answered whose environment has to be started, in milliseconds.
pub(crate) const COLD_START: u64 = 300;
/// What the dashboard does before its calls, and the way of these to their functions, in milliseconds.
const BEFORE_CALLS: u64 = 20;
/// What it does after them, in milliseconds.
const AFTER_CALLS: u64 = 10;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) layout: Layout,
    pub(crate) ready: Ready,
    pub(crate) lifetimes: Lifetimes,
}

/// How many visits somebody made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Visits {
    pub(crate) all: u64,
    /// Those in which at least one environment had to be started.
    pub(crate) delayed: u64,
    /// Those of them in which that happened twice, one after the other: the dashboard's, and one of its calls'.
    pub(crate) delayed_twice: u64,
}

/// What comes of a simulation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    /// Calls whose environment had to be started.
    pub(crate) cold_starts: u64,
    pub(crate) persons: Visits,
    pub(crate) programs: Visits,
}

/// What happens later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    /// A call is answered.
    GiveBack { function: &'static str, environment: Environment },
    /// The dashboard calls, for the page with this number.
    Call { page: u64, operation: Operation },
}

/// A page whose calls are not all answered.
#[derive(Debug)]
struct Page {
    who: Who,
    environment: Environment,
    is_cold: bool,
    is_a_call_cold: bool,
    open_calls: usize,
    answered_at: Moment,
}

#[derive(Debug)]
struct Simulation {
    setting: Setting,
    functions: BTreeMap<&'static str, Environments>,
    /// By time, and at one time in the order in which they came.
    queue: BinaryHeap<Reverse<(Moment, u64)>>,
    later: BTreeMap<u64, Later>,
    pages: BTreeMap<u64, Page>,
    count: u64,
    outcome: Outcome,
}

/// Simulates visits, which are in the order of time.
pub(crate) fn simulate(visits: &[Visit], setting: Setting) -> Outcome {
    let mut simulation = Simulation {
        setting,
        functions: BTreeMap::new(),
        queue: BinaryHeap::new(),
        later: BTreeMap::new(),
        pages: BTreeMap::new(),
        count: 0,
        outcome: Outcome::default(),
    };
    for visit in visits {
        // What is given back at this moment can be taken at this moment.
        simulation.go_on(visit.at);
        simulation.visit(*visit);
    }
    simulation.go_on(Moment::MAX);
    simulation.outcome
}

impl Simulation {
    fn go_on(&mut self, until: Moment) {
        while let Some(Reverse((now, number))) =
            self.queue.peek().copied().filter(|Reverse((at, _))| *at <= until)
        {
            self.queue.pop();
            match self.later.remove(&number) {
                Some(Later::GiveBack { function, environment }) => {
                    self.environments(function).give_back(environment, now)
                }
                Some(Later::Call { page, operation }) => self.call_for(page, operation, now),
                None => {}
            }
        }
    }

    fn visit(&mut self, visit: Visit) {
        let Visit { at, who, callee, takes } = visit;
        match callee {
            Callee::Operation(operation) => {
                let (_, is_cold) = self.call(self.setting.layout.function(operation), at, takes);
                self.count_visit(who, [is_cold, false]);
            }
            Callee::Function(function) => {
                // What is found and started for nobody is not counted.
                let Outcome { calls, cold_starts, .. } = self.outcome;
                self.call(function, at, takes);
                self.outcome = Outcome { calls, cold_starts, ..self.outcome };
            }
            Callee::Page(calls) => {
                let (environment, is_cold) = self.take(DASHBOARD, at);
                let calls_at = at + if is_cold { COLD_START } else { 0 } + BEFORE_CALLS;
                let number = self.number();
                let page = Page {
                    who,
                    environment,
                    is_cold,
                    is_a_call_cold: false,
                    open_calls: calls.len(),
                    answered_at: calls_at,
                };
                if calls.is_empty() {
                    return self.answer(&page);
                }
                self.pages.insert(number, page);
                for operation in calls {
                    self.put_off(calls_at, Later::Call { page: number, operation: *operation });
                }
            }
        }
    }

    /// The dashboard makes a call. With the last one it is known when the page is answered.
    fn call_for(&mut self, number: u64, operation: Operation, now: Moment) {
        let (answered_at, is_cold) =
            self.call(self.setting.layout.function(operation), now, usual(operation));
        let Some(page) = self.pages.get_mut(&number) else { return };
        page.is_a_call_cold |= is_cold;
        page.answered_at = page.answered_at.max(answered_at);
        page.open_calls -= 1;
        if page.open_calls == 0
            && let Some(page) = self.pages.remove(&number)
        {
            self.answer(&page);
        }
    }

    fn answer(&mut self, page: &Page) {
        let later = Later::GiveBack { function: DASHBOARD, environment: page.environment };
        self.put_off(page.answered_at + AFTER_CALLS, later);
        self.count_visit(page.who, [page.is_cold, page.is_a_call_cold]);
    }

    /// When a call is answered, and whether its environment had to be started.
    fn call(&mut self, function: &'static str, now: Moment, takes: u64) -> (Moment, bool) {
        let (environment, is_cold) = self.take(function, now);
        let answered_at = now + if is_cold { COLD_START } else { 0 } + takes;
        self.put_off(answered_at, Later::GiveBack { function, environment });
        (answered_at, is_cold)
    }

    fn take(&mut self, function: &'static str, now: Moment) -> (Environment, bool) {
        let (environment, is_cold) = self.environments(function).take(now);
        self.outcome.calls += 1;
        self.outcome.cold_starts += u64::from(is_cold);
        (environment, is_cold)
    }

    fn environments(&mut self, function: &'static str) -> &mut Environments {
        let Setting { layout, ready, lifetimes } = self.setting;
        let new = || Environments::new(lifetimes, ready.count(layout, function));
        self.functions.entry(function).or_insert_with(new)
    }

    fn count_visit(&mut self, who: Who, cold: [bool; 2]) {
        let visits = match who {
            Who::Person => &mut self.outcome.persons,
            Who::Program => &mut self.outcome.programs,
            Who::Waiting => return,
        };
        visits.all += 1;
        visits.delayed += u64::from(cold.contains(&true));
        visits.delayed_twice += u64::from(cold == [true, true]);
    }

    fn put_off(&mut self, until: Moment, later: Later) {
        let number = self.number();
        self.later.insert(number, later);
        self.queue.push(Reverse((until, number)));
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes { idle: 600_000, whole: 7_200_000 };
    const REQUEST: &[Operation] = &[Operation::Get, Operation::Explain, Operation::Events];

    fn outcome(layout: Layout, ready: Ready, visits: &[Visit]) -> Outcome {
        simulate(visits, Setting { layout, ready, lifetimes: LIFETIMES })
    }

    #[test]
    fn calls_of_one_function_that_do_not_overlap_start_it_once() {
        let visits = [0, 1000, 2000].map(|at| Visit::operation(at, Who::Person, Operation::Get));
        let outcome = outcome(Layout::OneEach, Ready::Nowhere, &visits);
        let persons = Visits { all: 3, delayed: 1, delayed_twice: 0 };
        assert_eq!(outcome, Outcome { calls: 3, cold_starts: 1, persons, programs: Visits::default() });
    }

    #[test]
    fn two_calls_that_overlap_start_two_environments() {
        let visits = [0, 100, 1000, 1010].map(|at| Visit::operation(at, Who::Program, Operation::Get));
        let outcome = outcome(Layout::OneForAll, Ready::Nowhere, &visits);
        assert_eq!((outcome.cold_starts, outcome.programs.delayed, outcome.persons.all), (2, 2, 0));
    }

    #[test]
    fn operations_of_one_function_keep_it_warm_for_each_other() {
        let operations = [Operation::Create, Operation::Get, Operation::Approve, Operation::List];
        let visits: Vec<Visit> = operations
            .into_iter()
            .zip(0..)
            .map(|(operation, place)| Visit::operation(place * 1000, Who::Person, operation))
            .collect();
        let cold = Layout::ALL.map(|layout| outcome(layout, Ready::Nowhere, &visits).cold_starts);
        assert_eq!(cold, [4, 3, 3, 2, 1]);
    }

    #[test]
    fn the_calls_of_a_page_overlap_in_every_layout() {
        let visits = [0, 10_000].map(|at| Visit::page(at, REQUEST));
        for layout in Layout::ALL {
            let outcome = outcome(layout, Ready::Nowhere, &visits);
            // The first page starts the dashboard, and then three environments at once; the second finds all of them.
            assert_eq!((outcome.calls, outcome.cold_starts), (8, 4), "{layout:?}");
            assert_eq!(outcome.persons, Visits { all: 2, delayed: 1, delayed_twice: 1 });
        }
        let cold =
            [1, 3].map(|count| outcome(Layout::OneForReads, Ready::ForPages(count), &visits).cold_starts);
        assert_eq!(cold, [2, 0], "one function for reads needs three of them for one page");
        assert_eq!(outcome(Layout::OneEach, Ready::ForPages(1), &visits).cold_starts, 0);
    }

    #[test]
    fn the_dashboard_is_busy_until_its_calls_are_answered() {
        // Two pages at once: the second one's dashboard is another environment, for the first waits for a cold call.
        let visits = [Visit::page(0, &[Operation::List]), Visit::page(400, &[Operation::List])];
        let outcome = outcome(Layout::OneEach, Ready::Nowhere, &visits);
        assert_eq!(
            outcome.cold_starts, 3,
            "two of the dashboard; the second finds the list that the first has started"
        );
    }

    #[test]
    fn a_schedule_keeps_an_environment_warm_and_counts_for_nothing() {
        let calls = (0..10).map(|place| Visit::schedule(place * 300_000, "get"));
        let visits: Vec<Visit> =
            calls.chain([Visit::operation(2_900_000, Who::Person, Operation::Get)]).collect();
        let outcome = outcome(Layout::OneEach, Ready::Called, &visits);
        let persons = Visits { all: 1, delayed: 0, delayed_twice: 0 };
        assert_eq!(outcome, Outcome { calls: 1, cold_starts: 0, persons, programs: Visits::default() });
    }

    #[test]
    fn a_call_that_waits_holds_its_environment_and_delays_nobody() {
        let poll = Visit { takes: 10_000, ..Visit::operation(0, Who::Waiting, Operation::Get) };
        let visits = [poll, Visit::operation(5000, Who::Person, Operation::Get)];
        let outcome = outcome(Layout::OneEach, Ready::Nowhere, &visits);
        assert_eq!((outcome.calls, outcome.cold_starts), (2, 2));
        assert_eq!(outcome.persons, Visits { all: 1, delayed: 1, delayed_twice: 0 });
    }
}
