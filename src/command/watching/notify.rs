//! Tells systemd how the service is doing (sd_notify(3)): datagrams of NAME=VALUE lines to the
//! socket that `NOTIFY_SOCKET` names. Without it nothing is sent.

use std::time::Duration;

/// The socket of the service manager.
pub(super) struct Notifier {
    #[cfg(unix)]
    socket: Option<std::os::unix::net::UnixDatagram>,
    /// How often the manager wants to hear that the process is alive.
    watchdog: Option<Duration>,
}

#[cfg(unix)]
impl Notifier {
    /// The one that the environment names.
    pub(super) fn from_environment() -> Notifier {
        let socket = std::env::var("NOTIFY_SOCKET").ok().and_then(|name| connect(&name).ok());
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours);
        // Twice as often as needed, as sd_watchdog_enabled(3) recommends.
        let watchdog = interval.map(|micros| Duration::from_micros(micros / 2));
        Notifier { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    pub(super) fn tell(&self, text: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(text.as_bytes()); // a manager that does not listen is not missed
        }
    }
}

#[cfg(unix)]
fn connect(name: &str) -> std::io::Result<std::os::unix::net::UnixDatagram> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    // The manager may be busy; the service does not wait for it.
    socket.set_nonblocking(true)?;
    match name.strip_prefix('@') {
        None => socket.connect(name)?,
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            use std::os::unix::net::SocketAddr;
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => return Err(std::io::ErrorKind::Unsupported.into()),
    }
    Ok(socket)
}

#[cfg(not(unix))]
impl Notifier {
    pub(super) fn from_environment() -> Notifier {
        Notifier { watchdog: None }
    }

    pub(super) fn tell(&self, _: &str) {}
}

impl Notifier {
    /// How often [`Notifier::is_alive`] is to be called.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    pub(super) fn is_ready(&self) {
        self.tell("READY=1");
    }

    pub(super) fn is_alive(&self) {
        self.tell("WATCHDOG=1");
    }

    pub(super) fn is_stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The next READY=1 ends it. The time tells the manager which request is answered.
    pub(super) fn is_reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
    }

    pub(super) fn status(&self, text: &str) {
        self.tell(&format!("STATUS={text}"));
    }
}

#[cfg(unix)]
fn monotonic_micros() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[cfg(not(unix))]
fn monotonic_micros() -> i64 {
    0
}
