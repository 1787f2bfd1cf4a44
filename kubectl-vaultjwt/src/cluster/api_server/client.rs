//! The HTTP client of one API server: kube's layers over a TLS connector that
//! records each handshake. kube's own builder keeps its verifier to itself, so the
//! connector is put together here (kube-client 5.0 `client/builder.rs`).

use crate::cluster::handshake::{Handshakes, Recorder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{Body, ClientBuilder, ConfigExt, RustlsTlsError};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tower::buffer::BufferLayer;
use tower::util::BoxService;
use tower::{Layer as _, Service, ServiceExt as _};

/// How many requests may wait for the one connection.
const QUEUE: usize = 16;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Everything but the token of an exec plugin.
type Stack = ClientBuilder<BoxService<Request<Body>, Response<Incoming>, BoxError>>;

/// Makes the client, and with it runs the user entry's exec plugin. Left to itself
/// kube runs it three times while it builds one, and a plugin may ask a person for a
/// password; for one that answers with a token, once is enough.
pub fn client(mut config: kube::Config, handshakes: &Handshakes) -> kube::Result<Client> {
    // hyper-rustls, as kube, takes the process' provider.
    let _ = aws_lc_rs::default_provider().install_default();
    let token = config.auth_layer()?;
    if token.is_some() {
        // It was asked; what is left of the entry is not asked again.
        config.auth_info.exec = None;
    }
    // The file is read for each connection; kube's verifier, which reads it by
    // itself, is replaced.
    config.root_cert_file = None;
    let tls = tls(&config, handshakes)?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(config.connect_timeout);
    let stack = match config.proxy_url.clone() {
        None => stack(&config, tls, connector)?,
        Some(proxy) => match proxy.scheme_str() {
            Some("socks5") => stack(&config, tls, SocksV5::new(proxy, connector))?,
            Some("http") => stack(&config, tls, authorized(&proxy, Tunnel::new(proxy.clone(), connector)))?,
            Some("https") => {
                let to_proxy = config.rustls_https_connector_with_connector(connector)?;
                stack(&config, tls, authorized(&proxy, Tunnel::new(proxy.clone(), to_proxy)))?
            }
            _ => return Err(kube::Error::ProxyProtocolUnsupported { proxy_url: Box::new(proxy) }),
        },
    };
    Ok(match token {
        Some(token) => stack.with_layer(&BufferLayer::new(QUEUE)).with_layer(&token).build(),
        None => stack.build(),
    })
}

/// kube's TLS settings with a verifier that records, and without resumption: a
/// resumed session presents no certificate.
fn tls(config: &kube::Config, handshakes: &Handshakes) -> kube::Result<ClientConfig> {
    let mut tls = config.rustls_client_config()?;
    let inner = verifier(config).map_err(kube::Error::Service)?;
    tls.dangerous().set_certificate_verifier(Arc::new(Recorder { inner, seen: handshakes.clone() }));
    tls.resumption = Resumption::disabled();
    Ok(tls)
}

fn verifier(config: &kube::Config) -> Result<Arc<dyn ServerCertVerifier>, BoxError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Some(certificates) = &config.root_cert else {
        return Ok(Arc::new(rustls_platform_verifier::Verifier::new(provider)?));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(CertificateDer::from(certificate.as_slice()))?;
    }
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
}

/// User and password of a proxy's URL (RFC 7617).
fn authorized<C>(proxy: &Uri, tunnel: Tunnel<C>) -> Tunnel<C> {
    let userinfo = proxy.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
    let Some((userinfo, _)) = userinfo else { return tunnel };
    let plain: Vec<u8> = percent_encoding::percent_decode_str(userinfo).collect();
    match HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain))) {
        Ok(mut value) => {
            value.set_sensitive(true);
            tunnel.with_auth(value)
        }
        Err(_) => tunnel,
    }
}

fn stack<C>(config: &kube::Config, tls: ClientConfig, connector: C) -> kube::Result<Stack>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name =
            name.clone().try_into().map_err(RustlsTlsError::InvalidServerName).map_err(kube::Error::RustlsTls)?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let connector = builder.enable_http1().wrap_connector(connector);
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = config.base_uri_layer().layer(config.extra_headers_layer()?.layer(client));
    Ok(ClientBuilder::new(service.map_err(BoxError::from).boxed(), config.default_namespace.clone()))
}
