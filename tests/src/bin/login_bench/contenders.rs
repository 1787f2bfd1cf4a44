//! The programs that log in, and the Vault server they log in to.

use super::Failure;
use super::measure::{Cost, run, valgrind};
use harness::keys::{Alg, SigningKey};
use harness::peers;
use harness::process::clean_environment;
use harness::server::{Product, VaultOptions, VaultServer};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The names that limits are about.
pub const OURS: &str = "vault-jwt-login";
pub const AGENT: &str = "agent";
pub const CURL: &str = "curl";

/// A program with its arguments, and the file in which the login ends.
pub struct Contender {
    pub name: &'static str,
    program: PathBuf,
    /// The programs whose bytes count.
    pub programs: Vec<PathBuf>,
    arguments: Vec<String>,
    result: PathBuf,
}

/// A Vault, and all who log in to it.
pub struct Bench {
    vault: VaultServer,
    folder: PathBuf,
    pub contenders: Vec<Contender>,
    /// Goes away with the bench.
    _place: tempfile::TempDir,
}

/// The costs of one contender, round by round.
pub type Row = (&'static str, Vec<Cost>);

impl Bench {
    /// A mount with one key, a role, and a JWT in a file.
    pub fn start(product: Product, pod: &Path) -> Result<Self, Failure> {
        let vault = VaultServer::start(VaultOptions::new(product))?;
        let key = SigningKey::generate(Alg::Rs256)?;
        vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"})))?;
        vault.ok("POST", "auth/jwt/config", Some(&json!({"jwt_validation_pubkeys": [key.public_pem()]})))?;
        // Batch tokens: what Vault's storage takes to write a token down is not the client's either.
        let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_ttl": "1h",
            "token_type": "batch"});
        vault.ok("POST", "auth/jwt/role/app", Some(&role))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        // About as long as a projected token.
        let claims = json!({
            "aud": ["vault"], "exp": now + 3_600, "iat": now, "nbf": now, "iss": "https://kubernetes.default.svc.cluster.local",
            "jti": "0c3f2f1e-6b0a-4d0e-9f53-5a2b5f0c8f11", "sub": "system:serviceaccount:shop:app",
            "kubernetes.io": {"namespace": "shop", "node": {"name": "node-1", "uid": "5f1c9f9e-2f0d-4b43-8f9e-3d8f7b1b2a10"},
                "pod": {"name": "app-7d9c6b5f4-x2x9k", "uid": "9f0d4b43-8f9e-3d8f-7b1b-2a105f1c9f9e"},
                "serviceaccount": {"name": "app", "uid": "8f9e3d8f-7b1b-2a10-5f1c-9f9e2f0d4b43"}}
        });
        let jwt = key.sign(&claims)?;
        // In memory, as a pod's volume for tokens is: what a disk takes to be sure is not ours.
        let memory = Path::new("/dev/shm");
        let place = tempfile::Builder::new().prefix("logins").tempdir_in(if memory.is_dir() {
            memory
        } else {
            vault.scratch().path()
        })?;
        let folder = place.path().to_owned();
        std::fs::write(folder.join("jwt"), &jwt)?;
        std::fs::write(folder.join("body"), json!({"role": "app", "jwt": jwt}).to_string())?;
        let contenders = contenders(&vault, product, pod, &folder)?;
        Ok(Self { vault, folder, contenders, _place: place })
    }

    fn command(&self, program: &Path, arguments: &[String]) -> Command {
        let mut command = Command::new(program);
        clean_environment(&mut command, &self.folder, &[]);
        command.args(arguments).envs(self.vault.client_environment()).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn logins(&self) -> usize {
        self.vault.audit_requests().len()
    }

    /// All in turn, `rounds` times, each round beginning with another.
    pub fn measure(&self, rounds: usize) -> Result<Vec<Row>, Failure> {
        let mut rows: Vec<Row> = self.contenders.iter().map(|contender| (contender.name, Vec::new())).collect();
        let count = self.contenders.len();
        // The first round fills caches and is not counted.
        for round in 0..=rounds {
            for turn in 0..count {
                let at = (round + turn) % count;
                let contender = &self.contenders[at];
                let _ = std::fs::remove_file(&contender.result);
                let before = self.logins();
                let mut cost = run(&mut self.command(&contender.program, &contender.arguments))
                    .map_err(|error| format!("{}: {error}", contender.name))?;
                cost.requests = self.logins() - before;
                let left = std::fs::metadata(&contender.result).map(|file| file.len()).unwrap_or_default();
                if left < 20 {
                    return Err(format!("{} left no token", contender.name).into());
                }
                if round > 0 {
                    rows[at].1.push(cost);
                }
            }
        }
        Ok(rows)
    }

    fn ours(&self) -> Result<&Contender, Failure> {
        self.contenders.iter().find(|contender| contender.name == OURS).ok_or_else(|| "ours is missing".into())
    }

    /// Instructions of a login of ours.
    pub fn instructions(&self) -> Result<u64, Failure> {
        let ours = self.ours()?;
        let mut command = self.command(Path::new("valgrind"), &[]);
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(&ours.program).args(&ours.arguments);
        valgrind(&mut command)
    }

    /// The most memory that a login of ours took, in KiB: of one that stays,
    /// since what the kernel tells of one that is gone begins with the memory
    /// of the program that started it.
    pub fn memory(&self) -> Result<u64, Failure> {
        let ours = self.ours()?;
        let _ = std::fs::remove_file(&ours.result);
        let mut child = self.command(&ours.program, &ours.arguments).arg("--watch").spawn()?;
        let start = Instant::now();
        while !ours.result.exists() && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(100));
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        child.kill()?;
        child.wait()?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        Ok(most.and_then(|line| line.split_whitespace().next()).ok_or("no memory is told")?.parse()?)
    }
}

