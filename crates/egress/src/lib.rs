//! Calls of addresses that people have given: which of them may be called, and the client that calls no other.
#![warn(missing_docs)]
