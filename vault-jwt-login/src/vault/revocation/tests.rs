use super::*;
use crate::connection::address::Address;
use crate::connection::in_flight::InFlight;
use crate::connection::test_server::{TestServer, response};
use crate::vault::target::Target;
use shared::mount::MountPath;

/// What a revocation comes to that gets these responses, with the port as PORT.
fn revoked(token: &str, responses: &[&str]) -> Result<RevokeOutcome, String> {
    revoked_of(token, false, responses)
}

fn revoked_of(token: &str, lives: bool, responses: &[&str]) -> Result<RevokeOutcome, String> {
    let server = TestServer::start(responses);
    let target = Target {
        address: Address::parse(&format!("http://127.0.0.1:{}", server.port)).unwrap(),
        namespace: None,
        mount: MountPath::parse("jwt").unwrap(),
        role: None,
    };
    let (vault, port) = (VaultClient::new(target, None, None, None, InFlight::default()), server.port.to_string());
    let result = revoke(
        &vault,
        &Secret::new(token),
        &Expected { accessor: Some("known".into()), lives },
        Duration::from_secs(5),
    );
    let requests = server.requests();
    assert!(requests[0].starts_with("POST /v1/auth/token/revoke-self "), "{}", requests[0]);
    assert!(requests.iter().skip(1).all(|request| request.starts_with("GET /v1/auth/token/lookup-self ")));
    result.map_err(|error| error.to_string().replace(&port, "PORT"))
}

#[test]
fn what_a_response_says_about_the_token() {
    let errors = |words: &str| response(403, "", &format!("{{\"errors\":[\"{words}\"]}}"));
    let bare = errors("permission denied");
    let by_policy = errors("1 error occurred:\\n\\t* permission denied\\n\\n");
    let invalid = errors("2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n");
    let batch = response(400, "", "{\"errors\":[\"batch tokens cannot be revoked\"]}");
    assert_eq!(revoked("hvs.a", &[&response(204, "", "")]), Ok(RevokeOutcome::Revoked));
    assert_eq!(revoked("hvb.a", &[&batch]), Ok(RevokeOutcome::BatchToken));
    assert_eq!(revoked("hvs.a", &[&invalid]), Ok(RevokeOutcome::AlreadyInvalid));
    assert_eq!(revoked("hvs.a", &[&by_policy, &invalid]), Ok(RevokeOutcome::AlreadyInvalid));
    assert_eq!(revoked("s.a", &[&bare, &bare]), Ok(RevokeOutcome::AlreadyInvalid));

    let denied = |words: &str| {
        format!("Vault at \"http://127.0.0.1:PORT\" did not revoke the token (status 403): {words}; the token")
    };
    let (plain, counted) = (denied("permission denied"), denied("1 error occurred: * permission denied"));
    let unknown = |start: &str| Err(format!("{start} may still be valid (accessor \"known\")"));
    // OpenBao, of a token that should be valid: it is used from an address outside of
    // token_bound_cidrs, or was revoked by another.
    assert_eq!(revoked_of("s.a", true, &[&bare, &bare]), unknown(&plain));
    // Vault, from an address outside token_bound_cidrs.
    assert_eq!(revoked("hvs.a", &[&bare, &bare]), unknown(&plain));
    assert_eq!(revoked("hvs.a", &[&by_policy, &by_policy]), unknown(&counted));
    assert_eq!(revoked("s.a", &[&by_policy, &bare]), unknown(&counted));
    assert_eq!(revoked("s.a", &[&by_policy, &response(503, "", "")]), unknown(&counted));
    let lives = |ttl: u32, expires: &str| {
        let data = format!("\"path\":\"p\",\"ttl\":{ttl},\"expire_time\":{expires},\"accessor\":\"told\"");
        response(200, "", &format!("{{\"data\":{{{data}}}}}"))
    };
    assert_eq!(
        revoked("s.a", &[&by_policy, &lives(59, "\"2026-11-30T14:38:48Z\"")]),
        Err(format!("{counted} is still valid for 59s (accessor \"told\")"))
    );
    assert_eq!(
        revoked("s.a", &[&by_policy, &lives(0, "null")]),
        Err(format!("{counted} is still valid and does not expire (accessor \"told\")"))
    );
    let sealed = "Vault at \"http://127.0.0.1:PORT\" cannot revoke the token now (status 503): no reason given";
    assert_eq!(revoked("s.a", &[&response(503, "", "")]), Err(sealed.to_owned()));
}
