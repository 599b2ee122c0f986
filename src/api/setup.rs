//! Turns a host without mail functions into one with all of them.
//!
//! A [`Setup`] describes how connections are made. [`attach`] makes a [`State`] from it, lets
//! interrupts end the waits of connections, and registers the functions. [`attach_showing`] also
//! counts bytes for the progress.

use super::router::SandboxRouter;
use super::{AskSecret, Progress, State};
use crate::guard::Budget;
use crate::host::Host;
use crate::mirror::Mirrors;
use crate::proto::Limits;
use crate::sandbox::{Options, Sandbox};
use crate::state::OnDemand;
use crate::transport::{Connector, Gauge, Meter};
use std::sync::Arc;

/// How the connections of a host are made.
#[derive(Clone, Default)]
pub struct Setup {
    /// Opens connections.
    pub connector: Connector,
    /// The router to the sandbox, if one answers.
    pub router: Option<Arc<SandboxRouter>>,
    /// Limits on what servers may send.
    pub limits: Limits,
    /// Asks for a password that a script leaves out; `None` asks nobody.
    pub ask_secret: Option<AskSecret>,
    /// Whether a change by message numbers that may have shifted is refused instead of warned of.
    pub strict: bool,
    /// Limits on what the program may change; all hosts of this setup share the counts.
    pub budget: Arc<Budget>,
    /// The state database, which holds cursors. By default it ends with the program.
    pub state: Arc<OnDemand>,
    /// The mirrors that take all changes, for a dry run; `connector` must be the one that
    /// [`Mirrors::new`] returned.
    pub mirrors: Option<Arc<Mirrors>>,
}

impl Setup {
    /// Makes a setup that sends every connection to a new sandbox.
    ///
    /// # Errors
    /// A message, if the sandbox cannot start.
    pub fn sandboxed(options: Options) -> Result<Setup, String> {
        let sandbox = Sandbox::start(options)
            .map_err(|error| format!("the sandbox cannot start: {error}"))?;
        let router = Arc::new(SandboxRouter::new(Arc::new(sandbox)));
        let connector = Connector { router: Some(router.clone()), ..Connector::default() };
        Ok(Setup { connector, router: Some(router), ..Setup::default() })
    }
}

/// Registers all mail functions in `host`, over connections that are made as `setup` says.
/// [`State::close_all`] closes those that a script leaves open.
pub fn attach(host: &mut Host, setup: &Setup) -> Arc<State> {
    attach_showing(host, setup, &Progress::default())
}

/// Does the same, and shows the progress of long operations.
pub fn attach_showing(host: &mut Host, setup: &Setup, progress: &Progress) -> Arc<State> {
    let context = Arc::downgrade(host.context());
    let (metered, gauged, ticking) = (progress.clone(), progress.clone(), progress.clone());
    let connector = Connector {
        // Called during every wait, so that the progress also shows how time passes.
        interrupt: Some(Arc::new(move || {
            ticking.bytes(0);
            context.upgrade().is_some_and(|context| context.interrupted())
        })),
        meter: progress.is_shown().then(|| Arc::new(move |count| metered.bytes(count)) as Meter),
        gauge: progress
            .is_shown()
            .then(|| Arc::new(move |done, all| gauged.work(done, all)) as Gauge),
        ..setup.connector.clone()
    };
    host.context().set_state(progress.clone());
    let sandbox = setup.router.as_ref().map(|router| router.sandbox().clone());
    let mut state = State::new(connector, sandbox);
    state.limits = setup.limits.clone();
    state.ask_secret = setup.ask_secret.clone();
    state.strict = setup.strict;
    state.database = setup.state.clone();
    state.mirrors = setup.mirrors.clone();
    state.limiter.enter(setup.budget.clone());
    super::register(host, state);
    host.context()
        .try_state::<State>()
        .unwrap_or_else(|| Arc::new(State::new(Connector::default(), None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    fn whole_host() -> Host {
        let mut host = Host::new(host::Options::default());
        attach(&mut host, &Setup::default());
        host
    }

    /// Definitions that call something when they run.
    const NOT_IN_THE_IMAGE: &[&str] =
        &["s/%account-mailboxes", "s/%accounts", "s/%break-handlers", "s/*error-output*"];

    #[test]
    fn the_image_holds_what_every_definition_compiles_to() {
        let (image, left) = whole_host().image();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/host/image.txt");
        if std::env::var_os("POSTOFFICE_BLESS").is_some() {
            std::fs::write(path, &image).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == image,
            "definitions compile to something else now; POSTOFFICE_BLESS=1 cargo test --lib image writes the file"
        );
        let names: Vec<&str> = left.iter().filter_map(|left| left.split(' ').next()).collect();
        assert_eq!(names, NOT_IN_THE_IMAGE, "{left:#?}");
    }

    #[test]
    fn every_definition_that_the_image_holds_is_loaded_from_it() {
        let host = whole_host();
        assert_eq!(host.definitions_compiled_by(&host), NOT_IN_THE_IMAGE);
        // Without the application's natives, what mentions them is compiled.
        let alone = Host::new(host::Options::default());
        let compiled = host.definitions_compiled_by(&alone);
        assert!(compiled.contains(&"s/for-each-letter".to_owned()), "{compiled:?}");
    }
}