fn contenders(vault: &VaultServer, product: Product, pod: &Path, folder: &Path) -> Result<Vec<Contender>, Failure> {
    let server = peers::locate(product.peer())?;
    let at = |name: &str| folder.join(name).display().to_string();
    let ca = vault.ca_file().ok_or("Vault has no TLS")?.display().to_string();
    let url = format!("{}/v1/auth/jwt/login", vault.address());
    let config = json!({
        "exit_after_auth": true,
        "vault": [{"address": vault.address(), "ca_cert": ca}],
        "auto_auth": [{
            "method": [{"type": "jwt", "mount_path": "auth/jwt",
                "config": [{"path": at("jwt"), "role": "app", "remove_jwt_after_reading": false}]}],
            "sinks": [{"sink": [{"type": "file", "config": [{"path": at("agent-token")}]}]}]
        }]
    });
    std::fs::write(folder.join("agent.json"), config.to_string())?;
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let script = |text: String| owned(&["-c", &text]);
    let write = format!("{} write -field=token auth/jwt/login role=app jwt=@jwt >cli-token", server.display());
    let curl = |rest: &str| format!("curl -sS --cacert {ca} -X POST -H 'Content-Type: application/json' {rest} {url}");
    let by_hand = format!(
        "printf '{{\"role\":\"app\",\"jwt\":\"%s\"}}' \"$(cat jwt)\" | {} | \
         python3 -c 'import json,sys; sys.stdout.write(json.load(sys.stdin)[\"auth\"][\"client_token\"])' >shell-token",
        curl("-d @-")
    );
    let sh = Path::new("/bin/sh");
    let contender = |name, program: &Path, programs: &[&Path], arguments, result: &str| Contender {
        name,
        program: program.to_owned(),
        programs: programs.iter().map(|program| program.to_path_buf()).collect(),
        arguments,
        result: folder.join(result),
    };
    let mut all = vec![
        contender(
            OURS,
            pod,
            &[pod],
            owned(&["--quiet", "--role=app", "--jwt-file=jwt", &format!("--token-file={}", at("token"))]),
            "token",
        ),
        contender(
            AGENT,
            &server,
            &[&server],
            owned(&["agent", "-log-level=error", &format!("-config={}", at("agent.json"))]),
            "agent-token",
        ),
        // The shell is only there for the file.
        contender("CLI write", sh, &[&server], script(write), "cli-token"),
    ];
    match which("curl") {
        Some(program) => {
            let words = owned(&["-sS", "--cacert", &ca, "-X", "POST", "-d", "@body", "-o", "curl-answer", &url]);
            all.push(contender(CURL, &program, &[&program], words, "curl-answer"));
            let python = which("python3").ok_or("python3 is not installed")?;
            let programs = [sh, &program, &python];
            all.push(contender("sh+curl+python", sh, &programs, script(by_hand), "shell-token"));
        }
        None => println!("SKIPPED: curl is not installed; without it ours is compared with Vault's own clients only"),
    }
    Ok(all)
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
