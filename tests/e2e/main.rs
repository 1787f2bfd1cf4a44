//! End-to-end tests: the programs as they are shipped, against real servers.
//! Each test that speaks to Vault runs against Vault and against OpenBao.

mod by_the_clock;
mod interface;
mod plugin;
mod pod;
mod providers;
mod security;
mod sharing;
mod support;
