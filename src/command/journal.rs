//! `postoffice journal` and `postoffice undo`: what runs have changed, and taking it back; and the
//! journal of the commands that run scripts.

use super::accounts::Connections;
use super::arguments::{AccountOptions, Global};
use super::output::print;
use super::setup::{setup_for, state_folder};
use super::tables::{table, time};
use crate::api::Setup;
use crate::host::Host;
use crate::proto::deed::{Account, Act, Deed, Letters};
use crate::proto::imap::CopiedUids;
use crate::proto::witness::{Ending, Refusal, Witness};
use crate::shown::escape_controls;
use crate::state::{
    Accounts, Database, Journal, NewRun, Run, Settled, Settling, Step, StepState, Sync, Undo,
    Verdict,
};
use std::sync::Arc;
use std::time::Duration;

/// How many runs `postoffice journal` shows.
const SHOWN_RUNS: u32 = 20;

/// A script that runs longer begins another run of the journal every day.
const LONGEST_RUN: Duration = Duration::from_secs(24 * 3600);

/// The journal of a command that runs a script. Dropping it writes no end.
pub(super) struct Journaled(pub(super) Option<Arc<Journal>>);

impl Journaled {
    /// Makes the journal the witness of all connections, unless the options say otherwise. A
    /// sandbox vanishes with its mail, so its changes are not kept; and an untrusted script's
    /// process must not hold a file that others trust.
    pub(super) fn begin(global: &Global, setup: &mut Setup, run: NewRun, trusted: bool) -> Self {
        if global.no_journal || global.sandbox || !trusted {
            return Journaled(None);
        }
        let Some(folder) = state_folder() else {
            setup.connector.witness = Arc::new(NoFolder);
            return Journaled(None);
        };
        let sync = if global.journal_sync_full() { Sync::Full } else { Sync::Normal };
        let is_long = matches!(run.kind.as_str(), "run" | "watch");
        let mut journal = Journal::new(&folder, run).with_sync(sync);
        if is_long {
            journal = journal.with_longest_run(LONGEST_RUN);
        }
        let journal = Arc::new(journal);
        #[cfg(debug_assertions)]
        if let Ok(when) = std::env::var("POSTOFFICE_JOURNAL_CRASH") {
            journal.crash_at(&when);
        }
        setup.connector.witness = journal.clone();
        Journaled(Some(journal))
    }

    /// No journal.
    pub(super) fn nowhere() -> Self {
        Journaled(None)
    }

    /// Keeps the secrets that a host knows out of the journal.
    pub(super) fn attach(&self, host: &Host) {
        if let Some(journal) = &self.0 {
            keep_secrets_out(journal, host);
        }
    }

    /// Writes how the run ended. The connections must be closed.
    pub(super) fn finish(&self, code: i32) {
        if let Some(journal) = &self.0 {
            journal.finish(&match code {
                0 => "ended".to_owned(),
                super::interrupt::INTERRUPTED => "stopped by Ctrl-C".to_owned(),
                code => format!("failed ({code})"),
            });
        }
    }
}

/// Keeps the secrets that a host knows out of a journal.
pub(super) fn keep_secrets_out(journal: &Journal, host: &Host) {
    let context = Arc::downgrade(host.context());
    journal.set_redaction(move |text| match context.upgrade() {
        Some(context) => context.redact_argument(text),
        None => text.to_owned(),
    });
}

/// Refuses every change, because there is no folder for the journal.
#[derive(Debug)]
struct NoFolder;

impl Witness for NoFolder {
    fn before(&self, deed: &Deed) -> Result<(), Refusal> {
        if deed.act == Act::TakeRecent {
            return Ok(()); // a SELECT
        }
        let rule = "the journal (there is no home folder for it, and POSTOFFICE_STATE names none; --no-journal does without it)";
        Err(Refusal::new(rule, deed))
    }

    fn after(&self, _: &Deed, _: Ending, _: Option<&CopiedUids>) {}
}

/// Opens the database for reading; `None` if there is none yet.
fn database() -> Result<Option<Database>, String> {
    let folder = state_folder()
        .ok_or("there is no home folder for the journal, and POSTOFFICE_STATE names none")?;
    Database::open_existing(&folder).map_err(|error| error.to_string())
}

fn out(text: &str) -> Result<(), String> {
    print(text).map_err(|error| error.to_string())
}

