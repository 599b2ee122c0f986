//! Common Lisp's `loop`: the simple loop and the usual clauses.
//!
//! The clauses are read in order and collected in a [`Plan`], which is then emitted through one
//! template:
//!
//! ```text
//! (block nil
//!   (let* (bindings …)
//!     before …
//!     (let next ((carried carried) …) steps … (next update …))
//!     finally …
//!     result))
//! ```
//!
//! The steps of one iteration are nested, and the next iteration is the innermost: a `Step::While`
//! whose test is false skips the steps after it, which ends the loop. So only an explicit `return`
//! has to leave the block; `loop-finish` leaves a block around the iteration alone.
//!
//! Variables of the loop's own, such as the rest of a list, are carried: they are parameters of
//! the function that iterates, because an assignment costs more. So is the list that a `collect`
//! makes, if it is the only accumulation. Variables that the script sees are assigned.

use super::output::Output;
use super::template::Hole::{self, Many, One};
use super::{ExpandError, Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node, Span, Symbol};

#[derive(Default)]
struct Plan {
    bindings: Vec<Node>,
    before: Vec<Node>,
    steps: Vec<Step>,
    /// Variables that the script cannot see, with their values for the next iteration.
    carried: Vec<(Node, Node)>,
    /// How many clauses accumulate into variables that the script cannot see.
    gathering: usize,
    /// The variable of the action just read, and its next value, if it does nothing else than
    /// accumulate.
    gathered: Option<(Node, Node)>,
    finally: Vec<Node>,
    result: Option<Node>,
    /// The name of the block around the loop, if it is not `nil`.
    name: Option<Node>,
    /// The variable that holds the value of the innermost test, for `it`, and whether `it` occurs.
    it: Option<(Node, bool)>,
    count: usize,
}

enum Step {
    Do(Node),
    /// Continues only while this is true.
    While(Node),
    /// Continues only if this function of the system, which returns `#t` or `#f`, returns `#f`.
    Until(Node),
    /// Accumulates: the variable, its next value, and the assignment of that.
    Gather(Node, Node, Node),
}

struct Clauses<'p, 'a, 'n> {
    pass: &'p mut Pass<'a>,
    words: &'n [Node],
    at: usize,
    mark: u32,
    span: Span,
    plan: Plan,
}

