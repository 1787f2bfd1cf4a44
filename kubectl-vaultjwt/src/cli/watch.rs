//! Flags of `sync --watch`.

use crate::cli::values::{OneOf, no_format};
use clap::{Args, ValueEnum};
use shared::mount::MountPath;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How a run goes on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watch")]
pub struct WatchFlags {
    /// Keep running: read the clusters' keys again and again, and change the mount when they change
    #[arg(
        long,
        conflicts_with_all = [
            "enroll", "prune", "adopt", "replace_keys", "clear_bound_issuer", "trust_issuer", "dry_run", "output"
        ]
    )]
    pub watch: bool,

    /// Time between two reads of a cluster's keys, 60s for API servers and 5m for issuers' own sites if not given
    #[arg(long, value_name = "DURATION", value_parser = parse_interval, requires = "watch")]
    pub interval: Option<Duration>,

    /// Log in to Vault with this role and the service account token, at first and whenever there is no token
    #[arg(long, value_name = "ROLE", requires = "watch")]
    pub auth_role: Option<String>,

    /// Path of the auth mount to log in at, of type jwt or kubernetes (that of --mount if not given)
    #[arg(long, value_name = "PATH", requires = "auth_role")]
    pub auth_mount: Option<MountPath>,

    /// File with the service account token to log in with [default: /var/run/secrets/tokens/vault-token] [env: VAULT_JWT_FILE]
    #[arg(long, value_name = "FILE", requires = "auth_role")]
    pub auth_jwt_file: Option<PathBuf>,

    /// Log in like this where --auth-role is refused, as after a rotation of its own cluster while it did not run: mount=PATH,role=ROLE[,jwt-file=FILE], or for AppRole role-id-file=FILE[,secret-id-file=FILE], with ,mount=PATH where it is not at approle
    #[arg(long, value_name = "HOW", requires = "watch")]
    pub auth_fallback: Option<Fallback>,

    /// Serve /metrics, /healthz and /readyz at this address, for example :9102
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address, requires = "watch")]
    pub metrics_addr: Option<SocketAddr>,

    /// Format of the log on stderr. One of: (text, json)
    #[arg(long, value_name = "FORMAT", value_parser = OneOf(no_format::<LogFormat>), default_value = "text", requires = "watch")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The second way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// With a service account token.
    Jwt {
        mount: MountPath,
        role: String,
        /// The file with the token; that of --auth-jwt-file if not given.
        jwt_file: Option<PathBuf>,
    },
    /// With `AppRole`.
    AppRole { mount: MountPath, role_id_file: PathBuf, secret_id_file: Option<PathBuf> },
}

impl FromStr for Fallback {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (mut mount, mut role) = (None, None);
        let (mut jwt_file, mut role_id_file, mut secret_id_file) = (None, None, None);
        for part in typed.split(',') {
            let (name, value) = part
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| format!("\"{part}\" is not of the form name=value"))?;
            let twice = match name {
                "mount" => mount.replace(MountPath::parse(value).map_err(|why| why.to_string())?).is_some(),
                "role" => role.replace(value.to_owned()).is_some(),
                "jwt-file" => jwt_file.replace(PathBuf::from(value)).is_some(),
                "role-id-file" => role_id_file.replace(PathBuf::from(value)).is_some(),
                "secret-id-file" => secret_id_file.replace(PathBuf::from(value)).is_some(),
                _ => return Err(format!("\"{name}\" is none of mount, role, jwt-file, role-id-file, secret-id-file")),
            };
            if twice {
                return Err(format!("\"{name}\" is there twice"));
            }
        }
        match (role, role_id_file) {
            (Some(role), None) if secret_id_file.is_none() => {
                let mount =
                    mount.ok_or("role also needs mount: the one that --auth-role logs in at is refused by then")?;
                Ok(Self::Jwt { mount, role, jwt_file })
            }
            (None, Some(role_id_file)) if jwt_file.is_none() => {
                let approle = || MountPath::parse("approle").map_err(|why| why.to_string());
                Ok(Self::AppRole { mount: mount.map_or_else(approle, Ok)?, role_id_file, secret_id_file })
            }
            _ => Err("it needs either mount and role, or role-id-file".to_owned()),
        }
    }
}

fn parse_interval(typed: &str) -> Result<Duration, String> {
    let interval = shared::duration::parse(typed).map_err(|why| why.to_string())?;
    match interval {
        interval if interval < Duration::from_secs(1) => Err("it is shorter than 1s".to_owned()),
        interval if interval > Duration::from_secs(86_400) => Err("it is longer than 24h".to_owned()),
        interval => Ok(interval),
    }
}

/// `host:port`, or `:port` for all addresses of the machine.
fn parse_address(typed: &str) -> Result<SocketAddr, String> {
    let all = typed.strip_prefix(':').and_then(|port| port.parse().ok());
    let all = all.map(|port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    all.map_or_else(|| typed.parse(), Ok)
        .map_err(|_| "it is not of the form 127.0.0.1:9102, [::1]:9102 or :9102".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str) -> MountPath {
        MountPath::parse(path).unwrap()
    }

    #[test]
    fn a_fallback_is_a_second_mount_or_approle() {
        assert_eq!(
            "mount=k8s/ops,role=sync".parse(),
            Ok(Fallback::Jwt { mount: mount("k8s/ops"), role: "sync".into(), jwt_file: None })
        );
        assert_eq!(
            "role=sync,jwt-file=/t,mount=ops".parse(),
            Ok(Fallback::Jwt { mount: mount("ops"), role: "sync".into(), jwt_file: Some("/t".into()) })
        );
        assert_eq!(
            "role-id-file=/r".parse(),
            Ok(Fallback::AppRole { mount: mount("approle"), role_id_file: "/r".into(), secret_id_file: None })
        );
        assert_eq!(
            "role-id-file=/r,secret-id-file=/s,mount=m".parse(),
            Ok(Fallback::AppRole { mount: mount("m"), role_id_file: "/r".into(), secret_id_file: Some("/s".into()) })
        );
    }

    #[test]
    fn what_is_no_fallback_says_why() {
        for (typed, why) in [
            ("approle", "\"approle\" is not of the form name=value"),
            ("role=", "\"role=\" is not of the form name=value"),
            ("secret-id=s3cret", "\"secret-id\" is none of mount, role, jwt-file, role-id-file, secret-id-file"),
            ("role=a", "role also needs mount: the one that --auth-role logs in at is refused by then"),
            ("mount=a", "it needs either mount and role, or role-id-file"),
            ("mount=a,role=b,role-id-file=/r", "it needs either mount and role, or role-id-file"),
            ("role-id-file=/r,jwt-file=/j", "it needs either mount and role, or role-id-file"),
            ("role=a,role=b", "\"role\" is there twice"),
        ] {
            assert_eq!(typed.parse::<Fallback>(), Err(why.to_owned()), "{typed}");
        }
    }

    #[test]
    fn intervals_and_addresses() {
        assert_eq!(parse_interval("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_interval("100ms"), Err("it is shorter than 1s".into()));
        assert_eq!(parse_interval("2d"), Err("it is longer than 24h".into()));
        assert_eq!(parse_address(":9102").map(|a| a.to_string()), Ok("[::]:9102".into()));
        assert_eq!(parse_address("127.0.0.1:1").map(|a| a.to_string()), Ok("127.0.0.1:1".into()));
        for typed in ["9102", ":", "localhost:1", ":99999"] {
            assert_eq!(parse_address(typed), Err("it is not of the form 127.0.0.1:9102, [::1]:9102 or :9102".into()));
        }
    }
}
