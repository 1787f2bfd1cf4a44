//! What the presented certificates show about the server: the owner's API server over a
//! recorded way, or something that only resembles it.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::UnixTime;
use std::time::Duration;

type Ca = CertifiedIssuer<'static, KeyPair>;

const NAME: &str = "api.prod.example.com";
const URL: &str = "https://api.prod.example.com:6443";

fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn der(ca: &Ca) -> CertificateDer<'static> {
    ca.der().clone()
}

fn id(ca: &Ca) -> AuthorityId {
    authority_of(&der(ca)).unwrap()
}

fn handshake(ca: &Ca, names: &[&str], verified: &str) -> Handshake {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), ca).unwrap();
    Handshake {
        chain: vec![leaf.der().clone()],
        name: ServerName::try_from(verified.to_owned()).unwrap(),
        at: UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000)),
    }
}

/// An API server's certificate.
fn server(ca: &Ca) -> Handshake {
    handshake(ca, &[NAME, "kubernetes", API_SERVER_NAME, "10.96.0.1", "127.0.0.1"], NAME)
}

fn address(bundle: Option<&[&Ca]>) -> EndpointAddress {
    let bundle = bundle.map(|all| all.iter().map(|ca| der(ca)).collect());
    EndpointAddress { url: URL.into(), has_path: false, bundle, in_pod: false }
}

fn direct(ca: &Ca) -> Authority {
    Authority::Direct { id: id(ca), name: NAME.into() }
}

#[test]
fn the_identity_of_an_authority_is_that_of_its_key() {
    let ca = ca("prod");
    let again = {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        params.self_signed(ca.key()).unwrap()
    };
    assert_eq!(authority_of(again.der()), Some(id(&ca)));
    assert_eq!(authority_of(&CertificateDer::from(b"no certificate".to_vec())), None);
}

#[test]
fn direct_is_the_recorded_authority_alone_for_the_recorded_name() {
    let (prod, other) = (ca("prod"), ca("prod"));
    let recorded = [direct(&prod)];
    let plain = address(Some(&[&prod]));
    let reached = |address: &EndpointAddress, handshake: Handshake| address.reached(Some(&[handshake]), &recorded);
    assert_eq!(reached(&plain, server(&prod)), Reached::Direct);
    // Whatever URL, name or bundle the kubeconfig has.
    let tunnel = EndpointAddress { url: "https://127.0.0.1:55000".into(), ..plain.clone() };
    let by_another_name = Handshake { name: "kubernetes".try_into().unwrap(), ..server(&prod) };
    assert_eq!(reached(&tunnel, by_another_name), Reached::Direct);
    assert_eq!(reached(&address(Some(&[&other, &prod])), server(&prod)), Reached::Direct);
    let presented =
        |handshake: Handshake| Handshake { chain: [handshake.chain, vec![der(&prod)]].concat(), ..handshake };
    assert_eq!(reached(&address(None), presented(server(&prod))), Reached::Direct);
    for (what, address, handshake) in [
        ("an authority of one's own beside the victim's", address(Some(&[&prod, &other])), server(&other)),
        ("the victim's authority presented, and not used", address(Some(&[&other])), presented(server(&other))),
        ("a kubelet of the cluster", plain.clone(), handshake(&prod, &["node-1", "10.0.0.7"], "node-1")),
        ("a kubelet that is also named so", plain.clone(), handshake(&prod, &[NAME], NAME)),
        (
            "an API server of the same authority",
            plain.clone(),
            handshake(&prod, &["api.dev.example.com", API_SERVER_NAME], "api.dev.example.com"),
        ),
        (
            "a path on the victim",
            EndpointAddress { has_path: true, url: format!("{URL}/apis/evil.example/v1"), ..plain.clone() },
            server(&prod),
        ),
    ] {
        assert_eq!(reached(&address, handshake), Reached::Unrecorded, "{what}");
    }
    // A way that is recorded with a name that every cluster has is no direct one.
    for name in ["127.0.0.1", "kubernetes", API_SERVER_NAME, "10.96.0.1"] {
        let generic = [Authority::Direct { id: id(&prod), name: name.into() }];
        assert_eq!(plain.reached(Some(&[server(&prod)]), &generic), Reached::Unrecorded, "{name}");
    }
}

