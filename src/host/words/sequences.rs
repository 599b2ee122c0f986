//! Sequences: lists, strings and vectors.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    ("length", "(sequence)", "How many elements or characters."),
    ("elt", "(sequence index)", "The element at index, from 0."),
    ("subseq", "(sequence start &optional end)", "The part from start up to, without, end."),
    (
        "copy-seq",
        "(sequence)",
        "A copy of a vector; a list or string, which do not change, may be the same.",
    ),
    ("concatenate", "(type &rest sequences)", "One sequence of type 'string, 'list or 'vector."),
    ("coerce", "(value type)", "The value as a 'list, 'string, 'vector, 'character or 'float."),
    (
        "make-sequence",
        "(type size &key initial-element)",
        "A sequence of type 'string, 'list or 'vector with so many elements, nil by default.",
    ),
    ("reverse", "(sequence)", "The sequence from back to front."),
    ("nreverse", "(sequence)", "As reverse."),
    (
        "map",
        "(function list &rest lists)",
        "The list of results, as mapcar. (map type function sequence …) gives a sequence of type 'string, 'list or 'vector.",
    ),
    (
        "map-into",
        "(vector function &rest sequences)",
        "Puts the results into a vector, from its start, and returns it.",
    ),
    (
        "for-each",
        "(function sequence &rest sequences)",
        "Calls the function for each element. Returns nil.",
    ),
    (
        "reduce",
        "(function sequence &key initial-value from-end key start end)",
        "Combines the elements from left to right. Also Scheme's (reduce function initial list).",
    ),
    (
        "fold",
        "(function initial list)",
        "Combines the elements from left to right: (function element result).",
    ),
    ("foldl", "(function initial list)", "As fold."),
    (
        "fold-left",
        "(function initial list)",
        "Combines the elements from left to right: (function result element).",
    ),
    (
        "fold-right",
        "(function initial list)",
        "Combines the elements from right to left: (function element result).",
    ),
    ("foldr", "(function initial list)", "As fold-right."),
    (
        "find",
        "(item sequence &key test test-not key start end from-end)",
        "The first element that equals the item, or nil; with :from-end the last. The test is equal by default.",
    ),
    (
        "find-if",
        "(test sequence &key key start end from-end)",
        "The first element that passes the test, or nil.",
    ),
    (
        "find-if-not",
        "(test sequence &key key start end from-end)",
        "The first element that fails the test, or nil.",
    ),
    (
        "position",
        "(item sequence &key test test-not key start end from-end)",
        "Where the item stands first, from 0, or nil; with :from-end last. The test is equal by default.",
    ),
    (
        "position-if",
        "(test sequence &key key start end from-end)",
        "Where the first stands that passes the test, or nil.",
    ),
    (
        "position-if-not",
        "(test sequence &key key start end from-end)",
        "Where the first stands that fails the test, or nil.",
    ),
    (
        "count",
        "(item sequence &key test test-not key start end from-end)",
        "How many equal the item.",
    ),
    ("count-if", "(test sequence &key key start end from-end)", "How many pass the test."),
    ("count-if-not", "(test sequence &key key start end from-end)", "How many fail the test."),
    ("every", "(test sequence &rest sequences)", "Whether all pass the test."),
    ("andmap", "(test sequence &rest sequences)", "As every."),
    ("some", "(test sequence &rest sequences)", "The first true result, or nil."),
    ("ormap", "(test sequence &rest sequences)", "As some."),
    ("notany", "(test sequence &rest sequences)", "Whether none passes the test."),
    ("notevery", "(test sequence &rest sequences)", "Whether one fails the test."),
    (
        "remove",
        "(item sequence &key test test-not key start end from-end count)",
        "The sequence without what equals the item; with :count, without so many. The test is equal by default.",
    ),
    (
        "remove-if",
        "(test sequence &key key start end from-end count)",
        "The sequence without what passes the test; with :count, without so many.",
    ),
    (
        "remove-if-not",
        "(test sequence &key key start end from-end count)",
        "What passes the test; with :count, only so many are left out.",
    ),
    ("filter", "(test sequence &key key start end from-end count)", "As remove-if-not."),
    ("delete", "(item sequence &key test test-not key start end from-end count)", "As remove."),
    ("delete-if", "(test sequence &key key start end from-end count)", "As remove-if."),
    ("delete-if-not", "(test sequence &key key start end from-end count)", "As remove-if-not."),
    ("partition", "(test sequence)", "What passes the test, and what fails it. Two values."),
    (
        "remove-duplicates",
        "(sequence &key test test-not key start end from-end)",
        "The sequence with each element once, the last of them; with :from-end the first.",
    ),
    (
        "delete-duplicates",
        "(sequence &key test test-not key start end from-end)",
        "As remove-duplicates.",
    ),
    (
        "substitute",
        "(new old sequence &key test test-not key start end from-end count)",
        "The sequence with new for each old; with :count, for so many.",
    ),
    (
        "nsubstitute",
        "(new old sequence &key test test-not key start end from-end count)",
        "As substitute.",
    ),
    (
        "substitute-if",
        "(new test sequence &key key start end from-end count)",
        "The sequence with new for each element that passes the test.",
    ),
    (
        "nsubstitute-if",
        "(new test sequence &key key start end from-end count)",
        "As substitute-if.",
    ),
    (
        "substitute-if-not",
        "(new test sequence &key key start end from-end count)",
        "The sequence with new for each element that fails the test.",
    ),
    ("sort", "(sequence less &key key)", "The sequence in order; what is equal keeps its order."),
    ("stable-sort", "(sequence less &key key)", "As sort."),
    (
        "merge",
        "(type sequence1 sequence2 less &key key)",
        "Both sequences, which are in order, as one in order, of type 'string, 'list or 'vector.",
    ),
    (
        "search",
        "(pattern sequence &key test test-not key start1 end1 start2 end2 from-end)",
        "Where the pattern stands first, or nil; with :from-end last.",
    ),
    (
        "mismatch",
        "(sequence1 sequence2 &key test test-not key start1 end1 start2 end2 from-end)",
        "Where the first sequence begins to differ from the second, or nil.",
    ),
    (
        "fill",
        "(vector item &key start end)",
        "Puts the item at each place of a vector and returns it. Lists and strings do not change.",
    ),
    (
        "replace",
        "(vector source &key start1 end1 start2 end2)",
        "Puts the elements of source into a vector and returns it. Lists and strings do not change.",
    ),
    (
        "nsubstitute-if-not",
        "(new test sequence &key key start end from-end count)",
        "As substitute-if-not.",
    ),
];