/// `postoffice journal [RUN]`.
pub(super) fn journal(run: Option<i64>) -> Result<i32, String> {
    let database = database()?;
    let text = |error: crate::state::StateError| error.to_string();
    match (database, run) {
        (None, Some(run)) => Err(no_run(run)),
        (None, None) => out("The journal is empty.\n").map(|()| 0),
        (Some(database), None) => {
            let runs = database.runs(SHOWN_RUNS).map_err(text)?;
            if runs.is_empty() {
                return out("The journal is empty.\n").map(|()| 0);
            }
            let rows = runs.iter().map(|run| {
                [run.id.to_string(), time(run.begun), title(run), run.steps.to_string(), end(run)]
            });
            out(&table(["run", "begun", "what", "steps", "end"], rows)).map(|()| 0)
        }
        (Some(database), Some(id)) => {
            let run = database.run(id).map_err(text)?.ok_or_else(|| no_run(id))?;
            let steps = database.steps(id).map_err(text)?;
            let (title, end) = (escape_controls(&title(&run)), end(&run));
            out(&format!("run {id}: {title}, begun {}, {end}\n", time(run.begun)))?;
            let state = |step: &Step| match step.state {
                StepState::Begun if run.is_running => "under way",
                state => state.words(),
            };
            let row = |step: &Step| [step.id.to_string(), described(step), state(step).to_owned()];
            // The steps of each account in turn, as they followed each other.
            for steps in steps.chunk_by(|one, other| account(one) == account(other)) {
                out(&format!("{}\n", escape_controls(&account(&steps[0]))))?;
                out(&table(["step", "change", "state"], steps.iter().map(row)))?;
            }
            if !run.is_running && run.outcome.as_deref().is_none_or(|how| how == "interrupted") {
                let certain = steps.iter().rev().find(|step| !step.state.is_in_doubt());
                let certain = certain.map_or("none".to_owned(), |step| step.id.to_string());
                let doubt = steps.iter().filter(|step| step.state.is_in_doubt());
                let doubt: Vec<String> = doubt.map(|step| step.id.to_string()).collect();
                let doubt = if doubt.is_empty() { "none".to_owned() } else { doubt.join(", ") };
                out(&format!("The last certain step: {certain}. In doubt: {doubt}.\n"))?;
            }
            Ok(0)
        }
    }
}

/// `postoffice journal check [RUN]`.
pub(super) fn check(
    global: &Global,
    options: &AccountOptions,
    run: Option<i64>,
) -> Result<i32, String> {
    let text = |error: crate::state::StateError| error.to_string();
    let Some(database) = database()? else {
        return run.map_or_else(|| out("Nothing is in doubt.\n").map(|()| 0), |id| Err(no_run(id)));
    };
    let run = match run {
        Some(id) => Some(database.run(id).map_err(text)?.ok_or_else(|| no_run(id))?),
        None => database.last_run_in_doubt().map_err(text)?,
    };
    let run = run.filter(|run| !run.is_running || run.in_doubt > 0);
    if let Some(run) = run.as_ref().filter(|run| run.is_running) {
        return Err(format!("run {} still runs", run.id));
    }
    let steps = run.map_or(Ok(Vec::new()), |run| database.steps(run.id)).map_err(text)?;
    if !steps.iter().any(Step::is_uncertain) {
        return out("Nothing is in doubt.\n").map(|()| 0);
    }
    let mut accounts = Connections::open(options, setup_for(global)?)?;
    let mut settling = Settling::new(&database);
    let mut rows = Vec::new();
    let mut unclear = 0;
    // The last one first: what it has stored is not taken for what an earlier one has.
    for mut step in steps.into_iter().rev().filter(Step::is_uncertain) {
        let known = match step.deed.account.clone().filter(|account| account.protocol == "imap") {
            None => Settled::Unclear(crate::state::lost(&step)),
            Some(account) => {
                let (host, mut settled) = (step.deed.host.clone(), None);
                accounts.with_imap(&host, &account, &mut |client| {
                    settled = Some(settling.settle(&mut step, client));
                })?;
                let settled = settled.ok_or("the server was not asked")?.map_err(text)?;
                settled.map_err(|error| error.to_string())?
            }
        };
        let words = match known {
            Settled::Done | Settled::NotDone => step.state.words().to_owned(),
            Settled::Unclear(why) => {
                unclear += 1;
                format!("in doubt: {why}")
            }
        };
        rows.push([step.id.to_string(), described(&step), words]);
    }
    accounts.close();
    out(&table(["step", "change", "state"], rows.into_iter().rev()))?;
    Ok(i32::from(unclear > 0))
}

