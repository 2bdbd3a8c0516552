//! The pages. Each file has what its page asks of the API and what it makes of it; HTML is in `templates/`.

pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod request;
pub(crate) mod sign_in;
