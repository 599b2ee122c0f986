//! `syntax-rules` macros: patterns with literals and ellipses, and hygienic templates.
//!
//! `SyntaxRules::expand` uses the first rule whose pattern matches. Matching fills [`Bindings`]: a
//! pattern variable stands for one form, and under an ellipsis for one set of bindings per
//! repetition. The template is then filled with the bound forms.
//!
//! Symbols that the template itself introduces get a new mark for each expansion. So they neither
//! capture the script's names nor are captured by them; `scope` resolves them where the macro was
//! defined.

use std::collections::HashMap;
use std::sync::Arc;

use super::scope::Scope;
use crate::lisp::node::{Kind, Node, Symbol};

/// A macro made by `syntax-rules`.
pub struct SyntaxRules {
    ellipsis: Symbol,
    literals: Vec<Symbol>,
    rules: Vec<(Node, Node)>,
    pub(super) scope: Scope,
    pub(super) system: bool,
}

enum Bound {
    One(Node),
    Many(Vec<Arc<Bindings>>),
}

type Marks = HashMap<u32, u32>;
type Bindings = HashMap<Symbol, Arc<Bound>>;

impl SyntaxRules {
    /// Parses `(syntax-rules (literal …) (pattern template) …)`, optionally with an ellipsis of its
    /// own before the literals.
    pub(super) fn parse(form: &Node, scope: &Scope, system: bool) -> Result<SyntaxRules, String> {
        let malformed =
            || "syntax-rules: expected (syntax-rules (literal …) (pattern template) …)".to_owned();
        let mut rest = form
            .as_list()
            .filter(|list| list.first().is_some_and(|head| head.is_named("syntax-rules")))
            .ok_or_else(malformed)?[1..]
            .iter();
        let mut next = rest.next().ok_or_else(malformed)?;
        let mut ellipsis = Symbol { name: "...".into(), mark: 0 };
        if let Some(symbol) = next.as_symbol() {
            ellipsis = symbol.clone();
            next = rest.next().ok_or_else(malformed)?;
        }
        let literals = next
            .as_list()
            .ok_or_else(malformed)?
            .iter()
            .filter_map(Node::as_symbol)
            .cloned()
            .collect();
        let rules = rest.map(|rule| match rule.as_list() {
            Some([pattern, template]) => Ok((pattern.clone(), template.clone())),
            _ => Err(malformed()),
        });
        Ok(SyntaxRules {
            ellipsis,
            literals,
            rules: rules.collect::<Result<_, _>>()?,
            scope: scope.clone(),
            system,
        })
    }

    /// Returns the expansion of `form` by the first rule that matches. `mark_for` gives the new
    /// mark for each mark that the template's symbols have; in a macro that another macro defined
    /// they have some already.
    pub(super) fn expand(&self, form: &Node, mark_for: &mut dyn FnMut(u32) -> u32) -> Option<Node> {
        self.rules.iter().find_map(|(pattern, template)| {
            let mut bindings = Bindings::new();
            let matches = match (&pattern.kind, &form.kind) {
                (Kind::List(pattern), Kind::List(form)) => {
                    self.matches_list(&pattern[1..], None, &form[1..], None, &mut bindings)
                }
                (Kind::Dotted(pattern, tail), Kind::List(form)) => {
                    self.matches_list(&pattern[1..], Some(tail), &form[1..], None, &mut bindings)
                }
                _ => false,
            };
            matches.then(|| {
                let mut marks = Vec::new();
                collect_marks(template, &mut marks);
                let marks: Marks = marks.into_iter().map(|mark| (mark, mark_for(mark))).collect();
                self.fill(template, &bindings, form, &marks)
            })
        })
    }

    fn is_ellipsis(&self, node: Option<&Node>) -> bool {
        node.and_then(Node::as_symbol).is_some_and(|symbol| symbol.name == self.ellipsis.name)
    }

