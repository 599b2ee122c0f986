//! `--untrusted`: runs a script in a process of its own. The system limits the memory of that
//! process, and this process stops it when its time is up.
//!
//! The interpreter and the [`Policy`] control what a script can reach, within the script's own
//! process. But no interpreter can stop a single operation that never returns or that wants more
//! memory than there is. In such a case the script's process ends, and this one reports why.
//!
//! [`oversee`] runs in the supervising process. [`Confinement::enter`] runs in the script's process
//! and sets the limits, which cannot be taken back.

use super::arguments::Confinement;
use super::output::{complain, distrust};
use crate::policy::Policy;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The exit code when a limit has stopped the script, as for `timeout`.
pub(super) const STOPPED: i32 = 124;

/// How long the script's process may take to end by itself after its time is up: clean-up forms
/// run, and connections are closed.
const GRACE: Duration = Duration::from_secs(5);

const STOPPED_BY: &str = "postoffice: the script was stopped: ";

/// Returns the message for a script whose time is up.
pub(super) fn too_long(time: Duration) -> String {
    format!("{STOPPED_BY}it took longer than {} seconds (--time-limit)", time.as_secs())
}

/// Stack for deeply nested data, which the interpreter drops by recursion. Systems leave at least
/// this much room below the main thread's stack.
const STACK: u64 = 120 << 20;

/// Prepares every process of the command: keeps passwords out of core dumps, and raises the stack
/// limit.
pub(super) fn prepare_process() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }); // lowering it is always allowed
        raise_stack(STACK);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable); // a program that handles core dumps may ignore the limit
    }
}

/// Raises the limit of the main thread's stack, as far as the system allows.
#[cfg(unix)]
fn raise_stack(bytes: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Stack);
    let wanted = maximum.map_or(bytes, |maximum| maximum.min(bytes));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Stack, Rlimit { current: Some(wanted), maximum }); // the usual size is enough for usual scripts
    }
}

/// Runs the same command line in a process of its own and supervises it. Returns the exit code.
pub(super) fn oversee(confinement: &Confinement, time: Duration) -> Result<i32, String> {
    let failed = |cause: std::io::Error| format!("the script's process cannot be started: {cause}");
    let program = std::env::current_exe().map_err(failed)?;
    // Ctrl-C reaches both processes; the script's process closes its connections before it ends.
    static SIGNALLED: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| SIGNALLED.store(true, Ordering::SeqCst))
        .map_err(|error| error.to_string())?;
    #[cfg(unix)]
    raise_stack(confinement.memory_limit << 20); // a new process reserves room for all of it
    let mut command = Command::new(program);
    // Makes the allocator take memory only as it needs it: memory that it held from the start would
    // not count against the limit.
    command
        .arg("--confined")
        .args(std::env::args_os().skip(1))
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    let mut child = command.spawn().map_err(failed)?;
    let Some(status) = wait(&mut child, time + GRACE, &SIGNALLED).map_err(failed)? else {
        child.kill().and_then(|()| child.wait()).map_err(failed)?;
        complain(&too_long(time));
        return Ok(STOPPED);
    };
    if let Some(code) = status.code() {
        return Ok(code);
    }
    complain(&reason(status, confinement));
    Ok(STOPPED)
}

/// Waits for the script's process, no longer than `time`; `None` if it is still running then. A
/// signal that reached only this process is passed on.
fn wait(
    child: &mut Child,
    time: Duration,
    signalled: &AtomicBool,
) -> std::io::Result<Option<ExitStatus>> {
    const LONGEST_NAP: Duration = Duration::from_millis(20);
    // A process that also got the signal has ended by then. A second signal would cut its clean-up
    // short.
    const FORWARD_AFTER: Duration = Duration::from_secs(5);
    let mut forward_at: Option<Instant> = None;
    let end = Instant::now() + time;
    let mut nap = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if signalled.load(Ordering::SeqCst) && forward_at.is_none() {
            forward_at = Some(Instant::now() + FORWARD_AFTER);
        }
        if forward_at.is_some_and(|at| Instant::now() >= at) {
            signalled.store(false, Ordering::SeqCst);
            forward_at = None;
            terminate(child);
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(LONGEST_NAP);
    }
}

#[cfg(unix)]
fn terminate(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM); // it may have ended by now
    }
}

#[cfg(not(unix))]
fn terminate(_: &Child) {}

#[cfg(unix)]
fn reason(status: ExitStatus, confinement: &Confinement) -> String {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().unwrap_or(0);
    if signal == Signal::ABORT.as_raw() {
        // Only two things raise this signal: memory that could not be allocated, and a full stack.
        // The process has already printed which one.
        confinement.too_much()
    } else if signal == Signal::XCPU.as_raw() {
        format!("{STOPPED_BY}its time is up (--time-limit)")
    } else {
        format!("{STOPPED_BY}its process ended by signal {signal}")
    }
}

#[cfg(not(unix))]
fn reason(_status: ExitStatus, _confinement: &Confinement) -> String {
    format!("{STOPPED_BY}its process ended abnormally")
}

impl Confinement {
    /// Returns the message for a script that used up its memory.
    pub(super) fn too_much(&self) -> String {
        match self.memory_limit {
            0 => format!("{STOPPED_BY}it needed more memory than there is"),
            limit => {
                format!("{STOPPED_BY}it needed more than {limit} MB of memory (--memory-limit)")
            }
        }
    }

    /// Returns the script's policy. For an untrusted script, also sets the limits of this process.
    ///
    /// A folder that does not exist; a limit that this system does not enforce.
    pub(super) fn enter(&self, time: Duration) -> Result<Policy, String> {
        if !self.untrusted {
            return Ok(Policy::trusted());
        }
        distrust();
        let mut policy = Policy::untrusted();
        self.allow_host.iter().for_each(|host| policy.allow_host(host.clone()));
        self.allow_env.iter().for_each(|name| policy.allow_variable(name));
        for path in &self.allow_dir {
            policy
                .allow_folder(path)
                .map_err(|error| format!("--allow-dir {}: {error}", path.display()))?;
        }
        for path in &self.allow_read {
            policy
                .allow_reading(path)
                .map_err(|error| format!("--allow-read {}: {error}", path.display()))?;
        }
        limit_process(self.memory_limit, time)?;
        Ok(policy)
    }
}

/// Sets the system's limits for this process. They hold until it ends and cannot be taken back.
fn limit_process(megabytes: u64, time: Duration) -> Result<(), String> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
        // In case the supervising process is gone. Twice the time, because several threads may use
        // the processor.
        setrlimit(Resource::Cpu, both(2 * time.as_secs() + 2 * GRACE.as_secs()))
            .map_err(|error| format!("--time-limit: {error}"))?;
        if megabytes > 0 {
            // Limits all writable private memory, including the stacks of threads. The address
            // space is not limited, because the allocator reserves much more of it than it uses.
            setrlimit(Resource::Data, both(megabytes << 20))
                .map_err(|error| format!("--memory-limit: {error}"))?;
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    }
    #[cfg(not(unix))]
    let _ = time; // the supervising process watches the clock
    // Tests a little more than the limit, because the allocator may already hold some memory.
    if megabytes > 0 && can_have((megabytes + 64) << 20) {
        return Err("this system does not hold a process to a limit of memory; give --memory-limit 0 to run the script without one".into());
    }
    Ok(())
}

/// Whether the limit is enforced; some systems accept and ignore it.
fn can_have(bytes: u64) -> bool {
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX));
    std::hint::black_box(&mut all); // keeps the compiler from removing the unused allocation
    reserved.is_ok()
}
