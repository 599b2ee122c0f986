//! Sends the connections of scripts to a sandbox.

use crate::sandbox::{Protocol, Sandbox};
use crate::transport::{Route, Router};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Sends every connection to a sandbox, or those to some hosts; the network is never used.
pub struct SandboxRouter {
    sandbox: Arc<Sandbox>,
    hosts: Mutex<Option<Vec<String>>>,
    /// Whether certificates are for another host than the one that was asked for.
    misnamed: AtomicBool,
}

impl SandboxRouter {
    /// Answers for every host name.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        SandboxRouter { sandbox, hosts: Mutex::new(None), misnamed: AtomicBool::new(false) }
    }

    /// From now on certificates are for another host than the one that is asked for.
    pub fn misname(&self) {
        self.misnamed.store(true, Ordering::Relaxed);
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// From now on answers for these hosts only; `None` means all.
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
