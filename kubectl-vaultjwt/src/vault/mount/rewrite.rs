//! Changes a mount's configuration beside other writers. Vault has no compare-and-set here:
//! the last write wins, silently. So the change is planned again on the current
//! configuration, written at once, and verified until there was no other write for as long
//! as a write can lag behind its read.
//!
//! Then it is written once more. A login reads the configuration, then the role, then gets
//! the validator that checks signatures. The validator is made of the configuration that
//! this login has read, and is cached for all logins (`path_login.go`, `backend.go` of
//! Vault's JWT plugin 0.25, and the same in OpenBao 2.7). If a write falls between the two,
//! logins are still validated against the previous keys until the next write, although a
//! read of the configuration returns the new ones. No login is that old when the same is
//! written again.
//!
//! What it cannot catch is a write that is delayed for longer than the wait; the next run
//! fixes that.

use crate::vault::mount::config::{MountSnapshot, differing};
use crate::vault::{Document, Vault, VaultError};
use jiff::Timestamp;
use shared::mount::MountPath;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest time from sending the read to sending the write that was planned on it. If it takes
/// longer, another write may lie between.
const READ_TO_WRITE: Duration = Duration::from_millis(500);
/// After so many reads that were slower, Vault is too slow for this.
const SLOW_READS: u32 = 5;
/// Half the longest pause after the first of them, in milliseconds; each next
/// pause is twice as long.
const SLOW_PAUSE: u64 = 250;
/// Wait from a write to its verification, shortest and longest, in milliseconds. More than
/// twice [`READ_TO_WRITE`]: others that read before it are done.
const SETTLE: std::ops::RangeInclusive<u64> = 1_000..=1_600;
/// The longest `Retry-After` of a refused write that is waited for here.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Writes of one run that were not there afterwards, or failed.
const ROUNDS: u32 = 20;
/// Most verifications of one run. Where others write all the time, what was there in every read
/// of a minute is taken to stay.
const LOOKS: u32 = 60;

pub struct PlannedConfig {
    pub document: Document,
    pub write: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("a change of \"{mount}/\" could not be planned within {} ms of its read, {SLOW_READS} times: Vault, or this machine, is too slow", READ_TO_WRITE.as_millis())]
    Slow { mount: MountPath },
    #[error(
        "the configuration of \"{mount}/\" does not stay as it is written ({ROUNDS} times): somebody else writes it too"
    )]
    Contended { mount: MountPath },
}

impl RewriteError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(error) => error.hint(),
            Self::Slow { .. } => Some("look at the load of both, then run the command again".to_owned()),
            Self::Contended { .. } => {
                Some("find the other writer (Terraform, an operator), then run the command again".to_owned())
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rewritten {
    /// What the last write was planned on; `None` where nothing was configured.
    pub before: Option<Document>,
    /// The configuration that was read, or was written and is not verified yet.
    pub after: Document,
}

/// One change of one mount's configuration.
pub struct ConfigWriter<'a> {
    vault: &'a dyn Vault,
    mount: &'a MountPath,
    rounds: u32,
    written: Option<Instant>,
    /// What stood there before the first write was sent.
    before: Option<Option<Document>>,
    now: Option<Timestamp>,
    local_now: Timestamp,
}

