//! Planning a refresh on a chain of many keys: reading every element, and the
//! plan itself.

use super::Failure;
use super::fixture::{line, median};
use harness::keys::{Alg, SigningKey};
use jiff::Timestamp;
use kubectl_vaultjwt::command::mount::{Grounds, Member, MountOptions, MountPlan, Roles, SharingConsent};
use kubectl_vaultjwt::issuer::{CloudAnswer, KeySource, NamedBy, Resolved};
use kubectl_vaultjwt::keychain::Owner;
use kubectl_vaultjwt::keychain::evidence::{Evidence, Reached};
use kubectl_vaultjwt::keychain::jwk::KeySet;
use kubectl_vaultjwt::vault::mount::config::MountSnapshot;
use serde_json::json;
use std::time::Instant;

fn cluster(number: usize, keys: usize) -> Result<Resolved, Failure> {
    let keys: Vec<_> =
        (0..keys).map(|_| SigningKey::generate(Alg::Es256).map(|key| key.jwk())).collect::<Result<_, _>>()?;
    Ok(Resolved {
        owner: Owner { issuer: format!("https://issuer-{number}.svc"), cluster_uid: Some(format!("uid-{number}")) },
        named_by: NamedBy::ApiServer,
        keys: KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())?,
        source: KeySource::ApiServer,
        site_unused: None,
        api_keys_unread: None,
        difference: Default::default(),
        standing: None,
        keys_url: None,
        cloud: CloudAnswer::NotAsked,
    })
}

/// Reached over a recorded way, as in a refresh.
fn grounds(cluster: &Resolved) -> Grounds {
    let evidence = Evidence { reached: Reached::Direct, recorded: true, ..Evidence::NONE };
    Grounds::new(cluster, evidence, vec![], None)
}

pub fn run() -> Result<(), Failure> {
    println!("\nplanning one cluster's refresh (read every element of the mount, rotate one key)");
    let widths = [6, 14, 12];
    line(&["keys", "plan ms", "us per key"], &widths);
    let terms = MountOptions {
        allow: SharingConsent { same_trust_domain: true, same_issuer: true, unbound_roles: true, existing_roles: true },
        ..MountOptions::default()
    };
    for keys in [10, 100, 950] {
        let clusters: Vec<Resolved> = (0..keys).map(|number| cluster(number, 1)).collect::<Result<_, _>>()?;
        let now = Timestamp::now();
        let grounds = grounds(clusters.first().ok_or("no cluster")?);
        let member = |cluster| Member { cluster, name: "c", enroll: true, grounds: &grounds, recent: None };
        let members: Vec<Member<'_>> = clusters.iter().map(member).collect();
        let standing =
            MountPlan::make(MountSnapshot { document: None, now }, &members, &terms, &Roles::NotRead)?.document;
        let rotated = cluster(keys / 2, 1)?;
        let times = (0..30).map(|_| {
            let started = Instant::now();
            let plan = MountPlan::make(
                MountSnapshot { document: Some(&standing), now },
                &[member(&rotated)],
                &terms,
                &Roles::NotRead,
            );
            let took = started.elapsed();
            plan.map(|plan| (took, plan.write))
        });
        let times: Vec<_> = times.collect::<Result<_, _>>()?;
        let took = median(times.into_iter().map(|(took, _)| took).collect());
        let each = took.as_secs_f64() * 1e6 / keys as f64;
        line(&[&keys.to_string(), &format!("{:.3}", took.as_secs_f64() * 1e3), &format!("{each:.1}")], &widths);
    }
    many(&terms)
}

/// The plan that `sync --all-contexts` makes between its read and its write,
/// which may be 500 ms apart.
fn many(terms: &MountOptions) -> Result<(), Failure> {
    println!("\nplanning one change for many clusters, each with a new key and an old one");
    let widths = [9, 12];
    line(&["clusters", "plan ms"], &widths);
    for count in [10, 100, 475] {
        let mut clusters: Vec<Resolved> = (0..count).map(|number| cluster(number, 1)).collect::<Result<_, _>>()?;
        let now = Timestamp::now();
        let grounds = grounds(clusters.first().ok_or("no cluster")?);
        let plan = |clusters: &[Resolved], document| {
            let member = |cluster| Member { cluster, name: "c", enroll: true, grounds: &grounds, recent: None };
            let members: Vec<Member<'_>> = clusters.iter().map(member).collect();
            let started = Instant::now();
            let plan = MountPlan::make(MountSnapshot { document, now }, &members, terms, &Roles::NotRead);
            plan.map(|plan| (started.elapsed(), plan.document))
        };
        let (_, standing) = plan(&clusters, None)?;
        for (number, rotated) in clusters.iter_mut().enumerate() {
            rotated.keys = cluster(number, 1)?.keys;
        }
        let times = (0..10).map(|_| plan(&clusters, Some(&standing)).map(|(took, _)| took));
        let took = median(times.collect::<Result<_, _>>()?);
        line(&[&count.to_string(), &format!("{:.1}", took.as_secs_f64() * 1e3)], &widths);
    }
    Ok(())
}
