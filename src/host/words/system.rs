//! Time, evaluation, the environment, and the end of the program.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    ("get-universal-time", "()", "Now, in seconds since 1900-01-01 00:00 UTC."),
    (
        "get-internal-real-time",
        "()",
        "Microseconds since the first call, from a clock that never goes back.",
    ),
    (
        "internal-time-units-per-second",
        "",
        "How much get-internal-real-time grows in a second: 1000000.",
    ),
    ("current-jiffy", "()", "As get-internal-real-time."),
    ("jiffies-per-second", "()", "How much current-jiffy grows in a second: 1000000."),
    (
        "current-second",
        "()",
        "Seconds since 1970-01-01 00:00 UTC, with a fraction. Leap seconds are not counted.",
    ),
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
    ("symbol-value", "(symbol)", "The value of the global variable of that name."),
    ("set", "(symbol value)", "Sets the global variable of that name. Returns the value."),
    ("boundp", "(symbol)", "Whether the global variable of that name has a value."),
    ("makunbound", "(symbol)", "Takes the value of the global variable away."),
    ("fboundp", "(symbol)", "Whether a function, a macro or a form of the language has that name."),
    ("symbol-function", "(symbol)", "The global function of that name."),
    ("fdefinition", "(symbol)", "As symbol-function."),
    (
        "progv",
        "(symbols values form …)",
        "Sets the global variables of those names while the forms run, and then back.",
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
        "(&optional status &key no-unwind quiet)",
        "Ends the program; its clean-up forms run. The status is 0 by default, or from 0 to 255; nil is 1. The keys are ignored.",
    ),
    ("quit", "(&optional status &key no-unwind quiet)", "As exit."),
    ("get-environment-variable", "(name)", "As getenv."),
];
