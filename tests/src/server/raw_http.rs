//! Reads HTTP/1.1 requests from a connection, one after the other.

use std::io::{self, Read};

/// A request with its whole body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path as sent, with the query.
    pub(super) target: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// Largest head and body that are read; clients of tests send less.
const HEAD_LIMIT: usize = 64 * 1024;
const BODY_LIMIT: usize = 16 * 1024 * 1024;
const HEADERS: usize = 64;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads more into `buffer`; false at the end of the connection.
fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 8 * 1024];
    let length = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..length]);
    Ok(length > 0)
}

/// The head at the front of `buffer` and its length, once it is complete.
fn head(buffer: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => {
            let request = Request {
                method: parsed.method.unwrap_or_default().to_owned(),
                target: parsed.path.unwrap_or_default().to_owned(),
                headers: parsed.headers.iter().map(|one| (one.name.to_owned(), one.value.to_vec())).collect(),
                body: Vec::new(),
            };
            Ok(Some((request, length)))
        }
        Ok(httparse::Status::Partial) if buffer.len() > HEAD_LIMIT => Err(invalid("head too large")),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(invalid("not a request")),
    }
}

impl Request {
    /// The next request; none at the end of the connection. `buffer` keeps
    /// what has been read of the one after it.
    pub(super) fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let (mut request, length) = loop {
            if let Some(found) = head(buffer)? {
                break found;
            }
            if !more(stream, buffer)? {
                return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        buffer.drain(..length);
        if request.header("transfer-encoding").is_some() {
            return Err(invalid("a body without Content-Length"));
        }
        let length = match request.header("content-length") {
            Some(length) => length.parse().map_err(|_| invalid("Content-Length is no number"))?,
            None => 0,
        };
        if length > BODY_LIMIT {
            return Err(invalid("body too large"));
        }
        while buffer.len() < length {
            if !more(stream, buffer)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        request.body = buffer.drain(..length).collect();
        Ok(Some(request))
    }

    /// The first header of this name, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The bytes of the request, as the last one on its connection.
    pub(super) fn as_last(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"Connection: close\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_follow_each_other() {
        let mut stream = &b"POST /v1/a?b=c HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\ncontent-length: 3\r\n\r\nabcGET /d HTTP/1.1\r\n\r\n"[..];
        let mut buffer = Vec::new();
        let first = Request::read(&mut stream, &mut buffer).unwrap().unwrap();
        assert_eq!((first.path(), first.body.as_slice(), first.header("HOST")), ("/v1/a", &b"abc"[..], Some("x")));
        let sent = "POST /v1/a?b=c HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\nConnection: close\r\n\r\nabc";
        assert_eq!(String::from_utf8(first.as_last()).unwrap(), sent);
        let second = Request::read(&mut stream, &mut buffer).unwrap().unwrap();
        assert_eq!((second.method.as_str(), second.target.as_str()), ("GET", "/d"));
        assert!(Request::read(&mut stream, &mut buffer).unwrap().is_none());
    }

    #[test]
    fn half_a_request_is_an_error() {
        for half in ["GET / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"] {
            assert!(Request::read(&mut half.as_bytes(), &mut Vec::new()).is_err(), "{half}");
        }
    }
}
