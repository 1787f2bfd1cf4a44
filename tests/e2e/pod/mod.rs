//! `vault-jwt-login`: logins, sidecars, real pods, and many pods at once.

mod leader_logins;
mod left_alive;
mod login;
mod manifests;
mod many_pods_start;
mod many_sidecars;
mod outages;
mod pods;
mod slow_crowd;
