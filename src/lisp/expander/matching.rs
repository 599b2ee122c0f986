//! `match`: takes a value apart by patterns.
//!
//! A clause becomes nested tests and `let`s. Each has two ends: the clause's body, and a call of
//! `fail`, the rest of the clauses as a function. A pattern is compiled from the inside: it gets
//! the form for its success, so the variables that it binds are around that form.

use super::output::Output;
use super::template::Hole::{Many, One};
use super::{ExpandError, Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node, Span, Symbol};

struct Matcher<'p, 'a> {
    pass: &'p mut Pass<'a>,
    mark: u32,
    span: Span,
    count: usize,
}

/// `(match value (pattern form …) …)`.
pub(super) fn match_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " value (pattern form …) …")?;
    let mark = pass.system_mark();
    let mut matcher = Matcher { pass, mark, span: node.span, count: 0 };
    let value = matcher.own("value");
    let mut form = matcher.make("(%no-match $1)", &[One(&value)]);
    for clause in parts[1..].iter().rev() {
        let Some([pattern, body @ ..]) = clause.as_list() else {
            return matcher.pass.error(clause.span, "match: expected (pattern form …)");
        };
        let (guard, body) = match body {
            [Node { kind: Kind::Keyword(key), .. }, guard, body @ ..] if &**key == "when" => {
                (Some(guard), body)
            }
            _ => (None, body),
        };
        let mut names = Vec::new();
        matcher.names(pattern, &mut names)?;
        let fail = matcher.own("fail");
        let failed = matcher.make("($1)", &[One(&fail)]);
        let mut body = matcher.make("(let () nil $1)", &[Many(body)]);
        if let Some(guard) = guard {
            body = matcher.make("(if $1 $2 $3)", &[One(guard), One(&body), One(&failed)]);
        }
        let matched = matcher.pattern(pattern, &value, body, &failed)?;
        form = matcher
            .make("(let (($1 (lambda () $2))) $3)", &[One(&fail), One(&form), One(&matched)]);
    }
    let form = matcher.make("(let (($1 $2)) $3)", &[One(&value), One(&parts[0]), One(&form)]);
    pass.form(&form, scope, output)
}

/// Heads of patterns whose other elements are patterns.
const COMPOUND: [&str; 5] = ["list", "list*", "cons", "vector", "and"];

fn is_wild(node: &Node) -> bool {
    node.is_named("_") || node.is_named("else")
}

fn is_ellipsis(node: Option<&Node>) -> bool {
    node.is_some_and(|node| node.is_named("...") || node.is_named("___"))
}

/// Returns the name that a pattern binds, if it is a variable.
fn variable(node: &Node) -> Option<&Symbol> {
    node.as_symbol()
        .filter(|symbol| !is_wild(node) && !matches!(&*symbol.name, "t" | "nil" | "..." | "___"))
}

