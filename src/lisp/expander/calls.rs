//! Emits calls, and names in the places where Common Lisp looks for a function.
//!
//! A call of a global goes through its name, so that a redefinition reaches it. A call of a
//! function that is not defined yet is emitted with a check that comes before its arguments; a call
//! of a library function in which an error may come from deep within is emitted with its place.

use std::sync::Arc;

use super::output::Output;
use super::scope::{self, Binding, Meaning};
use super::{Expanded, Pass, Scope, global, names, system_global};
use crate::lisp::node::{Kind, Node, Span, Symbol};

impl Pass<'_> {
    pub(super) fn call(
        &mut self,
        elements: &[Node],
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let wants_first = std::mem::take(&mut self.wants_first);
        if is_data(&elements[0]) && !self.system {
            if let Some(survey) = &mut self.memory.survey {
                survey.data_called(elements, span);
            }
            let start = output.text.len();
            output.push("(s/%not-called ");
            self.quoted(&elements[0], output);
            output.push(if elements.len() == 1 { " '())" } else { " #t)" });
            output.mark(start, span);
            self.calls += 1;
            return Ok(());
        }
        let placed = self.calls_library(&elements[0], scope);
        let unknown = self.unknown_function(&elements[0], scope);
        if let Some(survey) = &mut self.memory.survey
            && let Some(symbol) = elements[0].as_symbol()
            && let Meaning::Global { name, system: false } =
                scope.resolve(symbol, &self.memory.marks, self.system)
        {
            survey.called(&name, span, &elements[1..], unknown.is_some());
        }
        if let Some(global) = &unknown {
            // Checked first, because the interpreter would evaluate the arguments before it finds
            // the function unbound.
            output.push("(begin ");
            let start = output.text.len();
            output.push(&format!("(s/%defined {global})"));
            output.mark(start, span);
            output.push(" ");
        }
        let start = output.text.len();
        let called = if wants_first {
            output.push("(s/%gethash");
            let arguments = elements[1..].iter().try_for_each(|argument| {
                output.push(" ");
                self.single(argument, scope, output)
            });
            output.push(")");
            arguments
        } else {
            self.emit_call(elements, placed, span, scope, output)
        };
        if unknown.is_some() {
            output.push(")");
        }
        if !output.text[start..].starts_with("(#%prim.") {
            self.calls += 1;
        }
        called
    }

    fn emit_call(
        &mut self,
        elements: &[Node],
        placed: bool,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        if placed {
            let number = self.hooks.place(span);
            output.push(&format!("(s/%out ((s/%in {number} "));
        } else {
            output.push("(");
        }
        match elements[0].as_symbol() {
            // A function that is not defined yet may be called: the stub under its name raises the
            // error.
            Some(symbol) if let Some(function) = self.grouped_function(symbol, scope) => {
                let arity = function.arity;
                if elements.len() != arity + 1 {
                    let plural = if arity == 1 { "" } else { "s" };
                    let message = format!(
                        "{}: expected {arity} argument{plural}, got {}",
                        symbol.name,
                        elements.len() - 1
                    );
                    return self.error(span, message);
                }
                self.mentions(function.number, symbol);
                output.push(&function.call());
            }
            Some(_) if let Some(own) = self.with_literal_text(elements, scope) => {
                output.push(&system_global(own));
            }
            Some(symbol) => self.function_name(symbol, elements[0].span, scope, output)?,
            None => {
                let callee = self.apart(|pass, output| pass.form(&elements[0], scope, output))?;
                // The interpreter loses constants that go to the rest of a function written in the
                // call itself.
                let takes_rest = callee.text.strip_prefix("(lambda ").is_some_and(|rest| {
                    !rest.starts_with('(')
                        || rest.split(')').next().is_some_and(|names| names.contains(" . "))
                });
                output.push(if takes_rest { "(s/%itself " } else { "" });
                output.append(callee);
                output.push(if takes_rest { ")" } else { "" });
            }
        }
        if placed {
            output.push(")");
        }
        let library = self.library_name(&elements[0], scope);
        // Functions of the system's own, such as those that leave a block, hand all values on.
        let passes_all = elements[0].as_symbol().is_some_and(|symbol| symbol.name.starts_with('%'));
        let spreads = elements.len() > 3 && self.is_global(&elements[0], "apply", scope);
        for (index, argument) in elements[1..].iter().enumerate() {
            output.push(" ");
            if spreads && index == 1 {
                // The interpreter loses values that it puts in front of the rest of a list.
                output.push(&format!("({} ", system_global("%spread")));
            }
            match library.as_deref().and_then(|name| quoted_function(name, &elements[1..], index)) {
                Some(name) if name.is_named("*") => self.function_reference(
                    &Symbol { name: "*".into(), mark: 0 },
                    name.span,
                    scope,
                    output,
                )?,
                Some(Node { kind: Kind::Symbol(symbol), span })
                    if self.is_local_variable(symbol, scope) =>
                {
                    self.function_name(symbol, *span, scope, output)?;
                }
                Some(name) => self.function_value(name, scope, output)?,
                None if passes_all => self.form(argument, scope, output)?,
                None => self.single(argument, scope, output)?,
            }
        }
        if spreads {
            output.push(")");
        }
        output.push(if placed { "))" } else { ")" });
        Ok(())
    }

    /// Returns the function for a call of `error` or `warn` with a literal text, which needs less
    /// of the prelude than one with a class.
    fn with_literal_text(&self, elements: &[Node], scope: &Scope) -> Option<&'static str> {
        let [head, Node { kind: Kind::String(_), .. }, ..] = elements else { return None };
        match &*self.library_name(head, scope)? {
            "error" => Some("%fail"),
            "warn" => Some("%warn-text"),
            _ => None,
        }
    }

    pub(super) fn is_global(&self, head: &Node, name: &str, scope: &Scope) -> bool {
        head.is_named(name)
            && head
                .as_symbol()
                .is_some_and(|symbol| matches!(self.resolve(symbol, scope), Meaning::Global { .. }))
    }

    /// Returns the name of the library function that a script calls here.
    pub(super) fn library_name(&self, head: &Node, scope: &Scope) -> Option<Arc<str>> {
        match self.resolve(head.as_symbol().filter(|_| !self.system)?, scope) {
            Meaning::Global { name, .. } if self.memory.library.contains(&name) => Some(name),
            _ => None,
        }
    }

    fn grouped_function(&self, symbol: &Symbol, scope: &Scope) -> Option<Arc<scope::Grouped>> {
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Grouped(function)) => Some(function),
            _ => None,
        }
    }

    pub(super) fn is_local_variable(&self, symbol: &Symbol, scope: &Scope) -> bool {
        matches!(self.resolve(symbol, scope), Meaning::Bound(Binding::Variable(_)))
    }

    /// Returns a local variable at the head of a call, and the global function of the same name. As
    /// in Common Lisp, a variable that does not hold a function does not hide the global one.
    pub(super) fn hidden_function(
        &mut self,
        symbol: &Symbol,
        scope: &Scope,
    ) -> Option<(String, String)> {
        let Meaning::Bound(Binding::Variable(number)) = self.resolve(symbol, scope) else {
            return None;
        };
        if self.system || symbol.mark != 0 {
            return None;
        }
        let emitted = global(&symbol.name);
        let is_inline = names::INLINE.contains(&&*symbol.name);
        let is_known = self.memory.defined.contains(&emitted) || self.hooks.is_bound(&emitted);
        if !is_inline && !is_known {
            return None;
        }
        self.mentions(number, symbol);
        Some((format!("v{number}"), emitted))
    }

    /// Returns the emitted global of a function that, as far as is known here, has no value yet.
    fn unknown_function(&mut self, head: &Node, scope: &Scope) -> Option<String> {
        let symbol = head.as_symbol()?;
        let Meaning::Global { name, system: false } = self.resolve(symbol, scope) else {
            return None;
        };
        let emitted = global(&name);
        if self.memory.defined.contains(&emitted)
            || names::INLINE.contains(&&*name)
            || self.hooks.is_bound(&emitted)
        {
            return None;
        }
        self.hooks.declare(&emitted, &name);
        Some(emitted)
    }

    /// Returns whether a script calls a function of the prelude or the application that needs its
    /// place. Functions that only call their argument stay plain calls, and so tail calls.
    fn calls_library(&mut self, head: &Node, scope: &Scope) -> bool {
        let Some(symbol) = head.as_symbol().filter(|_| !self.system) else { return false };
        match self.resolve(symbol, scope) {
            Meaning::Global { name, system: false } => {
                self.memory.library.contains(&name)
                    && !names::TAIL.contains(&&*name)
                    && self.hooks.needs_place(&global(&name))
            }
            Meaning::Global { name, system: true } => {
                !name.starts_with('%') && self.hooks.needs_place(&system_global(&name))
            }
            _ => false,
        }
    }

    /// Emits a name where Common Lisp looks for a function: at the head of a call, after `#'`.
    pub(super) fn function_name(
        &mut self,
        symbol: &Symbol,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match self.hidden_function(symbol, scope) {
            Some((variable, function)) => {
                output.push(&format!("(if (s/%function? {variable}) {variable} {function})"));
                Ok(())
            }
            None => self.function_reference(symbol, span, scope, output),
        }
    }

    /// Emits the name of a function as a value. One that is not defined is an undefined function.
    pub(super) fn function_value(
        &mut self,
        name: &Node,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let mut value = self.apart(|pass, output| pass.form(name, scope, output))?;
        if let Some(global) = value.text.strip_prefix("(s/%bound ") {
            value.text = format!("(s/%funct {global}");
            if let Some(survey) = &mut self.memory.survey {
                survey.mentioned_function();
            }
        }
        output.append(value);
        Ok(())
    }

    pub(super) fn function_reference(
        &mut self,
        symbol: &Symbol,
        span: Span,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Variable(number)) => {
                self.mentions(number, symbol);
                output.push(&format!("v{number}"));
            }
            Meaning::Bound(Binding::Grouped(function)) => {
                self.mentions(function.number, symbol);
                let arguments: String =
                    (0..function.arity).map(|_| format!(" v{}", self.fresh())).collect();
                let call = function.call();
                output.push(&format!("(lambda ({}) ({call}{arguments}))", arguments.trim_start()));
            }
            Meaning::Bound(Binding::Macro(_)) => {
                return self.error(span, format!("{}: a macro is not a value", symbol.name));
            }
            // A form is not a function, so the name means the global one here.
            Meaning::Bound(Binding::Form(_)) => {
                return self.function_reference(symbol, span, &Scope::default(), output);
            }
            Meaning::Global { name, system: true } => output.push(&self.system_name(&name)),
            Meaning::Global { name, system: false } => {
                if !self.memory.redefined.contains(&name) && names::INLINE.contains(&&*name) {
                    output.push(&if names::COMPARISONS.contains(&&*name) {
                        system_global(&name)
                    } else {
                        names::primitive(&name)
                    });
                } else {
                    let global = global(&name);
                    self.hooks.declare(&global, &name);
                    output.push(&global);
                }
            }
        }
        Ok(())
    }

    pub(super) fn system_name(&self, name: &str) -> String {
        if let Some((_, primitive)) = names::OF_PAIRS.iter().find(|(own, _)| *own == name) {
            return names::primitive(primitive);
        }
        let is_own = self.memory.system.contains(name) && !names::COMPARISONS.contains(&name);
        if is_own || name.starts_with('%') { system_global(name) } else { names::primitive(name) }
    }
}

