//! The files that the program reads and writes.

pub mod existing_token;
pub mod jwt_claims;
pub mod jwt_file;
pub mod obstacle;
pub mod paths;
pub mod proc_status;
pub mod random;
pub mod token_file;
pub mod token_file_error;