pub(super) fn loop_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let words = pass.parts(node, 0, usize::MAX, "")?;
    let mark = pass.system_mark();
    if words.first().is_none_or(|first| word(first).is_empty()) {
        let form =
            pass.template("(block nil (let next () $1 (next)))", mark, node.span, &[Many(words)]);
        return pass.form(&form, scope, output);
    }
    let end_of_loop = Node::new(node.span, Kind::Symbol(Symbol { name: "finish".into(), mark }));
    let finishes = words.iter().any(finishes);
    let replaced: Vec<Node>;
    let words = if finishes {
        let leave = pass.template("(return-from $1 nil)", mark, node.span, &[One(&end_of_loop)]);
        replaced = words.iter().map(|word| with_finish(word, &leave)).collect();
        &replaced
    } else {
        words
    };
    let mut clauses = Clauses { pass, words, at: 0, mark, span: node.span, plan: Plan::default() };
    while clauses.at < words.len() {
        clauses.clause()?;
    }
    let mut plan = clauses.plan;
    let nothing = Node::list(node.span, Vec::new());
    let gathered = plan.steps.iter().find_map(|step| match step {
        // A jump to the end would lose what is carried.
        Step::Gather(name, ..) if plan.gathering == 1 && !finishes => Some(name.clone()),
        _ => None,
    });
    plan.carried.extend(gathered.clone().map(|name| (name.clone(), name)));
    let end = gathered.clone().unwrap_or_else(|| nothing.clone());
    let updates: Vec<Node> = plan.carried.iter().map(|(_, update)| update.clone()).collect();
    let mut body = pass.template("(next $1)", mark, node.span, &[Many(&updates)]);
    for step in plan.steps.iter().rev() {
        body = match step {
            Step::Gather(name, value, _) if gathered.is_some() => pass.template(
                "(let (($1 $2)) $3)",
                mark,
                node.span,
                &[One(name), One(value), One(&body)],
            ),
            Step::Do(form) | Step::Gather(_, _, form) => {
                pass.template("(begin $1 $2)", mark, node.span, &[One(form), One(&body)])
            }
            Step::Until(test) => {
                pass.template("(if $1 $2 $3)", mark, node.span, &[One(test), One(&end), One(&body)])
            }
            Step::While(test) => {
                // The place that conses comes last: see sequences.scm.
                let text =
                    if gathered.is_some() { "(if (%nil? $1) $3 $2)" } else { "(if $1 $2 $3)" };
                pass.template(text, mark, node.span, &[One(test), One(&body), One(&end)])
            }
        };
    }
    let carried: Vec<Node> = plan
        .carried
        .iter()
        .map(|(name, _)| Node::list(name.span, vec![name.clone(), name.clone()]))
        .collect();
    let text = if gathered.is_some() {
        "(block $6 (let* ($1) (begin $2) (let (($8 (let next ($7) $3))) (begin $4) $5)))"
    } else if finishes {
        "(block $6 (let* ($1) (begin $2) (block $9 (let next ($7) $3)) (begin $4) $5))"
    } else {
        "(block $6 (let* ($1) (begin $2) (let next ($7) $3) (begin $4) $5))"
    };
    let result = plan.result.as_ref().unwrap_or(&nothing);
    let name = plan.name.unwrap_or_else(|| pass.template("nil", mark, node.span, &[]));
    let parts = [
        Many(&plan.bindings),
        Many(&plan.before),
        One(&body),
        Many(&plan.finally),
        One(result),
        One(&name),
        Many(&carried),
        One(&end),
        One(&end_of_loop),
    ];
    let form = pass.template(text, mark, node.span, &parts);
    pass.form(&form, scope, output)
}

fn is_finish(elements: &[Node]) -> bool {
    matches!(elements, [head] if head.is_named("loop-finish"))
}

/// Returns whether a form calls `loop-finish` for the loop around it.
fn finishes(node: &Node) -> bool {
    node.as_list().is_some_and(|elements| {
        let is_loop = elements.first().is_some_and(|head| head.is_named("loop"));
        is_finish(elements) || !is_loop && elements.iter().any(finishes)
    })
}

/// Replaces the calls of `loop-finish` for the loop around the form.
fn with_finish(node: &Node, leave: &Node) -> Node {
    match node.as_list() {
        Some(elements) if is_finish(elements) => leave.clone(),
        Some(elements) if finishes(node) => Node::list(
            node.span,
            elements.iter().map(|element| with_finish(element, leave)).collect(),
        ),
        _ => node.clone(),
    }
}

/// Returns a loop keyword, with or without a colon.
fn word(node: &Node) -> &str {
    match &node.kind {
        Kind::Symbol(symbol) => &symbol.name,
        Kind::Keyword(name) => name,
        _ => "",
    }
}

impl<'n> Clauses<'_, '_, 'n> {
    fn make(&mut self, text: &str, holes: &[Hole<'_>]) -> Node {
        self.pass.template(text, self.mark, self.span, holes)
    }

    fn next(&mut self, what: &str) -> Result<&'n Node, ExpandError> {
        let Some(node) = self.words.get(self.at) else {
            return self.pass.error(self.span, format!("loop: expected {what} at the end"));
        };
        self.at += 1;
        Ok(node)
    }

