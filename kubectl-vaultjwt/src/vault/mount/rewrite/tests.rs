//! Concurrent writers, on a Vault in memory whose answers take as long as the test says.
//! Time is simulated.

use super::*;
use crate::vault::refusal::Refused;
use crate::vault::{Config, LoginResult, Vault};
use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use shared::Secret;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

#[derive(Default)]
struct FakeMount {
    keys: Mutex<Option<Vec<String>>>,
    /// Milliseconds that each read takes, in turn; 5 afterwards.
    slow: Mutex<Vec<u64>>,
    /// Milliseconds that each write takes to arrive, in turn; 5 afterwards.
    late: Mutex<Vec<u64>>,
    /// How many writes are answered with 500 before one is done.
    failing: AtomicU32,
    /// How long such an answer asks to be left alone.
    busy: Option<Duration>,
    /// Whether a write that is answered with 500 is done all the same.
    done_all_the_same: bool,
    reads: AtomicU32,
    writes: AtomicU32,
}

fn next(queue: &Mutex<Vec<u64>>) -> Duration {
    let mut queue = queue.lock().unwrap();
    Duration::from_millis(if queue.is_empty() { 5 } else { queue.remove(0) })
}

fn refused(status: u16) -> VaultError {
    VaultError::Refused(Box::new(Refused {
        method: "POST".into(),
        path: "auth/jwt/config".into(),
        status,
        errors: vec!["1 error occurred:\n\t* transaction commit failed\n\n".into()],
        address: "https://v".into(),
        namespace: None,
        retry_after: None,
    }))
}

#[async_trait]
impl Vault for FakeMount {
    fn address(&self) -> &str {
        "https://v"
    }
    fn namespace(&self) -> Option<&str> {
        None
    }
    async fn auth_mounts(&self) -> Result<BTreeMap<String, String>, VaultError> {
        Ok(BTreeMap::new())
    }
    async fn enable_jwt(&self, _: &MountPath) -> Result<(), VaultError> {
        Ok(())
    }
    async fn read_config(&self, _: &MountPath) -> Result<Config, VaultError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // What was there when the answer was made, which then takes its time.
        let keys = self.keys.lock().unwrap().clone();
        sleep(next(&self.slow)).await;
        // A second later each time, as Vault's clock has it.
        let date = Some(Timestamp::from_second(1_000 + i64::from(self.reads.load(Ordering::Relaxed))).unwrap());
        Ok(Config { document: keys.map(|keys| document(&keys)), date })
    }
    async fn write_config(&self, _: &MountPath, config: &Document) -> Result<(), VaultError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        sleep(next(&self.late)).await;
        if self.failing.load(Ordering::Relaxed) > 0 {
            self.failing.fetch_sub(1, Ordering::Relaxed);
            if self.done_all_the_same {
                *self.keys.lock().unwrap() = Some(of(config));
            }
            return Err(match (refused(500), self.busy) {
                (VaultError::Refused(no), busy @ Some(_)) => {
                    VaultError::Refused(Box::new(Refused { status: 429, retry_after: busy, ..*no }))
                }
                (no, _) => no,
            });
        }
        *self.keys.lock().unwrap() = Some(of(config));
        Ok(())
    }
    async fn read_role(&self, _: &MountPath, _: &str) -> Result<Option<Document>, VaultError> {
        Ok(None)
    }
    async fn list_roles(&self, _: &MountPath) -> Result<Vec<String>, VaultError> {
        Ok(Vec::new())
    }
    async fn list_cel_roles(&self, _: &MountPath) -> Result<Vec<String>, VaultError> {
        Ok(Vec::new())
    }
    async fn delete_role(&self, _: &MountPath, _: &str) -> Result<(), VaultError> {
        Ok(())
    }
    async fn write_role(&self, _: &MountPath, _: &str, _: &Document) -> Result<(), VaultError> {
        Ok(())
    }
    async fn policy_exists(&self, _: &str) -> Result<bool, VaultError> {
        Ok(true)
    }
    async fn capabilities(&self, _: &[String]) -> Result<BTreeMap<String, Vec<String>>, VaultError> {
        Ok(BTreeMap::new())
    }
    async fn login(&self, _: &MountPath, _: &str, _: &Secret) -> Result<LoginResult, VaultError> {
        Err(refused(400))
    }
    async fn revoke(&self, _: &Secret) -> Result<(), VaultError> {
        Ok(())
    }
}

