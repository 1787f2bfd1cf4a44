use super::*;
use crate::connection::address::Address;
use crate::files::token_file_error::TokenFileError;
use crate::vault::error::{FailureStage, VaultError};
use crate::vault::token_self::{TokenCall, TokenCallRefusal};
use std::cell::RefCell;
use std::rc::Rc;

/// Vault, a file and a clock, in simulated time.
#[derive(Default)]
struct Scene {
    now: Duration,
    until: Duration,
    /// Requests and writes: when, and what.
    log: Vec<(u64, &'static str)>,
    told: Vec<String>,
    file: String,
    tokens: u32,
    /// The lease of a login, and the life that renewals are cut down to.
    lease: u64,
    maximum: u64,
    born: Duration,
    batch: bool,
    uses: i64,
    /// What Vault's responses ask for while it is away, in seconds.
    retry_after: Option<u64>,
    /// Whether requests are not answered while it is away.
    silent: bool,
    renewal_forbidden: bool,
    /// From when to when Vault is away.
    away: Vec<(u64, u64)>,
    /// The disk is full until then.
    full_until: u64,
}

#[derive(Clone)]
struct Simulation(Rc<RefCell<Scene>>);

impl retry::Clock for Simulation {
    fn elapsed(&self) -> Duration {
        self.0.borrow().now
    }

    fn sleep(&mut self, time: Duration) {
        assert!(time >= SHORTEST, "never more than a request a second: {time:?}");
        self.0.borrow_mut().now += time;
    }

    fn between(&mut self, low: Duration, high: Duration) -> Duration {
        assert!(low <= high);
        (low + high) / 2
    }
}

use crate::lease::retry;

impl Simulation {
    fn new(lease: u64, maximum: u64) -> Self {
        Self(Rc::new(RefCell::new(Scene { lease, maximum, ..Scene::default() })))
    }

    fn run(&self, seconds: u64) {
        self.0.borrow_mut().until = Duration::from_secs(seconds);
        let granted = TokenLifecycle::log_in(&mut self.clone()).unwrap();
        TokenLifecycle::put(&mut self.clone(), &granted).unwrap();
        self.0.borrow_mut().log.clear();
        run(
            &mut self.clone(),
            &mut self.clone(),
            RenewalSchedule::new(granted.token.clone(), granted.lease(), Duration::ZERO),
        );
    }

    fn away(&self) -> Result<(), Error> {
        let scene = self.0.borrow();
        let now = scene.now.as_secs();
        if scene.away.iter().any(|(from, to)| (*from..*to).contains(&now)) {
            let address = Address::parse("https://vault").unwrap();
            if scene.silent {
                return Err(VaultError::Unanswered { address, within: Duration::from_secs(60) }.into());
            }
            let Some(after) = scene.retry_after else {
                return Err(VaultError::Unreachable {
                    address,
                    stage: FailureStage::ConnectRefused,
                    why: "connection refused".into(),
                }
                .into());
            };
            let retry_after = Some(Duration::from_secs(after));
            let words = "busy".to_owned();
            let denied = TokenCallRefusal {
                call: TokenCall::Renew,
                address,
                status: 503,
                words,
                unavailable: true,
                retry_after,
            };
            return Err(VaultError::TokenCallRefused(Box::new(denied)).into());
        }
        Ok(())
    }

    fn note(&self, what: &'static str) {
        let mut scene = self.0.borrow_mut();
        let now = scene.now.as_secs();
        scene.log.push((now, what));
    }

    fn log(&self) -> Vec<(u64, &'static str)> {
        self.0.borrow().log.clone()
    }

    fn told(&self) -> Vec<String> {
        self.0.borrow().told.clone()
    }
}

impl TokenLifecycle for Simulation {
    fn renew(&mut self, token: &Secret, time_left: Duration) -> Result<Lease, Error> {
        assert!((10..=60).contains(&time_left.as_secs()), "{time_left:?}");
        self.note("renew");
        self.away()?;
        let scene = self.0.borrow();
        assert_eq!(token.expose(), scene.file, "the token in the file is the one that is renewed");
        if scene.renewal_forbidden {
            let address = Address::parse("https://vault").unwrap();
            let denied = TokenCallRefusal {
                call: TokenCall::Renew,
                address,
                status: 403,
                words: "permission denied".into(),
                unavailable: false,
                retry_after: None,
            };
            return Err(VaultError::TokenCallRefused(Box::new(denied)).into());
        }
        let left = scene.maximum.saturating_sub((scene.now - scene.born).as_secs());
        Ok(Lease { ttl: Some(Duration::from_secs(scene.lease.min(left))), renewable: true })
    }

