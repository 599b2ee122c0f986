//! Data of the language, independent of the interpreter's values. The reader, the printer and
//! macros work on it; the host converts to and from the interpreter.

/// One piece of data, as the reader reads it and the printer prints it.
///
/// `nil`, the empty list and false are one value, [`Datum::Nil`]; `t` and true are [`Datum::True`].
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// `nil`, `()`, `#f` and "no value".
    Nil,
    /// `t` and `#t`.
    True,
    /// An integer of 64 bits.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// Any other number, as it is written: `1/3`, `123456789012345678901234567890`.
    Number(String),
    /// A string.
    String(String),
    /// A symbol.
    Symbol(String),
    /// A keyword, without its colon.
    Keyword(String),
    /// A character.
    Char(char),
    /// A list of at least one element.
    List(Vec<Datum>),
    /// A list whose last tail is not the empty list: `(a b . c)`.
    Dotted(Vec<Datum>, Box<Datum>),
    /// A vector, `#(…)`.
    Vector(Vec<Datum>),
    /// Bytes, `#u8(…)`.
    Bytes(Vec<u8>),
    /// An object without a readable form, as it prints: `#<mailbox …>`.
    Opaque(String),
}

impl Datum {
    /// Builds a list; without elements it is [`Datum::Nil`].
    pub fn list(elements: Vec<Datum>) -> Datum {
        if elements.is_empty() { Datum::Nil } else { Datum::List(elements) }
    }

    /// Conses `elements` onto `tail`. The result is a proper list if `tail` is one.
    pub fn dotted(mut elements: Vec<Datum>, mut tail: Datum) -> Datum {
        if elements.is_empty() {
            return tail;
        }
        match &mut tail {
            Datum::Nil => Datum::List(elements),
            Datum::List(more) => {
                elements.append(more);
                Datum::List(elements)
            }
            Datum::Dotted(more, end) => {
                elements.append(more);
                let end = std::mem::replace(end.as_mut(), Datum::Nil);
                Datum::Dotted(elements, Box::new(end))
            }
            _ => Datum::Dotted(elements, Box::new(tail)),
        }
    }

    fn move_children_to(&mut self, pending: &mut Vec<Datum>) {
        match self {
            Datum::List(elements) | Datum::Vector(elements) => pending.append(elements),
            Datum::Dotted(elements, tail) => {
                pending.append(elements);
                pending.push(std::mem::replace(tail.as_mut(), Datum::Nil));
            }
            _ => {}
        }
    }
}

/// Drops nested data in a loop. Data may be nested a million deep, and the derived drop would
/// overflow the stack.
impl Drop for Datum {
    fn drop(&mut self) {
        if !matches!(self, Datum::List(_) | Datum::Vector(_) | Datum::Dotted(..)) {
            return;
        }
        let mut pending = Vec::new();
        self.move_children_to(&mut pending);
        while let Some(mut datum) = pending.pop() {
            datum.move_children_to(&mut pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_levels_are_dropped() {
        let mut datum = Datum::Nil;
        for _ in 0..1_000_000 {
            datum = Datum::List(vec![datum]);
        }
        drop(datum);
    }

    #[test]
    fn a_tail_that_is_a_list_joins() {
        let tail = Datum::List(vec![Datum::Integer(2)]);
        assert_eq!(
            Datum::dotted(vec![Datum::Integer(1)], tail),
            Datum::List(vec![Datum::Integer(1), Datum::Integer(2)])
        );
    }
}
