//! Assignments.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "setq",
        "(name value …)",
        "Assigns variables; a name that is not defined becomes a global. Returns the last value.",
    ),
    ("set!", "(name value …)", "As setq."),
    (
        "setf",
        "(place value …)",
        "Assigns variables, as setq does, the values of a table, (gethash key table), and the elements of a vector, (aref vector index), also as elt, svref or vector-ref. Lists and strings do not change.",
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
