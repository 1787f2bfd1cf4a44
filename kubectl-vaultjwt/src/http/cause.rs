//! Finds the innermost cause of a library's error: the layers around it only say that a
//! request failed.

use shared::text::{lower_first, os_cause};
use std::error::Error;
use std::io;

/// Every layer, outermost first, with what an `io::Error` wraps: its
/// `source()` skips that.
pub fn layers<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |layer: &&'a (dyn Error + 'static)| {
        let layer: &'a (dyn Error + 'static) = *layer;
        let wrapped = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| layer.source())
    })
}

/// The innermost cause, as one clause.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = layers(error).last().unwrap_or(error);
    match last.downcast_ref::<io::Error>() {
        Some(error) => os_cause(error),
        None if last.is::<tokio::time::error::Elapsed>() => "no connection in time".to_owned(),
        None => {
            let text = last.to_string();
            let text = text.split(" (os error ").next().unwrap_or_default();
            // rustls explains an end without close_notify by an address in its manual.
            lower_first(text.split(": https://docs.rs/").next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_manual_says_nothing_here() {
        let text = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/x#y";
        let error = io::Error::other(text);
        assert_eq!(innermost(&error), "peer closed connection without sending TLS close_notify");
    }

    #[test]
    fn the_innermost_layer_speaks() {
        let inner = io::Error::from_raw_os_error(104);
        let outer = io::Error::other(io::Error::other(inner));
        assert_eq!(innermost(&outer), "connection reset by peer");
    }
}
