//! TTLs of tokens: when to renew, and when to retry.

pub mod renewal_schedule;
pub mod retry;
