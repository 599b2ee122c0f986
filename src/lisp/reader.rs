//! Reads text into forms.
//!
//! The reader accepts any text: nesting is limited to [`DEPTH_LIMIT`], time is linear, and every
//! error has a place. It does not recurse: `open` is the stack of forms that are not closed yet,
//! and a finished form is placed into the innermost of them. A prefix such as `'` is an open form
//! that the next form closes.
//!
//! [`read`] reads programs, [`read_data`] reads data, and [`completeness`] tells a prompt whether
//! to read another line.

use std::fmt;

use super::datum::Datum;
use super::features;
use super::lexer::{Lexer, STRUCTURE_DATA, Token};
use super::node::{Kind, Node, Span, Symbol};

/// How deep forms may nest. Real scripts stay below 50; the limit keeps recursive walks within any
/// thread's stack.
pub const DEPTH_LIMIT: usize = 1_000;

/// Whether more text could still repair the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// The text ends within a form.
    Incomplete,
    /// No further text can repair it.
    Malformed,
}

/// The error for text that is not a sequence of forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Whether more text could repair it.
    pub kind: ReadErrorKind,
    /// The message, starting in lower case.
    pub message: String,
    /// The place of the error.
    pub span: Span,
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

/// Whether the text typed so far is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Every form is closed (there may be none).
    Complete,
    /// The text ends within a form: read another line.
    Incomplete,
    /// No further line can repair it.
    Malformed(ReadError),
}

/// The first error in the text; for a form that is not closed, of kind
/// [`ReadErrorKind::Incomplete`].
pub fn read(source: &str) -> Result<Vec<Node>, ReadError> {
    Reader { lexer: Lexer::new(source, false) }.forms(false).map(|(forms, _)| forms)
}

/// Reads the first form. Returns it and the offset of the byte after it, or `None` if the text
/// holds no form.
pub fn read_first(source: &str) -> Result<Option<(Node, usize)>, ReadError> {
    let (forms, end) = Reader { lexer: Lexer::new(source, false) }.forms(true)?;
    Ok(forms.into_iter().next().map(|form| (form, end)))
}

/// Reads data. Unlike [`read`] it accepts objects, `#<…>`.
pub fn read_data(source: &str) -> Result<Vec<Datum>, ReadError> {
    let (forms, _) = Reader { lexer: Lexer::new(source, true) }.forms(false)?;
    Ok(forms.iter().map(Node::datum).collect())
}

/// Returns whether `source` consists of whole forms, so that a prompt can read on.
pub fn completeness(source: &str) -> Completeness {
    match read(source) {
        Ok(_) => Completeness::Complete,
        Err(error) if error.kind == ReadErrorKind::Incomplete => Completeness::Incomplete,
        Err(error) => Completeness::Malformed(error),
    }
}

struct Reader<'a> {
    lexer: Lexer<'a>,
}