#[test]
fn an_expired_certificate_shows_nothing() {
    let prod = ca("prod");
    let old = Handshake { at: UnixTime::since_unix_epoch(Duration::from_secs(9_000_000_000_000)), ..server(&prod) };
    assert_eq!(address(Some(&[&prod])).reached(Some(&[old]), &[direct(&prod)]), Reached::Unrecorded);
}

#[test]
fn every_handshake_counts_and_none_shows_nothing() {
    let (prod, other) = (ca("prod"), ca("other"));
    let (address, recorded) = (address(Some(&[&prod, &other])), [direct(&prod)]);
    let indirect =
        [direct(&prod), Authority::Indirect { root: Root::Authority(id(&other)), url: URL.into(), name: None }];
    for (handshakes, recorded, reached) in [
        (Some(vec![]), &recorded[..], Reached::Unrecorded),
        (None, &recorded[..], Reached::Unrecorded),
        (Some(vec![server(&prod), server(&prod)]), &recorded[..], Reached::Direct),
        (Some(vec![server(&prod), server(&other)]), &recorded[..], Reached::Unrecorded),
        (Some(vec![server(&other), server(&prod)]), &recorded[..], Reached::Unrecorded),
        (Some(vec![server(&prod), server(&other)]), &indirect[..], Reached::Indirect),
        (Some(vec![server(&prod)]), &[][..], Reached::Unrecorded),
    ] {
        assert_eq!(address.reached(handshakes.as_deref(), recorded), reached, "{handshakes:?}");
    }
    // Servers that do not agree are not recorded as one.
    assert_eq!(address.way(Some(&[server(&prod), server(&prod)])), Some(direct(&prod)));
    assert_eq!(address.way(Some(&[server(&prod), server(&other)])), None);
    assert_eq!(address.way(Some(&[])), None);
}

#[test]
fn indirect_is_the_same_root_at_the_same_url() {
    let (proxy, other) = (ca("proxy"), ca("other"));
    let url = "https://rancher.example.com/k8s/clusters/c-1";
    let at = |url: &str, bundle: Option<&[&Ca]>| EndpointAddress { url: url.into(), has_path: true, ..address(bundle) };
    let shown = || handshake(&proxy, &["rancher.example.com"], "rancher.example.com");
    let recorded = [Authority::Indirect { root: Root::Authority(id(&proxy)), url: url.into(), name: None }];
    let reached = |address: &EndpointAddress| address.reached(Some(&[shown()]), &recorded);
    assert_eq!(reached(&at(url, Some(&[&proxy]))), Reached::Indirect);
    assert_eq!(reached(&at("https://rancher.example.com/k8s/clusters/c-2", Some(&[&proxy]))), Reached::Unrecorded);
    assert_eq!(reached(&at("https://rancher.example.com:444/k8s/clusters/c-1", Some(&[&proxy]))), Reached::Unrecorded);
    let forged = handshake(&other, &["rancher.example.com"], "rancher.example.com");
    assert_eq!(at(url, Some(&[&other])).reached(Some(&[forged]), &recorded), Reached::Unrecorded);
    // The system's roots are roots of their own.
    let roots = [Authority::Indirect { root: Root::System, url: url.into(), name: None }];
    assert_eq!(at(url, None).reached(Some(&[shown()]), &roots), Reached::Indirect);
    assert_eq!(at(url, Some(&[&proxy])).reached(Some(&[shown()]), &roots), Reached::Unrecorded);
}