/// Returns whether a form at the head of a call is a constant, so that the call may be a list whose
/// quote was forgotten.
fn is_data(head: &Node) -> bool {
    !matches!(head.kind, Kind::Symbol(_) | Kind::List(_) | Kind::Dotted(..) | Kind::Opaque(_))
}

/// Returns the symbol that names a function in `(mapcar 'first list)` and `(find x list :test
/// 'equal)`. A plain `*` in such a position is the function too.
fn quoted_function<'n>(callee: &str, arguments: &'n [Node], index: usize) -> Option<&'n Node> {
    let taken = names::TAKERS.iter().any(|(name, place)| *name == callee && *place == index)
        || index > 0
            && matches!(&arguments[index - 1].kind, Kind::Keyword(key) if matches!(&**key, "test" | "test-not" | "key"))
            && names::KEYED.contains(&callee);
    if taken && arguments[index].is_named("*") {
        return Some(&arguments[index]);
    }
    match arguments[index].as_list() {
        Some([quote, name])
            if callee == "map"
                && arguments.len() > 2
                && index == 0
                && names::SEQUENCES.iter().any(|kind| name.is_named(kind))
                && quote.is_named("quote") =>
        {
            None
        }
        Some([quote, name]) if taken && quote.is_named("quote") => {
            name.as_symbol().filter(|symbol| !matches!(&*symbol.name, "nil" | "t")).map(|_| name)
        }
        _ => None,
    }
}