/// A form that is not closed yet.
struct Open {
    shape: Shape,
    span: Span,
    elements: Vec<Node>,
    /// The place of the dot, and the form after it once it is read.
    dot: Option<(Span, Option<Node>)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    List,
    Vector,
    Bytes,
    /// `'x` and the like: closed by the form that follows.
    Prefix(&'static str),
    /// `#;`: closed by the form that follows, and dropped.
    Skip,
    /// `#+` (true) and `#-`: closed by the second form that follows. It remains if the first one, a
    /// condition, has that truth value.
    Feature(bool),
}

impl Reader<'_> {
    /// Reads all forms, or only the first. Returns them and the offset of the byte after the last.
    fn forms(mut self, only_first: bool) -> Result<(Vec<Node>, usize), ReadError> {
        let mut forms = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        while let Some((token, span)) = self.lexer.next_token()? {
            let shape = match token {
                Token::Open => Some(Shape::List),
                Token::OpenVector => Some(Shape::Vector),
                Token::OpenBytes => Some(Shape::Bytes),
                Token::Prefix(name) => Some(Shape::Prefix(name)),
                Token::SkipNext => Some(Shape::Skip),
                Token::Feature(wanted) => Some(Shape::Feature(wanted)),
                _ => None,
            };
            if let Some(shape) = shape {
                if open.len() >= DEPTH_LIMIT {
                    return Err(malformed(
                        format!("forms are nested more than {DEPTH_LIMIT} deep"),
                        span,
                    ));
                }
                open.push(Open { shape, span, elements: Vec::new(), dot: None });
                continue;
            }
            let form = match token {
                Token::Close => close(open.pop(), span)?,
                Token::Dot => {
                    dot(open.last_mut(), span)?;
                    continue;
                }
                Token::String(text) => Node::new(span, Kind::String(text.into())),
                Token::Char(character) => Node::new(span, Kind::Char(character)),
                Token::Boolean(value) => Node::new(span, Kind::Boolean(value)),
                Token::Opaque(text) => Node::new(span, Kind::Opaque(text)),
                Token::Word { text, bars } => {
                    let keyword = self.lexer.starts_with_colon(span);
                    Node::new(span, word(&text, bars, keyword, span)?)
                }
                _ => unreachable!("openers were handled above"),
            };
            place(form, &mut open, &mut forms)?;
            if only_first && !forms.is_empty() {
                return Ok((forms, span.end));
            }
        }
        match open.pop() {
            None => Ok((forms, self.lexer.end().end)),
            Some(unfinished) => Err(ReadError {
                kind: ReadErrorKind::Incomplete,
                message: match unfinished.shape {
                    Shape::Prefix(_) | Shape::Skip | Shape::Feature(_) => {
                        "a form must follow here".to_owned()
                    }
                    _ => "the form that starts here is not closed".to_owned(),
                },
                span: Span::new(unfinished.span.start, self.lexer.end().end),
            }),
        }
    }
}

/// Adds a finished form to the innermost open form, or to `forms`. Closes the prefixes that it
/// completes.
fn place(mut form: Node, open: &mut Vec<Open>, forms: &mut Vec<Node>) -> Result<(), ReadError> {
    loop {
        let Some(parent) = open.last_mut() else {
            forms.push(form);
            return Ok(());
        };
        match parent.shape {
            // In data, a structure is as it prints.
            Shape::Prefix(STRUCTURE_DATA) => {
                let span = Span::new(parent.span.start, form.span.end);
                let text = format!("#S{}", super::printer::readably(&form.datum()));
                form = Node::new(span, Kind::Opaque(text));
                open.pop();
            }
            Shape::Prefix(name) => {
                let span = Span::new(parent.span.start, form.span.end);
                form = Node::list(span, vec![Node::symbol(parent.span, name), form]);
                open.pop();
            }
            Shape::Skip => {
                open.pop();
                return Ok(());
            }
            Shape::Feature(wanted) => {
                let Some(condition) = parent.elements.first() else {
                    parent.elements.push(form);
                    return Ok(());
                };
                let keeps = features::holds(condition)? == wanted;
                open.pop();
                if !keeps {
                    return Ok(());
                }
            }
            _ => match &mut parent.dot {
                None => {
                    parent.elements.push(form);
                    return Ok(());
                }
                Some((_, tail @ None)) => {
                    *tail = Some(form);
                    return Ok(());
                }
                Some(_) => {
                    return Err(malformed("one form follows a dot, not two".to_owned(), form.span));
                }
            },
        }
    }
}

fn dot(parent: Option<&mut Open>, span: Span) -> Result<(), ReadError> {
    match parent {
        Some(Open { shape: Shape::List, elements, dot: dot @ None, .. })
            if !elements.is_empty() =>
        {
            *dot = Some((span, None));
            Ok(())
        }
        _ => Err(malformed("a dot stands before the last form of a list".to_owned(), span)),
    }
}

fn close(open: Option<Open>, span: Span) -> Result<Node, ReadError> {
    let Some(open) = open else {
        return Err(malformed("this parenthesis closes nothing".to_owned(), span));
    };
    let whole = Span::new(open.span.start, span.end);
    match (open.shape, open.dot) {
        (Shape::Prefix(_) | Shape::Skip | Shape::Feature(_), _) => {
            Err(malformed("a form must stand before this parenthesis".to_owned(), span))
        }
        (_, Some((dot, None))) => Err(malformed("a form must follow the dot".to_owned(), dot)),
        (_, Some((_, Some(tail)))) => Ok(match tail.kind {
            Kind::List(more) => Node::list(whole, open.elements.into_iter().chain(more).collect()),
            Kind::Dotted(more, end) => {
                Node::new(whole, Kind::Dotted(open.elements.into_iter().chain(more).collect(), end))
            }
            _ => Node::new(whole, Kind::Dotted(open.elements, Box::new(tail))),
        }),
        (Shape::Vector, None) => Ok(Node::new(whole, Kind::Vector(open.elements))),
        (Shape::Bytes, None) => {
            bytes(&open.elements).map(|bytes| Node::new(whole, Kind::Bytes(bytes)))
        }
        (Shape::List, None) => Ok(Node::list(whole, open.elements)),
    }
}

