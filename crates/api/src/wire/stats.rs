//! Figures of a range of days.

use countersign_app::figure_store::StoredFigures;
use countersign_figures::amounts::Amounts;
use countersign_figures::answers::Answers;
use countersign_figures::counts::Figure;
use countersign_figures::histogram::Histogram;
use countersign_figures::report::{GroupBy, GroupFigures, Report};
use serde::{Deserialize, Serialize};

/// Figures of a range of days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatsBody {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// What groups are told apart by.
    pub group_by: String,
    /// How many events of the audit log are in the figures.
    pub log_size: u64,
    /// Of all groups.
    pub totals: FiguresBody,
    /// Of each group, in the order of names.
    pub groups: Vec<GroupBody>,
    /// Who decided most, those first.
    pub busiest_approvers: Vec<ApproverBody>,
    /// Who took longest to decide, those first.
    #[serde(default)]
    pub slowest_approvers: Vec<SlowestBody>,
    /// The groups whose members took longest to approve, those first.
    #[serde(default)]
    pub slowest_groups: Vec<SlowestBody>,
}

/// The figures of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupBody {
    /// The day, person, operation, group or type of event.
    pub name: String,
    /// What is counted of it.
    pub figures: FiguresBody,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FiguresBody {
    /// Audit events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Requests that were made.
    pub total: u64,
    /// Requests that approvers approved.
    pub approved: u64,
    /// Requests that an approver rejected.
    pub rejected: u64,
    /// Requests whose deadline passed.
    pub expired: u64,
    /// Requests that were given up.
    pub cancelled: u64,
    /// Requests whose execution succeeded.
    pub executed: u64,
    /// Requests whose execution failed.
    pub failed: u64,
    /// Requests whose execution was silent for as long as its lease.
    pub unknown: u64,
    /// Requests that policy approved at once.
    pub auto_approved: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Approvals that were given.
    pub approvals_given: u64,
    /// Rejections that were given.
    pub rejections_given: u64,
    /// Rejected requests as a part of those that approvers decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_rate: Option<f64>,
    /// How long decisions took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_decision: Option<DurationsBody>,
    /// How long those who decided took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_answer: Option<AnswersBody>,
    /// What the requests that were made were estimated to cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<AmountsBody>,
    /// What executions that ended were reported to cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_cost: Option<AmountsBody>,
}

/// Durations in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationsBody {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub average_milliseconds: u64,
    /// The duration that half of them are not above, within 5 %.
    pub median_milliseconds: u64,
    /// The duration that 95 of 100 are not above, within 5 %.
    pub p95_milliseconds: u64,
}

/// How long persons took to decide, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswersBody {
    /// How many approvals and rejections there are.
    pub count: u64,
    /// Their mean.
    pub average_milliseconds: u64,
}

/// Amounts of money.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AmountsBody {
    /// How many there are.
    pub count: u64,
    /// All of them together.
    pub sum: f64,
}

/// A person or a group that took long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowestBody {
    /// Who.
    pub name: String,
    /// How long.
    pub time_to_answer: AnswersBody,
}

/// A person who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverBody {
    /// Who.
    pub person: String,
    /// How many approvals and rejections the person gave.
    pub decisions: u64,
}

impl StatsBody {
    /// What stored figures say of a range of days.
    pub fn of(figures: &StoredFigures, from: &str, to: &str, group_by: GroupBy) -> Self {
        let Report { totals, groups, busiest_approvers, slowest_approvers, slowest_groups } =
            Report::of(&figures.days, group_by);
        let group = |(name, figures)| GroupBody { name, figures: FiguresBody::from(&figures) };
        let approver = |(person, decisions)| ApproverBody { person, decisions };
        let slowest = |slowest: Vec<(String, Answers)>| {
            let bodies = slowest.into_iter().filter_map(|(name, answers)| {
                Some(SlowestBody { name, time_to_answer: AnswersBody::of(&answers)? })
            });
            bodies.collect()
        };
        let group_by: &str = group_by.into();
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            group_by: group_by.to_owned(),
            log_size: figures.size,
            totals: FiguresBody::from(&totals),
            groups: groups.into_iter().map(group).collect(),
            busiest_approvers: busiest_approvers.into_iter().map(approver).collect(),
            slowest_approvers: slowest(slowest_approvers),
            slowest_groups: slowest(slowest_groups),
        }
    }
}

impl From<&GroupFigures> for FiguresBody {
    fn from(figures: &GroupFigures) -> Self {
        let get = |figure| figures.counts.get(figure);
        Self {
            events: figures.events,
            total: get(Figure::Total),
            approved: get(Figure::Approved),
            rejected: get(Figure::Rejected),
            expired: get(Figure::Expired),
            cancelled: get(Figure::Cancelled),
            executed: get(Figure::Executed),
            failed: get(Figure::Failed),
            unknown: get(Figure::Unknown),
            auto_approved: get(Figure::AutoApproved),
            refused: get(Figure::Refused),
            approvals_given: get(Figure::ApprovalsGiven),
            rejections_given: get(Figure::RejectionsGiven),
            rejection_rate: figures.counts.rejection_rate(),
            time_to_decision: DurationsBody::of(&figures.time_to_decision),
            time_to_answer: AnswersBody::of(&figures.answers),
            estimated_cost: AmountsBody::of(&figures.costs.estimated),
            actual_cost: AmountsBody::of(&figures.costs.actual),
        }
    }
}

impl AnswersBody {
    fn of(answers: &Answers) -> Option<Self> {
        Some(Self { count: answers.count(), average_milliseconds: answers.average()? })
    }
}

impl AmountsBody {
    /// The sum as the nearest double, as all numbers of the API are.
    fn of(amounts: &Amounts) -> Option<Self> {
        Some(Self { count: amounts.count(), sum: amounts.sum()?.parse().ok()? })
    }
}

impl DurationsBody {
    fn of(durations: &Histogram) -> Option<Self> {
        Some(Self {
            count: durations.count(),
            average_milliseconds: durations.average()?,
            median_milliseconds: durations.quantile(50)?,
            p95_milliseconds: durations.quantile(95)?,
        })
    }
}
