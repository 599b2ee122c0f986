//! The prompt in a terminal: connects `repl::editor` with connections, progress, trace and Ctrl-C.

use super::arguments::Global;
use super::asking;
use super::init::load_if_there;
use super::interrupt::CtrlC;
use super::journal::Journaled;
use super::output::print;
use super::progress::on_terminal;
use super::setup::{setup_for, trace_to_stderr};
use crate::api::{ImapMailbox, Progress, Setup, State, attach_showing, order_words, search_words};
use crate::repl::Session;
use crate::repl::assistant::{Assistant, Facts, OfConnection};
use crate::repl::editor::{self, AskHidden, Options, Surroundings};
use crate::repl::history;
use crate::state::NewRun;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest time that Tab may wait for a server.
const LONGEST_WAIT: Duration = Duration::from_millis(300);

pub(super) fn prompt(global: &Global, init: bool) -> Result<i32, String> {
    let mut setup = setup_for(global)?;
    let tracing = Arc::new(AtomicBool::new(global.trace));
    setup.connector.trace = Some(trace_to_stderr());
    setup.connector.trace_switch = Some(tracing.clone());
    setup.ask_secret = asking::at_terminal();
    let journaled = Journaled::begin(global, &mut setup, NewRun::of("prompt"), true);
    let mut session = Session::streaming(Vec::new(), Box::new(print));
    let progress = on_terminal(global.quiet);
    let state = attach_showing(session.host(), &setup, &progress);
    journaled.attach(session.host());
    let ctrl_c = CtrlC::listen()?;
    ctrl_c.watch(session.host());
    if init && let Some(code) = load_if_there(session.host()) {
        state.close_all();
        journaled.finish(code);
        return Ok(code);
    }
    let mut surroundings = Here { setup, progress, state, ctrl_c, tracing, init };
    let options =
        Options { colours: colours(), history: history::path(|name| std::env::var(name).ok()) };
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !global.quiet {
        let place = if surroundings.setup.router.is_some() { ", on a sandbox" } else { "" };
        let version = env!("CARGO_PKG_VERSION");
        print(&format!("Postoffice {version}{place}. (help) lists the functions, :help the prompt's commands; Ctrl-D leaves.\n"))
            .map_err(|error| error.to_string())?;
    }
    let code = editor::run(&mut session, &options, &mut surroundings);
    surroundings.state.close_all();
    journaled.finish(code.as_ref().copied().unwrap_or(1));
    code
}

/// Returns whether to use colours: unless `NO_COLOR` is set, the terminal has none, or the output
/// is not a terminal.
fn colours() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
    !is_set("NO_COLOR") && !dumb && std::io::stdout().is_terminal()
}

struct Here {
    setup: Setup,
    progress: Progress,
    state: Arc<State>,
    ctrl_c: CtrlC,
    tracing: Arc<AtomicBool>,
    /// Whether a session starts with the user's init file.
    init: bool,
}

impl Surroundings for Here {
    fn print(&mut self, text: &str) -> std::io::Result<()> {
        print(text)
    }

    fn reset(&mut self, session: &mut Session) -> Result<(), String> {
        let mut fresh = Session::streaming(Vec::new(), Box::new(print));
        fresh.set_number(session.number());
        self.state.close_all();
        self.state = attach_showing(fresh.host(), &self.setup, &self.progress);
        self.ctrl_c.watch(fresh.host());
        if self.init {
            let _ = load_if_there(fresh.host()); // an (exit) in the file does not end a running session
        }
        *session = fresh;
        Ok(())
    }

    fn trace(&mut self, on: Option<bool>) -> bool {
        if let Some(on) = on {
            self.tracing.store(on, Ordering::Relaxed);
        }
        self.tracing.load(Ordering::Relaxed)
    }

    fn after_interrupt(&mut self) -> Vec<String> {
        let closed = self.state.take_closed().into_iter();
        closed.map(|host| format!("The connection to {host} is closed, since an answer was under way: connect again.")).collect()
    }

    fn ask_hidden(&self) -> Option<AskHidden> {
        let ask = self.setup.ask_secret.clone()?;
        Some(Arc::new(move |question| {
            let answer = ask(question, &|| false).ok().flatten();
            answer.map(|answer| answer.to_string())
        }))
    }

    fn assistant(&self, session: &mut Session) -> Assistant {
        self.state.take_closed(); // these were closed on purpose, or their error has been shown
        let definitions = session.definitions().clone();
        let host = session.host();
        let connections: Arc<HashMap<String, Arc<ImapMailbox>>> =
            Arc::new(host.variables::<ImapMailbox>().into_iter().collect());
        let state = self.state.clone();
        let find = Arc::new(move |name: Option<&str>| {
            name.and_then(|name| connections.get(name).cloned()).or_else(|| state.only_open())
        });
        let state = self.state.clone();
        let found = find.clone();
        let mailboxes: OfConnection = Arc::new(move |name| {
            found(name)
                .map(|mailbox| state.mailbox_names(&mailbox, LONGEST_WAIT))
                .unwrap_or_default()
        });
        let state = self.state.clone();
        let flags: OfConnection = Arc::new(move |name| {
            find(name).map(|mailbox| state.mailbox_flags(&mailbox)).unwrap_or_default()
        });
        Assistant::new(Facts {
            search_words: search_words(),
            order_words,
            names: host.names(),
            definitions,
            context: host.context().clone(),
            mailboxes,
            flags,
        })
    }
}
