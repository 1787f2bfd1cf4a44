//! What a command reports while it runs (finished steps and warnings), and what it asks. The
//! renderer decides how they look.

use async_trait::async_trait;

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

pub trait Progress: Send + Sync {
    fn step(&self, step: Step);

    /// `done` of `of` parts of something long are done.
    fn advance(&self, _what: &str, _done: usize, _of: usize) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Yes,
    No,
    /// stdin is not a terminal.
    Nobody,
}

/// Asks before something is removed.
#[async_trait]
pub trait Confirm: Send + Sync {
    async fn confirm(&self, question: &str) -> Reply;
}

/// After this long in silence, a step says what is being waited for.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Waits for `work`, and says `what` is being done if it takes longer than a
/// second.
pub async fn patiently<T>(progress: &dyn Progress, what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => done,
        () = tokio::time::sleep(SILENCE) => {
            progress.step(Step::Doing(what.to_owned()));
            work.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Step>>);

    impl Progress for Heard {
        fn step(&self, step: Step) {
            self.0.lock().unwrap().push(step);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_long_waits_are_told() {
        for (takes, told) in [(900, vec![]), (1_100, vec![Step::Doing("reading".to_owned())])] {
            let heard = Heard::default();
            patiently(&heard, "reading", tokio::time::sleep(Duration::from_millis(takes))).await;
            assert_eq!(*heard.0.lock().unwrap(), told);
        }
    }
}
