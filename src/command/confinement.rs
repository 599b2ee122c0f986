//! `--untrusted`: a process of its own for the script, which the system stops when it wants too much memory, and which this process stops when
//! it takes too long.
//!
//! What a script reaches is the interpreter's and the [`Policy`]'s matter, in the script's own process. But no interpreter holds against a
//! single operation that never returns or that wants more memory than there is: then the script's process ends, and this one says why.

use super::arguments::Confinement;
use super::output::{complain, distrust};
use crate::policy::Policy;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Exit code when a limit has stopped the script, as `timeout` has it.
pub(super) const STOPPED: i32 = 124;

/// How long the script's process may take to end by itself when its time is up: clean-up forms run, connections are closed.
const GRACE: Duration = Duration::from_secs(5);

const STOPPED_BY: &str = "postoffice: the script was stopped: ";

/// The message when the time is up.
pub(super) fn too_long(time: Duration) -> String {
    format!("{STOPPED_BY}it took longer than {} seconds (--time-limit)", time.as_secs())
}

/// Room on the stack for data that is nested deep, which the interpreter drops by recursion. Systems leave at least so much below the
/// main thread's stack.
const STACK: u64 = 120 << 20;

/// Prepares every process of the command: keeps passwords out of core dumps, and makes room for the stack.
pub(super) fn prepare_process() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }); // less is always allowed
        raise_stack(STACK);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable); // a program that handles core dumps need not heed the limit
    }
}

/// Raises the limit of the main thread's stack, as far as it goes.
#[cfg(unix)]
fn raise_stack(bytes: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Stack);
    let wanted = maximum.map_or(bytes, |maximum| maximum.min(bytes));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Stack, Rlimit { current: Some(wanted), maximum }); // the usual size does for usual scripts
    }
}

/// Runs the same command line in a process of its own, and watches it.
pub(super) fn oversee(confinement: &Confinement, time: Duration) -> Result<i32, String> {
    let failed = |cause: std::io::Error| format!("the script's process cannot be started: {cause}");
    let program = std::env::current_exe().map_err(failed)?;
    // Ctrl-C goes to both processes; the other one closes its connections first.
    static SIGNALLED: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| SIGNALLED.store(true, Ordering::SeqCst))
        .map_err(|error| error.to_string())?;
    #[cfg(unix)]
    raise_stack(confinement.memory_limit << 20); // a new process makes room for all of it
    let mut command = Command::new(program);
    // The allocator takes memory from the system as it needs it: what it held from the beginning would be outside of the limit.
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

/// Waits for a process, no longer than `time`.
/// Waits for the script's process. A signal that came to this process alone is passed on.
fn wait(
    child: &mut Child,
    time: Duration,
    signalled: &AtomicBool,
) -> std::io::Result<Option<ExitStatus>> {
    const LONGEST_NAP: Duration = Duration::from_millis(20);
    // By then a process that got the signal too has ended; a second one would cut its clean-up short.
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
        let _ = kill_process(pid, Signal::TERM); // it may have ended meanwhile
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
        // The only ways to this signal are memory that could not be had and a stack that is full; which one stands above.
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
    /// The message when the memory is used up.
    pub(super) fn too_much(&self) -> String {
        match self.memory_limit {
            0 => format!("{STOPPED_BY}it needed more memory than there is"),
            limit => {
                format!("{STOPPED_BY}it needed more than {limit} MB of memory (--memory-limit)")
            }
        }
    }

    /// Returns the script's policy. For an untrusted script, sets the limits of this process.
    ///
    /// # Errors
    /// A folder that is not there; a limit that this system does not hold.
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

/// The system's limits for this process: they hold until it ends and cannot be taken back.
fn limit_process(megabytes: u64, time: Duration) -> Result<(), String> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
        // In case nobody watches any more. Several threads may use time at once.
        setrlimit(Resource::Cpu, both(2 * time.as_secs() + 2 * GRACE.as_secs()))
            .map_err(|error| format!("--time-limit: {error}"))?;
        if megabytes > 0 {
            // All that a process can write to and that is its own, threads' stacks among it; not the address space, of which the
            // allocator reserves much more than it uses.
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
    let _ = time; // the overseer watches the clock
    // A little more than the limit: the allocator may hold some memory already.
    if megabytes > 0 && can_have((megabytes + 64) << 20) {
        return Err("this system does not hold a process to a limit of memory; give --memory-limit 0 to run the script without one".into());
    }
    Ok(())
}

/// Whether the limit is enforced; some systems accept and ignore it.
fn can_have(bytes: u64) -> bool {
    let mut all = Vec::<u8>::new();
    let reserved = all.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX));
    std::hint::black_box(&mut all); // the compiler may leave out what nobody uses
    reserved.is_ok()
}