    fn log_in(&mut self) -> Result<Granted, Error> {
        self.note("login");
        self.away()?;
        let mut scene = self.0.borrow_mut();
        scene.tokens += 1;
        scene.born = scene.now;
        Ok(Granted {
            token: Secret::new(format!("t{}", scene.tokens)),
            lease: (scene.lease > 0).then(|| Duration::from_secs(scene.lease)),
            role: None,
            accessor: String::new(),
            policies: Vec::new(),
            renewable: !scene.batch,
            uses: scene.uses,
        })
    }

    fn put(&mut self, granted: &Granted) -> Result<(), Error> {
        let mut scene = self.0.borrow_mut();
        if scene.now.as_secs() < scene.full_until {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(TokenFileError::Write { what: "token file", path: "/vault/token".into(), source }.into());
        }
        scene.file = granted.token.expose().to_owned();
        let now = scene.now.as_secs();
        scene.log.push((now, "put"));
        Ok(())
    }

    fn discard(&mut self, _: &Granted) {
        self.note("discard");
    }

    fn extended(&mut self, _: Lease) {}

    fn say(&mut self, message: &Message<'_>) {
        let line = message.shown(crate::log::Format::Text, 0).lines().next().unwrap_or_default().to_owned();
        self.0.borrow_mut().told.push(line);
    }

