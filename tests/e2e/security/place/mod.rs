//! A cluster stays enrolled on a mount when its issuer changes, its issuer URL lags or fails, or
//! its keys come from another source. Each test goes from the first error to a working login with
//! the commands that the errors name, while another cluster of the mount logs in every 50 ms.

mod copies;
mod form;
mod lag;
mod moves;
mod operators;
mod own_roles;
mod replaced;
mod scene;
mod shared_url;
mod sources;