/// `postoffice undo [RUN]`.
pub(super) fn undo(
    global: &Global,
    options: &AccountOptions,
    run: Option<i64>,
    dry_run: bool,
) -> Result<i32, String> {
    let text = |error: crate::state::StateError| error.to_string();
    let Some(database) = database()? else {
        return match run {
            Some(run) => Err(no_run(run)),
            None => Err("there is no run to undo".into()),
        };
    };
    let run = match run {
        Some(id) => database.run(id).map_err(text)?.ok_or_else(|| no_run(id))?,
        None => database.last_run().map_err(text)?.ok_or("there is no run to undo")?,
    };
    if run.is_running {
        return Err(format!("run {} still runs", run.id));
    }
    let mut setup = setup_for(global)?;
    let new = NewRun { undoes: Some(run.id), ..NewRun::of("undo") };
    let journaled = match dry_run {
        true => Journaled(None),
        false => Journaled::begin(global, &mut setup, new, true),
    };
    if !dry_run && journaled.0.is_none() {
        return Err(
            "undo keeps a journal of its own: --no-journal and --sandbox cannot be given".into()
        );
    }
    let mut accounts = Connections::open(options, setup)?;
    journaled.attach(&accounts.host);
    let mut rows = Vec::new();
    let mut short = false;
    let result =
        Undo::new(&database, journaled.0.as_deref(), &mut accounts).run(run.id, &mut |undone| {
            let steps = match undone.step.id == undone.last {
                true => undone.last.to_string(),
                false => format!("{}-{}", undone.step.id, undone.last),
            };
            let verdict = match undone.verdict {
                Verdict::Restored => "undone",
                Verdict::Nothing => "as before",
                Verdict::Partly => "in part",
                Verdict::Impossible => "not undone",
            };
            short |= matches!(undone.verdict, Verdict::Partly | Verdict::Impossible);
            rows.push([steps, change(&undone.step), verdict.to_owned(), undone.words]);
        });
    accounts.close();
    let code = i32::from(short || result.is_err());
    journaled.finish(code);
    let would = if dry_run { " (dry run: nothing is changed)" } else { "" };
    if result.is_ok() || !rows.is_empty() {
        out(&format!("undo of run {}: {}{would}\n", run.id, escape_controls(&title(&run))))?;
        out(&table(["step", "change", "result", "what"], rows.into_iter()))?;
    }
    result.map(|()| code)
}

fn no_run(run: i64) -> String {
    format!("the journal has no run {run}")
}

fn title(run: &Run) -> String {
    let undoes = run.undoes.map(|undone| format!("of run {undone}"));
    let words = [run.kind.clone()].into_iter().chain(undoes).chain(run.script.clone());
    words.chain(run.arguments.iter().cloned()).collect::<Vec<_>>().join(" ")
}

fn end(run: &Run) -> String {
    match &run.outcome {
        _ if run.is_running => "running".to_owned(),
        None => "interrupted".to_owned(),
        Some(outcome) => outcome.clone(),
    }
}

/// The change of a step, and its letters.
fn described(step: &Step) -> String {
    let letters = match (&step.stored, &step.deed.letters) {
        (Some(stored), _) if stored.from.is_empty() => format!(", uid {}", stored.to),
        (Some(stored), _) => format!(", uid {} -> {}", stored.from, stored.to),
        (None, Letters::Messages(messages)) if messages.are_uids() => {
            format!(", uid {}", messages.set())
        }
        (None, Letters::Messages(messages)) => format!(", number {}", messages.set()),
        _ => String::new(),
    };
    format!("{}{letters}", change(step))
}

/// The change of a step, without the host, which stands with the account.
fn change(step: &Step) -> String {
    let words = step.deed.to_string();
    let host = format!(" on {}", step.deed.host);
    words.strip_suffix(&host).map_or(words.clone(), str::to_owned)
}

fn account(step: &Step) -> String {
    match &step.deed.account {
        Some(Account { protocol, port, user }) => {
            let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
            format!("{protocol} {user}{}:{port}", step.deed.host)
        }
        None => step.deed.host.clone(),
    }
}
