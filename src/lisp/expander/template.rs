//! Rewrites special forms to simpler ones with templates: source text with holes `$1`, `$2`, ….
//!
//! The symbols of a template carry a system mark. So its functions are the system's, and the
//! variables that it binds cannot clash with the script's.

use super::scope::Mark;
use super::{Pass, Scope};
use crate::lisp::node::{Kind, Node, Span, Symbol};
use crate::lisp::reader;

/// The filling of one hole: a form, or several forms that are spliced.
pub(super) enum Hole<'n> {
    One(&'n Node),
    Many(&'n [Node]),
}

impl Pass<'_> {
    /// Returns a new mark under which every name means the system's, and every bound variable is a
    /// new one.
    pub(super) fn system_mark(&mut self) -> u32 {
        self.memory.marks.push(Mark { scope: Scope::default(), outer: 0, system: true });
        self.memory.marks.len() as u32
    }

    /// Fills a template. `text` is a literal of this crate; every form of the template gets the
    /// place `span`.
    pub(super) fn template(
        &mut self,
        text: &str,
        mark: u32,
        span: Span,
        holes: &[Hole<'_>],
    ) -> Node {
        let forms = reader::read(text).unwrap_or_default();
        let mut filled = Vec::new();
        for form in &forms {
            fill(form, mark, span, holes, &mut filled);
        }
        filled.pop().unwrap_or_else(|| Node::list(span, Vec::new()))
    }
}

fn fill(form: &Node, mark: u32, span: Span, holes: &[Hole<'_>], filled: &mut Vec<Node>) {
    match &form.kind {
        Kind::Symbol(symbol) => {
            match symbol.name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => match holes.get(number - 1) {
                    Some(Hole::One(node)) => filled.push((*node).clone()),
                    Some(Hole::Many(nodes)) => filled.extend(nodes.iter().cloned()),
                    None => {}
                },
                None => filled.push(Node::new(
                    span,
                    Kind::Symbol(Symbol { name: symbol.name.clone(), mark }),
                )),
            }
        }
        Kind::List(elements) => {
            let mut inner = Vec::with_capacity(elements.len());
            elements.iter().for_each(|element| fill(element, mark, span, holes, &mut inner));
            filled.push(Node::list(span, inner));
        }
        other => filled.push(Node::new(span, other.clone())),
    }
}
