//! The functions of the language that an untrusted script may call.

use super::on_demand::Definition;
use super::{Call, Host};
use crate::condition::{Condition, Identifier};
use crate::lisp::expander::{global, system_global};

/// Names of the interpreter's library, of the natives and of the prelude, sorted. Each was
/// reviewed: it reaches nothing outside the interpreter, or asks the [`crate::policy::Policy`]
/// first (`load`, `require`, `open`, `getenv`, the functions of `natives::file_system`, and their
/// callers). A name that is not listed is refused, so additions of a new interpreter version stay
/// out of reach until they are reviewed.
#[rustfmt::skip]
pub(super) const NAMES: &[&str] = &[
    "*", "*debug-io*", "*error-output*", "*load-pathname*", "*load-truename*", "*query-io*", "*standard-output*",
    "*terminal-io*", "+", "-", "/", "/=", "1+", "1-", "<", "<=", "=", ">", ">=", "abort", "abs", "acons", "acos", "adjoin",
    "alist-cons", "alist-copy", "alist-delete", "alist-delete!", "alpha-char-p", "alphanumericp", "andmap", "angle", "any",
    "append", "append!", "append-map", "append-reverse", "append-reverse!", "apply", "aref", "arithmetic-error-operands",
    "arithmetic-error-operation", "arithmetic-shift", "array-dimension", "array-dimensions", "array-in-bounds-p",
    "array-rank", "array-row-major-index", "array-total-size", "arrayp", "ash", "asin", "assert-true", "assoc", "assoc-if",
    "assoc-if-not", "assoc-ref", "assq", "assq-ref", "assv", "assv-ref", "atan", "atom", "atom?", "base64-decode-string",
    "base64-encode-string", "binary-port?", "bit-vector-p", "bitwise-and", "bitwise-ior", "bitwise-not", "bitwise-xor",
    "bool?", "boolean=?", "boolean?", "both-case-p", "boundp", "break", "break!", "butlast", "byte?", "bytes", "bytes->list",
    "bytes->string/utf8", "bytes-append", "bytes-clear!", "bytes-copy", "bytes-length", "bytes-push!", "bytes-ref",
    "bytes-set!", "bytes?", "bytevector", "bytevector-append", "bytevector-copy", "bytevector-length", "bytevector-u8-ref",
    "bytevector-u8-set!", "bytevector?", "caaaar", "caaadr", "caaar", "caadar", "caaddr", "caadr", "caar", "cadaar",
    "cadadr", "cadar", "caddar", "cadddr", "caddr", "cadr", "call-with-current-continuation",
    "call-with-escape-continuation", "call-with-input-file", "call-with-output-file", "call-with-output-string",
    "call-with-port", "call-with-values", "call/cc", "call/ec", "car", "car+cdr", "cdaaar", "cdaadr", "cdaar", "cdadar",
    "cdaddr", "cdadr", "cdar", "cddaar", "cddadr", "cddar", "cdddar", "cddddr", "cdddr", "cddr", "cdr", "cdr-null?",
    "ceiling", "cell-error-name", "cerror", "char", "char->integer", "char->number", "char-alphabetic?", "char-ci<=?",
    "char-ci<?", "char-ci=?", "char-ci>=?", "char-ci>?", "char-code", "char-digit?", "char-downcase", "char-equal",
    "char-foldcase", "char-greaterp", "char-int", "char-lessp", "char-lower-case?", "char-name", "char-not-equal",
    "char-not-greaterp", "char-not-lessp", "char-numeric?", "char-upcase", "char-upper-case?", "char-whitespace?", "char/=",
    "char<", "char<=", "char<=?", "char<?", "char=", "char=?", "char>", "char>=", "char>=?", "char>?", "char?", "character",
    "characterp", "close", "close-input-port", "close-output-port", "close-port", "clrhash", "code-char", "coerce",
    "command-line", "compile-re", "compile-regexp", "compiled-function-p", "complement", "complex?", "complexp", "compose",
    "compute-restarts", "concat-symbols", "concatenate", "cons", "cons*", "consp", "constantly", "continuation?", "continue",
    "copy-alist", "copy-file", "copy-list", "copy-seq", "copy-structure", "copy-tree", "cos", "count", "count-if",
    "count-if-not", "current-error-port", "current-jiffy", "current-second", "decode-universal-time", "delete", "delete!",
    "delete-directory", "delete-duplicates", "delete-file", "delete-if", "delete-if-not", "delimited-string-to-list",
    "denominator", "digit-char", "digit-char-p", "digit-value", "directory", "directory-namestring", "display", "displayln",
    "dotted-list?", "drop", "drop-right", "drop-right!", "drop-while", "dynamic-wind", "eighth", "elt", "empty?",
    "encode-universal-time", "endp", "ends-with?", "eof-object", "eof-object?", "eq", "eq?", "eql", "equal", "equal?",
    "equalp", "eqv?", "error", "error-message", "error-object-message", "error-object?", "error?", "euclidean-quotient",
    "euclidean-remainder", "euclidean/", "eval", "even?", "evenp", "every", "exact", "exact->inexact", "exact-integer-sqrt",
    "exact-integer?", "exact?", "exit", "exp", "expt", "f+", "fboundp", "fceiling", "fdefinition", "ffloor", "fifth",
    "file-directory-p", "file-error-pathname", "file-exists?", "file-length", "file-namestring", "file-position",
    "file-write-date", "fill", "fill-pointer", "filter", "filter!", "filter-map", "find", "find-if", "find-if-not",
    "find-restart", "find-tail", "finish-output", "finite?", "first", "float", "float?", "floatp", "floor", "floor-quotient",
    "floor-remainder", "floor/", "flush-output-port", "fold", "fold-left", "fold-right", "foldl", "foldr", "for-each",
    "force", "force-output", "format", "fourth", "fresh-line", "fround", "ftruncate", "funcall", "function?", "functionp",
    "future?", "gcd", "gensym", "get-decoded-time", "get-environment-variable", "get-internal-real-time",
    "get-output-stream-string", "get-output-string", "get-properties", "get-universal-time", "getenv", "getf", "gethash",
    "graphic-char-p", "hash", "hash->list", "hash->vector", "hash-clear", "hash-code", "hash-contains?", "hash-empty?",
    "hash-get", "hash-insert", "hash-keys->list", "hash-keys->vector", "hash-length", "hash-ref", "hash-remove",
    "hash-table->alist", "hash-table-alist", "hash-table-copy", "hash-table-count", "hash-table-delete!",
    "hash-table-exists?", "hash-table-fold", "hash-table-keys", "hash-table-merge!", "hash-table-p", "hash-table-ref",
    "hash-table-ref/default", "hash-table-set!", "hash-table-size", "hash-table-test", "hash-table-update!",
    "hash-table-update!/default", "hash-table-values", "hash-table-walk", "hash-table?", "hash-try-get", "hash-union",
    "hash-values->list", "hash-values->vector", "hash?", "identity", "imag-part", "immutable-vector", "immutable-vector?",
    "inexact", "inexact->exact", "inexact?", "infinite?", "input-port-open?", "input-port?", "input-stream-p", "int->string",
    "int?", "integer->char", "integer-length", "integer?", "integerp", "interactive-stream-p", "intern",
    "internal-time-units-per-second", "intersection", "invoke-restart", "invoke-restart-interactively", "iota", "isqrt",
    "jiffies-per-second", "keyword?", "keywordp", "last", "last-pair", "lcm", "ldiff", "length", "length+", "list", "list*",
    "list->bytes", "list->string", "list->vector", "list-chunks", "list-contains", "list-copy", "list-drop", "list-head",
    "list-index", "list-length", "list-ref", "list-tabulate", "list-tail", "list-to-delimited-string", "list=", "list?",
    "listen", "listp", "load", "log", "logand", "logbitp", "logcount", "logior", "lognot", "logtest", "logxor",
    "lower-case-p", "lset-adjoin", "lset-difference", "lset-intersection", "lset-union", "lset-xor", "lset<=", "lset=",
    "magnitude", "make-array", "make-bytes", "make-bytevector", "make-condition", "make-directory", "make-hash-table",
    "make-list", "make-parameter", "make-polar", "make-promise", "make-rectangular", "make-sequence", "make-string",
    "make-string-input-stream", "make-string-output-stream", "make-vector", "makunbound", "map", "map-in-order", "map-into",
    "mapc", "mapcan", "mapcar", "mapcon", "maphash", "mapl", "maplist", "match-re", "match-regexp", "max", "member",
    "member-if", "member-if-not", "memq", "memv", "merge", "merge-pathnames", "min", "minusp", "mismatch", "mod", "modulo",
    "muffle-warning", "multiple-value-list*", "mut-vec-len", "mut-vector-ref", "mutable-vector", "mutable-vector->clear",
    "mutable-vector->list", "mutable-vector->string", "mutable-vector-pop!", "mutable-vector?", "name-char", "namestring",
    "nan?", "nbutlast", "nconc", "negative?", "newline", "nintersection", "ninth", "not", "not-pair?", "notany", "notevery",
    "nreconc", "nreverse", "nset-difference", "nset-exclusive-or", "nstring-capitalize", "nstring-downcase",
    "nstring-upcase", "nsublis", "nsubst", "nsubst-if", "nsubst-if-not", "nsubstitute", "nsubstitute-if",
    "nsubstitute-if-not", "nth", "nthcdr", "null-list?", "null?", "number->string", "number?", "numberp", "numerator",
    "nunion", "octets-to-string", "odd?", "oddp", "open", "open-binary-input-file", "open-binary-output-file",
    "open-input-file", "open-input-string", "open-output-file", "open-output-string", "open-stream-p", "ormap",
    "output-port-open?", "output-port?", "output-stream-p", "pair-fold", "pair-fold-right", "pair-for-each", "pair?",
    "pairlis", "parse-integer", "partition", "partition!", "pathname-name", "pathname-type", "peek-char", "plist-get",
    "plist-get-kwarg", "plist-get-positional-arg", "plist-get-positional-arg-list", "plist-try-get",
    "plist-try-get-positional-arg", "plist-validate-args", "plusp", "po-condition-identifier", "po-condition-message",
    "po-condition-server-string", "po-condition?", "po-error?", "pop-front", "port?", "position", "position-if",
    "position-if-not", "positive?", "prin1", "prin1-to-string", "princ", "princ-to-string", "print", "probe-file",
    "procedure?", "proper-list?", "provide", "push", "push-back", "push-front", "quit", "quote-re", "quotient", "raise",
    "raise-continuable", "random", "range", "range-vec", "rassoc", "rassoc-if", "rassoc-if-not", "rational", "rational?",
    "rationalp", "re-submatch", "read", "read-byte", "read-char", "read-char-no-hang", "read-from-string", "read-line",
    "read-sequence", "read-string", "read-u8", "real-part", "real?", "realp", "reduce", "reduce-right", "regexp-match",
    "regexp-match?", "rem", "remainder", "remhash", "remove", "remove!", "remove-duplicates", "remove-if", "remove-if-not",
    "rename-file", "replace", "replace-re", "require", "rest", "restart-name", "retry", "revappend", "reverse", "reverse!",
    "reverse-list->string", "round", "row-major-aref", "schar", "search", "second", "set", "set-difference",
    "set-exclusive-or", "set?", "seventh", "signal", "signum", "simple-bit-vector-p", "simple-condition-format-arguments",
    "simple-condition-format-control", "simple-string-p", "simple-vector-p", "sin", "sixth", "sleep", "some", "sort", "span",
    "span!", "split-at", "split-at!", "split-many", "split-once", "split-re", "split-regexp", "split-whitespace", "sqrt",
    "square", "stable-sort", "standard-char-p", "starts-with?", "store-value", "stream-element-type", "stream-error-stream",
    "stream-external-format", "streamp", "string", "string+", "string->bytes", "string->int", "string->list",
    "string->lower", "string->number", "string->symbol", "string->uninterned-symbol", "string->upper", "string->utf8",
    "string->vector", "string-any", "string-append", "string-capitalize", "string-ci<=?", "string-ci<?", "string-ci=?",
    "string-ci>=?", "string-ci>?", "string-concatenate", "string-contains", "string-contains-ci", "string-contains?",
    "string-copy", "string-count", "string-delete", "string-downcase", "string-drop", "string-drop-right", "string-equal",
    "string-every", "string-filter", "string-fold", "string-fold-right", "string-foldcase", "string-for-each",
    "string-for-each-index", "string-greaterp", "string-index", "string-index-right", "string-join", "string-left-trim",
    "string-length", "string-lessp", "string-map", "string-not-equal", "string-not-greaterp", "string-not-lessp",
    "string-null?", "string-pad", "string-pad-right", "string-prefix-ci?", "string-prefix-length", "string-prefix?",
    "string-push", "string-ref", "string-replace", "string-reverse", "string-right-trim", "string-rindex", "string-skip",
    "string-skip-right", "string-split", "string-suffix-ci?", "string-suffix-length", "string-suffix?", "string-tabulate",
    "string-take", "string-take-right", "string-titlecase", "string-to-octets", "string-tokenize", "string-trim",
    "string-trim-both", "string-trim-right", "string-unfold", "string-upcase", "string/=", "string<", "string<=",
    "string<=?", "string<?", "string=", "string=?", "string>", "string>=", "string>=?", "string>?", "string?", "stringp",
    "struct?", "sublis", "subseq", "subsetp", "subst", "subst-if", "subst-if-not", "substitute", "substitute-if",
    "substitute-if-not", "substring", "substring/shared", "svref", "sxhash", "symbol->string", "symbol-function",
    "symbol-name", "symbol-value", "symbol=?", "symbol?", "symbolp", "tailp", "take", "take!", "take-right", "take-while",
    "take-while!", "tan", "tenth", "terpri", "textual-port?", "third", "to-string", "tree-equal", "trim", "trim-end",
    "trim-end-matches", "trim-start", "trim-start-matches", "truncate", "truncate-quotient", "truncate-remainder",
    "truncate/", "try-list-ref", "type-error-datum", "type-error-expected-type", "type-of", "typep", "unfold",
    "unfold-right", "union", "unread-char", "unzip1", "unzip2", "unzip3", "upper-case-p", "use-value", "utf8->string",
    "utf8-length", "values", "values-list", "vec-append", "vec-rest", "vector", "vector->list", "vector->string",
    "vector-append", "vector-append!", "vector-copy", "vector-copy!", "vector-fill!", "vector-for-each", "vector-length",
    "vector-map", "vector-pop", "vector-push!", "vector-push-extend", "vector-ref", "vector-set!", "vector-swap!", "vector?",
    "vectorp", "void?", "warn", "with-exception-handler", "write", "write-byte", "write-char", "write-line",
    "write-sequence", "write-shared", "write-simple", "write-string", "write-to-string", "write-u8", "xcons", "y-or-n-p",
    "yes-or-no-p", "zero?", "zerop", "zip",
];

