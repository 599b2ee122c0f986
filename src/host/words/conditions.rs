//! Errors and other conditions.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "error",
        "(message &rest arguments)",
        "Signals an error. A message with ~ directives is a format control; a condition is signalled as it is; for the name of a class, the arguments are those of make-condition.",
    ),
    (
        "signal",
        "(message &rest arguments)",
        "Signals a condition, given as for error; nil if no handler leaves.",
    ),
    (
        "warn",
        "(message &rest arguments)",
        "Signals a warning, given as for error; if no handler leaves it is shown, and the program goes on.",
    ),
    (
        "define-condition",
        "(name (parent …) (slot …) option …)",
        "Defines a class of conditions. A slot is a name, or a name with :initarg, :initform, :reader, :writer, :accessor. The options are (:report text), (:report function) for a function of the condition and a port, and (:default-initargs key value …).",
    ),
    (
        "make-condition",
        "(class key value …)",
        "A condition of the class, of define-condition or of Common Lisp. The keys are those of its slots.",
    ),
    ("type-error-datum", "(condition)", "The value that has the wrong type, or nil if not known."),
    ("type-error-expected-type", "(condition)", "The type that was expected, or nil if not known."),
    ("cell-error-name", "(condition)", "The name of the unbound variable or undefined function."),
    ("file-error-pathname", "(condition)", "The path of the file that could not be used."),
    ("stream-error-stream", "(condition)", "The port, or nil if not known."),
    ("arithmetic-error-operation", "(condition)", "The operation, or nil if not known."),
    ("arithmetic-error-operands", "(condition)", "The operands, or nil if not known."),
    (
        "simple-condition-format-control",
        "(condition)",
        "The text of error, signal or warn, before its arguments are put in.",
    ),
    ("simple-condition-format-arguments", "(condition)", "The arguments for the text."),
    ("raise", "(object)", "Signals any object as an error."),
    (
        "raise-continuable",
        "(object)",
        "Signals any object; nil if no handler leaves. Scheme's returns the handler's value.",
    ),
    (
        "handler-case",
        "(form (class (variable) form …) …)",
        "Runs the clause of the first class that fits what is signalled: po-error, po-condition, error, warning, condition, t, or an identifier such as :timeout. (:no-error (value) …) runs otherwise.",
    ),
    (
        "handler-bind",
        "(((class function) …) form …)",
        "Calls the function when a condition is signalled, before the stack unwinds.",
    ),
    ("ignore-errors", "(form …)", "The value, or on an error nil and the condition."),
    (
        "unwind-protect",
        "(form cleanup …)",
        "Runs the clean-up on every way out: errors, jumps, Ctrl-C.",
    ),
    (
        "with-timeout",
        "((seconds form …) form …)",
        "Runs the body. If it takes longer, ends it wherever it is, as Ctrl-C does, runs its clean-up forms to their end, and returns the value of the forms after the seconds; without these, it signals :timeout. A change that was under way may have been made, and its connection may be closed.",
    ),
    (
        "restart-case",
        "(form (name parameters form …) …)",
        "Offers restarts while the first form runs. One that is invoked leaves it and runs its forms with the arguments; their value is the value. In front of the forms stand :report (a string, which princ shows of the restart, or a function of a stream), :interactive (a function that returns the arguments) and :test (a function of a condition).",
    ),
    (
        "restart-bind",
        "(((name function key value …) …) form …)",
        "Offers restarts that are plain calls of functions. The keys are :report-function, :interactive-function and :test-function.",
    ),
    (
        "with-simple-restart",
        "((name text argument …) form …)",
        "Runs the forms and offers a restart that leaves them with nil and t as values. The text, a format control, says what it does.",
    ),
    (
        "cerror",
        "(continuation message &rest arguments)",
        "Signals an error, as error does, with the restart continue, which returns nil. The continuation, a format control, says what continuing does.",
    ),
    (
        "invoke-restart",
        "(restart &rest arguments)",
        "Invokes a restart, or the innermost of that name, with these arguments. An error if there is none.",
    ),
    (
        "invoke-restart-interactively",
        "(restart)",
        "Invokes a restart with the arguments that its :interactive function returns.",
    ),
    (
        "find-restart",
        "(restart &optional condition)",
        "The innermost restart of that name, or nil. Of a restart itself: it, if it can still be invoked.",
    ),
    (
        "compute-restarts",
        "(&optional condition)",
        "All restarts that can be invoked now, innermost first.",
    ),
    ("restart-name", "(restart)", "A restart's name, a symbol."),
    ("abort", "(&optional condition)", "Invokes the restart abort. An error if there is none."),
    ("continue", "(&optional condition)", "Invokes the restart continue; nil if there is none."),
    (
        "retry",
        "(&optional condition)",
        "Invokes the restart retry: the call that failed is made again. nil if there is none.",
    ),
    (
        "use-value",
        "(value &optional condition)",
        "Invokes the restart use-value: the call that failed returns the value. nil if there is none.",
    ),
    (
        "store-value",
        "(value &optional condition)",
        "Invokes the restart store-value; nil if there is none.",
    ),
    (
        "muffle-warning",
        "(&optional condition)",
        "Invokes the restart muffle-warning: the warning is not shown. An error if there is none.",
    ),
    ("guard", "((variable clause …) form …)", "Scheme's: the clauses are cond's."),
    (
        "with-handler",
        "(function form …)",
        "Calls the function with what was raised; its value is the form's.",
    ),
    ("error?", "(object)", "Whether it is a condition that is an error; a warning is not."),
    ("error-object?", "(object)", "Whether it is a condition."),
    ("error-message", "(condition)", "What happened, as a string."),
    ("error-object-message", "(condition)", "As error-message."),
    ("po-condition?", "(object)", "Whether it is a condition of the mail interface."),
    ("po-error?", "(object)", "Whether it is an error of the mail interface."),
    ("po-condition-identifier", "(condition)", "The keyword that says what kind."),
    ("po-condition-server-string", "(condition)", "The server's words, or nil."),
    ("po-condition-message", "(condition)", "What happened, as a string."),
    (
        "assert",
        "(test &optional places message argument …)",
        "An error unless the test is true, given as for error. The restart continue tests again; a handler may have set the places. Returns nil.",
    ),
    ("assert-true", "(value)", "An error unless the value is true. Returns it."),
    ("check", "(form expected)", "An error unless the value equals what is expected. Returns t."),
];
