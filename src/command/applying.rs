//! `postoffice apply`: does a plan.

use super::accounts::Connections;
use super::arguments::{AccountOptions, Global};
use super::journal::Journaled;
use super::output::print;
use super::setup::{setup_for, state_folder};
use super::tables::table;
use crate::plan::{Applied, Misfit, Outcome, Plan};
use crate::shown::escape_controls;
use crate::state::{Database, Sync};
use std::path::Path;

fn out(text: &str) -> Result<(), String> {
    print(text).map_err(|error| error.to_string())
}

/// `postoffice apply FILE`.
pub(super) fn apply(
    global: &Global,
    options: &AccountOptions,
    file: &Path,
    partial: bool,
    only_check: bool,
    skip: &[usize],
) -> Result<i32, String> {
    let shown = escape_controls(&file.display().to_string());
    let source = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let plan: Plan = source.parse().map_err(|error| format!("{shown}: {error}"))?;
    let name = plan.name();
    let text = |error: crate::state::StateError| error.to_string();
    let mut setup = setup_for(global)?;
    if only_check {
        let database = state_folder().map_or(Ok(None), |folder| Database::open_existing(&folder));
        let begun = database.map_err(text)?.map_or(Ok(Vec::new()), |known| known.applied(&name));
        let begun = begun.map_err(text)?;
        let mut accounts = Connections::open(options, setup)?;
        let misfits = plan.misfits(&begun, &mut accounts);
        accounts.close();
        let misfits = misfits?;
        return match misfits.is_empty() {
            true => out("The plan fits.\n").map(|()| 0),
            false => out(&misfit_table(&plan, &misfits)).map(|()| 1),
        };
    }
    if plan.steps.is_empty() {
        return out("The plan changes nothing.\n").map(|()| 0);
    }
    let journaled = Journaled::begin(global, &mut setup, plan.new_run(&shown), true);
    let (Some(journal), Some(folder)) = (&journaled.0, state_folder()) else {
        return Err("apply needs its journal, to go on after an interruption: --no-journal and --sandbox cannot be given".into());
    };
    let database = Database::open(&folder, Sync::Normal).map_err(text)?;
    let Some(_lock) = database.lock_plan(&name).map_err(text)? else {
        return Err("another process is doing this plan right now".into());
    };
    let before = database.applied(&name).map_err(text)?;
    if before.len() == plan.steps.len() && before.iter().all(|(_, state)| state.is_over()) {
        database.forget_lock(&name);
        return out(
            "The plan was done before; nothing is left to do. A new dry run makes a new plan.\n",
        )
        .map(|()| 0);
    }
    let mut accounts = Connections::open(options, setup)?;
    journaled.attach(&accounts.host);
    let mut applied = Applied::new(&plan, &database, journal);
    skip.iter().for_each(|step| applied.skip(*step));
    let misfits = match plan.misfits(&before, &mut accounts) {
        Ok(misfits) => misfits,
        Err(error) => {
            accounts.close();
            return Err(error);
        }
    };
    if !misfits.is_empty() && !partial {
        accounts.close();
        let of_it = if before.is_empty() { "" } else { " of the rest" };
        out(&format!("The plan does not fit any more; nothing{of_it} was done.\n"))?;
        out(&misfit_table(&plan, &misfits))?;
        if misfits.iter().all(|misfit| !misfit.uids.is_empty()) {
            out("--partial leaves these letters out.\n")?;
        }
        return Ok(1);
    }
    if let Err(why) = applied.leave_out(&misfits) {
        accounts.close();
        out(&misfit_table(&plan, &misfits))?;
        return Err(format!("{}; nothing was done", escape_controls(&why)));
    }
    let left_out = misfits;
    let (mut done, mut out_of, mut earlier, mut letters) = (0, 0, 0, 0);
    let result = applied.run(&mut accounts, &mut |outcome| match outcome {
        Outcome::Done(left_out) => {
            done += 1;
            letters += left_out;
        }
        Outcome::DoneBefore => earlier += 1,
        Outcome::LeftOut => out_of += 1,
    });
    accounts.close();
    journaled.finish(i32::from(result.is_err()));
    if !left_out.is_empty() {
        out(&format!("Left out:\n{}", misfit_table(&plan, &left_out)))?;
    }
    let all = plan.steps.len();
    let mut words = format!("{done} of {all} steps done");
    if earlier > 0 {
        words += &format!(", {earlier} were done before");
    }
    if out_of > 0 {
        words += &format!(", {out_of} left out");
    }
    if letters > 0 {
        words += &format!("; letters left out of steps: {letters}");
    }
    out(&format!("{words}.\n"))?;
    if result.is_ok() {
        database.forget_lock(&name);
    }
    result.map(|()| 0).map_err(|error| {
        let error: Vec<_> = error.lines().map(escape_controls).collect();
        let before = if done + earlier > 0 { "The steps before it are done; the" } else { "The" };
        format!(
            "{}\n{before} same command goes on with it, and --skip STEP leaves it out.",
            error.join("\n")
        )
    })
}

fn misfit_table(plan: &Plan, misfits: &[Misfit]) -> String {
    let row = |misfit: &Misfit| {
        let words = plan.steps.get(misfit.step.saturating_sub(1)).map(|step| step.words());
        [misfit.step.to_string(), words.unwrap_or_default(), misfit.why.clone()]
    };
    table(["step", "change", "what does not fit"], misfits.iter().map(row))
}
