//! Time, evaluation, the environment, and the end of the program.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    ("get-universal-time", "()", "Now, in seconds since 1900-01-01 00:00 UTC."),
    (
        "decode-universal-time",
        "(time &optional zone)",
        "Second, minute, hour, date, month, year, day (Monday is 0), daylight saving, zone. Nine values. The zone counts hours west of Greenwich, without daylight saving; by default it is the system's.",
    ),
    ("get-decoded-time", "()", "The nine values of decode-universal-time for now."),
    (
        "encode-universal-time",
        "(second minute hour date month year &optional zone)",
        "The universal time. A year below 100 is the one within fifty years of now. The zone counts hours west of Greenwich; by default it is the system's.",
    ),
    (
        "eval",
        "(form &optional environment)",
        "Evaluates a form that the program made or read, as if it stood in the program at top level. Local variables are not seen.",
    ),
    ("sleep", "(seconds)", "Waits."),
    ("getenv", "(name)", "The environment variable as a string, or nil."),
    ("command-line", "()", "The script's arguments."),
    (
        "exit",
        "(&optional status)",
        "Ends the program; its clean-up forms run. The status is 0 by default, or from 0 to 255; nil is 1.",
    ),
    ("quit", "(&optional status)", "As exit."),
];
