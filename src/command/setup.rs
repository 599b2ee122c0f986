//! From the options of all commands to a host with the whole interface.

use super::arguments::Global;
use super::environment::SandboxRouter;
use super::output::complain;
use crate::api::{self, State};
use crate::host::Host;
use crate::sandbox::{Options, Sandbox, Seed};
use crate::transport::{Connector, TraceSink};
use std::sync::Arc;

/// How connections are made.
pub struct Setup {
    /// Opens them.
    pub connector: Connector,
    /// The sandbox that answers, if one does.
    pub router: Option<Arc<SandboxRouter>>,
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
        let mut setup = if global.sandbox {
            Setup::sandboxed(Options { mail: global.mail.clone(), seed: seed_for(global), accept_any: true, ..Options::default() })?
        } else {
            Setup { connector: Connector::default(), router: None }
        };
        setup.connector.redirects = global.connect_to.clone();
        setup.connector.trace = global.trace.then(trace_to_stderr);
        Ok(setup)
    }

    /// Every connection goes to a sandbox of its own.
    ///
    /// # Errors
    /// A sandbox that cannot start.
    pub fn sandboxed(options: Options) -> Result<Setup, String> {
        let sandbox = Sandbox::start(options).map_err(|error| format!("the sandbox cannot start: {error}"))?;
        let router = Arc::new(SandboxRouter::new(Arc::new(sandbox)));
        Ok(Setup { connector: Connector { router: Some(router.clone()), ..Connector::default() }, router: Some(router) })
    }
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
    let context = Arc::downgrade(host.context());
    let connector = Connector {
        interrupt: Some(Arc::new(move || context.upgrade().is_some_and(|context| context.interrupted()))),
        ..setup.connector.clone()
    };
    let sandbox = setup.router.as_ref().map(|router| router.sandbox().clone());
    api::register(host, State::new(connector, sandbox));
    host.context().try_state::<State>().unwrap_or_else(|| Arc::new(State::new(Connector::default(), None)))
}
