//! What agents are answered: where a request stands, why a call does not go on, and what to do next. No I/O, no clock.
