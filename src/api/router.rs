//! Routes the connections of scripts to a sandbox.
//!
//! A `Connector` asks its router for an address before it connects. [`SandboxRouter`] returns an
//! address of the sandbox and the certificate authority that signs its certificates, so TLS is
//! verified as with any server. It refuses the hosts that it does not answer for; nothing reaches
//! the network.

use crate::sandbox::{Protocol, Sandbox};
use crate::transport::{Route, Router};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Routes every connection, or those to certain hosts, to a sandbox. All others are refused.
pub struct SandboxRouter {
    sandbox: Arc<Sandbox>,
    hosts: Mutex<Option<Vec<String>>>,
    /// Whether certificates name another host than the requested one.
    misnamed: AtomicBool,
}

impl SandboxRouter {
    /// Makes a router that answers for every host.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        SandboxRouter { sandbox, hosts: Mutex::new(None), misnamed: AtomicBool::new(false) }
    }

    /// Makes certificates name another host than the requested one from now on.
    pub fn misname(&self) {
        self.misnamed.store(true, Ordering::Relaxed);
    }

    /// Returns the sandbox.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// Sets the hosts that the router answers for; `None` means all.
    pub fn answer_for(&self, hosts: Option<Vec<String>>) {
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
    }
}

impl Router for SandboxRouter {
    fn route(
        &self,
        host: &str,
        _port: u16,
        protocol: &str,
        implicit_tls: bool,
    ) -> io::Result<Option<Route>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts
            .as_ref()
            .is_some_and(|hosts| !hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
        {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "the sandbox does not answer for this host",
            ));
        }
        let named = if self.misnamed.load(Ordering::Relaxed) { "another.invalid" } else { host };
        let address = self.sandbox.address_of(protocol_of(protocol), named, implicit_tls)?;
        Ok(Some(Route {
            address,
            roots_pem: Some(self.sandbox.certificate_authority_pem().to_owned()),
        }))
    }
}

fn protocol_of(name: &str) -> Protocol {
    match name {
        "pop3" => Protocol::Pop,
        "smtp" => Protocol::Smtp,
        _ => Protocol::Imap,
    }
}
