//! A pass over one form: resolves its names, expands its macros, and writes what remains.

use std::collections::HashMap;

use super::super::datum::Datum;
use super::super::node::{Kind, Node, Span, Symbol};
use super::scope::{Binding, Mark, Meaning, Scope};
use super::{
    DEPTH_LIMIT, EMITTED_DEPTH_LIMIT, ExpandError, Expanded, Head, Macro, Output, Pass, global,
    names, only_defines, plain_loops,
};

impl Pass<'_> {
    pub(super) fn top_level(&mut self, form: &Node) -> Result<Output, ExpandError> {
        let mut output = Output::default();
        self.form(form, &Scope::default(), &mut output)?;
        self.emitted(output.depth(), form.span)?;
        if self.calls > 0 && !self.system {
            output.single_values();
            // The place of a tail call is gone when it fails; the error is then reported at this
            // form.
            let place = self.hooks.place(form.span);
            output.wrap(&format!("(begin (s/%at {place}) "), ")");
        }
        if !self.system {
            plain_loops::simplify(&mut output);
        }
        Ok(output)
    }

    /// Expands a top-level form until its head is no macro. Returns `None` if it was none before.
    pub(super) fn expand_head(&mut self, form: &Node) -> Result<Option<Node>, ExpandError> {
        let mut expansion: Option<Node> = None;
        for _ in 0..DEPTH_LIMIT {
            let node = expansion.as_ref().unwrap_or(form);
            let Some(head) = node.as_list().and_then(|elements| elements.first()) else { break };
            let Head::Macro(found) = self.head(head, &Scope::default()) else { break };
            expansion = Some(self.expand_macro(&found, node)?);
        }
        Ok(expansion)
    }

    pub(super) fn error<T>(
        &self,
        span: Span,
        message: impl Into<String>,
    ) -> Result<T, ExpandError> {
        Err(ExpandError { message: message.into(), span })
    }

    pub(super) fn fresh(&mut self) -> u32 {
        self.memory.counter += 1;
        self.memory.counter
    }

    pub(super) fn resolve(&self, symbol: &Symbol, scope: &Scope) -> Meaning {
        scope.resolve(symbol, &self.memory.marks, self.system)
    }

    pub(super) fn head(&self, node: &Node, scope: &Scope) -> Head {
        let Some(symbol) = node.as_symbol() else { return Head::Other };
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Macro(found)) => Head::Macro(found),
            Meaning::Bound(_) => Head::Other,
            Meaning::Global { name, system } => {
                let memory = &self.memory;
                if !system {
                    if let Some(found) = memory.macros.get(&name) {
                        return Head::Macro(found.clone());
                    }
                    if memory.redefined.contains(&name) {
                        return Head::Other;
                    }
                }
                match (memory.special.get(&*name), memory.system_macros.get(&name)) {
                    (Some(special), _) => Head::Special(*special),
                    (None, Some(found)) => Head::Macro(found.clone()),
                    (None, None) => Head::Other,
                }
            }
        }
    }

    /// Returns whether `node` is the symbol `name` and means a special form or a macro in this
    /// scope.
    pub(super) fn is_language(&self, node: &Node, name: &str, scope: &Scope) -> bool {
        node.is_named(name) && !matches!(self.head(node, scope), Head::Other)
    }

    /// Emits a form as an expression.
    pub(super) fn form(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        self.deeper(node.span, |pass| pass.form_inner(node, scope, output))
    }

    /// Refuses emitted text whose parentheses nest deeper than [`EMITTED_DEPTH_LIMIT`].
    pub(super) fn emitted(&self, depth: usize, span: Span) -> Expanded {
        if depth > EMITTED_DEPTH_LIMIT {
            return self.error(
                span,
                "forms are nested too deep, counting what macros and clauses expand to",
            );
        }
        Ok(())
    }

    /// Runs a step that recurses on parts of a form. Fails at [`DEPTH_LIMIT`], before the stack
    /// could run out.
    pub(super) fn deeper(
        &mut self,
        span: Span,
        expand: impl FnOnce(&mut Self) -> Expanded,
    ) -> Expanded {
        if self.depth > DEPTH_LIMIT {
            return self.error(
                span,
                format!(
                    "forms are nested more than {DEPTH_LIMIT} deep, counting what macros expand to"
                ),
            );
        }
        self.depth += 1;
        let expanded = expand(self);
        self.depth -= 1;
        expanded
    }

    fn form_inner(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        self.expand_form(node, scope, output).map_err(|error| named(error, node))
    }

    fn expand_form(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        let whole = std::mem::take(&mut self.whole);
        match &node.kind {
            Kind::Symbol(symbol) => self.reference(symbol, node.span, scope, output),
            Kind::List(elements) if !elements.is_empty() => {
                let start = output.text.len();
                match self.head(&elements[0], scope) {
                    Head::Special(special) => {
                        if whole {
                            self.memory.only_defines = only_defines(node);
                        }
                        special(self, node, scope, output)?;
                    }
                    Head::Macro(found) if self.cannot_expand_yet(&found, node) => {
                        output.push("'()")
                    }
                    Head::Macro(found) => {
                        let expansion = self.expand_macro(&found, node)?;
                        self.whole = whole;
                        self.form(&expansion, scope, output)?;
                    }
                    Head::Other => self.call(elements, node.span, scope, output)?,
                }
                output.mark(start, node.span);
                Ok(())
            }
            Kind::Dotted(..) => {
                self.error(node.span, "a call is a proper list; this one has a dot")
            }
            Kind::Opaque(_) => self.error(node.span, "an object cannot stand in a program"),
            _ => {
                self.constant(node, output);
                Ok(())
            }
        }
    }

    pub(super) fn expand_macro(&mut self, found: &Macro, node: &Node) -> Result<Node, ExpandError> {
        let name = node
            .as_list()
            .and_then(|list| list.first())
            .and_then(Node::as_symbol)
            .map_or("macro", |symbol| &symbol.name)
            .to_owned();
        let rules = match found {
            Macro::Rules(rules) => Ok(rules),
            Macro::Unread(unread) => unread.rules().map_err(|message| message.clone()),
            Macro::Procedure { global, takes_whole } => {
                return self.expand_by_procedure(global, *takes_whole, &name, node);
            }
        };
        // Macros of the system's own are steps of those that scripts write.
        let name = match &self.written_macro {
            Some(written) if name.starts_with('%') => written.clone(),
            _ => name,
        };
        self.written_macro = Some(name.clone());
        match rules {
            Ok(rules) => {
                let marks = &mut self.memory.marks;
                let expansion = rules.expand(node, &mut |outer| {
                    marks.push(Mark { scope: rules.scope.clone(), outer, system: rules.system });
                    marks.len() as u32
                });
                match expansion {
                    Some(expansion) => Ok(expansion),
                    None => {
                        let expected = self.expected(&name);
                        self.error(
                            node.span,
                            format!(
                                "{name}: malformed: {}",
                                expected.unwrap_or_else(|| format!("see (help {name})"))
                            ),
                        )
                    }
                }
            }
            Err(message) => self.error(node.span, format!("{name}: {message}")),
        }
    }

    fn expand_by_procedure(
        &mut self,
        global: &str,
        takes_whole: bool,
        name: &str,
        node: &Node,
    ) -> Result<Node, ExpandError> {
        let whole = takes_whole.then_some(node).into_iter();
        let parts = &node.as_list().unwrap_or_default()[1..];
        let arguments: Vec<Datum> = whole.chain(parts).map(Node::datum).collect();
        let places = SubformPlaces::of(node);
        match self.hooks.call_macro(global, &arguments) {
            Ok(expansion) => Ok(places.place(&expansion, node.span)),
            Err(message) => match self.expected(name) {
                Some(expected) => {
                    self.error(node.span, format!("{name}: malformed: {expected} ({message})"))
                }
                None => self.error(node.span, message),
            },
        }
    }

    /// Returns "expected (name (variable …) …)" for a documented macro.
    fn expected(&mut self, name: &str) -> Option<String> {
        let signature = self.hooks.signature(name)?;
        let parameters = signature.strip_prefix('(')?;
        Some(if parameters.starts_with(')') {
            format!("expected ({name})")
        } else {
            format!("expected ({name} {parameters}")
        })
    }

    fn reference(
        &mut self,
        symbol: &Symbol,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match self.resolve(symbol, scope) {
            Meaning::Global { name, system } => {
                match &*name {
                    "nil" => output.push("'()"),
                    "t" => output.push("#t"),
                    "not" | "null" if system || !self.memory.redefined.contains(&name) => {
                        output.push("s/%not")
                    }
                    _ if system => output.push(&self.system_name(&name)),
                    "*" if self.memory.has_last_value && !self.memory.redefined.contains(&name) => {
                        output.push(names::LAST_VALUE)
                    }
                    _ => {
                        if &*name != "funcall"
                            && let Head::Special(_) | Head::Macro(_) =
                                self.head(&Node::new(span, Kind::Symbol(symbol.clone())), scope)
                        {
                            return self.error(
                                span,
                                format!("{name}: a form of the language is not a value"),
                            );
                        }
                        let emitted = global(&name);
                        if self.memory.defined.contains(&emitted) || self.hooks.is_bound(&emitted) {
                            output.push(&emitted);
                        } else {
                            self.hooks.declare(&emitted, &name);
                            if let Some(survey) = &mut self.memory.survey {
                                survey.mentioned(&name, span);
                            }
                            let start = output.text.len();
                            output.push(&format!("(s/%bound {emitted})"));
                            output.mark(start, span);
                        }
                    }
                }
                Ok(())
            }
            Meaning::Bound(Binding::Form(form)) => self.form(&form, scope, output),
            _ => self.function_reference(symbol, span, scope, output),
        }
    }

    /// Emits a form that evaluates to itself.
    fn constant(&mut self, node: &Node, output: &mut Output) {
        match &node.kind {
            Kind::Boolean(true) => output.push("#t"),
            Kind::Boolean(false) => output.push("#f"),
            // The interpreter's instructions that add a number have 24 bits for it, and cut it off.
            Kind::Integer(value)
                if value.unsigned_abs() < 1 << 24 && self.hooks.writes_constants() =>
            {
                output.push(&value.to_string());
            }
            // Long strings become constants: the interpreter drops large texts once they are
            // compiled, and the places of errors with them.
            Kind::String(text) if text.len() <= 1_000 && self.hooks.writes_constants() => {
                output.string(text)
            }
            Kind::Char(character) if self.hooks.writes_constants() => {
                output.push(&format!("#\\x{:x}", *character as u32))
            }
            Kind::List(elements) if elements.is_empty() => output.push("'()"),
            _ => {
                let name = self.hooks.constant(&node.datum());
                output.push(&name);
            }
        }
    }

    pub(super) fn quoted(&mut self, node: &Node, output: &mut Output) {
        match &node.kind {
            Kind::Symbol(symbol) if &*symbol.name == "nil" => output.push("'()"),
            Kind::Symbol(symbol) if &*symbol.name == "t" => output.push("#t"),
            _ => self.constant(node, output),
        }
    }
}

