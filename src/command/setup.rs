//! From the options of all commands to a host with the whole interface.

use super::arguments::Global;
use super::environment::SandboxRouter;
use super::output::complain;
use crate::api::{self, AskSecret, Progress, State};
use crate::host::Host;
use crate::proto::Limits;
use crate::sandbox::{Options, Sandbox, Seed};
use crate::transport::{Connector, Meter, TraceSink};
use std::sync::Arc;

/// How connections are made.
pub struct Setup {
    /// Opens them.
    pub connector: Connector,
    /// The sandbox that answers, if one does.
    pub router: Option<Arc<SandboxRouter>>,
    /// Limits on what servers may send.
    pub limits: Limits,
    /// Asks for a password that a script leaves out; `None` asks nobody.
    pub ask_secret: Option<AskSecret>,
}

impl Setup {
    /// Starts what the options ask for.
    ///
    /// # Errors
    /// A sandbox that cannot start, mail that cannot be read.
    pub fn new(global: &Global) -> Result<Setup, String> {
        if !global.mail.is_empty() && !global.sandbox {
            return Err("--mail needs --sandbox, or the sandbox command".into());
        }
        if !global.fault.is_empty() && !global.sandbox {
            return Err("--fault needs --sandbox, or the sandbox command".into());
        }
        let mut setup = if global.sandbox {
            Setup::sandboxed(Options {
                seed: seed_for(global),
                accept_any: true,
                ..sandbox_for(global)
            })?
        } else {
            Setup {
                connector: Connector::default(),
                router: None,
                limits: Limits::default(),
                ask_secret: None,
            }
        };
        for (name, value) in &global.limit {
            setup.limits.set(name, *value).ok_or_else(|| format!("there is no limit {name}"))?;
        }
        setup.connector.redirects = global.connect_to.clone();
        setup.connector.trace = global.trace.then(trace_to_stderr);
        Ok(setup)
    }

    /// Every connection goes to a sandbox of its own.
    ///
    /// # Errors
    /// A sandbox that cannot start.
    pub fn sandboxed(options: Options) -> Result<Setup, String> {
        let sandbox = Sandbox::start(options)
            .map_err(|error| format!("the sandbox cannot start: {error}"))?;
        let router = Arc::new(SandboxRouter::new(Arc::new(sandbox)));
        Ok(Setup {
            connector: Connector { router: Some(router.clone()), ..Connector::default() },
            router: Some(router),
            limits: Limits::default(),
            ask_secret: None,
        })
    }
}

/// A sandbox's mail and faults.
pub(super) fn sandbox_for(global: &Global) -> Options {
    Options { mail: global.mail.clone(), faults: global.fault.clone(), ..Options::default() }
}

/// Mail of one's own replaces the manual's.
pub(super) fn seed_for(global: &Global) -> Seed {
    if global.mail.is_empty() { Seed::Manual } else { Seed::Empty }
}

/// The lines of `--trace`.
pub(super) fn trace_to_stderr() -> TraceSink {
    Arc::new(complain)
}

/// Gives a host the whole interface, over these connections. The state closes what is left open.
pub fn attach(host: &mut Host, setup: &Setup) -> Arc<State> {
    attach_showing(host, setup, &Progress::default())
}

/// The same; long operations show their progress.
pub(super) fn attach_showing(host: &mut Host, setup: &Setup, progress: &Progress) -> Arc<State> {
    let context = Arc::downgrade(host.context());
    let (metered, ticking) = (progress.clone(), progress.clone());
    let connector = Connector {
        // Asked during every wait, so that the progress shows the time that passes.
        interrupt: Some(Arc::new(move || {
            ticking.bytes(0);
            context.upgrade().is_some_and(|context| context.interrupted())
        })),
        meter: progress.is_shown().then(|| Arc::new(move |count| metered.bytes(count)) as Meter),
        ..setup.connector.clone()
    };
    host.context().set_state(progress.clone());
    let sandbox = setup.router.as_ref().map(|router| router.sandbox().clone());
    let mut state = State::new(connector, sandbox);
    state.limits = setup.limits.clone();
    state.ask_secret = setup.ask_secret.clone();
    api::register(host, state);
    host.context()
        .try_state::<State>()
        .unwrap_or_else(|| Arc::new(State::new(Connector::default(), None)))
}
