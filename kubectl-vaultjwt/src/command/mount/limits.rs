//! Checks a configuration against what one mount can hold. A configuration is one storage
//! entry: its size is checked before it is written, because Vault's own error names neither
//! the mount nor a fix.

use crate::command::mount::EnrollmentError;
use crate::keychain::element::MountKey;
use crate::vault::Document;
use crate::vault::mount::config::{KEYS, StaticKeys};
use serde_json::Value;

/// Most keys of a mount. `OpenBao` takes at most 1000 texts in one request
/// (`max_request_json_strings`, names included), and every login that fails
/// costs Vault the check of all keys.
const KEYS_AT_MOST: usize = 950;
/// Texts in one request, names included: `OpenBao`'s default.
const TEXTS_AT_MOST: usize = 1_000;
/// One storage entry of integrated storage, less what Vault adds to it.
const BYTES_AT_MOST: usize = (1 << 20) - (4 << 10);
/// One storage entry of Consul, less the same.
const CONSUL_BYTES: usize = (512 << 10) - (4 << 10);
/// From so many keys on, it is time to think of a second mount.
const MANY: usize = 100;
/// From so many keys on, logins with a key late in the list take tens of
/// milliseconds, and more on a busy server (measured: 0.1 to 0.3 ms a key).
const VERY_MANY: usize = 300;

/// Refuses what would not fit beside the rest of `config`.
/// A list that does not grow is never refused: a retired key must be able to leave.
pub fn check(elements: &[MountKey], before: usize, config: &StaticKeys) -> Result<(), EnrollmentError> {
    let grows = elements.len() > before;
    if grows && elements.len() > KEYS_AT_MOST {
        return Err(EnrollmentError::TooManyKeys { keys: elements.len(), at_most: KEYS_AT_MOST });
    }
    let rest = config.rest();
    let texts = rest.values().map(|value| 1 + texts(value)).sum::<usize>() + 1 + elements.len();
    if grows && texts > TEXTS_AT_MOST {
        return Err(EnrollmentError::TooManyTexts { texts });
    }
    // In JSON a line feed has two bytes; each text has quotes and a comma.
    let in_json = |element: &MountKey| element.text.len() + element.text.bytes().filter(|b| *b == b'\n').count() + 3;
    let rest = bytes(rest);
    // No text more than doubles; far from the limit there is nothing to count.
    if rest + elements.iter().map(|element| 2 * element.text.len() + 3).sum::<usize>() <= BYTES_AT_MOST {
        return Ok(());
    }
    let bytes = rest + elements.iter().map(in_json).sum::<usize>();
    if bytes > BYTES_AT_MOST {
        return Err(EnrollmentError::TooLarge { bytes });
    }
    Ok(())
}

/// What fits, but should be known.
pub fn warnings(document: &Document) -> Vec<String> {
    let keys = document.get(KEYS).and_then(Value::as_array).map_or(0, Vec::len);
    let mut warnings = Vec::new();
    if keys >= VERY_MANY {
        warnings.push(format!(
            "the mount holds {keys} keys: a login takes Vault tens to hundreds of milliseconds where its key stands late, a refused one always; a second mount is due"
        ));
    } else if keys >= MANY {
        warnings.push(format!(
            "the mount holds {keys} keys: Vault tries them one after the other; one mount for each trust domain keeps logins fast"
        ));
    }
    let bytes = bytes(document);
    if bytes > CONSUL_BYTES {
        warnings.push(format!("the mount's configuration has {bytes} bytes: Consul storage keeps at most 524288"));
    }
    warnings
}

fn bytes(document: &Document) -> usize {
    serde_json::to_vec(document).map_or(0, |body| body.len())
}

/// Names and values that are texts, however deep.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(texts).sum(),
        Value::Object(members) => members.values().map(|value| 1 + texts(value)).sum(),
        _ => 0,
    }
}