fn bytes(elements: &[Node]) -> Result<Vec<u8>, ReadError> {
    let byte = |node: &Node| match node.kind {
        Kind::Integer(value) => u8::try_from(value).ok(),
        _ => None,
    };
    elements
        .iter()
        .map(|node| {
            byte(node)
                .ok_or_else(|| malformed("a byte is a number from 0 to 255".to_owned(), node.span))
        })
        .collect()
}

pub(super) fn malformed(message: String, span: Span) -> ReadError {
    ReadError { kind: ReadErrorKind::Malformed, message, span }
}

/// Classifies a word. `keyword` is whether the source starts with a colon, which distinguishes
/// `:|x|` from `|:x|`.
fn word(text: &str, bars: bool, keyword: bool, span: Span) -> Result<Kind, ReadError> {
    if bars && keyword {
        return Ok(Kind::Keyword(text.get(1..).unwrap_or_default().into()));
    }
    if bars {
        return Ok(Kind::Symbol(Symbol { name: text.into(), mark: 0 }));
    }
    if let Some(keyword) =
        text.strip_prefix(':').filter(|name| !name.is_empty() && !name.starts_with(':'))
    {
        return Ok(Kind::Keyword(keyword.to_lowercase().into()));
    }
    if let Some(number) = number(text) {
        return Ok(number);
    }
    if text.starts_with('#') {
        return Err(malformed(format!("unknown syntax: {text}"), span));
    }
    Ok(Kind::Symbol(Symbol { name: without_package(text).into(), mark: 0 }))
}

/// Removes a package prefix: `net.post-office:fetch-parts` is `fetch-parts`. A lone colon at either
/// end is part of the name.
fn without_package(text: &str) -> &str {
    match text.split_once(':') {
        Some((package, name)) if !package.is_empty() => {
            let name = name.strip_prefix(':').unwrap_or(name);
            if name.is_empty() || name.contains(':') { text } else { name }
        }
        _ => text,
    }
}

fn number(text: &str) -> Option<Kind> {
    if let Some(digits) = text.strip_prefix(['#']) {
        let radix = match digits.chars().next()?.to_ascii_lowercase() {
            'x' => 16,
            'b' => 2,
            'o' => 8,
            'd' => 10,
            _ => return None,
        };
        return i64::from_str_radix(&digits[1..], radix).ok().map(Kind::Integer);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "+inf.0" => return Some(Kind::Float(f64::INFINITY)),
        "-inf.0" => return Some(Kind::Float(f64::NEG_INFINITY)),
        "+nan.0" | "-nan.0" => return Some(Kind::Float(f64::NAN)),
        _ => {}
    }
    if decimal(unsigned) {
        let plain = text.strip_prefix('+').unwrap_or(text);
        return Some(plain.parse().map_or_else(|_| Kind::Number(plain.to_owned()), Kind::Integer));
    }
    if let Some((above, below)) = unsigned.split_once('/') {
        let divisor_is_zero = below.bytes().all(|byte| byte == b'0');
        return (decimal(above) && decimal(below) && !divisor_is_zero)
            .then(|| Kind::Number(text.strip_prefix('+').unwrap_or(text).to_owned()));
    }
    let numeric = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let starts_well = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || (unsigned.len() > 1 && unsigned.starts_with('.'));
    if !starts_well {
        return None;
    }
    if numeric {
        return text.parse().ok().map(Kind::Float);
    }
    // Common Lisp's other exponent markers name a kind of float; here all are double.
    let (mantissa, exponent) = text.split_once(|c: char| "dDfFsSlL".contains(c))?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let plain = mantissa.trim_start_matches(['+', '-']);
    let is_mantissa = plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_mantissa || !decimal(digits) {
        return None;
    }
    format!("{mantissa}e{exponent}").parse().ok().map(Kind::Float)
}
