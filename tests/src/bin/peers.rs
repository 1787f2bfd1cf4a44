//! `cargo peers [NAME…]`: finds or gets the real servers and tools the tests
//! run against, and says where each is.

use std::process::ExitCode;
use std::thread;

use harness::peers::{self, Found, Peer, PeerError, Source};

fn main() -> ExitCode {
    let mut wanted = Vec::new();
    for name in std::env::args().skip(1) {
        if matches!(name.as_str(), "-h" | "--help") {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        let Some(peer) = Peer::named(&name) else {
            let names: Vec<_> = Peer::ALL.iter().map(|peer| peer.pin().name).collect();
            eprintln!("error: no peer \"{name}\"\nhint: the peers are {}", names.join(", "));
            return ExitCode::from(2);
        };
        wanted.push(peer);
    }
    if wanted.is_empty() {
        wanted = Peer::ALL.to_vec();
    }
    let mut code = ExitCode::SUCCESS;
    for (peer, found) in find_all(wanted) {
        let pin = peer.pin();
        match found {
            Ok(found) => println!("{}\t{}\t{}\t{}", pin.name, found.version, found.path.display(), found.how),
            Err(error) => {
                eprintln!("error: {}: {error}", pin.name);
                if let Some(hint) = error.hint() {
                    eprintln!("hint: {hint}");
                }
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn usage() -> String {
    let mut text = "usage: cargo peers [NAME...]\n\nFinds or gets the real servers and tools the tests run against: in a variable,\n\
        in KUBEBUILDER_ASSETS (kube-apiserver, etcd, kubectl), in ~/.cache/vaultjwt-peers,\n\
        in PATH where the version is right, else built or installed into that cache.\n\nname                     version  variable\n"
        .to_owned();
    for peer in Peer::ALL {
        let pin = peer.pin();
        text.push_str(&format!("{:<24} {:<8} {}\n", pin.name, pin.version, pin.variable));
    }
    text
}

/// Builds take their turns, downloads happen beside them.
fn find_all(wanted: Vec<Peer>) -> Vec<(Peer, Result<Found, PeerError>)> {
    let (built, downloaded): (Vec<Peer>, Vec<Peer>) =
        wanted.into_iter().partition(|peer| matches!(peer.pin().source, Source::Go { .. }));
    let find = |peers: Vec<Peer>| peers.into_iter().map(|peer| (peer, peers::find(peer))).collect::<Vec<_>>();
    thread::scope(|scope| {
        let downloads = scope.spawn(|| find(downloaded));
        let mut found = find(built);
        found.extend(downloads.join().unwrap_or_default());
        found
    })
}
