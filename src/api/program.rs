//! Letters handed to a program that takes what sendmail takes: `-i -f FROM -- TO …`, the letter on standard input, lines ending in LF.

use super::values::without_crlf;
use crate::client::smtp::Envelope;
use crate::condition::{Condition, Identifier};
use crate::host::Call;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// As long as a client should wait for a server that has the whole letter (RFC 5321 4.5.3.2.6).
const LONGEST: Duration = Duration::from_secs(600);

/// How often the program is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Bytes of standard error that are kept.
const MOST_WORDS: u64 = 10_000;

pub(super) fn hand_over(call: &Call<'_>, words: &[String], envelope: &Envelope<'_>, letter: &[u8]) -> Result<(), Condition> {
    let program = &words[0];
    let broken =
        |cause: &io::Error| Condition::new(Identifier::ServerShutdownConnection, format!("{}: cannot run {program}: {cause}", call.name()));
    let mut command = Command::new(program);
    command.args(&words[1..]).args(["-i", "-f", envelope.from, "--"]).args(envelope.to);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|cause| broken(&cause))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let lines = without_crlf(letter).into_owned();
    let writer = thread::spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&lines)));
    let (said, saying) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(MOST_WORDS).read_to_end(&mut text); // what can be had
        }
        let _ = said.send(String::from_utf8_lossy(&text).trim().to_owned()); // nobody asks for it when the program was killed
    });
    let status = wait(call, program, &mut child)?;
    if !status.success() {
        // What the program started may hold standard error open after its own end.
        let words = saying.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let code = status.code().map_or_else(|| "by a signal".into(), |code| format!("with {code}"));
        return Err(Condition::new(Identifier::ErrorResponse, format!("{}: {program} ended {code}", call.name())).with_server_string(words));
    }
    // A program that says all is well without having read the whole letter is not believed.
    writer.join().unwrap_or(Ok(())).map_err(|cause| broken(&cause))
}

/// Waits for the program's end; kills it at the deadline, or when the user interrupts.
fn wait(call: &Call<'_>, program: &str, child: &mut Child) -> Result<ExitStatus, Condition> {
    let started = Instant::now();
    loop {
        let ended = match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if call.context().interrupted() => Err((Identifier::ServerShutdownConnection, "interrupted")),
            Ok(None) if started.elapsed() > LONGEST => Err((Identifier::Timeout, "did not end in time")),
            Ok(None) => Ok(()),
            Err(_) => Err((Identifier::ServerShutdownConnection, "cannot be waited for")),
        };
        if let Err((identifier, what)) = ended {
            let _ = child.kill();
            let _ = child.wait(); // it was killed, so that this ends
            let message = format!("{}: {program} {what} and was killed; it may have sent the letter", call.name());
            return Err(Condition::new(identifier, message));
        }
        thread::sleep(GLANCE);
    }
}
