//! Reads until when a certificate is valid. It is used only to explain a refusal, never to
//! refuse, because the local clock can be wrong.

use std::time::{Duration, SystemTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// `notAfter` of the first certificate in `pem`, as time since 1970; `None`
/// if there is none that can be read.
pub fn not_after(pem: &[u8]) -> Option<Duration> {
    let certificate = pem::parse_many(pem).ok()?.into_iter().find(|block| block.tag() == "CERTIFICATE")?;
    let certificate = Certificate::from_der(certificate.contents()).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_unix_duration())
}

/// When the first certificate in `pem` expired, if it had by `now`, in the
/// form of RFC 3339.
pub fn expired(pem: &[u8], now: SystemTime) -> Option<String> {
    let not_after = not_after(pem)?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(not_after.as_secs()).ok()?;
    (now > not_after).then(|| jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Version 3, expired on 2021-02-03T04:05:06Z (UTCTime).
    pub const EXPIRED: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBMzCB2aADAgECAgEDMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWEwHhcNMjAw\n\
MTAxMDAwMDAwWhcNMjEwMjAzMDQwNTA2WjAMMQowCAYDVQQDDAFhMFkwEwYHKoZI\n\
zj0CAQYIKoZIzj0DAQcDQgAE59a3Sc6wipYcPb+7H29CbR2Y3vwHCj60r0AbDNZ4\n\
tgqM8S+Byc4yBaPfVThcZ2qja6DVIz7qhE4gCQtRoRgihqMsMCowCQYDVR0TBAIw\n\
ADAdBgNVHQ4EFgQUqCTcjBcQt/Py5cA0hT8XaAk5qv0wCgYIKoZIzj0EAwIDSQAw\n\
RgIhAOcQ0Jzq5VcJi6vIHeSQvucNI5wjHw9itatUlyRTshpuAiEAjOsIjiURAv32\n\
D+8LNmkmjzGcm7o5mKJvijYAP7sYQuY=\n\
-----END CERTIFICATE-----\n\n";

    /// Version 1, valid until 2060-02-03T04:05:06Z (GeneralizedTime).
    pub const VALID: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBAjCBqAIBAjAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAFhMCAXDTIwMDEwMTAw\n\
MDAwMFoYDzIwNjAwMjAzMDQwNTA2WjAMMQowCAYDVQQDDAFhMFkwEwYHKoZIzj0C\n\
AQYIKoZIzj0DAQcDQgAE59a3Sc6wipYcPb+7H29CbR2Y3vwHCj60r0AbDNZ4tgqM\n\
8S+Byc4yBaPfVThcZ2qja6DVIz7qhE4gCQtRoRgihjAKBggqhkjOPQQDAgNJADBG\n\
AiEAsvFmZ7ZfdBKSNpdLqzFYBRAgPez1hQlprsqXib/jiqUCIQC+KzGmmW3wnLUp\n\
pa9iubwMB49sNwmAxEnzet7pB+Qypg==\n\
-----END CERTIFICATE-----\n\n";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(not_after(EXPIRED.as_bytes()), Some(Duration::from_secs(1_612_325_106)));
        assert_eq!(not_after(VALID.as_bytes()), Some(Duration::from_secs(2_843_006_706)));
    }

    #[test]
    fn expired_means_after_the_last_second() {
        let pem = format!("# a comment\n{EXPIRED}{VALID}");
        assert_eq!(expired(pem.as_bytes(), at(1_612_325_106)), None);
        assert_eq!(expired(pem.as_bytes(), at(1_612_325_107)).as_deref(), Some("2021-02-03T04:05:06Z"));
    }

    #[test]
    fn what_is_no_certificate_tells_nothing() {
        let truncated: Vec<u8> = pem::parse(VALID).unwrap().contents()[..60].to_vec();
        for bytes in [&b""[..], b"text", pem::encode(&pem::Pem::new("CERTIFICATE", truncated)).as_bytes()] {
            assert_eq!(not_after(bytes), None);
        }
    }
}