    fn matches(&self, pattern: &Node, form: &Node, bindings: &mut Bindings) -> bool {
        match (&pattern.kind, &form.kind) {
            (Kind::Symbol(symbol), _) if self.literals.contains(symbol) => {
                form.is_named(&symbol.name)
            }
            (Kind::Symbol(symbol), _) => {
                if &*symbol.name != "_" {
                    bindings.insert(symbol.clone(), Arc::new(Bound::One(form.clone())));
                }
                true
            }
            (Kind::List(pattern), Kind::List(form)) => {
                self.matches_list(pattern, None, form, None, bindings)
            }
            (Kind::List(pattern), Kind::Symbol(symbol)) if &*symbol.name == "nil" => {
                self.matches_list(pattern, None, &[], None, bindings)
            }
            (Kind::Dotted(pattern, tail), Kind::List(form)) => {
                self.matches_list(pattern, Some(tail), form, None, bindings)
            }
            (Kind::Dotted(pattern, tail), Kind::Dotted(form, end)) => {
                self.matches_list(pattern, Some(tail), form, Some(end), bindings)
            }
            (Kind::Vector(pattern), Kind::Vector(form)) => {
                self.matches_list(pattern, None, form, None, bindings)
            }
            _ => pattern.datum() == form.datum(),
        }
    }

    fn matches_list(
        &self,
        pattern: &[Node],
        tail: Option<&Node>,
        form: &[Node],
        end: Option<&Node>,
        bindings: &mut Bindings,
    ) -> bool {
        let Some(at) = (1..pattern.len()).find(|&index| self.is_ellipsis(Some(&pattern[index])))
        else {
            if form.len() < pattern.len()
                || !pattern
                    .iter()
                    .zip(form)
                    .all(|(pattern, form)| self.matches(pattern, form, bindings))
            {
                return false;
            }
            let rest = &form[pattern.len()..];
            return match (tail, end) {
                (None, None) => rest.is_empty(),
                (None, Some(_)) => false,
                (Some(tail), None) => {
                    let span = rest.first().or(form.last()).map_or(tail.span, |node| node.span);
                    self.matches(tail, &Node::list(span, rest.to_vec()), bindings)
                }
                (Some(tail), Some(end)) if rest.is_empty() => self.matches(tail, end, bindings),
                (Some(tail), Some(end)) => self.matches(
                    tail,
                    &Node::new(end.span, Kind::Dotted(rest.to_vec(), Box::new(end.clone()))),
                    bindings,
                ),
            };
        };
        let (before, repeated, after) = (&pattern[..at - 1], &pattern[at - 1], &pattern[at + 1..]);
        let Some(count) = form.len().checked_sub(before.len() + after.len()) else { return false };
        let (start, middle) = form.split_at(before.len());
        let (middle, finish) = middle.split_at(count);
        let mut each = Vec::with_capacity(count);
        for form in middle {
            let mut inner = Bindings::new();
            if !self.matches(repeated, form, &mut inner) {
                return false;
            }
            each.push(Arc::new(inner));
        }
        let mut names = Vec::new();
        self.variables(repeated, &mut names);
        let each = Arc::new(Bound::Many(each));
        bindings.extend(names.into_iter().map(|name| (name, each.clone())));
        self.matches_list(before, None, start, None, bindings)
            && self.matches_list(after, tail, finish, end, bindings)
    }

    fn variables(&self, pattern: &Node, names: &mut Vec<Symbol>) {
        match &pattern.kind {
            Kind::Symbol(symbol)
                if !self.literals.contains(symbol) && !self.is_ellipsis(Some(pattern)) =>
            {
                names.push(symbol.clone())
            }
            Kind::List(elements) | Kind::Vector(elements) => {
                elements.iter().for_each(|element| self.variables(element, names))
            }
            Kind::Dotted(elements, tail) => {
                elements.iter().chain([&**tail]).for_each(|element| self.variables(element, names))
            }
            _ => {}
        }
    }

