//! Decides whether the token in the token file is reused by `--watch` and
//! `--renew`: only if Vault says that it is one that a login would grant again.
//! A shared volume may hold a token that another container put there.

use crate::cli::settings::Settings;
use crate::command::error::{Error, Failure};
use crate::command::login::Login;
use crate::command::messages::once_per_text;
use crate::files::existing_token;
use crate::files::jwt_file;
use crate::lease::retry::until_done;
use crate::log::Message;
use crate::process::clock::SystemClock;
use crate::vault::flat_json::FlatJson;
use crate::vault::login_response::Granted;
use crate::vault::target::Target;
use crate::vault::token_self::TokenLookup;
use shared::jwt;
use std::path::Path;
use std::time::Duration;

/// A token with less than this left is not worth reusing: Vault answers `ttl: 0`
/// in the last second.
const SHORTEST_TTL: Duration = Duration::from_secs(2);

/// The token in the file, if only this user can have written it and a login would grant it again.
pub fn reusable_token(
    settings: &Settings,
    login: &mut Login<'_>,
    tell: &mut dyn FnMut(&Message<'_>),
) -> Result<Option<Granted>, Failure> {
    let Some(path) = &settings.token_file else { return Ok(None) };
    let token = match existing_token::read_own(path) {
        Ok(Ok(token)) => token,
        Ok(Err(why)) => return Ok(left(path, why, tell)),
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => {
            tell(&Message::warn(format!("{error}; logging in")));
            return Ok(None);
        }
    };
    let claims = match claims(&settings.jwt_file) {
        Ok(claims) => claims,
        Err(error) => return Ok(left(path, &error.to_string(), tell)),
    };
    let look_up = |time| login.vault().look_up(&token, time).map_err(Error::from);
    let known = match until_done(
        settings.timeout,
        &mut SystemClock::start(),
        look_up,
        Error::retry_kind,
        once_per_text(tell),
    ) {
        Ok(known) => known,
        // It expired, or never was one.
        Err(end) if end.last.exit_code() == 77 => {
            return Ok(left(path, "it is not valid, or not allowed to look itself up", tell));
        }
        Err(end) => return Err(end.into()),
    };
    if let Some(why) = foreign(&known, &settings.target, &claims) {
        return Ok(left(path, why, tell));
    }
    let role = known.role().map(str::to_owned);
    let TokenLookup { lease, accessor, policies, .. } = known;
    Ok(Some(Granted { token, lease: lease.ttl, role, accessor, policies, renewable: lease.renewable, uses: 0 }))
}

fn left(path: &Path, why: &str, tell: &mut dyn FnMut(&Message<'_>)) -> Option<Granted> {
    let path = path.display();
    tell(&Message::warn(format!("not reusing the token in \"{path}\": {why}; logging in")));
    None
}

/// The claims of the JWT, unverified: they are compared with what Vault says.
fn claims(file: &Path) -> Result<FlatJson, jwt_file::JwtFileError> {
    let jwt = jwt_file::read(file)?;
    let parts = jwt::segments(jwt.secret.expose()).ok();
    Ok(parts.and_then(|parts| serde_json::from_slice(&parts.claims).ok()).unwrap_or_default())
}

/// The claims that name a service account.
const ACCOUNT: [&str; 3] = ["sub", "kubernetes.io/serviceaccount/uid", "kubernetes.io/serviceaccount/name"];

/// Why a token is not the one that a login with these claims would grant; `None`
/// if it is.
fn foreign(known: &TokenLookup, target: &Target, claims: &FlatJson) -> Option<&'static str> {
    if known.path != format!("auth/{}/login", target.mount) {
        return Some("it is from another auth mount");
    }
    match (&target.role, known.role()) {
        // Only a login tells which role a login without one gets.
        (None, _) => return Some("no role is given that it could be compared with"),
        (Some(role), Some(of)) if role == of => {}
        _ => return Some("it is from another role"),
    }
    if !same_service_account(known, target, claims) {
        return Some("it is from another service account");
    }
    // The lookup itself has used it once.
    if known.uses != 0 {
        return Some("its number of uses is limited (token_num_uses)");
    }
    known.lease.ttl.filter(|ttl| *ttl < SHORTEST_TTL).map(|_| "it is about to expire")
}

/// Whether the alias of the token, which is the value of the role's `user_claim`, and
/// the claims that the role maps to metadata are those of this JWT. Which claim a role
/// uses cannot be seen from a pod, so it has to be one that names the service account.
fn same_service_account(known: &TokenLookup, target: &Target, claims: &FlatJson) -> bool {
    // Vault writes the path with hyphens, in a namespace all of it (core.handleLoginRequest;
    // seen on OpenBao 2.7.2).
    let mount = target.mount.as_str().replace('/', "-");
    let in_namespace = target.namespace.as_deref().map(|namespace| {
        let namespace = namespace.trim_matches('/').replace('/', "-");
        format!("{namespace}-auth-{mount}-")
    });
    let prefixes = [Some(format!("{mount}-")), in_namespace];
    let alias = prefixes.iter().flatten().find_map(|prefix| known.display_name.strip_prefix(prefix.as_str()));
    let Some(alias) = alias.filter(|alias| !alias.is_empty()) else { return false };
    let named = ACCOUNT.iter().any(|path| claims.get(path) == Some(alias));
    let mut mapped = known.metadata.iter().filter(|(name, _)| *name != "role");
    named && mapped.all(|(_, value)| claims.iter().any(|(_, claim)| claim == value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::address::Address;
    use serde_json::json;
    use shared::lease::Lease;
    use shared::mount::MountPath;

    fn target(role: Option<&str>) -> Target {
        Target {
            address: Address::parse("https://v").unwrap(),
            namespace: None,
            mount: MountPath::parse("k8s/prod").unwrap(),
            role: role.map(str::to_owned),
        }
    }

    fn jwt_claims() -> FlatJson {
        let claims = json!({"iss": "https://a", "sub": "system:serviceaccount:shop:web", "kubernetes.io": {
            "namespace": "shop", "pod": {"name": "web-1", "uid": "pod-uid"},
            "serviceaccount": {"name": "web", "uid": "account-uid"}}});
        serde_json::from_value(claims).unwrap()
    }

    /// What Vault says of a token of a role that `setup` made, with these changes.
    fn known(change: impl Fn(&mut TokenLookup)) -> TokenLookup {
        let metadata = [("role", "app"), ("service_account_name", "web"), ("service_account_namespace", "shop")];
        let mut known = TokenLookup {
            lease: Lease { ttl: Some(Duration::from_secs(60)), renewable: true },
            path: "auth/k8s/prod/login".to_owned(),
            metadata: metadata.iter().fold(FlatJson::default(), |flat, (name, value)| flat.with(name, value)),
            display_name: "k8s-prod-account-uid".to_owned(),
            uses: 0,
            accessor: String::new(),
            policies: Vec::new(),
        };
        change(&mut known);
        known
    }

    fn why(asked: Option<&str>, change: impl Fn(&mut TokenLookup)) -> Option<&'static str> {
        foreign(&known(change), &target(asked), &jwt_claims())
    }

    #[test]
    fn only_a_token_of_this_mount_and_role_is_reused() {
        assert_eq!(why(Some("app"), |_| {}), None);
        assert_eq!(why(None, |_| {}), Some("no role is given that it could be compared with"));
        assert_eq!(why(Some("admin"), |_| {}), Some("it is from another role"));
        assert_eq!(why(Some("app"), |known| known.metadata = FlatJson::default()), Some("it is from another role"));
        for path in ["auth/k8s/login", "auth/token/create", "auth/token/root"] {
            let why = why(Some("app"), |known| known.path = path.to_owned());
            assert_eq!(why, Some("it is from another auth mount"), "{path}");
        }
    }

    #[test]
    fn only_a_token_of_this_service_account_is_reused() {
        let other = Some("it is from another service account");
        for (alias, expected) in [
            ("account-uid", None),
            ("system:serviceaccount:shop:web", None),
            ("web", None),
            ("another-uid", other),
            ("system:serviceaccount:shop:admin", other),
            // Claims of ours that do not name a service account: one may be called so.
            ("shop", other),
            ("https://a", other),
            ("web-1", other),
            ("", other),
        ] {
            let why = why(Some("app"), |known| known.display_name = format!("k8s-prod-{alias}"));
            assert_eq!(why, expected, "{alias}");
        }
        assert_eq!(why(Some("app"), |known| known.display_name = "account-uid".into()), other);
        let in_namespace = Target { namespace: Some("team/inner".into()), ..target(Some("app")) };
        let named =
            |name: &str| foreign(&known(|known| known.display_name = name.into()), &in_namespace, &jwt_claims());
        assert_eq!(named("team-inner-auth-k8s-prod-account-uid"), None);
        assert_eq!(named("team-auth-k8s-prod-account-uid"), other);
        // The same name in another namespace.
        let metadata = |name: &str, value: &str| {
            why(Some("app"), |known| known.metadata = known.metadata.clone().with(name, value))
        };
        assert_eq!(metadata("service_account_namespace", "bank"), other);
        assert_eq!(metadata("pod", "pod-uid"), None);
        let plain = foreign(&known(|_| {}), &target(Some("app")), &FlatJson::default());
        assert_eq!(plain, other);
    }

    #[test]
    fn a_token_without_a_future_is_not_reused() {
        let ttl = |ttl: Option<u64>| why(Some("app"), |known| known.lease.ttl = ttl.map(Duration::from_secs));
        assert_eq!(ttl(Some(0)), Some("it is about to expire"));
        assert_eq!((ttl(Some(2)), ttl(None)), (None, None));
        for uses in [-1, 3] {
            let why = why(Some("app"), |known| known.uses = uses);
            assert_eq!(why, Some("its number of uses is limited (token_num_uses)"));
        }
    }
}
