//! Whole programs in the manner of those for Allegro CL around 2000, in `tests/programs`. Each checks
//! its own results and prints `ok` as its last line. They run as they stand: on the sandbox, and on
//! Dovecot, with Postfix for those that send mail.

use crate::support::Server;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program needs IMAP only, or SMTP too.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Imap,
    Smtp,
}

/// The programs, and the arguments that tell them where the account is. The words in capitals are
/// those of [`arguments`].
const PROGRAMS: [(&str, Needs, &str); 8] = [
    ("batch-sender.scm", Needs::Smtp, "batch HOST USER PASSWORD ADDRESS IMAP SMTP"),
    ("bounce-parser.scm", Needs::Imap, "HOST USER PASSWORD IMAP"),
    ("digester.scm", Needs::Smtp, "HOST USER PASSWORD ADDRESS IMAP SMTP"),
    ("messages.scm", Needs::Imap, "HOST USER PASSWORD IMAP"),
    ("monitor.scm", Needs::Smtp, "HOST USER PASSWORD ADDRESS IMAP SMTP 1"),
    ("pipe.scm", Needs::Imap, "HOST USER PASSWORD IMAP"),
    ("spam-sorter.scm", Needs::Imap, "HOST USER PASSWORD IMAP"),
    ("test-suite.scm", Needs::Smtp, "HOST USER PASSWORD ADDRESS IMAP POP SMTP"),
];

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");

fn arguments(words: &str, server: &Server, smtp_port: Option<u16>) -> Vec<String> {
    let value = |word: &str| match word {
        "HOST" => "127.0.0.1".to_owned(),
        "USER" => server.user.clone(),
        "PASSWORD" => server.password.clone(),
        "ADDRESS" => format!("{}@example.org", server.user),
        "IMAP" => server.port.to_string(),
        "POP" => server.pop_port.to_string(),
        "SMTP" => smtp_port.unwrap().to_string(),
        other => other.to_owned(),
    };
    words.split(' ').map(value).collect()
}

/// Runs the command in a folder of its own, where programs may leave files.
fn command(arguments: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .env("POSTOFFICE_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
        .args(arguments)
        .current_dir(folder.path())
        // Do not read the init.scm of the user who runs the tests.
        .env("XDG_CONFIG_HOME", folder.path())
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a program and fails unless it found its own results right and wrote nothing on standard
/// error.
fn succeeds(options: &[&str], program: &str, arguments: Vec<String>) {
    let path = format!("{FOLDER}/{program}");
    let own = options.iter().map(|option| (*option).to_owned());
    let output = command(&own.chain(["run".into(), path]).chain(arguments).collect::<Vec<_>>());
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        (output.status.code(), out.lines().last(), &*error),
        (Some(0), Some("ok"), ""),
        "{program}: {out}"
    );
}

#[test]
fn programs_run_on_the_sandbox() {
    for (program, ..) in PROGRAMS {
        succeeds(&["--sandbox"], program, Vec::new());
    }
}

#[test]
fn programs_run_on_dovecot_and_postfix() {
    for (program, needs, words) in PROGRAMS {
        let (server, smtp_port) = if needs == Needs::Smtp {
            Server::postfix().map(|(server, port)| (server, Some(port)))
        } else {
            Server::dovecot().map(|server| (server, None))
        }
        .unzip();
        let Some(server) = server else { continue };
        succeeds(&[], program, arguments(words, &server, smtp_port.flatten()));
    }
}

#[test]
fn check_finds_nothing_to_complain_of() {
    let files: Vec<_> =
        std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), PROGRAMS.len() + 1); // and a library
    for (program, ..) in PROGRAMS {
        assert!(files.iter().any(|file| file == &Path::new(FOLDER).join(program)), "{program}");
    }
    for file in files {
        let output = command(&["check".into(), file.display().to_string()]);
        let shown = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!((output.status.code(), shown.concat()), (Some(0), String::new()));
    }
}
