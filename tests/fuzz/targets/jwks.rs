//! A JWKS with any content, as a server at an issuer URL may send it.
#![no_main]

use fuzz::shows;
use keychain::Owner;
use keychain::element::MountKey;
use keychain::jwk::{KEYS_AT_MOST, KeySet, KeySetError};
use keychain::key::{KeyKind, PublicKey, RSA_BITS};
use keychain::provenance::Provenance;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};

fuzz_target!(|body: &[u8]| {
    let set = match KeySet::parse(body) {
        Ok(set) => set,
        Err(error) => {
            shows(&error.to_string());
            match error {
                KeySetError::TooMany(number) => assert!(number > KEYS_AT_MOST),
                KeySetError::NothingUsable(skipped) => assert!(skipped.len() <= KEYS_AT_MOST),
                KeySetError::Syntax(_) | KeySetError::Private { .. } => {}
                KeySetError::TooCostly { .. } => panic!("reading costs nothing"),
            }
            return;
        }
    };
    assert!(!set.keys.is_empty() && set.keys.len() + set.skipped.len() <= KEYS_AT_MOST);
    let identities: BTreeSet<_> = set.keys.iter().map(|key| key.key.id()).collect();
    assert_eq!(identities.len(), set.keys.len(), "each key once");
    set.skipped.iter().for_each(|skipped| shows(&skipped.to_string()));

    for published in &set.keys {
        let key = &published.key;
        if let KeyKind::Rsa(bits) = key.kind() {
            assert!(RSA_BITS.contains(&bits), "{bits}");
        }
        let text = key.pem();
        assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        let block = pem::parse(&text).unwrap();
        assert_eq!(block.contents(), key.spki());
        let back = PublicKey::from_spki(block.contents()).unwrap();
        assert_eq!((&back, back.id(), back.kind()), (key, key.id(), key.kind()));

        // It only says what its key can sign with.
        let algorithms = published.algorithms();
        assert!(!algorithms.is_empty() && algorithms.iter().all(|alg| key.fits(alg)));
        assert!(algorithms.iter().all(|alg| set.algorithms().contains(alg)));

        // On a mount it is read as the same key with the same kid.
        let mark = Provenance {
            previous_issuers: Vec::new(),
            owner: Owner { issuer: "https://issuer".to_owned(), cluster_uid: None },
            kid: published.kid.clone().unwrap_or_default(),
            alg: published.alg.clone().unwrap_or_default(),
            cluster: String::new(),
            added: "2026-11-24T12:00:00Z".to_owned(),
            retired: None,
            proof: None,
            authorities: Vec::new(),
            unknown: BTreeMap::new(),
        };
        let written = MountKey::write(published, &mark);
        let stored = MountKey::read(written.text.trim());
        assert_eq!(stored.id(), Some(key.id()));
        assert_eq!(stored.algorithms(), Some(algorithms));
        let kid = stored.provenance().map(|mark| mark.kid.as_str()).unwrap();
        assert!(kid == mark.kid || (mark.kid.starts_with(kid) && kid.len() > 250), "{kid:?} {:?}", mark.kid);
    }
    assert!(set.shares_a_key_with(&set));
    // What is on the mount is not checked again.
    assert_eq!(set.clone().without_weak(&|_| true).unwrap(), set);
});
