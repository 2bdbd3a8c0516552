//! The pages. Each file has what its page asks of the API and what it makes of it; HTML is in `templates/`.

pub(crate) mod audit;
pub(crate) mod csv;
pub(crate) mod history;
pub(crate) mod inbox;
pub(crate) mod insights;
pub(crate) mod instances;
pub(crate) mod message;
pub(crate) mod new_request;
pub(crate) mod request;
pub(crate) mod requests;
pub(crate) mod review;
pub(crate) mod rows;
pub(crate) mod settings;
pub(crate) mod sign_in;
