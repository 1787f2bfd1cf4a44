//! `cargo static`: builds the pod binary as it is shipped, and prints its target, path and size.

use std::process::ExitCode;

use harness::artifacts;

fn main() -> ExitCode {
    match artifacts::pod_binary() {
        Ok(pod) => {
            println!("{}\t{}\t{} bytes", pod.target, pod.path.display(), pod.size);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
