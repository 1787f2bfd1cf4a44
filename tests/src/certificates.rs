//! Makes temporary certificates for the test servers and their clients.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, date_time_ymd,
};

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Certificate {
    pub certificate: String,
    /// Its PKCS#8 private key.
    pub key: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A Unix time as Kubernetes writes times (RFC 3339).
pub(crate) fn utc(seconds: u64) -> String {
    let time = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let (hour, minute, second) = time.to_hms();
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", time.year(), u8::from(time.month()), time.day())
}

/// A certificate authority that exists for one test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

/// The names under which the test servers are reached.
const SERVER_NAMES: [&str; 2] = ["localhost", "kubernetes.default.svc"];

impl Authority {
    /// A new authority with this common name.
    ///
    /// # Errors
    /// No key could be made.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server on 127.0.0.1.
    ///
    /// # Errors
    /// No key could be made.
    pub fn server(&self) -> Result<Certificate, rcgen::Error> {
        self.server_for::<&str>(&[])
    }

    /// A certificate for a server on 127.0.0.1 that is also reached under
    /// these DNS names.
    ///
    /// # Errors
    /// No key could be made, or a name is none.
    pub fn server_for<N: AsRef<str>>(&self, names: &[N]) -> Result<Certificate, rcgen::Error> {
        let names = SERVER_NAMES.into_iter().chain(names.iter().map(AsRef::as_ref));
        let mut params = CertificateParams::new(names.map(String::from).collect::<Vec<_>>())?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate; Kubernetes reads the user from the common name
    /// and the group from the organisation.
    ///
    /// # Errors
    /// No key could be made.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Certificate, rcgen::Error> {
        self.sign(client_params(user, group), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A client certificate that expired on 1 February 2020.
    ///
    /// # Errors
    /// No key could be made.
    pub fn expired_client(&self, user: &str, group: Option<&str>) -> Result<Certificate, rcgen::Error> {
        let mut params = client_params(user, group);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A serving certificate for exactly these names and addresses, as a CA
    /// gives it to a kubelet or an ingress.
    ///
    /// # Errors
    /// No key could be made, or a name is none.
    pub fn serving<N: AsRef<str>>(&self, names: &[N]) -> Result<Certificate, rcgen::Error> {
        let params = CertificateParams::new(names.iter().map(|name| name.as_ref().to_owned()).collect::<Vec<_>>())?;
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// As [`Authority::serving`], expired on 1 February 2020.
    ///
    /// # Errors
    /// No key could be made, or a name is none.
    pub fn expired_serving<N: AsRef<str>>(&self, names: &[N]) -> Result<Certificate, rcgen::Error> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The SubjectPublicKeyInfo of its certificate, DER.
    pub fn public_key(&self) -> Vec<u8> {
        self.issuer.key().subject_public_key_info()
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Certificate, rcgen::Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Certificate { certificate, key: key.serialize_pem() })
    }
}

fn client_params(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_767_229_445), "2026-01-01T01:04:05Z");
    }
}
