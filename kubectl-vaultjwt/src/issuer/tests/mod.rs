//! Tests of what several files of `issuer` do together, and the fakes of its ports.

mod cloud;
pub mod fakes;
