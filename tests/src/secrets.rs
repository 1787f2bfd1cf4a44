//! Finds secrets in text, byte for byte: tokens of Vault, OpenBao, Kubernetes and AWS. No
//! output of a program may contain one.

/// The first secret in `text`: what it is, and where it stands. Not the secret.
pub fn find(text: &[u8]) -> Option<String> {
    let part_of_a_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let mut start = 0;
    text.split(|byte| !part_of_a_token(byte)).find_map(|word| {
        let at = start;
        start += word.len() + 1;
        let word = std::str::from_utf8(word).ok()?;
        // Where a sentence ends behind it.
        let kind = kind(word.trim_end_matches('.'))?;
        Some(format!("{kind} of {} bytes at byte {at}", word.len()))
    })
}

fn kind(word: &str) -> Option<&'static str> {
    let long = |rest: &str, least: usize| rest.len() >= least && rest.bytes().all(|b| b != b'.');
    for (prefix, kind) in [
        ("hvs.", "a token of Vault"),
        ("hvb.", "a batch token of Vault"),
        ("hvr.", "a recovery token of Vault"),
        ("k8s-aws-v1.", "a token for EKS"),
    ] {
        if word.strip_prefix(prefix).is_some_and(|rest| long(rest, 20)) {
            return Some(kind);
        }
    }
    // OpenBao's; those of a namespace have its id behind another point.
    for (prefix, kind) in [("s.", "a token of OpenBao"), ("b.", "a batch token of OpenBao")] {
        let rest = word.strip_prefix(prefix).and_then(|rest| rest.split('.').next());
        if rest.is_some_and(|rest| long(rest, 24)) {
            return Some(kind);
        }
    }
    let segments: Vec<&str> = word.split('.').collect();
    // Both begin with an object's brace and a quote; real signatures have 43 characters and more.
    if let [header, claims, signature] = segments[..]
        && header.starts_with("eyJ")
        && claims.starts_with("eyJ")
        && signature.len() >= 40
    {
        return Some("a JWT");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let long = "A1b2C3d4E5f6G7h8I9j0K1l2";
        let jwt = format!("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.{}", long.repeat(2));
        for (text, found) in [
            (format!("token hvs.{long}."), "a token of Vault of 29 bytes at byte 6"),
            (format!("\"hvb.{long}-_\""), "a batch token of Vault of 30 bytes at byte 1"),
            (format!("VAULT_TOKEN=s.{long}\n"), "a token of OpenBao of 26 bytes at byte 12"),
            (format!("b.{long}.nsid1"), "a batch token of OpenBao of 32 bytes at byte 0"),
            (format!("\u{e9} k8s-aws-v1.{long}"), "a token for EKS of 35 bytes at byte 3"),
            (format!("{{\"jwt\":\"{jwt}\"}}"), "a JWT of 85 bytes at byte 8"),
        ] {
            assert_eq!(find(text.as_bytes()).as_deref(), Some(found), "{text}");
        }
        assert!(find(&[b"\xff\xfe hvs.".as_slice(), long.as_bytes()].concat()).is_some());
    }

    #[test]
    fn what_is_none_is_left_alone() {
        for text in [
            "https://vault.example.com:8200/v1/auth/jwt/login",
            "service-account.namespace.svc.cluster.local",
            "hvs.old s.short b.2",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ",
            "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n",
            "",
        ] {
            assert_eq!(find(text.as_bytes()), None, "{text}");
        }
    }
}
