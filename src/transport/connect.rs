//! Opens TCP connections: from a host name to a [`Socket`].
//!
//! The way to an address, first match wins:
//!
//! | step | decides | policy asked |
//! |---|---|---|
//! | [`Redirect`] | the user: `HOST[:PORT]=ADDRESS:PORT` | no |
//! | [`Router`] | the program; the sandbox is one | no |
//! | resolver | DNS; every address is tried in turn | yes, before the look-up |
//!
//! The resolver and `connect` block and cannot be interrupted, so both run in a thread of their own
//! while the caller polls for an interrupt and the deadline.

use super::error::TransportError;
use super::stream::{Interrupt, Meter, Pace, Socket};
use super::trace::TraceSink;
use crate::policy::Policy;
use crate::proto::witness::{LetPass, Witness};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// `HOST[:PORT]=ADDRESS:PORT`: sends connections to HOST to the address instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    host: String,
    port: Option<u16>,
    address: SocketAddr,
}

impl FromStr for Redirect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected HOST[:PORT]=ADDRESS:PORT, for example mail.example.org=127.0.0.1:1143, got {text:?}"
            )
        };
        let (from, to) = text.split_once('=').ok_or_else(wrong)?;
        let address = match to.strip_prefix("localhost:") {
            Some(port) => SocketAddr::from(([127, 0, 0, 1], port.parse().map_err(|_| wrong())?)),
            None => to.parse().map_err(|_| wrong())?,
        };
        let (host, port) = match from.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (from, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() { Err(wrong()) } else { Ok(Redirect { host, port, address }) }
    }
}

/// Where a [`Router`] sends a connection.
#[derive(Debug, Clone)]
pub struct Route {
    /// The address to connect to instead of the host.
    pub address: SocketAddr,
    /// The certificate authority to verify the server with, as PEM; `None` for the usual ones.
    pub roots_pem: Option<String>,
}

/// Sends connections to other addresses than the host name's; the sandbox does this.
pub trait Router: Send + Sync {
    /// Returns the route for a host and a protocol (`imap`, `pop3` or `smtp`); `None` if this
    /// router does not answer for the host.
    ///
    /// # Errors
    /// Why the route could not be made.
    fn route(
        &self,
        host: &str,
        port: u16,
        protocol: &str,
        implicit_tls: bool,
    ) -> io::Result<Option<Route>>;
}

/// Takes the work that a server has done of a command, and the whole work.
pub type Gauge = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Opens connections; holds everything that all connections of a program share.
#[derive(Clone)]
pub struct Connector {
    /// Redirects; the first match wins.
    pub redirects: Vec<Redirect>,
    /// Asked if no redirect matches.
    pub router: Option<Arc<dyn Router>>,
    /// Where traces go. By default nowhere.
    pub trace: Option<TraceSink>,
    /// While this is `false` nothing is traced, on open connections either. `None` traces always.
    pub trace_switch: Option<Arc<AtomicBool>>,
    /// Called with the size of every read and write, for progress displays.
    pub meter: Option<Meter>,
    /// Called when a server says how much of a command it has done, and of how much (INPROGRESS, RFC
    /// 9585), for progress displays.
    pub gauge: Option<Gauge>,
    /// Polled during every wait; `true` ends the wait.
    pub interrupt: Option<Interrupt>,
    /// Which hosts the program may connect to, besides those that a redirect or the router answers
    /// for. By default all.
    pub policy: Policy,
    /// Whether connections to this machine count as exposed too, for example because a loopback
    /// address is the entrance of a tunnel. By default `false`.
    pub loopback_is_exposed: bool,
    /// Sees every change that a connection makes, and may refuse it. By default it lets all pass.
    pub witness: Arc<dyn Witness>,
    /// The mailbox into which IMAP clients move letters in the place of removing them. `None`, the
    /// default, removes them. What else removes letters is refused by `guard::OnlyMoves`, which
    /// a program adds to its witnesses.
    pub quarantine: Option<String>,
}

impl Default for Connector {
    fn default() -> Self {
        Connector {
            redirects: Vec::new(),
            router: None,
            trace: None,
            trace_switch: None,
            meter: None,
            gauge: None,
            interrupt: None,
            policy: Policy::default(),
            loopback_is_exposed: false,
            witness: Arc::new(LetPass),
            quarantine: None,
        }
    }
}

/// An open TCP connection.
pub(crate) struct Opened {
    pub socket: Socket,
    /// Whether the bytes stay on this machine, as far as [`Connector::loopback_is_exposed`] allows.
    pub loopback: bool,
    pub roots_pem: Option<String>,
}

