//! What the program reads and writes in the file system.

pub mod obstacle;
