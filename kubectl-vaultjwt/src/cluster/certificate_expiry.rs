//! Reads until when a certificate is valid. It is used only to explain a refusal, never to
//! refuse, because the local clock can be wrong. It parses only as much of RFC 5280 section
//! 4.1 as it needs.

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Reader, SliceReader, Tag, TagNumber};
use std::time::{Duration, SystemTime};

/// `notAfter` of the first certificate in `pem`, as time since 1970; `None`
/// if there is none that can be read.
pub fn not_after(pem: &[u8]) -> Option<Duration> {
    let certificate = pem::parse_many(pem).ok()?.into_iter().find(|block| block.tag() == "CERTIFICATE")?;
    not_after_der(certificate.contents()).ok()
}

/// When the first certificate in `pem` expired, if it had by `now`, in the
/// form of RFC 3339.
pub fn expired(pem: &[u8], now: SystemTime) -> Option<String> {
    let not_after = not_after(pem)?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(not_after.as_secs()).ok()?;
    (now > not_after).then(|| jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default())
}

fn not_after_der(certificate: &[u8]) -> der::Result<Duration> {
    let mut outer = SliceReader::new(certificate)?;
    let certificate: AnyRef<'_> = outer.decode()?;
    let mut fields = SliceReader::new(certificate.value())?;
    let to_be_signed: AnyRef<'_> = fields.decode()?;
    let mut fields = SliceReader::new(to_be_signed.value())?;
    // version [0] is optional; then serialNumber, signature, issuer, validity.
    let first: AnyRef<'_> = fields.decode()?;
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    if first.header().tag() == version {
        let _serial: AnyRef<'_> = fields.decode()?;
    }
    let _signature: AnyRef<'_> = fields.decode()?;
    let _issuer: AnyRef<'_> = fields.decode()?;
    let validity: AnyRef<'_> = fields.decode()?;
    let mut times = SliceReader::new(validity.value())?;
    let _not_before: AnyRef<'_> = times.decode()?;
    let not_after: AnyRef<'_> = times.decode()?;
    match not_after.header().tag() {
        Tag::UtcTime => not_after.decode_as::<UtcTime>().map(|time| time.to_unix_duration()),
        _ => not_after.decode_as::<GeneralizedTime>().map(|time| time.to_unix_duration()),
    }
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