    fn peek(&self) -> &'n str {
        self.words.get(self.at).map_or("", |node| word(node))
    }

    fn accept(&mut self, names: &[&str]) -> bool {
        let found = names.contains(&self.peek());
        self.at += usize::from(found);
        found
    }

    /// Returns a new variable of the loop's own, which cannot clash with the script's.
    fn own(&mut self, stem: &str) -> Node {
        self.plan.count += 1;
        let name = format!("{stem}-{}", self.plan.count);
        Node::new(self.span, Kind::Symbol(Symbol { name: name.into(), mark: self.mark }))
    }

    fn bind(&mut self, name: &Node, value: &Node) {
        let binding = Node::list(name.span, vec![name.clone(), value.clone()]);
        self.plan.bindings.push(binding);
    }

    /// Leaves the loop with the value of a form.
    fn leave(&mut self, value: &Node) -> Node {
        match self.plan.name.clone() {
            Some(name) => self.make("(return-from $1 $2)", &[One(&name), One(value)]),
            None => self.make("(return $1)", &[One(value)]),
        }
    }

    /// Passes over the type of a variable.
    fn skip_type(&mut self) -> Expanded {
        if self.accept(&["of-type"]) {
            self.next("a type")?;
        } else {
            self.accept(&["fixnum", "float"]);
        }
        Ok(())
    }

    /// Returns the value of an action, which may be `it`, the value of the test around it.
    fn value(&mut self) -> Result<Node, ExpandError> {
        let value = self.next("a value")?;
        Ok(match &mut self.plan.it {
            Some((variable, occurs)) if value.is_named("it") => {
                *occurs = true;
                variable.clone()
            }
            _ => value.clone(),
        })
    }

    fn nothing(&self) -> Node {
        Node::list(self.span, Vec::new())
    }

    fn clause(&mut self) -> Expanded {
        let head = self.next("a clause")?;
        match word(head) {
            "for" | "as" => {
                let mut clauses = vec![self.plan.steps.len()];
                self.for_clause()?;
                while self.accept(&["and"]) {
                    clauses.push(self.plan.steps.len());
                    self.for_clause()?;
                }
                if clauses.len() > 1 {
                    self.in_parallel(&clauses);
                }
                Ok(())
            }
            "named" => {
                self.plan.name = Some(self.next("a name")?.clone());
                Ok(())
            }
            "with" => self.with_clause(),
            "repeat" => {
                let count = self.next("a number")?;
                let left = self.own("left");
                self.bind(&left, count);
                let test = self.make("(> $1 0)", &[One(&left)]);
                let update = self.make("(- $1 1)", &[One(&left)]);
                self.plan.carried.push((left, update));
                self.plan.steps.push(Step::While(test));
                Ok(())
            }
            "while" => {
                let test = self.next("a test")?;
                self.plan.steps.push(Step::While(test.clone()));
                Ok(())
            }
            "until" => {
                let test = self.next("a test")?;
                let test = self.make("(not $1)", &[One(test)]);
                self.plan.steps.push(Step::While(test));
                Ok(())
            }
            "initially" => {
                let forms = self.compound();
                self.plan.before.extend(forms);
                Ok(())
            }
            "finally" => {
                if self.accept(&["return"]) {
                    self.plan.result = Some(self.next("a form")?.clone());
                    return Ok(());
                }
                self.accept(&["do", "doing"]);
                let forms = self.compound();
                self.plan.finally.extend(forms);
                Ok(())
            }
            _ => {
                self.at -= 1;
                let action = self.action()?;
                self.plan.steps.push(match self.plan.gathered.take() {
                    Some((name, value)) => Step::Gather(name, value, action),
                    None => Step::Do(action),
                });
                Ok(())
            }
        }
    }

    fn compound(&mut self) -> Vec<Node> {
        let forms: Vec<Node> = self.words[self.at..]
            .iter()
            .take_while(|node| node.as_list().is_some_and(|list| !list.is_empty()))
            .cloned()
            .collect();
        self.at += forms.len();
        forms
    }

    fn with_clause(&mut self) -> Expanded {
        let mut patterns = Vec::new();
        loop {
            let pattern = self.next("a variable")?.clone();
            self.skip_type()?;
            let value =
                if self.accept(&["="]) { self.next("a value")?.clone() } else { self.nothing() };
            patterns.push((pattern, value));
            if !self.accept(&["and"]) {
                break;
            }
        }
        // With `and`, no value sees a variable of the same clause.
        let together = patterns.len() > 1;
        for (pattern, value) in &mut patterns {
            if together || pattern.as_symbol().is_none() {
                let whole = self.own("whole");
                self.bind(&whole, value);
                *value = whole;
            }
        }
        let mut parts = Vec::new();
        patterns.iter().for_each(|(pattern, value)| self.parts(pattern, value, &mut parts));
        parts.iter().for_each(|(name, part)| self.bind(name, part));
        Ok(())
    }

    /// Makes the clauses of a `for … and …` step together: no value sees a variable that was
    /// assigned in the same round. `clauses` holds where the steps of each begin.
    fn in_parallel(&mut self, clauses: &[usize]) {
        let (mut before, mut forms, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let steps = self.plan.steps.split_off(clauses[0]);
        let mut seen_form = false;
        for (at, step) in steps.into_iter().enumerate() {
            seen_form &= !clauses.contains(&(clauses[0] + at));
            match step {
                Step::Do(form) => {
                    seen_form = true;
                    forms.push(form);
                }
                test if seen_form => after.push(test),
                test => before.push(test),
            }
        }
        let (mut bindings, mut assignments) = (Vec::new(), Vec::new());
        for form in &forms {
            // Each form is (setq name value).
            let Some([_, name, value]) = form.as_list() else { continue };
            // A value that is taken apart: its parts, which come next, see the new one.
            if name.as_symbol().is_some_and(|symbol| symbol.mark == self.mark) {
                bindings.push(Node::list(self.span, vec![name.clone(), value.clone()]));
                continue;
            }
            let new = self.own("new");
            bindings.push(Node::list(self.span, vec![new.clone(), value.clone()]));
            assignments.push(self.make("(setq $1 $2)", &[One(name), One(&new)]));
        }
        let bindings = Node::list(self.span, bindings);
        let form = self.make("(let* $1 $2)", &[One(&bindings), Many(&assignments)]);
        self.plan.steps.extend(before);
        self.plan.steps.push(Step::Do(form));
        self.plan.steps.extend(after);
    }

    /// Appends to `forms` the assignments of the parts of `value` to the variables of `pattern`,
    /// and binds these variables. The value is evaluated once.
    fn assign(&mut self, pattern: &Node, value: &Node, forms: &mut Vec<Node>) {
        let nothing = self.nothing();
        let mut value = value.clone();
        if pattern.as_symbol().is_none() && value.as_symbol().is_none() {
            let whole = self.own("whole");
            self.bind(&whole, &nothing);
            forms.push(self.make("(setq $1 $2)", &[One(&whole), One(&value)]));
            value = whole;
        }
        let mut parts = Vec::new();
        self.parts(pattern, &value, &mut parts);
        for (name, part) in parts {
            self.bind(&name, &nothing);
            forms.push(self.make("(setq $1 $2)", &[One(&name), One(&part)]));
        }
    }

    /// Appends to `parts` the variables of `pattern`, each with the form for its part of `value`.
    fn parts(&mut self, pattern: &Node, value: &Node, parts: &mut Vec<(Node, Node)>) {
        let (elements, tail) = match &pattern.kind {
            Kind::Symbol(symbol) if &*symbol.name == "nil" => return,
            Kind::Symbol(_) => return parts.push((pattern.clone(), value.clone())),
            Kind::List(elements) => (elements, None),
            Kind::Dotted(elements, tail) => (elements, Some(tail)),
            _ => return,
        };
        let mut rest = value.clone();
        for element in elements {
            let first = self.make("(first $1)", &[One(&rest)]);
            self.parts(element, &first, parts);
            rest = self.make("(rest $1)", &[One(&rest)]);
        }
        if let Some(tail) = tail {
            self.parts(tail, &rest, parts);
        }
    }

    fn for_clause(&mut self) -> Expanded {
        let variable = self.next("a variable")?;
        self.skip_type()?;
        match word(self.next("in, on, across, being, = or from")?) {
            "being" => self.over_table(variable),
            "in" => self.over_list(variable, true),
            "on" => self.over_list(variable, false),
            "across" => {
                let vector = self.next("a vector")?;
                let list = self.make("(%elements $1)", &[One(vector)]);
                self.walk(variable, &list, true, None);
                Ok(())
            }
            "=" => self.stepped(variable),
            "from" | "upfrom" | "downfrom" | "to" | "upto" | "below" | "downto" | "above"
            | "by" => {
                self.at -= 1;
                self.counted(variable)
            }
            _ => self.pass.error(
                self.words[self.at - 1].span,
                "loop: expected in, on, across, being, = or from after the variable",
            ),
        }
    }

    fn over_list(&mut self, variable: &Node, elements: bool) -> Expanded {
        let list = self.next("a list")?;
        let by = if self.accept(&["by"]) { Some(self.next("a function")?) } else { None };
        let list = self.make("(%list-to-walk $1)", &[One(list)]);
        self.walk(variable, &list, elements, by);
        Ok(())
    }

    /// `being the hash-keys of table using (hash-value variable)` and the like.
    fn over_table(&mut self, variable: &Node) -> Expanded {
        self.accept(&["the", "each"]);
        let what = self.next("hash-keys or hash-values")?;
        let (kind, other) = match word(what) {
            "hash-key" | "hash-keys" => ("hash-key", "hash-value"),
            "hash-value" | "hash-values" => ("hash-value", "hash-key"),
            "element" | "elements" => ("element", ""),
            _ => {
                let message = "loop: expected hash-keys or hash-values after being";
                return self.pass.error(what.span, message);
            }
        };
        if !self.accept(&["of", "in"]) {
            return self.pass.error(what.span, format!("loop: expected of after {kind}s"));
        }
        let whole = self.next("a hash table")?;
        if kind == "element" {
            let list = self.make("(%elements $1)", &[One(whole)]);
            self.walk(variable, &list, true, None);
            return Ok(());
        }
        let mut second = Node::symbol(self.span, "nil");
        if self.accept(&["using"]) {
            let using = self.next("(hash-value variable)")?;
            match using.as_list() {
                Some([word, name]) if word.is_named(other) => second = name.clone(),
                _ => {
                    let message = format!("loop: expected ({other} variable) after using");
                    return self.pass.error(using.span, message);
                }
            }
        }
        let list = self.make("(%hash-entries $1)", &[One(whole)]);
        let (key, value) = if kind == "hash-key" {
            (variable.clone(), second)
        } else {
            (second, variable.clone())
        };
        let pattern = Node::list(self.span, vec![key, value]);
        self.walk(&pattern, &list, true, None);
        Ok(())
    }

    fn walk(&mut self, variable: &Node, list: &Node, elements: bool, by: Option<&Node>) {
        let tail = self.own("tail");
        self.bind(&tail, list);
        if !elements
            && by.is_none()
            && variable.as_symbol().is_some_and(|name| &*name.name != "nil")
        {
            // The variable itself steps, so that the program may set it, and it is nil at the end.
            let mut forms = Vec::new();
            self.assign(variable, &tail, &mut forms);
            self.plan.steps.extend(forms.into_iter().map(Step::Do));
            let end = self.make("(null? $1)", &[One(variable)]);
            self.plan.steps.push(Step::Until(end));
            let rest = self.make("(rest $1)", &[One(variable)]);
            self.plan.carried.push((tail, rest));
            return;
        }
        // Another function than cdr may return anything.
        let end = match by {
            Some(_) => Step::While(self.make("(pair? $1)", &[One(&tail)])),
            None => Step::Until(self.make("(null? $1)", &[One(&tail)])),
        };
        self.plan.steps.push(end);
        let value = if elements { self.make("(%head $1)", &[One(&tail)]) } else { tail.clone() };
        let mut forms = Vec::new();
        self.assign(variable, &value, &mut forms);
        let rest = match by {
            Some(by) => self.make("($2 $1)", &[One(&tail), One(by)]),
            None => self.make("(%tail $1)", &[One(&tail)]),
        };
        self.plan.carried.push((tail, rest));
        self.plan.steps.extend(forms.into_iter().map(Step::Do));
    }

    fn stepped(&mut self, variable: &Node) -> Expanded {
        let init = self.next("a value")?;
        let mut forms = Vec::new();
        if !self.accept(&["then"]) {
            self.assign(variable, init, &mut forms);
            self.plan.steps.extend(forms.into_iter().map(Step::Do));
            return Ok(());
        }
        let then = self.next("a value")?;
        let started = self.own("started");
        let nothing = self.nothing();
        self.bind(&started, &nothing);
        let value = self.make("(if $1 $2 $3)", &[One(&started), One(then), One(init)]);
        self.assign(variable, &value, &mut forms);
        let start = self.make("t", &[]);
        self.plan.carried.push((started, start));
        self.plan.steps.extend(forms.into_iter().map(Step::Do));
        Ok(())
    }

    fn counted(&mut self, variable: &Node) -> Expanded {
        let (mut from, mut to, mut by) = (None, None, None);
        let (mut down, mut inclusive) = (false, true);
        loop {
            match self.peek() {
                "from" | "upfrom" | "downfrom" => {
                    down |= self.peek() == "downfrom";
                    self.at += 1;
                    from = Some(self.next("a number")?.clone());
                }
                limit @ ("to" | "upto" | "below" | "downto" | "above") => {
                    down |= matches!(limit, "downto" | "above");
                    inclusive = !matches!(limit, "below" | "above");
                    self.at += 1;
                    to = Some(self.next("a number")?.clone());
                }
                "by" => {
                    self.at += 1;
                    by = Some(self.next("a number")?.clone());
                }
                _ => break,
            }
        }
        let (next, step) = (self.own("next"), self.own("step"));
        let number = |this: &mut Self, given: Option<Node>, default: i64| match given {
            Some(value) if matches!(value.kind, Kind::Integer(_)) => value,
            Some(value) => this.make("(%number-to-count-with $1)", &[One(&value)]),
            None => Node::new(this.span, Kind::Integer(default)),
        };
        let from = number(self, from, 0);
        self.bind(&next, &from);
        let by = number(self, by, 1);
        self.bind(&step, &by);
        // The variable itself steps, so that the program may set it, and the last value that it is
        // given is the first beyond the limit.
        let mut forms = Vec::new();
        self.assign(variable, &next, &mut forms);
        self.plan.steps.extend(forms.into_iter().map(Step::Do));
        let is_named = variable.as_symbol().is_some_and(|name| &*name.name != "nil");
        let current = if is_named { variable.clone() } else { next.clone() };
        if let Some(to) = to {
            let limit = self.own("limit");
            let to = number(self, Some(to), 0);
            self.bind(&limit, &to);
            let comparison = match (down, inclusive) {
                (false, true) => "(<= $1 $2)",
                (false, false) => "(< $1 $2)",
                (true, true) => "(>= $1 $2)",
                (true, false) => "(> $1 $2)",
            };
            let test = self.make(comparison, &[One(&current), One(&limit)]);
            self.plan.steps.push(Step::While(test));
        }
        let update =
            self.make(if down { "(- $1 $2)" } else { "(+ $1 $2)" }, &[One(&current), One(&step)]);
        self.plan.carried.push((next, update));
        Ok(())
    }

    /// Reads one action of an iteration: `do`, an accumulation, a condition, or `return`.
    fn action(&mut self) -> Result<Node, ExpandError> {
        let head = self.next("a clause")?;
        let name = word(head);
        self.plan.gathered = None;
        match name {
            "do" | "doing" => {
                let forms = self.compound();
                Ok(self.make("(begin $1)", &[Many(&forms)]))
            }
            "return" => {
                let value = self.value()?;
                Ok(self.leave(&value))
            }
            "when" | "if" | "unless" => {
                let test = self.next("a test")?;
                let own = self.own("it");
                let outer = self.plan.it.replace((own.clone(), false));
                let then = self.actions()?;
                let occurs =
                    std::mem::replace(&mut self.plan.it, outer).is_some_and(|(_, occurs)| occurs);
                let gathered = self.plan.gathered.take().filter(|_| !occurs);
                let has_else = self.accept(&["else"]);
                let otherwise = if has_else { self.actions()? } else { self.nothing() };
                self.accept(&["end"]);
                let text = match name {
                    _ if occurs => "(let (($4 $1)) (if $4 $2 $3))",
                    "unless" => "(if $1 $3 $2)",
                    _ => "(if $1 $2 $3)",
                };
                self.plan.gathered = match gathered {
                    Some((variable, next)) if !has_else => {
                        let text = if name == "unless" { text } else { "(if (%nil? $1) $3 $2)" };
                        let next = self.make(text, &[One(test), One(&next), One(&variable)]);
                        Some((variable, next))
                    }
                    _ => None,
                };
                Ok(self.make(text, &[One(test), One(&then), One(&otherwise), One(&own)]))
            }
            "always" | "never" | "thereis" => {
                let test = self.next("a test")?;
                if name != "thereis" {
                    self.plan.result = Some(self.make("t", &[]));
                }
                let found = self.own("found");
                let value = if name == "thereis" { found.clone() } else { self.nothing() };
                let leave = self.leave(&value);
                let text = match name {
                    "always" => "(if $1 nil $2)",
                    "never" => "(if $1 $2 nil)",
                    _ => "(let (($3 $1)) (if $3 $2 nil))",
                };
                Ok(self.make(text, &[One(test), One(&leave), One(&found)]))
            }
            _ => self.accumulation(head, name),
        }
    }

    fn actions(&mut self) -> Result<Node, ExpandError> {
        let mut all = vec![self.action()?];
        while self.accept(&["and"]) {
            all.push(self.action()?);
            self.plan.gathered = None;
        }
        Ok(self.make("(begin $1)", &[Many(&all)]))
    }

    fn accumulation(&mut self, head: &Node, name: &str) -> Result<Node, ExpandError> {
        let (update, initial, result) = match name {
            "collect" | "collecting" => ("(cons $2 $1)", "nil", "(%reverse $1)"),
            "append" | "appending" | "nconc" | "nconcing" => {
                ("(%append-reverse $2 $1)", "nil", "(%reverse $1)")
            }
            "sum" | "summing" => ("(+ $1 $2)", "0", "$1"),
            "count" | "counting" => ("(if $2 (+ $1 1) $1)", "0", "$1"),
            "maximize" | "maximizing" => {
                ("(let ((value $2)) (if (null $1) (max value) (max $1 value)))", "nil", "$1")
            }
            "minimize" | "minimizing" => {
                ("(let ((value $2)) (if (null $1) (min value) (min $1 value)))", "nil", "$1")
            }
            _ => {
                return self.pass.error(
                    head.span,
                    format!("loop: unknown clause {}", if name.is_empty() { "here" } else { name }),
                );
            }
        };
        let value = &self.value()?;
        let initial = self.make(initial, &[]);
        if self.accept(&["into"]) {
            // The variable is visible while the loop runs, so the list is kept in its order.
            let variable = self.next("a variable")?;
            self.skip_type()?;
            if !self.plan.bindings.iter().any(|binding| {
                binding.as_list().is_some_and(|list| list[0].as_symbol() == variable.as_symbol())
            }) {
                self.bind(variable, &initial);
            }
            let update = match name {
                "collect" | "collecting" => "(append $1 (list $2))",
                "append" | "appending" | "nconc" | "nconcing" => "(append $1 $2)",
                _ => update,
            };
            let next = self.make(update, &[One(variable), One(value)]);
            return Ok(self.make("(setq $1 $2)", &[One(variable), One(&next)]));
        }
        let kind = if result == "$1" { name } else { "list" };
        let accumulator = Node::new(
            self.span,
            Kind::Symbol(Symbol { name: format!("result-{kind}").into(), mark: self.mark }),
        );
        if !self.plan.bindings.iter().any(|binding| {
            binding.as_list().is_some_and(|list| list[0].as_symbol() == accumulator.as_symbol())
        }) {
            self.bind(&accumulator, &initial);
        }
        if self.plan.result.is_none() {
            self.plan.result = Some(self.make(result, &[One(&accumulator)]));
        }
        let next = self.make(update, &[One(&accumulator), One(value)]);
        self.plan.gathering += 1;
        self.plan.gathered = Some((accumulator.clone(), next.clone()));
        Ok(self.make("(setq $1 $2)", &[One(&accumulator), One(&next)]))
    }
}
