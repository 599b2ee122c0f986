//! A terminal with a screen of its own, driven by tmux.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_postoffice");

/// Nothing takes this long; a test that waits longer has failed.
const LONGEST: Duration = Duration::from_secs(60);

pub struct Terminal {
    name: String,
    /// Holds the program's history and configuration.
    _state: tempfile::TempDir,
}

impl Terminal {
    /// Starts the prompt with these options. Returns `None` if there is no tmux and none is
    /// required.
    pub fn open(name: &str, options: &str) -> Option<Terminal> {
        let terminal =
            Terminal::run(name, &format!("{BINARY} {options}; echo code $?; exec sleep 600"))?;
        terminal.wait_for("user(1):");
        Some(terminal)
    }

    /// Runs a shell command in a terminal of 100 columns and 30 rows. Returns `None` like
    /// [`Terminal::open`].
    pub fn run(name: &str, command: &str) -> Option<Terminal> {
        Terminal::run_in(name, tempfile::tempdir().unwrap(), 100, 30, command)
    }

    /// Runs a shell command in a terminal of this size, with this folder for state and
    /// configuration.
    pub fn run_in(
        name: &str,
        state: tempfile::TempDir,
        columns: u32,
        rows: u32,
        command: &str,
    ) -> Option<Terminal> {
        let name = format!("postoffice-{name}-{}", std::process::id());
        let command = format!(
            "export XDG_STATE_HOME={0} XDG_CONFIG_HOME={0}; {command}",
            state.path().display()
        );
        let size = [columns.to_string(), rows.to_string()];
        let started = Command::new("tmux")
            .args([
                "-L",
                &name,
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                &size[0],
                "-y",
                &size[1],
                &command,
            ])
            .env_remove("NO_COLOR")
            .status();
        match started {
            Ok(status) => assert!(status.success()),
            Err(_) => {
                assert!(std::env::var("POSTOFFICE_REAL_SERVERS").is_err(), "tmux is missing");
                return None;
            }
        }
        Some(Terminal { name, _state: state })
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.name]).args(arguments).output().unwrap()
    }

    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    pub fn type_line(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Returns all text that was shown, including what has scrolled away.
    pub fn screen(&self) -> String {
        self.captured(&["capture-pane", "-p", "-J", "-S", "-", "-t", "0"])
    }

    /// Like [`Terminal::screen`], with escape sequences.
    pub fn styled_screen(&self) -> String {
        self.captured(&["capture-pane", "-p", "-e", "-J", "-S", "-", "-t", "0"])
    }

    fn captured(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.tmux(arguments).stdout).trim_end().to_owned()
    }

    /// Waits until the screen is as `wanted`, and returns it. `what` names it in a failure.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LONGEST;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "waited for {what:?}; the screen is\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the screen ends with `end`.
    pub fn wait_for(&self, end: &str) -> String {
        self.wait_until(end, |screen| screen.ends_with(end.trim_end()))
    }

    /// Waits until the screen contains `part`.
    pub fn wait_to_see(&self, part: &str) -> String {
        self.wait_until(part, |screen| screen.contains(part))
    }

    /// Waits until the screen ends with prompt `number`, at any break level.
    pub fn wait_for_prompt(&self, number: usize) -> String {
        let prompt = format!("user({number}):");
        let is_prompt = |line: &str| {
            let line = line
                .strip_prefix('[')
                .and_then(|line| line.split_once("] "))
                .map_or(line, |(_, rest)| rest);
            line == prompt
        };
        self.wait_until(&prompt, |screen| screen.lines().last().is_some_and(is_prompt))
    }

    /// Types an input at prompt `number` and waits for the next prompt. Returns the text between
    /// the two, without the restarts of an error.
    pub fn reply_to(&self, number: usize, input: &str) -> String {
        let reply = self.whole_reply_to(number, input);
        reply.split_once("\n\nRestart actions").map_or(&*reply, |(error, _)| error).to_owned()
    }

    /// Does the same with the restarts.
    pub fn whole_reply_to(&self, number: usize, input: &str) -> String {
        for line in input.lines() {
            self.type_line(line);
        }
        let screen = self.wait_for_prompt(number + 1);
        let shown = screen
            .rsplit_once(&format!("user({number}): "))
            .unwrap()
            .1
            .rsplit_once('\n')
            .unwrap()
            .0;
        shown.lines().skip(input.lines().count()).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