/// The same URL, another `tls-server-name` and a proxy: another server.
#[test]
fn an_indirect_way_is_for_the_name_that_was_verified() {
    let shared = ca("everybody's");
    let way =
        |root: Root, name: Option<&str>| [Authority::Indirect { root, url: URL.into(), name: name.map(str::to_owned) }];
    let (trusts, of_system) = (address(Some(&[&shared])), address(None));
    for (address, root) in [(trusts, Root::Authority(id(&shared))), (of_system, Root::System)] {
        let reached =
            |name: &str, recorded: &[Authority]| address.reached(Some(&[handshake(&shared, &[name], name)]), recorded);
        assert_eq!(reached(NAME, &way(root, None)), Reached::Indirect);
        assert_eq!(reached("evil.example.com", &way(root, None)), Reached::Unrecorded);
        assert_eq!(reached("proxy.example.com", &way(root, Some("proxy.example.com"))), Reached::Indirect);
        assert_eq!(reached(NAME, &way(root, Some("proxy.example.com"))), Reached::Unrecorded);
    }
}

#[test]
fn a_pod_is_known_by_the_authority_it_is_given() {
    let (prod, other) = (ca("prod"), ca("other"));
    let inside =
        |bundle: &[&Ca]| EndpointAddress { url: "https://10.96.0.1".into(), in_pod: true, ..address(Some(bundle)) };
    let recorded = [Authority::Pod { id: id(&prod) }];
    let at_service = |ca: &Ca| Handshake { name: "10.96.0.1".try_into().unwrap(), ..server(ca) };
    assert_eq!(inside(&[&prod]).reached(Some(&[at_service(&prod)]), &recorded), Reached::Direct);
    assert_eq!(inside(&[&prod]).way(Some(&[at_service(&prod)])), Some(recorded[0].clone()));
    for (address, handshake) in [
        // A kubeconfig is not a pod.
        (address(Some(&[&prod])), at_service(&prod)),
        (inside(&[&other]), at_service(&other)),
        (inside(&[&other, &prod]), at_service(&other)),
        (inside(&[&prod]), handshake(&prod, &["node-1", "10.96.0.1"], "10.96.0.1")),
    ] {
        assert_eq!(address.reached(Some(&[handshake]), &recorded), Reached::Unrecorded, "{address:?}");
    }
}

#[test]
fn what_is_recorded_is_one_authority_and_the_name_that_was_verified() {
    let (prod, other) = (ca("prod"), ca("other"));
    let way = |address: &EndpointAddress, handshake: Handshake| address.way(Some(&[handshake]));
    let url = |root: Root| Some(Authority::Indirect { root, url: URL.into(), name: None });
    let root = Root::Authority(id(&prod));
    assert_eq!(way(&address(Some(&[&other, &prod])), server(&prod)), Some(direct(&prod)));
    let upper = Handshake { name: "API.prod.example.com".try_into().unwrap(), ..server(&prod) };
    assert_eq!(way(&address(Some(&[&prod])), upper), Some(direct(&prod)));
    // Nothing here distinguishes one cluster from another, or from what is behind it.
    let generic = Handshake { name: "127.0.0.1".try_into().unwrap(), ..server(&prod) };
    let named = Authority::Indirect { root, url: URL.into(), name: Some("127.0.0.1".into()) };
    assert_eq!(way(&address(Some(&[&prod])), generic), Some(named));
    assert_eq!(way(&address(Some(&[&prod])), handshake(&prod, &[NAME], NAME)), url(root));
    assert_eq!(way(&EndpointAddress { has_path: true, ..address(Some(&[&prod])) }, server(&prod)), url(root));
    assert_eq!(way(&address(None), server(&prod)), url(Root::System));
    // Not an API server's certificate: not a pod's cluster.
    let pod = EndpointAddress { in_pod: true, ..address(Some(&[&prod])) };
    assert_eq!(way(&pod, handshake(&prod, &[NAME], NAME)), None);
}
