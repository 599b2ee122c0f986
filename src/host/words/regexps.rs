//! Regular expressions.

use super::Word;

pub(super) const WORDS: &[Word] = &[
    (
        "match-re",
        "(regexp string &key return case-fold single-line multiple-lines ignore-whitespace start end)",
        "Whether a regular expression, a string or what compile-re returned, matches somewhere: t, the part that matches, and each group as further values, or nil. :return :index gives (start . end) instead of strings, :return :match an object for re-submatch. There are no look-around and no back-references.",
    ),
    (
        "compile-re",
        "(regexp &key case-fold single-line multiple-lines ignore-whitespace)",
        "A compiled regular expression. A :syntax-error says what is wrong with it.",
    ),
    (
        "re-submatch",
        "(regexp string indexes selector &key type)",
        "A group of a match, by number or name. Pass a match object and nil twice, or what match-re got and returned with :return :index. :type is :string, :index, :before or :after.",
    ),
    (
        "replace-re",
        "(string regexp substitution &key count case-fold single-line multiple-lines ignore-whitespace start end)",
        "The string with each match replaced by a string, in which \\\\1 is a group, \\\\k<name> a named one and \\\\& the match, or by what a function makes of the list of the match and its groups.",
    ),
    (
        "split-re",
        "(regexp string &key limit return case-fold single-line multiple-lines ignore-whitespace start end)",
        "The parts of a string between the matches, at most :limit of them; without a limit, empty parts at the end are left out.",
    ),
    ("quote-re", "(string)", "A regular expression that matches exactly this string."),
    (
        "re-let",
        "(regexp string ((variable group) …) form …)",
        "Binds variables to groups of a match, by number or name, and runs the forms; nil if there is no match. (variable group :before) and :after bind what surrounds the group.",
    ),
    (
        "re-case",
        "(string (regexp ((variable group) …) form …) … (t form …))",
        "Runs the first clause whose regular expression matches, as re-let does.",
    ),
    (
        "re-lambda",
        "(regexp ((variable group) …) form …)",
        "A function of a string that does as re-let does, or returns the value of its key :if-does-not-match.",
    ),
    (
        "match-regexp",
        "(regexp string &key return case-fold start end shortest newlines-special)",
        "As match-re, in the older syntax, where \\\\( \\\\) and \\\\| are the operators; the last two keys are ignored.",
    ),
    ("compile-regexp", "(regexp &key case-fold)", "As compile-re, in the older syntax."),
    ("regexp-match", "(regexp string)", "The list of the match and its groups, or nil."),
    ("regexp-match?", "(regexp string)", "Whether the regular expression matches somewhere."),
    ("split-regexp", "(regexp string)", "As split-re, in the older syntax of match-regexp."),
];
