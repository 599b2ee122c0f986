//! Assignments.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "remf",
        "(place key)",
        "Removes a key and its value from a list of keys and values. t if it was there.",
    ),
    (
        "setq",
        "(name value …)",
        "Assigns variables; a name that is not defined becomes a global. Returns the last value.",
    ),
    ("set!", "(name value …)", "As setq."),
    (
        "setf",
        "(place value …)",
        "Assigns places: variables, (gethash key table), (aref vector index), also as elt, svref, char or vector-ref, the parts of lists, as car, cadr, third, rest, nth, nthcdr, getf, (subseq place start end), (values place …), what defsetf or (defun (setf name) …) define, and the slots of structures. Lists and strings do not change: to set a part of one stores a new one in the place that holds it, so that must be a place, too; other holders keep the old one.",
    ),
    (
        "defsetf",
        "(name function) or (name (parameter …) (value) form …)",
        "Defines how setf sets (name argument …): by the function, called with the arguments and the value, or by the form that the forms return, as those of a macro do.",
    ),
    (
        "define-modify-macro",
        "(name (parameter …) function documentation)",
        "Defines a macro (name place argument …) that replaces what is in the place by what the function returns for it and the arguments.",
    ),
    ("psetq", "(name value …)", "Assigns variables after all values are there. Returns nil."),
    ("psetf", "(place value …)", "As psetq, of places that setf can assign."),
    (
        "incf",
        "(place &optional step)",
        "Adds the step, 1 by default, to a place that setf can assign. Returns the new value.",
    ),
    (
        "decf",
        "(place &optional step)",
        "Subtracts the step, 1 by default, from a place that setf can assign. Returns the new value.",
    ),
    (
        "push",
        "(value place)",
        "Puts a value at the front of the list in a place. Returns the new list.",
    ),
    (
        "pushnew",
        "(value place &key test test-not key)",
        "Puts a value at the front of the list in a place unless the list has it. The test is equal by default. Returns the list.",
    ),
    ("pop", "(place)", "Takes the first value off the list in a place and returns it."),
    (
        "shiftf",
        "(place … value)",
        "Gives each place the value of the next one, and the last place the value. Returns what the first place had.",
    ),
    (
        "rotatef",
        "(place …)",
        "Gives each place the value of the next one, and the last place that of the first. Returns nil.",
    ),
];