    fn fill(&self, template: &Node, bindings: &Bindings, form: &Node, marks: &Marks) -> Node {
        match &template.kind {
            Kind::Symbol(symbol) => match bindings.get(symbol).map(Arc::as_ref) {
                Some(Bound::One(node)) => node.clone(),
                _ => Node::new(
                    form.span,
                    Kind::Symbol(Symbol {
                        name: symbol.name.clone(),
                        mark: marks.get(&symbol.mark).copied().unwrap_or_default(),
                    }),
                ),
            },
            Kind::List(elements) => match elements.as_slice() {
                [escape, literal] if self.is_ellipsis(Some(escape)) => {
                    self.fill_literally(literal, form, marks)
                }
                _ => Node::list(form.span, self.fill_all(elements, bindings, form, marks)),
            },
            Kind::Vector(elements) => {
                Node::new(form.span, Kind::Vector(self.fill_all(elements, bindings, form, marks)))
            }
            Kind::Dotted(elements, tail) => {
                let elements = self.fill_all(elements, bindings, form, marks);
                let tail = self.fill(tail, bindings, form, marks);
                match tail.kind {
                    Kind::List(more) => {
                        Node::list(form.span, elements.into_iter().chain(more).collect())
                    }
                    Kind::Dotted(more, end) => Node::new(
                        form.span,
                        Kind::Dotted(elements.into_iter().chain(more).collect(), end),
                    ),
                    _ => Node::new(form.span, Kind::Dotted(elements, Box::new(tail))),
                }
            }
            _ => Node::new(form.span, template.kind.clone()),
        }
    }

    fn fill_literally(&self, template: &Node, form: &Node, marks: &Marks) -> Node {
        let kind = match &template.kind {
            Kind::Symbol(symbol) => Kind::Symbol(Symbol {
                name: symbol.name.clone(),
                mark: marks.get(&symbol.mark).copied().unwrap_or_default(),
            }),
            Kind::List(elements) => Kind::List(
                elements.iter().map(|element| self.fill_literally(element, form, marks)).collect(),
            ),
            other => other.clone(),
        };
        Node::new(form.span, kind)
    }

    fn fill_all(
        &self,
        elements: &[Node],
        bindings: &Bindings,
        form: &Node,
        marks: &Marks,
    ) -> Vec<Node> {
        let mut filled = Vec::with_capacity(elements.len());
        let mut index = 0;
        while let Some(element) = elements.get(index) {
            index += 1;
            let mut depth = 0;
            while self.is_ellipsis(elements.get(index)) {
                (index, depth) = (index + 1, depth + 1);
            }
            self.fill_repeated(element, depth, bindings, form, marks, &mut filled);
        }
        filled
    }

    fn fill_repeated(
        &self,
        element: &Node,
        depth: usize,
        bindings: &Bindings,
        form: &Node,
        marks: &Marks,
        filled: &mut Vec<Node>,
    ) {
        if depth == 0 {
            filled.push(self.fill(element, bindings, form, marks));
            return;
        }
        let mut names = Vec::new();
        self.variables(element, &mut names);
        let repeated: Vec<_> =
            names.iter().filter_map(|name| Some((name, bindings.get(name)?))).collect();
        let many = |bound: &Arc<Bound>| {
            if let Bound::Many(each) = bound.as_ref() { Some(each.len()) } else { None }
        };
        let Some(count) = repeated.iter().filter_map(|(_, bound)| many(bound)).max() else {
            return;
        };
        for turn in 0..count {
            let mut inner = bindings.clone();
            for (name, bound) in &repeated {
                if let Bound::Many(each) = bound.as_ref() {
                    let Some(found) = each.get(turn).and_then(|bindings| bindings.get(name)) else {
                        continue;
                    };
                    inner.insert((*name).clone(), found.clone());
                }
            }
            self.fill_repeated(element, depth - 1, &inner, form, marks, filled);
        }
    }
}

fn collect_marks(template: &Node, marks: &mut Vec<u32>) {
    match &template.kind {
        Kind::Symbol(symbol) if !marks.contains(&symbol.mark) => marks.push(symbol.mark),
        Kind::List(elements) | Kind::Vector(elements) => {
            elements.iter().for_each(|element| collect_marks(element, marks))
        }
        Kind::Dotted(elements, tail) => {
            elements.iter().chain([&**tail]).for_each(|element| collect_marks(element, marks))
        }
        _ => {}
    }
}
