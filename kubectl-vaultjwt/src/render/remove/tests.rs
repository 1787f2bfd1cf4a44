//! The lines, word for word.

use super::*;
use crate::command::remove::report::{DeletedRole, LeasesReport, RolesReport};
use crate::command::report::{ChangeReport, KeyChangeReport, VaultLocation};
use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use serde_json::json;

fn report(dry_run: bool, also: &[&str]) -> RemoveReport {
    let document = |value: Value| value.as_object().cloned().unwrap();
    RemoveReport {
        dry_run,
        owner: Owner { issuer: "https://a".into(), cluster_uid: None },
        keys: vec![
            KeyChangeReport { id: "ID".into(), kid: None, action: KeyAction::Remove },
            KeyChangeReport { id: "ID2".into(), kid: Some("k\u{1b}".into()), action: KeyAction::Remove },
        ],
        vault: VaultLocation { address: "https://v".into(), namespace: None, mount: "jwt".into() },
        config: ChangeReport {
            written: true,
            before: Some(document(
                json!({"jwt_validation_pubkeys": ["a", "b"], "jwt_supported_algs": ["RS256", "ES256"]}),
            )),
            after: document(json!({"jwt_validation_pubkeys": ["b"], "jwt_supported_algs": ["RS256"]})),
        },
        roles: RolesReport {
            changed: vec![],
            deleted: vec![DeletedRole { name: "app".into(), document: document(json!({})) }],
            kept: vec![],
            unreadable: None,
        },
        leases: LeasesReport {
            command: "vault lease revoke -prefix auth/jwt/login".into(),
            also: also.iter().map(|o| (*o).to_owned()).collect(),
        },
        failure: None,
    }
}

fn plain(dry_run: bool) -> String {
    anstream::adapter::strip_str(&text(&report(dry_run, &[]))).to_string()
}

#[test]
fn what_leaves() {
    assert_eq!(
        plain(true),
        "key \"ID\" removed (dry run)\nkey \"k\\u{1b}\" removed (dry run)\n\
         config jwt_supported_algs: [\"RS256\",\"ES256\"] -> [\"RS256\"]\nrole \"app\" deleted (dry run)\n"
    );
    assert_eq!(plain(false), "key \"ID\" removed\nkey \"k\\u{1b}\" removed\nrole \"app\" deleted\n");
}

#[test]
fn whom_the_revocation_hits() {
    let lines = |others: &str| {
        vec![
            "Vault tokens that pods of https://a hold live until their leases end. To revoke them now:".to_owned(),
            "  vault lease revoke -prefix auth/jwt/login".to_owned(),
            format!("It revokes every Vault token that \"jwt/\" issued{others}."),
        ]
    };
    assert_eq!(leases(&report(false, &[])), lines(""));
    assert_eq!(
        leases(&report(false, &["https://b", "https://c (cluster 1)"])),
        lines(", those of https://b, https://c (cluster 1) too")
    );
}
