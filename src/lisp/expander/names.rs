//! Names in the emitted text.
//!
//! Every global has a prefix: `u/` for the script's, `s/` for the system's, `m/` for procedures of
//! macros, `n/` for natives of the application. So a script can define any name without changing
//! the system. Characters that the interpreter may read otherwise are escaped as `@hex@`.

/// Primitives that are emitted directly, unless the script defines the name itself. The interpreter
/// compiles them to single instructions.
pub const INLINE: &[&str] = &["+", "-", "*", "=", "<", ">", "<=", ">=", "cons", "list", "zero?"];

/// Primitives whose instruction orders values of any kind and takes exactly two arguments. Scripts
/// get the system's own function instead, which refuses anything but numbers.
pub const COMPARISONS: &[&str] = &["=", "<", ">", "<=", ">="];

/// The interpreter's `car` and `cdr`, for lists that are known not to be empty, by the names that
/// the system has for them. They need no call, and the second makes no new list if nothing else
/// holds the old one.
pub const OF_PAIRS: &[(&str, &str)] = &[("%head", "car"), ("%tail", "cdr")];

/// Functions that always return `#t` or `#f`, so that a test need not look for the empty list.
pub const PREDICATES: &[&str] =
    &["=", "<", ">", "<=", ">=", "eq?", "zero?", "pair?", "null?", "void?"];

/// The system's own natives that always return `#t` or `#f`.
pub const OWN_PREDICATES: &[&str] = &[
    "%outcome?",
    "%matches?",
    "%interrupted?",
    "%left?",
    "%condition-error?",
    "%nil?",
    "%bound?",
    "%timed-out?",
];

/// Functions of the prelude that end in a call of their argument. Their calls remain tail calls,
/// because loops are written with them.
pub const TAIL: &[&str] = &["apply", "funcall", "call-with-values"];

/// Functions that take a function, and the position of that argument. A quoted symbol there means
/// the function of that name.
pub const TAKERS: &[(&str, usize)] = &[
    ("funcall", 0),
    ("apply", 0),
    ("mapcar", 0),
    ("mapc", 0),
    ("mapcan", 0),
    ("map", 0),
    ("maplist", 0),
    ("for-each", 0),
    ("reduce", 0),
    ("remove-if", 0),
    ("remove-if-not", 0),
    ("delete-if", 0),
    ("delete-if-not", 0),
    ("find-if", 0),
    ("position-if", 0),
    ("count-if", 0),
    ("member-if", 0),
    ("assoc-if", 0),
    ("every", 0),
    ("some", 0),
    ("notany", 0),
    ("notevery", 0),
    ("filter", 0),
    ("maphash", 0),
    ("complement", 0),
    ("sort", 1),
    ("stable-sort", 1),
    ("substitute-if", 1),
    ("multiple-value-call", 0),
    ("map", 1),
    ("mapl", 0),
    ("mapcon", 0),
    ("map-into", 1),
    ("merge", 3),
    ("find-if-not", 0),
    ("position-if-not", 0),
    ("count-if-not", 0),
    ("member-if-not", 0),
    ("assoc-if-not", 0),
    ("rassoc-if", 0),
    ("rassoc-if-not", 0),
    ("substitute-if-not", 1),
    ("nsubstitute-if", 1),
    ("nsubstitute-if-not", 1),
    ("nsubst-if-not", 1),
    ("subst-if", 1),
    ("subst-if-not", 1),
];

/// Functions whose `:test`, `:test-not` and `:key` are functions. A quoted symbol there means the
/// function of that name.
#[rustfmt::skip]
pub const KEYED: &[&str] = &[
    "adjoin", "assoc", "assoc-if", "assoc-if-not", "count", "count-if", "count-if-not", "delete", "delete!",
    "delete-duplicates", "delete-if", "delete-if-not", "find", "find-if", "find-if-not", "filter", "filter!",
    "intersection", "member", "member-if", "member-if-not", "merge", "mismatch", "nintersection",
    "nset-difference", "nset-exclusive-or", "nsublis", "nsubst", "nsubst-if", "nsubst-if-not", "nsubstitute",
    "nsubstitute-if", "nsubstitute-if-not", "nunion", "position", "position-if", "position-if-not", "pushnew", "rassoc",
    "rassoc-if", "rassoc-if-not", "reduce", "remove", "remove!", "remove-duplicates", "remove-if",
    "remove-if-not", "search", "set-difference", "set-exclusive-or", "sort", "stable-sort",
    "sublis", "subsetp", "subst", "subst-if", "subst-if-not", "substitute", "substitute-if",
    "substitute-if-not", "tree-equal", "union",
];

/// The types that `map` makes, as its first of three arguments or more. Fewer are Scheme's `map`, whose
/// first is a function.
pub const SEQUENCES: &[&str] = &["list", "vector", "simple-vector", "string", "simple-string"];

/// The system's dynamic variables.
pub const DYNAMIC: &[&str] =
    &["*debug-io*", "*error-output*", "*query-io*", "*standard-output*", "*terminal-io*"];

/// The emitted name of the prompt's last value: the meaning of `*` as a variable.
pub const LAST_VALUE: &str = "r/last-value";

/// The emitted name of the function that lists the globals that a script has set, as lists of the
/// emitted name and the value.
pub const VISIBLE_GLOBALS: &str = "s/%visible-globals";

/// Returns the emitted name of a global of the script.
pub fn global(name: &str) -> String {
    mangled("u/", name)
}

/// Returns the emitted name of a global of the system.
pub fn system_global(name: &str) -> String {
    mangled("s/", name)
}

/// Returns the emitted name of a native of the application, without its wrapper.
pub fn native_global(name: &str) -> String {
    mangled("n/", name)
}

/// Returns the emitted name of the procedure of a `defmacro`.
pub fn macro_global(name: &str) -> String {
    mangled("m/", name)
}

/// Returns the interpreter's own name of a primitive.
pub fn primitive(name: &str) -> String {
    format!("#%prim.{name}")
}

/// Returns the script's name of an emitted global, or `None` if it is not a global of the script:
/// the reverse of [`global`].
pub fn script_name(emitted: &str) -> Option<String> {
    let mut name = String::new();
    for (index, part) in emitted.strip_prefix("u/")?.split('@').enumerate() {
        if index % 2 == 0 {
            name.push_str(part);
        } else {
            name.push(char::from_u32(u32::from_str_radix(part, 16).ok()?)?);
        }
    }
    Some(name)
}

fn mangled(prefix: &str, name: &str) -> String {
    let mut emitted = String::with_capacity(prefix.len() + name.len());
    emitted.push_str(prefix);
    if name.bytes().all(|byte| is_plain(byte.into())) {
        emitted.push_str(name);
        return emitted;
    }
    for character in name.chars() {
        if is_plain(character) {
            emitted.push(character);
        } else {
            emitted.push_str(&format!("@{:x}@", character as u32));
        }
    }
    emitted
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+-*/<=>!?_&^~$%".contains(character)
}
