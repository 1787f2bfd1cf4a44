//! A web server for the files of a folder, as they are at each request.

use std::path::Path;

use super::ServerError;
use super::listener::Listener;
use super::scripted::{self, Reply};

/// Serves a folder on a loopback port, without TLS.
#[derive(Debug)]
pub struct FileSite {
    listener: Listener,
}

impl FileSite {
    /// Starts one.
    ///
    /// # Errors
    /// The listener cannot be made.
    pub fn start(folder: &Path) -> Result<Self, ServerError> {
        let folder = folder.to_path_buf();
        let listener = scripted::start_plain(move |request| {
            let name = request.path().trim_start_matches('/');
            // Files of the folder itself, nothing below or above it.
            let content =
                if name.contains('/') || name.starts_with('.') { None } else { std::fs::read(folder.join(name)).ok() };
            match content {
                Some(content) => Reply::new(200, "application/octet-stream", content),
                None => Reply::new(404, "text/plain", "there is no such file\n"),
            }
        });
        Ok(Self { listener: listener.map_err(ServerError::io("starting a site of files"))? })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listener.port())
    }
}
