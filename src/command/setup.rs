//! Translates the options of all commands into the setup of connections and of the sandbox.

use super::arguments::Global;
use super::output::complain;
use crate::api::Setup;
use crate::guard::{Budget, ChangeLimits};
use crate::repl::history;
use crate::sandbox::{Extensions, Options, Seed};
use crate::state::OnDemand;
use crate::transport::TraceSink;
use std::path::PathBuf;
use std::sync::Arc;

/// Returns the setup that the options ask for; starts the sandbox if there is to be one.
///
/// A sandbox that cannot start; mail that cannot be read.
pub(super) fn setup_for(global: &Global) -> Result<Setup, String> {
    if !global.mail.is_empty() && !global.sandbox {
        return Err("--mail needs --sandbox, or the sandbox command".into());
    }
    if !global.fault.is_empty() && !global.sandbox {
        return Err("--fault needs --sandbox, or the sandbox command".into());
    }
    if !global.without.is_empty() && !global.sandbox {
        return Err("--without needs --sandbox, or the sandbox command".into());
    }
    if !global.with.is_empty() && !global.sandbox {
        return Err("--with needs --sandbox, or the sandbox command".into());
    }
    let mut setup = if global.sandbox {
        Setup::sandboxed(Options {
            seed: seed_for(global),
            accept_any: true,
            ..sandbox_for(global)
        })?
    } else {
        Setup::default()
    };
    for (name, value) in &global.limit {
        setup.limits.set(name, *value).ok_or_else(|| format!("there is no limit {name}"))?;
    }
    if !global.sandbox {
        let nowhere = "there is no home folder for it, and POSTOFFICE_STATE names none";
        let state = state_folder().map(OnDemand::in_folder);
        setup.state = Arc::new(state.unwrap_or_else(|| OnDemand::nowhere(nowhere)));
    }
    setup.strict = global.strict;
    guard(&mut setup, global);
    setup.connector.redirects = global.connect_to.clone();
    setup.connector.trace = global.trace.then(trace_to_stderr);
    Ok(setup)
}

/// Puts the setup under the limits that the options set.
pub(super) fn guard(setup: &mut Setup, global: &Global) {
    setup.budget = Arc::new(Budget::new(ChangeLimits {
        read_only: global.read_only,
        max_deletes: global.max_deletes,
        max_changes: global.max_changes,
        only_mailbox: global.only_mailbox.clone(),
    }));
    setup.connector.quarantine = global.quarantine.clone();
}

/// Returns the options for a sandbox's mail, faults and extensions.
pub(super) fn sandbox_for(global: &Global) -> Options {
    let (mail, faults) = (global.mail.clone(), global.fault.clone());
    let on = global.with.iter().fold(Extensions::default(), |on, more| on.with(*more));
    let warn = complain_of_mail;
    let mut options = Options { mail, faults, extensions: on, warn, ..Options::default() };
    global.without.iter().for_each(|switch| switch.off(&mut options));
    options
}

fn complain_of_mail(warning: &str) {
    complain(&format!("Warning: {warning}"));
}

/// Returns the initial mail of a sandbox. Mail given with `--mail` replaces the manual's.
pub(super) fn seed_for(global: &Global) -> Seed {
    if global.mail.is_empty() { Seed::Manual } else { Seed::Empty }
}

/// Returns the destination of `--trace` lines.
pub(super) fn trace_to_stderr() -> TraceSink {
    Arc::new(complain)
}

/// The folder of the state database; `None` without a home folder.
pub(super) fn state_folder() -> Option<PathBuf> {
    history::folder(|name| std::env::var(name).ok())
}
