//! The requests that a fake server received, and the responses that a test set for it.

use std::sync::Mutex;

use super::raw_http::Request;
use super::scripted::Reply;
use crate::process::locked;

/// The requests of a stand-in, and its exceptions.
#[derive(Debug, Default)]
pub(super) struct Script {
    seen: Mutex<Vec<ReceivedRequest>>,
    lines: Mutex<Vec<Line>>,
}

/// A request that has come.
#[derive(Debug, Clone)]
pub(super) struct ReceivedRequest {
    /// `GET /path`, without the query.
    pub(super) request: String,
    /// The host it was sent to, without a port.
    pub(super) host: String,
    pub(super) authorization: String,
}

#[derive(Debug)]
struct Line {
    request: String,
    /// Longer requests too?
    prefix: bool,
    once: bool,
    reply: Reply,
}

/// `GET /path`, without the query.
fn line_of(request: &Request) -> String {
    format!("{} {}", request.method, request.path())
}

/// The host a request was sent to, without a port.
pub(super) fn host_of(request: &Request) -> String {
    let host = request.header("host").unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

impl Script {
    /// Remembers the request, and says what was scripted for it.
    pub(super) fn play(&self, request: &Request) -> Option<Reply> {
        let line = line_of(request);
        let authorization = request.header("authorization").unwrap_or_default().to_owned();
        locked(&self.seen).push(ReceivedRequest { request: line.clone(), host: host_of(request), authorization });
        let mut lines = locked(&self.lines);
        // The latest line counts.
        let at = lines.iter().rposition(|one| {
            let start = line.get(..one.request.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&one.request))
                && (one.prefix || line.len() == one.request.len())
        })?;
        if lines[at].once { Some(lines.remove(at).reply) } else { Some(lines[at].reply.clone()) }
    }

    /// Answers `GET /path` so, once or from now on.
    pub(super) fn answer(&self, request: &str, once: bool, reply: Reply) {
        locked(&self.lines).push(Line { request: request.to_owned(), prefix: false, once, reply });
    }

    /// Answers every request that begins so, from now on.
    pub(super) fn answer_all(&self, prefix: &str, reply: Reply) {
        locked(&self.lines).push(Line { request: prefix.to_owned(), prefix: true, once: false, reply });
    }

    /// Forgets what was scripted.
    pub(super) fn clear(&self) {
        locked(&self.lines).clear();
    }

    /// What has come, in order.
    pub(super) fn seen(&self) -> Vec<ReceivedRequest> {
        locked(&self.seen).clone()
    }

    /// The same as lines alone.
    pub(super) fn requests(&self) -> Vec<String> {
        locked(&self.seen).iter().map(|seen| seen.request.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(script: &Script, line: &str) -> Option<u16> {
        let bytes = format!("{line} HTTP/1.1\r\nHost: A.example:443\r\nAuthorization: who\r\n\r\n");
        let request = Request::read(&mut bytes.as_bytes(), &mut Vec::new()).unwrap().unwrap();
        script.play(&request).map(|reply| reply.status)
    }

    #[test]
    fn the_latest_line_that_fits_is_played() {
        let script = Script::default();
        script.answer_all("GET /a", Reply::new(403, "text/plain", ""));
        script.answer("GET /a/b", false, Reply::new(404, "text/plain", ""));
        script.answer("GET /a/b", true, Reply::new(500, "text/plain", ""));
        let asked = ["GET /a/b?x=y", "GET /A/b", "GET /a/b/c", "POST /a", "GET /é"];
        assert_eq!(asked.map(|line| play(&script, line)), [Some(500), Some(404), Some(403), None, None]);
        script.clear();
        assert_eq!(play(&script, "GET /a/b"), None);
        assert_eq!(script.requests()[..2], ["GET /a/b", "GET /A/b"]);
        let seen = &script.seen()[0];
        assert_eq!((seen.host.as_str(), seen.authorization.as_str()), ("a.example", "who"));
    }
}
