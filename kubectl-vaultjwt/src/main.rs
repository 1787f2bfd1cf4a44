//! Wires the program: arguments in, exit code out.

use clap::{ColorChoice, Parser as _};
use kubectl_vaultjwt::cli::Cli;
use kubectl_vaultjwt::completion;
use kubectl_vaultjwt::render::console::Console;
use kubectl_vaultjwt::run::run;
use kubectl_vaultjwt::run::session::Session;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(request) = completion::asked(std::env::args_os()) {
        completion::answer(&request);
        return ExitCode::SUCCESS;
    }
    let cli = Cli::parse();
    color(cli.common.color);
    let console = Console::new(cli.common.verbosity);
    // One provider for kube and reqwest alike. It fails only if one is set
    // already, which nothing before this line does.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(&error.into());
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(cli, Session::open(console.clone())));
    // An exec plugin that waits for a person, or a name server that does not
    // answer, must not keep the end waiting.
    runtime.shutdown_background();
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            console.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Decides for all streams of this process.
fn color(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}