fn document(keys: &[String]) -> Document {
    json!({ "keys": keys }).as_object().cloned().unwrap()
}

fn of(document: &Document) -> Vec<String> {
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|k| k.as_str().unwrap().to_owned()).collect()
}

/// A plan that wants `key` beside whatever is on the mount.
fn wants(key: &str) -> impl Fn(MountSnapshot<'_>) -> Result<PlannedConfig, RewriteError> + Send + Sync + use<> {
    let key = key.to_owned();
    move |standing| {
        let mut keys = standing.document.map(of).unwrap_or_default();
        let write = !keys.contains(&key);
        if write {
            keys.push(key.clone());
        }
        Ok(PlannedConfig { document: document(&keys), write })
    }
}

async fn whole(vault: &FakeMount, key: &str) -> Result<Rewritten, RewriteError> {
    let mount = MountPath::parse("jwt").unwrap();
    let plan = wants(key);
    let mut rewrite = ConfigWriter::new(vault, &mount, Timestamp::UNIX_EPOCH);
    let put = rewrite.write(&plan).await?;
    rewrite.wait_until_stable(&plan, put).await
}

fn sorted(vault: &FakeMount) -> Vec<String> {
    let mut keys = vault.keys.lock().unwrap().clone().unwrap_or_default();
    keys.sort();
    keys
}

#[tokio::test(start_paused = true)]
async fn alone_it_is_one_write_between_two_reads() {
    let vault = FakeMount::default();
    let start = Instant::now();
    let done = whole(&vault, "a").await.unwrap();
    assert_eq!((done.before, of(&done.after)), (None, vec!["a".to_owned()]));
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (2, 1));
    let took = start.elapsed().as_millis();
    assert!((1_000..=1_700).contains(&took), "{took}");
}

