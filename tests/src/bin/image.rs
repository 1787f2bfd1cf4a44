//! `cargo image [--all] [FILE]`: makes the container image of the pod binary, as an
//! archive that `ctr images import`, `docker load`, `podman load` and `skopeo`
//! take, without a daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::artifacts;
use harness::image::Image;
use harness::tools::cross_build;
use harness::workspace;

const USAGE: &str = "usage: cargo image [--all] [FILE]

Makes the image of vault-jwt-login as an OCI archive: for this machine, or for
linux/amd64 and linux/arm64 (--all).
";

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let all = arguments.first().is_some_and(|first| first == "--all");
    if all {
        arguments.remove(0);
    }
    let file = match arguments.as_slice() {
        [] => workspace::target().join(concat!("vault-jwt-login-", env!("CARGO_PKG_VERSION"), ".oci.tar")),
        [file] if !file.as_encoded_bytes().starts_with(b"-") => PathBuf::from(file),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let programs = if all { cross_build::pod_binaries() } else { artifacts::pod_binary().map(|program| vec![program]) };
    let programs = match programs {
        Ok(programs) => programs,
        Err(error) => return failed(&error.to_string(), error.hint()),
    };
    let made = Image::of_pod_binaries(&programs).and_then(|image| {
        let archive = image.archive()?;
        std::fs::write(&file, &archive)?;
        Ok((image, archive.len()))
    });
    match made {
        Ok((image, size)) => {
            let machines: Vec<_> =
                image.machines.iter().map(|machine| format!("linux/{}", machine.architecture)).collect();
            println!("{}\t{}\t{}\t{size} bytes", image.reference(), machines.join(","), file.display());
            ExitCode::SUCCESS
        }
        Err(error) => failed(&format!("making \"{}\": {error}", file.display()), None),
    }
}

fn failed(error: &str, hint: Option<String>) -> ExitCode {
    eprintln!("error: {error}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}
