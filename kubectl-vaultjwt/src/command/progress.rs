//! Owns what a command tells while it works: steps that are done, and
//! warnings. How they look is the renderer's business.

/// Something that happened, in the words of the user's world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something takes longer than a blink.
    Doing(String),
    /// A step is done, or was done already.
    Done(String),
    /// Left out on purpose, with the reason.
    Skipped(String),
    /// Something the user should know.
    Warning(String),
    /// A decision, shown at `-v`.
    Detail(String),
}

/// Takes steps as they happen.
pub trait Progress: Send + Sync {
    /// One step.
    fn step(&self, step: Step);
}
