//! Hours of a watcher in simulated time: what it requests, writes, and reports.

mod fakes;

use super::*;
use crate::command::sync::Scope;
use crate::command::watch::tests::fakes::{Fakes, START, enroll, input, refused, role, watching};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const BY_HAND: &str = "kubectl vaultjwt sync --mount jwt";

/// A fakes with these clusters on the mount, each with key 1, 2, …, and a
/// token for a year.
fn fakes(contexts: &[&str]) -> Fakes {
    let fakes = Fakes::default();
    for (number, context) in (1..).zip(contexts) {
        fakes.publish(context, &[number]);
    }
    enroll(&fakes, contexts);
    fakes.token("file", YEAR);
    fakes.state().gives = YEAR;
    fakes
}

async fn in_time<T>(test: impl Future<Output = T>) -> T {
    START.scope(Instant::now(), test).await
}

#[tokio::test(start_paused = true)]
async fn where_nothing_changes_one_read_a_minute_and_no_word() {
    in_time(async {
        let fakes = fakes(&["a", "b"]);
        let stats = watching(&fakes, &input(&["a", "b"], vec![]), sleep(HOUR)).await;
        let told = fakes.told();
        assert_eq!(
            told,
            ["Info watching 2 clusters on auth mount \"jwt/\", every 1m (issuers' own sites every 5m)", "Info stopped"]
        );
        let reads = fakes.count("vault read", 0..3_600);
        assert!((55..=67).contains(&reads), "{reads}");
        assert_eq!(fakes.count("cluster a", 0..3_600), reads);
        assert_eq!((fakes.count("write", 0..3_600), fakes.count("vault renew", 0..3_600)), (0, 0));
        assert_eq!((stats.not_ready, stats.keys.len(), stats.changes), (None, 2, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_on_the_mount_at_the_next_poll_and_the_old_key_leaves_after_the_grace() {
    in_time(async {
        let fakes = fakes(&["a", "b"]);
        let steps = async {
            sleep(10 * MINUTE).await;
            fakes.publish("a", &[1, 7]);
            sleep(2 * MINUTE).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2", "kid-1"]);
            // Hours later, the new key signs all tokens.
            sleep(2 * HOUR).await;
            fakes.publish("a", &[7]);
            // Three polls agree before it counts as gone. They are 54 to 66 s
            // apart, so 100 s see two at most and 300 s four at least.
            sleep(Duration::from_secs(100)).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2", "kid-1"]);
            sleep(Duration::from_secs(200)).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2", "kid-1-"]);
            sleep(57 * MINUTE).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2", "kid-1-"]);
            sleep(6 * MINUTE).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2"]);
        };
        let stats = watching(&fakes, &input(&["a", "b"], vec![]), steps).await;
        assert_eq!(
            fakes.told()[1..],
            [
                "Info context \"a\": key \"kid-7\" added",
                "Info context \"a\": key \"kid-1\" retired",
                "Info context \"a\": key \"kid-1\" removed",
                "Info stopped"
            ]
        );
        // Each is written once more, for the logins.
        assert_eq!((stats.changes, fakes.count("write begun", 0..u64::MAX)), (3, 6));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn servers_that_disagree_cost_no_writes() {
    in_time(async {
        let fakes = fakes(&["a"]);
        let steps = async {
            for turn in 0..120 {
                fakes.publish("a", if turn % 2 == 0 { &[1, 3] } else { &[1, 7] });
                sleep(MINUTE).await;
            }
        };
        watching(&fakes, &input(&["a"], vec![]), steps).await;
        assert_eq!(fakes.keys(), ["kid-7", "kid-3", "kid-1"]);
        // Two changes, each written once more for the logins.
        assert_eq!(fakes.count("write begun", 0..u64::MAX), 4);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_away_for_an_hour_is_asked_less_and_loses_nothing() {
    in_time(async {
        let fakes = fakes(&["a", "b"]);
        let steps = async {
            sleep(10 * MINUTE).await;
            fakes.state().clusters.insert("a".into(), None);
            sleep(HOUR).await;
            assert_eq!(fakes.keys(), ["kid-2", "kid-1"]);
            fakes.publish("a", &[1, 7]);
            sleep(6 * MINUTE).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-2", "kid-1"]);
        };
        let stats = watching(&fakes, &input(&["a", "b"], vec![]), steps).await;
        let asked = fakes.count("cluster a", 605..4_200);
        assert!((11..=17).contains(&asked), "{asked}");
        assert!(fakes.count("cluster b", 605..4_200) >= 54);
        let told = fakes.told();
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told[1].starts_with("Warn context \"a\": could not reach"), "{told:#?}");
        // It is counted from the first poll that saw it, up to 66 s late.
        let again = ["59m", "1h"].map(|time| format!("Info context \"a\": works again after {time}"));
        assert!(again.iter().any(|words| told[2].starts_with(words)), "{told:#?}");
        assert_eq!(told[3], "Info context \"a\": key \"kid-7\" added");
        // A poll can be at the very second at which it goes or comes back.
        let failures = stats.contexts["a"].failures as usize;
        assert!(failures.abs_diff(asked) <= 2, "{failures}, {asked}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_vault_is_away_it_is_asked_once_a_minute_and_no_cluster_is() {
    in_time(async {
        let fakes = fakes(&["a"]);
        let steps = async {
            sleep(10 * MINUTE + Duration::from_secs(5)).await;
            fakes.state().vault_away = Some(refused(503, "Vault is sealed", None));
            sleep(HOUR).await;
            fakes.publish("a", &[1, 7]);
            fakes.state().vault_away = None;
            sleep(2 * MINUTE).await;
            assert_eq!(fakes.keys(), ["kid-7", "kid-1"]);
        };
        let stats = watching(&fakes, &input(&["a"], vec![]), steps).await;
        let asked = fakes.count("vault", 606..4_205);
        assert!((54..=67).contains(&asked), "{asked}");
        assert_eq!(fakes.count("cluster", 606..4_205), 0);
        let told = fakes.told();
        // At its beginning, after an hour at most, and at its end.
        assert!((5..=6).contains(&told.len()), "{told:#?}");
        assert!(
            told[1].starts_with("Error vault: Vault refused GET auth/jwt/config (503): Vault is sealed"),
            "{told:#?}"
        );
        assert_eq!(stats.not_ready, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed() {
    in_time(async {
        let fakes = fakes(&["a"]);
        let steps = async {
            sleep(Duration::from_secs(30)).await;
            fakes.state().vault_away = Some(refused(429, "slow down", Some(600)));
            sleep(HOUR).await;
        };
        watching(&fakes, &input(&["a"], vec![]), steps).await;
        let asked = fakes.count("vault", 31..3_630);
        assert!((5..=6).contains(&asked), "{asked}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_periodic_token_is_renewed_and_never_revoked() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.token("file", HOUR);
        fakes.state().renews = HOUR;
        watching(&fakes, &input(&["a"], vec![]), sleep(24 * HOUR)).await;
        let renewed = fakes.count("vault renew", 0..86_400);
        // Every 36 to 42 minutes.
        assert!((34..=40).contains(&renewed), "{renewed}");
        assert_eq!(fakes.count("revoke", 0..u64::MAX), 0);
        assert_eq!(fakes.told().len(), 2, "{:#?}", fakes.told());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_renewed_is_replaced_before_it_ends() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().acts_with = None;
        fakes.state().gives = HOUR;
        watching(&fakes, &input(&["a"], vec![role("jwt", "sync")]), sleep(24 * HOUR)).await;
        let logins = fakes.count("vault login sync", 0..86_400);
        assert!((34..=40).contains(&logins), "{logins}");
        assert_eq!(fakes.count("403", 0..u64::MAX), 0);
        let told = fakes.told();
        assert_eq!(told[1], "Info logged in with role \"sync\" of auth mount \"jwt/\", for 1h");
        assert!(!told.iter().any(|line| line.starts_with("Error") || line.starts_with("Warn")), "{told:#?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn locked_out_it_says_which_command_heals_and_goes_on_after_it() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().acts_with = None;
        let no_key = "error verifying token signature: no known key successfully validated the token signature";
        fakes.state().refuses.insert("sync".into(), no_key.into());
        let steps = async {
            sleep(30 * MINUTE).await;
            // A person puts the key there.
            fakes.state().refuses.clear();
            sleep(MINUTE).await;
        };
        let stats = watching(&fakes, &input(&["a"], vec![role("jwt", "sync")]), steps).await;
        let told = fakes.told();
        assert_eq!(
            told[1],
            format!(
                "Error own token: there is none that Vault accepts; could not log in with role \"sync\" of auth mount \"jwt/\": Vault refused GET auth/jwt/config (400): {no_key}; {BY_HAND}"
            )
        );
        assert!(told[2].starts_with("Info logged in with role \"sync\""), "{told:#?}");
        assert!(told[3].starts_with("Info own token: works again after 30m"), "{told:#?}");
        // 15 to 30 s apart.
        let logins = fakes.count("vault login", 0..1_800);
        assert!((60..=130).contains(&logins), "{logins}");
        assert_eq!(fakes.count("cluster", 0..1_800), 0);
        assert_eq!((stats.locked_out, stats.not_ready), (None, None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_locked_out_the_figures_name_the_command() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().acts_with = None;
        fakes.state().refuses.insert("sync".into(), "failed to verify id token signature".into());
        let stats = watching(&fakes, &input(&["a"], vec![role("jwt", "sync")]), sleep(MINUTE)).await;
        assert_eq!(stats.locked_out.as_deref(), Some(BY_HAND));
        assert!(stats.not_ready.is_some_and(|why| why.starts_with("there is none that Vault accepts; ")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_second_way_to_log_in_is_used_where_the_first_is_refused() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().acts_with = None;
        fakes.state().refuses.insert("sync".into(), "failed to verify id token signature".into());
        fakes.publish("a", &[1, 7]);
        let logins = vec![role("jwt", "sync"), role("ops", "other")];
        watching(&fakes, &input(&["a"], logins), sleep(MINUTE)).await;
        assert_eq!(fakes.keys(), ["kid-7", "kid-1"]);
        assert_eq!(
            fakes.told()[1..],
            [
                "Warn logged in with role \"other\" of auth mount \"ops/\" (fallback), for 8760h",
                "Info context \"a\": key \"kid-7\" added",
                "Info stopped"
            ]
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_is_broken_does_not_keep_the_second_way_from_being_used() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().acts_with = None;
        fakes.state().broken.push("sync".into());
        let logins = vec![role("jwt", "sync"), role("ops", "other")];
        let stats = watching(&fakes, &input(&["a"], logins), sleep(MINUTE)).await;
        assert!(fakes.told()[1].starts_with("Warn logged in with role \"other\""), "{:#?}", fakes.told());
        assert_eq!(stats.not_ready, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_token_than_the_last_one_is_renewed_like_any_other() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.token("file", HOUR);
        let steps = async {
            sleep(5 * MINUTE).await;
            fakes.state().tokens.clear();
            fakes.state().refuses.insert("sync".into(), "role could not be found".into());
            fakes.state().gives_role.insert("other".into(), 20 * MINUTE);
            fakes.state().renews = 20 * MINUTE;
            sleep(6 * HOUR).await;
        };
        let logins = vec![role("jwt", "sync"), role("ops", "other")];
        watching(&fakes, &input(&["a"], logins), steps).await;
        assert_eq!(fakes.count("vault login", 0..u64::MAX), 2);
        let renewed = fakes.count("vault renew", 0..u64::MAX);
        assert!((25..=30).contains(&renewed), "{renewed}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_revoked_is_replaced_at_once() {
    in_time(async {
        let fakes = fakes(&["a"]);
        let steps = async {
            sleep(5 * MINUTE).await;
            fakes.state().tokens.clear();
            sleep(2 * MINUTE).await;
        };
        let stats = watching(&fakes, &input(&["a"], vec![role("jwt", "sync")]), steps).await;
        assert_eq!(
            fakes.told()[1..],
            ["Info logged in with role \"sync\" of auth mount \"jwt/\", for 8760h", "Info stopped"]
        );
        assert_eq!((stats.not_ready, stats.vault_failures), (None, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_login_a_newer_token_is_looked_for_where_the_first_was() {
    in_time(async {
        let fakes = fakes(&["a"]);
        fakes.state().tokens.clear();
        fakes.token("old", 10 * MINUTE);
        let steps = async {
            sleep(20 * MINUTE).await;
            // The file has been replaced.
            fakes.state().tokens.insert("file".into(), Instant::now() + YEAR);
            sleep(2 * MINUTE).await;
        };
        let stats = watching(&fakes, &input(&["a"], vec![]), steps).await;
        let told = fakes.told();
        assert!(told[1].starts_with("Error own token: it ends in "), "{told:#?}");
        // While it lives, it is used.
        assert!(fakes.count("vault read", 420..600) >= 2);
        assert!(told.iter().any(|line| line == "Info own token: a new one was found"), "{told:#?}");
        assert_eq!(stats.not_ready, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_taken_off_is_told_and_not_put_back() {
    in_time(async {
        let fakes = fakes(&["a", "b"]);
        let steps = async {
            sleep(5 * MINUTE).await;
            enroll(&fakes, &["b"]);
            sleep(HOUR).await;
        };
        let mut input = input(&[], vec![]);
        input.sync.scope = Scope::All(vec!["a".into(), "b".into(), "never".into()]);
        fakes.publish("never", &[9]);
        watching(&fakes, &input, steps).await;
        assert_eq!(fakes.keys(), ["kid-2"]);
        assert_eq!(
            fakes.told()[1],
            "Warn context \"a\": its keys were taken off the mount while this was running; to put them back: kubectl vaultjwt setup --context a --mount jwt"
        );
        assert_eq!(fakes.count("write", 0..u64::MAX), 0);
        // Strangers every five minutes.
        let asked = fakes.count("cluster never", 0..3_600);
        assert!((11..=15).contains(&asked), "{asked}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_ends_at_once_and_a_write_is_answered_before() {
    for (takes, ends) in [(0, 0..100), (500, 100..600), (5_000, 700..1_000)] {
        in_time(async {
            let fakes = fakes(&["a"]);
            fakes.publish("a", &[1, 7]);
            fakes.state().write_takes = Duration::from_millis(takes);
            let stopped = std::sync::Mutex::new(Instant::now());
            let steps = async {
                while fakes.count("write begun", 0..u64::MAX) == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                *stopped.lock().unwrap() = Instant::now();
            };
            watching(&fakes, &input(&["a"], vec![]), steps).await;
            let took = stopped.lock().unwrap().elapsed().as_millis() as u64;
            assert!(ends.contains(&took), "{takes}: {took}");
            assert_eq!(fakes.count("write done", 0..u64::MAX), usize::from(takes < 5_000));
        })
        .await;
    }
}
