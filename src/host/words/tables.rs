//! Hash tables of Common Lisp, and the hash maps of the interpreter, which do not change.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "make-hash-table",
        "(&key test size rehash-size rehash-threshold)",
        "A table of values by key. :test is eql, or equal for strings and lists, or equalp; the other keys are ignored.",
    ),
    (
        "gethash",
        "(key table &optional default)",
        "The value of a key, and whether there is one. (setf (gethash key table) value) sets it.",
    ),
    ("remhash", "(key table)", "Removes a key; whether it was there."),
    ("clrhash", "(table)", "Removes all keys and returns the table."),
    ("maphash", "(function table)", "Calls the function with each key and its value. Returns nil."),
    ("hash-table-count", "(table)", "How many keys there are."),
    ("hash-table-keys", "(table)", "The list of the keys, in the order in which they came."),
    (
        "hash-table-values",
        "(table)",
        "The list of the values, in the order in which their keys came.",
    ),
    (
        "hash-table-alist",
        "(table)",
        "The list of entries (key . value), in the order in which the keys came.",
    ),
    (
        "hash",
        "(&rest keys-and-values)",
        "A hash map, which does not change; hash- functions whose names do not begin with hash-table work on it.",
    ),
    ("hash-insert", "(map key value)", "The hash map with the value for the key."),
    ("hash-remove", "(map key)", "The hash map without the key."),
    ("hash-clear", "(map)", "An empty hash map."),
    (
        "hash-union",
        "(map1 map2)",
        "The hash map with the keys of both; the second has the last word.",
    ),
    ("hash-ref", "(map key)", "The value of a key; an error if there is none."),
    ("hash-get", "(map key)", "As hash-ref."),
    ("hash-try-get", "(map key)", "The value of a key, or nil."),
    ("hash-contains?", "(map key)", "Whether a hash map has a key."),
    ("hash-empty?", "(map)", "Whether a hash map has no keys."),
    ("hash-length", "(map)", "How many keys a hash map has."),
    ("hash-keys->list", "(map)", "The list of the keys of a hash map, in no order."),
    ("hash-keys->vector", "(map)", "The vector of the keys of a hash map, in no order."),
    ("hash-values->list", "(map)", "The list of the values of a hash map, in no order."),
    ("hash-values->vector", "(map)", "The vector of the values of a hash map, in no order."),
    ("hash->list", "(map)", "The list of entries (key . value) of a hash map, in no order."),
    ("hash->vector", "(map)", "The vector of entries (key . value) of a hash map, in no order."),
    ("hash-code", "(value)", "A number that is the same for equal values within one run."),
];