impl Matcher<'_, '_> {
    fn make(&mut self, text: &str, holes: &[super::template::Hole<'_>]) -> Node {
        self.pass.template(text, self.mark, self.span, holes)
    }

    fn own(&mut self, stem: &str) -> Node {
        self.count += 1;
        let name = format!("{stem}-{}", self.count);
        Node::new(self.span, Kind::Symbol(Symbol { name: name.into(), mark: self.mark }))
    }

    /// Collects the variables of a pattern, each once.
    fn names(&mut self, pattern: &Node, names: &mut Vec<Node>) -> Expanded {
        if let Some(symbol) = variable(pattern) {
            if names.iter().any(|name| name.as_symbol() == Some(symbol)) {
                let message = format!("match: the pattern binds {} twice", symbol.name);
                return self.pass.error(pattern.span, message);
            }
            names.push(pattern.clone());
            return Ok(());
        }
        match pattern.as_list() {
            Some([head, quoted]) if head.is_named("quasiquote") => self.quasi_names(quoted, names),
            Some([head, first, ..]) if head.is_named("or") => self.names(first, names),
            Some([head, ..]) if head.is_named("not") => Ok(()),
            Some([head, _, parts @ ..]) if head.is_named("?") || is_application(head) => {
                parts.iter().try_for_each(|part| self.names(part, names))
            }
            Some([head, parts @ ..]) if COMPOUND.iter().any(|name| head.is_named(name)) => {
                parts.iter().try_for_each(|part| self.names(part, names))
            }
            _ => Ok(()),
        }
    }

    fn quasi_names(&mut self, quoted: &Node, names: &mut Vec<Node>) -> Expanded {
        match &quoted.kind {
            Kind::List(elements) => match elements.as_slice() {
                [head, pattern]
                    if head.is_named("unquote") || head.is_named("unquote-splicing") =>
                {
                    self.names(pattern, names)
                }
                elements => {
                    let (elements, tail) = dotted(elements);
                    elements.iter().try_for_each(|part| self.quasi_names(part, names))?;
                    tail.map_or(Ok(()), |tail| self.names(tail, names))
                }
            },
            Kind::Vector(elements) => {
                elements.iter().try_for_each(|part| self.quasi_names(part, names))
            }
            Kind::Dotted(elements, tail) => {
                elements.iter().try_for_each(|part| self.quasi_names(part, names))?;
                self.quasi_names(tail, names)
            }
            _ => Ok(()),
        }
    }

    /// Returns the form that goes on with `then` if the value matches, and with `fail` otherwise.
    fn pattern(
        &mut self,
        pattern: &Node,
        value: &Node,
        then: Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        let mut made = then;
        // Patterns nest as deep as forms do.
        let depth = self.pass.depth;
        if depth > super::DEPTH_LIMIT {
            return self.pass.error(pattern.span, "match: patterns are nested too deep");
        }
        self.pass.depth += 1;
        let result = self.pattern_inner(pattern, value, &mut made, fail);
        self.pass.depth = depth;
        result.map(|()| made)
    }

    fn pattern_inner(
        &mut self,
        pattern: &Node,
        value: &Node,
        then: &mut Node,
        fail: &Node,
    ) -> Expanded {
        if is_wild(pattern) {
            return Ok(());
        }
        if variable(pattern).is_some() {
            *then = self.make("(let (($1 $2)) $3)", &[One(pattern), One(value), One(then)]);
            return Ok(());
        }
        let then_now = then.clone();
        *then = match pattern.as_list() {
            None | Some([]) => self.make(
                "(if (equal $1 '$2) $3 $4)",
                &[One(value), One(pattern), One(then), One(fail)],
            ),
            Some([head, datum]) if head.is_named("quote") => self
                .make("(if (equal $1 '$2) $3 $4)", &[One(value), One(datum), One(then), One(fail)]),
            Some([head, quoted]) if head.is_named("quasiquote") => {
                self.quasi(quoted, value, then_now, fail)?
            }
            Some([head, parts @ ..]) if head.is_named("list") => {
                self.list(parts, None, value, then_now, fail)?
            }
            Some([head, parts @ .., tail]) if head.is_named("list*") => {
                self.list(parts, Some(tail), value, then_now, fail)?
            }
            Some([head, first, rest]) if head.is_named("cons") => {
                self.list(std::slice::from_ref(first), Some(rest), value, then_now, fail)?
            }
            Some([head, parts @ ..]) if head.is_named("vector") => {
                self.vector(parts, value, then_now, fail)?
            }
            Some([head, parts @ ..]) if head.is_named("and") => {
                let mut made = then_now;
                for part in parts.iter().rev() {
                    made = self.pattern(part, value, made, fail)?;
                }
                made
            }
            Some([head, parts @ ..]) if head.is_named("or") && !parts.is_empty() => {
                self.alternatives(parts, value, &then_now, fail)?
            }
            Some([head, part]) if head.is_named("not") => {
                // What follows a match stands once: the pattern within repeats what follows a failure.
                let matched = self.own("matched");
                let call = self.make("($1)", &[One(&matched)]);
                let made = self.pattern(part, value, fail.clone(), &call)?;
                let holes = [One(&matched), One(&then_now), One(&made)];
                self.make("(let (($1 (lambda () $2))) $3)", &holes)
            }
            Some([head, predicate, parts @ ..]) if head.is_named("?") => {
                let mut made = then_now;
                for part in parts.iter().rev() {
                    made = self.pattern(part, value, made, fail)?;
                }
                let holes = [One(predicate), One(value), One(&made), One(fail)];
                self.make("(if (funcall $1 $2) $3 $4)", &holes)
            }
            Some([head, function, part]) if is_application(head) => {
                let result = self.own("result");
                let made = self.pattern(part, &result, then_now, fail)?;
                let holes = [One(&result), One(function), One(value), One(&made)];
                self.make("(let (($1 (funcall $2 $3))) $4)", &holes)
            }
            Some(_) => {
                return self.pass.error(
                    pattern.span,
                    "match: expected a pattern: a name, _, a constant, 'data, `data with , or a list that begins with list, list*, cons, vector, and, or, not, ? or app",
                );
            }
        };
        Ok(())
    }

    fn alternatives(
        &mut self,
        parts: &[Node],
        value: &Node,
        then: &Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        let mut names = Vec::new();
        self.names(&parts[0], &mut names)?;
        for part in &parts[1..] {
            let mut others = Vec::new();
            self.names(part, &mut others)?;
            let same = |left: &[Node], right: &[Node]| {
                left.iter().all(|name| right.iter().any(|it| it.as_symbol() == name.as_symbol()))
            };
            if !same(&names, &others) || !same(&others, &names) {
                return self.pass.error(part.span, "match: all patterns of or bind the same names");
            }
        }
        let found = self.own("found");
        let call = self.make("($1 $2)", &[One(&found), Many(&names)]);
        let mut made = fail.clone();
        for part in parts.iter().rev() {
            let next = self.own("next");
            let failed = self.make("($1)", &[One(&next)]);
            let matched = self.pattern(part, value, call.clone(), &failed)?;
            made = self
                .make("(let (($1 (lambda () $2))) $3)", &[One(&next), One(&made), One(&matched)]);
        }
        let list = Node::list(self.span, names);
        Ok(self.make(
            "(let (($1 (lambda $2 $3))) $4)",
            &[One(&found), One(&list), One(then), One(&made)],
        ))
    }

    /// A list of patterns, of which one may be followed by `...`, and the pattern of its tail.
    fn list(
        &mut self,
        parts: &[Node],
        tail: Option<&Node>,
        value: &Node,
        then: Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        let Some((first, rest)) = parts.split_first() else {
            return match tail {
                Some(tail) => self.pattern(tail, value, then, fail),
                None => Ok(self.make("(if (null $1) $2 $3)", &[One(value), One(&then), One(fail)])),
            };
        };
        if is_ellipsis(rest.first()) {
            if tail.is_some() {
                return self.pass.error(first.span, "match: ... stands in list or vector only");
            }
            return self.repeated(first, &rest[1..], value, then, fail);
        }
        let (head, behind) = (self.own("head"), self.own("tail"));
        let made = self.list(rest, tail, &behind, then, fail)?;
        let made = self.pattern(first, &head, made, fail)?;
        let holes = [One(value), One(&head), One(&behind), One(&made), One(fail)];
        Ok(self.make("(if (consp $1) (let (($2 (car $1)) ($3 (cdr $1))) $4) $5)", &holes))
    }

    /// `pattern ... after …`: as many elements as the patterns after it leave.
    fn repeated(
        &mut self,
        pattern: &Node,
        after: &[Node],
        value: &Node,
        then: Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        if after.iter().any(|node| is_ellipsis(Some(node))) {
            return self.pass.error(pattern.span, "match: a list has one ... only");
        }
        let mut names = Vec::new();
        self.names(pattern, &mut names)?;
        let (count, rows, element, behind) =
            (self.own("count"), self.own("rows"), self.own("element"), self.own("behind"));
        let mut made = self.list(after, None, &behind, then, fail)?;
        for (index, name) in names.iter().enumerate() {
            let number = Node::new(self.span, Kind::Integer(index as i64));
            made = self.make(
                "(let (($1 (%match-column $2 $3))) $4)",
                &[One(name), One(&number), One(&rows), One(&made)],
            );
        }
        let row = self.make("(list $1)", &[Many(&names)]);
        let no = self.make("'%no", &[]);
        let test = self.pattern(pattern, &element, row, &no)?;
        let least = Node::new(self.span, Kind::Integer(after.len() as i64));
        let holes = [
            One(&count),
            One(value),
            One(&least),
            One(&rows),
            One(&element),
            One(&test),
            One(&behind),
            One(&made),
            One(fail),
        ];
        Ok(self.make(
            "(let (($1 (%match-count $2 $3)))
               (if $1
                   (let (($4 (%match-rows $1 $2 (lambda ($5) $6))) ($7 (nthcdr $1 $2)))
                     (if (eq $4 '%no) $9 $8))
                   $9))",
            &holes,
        ))
    }

    fn vector(
        &mut self,
        parts: &[Node],
        value: &Node,
        then: Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        let elements = self.own("elements");
        let made = self.list(parts, None, &elements, then, fail)?;
        let holes = [One(value), One(&elements), One(&made), One(fail)];
        Ok(self.make("(if (vector? $1) (let (($2 (%elements $1))) $3) $4)", &holes))
    }

    /// Data in which `,pattern` stands for a pattern.
    fn quasi(
        &mut self,
        quoted: &Node,
        value: &Node,
        then: Node,
        fail: &Node,
    ) -> Result<Node, ExpandError> {
        let (elements, tail) = match &quoted.kind {
            Kind::List(elements) => match elements.as_slice() {
                [head, pattern] if head.is_named("unquote") => {
                    return self.pattern(pattern, value, then, fail);
                }
                [elements @ .., last] if is_splice(last) => {
                    let rest = &last.as_list().unwrap_or_default()[1];
                    let parts: Vec<Node> = elements.iter().map(as_pattern).collect();
                    return self.list(&parts, Some(rest), value, then, fail);
                }
                elements => {
                    let (elements, tail) = dotted(elements);
                    (elements, tail.cloned())
                }
            },
            Kind::Dotted(elements, tail) => (elements.as_slice(), Some(as_pattern(tail))),
            Kind::Vector(elements) => {
                let parts: Vec<Node> = elements.iter().map(as_pattern).collect();
                return self.vector(&parts, value, then, fail);
            }
            _ => {
                let holes = [One(value), One(quoted), One(&then), One(fail)];
                return Ok(self.make("(if (equal $1 '$2) $3 $4)", &holes));
            }
        };
        let parts: Vec<Node> = elements.iter().map(as_pattern).collect();
        self.list(&parts, tail.as_ref(), value, then, fail)
    }
}

/// Splits `(a . ,b)`, which is read as `(a unquote b)`.
fn dotted(elements: &[Node]) -> (&[Node], Option<&Node>) {
    match elements {
        [first @ .., word, tail] if !first.is_empty() && word.is_named("unquote") => {
            (first, Some(tail))
        }
        _ => (elements, None),
    }
}

fn is_application(head: &Node) -> bool {
    head.is_named("app") || head.is_named("=")
}

fn is_splice(node: &Node) -> bool {
    matches!(node.as_list(), Some([head, _]) if head.is_named("unquote-splicing"))
}

/// Returns the pattern of an element of quasiquoted data.
fn as_pattern(node: &Node) -> Node {
    match node.as_list() {
        Some([head, pattern]) if head.is_named("unquote") => pattern.clone(),
        _ if is_ellipsis(Some(node)) => node.clone(),
        _ => Node::list(node.span, vec![Node::symbol(node.span, "quasiquote"), node.clone()]),
    }
}