/// The places of the lists in a macro call, by their printed form. The expansion of a `defmacro` is
/// data without places; parts of the call that appear in it get their places back from here.
struct SubformPlaces(HashMap<String, Span>);

impl SubformPlaces {
    /// After this many elements the search stops, because it would cost too much time.
    const LIMIT: usize = 2_000;

    fn of(node: &Node) -> SubformPlaces {
        let mut places = HashMap::new();
        let mut pending = vec![node];
        let mut left = Self::LIMIT;
        while let Some(node) = pending.pop() {
            let Some(elements) = node.as_list() else { continue };
            left = left.saturating_sub(elements.len());
            if left == 0 {
                break;
            }
            places.entry(super::super::printer::readably(&node.datum())).or_insert(node.span);
            pending.extend(elements);
        }
        SubformPlaces(places)
    }

    fn place(&self, datum: &Datum, whole: Span) -> Node {
        match datum {
            Datum::List(elements) => {
                let span =
                    self.0.get(&super::super::printer::readably(datum)).copied().unwrap_or(whole);
                Node::list(span, elements.iter().map(|element| self.place(element, span)).collect())
            }
            other => Node::from_datum(other, whole),
        }
    }
}

/// Puts the name of the form that the script wrote before an error that has no name yet.
pub(super) fn named(mut error: ExpandError, node: &Node) -> ExpandError {
    if error.message.starts_with("expected ")
        && let Some(head) = node.as_list().and_then(|elements| elements.first()?.as_symbol())
        && head.mark == 0
    {
        error.message.insert_str(0, &format!("{}: ", head.name));
    }
    error
}
