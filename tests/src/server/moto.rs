//! Starts moto, which stands for AWS: it implements EKS and STS well enough for AWS's own
//! clients. A relay in front of it records the requests and answers some of them itself.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::listener::{Listener, Open};
use super::proxy::connect;
use super::raw_http::Request;
use super::script::Script;
use super::scripted::Reply;
use super::{ServerError, ready, success, with_free_ports};
use crate::http::Http;
use crate::peers::{self, Peer};
use crate::process::{self, Scratch, Supervised, clean_environment, locked};

/// A running moto that knows nothing yet. Dropped, it is there for the next test.
///
/// All clusters of one moto and one region have the same issuer: it makes one
/// id per process.
#[derive(Debug)]
pub struct Moto {
    front: Listener,
    script: Arc<Script>,
    /// Taken only by drop.
    server: Option<Server>,
}

/// The program. It takes seconds to start and a moment to forget everything.
#[derive(Debug)]
struct Server {
    // The program stops before its folder goes: fields drop in this order.
    _program: Supervised,
    _scratch: Scratch,
    port: u16,
    direct: Http,
}

/// Unused servers.
static IDLE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

/// A cluster that EKS knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EksCluster {
    pub name: String,
    pub region: String,
    /// `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`.
    pub arn: String,
    /// Its API server's address. Nothing is there, and it ends in a slash.
    pub endpoint: String,
    /// `https://oidc.eks.REGION.amazonaws.com/id/ID`.
    pub issuer: String,
}

/// Who signed a request, and for which region and service; moto reads no more
/// of a signature than this.
fn signed(region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/eks/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=00"
    )
}

impl Server {
    fn start() -> Result<Self, ServerError> {
        let program = peers::locate(Peer::Moto)?;
        with_free_ports(|| {
            let scratch = Scratch::new("moto").map_err(ServerError::io("making a folder"))?;
            let port = process::port().map_err(ServerError::io("choosing a port"))?;
            let arguments = ["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()];
            let server = Supervised::start(&scratch, "moto", &program, arguments, |command| {
                clean_environment(command, scratch.path(), &[]);
                command.current_dir(scratch.path());
            });
            let server = server.map_err(ServerError::io("starting moto"))?;
            let direct = Http::new(format!("http://127.0.0.1:{port}"), None, None)?;
            ready::wait(&server, || match direct.send("GET", "/moto-api/", &[], None) {
                Ok(answer) if answer.is_success() => Ok(()),
                Ok(answer) => Err(format!("/moto-api/: HTTP {}", answer.status)),
                Err(error) => Err(error.to_string()),
            })?;
            Ok(Self { _program: server, _scratch: scratch, port, direct })
        })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // What its tests made is gone: another one may make a cluster of that name.
        let Some(server) = self.server.take() else { return };
        if server.direct.send("POST", "/moto-api/reset", &[], None).is_ok_and(|answer| answer.is_success()) {
            locked(&IDLE).push(server);
        }
    }
}

impl Moto {
    /// Starts one without clusters and waits until it serves.
    ///
    /// # Errors
    /// It is missing, or does not become ready.
    pub fn start() -> Result<Self, ServerError> {
        let idle = locked(&IDLE).pop();
        let server = match idle {
            Some(server) => server,
            None => Server::start()?,
        };
        let script = Arc::new(Script::default());
        let (playing, port) = (Arc::clone(&script), server.port);
        let front = Listener::start(move |client, open| relay(&playing, client, port, open));
        let front = front.map_err(ServerError::io("starting a relay"))?;
        Ok(Self { front, script, server: Some(server) })
    }

    #[allow(clippy::expect_used, reason = "only drop takes it")]
    fn direct(&self) -> &Http {
        &self.server.as_ref().expect("a moto in use").direct
    }

    /// The relay's address, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.front.port())
    }

    /// Makes a cluster, past the relay.
    ///
    /// # Errors
    /// moto refuses: it has a cluster of that name in that region.
    pub fn create_cluster(&self, region: &str, name: &str) -> Result<EksCluster, ServerError> {
        let body = json!({"name": name, "roleArn": "arn:aws:iam::123456789012:role/eks",
            "resourcesVpcConfig": {"subnetIds": ["subnet-1"]}});
        let cluster = self.ask("POST", region, "/clusters", Some(&body))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(EksCluster {
            name: name.to_owned(),
            region: region.to_owned(),
            arn: text(&cluster["cluster"]["arn"]),
            endpoint: text(&cluster["cluster"]["endpoint"]),
            issuer: text(&cluster["cluster"]["identity"]["oidc"]["issuer"]),
        })
    }

    /// What DescribeCluster answers, past the relay: something to change and to
    /// give to [`Self::answer`].
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn describe(&self, region: &str, name: &str) -> Result<Value, ServerError> {
        self.ask("GET", region, &format!("/clusters/{name}"), None)
    }

    fn ask(&self, method: &str, region: &str, path: &str, body: Option<&Value>) -> Result<Value, ServerError> {
        let answer = self.direct().send(method, path, &[("authorization", &signed(region))], body)?;
        Ok(success(format!("{method} {path}"), answer)?.json())
    }

    /// From now on a request (`GET /clusters/prod`) is answered so, and moto
    /// does not see it. AWS's clients read the kind of an error in
    /// `error_type` (`AccessDeniedException`); none is sent when it is empty.
    pub fn answer(&self, request: &str, status: u16, error_type: &str, body: &Value) {
        self.script.answer(request, false, reply(status, error_type, body));
    }

    /// As [`Self::answer`], for the next such request alone.
    pub fn answer_once(&self, request: &str, status: u16, error_type: &str, body: &Value) {
        self.script.answer(request, true, reply(status, error_type, body));
    }

    /// Everything goes to moto again.
    pub fn pass_on(&self) {
        self.script.clear();
    }

    /// The requests that have come, as `GET /clusters/prod`, in order.
    pub fn requests(&self) -> Vec<String> {
        self.script.requests()
    }

    /// For whom and for what each of them was signed, as
    /// `AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/eks/aws4_request`.
    pub fn credential_scopes(&self) -> Vec<String> {
        let scope = |authorization: &str| {
            let scope = authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next());
            scope.unwrap_or_default().to_owned()
        };
        self.script.seen().iter().map(|seen| scope(&seen.authorization)).collect()
    }
}

fn reply(status: u16, error_type: &str, body: &Value) -> Reply {
    let reply = Reply::json(status, body).with("Connection", "close");
    if error_type.is_empty() { reply } else { reply.with("x-amzn-errortype", error_type) }
}

/// One request, which has the connection for itself.
fn relay(script: &Script, mut client: TcpStream, target: u16, open: &Open) -> io::Result<()> {
    let Some(request) = Request::read(&mut client, &mut Vec::new())? else { return Ok(()) };
    if let Some(reply) = script.play(&request) {
        reply.send(&mut client, open)?;
        return client.shutdown(Shutdown::Both);
    }
    let mut server = connect(target)?;
    let _kept = open.keep(&server)?;
    server.write_all(&request.as_last())?;
    // moto closes the connection after its answer, which says so to the client.
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}
