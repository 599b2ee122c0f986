//! `run-program`: runs another program for a trusted script, without a shell.
//!
//! A thread writes the input and one reads each output that is wanted, so that neither program
//! waits for the other, however much goes both ways. What is read is kept in memory up to a limit.
//! `program::wait` kills a program that exceeds that or its time, and one that runs when the user
//! interrupts. Input and output may also be files, which the program gets directly. A program may
//! change anything, so the witness is asked first (`witnessed`).

use super::Answer;
use super::mailbox::failed;
use super::pipeline;
use super::program::{PATIENCE, wait};
use super::state::state;
use super::witnessed::witnessed;
use crate::client::Error;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Type, Value};
use crate::proto::deed::{Change, Deed};
use crate::shown::escape_controls;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The rows of the topic "Other programs".
pub(super) const FUNCTIONS: &[Function] = &[Function::native(
    "run-program",
    "(program &key arguments input output error timeout directory environment)",
    run_program,
    "Runs another program, without a shell, and waits for it. Returns three values: its output, its exit code, an integer, and its error output. The exit code is 128 and the number of the signal if one ended it.
program: a string, looked up in PATH unless it has a slash. :arguments  a list of strings.
:input  nil, the default, a string, a bytevector or (:file \"path\"). A program need not read it all.
:output :error  what becomes of each output: :string, the default, :lines for a list of strings, :bytes for a bytevector, nil to drop it, or (:file \"path\") to write it there, in place of what the file had. Text is UTF-8; invalid bytes become replacement characters.
:timeout  seconds, without a limit by default. :directory  a string, the folder to run in. :environment  a list of (\"NAME\" . \"value\"), in addition to the variables of this program; the value nil removes one.
Errors: :file when the program cannot be started; :timeout when it did not end in time and was killed; :response-too-large when it wrote more than 64 MiB to one output that is not a file, and was killed. An exit code is not an error. Untrusted scripts cannot run programs.",
).typed(&[("program", Type::String), ("arguments", Type::List), ("directory", Type::String), ("environment", Type::List)]).refused()];

/// How many bytes of each output are kept in memory.
const MOST_OUTPUT: usize = 64 << 20;

fn run_program(call: &Call<'_>) -> Answer {
    pipeline::check(call)?;
    let program = program_at(call, 0)?;
    let mut command = Command::new(program);
    prepare(call, &mut command)?;
    let input = call
        .typed_key("input", "a string, a bytevector, (:file \"path\") or nil", Input::of)?
        .unwrap_or(Input::Nothing);
    let [output, error] = [kept(call, "output")?, kept(call, "error")?];
    let timeout = call.typed_key("timeout", "a number of seconds, more than 0", |value| {
        host::as_float(value).filter(|seconds| (0.001..1e9).contains(seconds))
    })?;
    let plan = Plan {
        program: escape_controls(program),
        command,
        input,
        output,
        error,
        longest: timeout.map_or(Duration::MAX, Duration::from_secs_f64),
    };
    let (output, code, error) = carry_out(call, program, plan)?;
    Ok(call.values(vec![output, host::integer(code), error]))
}

/// Reads the name of a program that may run.
pub(super) fn program_at<'c>(call: &'c Call<'_>, index: usize) -> Result<&'c str, Condition> {
    let program = call.typed(index, "the name of a program, a string", |value| {
        host::as_str(value).filter(|name| !name.is_empty() && !name.contains('\0'))
    })?;
    let policy = call.context().policy();
    policy.check_program(program).map_err(|refusal| host::not_allowed(call.name(), &refusal))?;
    Ok(program)
}

/// Runs a program that reads a file. Returns its exit code; what it writes is dropped.
pub(super) fn pipe(
    call: &Call<'_>,
    program: &str,
    arguments: &[String],
    input: File,
) -> Result<i64, Condition> {
    let mut command = Command::new(program);
    command.args(arguments);
    let plan = Plan {
        program: escape_controls(program),
        command,
        input: Input::Opened(input),
        output: Kept::Nothing,
        error: Kept::Nothing,
        longest: Duration::MAX,
    };
    carry_out(call, program, plan).map(|(_, code, _)| code)
}

fn carry_out(call: &Call<'_>, program: &str, plan: Plan) -> Result<(Value, i64, Value), Condition> {
    let deed = Deed::new(Change::by_program(program, &[])).on(&plan.program);
    if state(call).mirrors.is_some() {
        let what = format!("what the program {} does", deed.host);
        return Err(failed(call, &Error::CannotForesee(what)));
    }
    witnessed(call, &deed, |has_begun| run(call, plan, has_begun))
}

/// A program that is about to run.
struct Plan {
    /// Its name, for messages.
    program: String,
    command: Command,
    input: Input,
    output: Kept,
    error: Kept,
    longest: Duration,
}

/// Runs the program. Returns its output, its exit code and its error output.
fn run(
    call: &Call<'_>,
    plan: Plan,
    has_begun: &mut bool,
) -> Result<(Value, i64, Value), Condition> {
    let Plan { program, mut command, input, output, error, longest } = plan;
    let input = match input {
        Input::Nothing => None,
        Input::Bytes(bytes) => {
            command.stdin(Stdio::piped());
            Some(bytes)
        }
        Input::Opened(file) => {
            command.stdin(file);
            None
        }
        Input::File(path) => {
            let file = File::open(call.readable(&path)?);
            command.stdin(file.map_err(|cause| not_opened(call, "read", &path, &cause))?);
            None
        }
    };
    command.stdout(output.stdio(call)?).stderr(error.stdio(call)?);
    let mut child = command.spawn().map_err(|cause| {
        Condition::new(Identifier::File, format!("{}: cannot run {program}: {cause}", call.name()))
    })?;
    *has_begun = true;
    let too_much = Arc::new(AtomicBool::new(false));
    let readers = start(&mut child, input, &too_much).map_err(|cause| {
        let _ = child.kill().and_then(|()| child.wait()); // there is nobody to read its output
        Condition::new(Identifier::File, format!("{}: cannot start a thread: {cause}", call.name()))
    })?;
    let stopped = || call.context().interrupted() || too_much.load(Ordering::Relaxed);
    let too_large = || {
        let message = format!(
            "{}: {program} wrote more than {} MiB and was stopped; :output '(:file \"path\") has no such limit",
            call.name(),
            MOST_OUTPUT >> 20
        );
        Condition::new(Identifier::ResponseTooLarge, message)
    };
    let status = wait(&mut child, longest, &stopped).map_err(|(identifier, what)| {
        if too_much.load(Ordering::Relaxed) {
            return too_large();
        }
        Condition::new(identifier, format!("{}: {program} {what} and was killed", call.name()))
    })?;
    let [output, error] = [(output, readers.0), (error, readers.1)]
        .map(|(kept, reader)| reader.map_or_else(host::nil, |reader| kept.value(reader.take())));
    // The program may have ended by itself with too much in the pipe.
    if too_much.load(Ordering::Relaxed) {
        return Err(too_large());
    }
    Ok((output, code(status), error))
}

/// Gives the program its arguments, folder and environment.
fn prepare(call: &Call<'_>, command: &mut Command) -> Result<(), Condition> {
    let text =
        |value: &Value| host::as_str(value).filter(|text| !text.contains('\0')).map(str::to_owned);
    let arguments = call.typed_key("arguments", "a list of strings without NUL", |value| {
        host::as_list(value)?.map(|argument| text(&argument)).collect::<Option<Vec<_>>>()
    })?;
    command.args(arguments.unwrap_or_default()).stdin(Stdio::null());
    if let Some(folder) = call.key_string("directory")? {
        let real = call.readable(folder)?;
        if !real.is_dir() {
            return Err(Condition::new(
                Identifier::File,
                format!("{}: :directory: there is no folder {folder}", call.name()),
            ));
        }
        command.current_dir(real);
    }
    let variable = |pair: Value| {
        let (name, value) = match host::as_dotted_pair(&pair) {
            Some((name, value)) => (text(&name)?, Some(text(&value)?)),
            // A pair whose value is nil is a list of one element.
            None => match &host::as_list(&pair)?.collect::<Vec<_>>()[..] {
                [name] => (text(name)?, None),
                _ => return None,
            },
        };
        host::is_variable_name(name.as_bytes()).then_some((name, value))
    };
    let expected = "a list of (\"NAME\" . \"value\"), with nil as the value to remove a variable";
    let variables = call.typed_key("environment", expected, |value| {
        host::as_list(value)?.map(variable).collect::<Option<Vec<_>>>()
    })?;
    for (name, value) in variables.unwrap_or_default() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ok(())
}

/// What the program reads.
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(String),
    Opened(File),
}

impl Input {
    fn of(value: &Value) -> Option<Input> {
        if let Some(bytes) = host::as_bytes(value) {
            return Some(Input::Bytes(bytes));
        }
        match host::as_str(value) {
            Some(text) => Some(Input::Bytes(text.as_bytes().to_vec())),
            None => file(value).map(Input::File),
        }
    }
}

/// What becomes of an output.
enum Kept {
    Text,
    Lines,
    Bytes,
    Nothing,
    File(String),
}

fn kept(call: &Call<'_>, key: &str) -> Result<Kept, Condition> {
    let Some(value) = call.key(key) else { return Ok(Kept::Text) };
    let kept = match host::as_keyword(value) {
        Some("string") => Some(Kept::Text),
        Some("lines") => Some(Kept::Lines),
        Some("bytes") => Some(Kept::Bytes),
        _ if host::is_nil(value) => Some(Kept::Nothing),
        _ => file(value).map(Kept::File),
    };
    kept.ok_or_else(|| {
        let expected = ":string, :lines, :bytes, (:file \"path\") or nil";
        call.wrong(&format!(":{key}"), expected, value)
    })
}

/// Reads `(:file "path")`.
fn file(value: &Value) -> Option<String> {
    match &host::as_list(value)?.collect::<Vec<_>>()[..] {
        [kind, path] if host::as_keyword(kind) == Some("file") => {
            host::as_str(path).map(str::to_owned)
        }
        _ => None,
    }
}

impl Kept {
    fn stdio(&self, call: &Call<'_>) -> Result<Stdio, Condition> {
        let path = match self {
            Kept::Nothing => return Ok(Stdio::null()),
            Kept::File(path) => path,
            _ => return Ok(Stdio::piped()),
        };
        let real = call.writable(path)?;
        // Both outputs may go to one file; appending keeps each from overwriting the other.
        let opened = OpenOptions::new().append(true).create(true).open(real);
        let emptied = opened.and_then(|file| {
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            Ok(file)
        });
        emptied.map(Stdio::from).map_err(|cause| not_opened(call, "write", path, &cause))
    }

    fn value(&self, bytes: Vec<u8>) -> Value {
        let text = |bytes: &[u8]| host::string(String::from_utf8_lossy(bytes));
        match self {
            Kept::Bytes => host::bytes(bytes),
            Kept::Lines => {
                let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                let line = |line: &[u8]| text(line.strip_suffix(b"\r").unwrap_or(line));
                let lines = whole.split(|byte| *byte == b'\n').map(line);
                host::list(if bytes.is_empty() { Vec::new() } else { lines.collect() })
            }
            _ => text(&bytes),
        }
    }
}

fn not_opened(call: &Call<'_>, verb: &str, path: &str, cause: &io::Error) -> Condition {
    Condition::new(Identifier::File, format!("{}: cannot {verb} {path}: {cause}", call.name()))
}

/// Starts the threads for the pipes of a program.
fn start(
    child: &mut Child,
    input: Option<Vec<u8>>,
    too_much: &Arc<AtomicBool>,
) -> io::Result<(Option<Reader>, Option<Reader>)> {
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        thread::Builder::new().spawn(move || {
            let _ = stdin.write_all(&input); // a program may end before it has read everything
        })?;
    }
    let output = child.stdout.take().map(|pipe| Reader::start(pipe, too_much.clone()));
    let error = child.stderr.take().map(|pipe| Reader::start(pipe, too_much.clone()));
    Ok((output.transpose()?, error.transpose()?))
}

/// Collects what a program writes to a pipe.
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Reader {
    /// Starts a thread that reads to the end, or until there is too much.
    fn start(
        mut pipe: impl Read + Send + 'static,
        too_much: Arc<AtomicBool>,
    ) -> io::Result<Reader> {
        let (bytes, (end, ended)) = (Arc::new(Mutex::new(Vec::new())), channel());
        let kept = bytes.clone();
        thread::Builder::new().spawn(move || {
            let mut block = vec![0; 64 << 10];
            // A pipe that cannot be read has ended, too.
            while let Ok(count @ 1..) = pipe.read(&mut block) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() + count > MOST_OUTPUT {
                    too_much.store(true, Ordering::Relaxed);
                    break;
                }
                kept.extend_from_slice(&block[..count]);
            }
            let _ = end.send(()); // fails if nobody waits any more
        })?;
        Ok(Reader { bytes, ended })
    }

    /// Returns everything that was read. A child of the program may keep the pipe open, and is not
    /// waited for.
    fn take(self) -> Vec<u8> {
        let _ = self.ended.recv_timeout(PATIENCE);
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().map_or(0, |signal| 128 + signal);
    status.code().unwrap_or_else(signal).into()
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i64 {
    status.code().unwrap_or(1).into()
}
