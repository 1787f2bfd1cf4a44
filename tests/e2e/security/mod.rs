//! Which clusters and keys a mount accepts, and that no secret gets out.

mod forgery;
mod hostile;
mod place;
mod secrets;
mod trust;
