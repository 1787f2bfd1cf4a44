//! The layout of help: which part comes where, and how wide it is. One help for `-h` and
//! `--help`, as kubectl has it.

/// The widest line. Examples are broken by hand to fit, so that they can be pasted.
pub const WIDTH: usize = 80;

/// The parts of a command's help: what it does, its flags, examples.
pub const COMMAND: &str = "{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// What the command is for that clap adds.
pub const HELP: &str = "Print the help of a command";
