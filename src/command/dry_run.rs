//! `postoffice run --dry-run`: the script on mirrors of its accounts, and the plan of what it would
//! have changed.
//!
//! The changes go into a journal of their own, which ends with the run; the plan is read from it.

use super::output::{complain, print};
use super::setup::state_folder;
use super::tables::table;
use crate::api::Setup;
use crate::mirror::Mirrors;
use crate::plan::{Keeper, Plan};
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
    run: NewRun,
    plan: Option<PathBuf>,
}

impl DryRun {
    /// Puts mirrors before the accounts of a setup. The plan will be written to `plan`.
    pub(super) fn begin(
        setup: &mut Setup,
        run: NewRun,
        plan: Option<PathBuf>,
    ) -> Result<DryRun, String> {
        let folder = TempDir::with_prefix("postoffice-")
            .map_err(|error| format!("a folder for the dry run: {error}"))?;
        let journal = Arc::new(Journal::new(folder.path(), run.clone()));
        let (mirrors, connector) = Mirrors::new(std::mem::take(&mut setup.connector));
        let mirrors = Arc::new(mirrors);
        let keeper = Arc::new(Keeper::new(journal.clone(), mirrors.clone()));
        setup.connector = Connector { witness: keeper.clone(), ..connector };
        setup.mirrors = Some(mirrors.clone());
        if let Some(folder) = state_folder().filter(|_| setup.router.is_none()) {
            setup.state = Arc::new(OnDemand::copy_of(folder));
        }
        Ok(DryRun { mirrors, journal, keeper, folder, run, plan })
    }

    /// Shows the plan, and writes it. The script's connections must be closed.
    pub(super) fn finish(self) -> Result<(), String> {
        let text = |error: StateError| error.to_string();
        let run = self.journal.run();
        self.journal.finish("dry run");
        let steps = match run {
            Some(run) => Database::open(self.folder.path(), Sync::Normal)
                .and_then(|database| database.steps(run))
                .map_err(text)?,
            None => Vec::new(),
        };
        let plan = Plan::of(&self.run, steps, &self.keeper);
        self.mirrors.close();
        let rows = plan.rows();
        let shown = match rows.is_empty() {
            true => "Dry run: the script would change nothing.\n".to_owned(),
            false => {
                let head = ["step", "account", "change", "letters", "subjects"];
                format!("Dry run: nothing was changed.\n{}", table(head, rows.into_iter()))
            }
        };
        print(&shown).map_err(|error| error.to_string())?;
        if let Some(path) = &self.plan {
            let written = std::fs::write(path, plan.to_string());
            written.map_err(|error| format!("{}: {error}", path.display()))?;
            complain(&format!("The plan is in {}; postoffice apply does it.", path.display()));
        }
        Ok(())
    }
}
