use super::*;
use crate::address::Address;
use crate::connection::flight::Flight;
use crate::peer::{Peer, answer};
use crate::vault::Target;
use shared::mount::MountPath;

/// What a revocation comes to that gets these responses, with the port as PORT.
fn revoked(token: &str, answers: &[&str]) -> Result<Revoked, String> {
    revoked_of(token, false, answers)
}

fn revoked_of(token: &str, lives: bool, answers: &[&str]) -> Result<Revoked, String> {
    let peer = Peer::start(answers);
    let target = Target {
        address: Address::parse(&format!("http://127.0.0.1:{}", peer.port)).unwrap(),
        namespace: None,
        mount: MountPath::parse("jwt").unwrap(),
        role: None,
    };
    let (vault, port) = (Vault::new(target, None, None, None, Flight::default()), peer.port.to_string());
    let result = revoke(
        &vault,
        &Secret::new(token),
        &Expected { accessor: Some("known".into()), lives },
        Duration::from_secs(5),
    );
    let requests = peer.requests();
    assert!(requests[0].starts_with("POST /v1/auth/token/revoke-self "), "{}", requests[0]);
    assert!(requests.iter().skip(1).all(|request| request.starts_with("GET /v1/auth/token/lookup-self ")));
    result.map_err(|error| error.to_string().replace(&port, "PORT"))
}

#[test]
fn what_a_response_says_about_the_token() {
    let errors = |words: &str| answer(403, "", &format!("{{\"errors\":[\"{words}\"]}}"));
    let bare = errors("permission denied");
    let by_policy = errors("1 error occurred:\\n\\t* permission denied\\n\\n");
    let invalid = errors("2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n");
    let batch = answer(400, "", "{\"errors\":[\"batch tokens cannot be revoked\"]}");
    assert_eq!(revoked("hvs.a", &[&answer(204, "", "")]), Ok(Revoked::Now));
    assert_eq!(revoked("hvb.a", &[&batch]), Ok(Revoked::Batch));
    assert_eq!(revoked("hvs.a", &[&invalid]), Ok(Revoked::Before));
    assert_eq!(revoked("hvs.a", &[&by_policy, &invalid]), Ok(Revoked::Before));
    assert_eq!(revoked("s.a", &[&bare, &bare]), Ok(Revoked::Before));

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
    assert_eq!(revoked("s.a", &[&by_policy, &answer(503, "", "")]), unknown(&counted));
    let lives = |ttl: u32, expires: &str| {
        let data = format!("\"path\":\"p\",\"ttl\":{ttl},\"expire_time\":{expires},\"accessor\":\"told\"");
        answer(200, "", &format!("{{\"data\":{{{data}}}}}"))
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
    assert_eq!(revoked("s.a", &[&answer(503, "", "")]), Err(sealed.to_owned()));
}

#[test]
fn an_accessor_puts_no_words_into_the_command() {
    let denied = Denied::read(
        crate::token::Call::Revoke,
        &Address::parse("https://vault").unwrap(),
        403,
        b"{\"errors\":[\"no\"]}",
        None,
        &Secret::new("t"),
    );
    let hint = |accessor: Option<&str>| {
        let accessor = accessor.map(str::to_owned);
        NotRevoked { denied: denied.clone(), accessor, valid: None }.hint()
    };
    let told = |accessor: &str| {
        format!(
            "run: vault token revoke -accessor {accessor}; to allow it from the pod, grant \"update\" on \
             auth/token/revoke-self with a policy of the role"
        )
    };
    assert_eq!(hint(Some("abC1")), told("abC1"));
    for odd in [None, Some("a; id"), Some("-h")] {
        assert_eq!(hint(odd), told("<ACCESSOR>"), "{odd:?}");
    }
}

#[test]
fn what_is_revoked_at_the_end() {
    let granted = |token: &str| Granted {
        token: Secret::new(token),
        lease: None,
        role: None,
        accessor: String::new(),
        policies: Vec::new(),
        renewable: false,
        uses: 0,
    };
    let live = LiveTokens::default();
    let of = |the_stored: bool| -> Vec<String> {
        let all = live.all();
        all.iter().filter(|one| the_stored || !one.stored).map(|one| one.token.expose().to_owned()).collect()
    };
    live.reused(&granted("old"));
    assert_eq!((of(true), of(false)), (vec!["old".into()], Vec::new()));
    live.granted(&granted("new"));
    // The one that waits for its place is revoked in any case.
    assert_eq!((of(true), of(false)), (vec!["old".into(), "new".into()], vec!["new".into()]));
    live.stored(&granted("new"));
    assert_eq!((of(true), of(false)), (vec!["new".into()], Vec::new()));
    live.granted(&granted("third"));
    live.forget(&Secret::new("third"));
    assert_eq!(of(false), Vec::<String>::new());
    assert!(live.is_stored());
}
