//! Runs many attempts in parallel. Each worker has its own server, made for the session it runs.

use super::attempt::{Attempt, Conditions, attempt};
use super::sessions::Session;
use super::stand::Stand;
use postoffice::sandbox::faults::Fault;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::time::Duration;

/// More than there are cores: an attempt that waits for its deadline uses no processor time.
const WORKERS: usize = 12;

/// If no attempt ends for this long, one of them hangs.
const HANG: Duration = Duration::from_secs(120);

/// The timeout of attempts that must not run into one: reaching it means that the client hung.
pub const PATIENT: Duration = Duration::from_secs(40);

/// The timeout of attempts that wait for their deadline. A response on this machine takes a
/// hundredth of it.
pub const HASTY: Duration = Duration::from_millis(300);

type Verdict = Box<dyn Fn(&Attempt) -> Result<(), String> + Send + Sync>;

pub struct Case {
    pub session: &'static Session,
    pub conditions: Conditions,
    pub verdict: Verdict,
}

impl Case {
    pub fn new(
        session: &'static Session,
        faults: Vec<Fault>,
        timeout: Duration,
        verdict: impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static,
    ) -> Case {
        Case {
            session,
            conditions: Conditions { faults, timeout, starttls: false },
            verdict: Box::new(verdict),
        }
    }

    fn name(&self) -> String {
        let faults: Vec<String> = self.conditions.faults.iter().map(ToString::to_string).collect();
        format!("{}, {}", self.session.name, faults.join(" "))
    }

    fn run(&self, stand: &mut Stand) -> Result<(), String> {
        let run = panic::catch_unwind(AssertUnwindSafe(|| {
            attempt(stand, self.session, &self.conditions)
        }));
        let attempt = run.map_err(|_| "it panicked".to_owned())?;
        (self.verdict)(&attempt)
    }
}

/// Runs a session on the sandbox without faults, as the recording in which faults are placed. Fails
/// if the session does.
pub fn record(session: &'static Session) -> Attempt {
    let recorded = attempt(
        &mut Stand::sandbox(session),
        session,
        &Conditions { faults: Vec::new(), timeout: PATIENT, starttls: false },
    );
    recorded.check_truth(session).unwrap();
    assert!(recorded.result.is_ok(), "{}: {:?}", session.name, recorded.result);
    recorded
}

/// Every `count`-th case, from another one on in each run.
/// `POSTOFFICE_SEED` is the run to repeat, which a failed test prints; with `POSTOFFICE_SEEDS` every
/// case is kept.
pub fn one_in(count: usize, cases: impl Iterator<Item = Case>) -> Vec<Case> {
    if std::env::var_os("POSTOFFICE_SEEDS").is_some() {
        return cases.collect();
    }
    let by_hand = std::env::var("POSTOFFICE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = by_hand.unwrap_or_else(|| std::process::id() as usize);
    eprintln!("POSTOFFICE_SEED={seed}");
    cases.skip(seed % count).step_by(count).collect()
}

/// Runs all cases on the sandbox. Fails after the last one, naming those that did not pass.
pub fn run(cases: Vec<Case>) {
    run_on(cases, Stand::sandbox);
}

/// Like [`run`], with the servers that `new_stand` makes. A worker makes a new one when the session
/// changes.
pub fn run_on(cases: Vec<Case>, new_stand: fn(&Session) -> Stand) {
    watch_for_panics();
    let count = cases.len();
    assert!(count > 0);
    let shared = Arc::new((cases, AtomicUsize::new(0), Mutex::new(Vec::new())));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..WORKERS.min(count) {
        let (shared, sender) = (shared.clone(), sender.clone());
        std::thread::spawn(move || {
            let (cases, next, running) = &*shared;
            let mut stand: Option<(&str, Stand)> = None;
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                running.lock().unwrap().push(case.name());
                let (_, stand) = match &mut stand {
                    Some(standing) if standing.0 == case.session.name => standing,
                    other => other.insert((case.session.name, new_stand(case.session))),
                };
                let result =
                    case.run(stand).map_err(|problem| format!("{}: {problem}", case.name()));
                running.lock().unwrap().retain(|name| *name != case.name());
                let _ = sender.send(result); // nobody receives once the test has failed
            }
        });
    }
    let mut problems = Vec::new();
    for _ in 0..count {
        match receiver.recv_timeout(HANG) {
            Ok(result) => problems.extend(result.err()),
            Err(_) => {
                shared.1.store(count, Ordering::Relaxed); // stops the workers from taking another case
                panic!("these hang: {:#?}", shared.2.lock().unwrap())
            }
        }
    }
    problems.extend(PANICS.lock().unwrap().iter().cloned());
    assert!(
        problems.is_empty(),
        "{} of {count} fail:\n{}",
        problems.len(),
        problems[..problems.len().min(25)].join("\n")
    );
    eprintln!("{count} attempts");
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Collects panics in the threads of the sandbox and the relays, which would otherwise go
/// unnoticed.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let name = std::thread::current().name().unwrap_or("").to_owned();
            if name.starts_with("sandbox") || name.starts_with("relay") {
                PANICS.lock().unwrap().push(format!("{name}: {info}"));
            }
            before(info);
        }));
    });
}