/// Makes a plan for the current configuration.
pub type Planner<'p, E> = &'p (dyn Fn(MountSnapshot<'_>) -> Result<PlannedConfig, E> + Sync);

impl<'a> ConfigWriter<'a> {
    /// Prepares a change; nothing is sent. `local_now` counts where Vault
    /// does not send its own time.
    pub fn new(vault: &'a dyn Vault, mount: &'a MountPath, local_now: Timestamp) -> Self {
        Self { vault, mount, rounds: 0, written: None, before: None, now: None, local_now }
    }

    /// The time that all plans of this change have.
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or(self.local_now)
    }

    /// Reads the configuration and plans on it: when the read was sent, what it found, and the
    /// plan. All plans of one change have one time: else a grace that ends between two reads
    /// would look like another writer's change.
    async fn read_and_plan<E: From<RewriteError>>(
        &mut self,
        plan: Planner<'_, E>,
    ) -> Result<(Instant, Option<Document>, PlannedConfig), E> {
        let sent = Instant::now();
        let found = self.vault.read_config(self.mount).await.map_err(RewriteError::from)?;
        let now = *self.now.get_or_insert(found.date.unwrap_or(self.local_now));
        let wanted = plan(MountSnapshot { document: found.document.as_ref(), now })?;
        Ok((sent, found.document, wanted))
    }

    /// Reads, plans and writes, until a write was answered or none is needed.
    /// The caller may do other things before it calls [`ConfigWriter::wait_until_stable`].
    pub async fn write<E: From<RewriteError>>(&mut self, plan: Planner<'_, E>) -> Result<Rewritten, E> {
        let mut slow = 0;
        loop {
            let (sent, found, wanted) = self.read_and_plan(plan).await?;
            if !wanted.write {
                return Ok(Rewritten { before: self.before.clone().unwrap_or(found), after: wanted.document });
            }
            if sent.elapsed() > READ_TO_WRITE {
                slow += 1;
                if slow == SLOW_READS {
                    return Err(RewriteError::Slow { mount: self.mount.clone() }.into());
                }
                // A busy server is not retried at once.
                let most = SLOW_PAUSE << slow;
                sleep(Duration::from_millis(rand::random_range(most / 2..=most))).await;
                continue;
            }
            self.rounds += 1;
            let before = self.before.get_or_insert(found).clone();
            let answer = self.vault.write_config(self.mount, &wanted.document).await;
            // Answered or not: it may have been written, and is verified.
            self.written = Some(Instant::now());
            match answer {
                Ok(()) => return Ok(Rewritten { before, after: wanted.document }),
                // Failed or unanswered: it may have been done all the same, so back to the read.
                Err(error) => {
                    let asked = error.refusal().and_then(|refused| refused.retry_after).unwrap_or_default();
                    if !may_pass(&error) || self.rounds >= ROUNDS || asked > LONGEST_PAUSE {
                        return Err(RewriteError::from(error).into());
                    }
                    let pause = Duration::from_millis(rand::random_range(100..=500));
                    sleep(pause.max(asked)).await;
                }
            }
        }
    }

    /// Waits until other writers are done, reads, and writes again where the plan is not what
    /// is stored. It is done when there was no other write for a whole wait: until then, lists
    /// that were planned on an earlier read can still be written, and each of them causes
    /// another write. The result is then written once more, for the logins; where there was
    /// nothing before, no login can have read it. If nothing was written, it does not wait.
    pub async fn wait_until_stable<E: From<RewriteError>>(
        &mut self,
        plan: Planner<'_, E>,
        mut last: Rewritten,
    ) -> Result<Rewritten, E> {
        let Some(mut since) = self.written.take() else { return Ok(last) };
        for _ in 0..LOOKS {
            let wait = Duration::from_millis(rand::random_range(SETTLE));
            tokio::time::sleep_until(since + wait).await;
            let (sent, found, wanted) = self.read_and_plan(plan).await?;
            if wanted.write {
                if self.rounds >= ROUNDS {
                    return Err(RewriteError::Contended { mount: self.mount.clone() }.into());
                }
                last.after = self.write(plan).await?.after;
            } else {
                let found = found.unwrap_or(wanted.document);
                let quiet = differing(&found, &last.after).is_empty();
                last.after = found;
                if quiet && (last.before.is_none() || self.write_again(&last.after, sent).await?) {
                    break;
                }
            }
            since = self.written.take().unwrap_or_else(Instant::now);
        }
        Ok(last)
    }

    /// Writes the same configuration once more, for the logins (see above); `false`
    /// where nothing is configured, or the plan now wants something else. The
    /// plan's own refusals hold here too: not every configuration may be written.
    pub async fn rewrite<E: From<RewriteError>>(&mut self, plan: Planner<'_, E>) -> Result<bool, E> {
        for _ in 0..SLOW_READS {
            let (sent, found, wanted) = self.read_and_plan(plan).await?;
            let Some(standing) = found.filter(|_| !wanted.write) else { return Ok(false) };
            if self.write_again(&standing, sent).await? {
                return Ok(true);
            }
            sleep(Duration::from_millis(rand::random_range(SLOW_PAUSE..=4 * SLOW_PAUSE))).await;
        }
        Err(RewriteError::Slow { mount: self.mount.clone() }.into())
    }

    /// Writes what was read, if that was not too long ago; whether it was done.
    async fn write_again(&mut self, standing: &Document, sent: Instant) -> Result<bool, RewriteError> {
        if sent.elapsed() > READ_TO_WRITE {
            return Ok(false);
        }
        self.rounds += 1;
        let answer = self.vault.write_config(self.mount, standing).await;
        self.written = Some(Instant::now());
        match answer {
            Ok(()) => Ok(true),
            Err(error) if may_pass(&error) && self.rounds < ROUNDS => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the same write can succeed a moment later. OpenBao answers 500 (`transaction commit
/// failed`) to concurrent writers.
fn may_pass(error: &VaultError) -> bool {
    match error {
        VaultError::Refused(refused) => matches!(refused.status, 412 | 429 | 500 | 502..=599),
        VaultError::Unreachable { .. } | VaultError::NoAnswer { .. } | VaultError::Timeout { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
