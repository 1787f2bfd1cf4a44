//! What `certificate-authority` may hold: certificates of authorities, and a
//! server's own certificate only where it signed itself. What rustls makes of
//! it decides what the hint about connections that are not verified may say.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Answers requests over TLS, as long as the test runs.
fn serve(certificate: &CertificateDer<'static>, key: &KeyPair) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut byte = [0];
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                request.extend(byte);
            }
            let _ = stream.write_all(answer("200 OK", "", "{}").as_bytes());
        }
    });
    url
}

async fn trusts(url: &str, authority: &CertificateDer<'static>) -> Result<Vec<u8>, String> {
    let mut config = kube::Config::new(url.parse().unwrap());
    config.default_retry = false;
    config.root_cert = Some(vec![authority.to_vec()]);
    let target = ClusterTarget { context: None, cluster: "c".into(), server: url.into(), namespace: "default".into() };
    let connection = Connection {
        config,
        target,
        entry: Default::default(),
        user: None,
        timeout: Some(LONG),
        kubectl_flags: String::new(),
    };
    ApiServer::connect(connection).await.unwrap().key_set().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_servers_own_certificate_is_enough_only_where_it_signed_itself() {
    let leaf = || CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = leaf().self_signed(&key).unwrap();
    assert_eq!(trusts(&serve(own.der(), &key), own.der()).await, Ok(b"{}".to_vec()));

    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(rcgen::DnType::CommonName, "the CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(authority, ca_key);
    let signed = leaf().signed_by(&key, &issuer).unwrap();
    let url = serve(signed.der(), &key);
    assert_eq!(trusts(&url, ca.der()).await, Ok(b"{}".to_vec()));
    let refused = trusts(&url, signed.der()).await.unwrap_err();
    assert!(refused.starts_with("the certificate of API server "), "{refused}");

    // An authority that is also the server.
    let mut both = leaf();
    both.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let both = both.self_signed(&key).unwrap();
    let refused = trusts(&serve(both.der(), &key), both.der()).await.unwrap_err();
    assert!(refused.starts_with("the certificate of API server "), "{refused}");
}
