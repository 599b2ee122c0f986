//! Forms with their places in the source: the reader produces them, the expander consumes them.

use std::sync::Arc;

use super::datum::Datum;

/// A range of bytes of a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to, but without, `end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }
}

/// A symbol of a program. Symbols are case-sensitive.
///
/// Two symbols are the same only if name and mark agree. The mark tells apart symbols that
/// different macro expansions introduced; the author's own symbols have mark 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// The name, in the case it was written in.
    pub name: Arc<str>,
    /// The macro expansion that introduced it, or 0.
    pub mark: u32,
}

/// One form and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place in the source.
    pub span: Span,
    /// The form itself.
    pub kind: Kind,
}

/// The kind of a form.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `#t`, `#f`.
    Boolean(bool),
    /// An integer of 64 bits.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// Any other number, as written.
    Number(String),
    /// A string.
    String(Arc<str>),
    /// A character.
    Char(char),
    /// A symbol. `t` and `nil` are symbols too, because a script may bind them.
    Symbol(Symbol),
    /// A keyword, without its colon.
    Keyword(Arc<str>),
    /// A list, possibly empty.
    List(Vec<Node>),
    /// `(a b . c)`.
    Dotted(Vec<Node>, Box<Node>),
    /// `#(…)`.
    Vector(Vec<Node>),
    /// `#u8(…)`.
    Bytes(Vec<u8>),
    /// `#<…>`. It occurs in data only, never in programs.
    Opaque(String),
}

impl Node {
    /// Returns the form `kind` at `span`.
    pub fn new(span: Span, kind: Kind) -> Node {
        Node { span, kind }
    }

    /// Returns an unmarked symbol, as an author writes it.
    pub fn symbol(span: Span, name: &str) -> Node {
        Node::new(span, Kind::Symbol(Symbol { name: name.into(), mark: 0 }))
    }

    /// Returns a list.
    pub fn list(span: Span, elements: Vec<Node>) -> Node {
        Node::new(span, Kind::List(elements))
    }

    /// Returns the symbol if the form is one.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match &self.kind {
            Kind::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// Returns the elements if the form is a proper list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns whether the form is a symbol of this name, with any mark.
    pub fn is_named(&self, name: &str) -> bool {
        self.as_symbol().is_some_and(|symbol| &*symbol.name == name)
    }

    /// Returns the data that the form denotes when it is quoted.
    pub fn datum(&self) -> Datum {
        match &self.kind {
            Kind::Boolean(true) => Datum::True,
            Kind::Boolean(false) => Datum::Nil,
            Kind::Integer(value) => Datum::Integer(*value),
            Kind::Float(value) => Datum::Float(*value),
            Kind::Number(text) => Datum::Number(text.clone()),
            Kind::String(text) => Datum::String(text.to_string()),
            Kind::Char(character) => Datum::Char(*character),
            Kind::Symbol(symbol) => match &*symbol.name {
                "nil" => Datum::Nil,
                "t" => Datum::True,
                name => Datum::Symbol(name.to_owned()),
            },
            Kind::Keyword(name) => Datum::Keyword(name.to_string()),
            Kind::List(elements) => Datum::list(elements.iter().map(Node::datum).collect()),
            Kind::Dotted(elements, tail) => {
                Datum::dotted(elements.iter().map(Node::datum).collect(), tail.datum())
            }
            Kind::Vector(elements) => Datum::Vector(elements.iter().map(Node::datum).collect()),
            Kind::Bytes(bytes) => Datum::Bytes(bytes.clone()),
            Kind::Opaque(text) => Datum::Opaque(text.clone()),
        }
    }

    /// Turns data into a form, with every part at `span`. Used for the expansion of a `defmacro`.
    pub fn from_datum(datum: &Datum, span: Span) -> Node {
        let nodes = |elements: &[Datum]| {
            elements.iter().map(|element| Node::from_datum(element, span)).collect::<Vec<_>>()
        };
        let kind = match datum {
            Datum::Nil => Kind::List(Vec::new()),
            Datum::True => Kind::Boolean(true),
            Datum::Integer(value) => Kind::Integer(*value),
            Datum::Float(value) => Kind::Float(*value),
            Datum::Number(text) => Kind::Number(text.clone()),
            Datum::String(text) => Kind::String(text.as_str().into()),
            Datum::Symbol(name) => Kind::Symbol(Symbol { name: name.as_str().into(), mark: 0 }),
            Datum::Keyword(name) => Kind::Keyword(name.as_str().into()),
            Datum::Char(character) => Kind::Char(*character),
            Datum::List(elements) => Kind::List(nodes(elements)),
            Datum::Dotted(elements, tail) => {
                Kind::Dotted(nodes(elements), Box::new(Node::from_datum(tail, span)))
            }
            Datum::Vector(elements) => Kind::Vector(nodes(elements)),
            Datum::Bytes(bytes) => Kind::Bytes(bytes.clone()),
            Datum::Opaque(text) => Kind::Opaque(text.clone()),
        };
        Node::new(span, kind)
    }
}
