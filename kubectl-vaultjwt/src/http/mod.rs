//! What every HTTP client of the plugin needs: why a request failed (`cause`), and how long
//! a server asks to wait (`retry_after`).

pub mod cause;
pub mod retry_after;
