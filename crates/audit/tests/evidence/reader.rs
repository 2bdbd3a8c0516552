//! The same by a program in another language, which knows docs/evidence.md and the published keys only.
