//! A cluster keeps its place on a mount: issuers that change, URLs that lag or fail,
//! other sources of keys. Each goes from the first error to a working login by the commands
//! that the errors name, while another cluster of the mount logs in every 50 ms.

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
