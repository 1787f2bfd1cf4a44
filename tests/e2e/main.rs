//! End-to-end tests: the programs as they are shipped, against real servers.
//! Each test that speaks to Vault runs against Vault and against OpenBao.

mod bad_input;
mod cases;
mod chain;
mod commands;
mod fleet;
mod hostile;
mod issuer;
mod killed;
mod load;
mod login;
mod marks;
mod race;
mod remove;
mod rig;
mod setup;
mod status;
mod storage;
mod sync;
mod texts;
mod trust;
mod two;
mod watch;
mod watch_outages;
mod watch_rotation;
mod watch_token;
mod watching;
