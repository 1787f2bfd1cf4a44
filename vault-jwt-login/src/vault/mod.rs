//! Requests to Vault, its responses, and what they mean.

mod api_error;
pub mod client;
pub mod error;
pub mod flat_json;
pub mod login_refusal;
pub mod login_response;
pub mod revocation;
pub mod target;
pub mod token_self;