impl Connector {
    /// Opens a TCP connection. `pace.idle` limits the whole of it, name look-up included.
    pub(crate) fn open(
        &self,
        host: &str,
        port: u16,
        protocol: &str,
        implicit_tls: bool,
        pace: Pace,
    ) -> Result<Opened, TransportError> {
        let deadline = Instant::now() + pace.idle;
        let route = self.route(host, port, protocol, implicit_tls)?;
        let (addresses, roots_pem) = match route {
            Some(route) => (vec![route.address], route.roots_pem),
            None => {
                // before the look-up, which can be seen from outside too
                self.policy.check_host(host, port)?;
                (self.look_up(host, port, deadline, pace)?, None)
            }
        };
        let mut cause = io::Error::from(io::ErrorKind::TimedOut);
        for (index, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            // Each address gets an equal share of the time left, so a silent one leaves time for
            // the next.
            let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            if share.is_zero() {
                break;
            }
            match self
                .reach(*address, share)?
                .and_then(|tcp| Socket::new(tcp, pace, self.interrupt.clone(), self.meter.clone()))
            {
                Ok(socket) => {
                    return Ok(Opened {
                        socket,
                        loopback: address.ip().is_loopback() && !self.loopback_is_exposed,
                        roots_pem,
                    });
                }
                Err(error) => cause = error,
            }
        }
        match TransportError::from_io(&cause, pace.idle.as_secs_f64()) {
            TransportError::Timeout(seconds) => Err(TransportError::Timeout(seconds)),
            _ => Err(TransportError::Refused {
                host: host.to_owned(),
                port,
                cause: cause.to_string(),
            }),
        }
    }

    fn route(
        &self,
        host: &str,
        port: u16,
        protocol: &str,
        implicit_tls: bool,
    ) -> Result<Option<Route>, TransportError> {
        let fits = |redirect: &&Redirect| {
            redirect.host.eq_ignore_ascii_case(host)
                && redirect.port.is_none_or(|wanted| wanted == port)
        };
        if let Some(redirect) = self.redirects.iter().find(fits) {
            return Ok(Some(Route { address: redirect.address, roots_pem: None }));
        }
        let Some(router) = &self.router else { return Ok(None) };
        router.route(host, port, protocol, implicit_tls).map_err(|cause| TransportError::Refused {
            host: host.to_owned(),
            port,
            cause: cause.to_string(),
        })
    }

    /// Connects in a thread of its own, so that an interrupt is noticed within 100 ms.
    fn reach(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<io::Result<TcpStream>, TransportError> {
        let (sender, receiver) = mpsc::channel();
        let connecting = std::thread::Builder::new().spawn(move || {
            // fails if the caller left after an interrupt
            let _ = sender.send(TcpStream::connect_timeout(&address, timeout));
        });
        if let Err(cause) = connecting {
            return Ok(Err(cause));
        }
        loop {
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(result) => return Ok(result),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Ok(Err(io::ErrorKind::TimedOut.into()));
                }
                Err(mpsc::RecvTimeoutError::Timeout)
                    if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) =>
                {
                    return Err(TransportError::Interrupted);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Resolves the name in a thread of its own: the system's resolver has no timeout.
    fn look_up(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
        pace: Pace,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let (sender, receiver) = mpsc::channel();
        let name = host.to_owned();
        let asking = std::thread::Builder::new().spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let _ = sender.send(found); // fails if the caller left after the timeout
        });
        asking.map_err(|cause| TransportError::UnknownHost {
            host: host.to_owned(),
            cause: cause.to_string(),
        })?;
        loop {
            match receiver.recv_timeout(
                Duration::from_millis(100).min(deadline.saturating_duration_since(Instant::now())),
            ) {
                Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
                Ok(Ok(_)) => {
                    return Err(TransportError::UnknownHost {
                        host: host.to_owned(),
                        cause: "it has no address".into(),
                    });
                }
                Ok(Err(cause)) => {
                    return Err(TransportError::UnknownHost {
                        host: host.to_owned(),
                        cause: cause.to_string(),
                    });
                }
                Err(_) if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) => {
                    return Err(TransportError::Interrupted);
                }
                Err(_) if Instant::now() >= deadline => {
                    return Err(TransportError::Timeout(pace.idle.as_secs_f64()));
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read() {
        let address = "127.0.0.1:1143".parse().unwrap();
        let redirect = |host: &str, port| Redirect { host: host.into(), port, address };
        assert_eq!(
            "mail.example.org=127.0.0.1:1143".parse(),
            Ok(redirect("mail.example.org", None))
        );
        assert_eq!(
            "mail.example.org:993=localhost:1143".parse(),
            Ok(redirect("mail.example.org", Some(993)))
        );
        assert_eq!("[::1]:143=127.0.0.1:1143".parse(), Ok(redirect("::1", Some(143))));
        for wrong in ["", "x", "x=", "=127.0.0.1:1", "x=1.2.3.4", "x:y=127.0.0.1:1", "x=host:1"] {
            assert!(wrong.parse::<Redirect>().is_err(), "{wrong}");
        }
    }
}
