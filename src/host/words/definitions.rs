//! Definitions, bindings, and forms that are taken as they stand.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "define",
        "(name value) or ((name parameter …) form …)",
        "Defines a variable or a function. At top level a redefinition reaches earlier callers.",
    ),
    (
        "defun",
        "(name (parameter …) form …)",
        "Defines a function. Parameters may have &optional, &key and &rest. A string before other forms is its description.",
    ),
    (
        "defstruct",
        "(name slot …) or ((name option …) slot …)",
        "Defines a structure: make-name with a key for each slot, an accessor name-slot for each, which setf can set, name-p and copy-name. A slot is a name or (name default :type type :read-only t); types are not checked. Options are :conc-name, :constructor, which may have a lambda list, :copier, :predicate and :include.",
    ),
    (
        "define-record-type",
        "(name (constructor field …) predicate (field accessor modifier) …)",
        "Defines a record, as Scheme does: functions that make one, recognize it, and read and set its fields. It prints as a structure.",
    ),
    ("lambda", "((parameter …) form …)", "A function."),
    ("fn", "((parameter …) form …)", "As lambda."),
    (
        "case-lambda",
        "(((parameter …) form …) …)",
        "A function that runs the first clause that takes as many arguments as it got.",
    ),
    ("defvar", "(name value)", "Defines a global unless it has a value. Returns the name."),
    ("defparameter", "(name value)", "Defines a global. Returns the name."),
    ("defconstant", "(name value)", "As defparameter: nothing keeps the value from being changed."),
    ("define-values", "((name …) form)", "Defines a variable for each value of a form."),
    (
        "defmacro",
        "(name (parameter …) form …)",
        "Defines a macro: the forms return the form to run instead of the call.",
    ),
    ("define-syntax", "(name (syntax-rules …))", "Defines a macro by patterns."),
    ("let-syntax", "(((name (syntax-rules …)) …) form …)", "Runs the forms with local macros."),
    ("letrec-syntax", "(((name (syntax-rules …)) …) form …)", "As let-syntax."),
    (
        "macrolet",
        "(((name (parameter …) form …) …) form …)",
        "Runs the forms with local macros, as defmacro defines them.",
    ),
    (
        "symbol-macrolet",
        "(((name form) …) form …)",
        "Runs the forms in which each name stands for its form, which may be a place.",
    ),
    (
        "let",
        "(((name value) …) form …)",
        "Binds variables side by side. With a name before the bindings, a loop.",
    ),
    ("let*", "(((name value) …) form …)", "Binds variables one after the other."),
    ("letrec", "(((name value) …) form …)", "Binds variables that see one another."),
    ("letrec*", "(((name value) …) form …)", "As letrec."),
    ("flet", "(((name (parameter …) form …) …) form …)", "Binds local functions."),
    (
        "labels",
        "(((name (parameter …) form …) …) form …)",
        "Binds local functions that see one another.",
    ),
    (
        "parameterize",
        "(((parameter value) …) form …)",
        "Runs the forms while parameters, which make-parameter made, have other values.",
    ),
    (
        "make-parameter",
        "(value &optional converter)",
        "A parameter: a function that returns the value; parameterize gives it another one for a while.",
    ),
    ("quote", "(datum)", "The datum as it is written; 'datum is short for it."),
    (
        "quasiquote",
        "(template)",
        "The template as it is written, but ,form gives the value of a form, and ,@form the elements of a list; `template is short for it.",
    ),
    (
        "unquote",
        "(form)",
        "The value of a form within a quasiquote, otherwise an error; ,form is short for it.",
    ),
    (
        "unquote-splicing",
        "(form)",
        "The elements of a list within a quasiquote, otherwise an error; ,@form is short for it.",
    ),
    (
        "function",
        "(name)",
        "The function of that name, or of a lambda form; #'name is short for it.",
    ),
    ("declare", "(declaration …)", "Ignored. Returns nil."),
    ("declaim", "(declaration …)", "Ignored. Returns nil."),
    ("in-package", "(name)", "Ignored: there is only one package. Returns nil."),
    (
        "eval-when",
        "(situations form …)",
        "Runs the forms in any situation; at top level they are at top level, too.",
    ),
    ("locally", "(form …)", "Runs the forms."),
    ("the", "(type form)", "The value of the form; its type is not checked."),
    ("proclaim", "(declaration)", "Has no effect."),
    ("defpackage", "(name option …)", "Has no effect: there are no packages."),
    ("use-package", "(name)", "Has no effect: there are no packages."),
    ("export", "(names)", "Has no effect: there are no packages."),
    (
        "import",
        "(library …)",
        "Loads the libraries' files once, as require does: (my tools) is my/tools.sld, .scm or .lisp next to the file. Libraries of the standards are always there.",
    ),
    (
        "define-library",
        "(name declaration …)",
        "Runs the forms of its begin and include declarations. export hides nothing.",
    ),
];