/// A login that has read what was there before the write keeps it for all
/// others; after the second write there is none that old.
#[tokio::test(start_paused = true)]
async fn what_was_there_before_is_replaced_twice_a_wait_apart() {
    let vault = FakeMount { keys: Mutex::new(Some(vec!["theirs".into()])), ..FakeMount::default() };
    let start = Instant::now();
    let second = async {
        while vault.writes.load(Ordering::Relaxed) < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        start.elapsed().as_millis()
    };
    let (done, second) = tokio::join!(whole(&vault, "a"), second);
    assert_eq!(of(&done.unwrap().after), ["theirs", "a"]);
    assert!((1_000..=1_700).contains(&second), "{second}");
    assert_eq!(sorted(&vault), ["a", "theirs"]);
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_second_write_is_of_a_fresh_look_and_may_fail_for_a_moment() {
    let theirs = || Mutex::new(Some(vec!["theirs".to_owned()]));
    // The look takes too long: another follows.
    let vault = FakeMount { keys: theirs(), slow: Mutex::new(vec![5, 501]), ..FakeMount::default() };
    whole(&vault, "a").await.unwrap();
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (3, 2));
    let vault = FakeMount { keys: theirs(), ..FakeMount::default() };
    let mount = MountPath::parse("jwt").unwrap();
    let plan = wants("a");
    let mut rewrite = ConfigWriter::new(&vault, &mount, Timestamp::UNIX_EPOCH);
    let put = rewrite.write::<RewriteError>(&plan).await.unwrap();
    vault.failing.store(1, Ordering::Relaxed);
    rewrite.wait_until_stable::<RewriteError>(&plan, put).await.unwrap();
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_stands_there_can_be_written_again() {
    let mount = MountPath::parse("jwt").unwrap();
    let again = async |vault: &FakeMount| {
        ConfigWriter::new(vault, &mount, Timestamp::UNIX_EPOCH).rewrite::<RewriteError>(&wants("theirs")).await
    };
    let vault = FakeMount {
        keys: Mutex::new(Some(vec!["theirs".into()])),
        slow: Mutex::new(vec![501]),
        ..FakeMount::default()
    };
    assert!(again(&vault).await.unwrap());
    assert_eq!(sorted(&vault), ["theirs"]);
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (2, 1));
    // Another writer removed it, which is a change to be planned.
    let other = FakeMount { keys: Mutex::new(Some(vec!["other".into()])), ..FakeMount::default() };
    assert!(!again(&other).await.unwrap());
    assert_eq!(other.writes.into_inner(), 0);
    // There is nothing to write again.
    let nothing = FakeMount::default();
    assert!(!again(&nothing).await.unwrap());
    assert_eq!(nothing.writes.into_inner(), 0);
    let slow = FakeMount {
        keys: Mutex::new(Some(vec!["theirs".into()])),
        slow: Mutex::new(vec![501; 5]),
        ..FakeMount::default()
    };
    assert!(matches!(again(&slow).await, Err(RewriteError::Slow { .. })));
    assert_eq!(slow.writes.into_inner(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_changes_nothing_is_written_or_awaited() {
    let vault = FakeMount { keys: Mutex::new(Some(vec!["a".into()])), ..FakeMount::default() };
    let start = Instant::now();
    whole(&vault, "a").await.unwrap();
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (1, 0));
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn vault_that_asks_for_it_is_left_alone() {
    let vault = |seconds| FakeMount {
        failing: AtomicU32::new(2),
        busy: Some(Duration::from_secs(seconds)),
        ..FakeMount::default()
    };
    let (start, busy) = (Instant::now(), vault(10));
    whole(&busy, "a").await.unwrap();
    assert!((20_000..25_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(busy.writes.into_inner(), 3);
    // A person is told; a watcher retries later.
    let very_busy = vault(11);
    let error = whole(&very_busy, "a").await.unwrap_err();
    assert!(matches!(error, RewriteError::Vault(VaultError::Refused(no)) if no.status == 429));
    assert_eq!(very_busy.writes.into_inner(), 1);
}

/// Twelve writers at once, each with a key of its own: the keys at the end.
async fn twelve(vault: FakeMount, looking_again: bool) -> Vec<String> {
    let vault = Arc::new(vault);
    let mut all = JoinSet::new();
    for n in 0..12 {
        let vault = Arc::clone(&vault);
        all.spawn(async move {
            let key = format!("k{n:02}");
            if looking_again {
                whole(&vault, &key).await.map(drop)
            } else {
                let mount = MountPath::parse("jwt").unwrap();
                ConfigWriter::new(&*vault, &mount, Timestamp::UNIX_EPOCH).write(&wants(&key)).await.map(drop)
            }
        });
    }
    all.join_all().await.into_iter().for_each(|done| done.unwrap());
    sorted(&vault)
}

#[tokio::test(start_paused = true)]
async fn writers_at_once_lose_nothing() {
    let all: Vec<String> = (0..12).map(|n| format!("k{n:02}")).collect();
    assert_eq!(twelve(FakeMount { failing: AtomicU32::new(3), ..FakeMount::default() }, true).await, all);
    // Void if they would not lose any without looking again.
    assert!(twelve(FakeMount::default(), false).await.len() < 12);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_not_written_upon() {
    let vault = FakeMount { slow: Mutex::new(vec![501, 501]), ..FakeMount::default() };
    whole(&vault, "a").await.unwrap();
    assert_eq!((vault.reads.into_inner(), vault.writes.into_inner()), (4, 1));
    let vault = FakeMount { slow: Mutex::new(vec![600; 5]), ..FakeMount::default() };
    let error = whole(&vault, "a").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a change of \"jwt/\" could not be planned within 500 ms of its read, 5 times: Vault, or this machine, is too slow"
    );
    assert_eq!(vault.writes.into_inner(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_goes_back_to_the_read() {
    let vault = FakeMount { failing: AtomicU32::new(2), ..FakeMount::default() };
    whole(&vault, "a").await.unwrap();
    assert_eq!((vault.reads.load(Ordering::Relaxed), vault.writes.load(Ordering::Relaxed)), (4, 3));
    let vault = FakeMount { failing: AtomicU32::new(1_000), ..FakeMount::default() };
    let error = whole(&vault, "a").await.unwrap_err();
    assert!(error.to_string().contains("transaction commit failed"), "{error}");
    assert_eq!(vault.writes.into_inner(), ROUNDS);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_undoes_every_write_is_named() {
    let vault = FakeMount::default();
    let undo = async {
        loop {
            sleep(Duration::from_millis(300)).await;
            *vault.keys.lock().unwrap() = Some(vec!["theirs".to_owned()]);
        }
    };
    let error = tokio::select! {
        () = undo => None,
        done = whole(&vault, "a") => done.err(),
    };
    assert_eq!(
        error.map(|e| e.to_string()).as_deref(),
        Some("the configuration of \"jwt/\" does not stay as it is written (20 times): somebody else writes it too")
    );
}

#[tokio::test(start_paused = true)]
async fn all_plans_of_one_change_have_the_time_of_the_first_read() {
    let vault = FakeMount { failing: AtomicU32::new(2), ..FakeMount::default() };
    let times = Mutex::new(Vec::new());
    let plan = |standing: MountSnapshot<'_>| {
        times.lock().unwrap().push(standing.now.as_second());
        wants("a")(standing)
    };
    let mount = MountPath::parse("jwt").unwrap();
    let mut rewrite = ConfigWriter::new(&vault, &mount, Timestamp::UNIX_EPOCH);
    let put = rewrite.write::<RewriteError>(&plan).await.unwrap();
    rewrite.wait_until_stable::<RewriteError>(&plan, put).await.unwrap();
    assert_eq!(times.into_inner().unwrap(), [1_001; 4]);
}

/// Many writers whose answers take up to 400 ms. What each reads is outdated when it writes,
/// and so two lists coexist for a while, each with keys that the other lacks: a writer that
/// checks once may see its own, and lose it afterwards.
#[tokio::test(start_paused = true)]
async fn two_lists_that_go_on_side_by_side_lose_nothing() {
    for seed in 0..100 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut delays = |most| Mutex::new((0..2_000).map(|_| random.random_range(5..most)).collect());
        let vault = Arc::new(FakeMount { slow: delays(400), late: delays(60), ..FakeMount::default() });
        let mut all = JoinSet::new();
        for n in 0..32 {
            let vault = Arc::clone(&vault);
            all.spawn(async move {
                sleep(Duration::from_millis(n * 20)).await;
                whole(&vault, &format!("k{n:02}")).await.map(drop)
            });
        }
        all.join_all().await.into_iter().for_each(|done| done.unwrap());
        let wanted: Vec<String> = (0..32).map(|n| format!("k{n:02}")).collect();
        assert_eq!(sorted(&vault), wanted, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_done_but_not_answered_is_looked_at_and_can_be_undone() {
    let keys = Mutex::new(Some(vec!["theirs".to_owned()]));
    let vault = FakeMount { keys, failing: AtomicU32::new(1), done_all_the_same: true, ..FakeMount::default() };
    let start = Instant::now();
    let done = whole(&vault, "a").await.unwrap();
    assert_eq!(done.before.as_ref().map(of), Some(vec!["theirs".to_owned()]));
    assert_eq!(of(&done.after), ["theirs", "a"]);
    // The one that was not answered, and the one for the logins.
    assert_eq!(vault.writes.into_inner(), 2);
    assert!(start.elapsed() >= Duration::from_secs(1));
}