impl Host {
    pub(super) fn may_call(&self, name: &str) -> bool {
        !self.context.policy().is_untrusted()
            || NAMES.binary_search(&name).is_ok()
            || self.vouched.contains(name)
    }

    /// Defines a name as a function that refuses to run.
    pub(super) fn refuse(&mut self, name: &str) {
        let refuse = |call: &Call<'_>| {
            let message = format!(
                "{}: not among the functions that an untrusted script may call; only running it without --untrusted allows that",
                call.name()
            );
            Err(Condition::new(Identifier::NotAllowed, message))
        };
        let native = self.native(name, "(&rest arguments)", Some(std::sync::Arc::new(refuse)));
        let refusing = Definition::Call(vec![system_global("%wrap"), native]);
        self.engine.on_demand.put(global(name), refusing);
        self.expander.note_library(name);
    }

    /// Lets untrusted scripts call these functions, which are registered afterwards. The caller
    /// vouches that they reach nothing that the [`crate::policy::Policy`] does not allow, or ask it
    /// first. Without this, an untrusted script finds them refused. It does not unlock refused
    /// functions of the language.
    pub fn vouch_for(&mut self, names: &[&str]) {
        self.vouched.extend(names.iter().map(|name| (*name).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Host, Options, value};
    use crate::lisp::expander::names::script_name;
    use crate::policy::Policy;

    fn untrusted() -> Host {
        Host::new(Options { policy: Policy::untrusted(), ..Options::default() })
    }

    #[test]
    fn every_global_of_an_untrusted_script_is_on_the_list() {
        assert!(NAMES.is_sorted_by(|left, right| left < right), "the list is searched by halves");
        let host = untrusted();
        let bound = host.engine.script_globals();
        let unknown: Vec<_> =
            bound.iter().filter(|name| NAMES.binary_search(&name.as_str()).is_err()).collect();
        assert!(
            unknown.is_empty(),
            "these are refused now; look at what they reach, then put them into NAMES: {unknown:?}"
        );
        let gone: Vec<_> =
            NAMES.iter().filter(|name| !bound.iter().any(|known| known == *name)).collect();
        assert!(gone.is_empty(), "no functions any more: {gone:?}");
    }

    /// The interpreter's own table holds functions that scripts must not reach, for example those
    /// that read its modules. Scripts cannot name them, because their names are mangled.
    #[test]
    fn no_global_of_the_interpreter_can_be_named_in_a_script() {
        let mut host = untrusted();
        let globals: Vec<String> =
            host.engine.steel.globals().iter().map(|name| name.resolve().to_owned()).collect();
        assert!(
            globals.iter().any(|name| name.starts_with("#%prim.")) && globals.len() > 500,
            "{}",
            globals.len()
        );
        // Caught, because a report would look for the nearest of all names, each time.
        let mut value_of = |form: &str| {
            let caught = format!("(handler-case {form}\n (error () 'unbound))");
            let value = host.evaluate(&caught, "test").ok()?;
            (value::as_symbol(&value) != Some("unbound")).then(|| value::shown(&value))
        };
        assert!(value_of("car").is_some());
        let mut reached = Vec::new();
        for name in globals.iter().filter(|name| script_name(name).is_none()) {
            for form in [name.clone(), format!("|{}|", name.replace(['|', '\\'], ""))] {
                let own = NAMES.binary_search(&name.trim_start_matches(':')).is_ok()
                    || matches!(name.as_str(), "t" | "nil");
                if let Some(value) = value_of(&form).filter(|_| !own) {
                    reached.push((form, value));
                }
            }
        }
        assert!(reached.is_empty(), "{reached:?}");
    }
}
