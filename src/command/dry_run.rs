//! `postoffice run --dry-run`: the script on mirrors of its accounts, and the plan of what it would
//! have changed.
//!
//! The changes go into a journal of their own, which ends with the run; the plan is read from it.

use super::journal::keep_secrets_out;
use super::output::{at_line_start, complain, print, write_private};
use super::setup::state_folder;
use super::tables::table;
use crate::api::Setup;
use crate::host::Host;
use crate::mirror::Mirrors;
use crate::plan::{Keeper, Plan};
use crate::shown::escape_controls;
use crate::state::{Database, Journal, NewRun, OnDemand, StateError, Sync};
use crate::transport::Connector;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A dry run.
pub(super) struct DryRun {
    mirrors: Arc<Mirrors>,
    journal: Arc<Journal>,
    keeper: Arc<Keeper>,
    folder: TempDir,
    script: Option<String>,
    plan: Option<PathBuf>,
    /// Whether standard output is for a value, so that the table goes beside it.
    beside: bool,
}

impl DryRun {
    /// Puts mirrors before the accounts of a setup. The plan will be written to `plan`.
    pub(super) fn begin(
        setup: &mut Setup,
        run: NewRun,
        plan: Option<PathBuf>,
        beside: bool,
    ) -> Result<DryRun, String> {
        let folder =
            private_folder().map_err(|error| format!("a folder for the dry run: {error}"))?;
        let script = run.script.clone();
        let journal = Arc::new(Journal::new(folder.path(), run));
        let (mirrors, connector) = Mirrors::new(std::mem::take(&mut setup.connector));
        let mirrors = Arc::new(mirrors);
        let keeper = Arc::new(Keeper::new(journal.clone(), mirrors.clone()));
        setup.connector = Connector { witness: keeper.clone(), ..connector };
        setup.mirrors = Some(mirrors.clone());
        if let Some(folder) = state_folder().filter(|_| setup.router.is_none()) {
            setup.state = Arc::new(OnDemand::copy_of(folder));
        }
        Ok(DryRun { mirrors, journal, keeper, folder, script, plan, beside })
    }

    /// Keeps the secrets that a host knows out of the plan.
    pub(super) fn attach(&self, host: &Host) {
        keep_secrets_out(&self.journal, host);
    }

    /// Shows the plan, and writes it, if the script ended well. Its connections must be closed.
    pub(super) fn finish(self, code: i32) -> Result<(), String> {
        let text = |error: StateError| error.to_string();
        let run = self.journal.run();
        self.journal.finish("dry run");
        let (mut steps, mut arguments) = (Vec::new(), Vec::new());
        if let Some(run) = run {
            let database = Database::open(self.folder.path(), Sync::Normal).map_err(text)?;
            steps = database.steps(run).map_err(text)?;
            // Without secrets.
            arguments = database.run(run).map_err(text)?.map_or(arguments, |run| run.arguments);
        }
        let plan = Plan::of(self.script.clone(), arguments, steps, &self.keeper);
        self.mirrors.close();
        let rows = plan.rows();
        let shown = match rows.is_empty() {
            true => "Dry run: the script would change nothing.\n".to_owned(),
            false => {
                let head = ["step", "account", "change", "letters", "subjects"];
                let until = if code == 0 {
                    ""
                } else {
                    " Until it failed, the script would have done this:"
                };
                format!("Dry run: nothing was changed.{until}\n{}", table(head, rows.into_iter()))
            }
        };
        match self.beside {
            true => complain(shown.trim_end()),
            false => {
                let gap = if at_line_start() { "" } else { "\n" };
                print(&format!("{gap}{shown}")).map_err(|error| error.to_string())?;
            }
        }
        if let Some(path) = &self.plan {
            let shown = escape_controls(&path.display().to_string());
            if code != 0 {
                complain(&format!("The script failed, so no plan is written to {shown}."));
                return Ok(());
            }
            write_private(path, &plan.to_string()).map_err(|error| format!("{shown}: {error}"))?;
            complain(&format!("The plan is in {shown}; postoffice apply does it."));
        }
        Ok(())
    }
}

fn private_folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("postoffice-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}