    fn goes_on(&self) -> bool {
        let scene = self.0.borrow();
        scene.now < scene.until
    }
}

#[test]
fn a_day_is_a_renewal_every_forty_minutes() {
    let simulation = Simulation::new(3_600, 1_000_000);
    simulation.run(86_400);
    let log = simulation.log();
    assert!(log.iter().all(|(_, what)| *what == "renew"));
    assert_eq!(log.len(), 86_400 / 2_376);
    assert_eq!(simulation.told(), Vec::<String>::new());
    assert_eq!(simulation.0.borrow().file, "t1");
}

#[test]
fn at_its_maximum_there_is_a_new_token_before_the_old_one_ends() {
    let simulation = Simulation::new(3_600, 5_400);
    simulation.run(20_000);
    let log = simulation.log();
    assert_eq!(log[..4], [(2_376, "renew"), (4_371, "renew"), (5_050, "login"), (5_050, "put")]);
    assert_eq!(log[4], (5_050 + 2_376, "renew"));
    assert_eq!(simulation.told(), Vec::<String>::new());
}

#[test]
fn batch_tokens_are_replaced_without_a_renewal() {
    let simulation = Simulation::new(600, 600);
    simulation.0.borrow_mut().batch = true;
    simulation.run(3_600);
    assert_eq!(simulation.log().iter().filter(|(_, what)| *what == "login").count(), 9);
    assert!(simulation.log().iter().all(|(_, what)| *what != "renew"));
}

#[test]
fn a_forbidden_renewal_is_one_request_and_then_a_login() {
    let simulation = Simulation::new(3_600, 1_000_000);
    simulation.0.borrow_mut().renewal_forbidden = true;
    simulation.run(3_000);
    let log = simulation.log();
    assert_eq!(log[..3], [(2_376, "renew"), (2_377, "login"), (2_377, "put")]);
    assert_eq!(
        simulation.told(),
        [
            "warning: Vault at \"https://vault\" did not renew the token (status 403): permission denied; logging in again",
            "works again after 2s (1 failure)"
        ]
    );
}

#[test]
fn an_outage_within_the_lease_is_ridden_out() {
    let simulation = Simulation::new(3_600, 1_000_000);
    simulation.0.borrow_mut().away.push((2_000, 3_300));
    simulation.run(5_000);
    let log = simulation.log();
    assert!(log.iter().all(|(_, what)| *what == "renew"), "{log:?}");
    // From 2376 on, every 15.5 s on average.
    let asked = log.iter().filter(|(at, _)| *at < 3_300).count();
    assert!((55..=70).contains(&asked), "{asked}");
    assert_eq!(
        simulation.told()[0],
        "warning: could not reach Vault at \"https://vault\": connection refused; retrying, the token expires in 20m24s"
    );
    let again = &simulation.told()[1];
    assert!(again.starts_with("works again after 15m") && simulation.told().len() == 2, "{again}");
    assert_eq!(simulation.0.borrow().file, "t1");
}

#[test]
fn after_an_outage_longer_than_the_lease_there_is_a_new_token() {
    let simulation = Simulation::new(600, 1_000_000);
    simulation.0.borrow_mut().away.push((300, 4_000));
    simulation.run(4_600);
    let log = simulation.log();
    let first_login = log.iter().find(|(_, what)| *what == "login").unwrap().0;
    assert!((600..632).contains(&first_login), "{first_login}");
    // The token that is over stays until there is another.
    let put = log.iter().find(|(_, what)| *what == "put").unwrap().0;
    assert!((4_000..4_006).contains(&put), "{put}");
    assert_eq!(simulation.0.borrow().file, "t2");
    // The end of the lease is not slept through.
    let last_renew = log.iter().rfind(|(at, what)| *at < 600 && *what == "renew").unwrap().0;
    assert!(last_renew >= 590, "{last_renew}");
}

#[test]
fn a_token_that_has_no_place_waits_for_one_and_is_not_asked_for_again() {
    let simulation = Simulation::new(600, 600);
    simulation.0.borrow_mut().batch = true;
    let until = 450;
    {
        let simulation = simulation.clone();
        simulation.run(1);
    }
    simulation.0.borrow_mut().full_until = until;
    simulation.0.borrow_mut().until = Duration::from_secs(500);
    run(
        &mut simulation.clone(),
        &mut simulation.clone(),
        RenewalSchedule::new(
            Secret::new("t1"),
            Lease { ttl: Some(Duration::from_secs(600)), renewable: false },
            Duration::ZERO,
        ),
    );
    let log = simulation.log();
    assert_eq!(log.iter().filter(|(_, what)| *what == "login").count(), 1, "{log:?}");
    let put = log.iter().find(|(_, what)| *what == "put").unwrap().0;
    assert!((until..until + 60).contains(&put), "{put}");
    assert!(
        simulation.told()[0].starts_with("warning: could not write the token file \"/vault/token\": "),
        "{:?}",
        simulation.told()
    );
}

#[test]
fn a_retry_after_beyond_the_ttl_does_not_let_the_token_expire() {
    let simulation = Simulation::new(60, 1_000_000);
    // Due at 39.6 s; Vault answers again 5 s later.
    simulation.0.borrow_mut().away.push((39, 45));
    simulation.0.borrow_mut().retry_after = Some(600);
    simulation.run(120);
    let (log, told) = (simulation.log(), simulation.told());
    assert!(log.iter().all(|(_, what)| *what == "renew"), "{log:?}");
    assert_eq!(log[1].0 - log[0].0, 10, "half of the 20.4 s that are left: {log:?}");
    assert!(told[0].ends_with(": busy; retrying in 10s (Retry-After: 10m), the token expires in 20s"), "{told:?}");
    // Without a token there is a minute at most.
    let simulation = Simulation::new(60, 1_000_000);
    simulation.0.borrow_mut().away.push((39, 400));
    simulation.0.borrow_mut().retry_after = Some(u64::MAX);
    simulation.run(600);
    let logins: Vec<u64> = simulation.log().iter().filter(|(_, what)| *what == "login").map(|(at, _)| *at).collect();
    assert!(logins.windows(2).all(|pair| pair[1] - pair[0] == 60) && logins.len() > 2, "{logins:?}");
    assert_eq!(simulation.0.borrow().file, "t2");
}

#[test]
fn an_unanswered_login_is_sent_again_after_ten_seconds_and_a_renewal_sooner() {
    let simulation = Simulation::new(60, 1_000_000);
    simulation.0.borrow_mut().away.push((39, 200));
    simulation.0.borrow_mut().silent = true;
    simulation.run(300);
    let log = simulation.log();
    let gaps = |what: &str| -> Vec<u64> {
        let at: Vec<u64> = log.iter().filter(|(at, w)| *at < 200 && *w == what).map(|(at, _)| *at).collect();
        at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    assert!(gaps("login").iter().all(|gap| *gap >= 10) && gaps("login").len() > 3, "{log:?}");
    assert!(gaps("renew").iter().all(|gap| *gap < 10) && gaps("renew").len() > 1, "{log:?}");
}

#[test]
fn a_token_with_a_limited_number_of_uses_is_replaced_without_a_renewal() {
    let simulation = Simulation::new(600, 600);
    simulation.0.borrow_mut().uses = 1;
    simulation.run(3_600);
    assert_eq!(simulation.log().iter().filter(|(_, what)| *what == "login").count(), 9);
    assert!(simulation.log().iter().all(|(_, what)| *what != "renew"));
}

#[test]
fn a_token_that_waits_for_too_long_is_discarded() {
    let simulation = Simulation::new(600, 600);
    simulation.0.borrow_mut().batch = true;
    simulation.run(1);
    simulation.0.borrow_mut().full_until = 1_000;
    simulation.0.borrow_mut().until = Duration::from_secs(1_100);
    let lease = Lease { ttl: Some(Duration::from_secs(600)), renewable: false };
    run(
        &mut simulation.clone(),
        &mut simulation.clone(),
        RenewalSchedule::new(Secret::new("t1"), lease, Duration::ZERO),
    );
    let log = simulation.log();
    let of = |what: &str| log.iter().filter(|(_, w)| *w == what).count();
    assert_eq!((of("login"), of("discard"), of("put")), (3, 2, 1), "{log:?}");
}

#[test]
fn a_token_that_never_ends_is_left_alone() {
    let simulation = Simulation::new(0, 0);
    simulation.run(1_000_000);
    assert_eq!(simulation.log(), []);
}
