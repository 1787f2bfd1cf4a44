//! A client that reads the CA files again for each connection.

use crate::cli::settings::Settings;
use crate::cli::usage_error::UsageError;
use crate::command::error::Error;
use crate::connection::in_flight::InFlight;
use crate::connection::proxy;
use crate::connection::tls::{TlsConfig, TlsError};
use crate::vault::client::VaultClient;
use ureq::Proxy;

pub struct ReloadingClient<'a> {
    settings: &'a Settings,
    in_flight: InFlight,
    proxy: Option<Proxy>,
    vault: VaultClient,
    /// Whether `vault` was made for a connection that has been.
    used: bool,
}

impl<'a> ReloadingClient<'a> {
    pub fn new(settings: &'a Settings, in_flight: InFlight) -> Result<Self, Error> {
        let tls = trust(settings)?;
        let proxy = settings.proxy.as_ref().map(proxy::usable).transpose().map_err(UsageError::from)?;
        let vault = client(settings, tls, &proxy, &in_flight);
        Ok(Self { settings, in_flight, proxy, vault, used: false })
    }

    /// A client for the next connection. The files of an authority that
    /// changes are read for each, like the JWT. Where one is just being
    /// written, what was read before stands.
    pub fn for_connection(&mut self) -> &VaultClient {
        if self.used
            && let Ok(tls) = trust(self.settings)
        {
            self.vault = client(self.settings, tls, &self.proxy, &self.in_flight);
        }
        self.used = true;
        &self.vault
    }
}

fn trust(settings: &Settings) -> Result<Option<TlsConfig>, TlsError> {
    settings.target.address.is_https().then(|| TlsConfig::new(&settings.tls)).transpose()
}

fn client(settings: &Settings, tls: Option<TlsConfig>, proxy: &Option<Proxy>, in_flight: &InFlight) -> VaultClient {
    VaultClient::new(settings.target.clone(), tls, settings.request_timeout, proxy.clone(), in_flight.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Invocation, parse};

    #[test]
    fn of_two_faults_that_of_the_certificates_is_told() {
        let arguments = ["--vault-addr", "https://127.0.0.1:1", "--vault-ca-cert", "/nonexistent"];
        let proxy = |name: &str| (name == "VAULT_PROXY_ADDR").then(|| "ftp://a".to_owned());
        let Ok(Invocation::Login(settings)) = parse(arguments.map(Into::into), proxy) else { panic!() };
        let error = ReloadingClient::new(&settings, InFlight::default()).err().unwrap().to_string();
        assert!(error.starts_with("could not read the CA file \"/nonexistent\""), "{error}");
    }
}
