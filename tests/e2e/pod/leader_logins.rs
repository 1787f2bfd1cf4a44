//! Pods that log in while the leader of three nodes changes. They know one node, at first a
//! standby. A standby that cannot forward a request redirects it to the leader it knows (HTTP
//! 307), which may have just stopped.

use crate::pod::many_sidecars::Running;
use crate::pod::outages::{next_leader, three_nodes};
use harness::artifacts;
use harness::each_product;
use harness::process::{Scratch, clean_environment};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Logins, which start one after the other.
const LOGINS: usize = 200;
/// Time between two starts.
const BETWEEN: Duration = Duration::from_millis(60);
/// The logins before which the leader is killed, and steps down.
const KILLED: usize = 20;
const STEPS_DOWN: usize = 120;

each_product!(
    #[ignore = "takes a minute: cargo soak leader_logins"]
    soak_of_logins_while_the_leader_changes,
    |product| {
        let scratch = Scratch::new("logins").expect("a folder");
        let jwt = scratch.path().join("jwt");
        let (raft, leader) = three_nodes(product, &jwt);
        let program = artifacts::pod_binary().expect("the program is built").path;
        let start = |number: usize| {
            let folder = scratch.folder(&format!("pod-{number}")).expect("a folder");
            let mut command = Command::new(&program);
            clean_environment(&mut command, &folder, &[]);
            command.envs(raft.node(0).client_environment()).args(["--role=app", "--timeout=60s", "--jwt-file"]);
            command.arg(&jwt).arg("--token-file").arg(folder.join("token"));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(File::create(folder.join("log")).expect("a log"));
            (command.spawn().expect("it starts"), folder.join("log"))
        };
        let began = Instant::now();
        let (mut logins, mut logs) = (Running(Vec::new()), Vec::new());
        for number in 0..LOGINS {
            match number {
                KILLED => raft.node(leader).kill(),
                STEPS_DOWN => {
                    next_leader(&raft, leader);
                    raft.step_down().expect("it steps down");
                }
                _ => {}
            }
            let (login, log) = start(number);
            logins.0.push(login);
            logs.push(log);
            sleep((BETWEEN * (number as u32 + 1)).saturating_sub(began.elapsed()));
        }
        let (mut failed, mut said) = (0, BTreeMap::<String, usize>::new());
        for (login, log) in logins.0.iter_mut().zip(&logs) {
            failed += usize::from(!login.wait().expect("it ends").success());
            let log = fs::read_to_string(log).expect("a log");
            let first = log.lines().next().unwrap_or_default().split("token in").next().unwrap_or_default();
            *said.entry(first.to_owned()).or_default() += 1;
        }
        println!("{product}: {failed} of {LOGINS} logins failed; the first line of each:\n{said:#?}");
        // Some met the change, or nothing was tested.
        assert!(said.len() > 1, "{said:#?}");
        assert_eq!(failed, 0, "{said:#?}");
    }
);
