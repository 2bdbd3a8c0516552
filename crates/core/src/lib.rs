//! The rules of Countersign, as values and functions of values.
//!
//! Everything that decides whether an operation may go ahead is here: the lifecycle
//! ([`decide`], [`request`]), what policy demands, who may act and who is who ([`policy`], [`slots`],
//! [`person`]), and the audit chain ([`audit`]). Nothing here reads a clock, a random
//! source, the environment, a file or a network: time and fresh ids are arguments.
//!
//! ```
//! use countersign_core::{caller::{Channel, PrincipalKind}, principal::Principal, command::{Command, Draft, Shown}, creation, decide::{self, Outcome},
//!     ids::{EventId, RequestId}, person::PersonId, request::{Request, Status}, command_context::CommandContext, text_key::TextKey, timestamp::Timestamp};
//!
//! let policy = countersign_policy::load::bundled()?;
//! let person = |email: &str, groups: &[&str]| PersonId::from_email(email)
//!     .map(|id| Principal::assumed(id, PrincipalKind::Human, Channel::Local, groups.iter().copied()));
//! let context = CommandContext { now: Timestamp::parse("2026-01-01T00:00:00.000Z")?, event_id: EventId::parse("01930000-0000-7000-8000-000000000001")?,
//!     execution_id: "0193aaaa-0000-7000-8000-000000000001".parse()?, text_key: TextKey::new([1; 16]) };
//!
//! let draft = Draft::new("modify_instance_class", "production-db-01", &serde_json::json!({"target": "db.r6g.xlarge"}),
//!     "production", "CPU is at 95 % since Monday")?;
//! let id = RequestId::parse("01930000-0000-7000-8000-0000000000aa")?;
//! let ann = person("ann@example.com", &["developer"])?;
//! let assessment = creation::assess(&draft, &ann, &policy);
//! let created = creation::create(id, draft, &assessment, &ann, &context, &policy, None)?;
//! let mut request = Request::create(&created)?;
//! assert_eq!((request.status, request.content.approvals_required), (Status::Pending, 2));
//!
//! let approve = Command::Approve { comment: None, shown: Shown::default() };
//! let bob = person("bob@example.com", &["approver"])?;
//! let Outcome::Event(granted) = decide::decide(&request, &approve, &bob, &context, &policy, None)? else { return Ok(()) };
//! request.apply(&granted);
//! assert_eq!((request.status, request.approvals_received()), (Status::Pending, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod command;
pub mod command_context;
pub mod content;
pub mod continuation;
pub mod creation;
pub mod decide;
pub mod event;
mod execute;
pub mod execution;
pub mod refusal;
pub mod request;
pub mod state;
pub mod status;

pub mod approvals;
pub mod arn;
pub mod caller;
pub mod explain;
pub mod hold;
pub mod look_alike;
pub mod open_decision;
pub mod period;
pub mod person;
pub mod policy;
pub mod principal;
pub mod requirements;
pub mod runbook;
pub mod slots;

pub mod audit;
pub mod cloud_event;
pub mod notification;
mod serialize;

pub mod canonical;
pub mod digest;
pub mod idempotency;
pub mod ids;
pub mod origin;
pub mod priority;
pub mod risk;
pub mod seal;
pub mod source_address;
pub mod text;
pub mod text_key;
pub mod timestamp;
