//! Runs the command line: each command gets its input (`inputs`) and its clients
//! (`session`), and its report goes to a renderer and to stdout (`output`).

mod inputs;
mod issuer;
mod metrics_server;
mod output;
mod remove;
pub mod session;
mod setup;
mod status;
mod sync;
mod watch;

use crate::cli::Cli;
use crate::cli::commands::Command;
use crate::completion;
use crate::error::Error;
use crate::run::output::Ending;
use crate::run::session::Session;
use clap::CommandFactory as _;

pub async fn run(cli: Cli, session: Session) -> Ending {
    match cli.command {
        // To be stopped is its ordinary end.
        Some(Command::Sync(args)) if args.watch.watch => {
            watch::watch(*args, session, cli.common.verbosity, interrupted()).await
        }
        command => tokio::select! {
            result = run_command(command, session) => result,
            () = interrupted() => Err(Error::Interrupted),
        },
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

async fn run_command(command: Option<Command>, session: Session) -> Ending {
    match command {
        Some(Command::Setup(args)) => setup::setup(*args, session).await,
        Some(Command::Diff(args)) => setup::diff(*args, session).await,
        Some(Command::Sync(args)) => sync::sync(*args, session).await,
        Some(Command::Status(args)) => status::status(*args, session).await,
        Some(Command::Remove(args)) => remove::remove(*args, session).await,
        Some(Command::Issuer(args)) => issuer::issuer(*args, session).await,
        Some(Command::Completion(args)) => output::plain(completion::script(args.shell)).map(|()| 0),
        Some(Command::Version) => {
            output::plain(&format!("kubectl-vaultjwt {}\n", env!("CARGO_PKG_VERSION"))).map(|()| 0)
        }
        None => output::plain(&Cli::command().render_help().to_string()).map(|()| 0),
    }
}
