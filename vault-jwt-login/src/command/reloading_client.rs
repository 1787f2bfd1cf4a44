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
        let proxy = settings.proxy.as_ref().map(proxy::usable).transpose().map_err(UsageError::from)?;
        let vault = client(settings, &proxy, &in_flight)?;
        Ok(Self { settings, in_flight, proxy, vault, used: false })
    }

    /// A client for the next connection. The files of an authority that
    /// changes are read for each, like the JWT. Where one is just being
    /// written, what was read before stands.
    pub fn for_connection(&mut self) -> &VaultClient {
        if self.used
            && let Ok(vault) = client(self.settings, &self.proxy, &self.in_flight)
        {
            self.vault = vault;
        }
        self.used = true;
        &self.vault
    }
}

fn client(settings: &Settings, proxy: &Option<Proxy>, in_flight: &InFlight) -> Result<VaultClient, TlsError> {
    let Settings { target, request_timeout, tls, .. } = settings;
    let tls = target.address.is_https().then(|| TlsConfig::new(tls)).transpose()?;
    Ok(VaultClient::new(target.clone(), tls, *request_timeout, proxy.clone(), in_flight.clone()))
}
