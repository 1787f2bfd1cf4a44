//! Owns turning typed arguments into resolved input and ports, running the
//! command, and handing its report to a renderer. The one place where the
//! pieces meet; one file for each command.

mod issuer;
mod remove;
mod setup;
mod status;
mod sync;
mod watch;

use crate::cli::chain::ChainFlags;
use crate::cli::vault::VaultFlags;
use crate::cli::{Cli, Command};
use crate::command::chain::{Allowances, Terms};
use crate::error::Error;
use crate::keychain::refresh::Policy;
use crate::render::console::Console;
use crate::render::terminal::signs;
use crate::render::text;
use crate::vault::VaultError;
use crate::vault::client::Client;
use crate::vault::settings::{Process, Settings, SettingsError};
use std::sync::Arc;

/// How a command ended: its exit code, or why it failed.
pub type Ending = Result<u8, Error>;

/// Runs the command line.
pub async fn run(cli: Cli, console: Console) -> Ending {
    match cli.command {
        // To be stopped is its ordinary end.
        Some(Command::Sync(args)) if args.watch.watch => watch::watch(*args, cli.common.verbosity, interrupted()).await,
        command => until_interrupted(run_command(command, console)).await,
    }
}

async fn until_interrupted(command: impl Future<Output = Ending>) -> Ending {
    tokio::select! {
        result = command => result,
        () = interrupted() => Err(Error::Interrupted),
    }
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn run_command(command: Option<Command>, console: Console) -> Ending {
    match command {
        Some(Command::Setup(args)) => setup::setup(*args, console).await,
        Some(Command::Diff(args)) => setup::diff(*args, console).await,
        Some(Command::Sync(args)) => sync::sync(*args, console).await,
        Some(Command::Status(args)) => status::status(*args, console).await,
        Some(Command::Remove(args)) => remove::remove(*args, console).await,
        Some(Command::Issuer(args)) => issuer::issuer(*args, console).await,
        Some(Command::Completion(args)) => {
            out(crate::completion::scripts::of(args.shell))?;
            Ok(0)
        }
        Some(Command::Version) => {
            out(&format!("kubectl-vaultjwt {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(0)
        }
        None => {
            use clap::CommandFactory as _;
            out(&Cli::command().render_help().to_string())?;
            Ok(0)
        }
    }
}

/// Results go to stdout; a reader that went away is not an error.
fn out(text: &str) -> Result<(), Error> {
    put(std::io::stdout().lock(), text)
}

/// For people: with colours where stdout is a terminal that shows them.
fn painted(text: &str) -> Result<(), Error> {
    put(anstream::stdout().lock(), &signs(text))
}

fn put(mut stdout: impl std::io::Write, text: &str) -> Result<(), Error> {
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

async fn vault(flags: &VaultFlags, console: &Console) -> Result<Client, Error> {
    let settings = settings(flags).await.map_err(VaultError::from)?;
    let console = console.clone();
    Ok(Client::new(settings, Arc::new(move |line: &str| console.request(line)))?)
}

/// A token helper may ask a person, and must not keep Ctrl-C waiting: a thread
/// of its own can be left behind, a task of the runtime cannot.
async fn settings(flags: &VaultFlags) -> Result<Settings, SettingsError> {
    let (resolved, settings) = tokio::sync::oneshot::channel();
    let flags = flags.clone();
    std::thread::spawn(move || resolved.send(Settings::resolve(&flags, &Process)));
    match settings.await {
        Ok(settings) => settings,
        // The thread is gone without an answer, and so is the program.
        Err(_) => std::future::pending().await,
    }
}

fn terms(chain: &ChainFlags, prune: bool) -> Terms {
    Terms {
        policy: Policy { grace: chain.grace, prune, adopt: chain.adopt },
        allow: Allowances {
            same_trust_domain: chain.same_trust_domain,
            same_issuer: chain.allow_same_issuer,
            unbound_roles: chain.allow_unbound_roles,
            existing_roles: chain.allow_existing_roles,
        },
        clear_bound_issuer: chain.clear_bound_issuer,
        replace_keys: chain.replace_keys,
    }
}

/// A random audience, new for each run: it makes a token provably fresh.
fn nonce() -> String {
    format!("vaultjwt-proof-{:032x}", rand::random::<u128>())
}
