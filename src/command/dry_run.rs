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
use crate::shown::escape_controls;
use crate::state::{Database, Journal, NewRun, OnDemand, StateError, Sync};
use crate::transport::Connector;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
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

    /// Shows the plan, and writes it, if the script ended well. Its connections must be closed.
    pub(super) fn finish(self, code: i32) -> Result<(), String> {
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
                let until = if code == 0 {
                    ""
                } else {
                    " Until it failed, the script would have done this:"
                };
                format!("Dry run: nothing was changed.{until}\n{}", table(head, rows.into_iter()))
            }
        };
        print(&shown).map_err(|error| error.to_string())?;
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

/// Writes a file that only its owner can read: it may hold letters.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
