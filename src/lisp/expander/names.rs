//! Names of the emitted text.

/// Primitives that are emitted directly, which the interpreter compiles to single instructions, unless the script defines the name itself.
pub const INLINE: &[&str] = &["+", "-", "*", "=", "<", ">", "<=", ">=", "car", "cdr", "cons", "list", "zero?"];

/// Functions that always answer `#t` or `#f`: a test need not look for the empty list.
pub const PREDICATES: &[&str] = &["=", "<", ">", "<=", ">=", "eq?", "zero?", "pair?", "null?", "%one-of?"];

/// Functions of the prelude that end in a call of what they are given: loops are written with them.
pub const TAIL: &[&str] = &["apply", "funcall", "call-with-values"];

/// The emitted name of the script's global.
pub fn global(name: &str) -> String {
    mangled("u/", name)
}

/// The emitted name of a global of the system.
pub fn system_global(name: &str) -> String {
    mangled("s/", name)
}

/// The emitted name of the procedure behind a `defmacro`.
pub fn macro_global(name: &str) -> String {
    mangled("m/", name)
}

/// The interpreter's own name of a primitive.
pub fn primitive(name: &str) -> String {
    format!("#%prim.{name}")
}

/// The script's name of an emitted global, if it is one: the reverse of [`global`].
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
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || "+-*/<=>!?_&^~$%".contains(character) {
            emitted.push(character);
        } else {
            emitted.push_str(&format!("@{:x}@", character as u32));
        }
    }
    emitted
}
