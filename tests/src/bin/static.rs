//! `cargo static`: builds the pod binary as it is shipped and says what it is.

use std::process::ExitCode;

use harness::artefacts;

fn main() -> ExitCode {
    match artefacts::pod_binary() {
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
