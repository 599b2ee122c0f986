//! Definitions and assignment.
//!
//! A definition at top level is emitted as a `set!` of a global that is declared beforehand, as a
//! stub if it is new. So a redefinition reaches callers that were compiled before it, and a
//! definition that fails leaves the old value in place.

use std::sync::Arc;

use super::output::Output;
use super::places::Setter;
use super::scope::{Binding, Meaning};
use super::syntax_rules::SyntaxRules;
use super::{
    ExpandError, Expanded, Macro, Pass, Scope, bodies, global, lambda_list, names, places,
    system_global,
};
use crate::lisp::node::{Kind, Node};

/// Forms that cannot be redefined, because the rest of the language is built on them.
const CORE: &[&str] = &[
    "if",
    "quote",
    "lambda",
    "define",
    "set!",
    "setq",
    "let",
    "begin",
    "progn",
    "quasiquote",
    "defun",
    "defmacro",
    "define-syntax",
];

/// Calls `found` with every name that a top-level form will define.
pub fn announced(form: &Node, found: &mut dyn FnMut(&Arc<str>)) {
    let Some([head, rest @ ..]) = form.as_list() else { return };
    let Some(head) = head.as_symbol() else { return };
    match (&*head.name, rest) {
        ("begin" | "progn", forms) => forms.iter().for_each(|form| announced(form, found)),
        ("define-values", [target, ..]) => {
            let (names, rest) = bodies::value_names(target);
            names
                .iter()
                .chain(rest)
                .filter_map(Node::as_symbol)
                .for_each(|symbol| found(&symbol.name));
        }
        ("define" | "defun" | "defvar" | "defparameter" | "defconstant", [target, ..]) => {
            let setter = places::setter_name(target).filter(|_| &*head.name == "defun");
            let name = match &target.kind {
                _ if setter.is_some() => setter.as_ref().map(|(_, function)| function),
                Kind::List(elements) | Kind::Dotted(elements, _) => elements.first(),
                _ => Some(target),
            };
            if let Some(symbol) = name.and_then(Node::as_symbol) {
                found(&symbol.name);
            }
        }
        _ => {}
    }
}

/// Returns whether a top-level form only defines functions and macros, so that it can be run again
/// in another engine.
pub fn only_defines(form: &Node) -> bool {
    let Some([head, rest @ ..]) = form.as_list() else { return false };
    let Some(head) = head.as_symbol() else { return false };
    let is_function = |value: &Node| {
        let head = value.as_list().and_then(|list| list.first());
        head.is_some_and(|head| ["lambda", "fn", "function"].iter().any(|word| head.is_named(word)))
    };
    match (&*head.name, rest) {
        ("begin" | "progn", forms) => !forms.is_empty() && forms.iter().all(only_defines),
        (
            "defun"
            | "defmacro"
            | "define-syntax"
            | "defstruct"
            | "define-condition"
            | "define-record-type"
            | "defsetf"
            | "define-modify-macro",
            _,
        ) => true,
        ("define", [target, ..]) if target.as_symbol().is_none() => true,
        ("define" | "defvar" | "defparameter" | "defconstant" | "set!" | "setq", [_, value]) => {
            is_function(value)
        }
        ("defvar" | "defparameter" | "defconstant", [_, value, _]) => is_function(value),
        _ => false,
    }
}

impl Pass<'_> {
    /// Returns the emitted global for a definition of `name`, declared, after the checks. The name
    /// loses its earlier meaning as a macro or a library function.
    pub(super) fn defined_global(&mut self, name: &Node) -> Result<String, ExpandError> {
        let Some(symbol) = name.as_symbol() else {
            return self.error(name.span, "expected the name to define");
        };
        if matches!(&*symbol.name, "t" | "nil") {
            return self
                .error(name.span, format!("{} is a constant: it cannot be defined", symbol.name));
        }
        if self.system {
            self.memory.system.insert(symbol.name.clone());
            let emitted = system_global(&symbol.name);
            self.hooks.declare(&emitted, &symbol.name);
            return Ok(emitted);
        }
        if CORE.contains(&&*symbol.name) {
            return self.error(
                name.span,
                format!("{} is a form of the language: it cannot be redefined", symbol.name),
            );
        }
        let emitted = global(&symbol.name);
        if let Some(survey) = &mut self.memory.survey {
            survey.defined(&symbol.name);
        }
        self.memory.macros.remove(&symbol.name);
        self.memory.library.remove(&symbol.name);
        // Another function than the accessor of a structure.
        if let Some(Setter::Slot { .. } | Setter::Refused(_)) =
            self.memory.setters.get(&symbol.name)
        {
            self.memory.setters.remove(&symbol.name);
        }
        let known = self.memory.special.contains_key(&*symbol.name)
            || self.memory.system_macros.contains_key(&symbol.name);
        if known || names::INLINE.contains(&&*symbol.name) {
            self.memory.redefined.insert(symbol.name.clone());
        }
        self.hooks.declare(&emitted, &symbol.name);
        self.hooks.assigned(&emitted);
        Ok(emitted)
    }

    /// Emits `(begin (set! u/name value) 'name)`. Definitions of the system omit the name, which
    /// nothing uses.
    fn define_global(
        &mut self,
        name: &Node,
        output: &mut Output,
        value: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Expanded {
        let emitted = self.defined_global(name)?;
        if self.system {
            output.push(&format!("(set! {emitted} "));
            value(self, output)?;
            output.push(")");
            return Ok(());
        }
        output.push(&format!("(begin (set! {emitted} "));
        value(self, output)?;
        output.push(") ");
        self.quoted(name, output);
        output.push(")");
        self.memory.defined.insert(emitted);
        Ok(())
    }

    fn note_function(&mut self, name: &Node, parameters: &Node) {
        if let (Some(survey), Some(symbol)) = (&mut self.memory.survey, name.as_symbol()) {
            survey.function_defined(&symbol.name, parameters);
        }
    }

    /// Makes the name a dynamic variable: from now on, binding it sets the global for the extent of
    /// the binding form.
    fn make_dynamic(&mut self, name: &Node) {
        if let Some(symbol) = name.as_symbol().filter(|_| !self.system) {
            self.memory.dynamic.insert(symbol.name.clone());
        }
    }

    /// Returns the emitted global if the name is a dynamic variable.
    pub(super) fn dynamic_global(&self, name: &Node, scope: &Scope) -> Option<String> {
        match self.resolve(name.as_symbol()?, scope) {
            Meaning::Global { name, system: false } if self.memory.dynamic.contains(&name) => {
                Some(global(&name))
            }
            _ => None,
        }
    }

    /// Returns an assignment to a global. An assignment to `*standard-output*` also tells the host.
    fn set_global(emitted: &str, value: &str) -> String {
        if emitted == global("*standard-output*") {
            return format!("(set! {emitted} {value}) (s/%standard-output {emitted})");
        }
        format!("(set! {emitted} {value})")
    }

    /// Opens the extent in which a dynamic variable has the value of `v{value}`. Returns the text
    /// to emit after the body, which restores the old value however the body is left.
    pub(super) fn open_dynamic(
        &mut self,
        emitted: &str,
        value: u32,
        output: &mut Output,
    ) -> String {
        let old = self.fresh();
        output.push(&format!(
            "(let ((v{old} {emitted})) (s/%protect (lambda () {} ",
            Self::set_global(emitted, &format!("v{value}"))
        ));
        format!(") (lambda () {})))", Self::set_global(emitted, &format!("v{old}")))
    }

    /// Like [`Pass::define_global`], for a function: its body may refer to it, because the body
    /// runs only after the assignment.
    fn define_function(
        &mut self,
        name: &Node,
        output: &mut Output,
        value: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Expanded {
        self.define_global(name, output, |pass, output| {
            if let Some(symbol) = name.as_symbol().filter(|_| !pass.system) {
                pass.memory.defined.insert(global(&symbol.name));
            }
            value(pass, output)
        })
    }

    /// Emits a function whose body is a block with the function's name, as `defun` requires. The
    /// block is left out if nothing mentions `return-from`.
    pub(super) fn named_block_function(
        &mut self,
        name: &Node,
        label: Option<&str>,
        parameters: &Node,
        body: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let uses_block = body.iter().any(mentions_return_from);
        if !uses_block {
            return lambda_list::function(self, label, parameters, body, scope, output);
        }
        let body = match body {
            [Node { kind: Kind::String(_), .. }, rest @ ..] if !rest.is_empty() => rest,
            _ => body,
        };
        let mut block = vec![Node::symbol(name.span, "block"), name.clone()];
        block.extend(body.iter().cloned());
        lambda_list::function(
            self,
            label,
            parameters,
            &[Node::list(name.span, block)],
            scope,
            output,
        )
    }
}

pub(super) fn mentions_return_from(node: &Node) -> bool {
    match &node.kind {
        Kind::Symbol(symbol) => &*symbol.name == "return-from",
        Kind::List(elements) => elements.iter().any(mentions_return_from),
        _ => false,
    }
}

pub(super) fn define(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts =
        pass.parts(node, 1, usize::MAX, " name value)\" or \"(define (name parameter …) form …")?;
    let (target, rest) = (&parts[0], &parts[1..]);
    match &target.kind {
        Kind::List(elements) | Kind::Dotted(elements, _) if !elements.is_empty() => {
            let (name, parameters) = (&elements[0], elements[1..].to_vec());
            if name.as_list().is_some() {
                // (define ((f a) b) …) defines a function that returns a function.
                let inner = Node::list(
                    node.span,
                    [Node::symbol(node.span, "lambda"), Node::list(target.span, parameters)]
                        .into_iter()
                        .chain(rest.iter().cloned())
                        .collect(),
                );
                let outer = Node::list(
                    node.span,
                    vec![Node::symbol(node.span, "define"), name.clone(), inner],
                );
                return define(pass, &outer, scope, output);
            }
            let kind = match &target.kind {
                Kind::Dotted(_, tail) if parameters.is_empty() => tail.kind.clone(),
                Kind::Dotted(_, tail) => Kind::Dotted(parameters, tail.clone()),
                _ => Kind::List(parameters),
            };
            let parameters = Node::new(target.span, kind);
            let label = name.as_symbol().map(|symbol| symbol.name.to_string());
            pass.note_function(name, &parameters);
            pass.note_several(name, rest, scope);
            pass.define_function(name, output, |pass, output| {
                lambda_list::function(pass, label.as_deref(), &parameters, rest, scope, output)
            })
        }
        _ if rest.len() > 1 => pass.error(node.span, "define: expected (define name value)"),
        _ => {
            pass.note_several(target, rest, scope);
            pass.define_global(target, output, |pass, output| match rest.first() {
                Some(value) => named_value(pass, target, value, scope, output),
                None => {
                    output.push("'()");
                    Ok(())
                }
            })
        }
    }
}

/// Emits a value for a name. A `lambda` gets the name for its messages.
fn named_value(
    pass: &mut Pass<'_>,
    name: &Node,
    value: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    if let Some([head, parameters, body @ ..]) = value.as_list()
        && pass.is_language(head, "lambda", scope)
    {
        let label = name.as_symbol().map(|symbol| symbol.name.to_string());
        let start = output.text.len();
        lambda_list::function(pass, label.as_deref(), parameters, body, scope, output)?;
        output.mark(start, value.span);
        return Ok(());
    }
    pass.single(value, scope, output)
}

pub(super) fn defun(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " name (parameter …) form …")?;
    let setter = places::setter_name(&parts[0]);
    let name = setter.as_ref().map_or(&parts[0], |(_, function)| function);
    if let (Some((place, _)), Some(function)) = (&setter, name.as_symbol()) {
        let setter = Setter::Function { name: function.name.clone(), value_first: true };
        pass.memory.setters.insert(place.clone(), setter);
    }
    let label = name.as_symbol().map(|symbol| symbol.name.to_string());
    pass.note_function(name, &parts[1]);
    pass.note_several(name, &parts[2..], scope);
    pass.define_function(name, output, |pass, output| {
        pass.named_block_function(name, label.as_deref(), &parts[1], &parts[2..], scope, output)
    })
}

/// `defvar` sets the variable unless it has a value.
pub(super) fn defvar(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, 3, " name value documentation")?;
    let emitted = pass.defined_global(&parts[0])?;
    pass.make_dynamic(&parts[0]);
    output.push(&format!("(begin (if (s/%bound? {emitted}) '() (begin (set! {emitted} "));
    match parts.get(1) {
        Some(value) => pass.form(value, scope, output)?,
        None => output.push("'()"),
    }
    output.push(") '())) ");
    pass.quoted(&parts[0], output);
    output.push(")");
    pass.memory.defined.insert(emitted);
    Ok(())
}

pub(super) fn defparameter(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, 3, " name value documentation")?;
    if node.as_list().is_some_and(|list| list[0].is_named("defparameter")) {
        pass.make_dynamic(&parts[0]);
    }
    pass.define_global(&parts[0], output, |pass, output| {
        named_value(pass, &parts[0], &parts[1], scope, output)
    })
}

pub(super) fn define_values(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, 2, " (name …) form")?;
    let (names, rest) = bodies::value_names(&parts[0]);
    let list = pass.fresh();
    let globals: Vec<String> =
        names.iter().map(|name| pass.defined_global(name)).collect::<Result<_, _>>()?;
    let rest = rest.map(|name| pass.defined_global(name)).transpose()?;
    output.push(&format!("(let ((v{list} (s/%values-of (lambda () "));
    pass.form(&parts[1], scope, output)?;
    output.push("))))");
    for (index, emitted) in globals.into_iter().enumerate() {
        output.push(&format!(" (set! {emitted} (s/%value {index} v{list}))"));
        pass.memory.defined.insert(emitted);
    }
    if let Some(emitted) = rest {
        output.push(&format!(" (set! {emitted} (s/nthcdr {} v{list}))", names.len()));
        pass.memory.defined.insert(emitted);
    }
    output.push(" '())");
    Ok(())
}

/// Emits `(set! name value)` where the value of the assignment is not used.
pub(super) fn set_only(
    pass: &mut Pass<'_>,
    target: &Node,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    if target.as_symbol().is_some_and(|symbol| pass.symbol_form(symbol, scope).is_some()) {
        return set(pass, node, scope, output);
    }
    let value = &pass.parts(node, 2, 2, " name value")?[1];
    pass.assign_only(target, scope, output, |pass, output| {
        named_value(pass, target, value, scope, output)
    })
    .map(drop)
}

/// `(set! name value)` and `(setq name value …)`. The value is the last value assigned.
pub(super) fn set(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, " name value")?;
    if parts.len() % 2 != 0 {
        return pass.error(node.span, "setq: expected pairs of a name and a value");
    }
    if parts.is_empty() {
        output.push("'()");
        return Ok(());
    }
    let pairs = parts.chunks_exact(2);
    let several = parts.len() > 2;
    if several {
        output.push("(begin");
    }
    for pair in pairs {
        if several {
            output.push(" ");
        }
        if let Some(symbol) = pair[0].as_symbol()
            && let Some(place) = pass.symbol_form(symbol, scope)
        {
            super::place_forms::set_one(pass, node, &place, &pair[1], scope, output)?;
            continue;
        }
        if matches!(
            pair[0].as_symbol().map(|symbol| pass.resolve(symbol, scope)),
            Some(super::Meaning::Global { .. })
        ) {
            pass.check_fixed("setq", &pair[0], Some(&pair[1]))?;
        }
        pass.assign(&pair[0], scope, output, |pass, output| {
            named_value(pass, &pair[0], &pair[1], scope, output)
        })?;
    }
    if several {
        output.push(")");
    }
    Ok(())
}

impl Pass<'_> {
    /// Emits an assignment that returns the assigned value.
    pub(super) fn assign(
        &mut self,
        target: &Node,
        scope: &Scope,
        output: &mut Output,
        value: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Expanded {
        output.push("(begin ");
        let emitted = self.assign_only(target, scope, output, value)?;
        output.push(&format!(" {emitted})"));
        Ok(())
    }

    /// Emits an assignment without a value. Returns the emitted name of the variable.
    fn assign_only(
        &mut self,
        target: &Node,
        scope: &Scope,
        output: &mut Output,
        value: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Result<String, ExpandError> {
        let Some(symbol) = target.as_symbol() else {
            return self.error(target.span, "setq: expected the name of a variable");
        };
        let emitted = match self.resolve(symbol, scope) {
            Meaning::Bound(Binding::Variable(number)) => {
                self.mentions(number, symbol);
                format!("v{number}")
            }
            Meaning::Bound(Binding::Grouped(_)) => {
                let message = format!("setq: {} is the name of a local function", symbol.name);
                return self.error(target.span, message);
            }
            Meaning::Bound(Binding::Macro(_) | Binding::Form(_)) => {
                return self.error(target.span, format!("setq: {} is a macro", symbol.name));
            }
            Meaning::Global { name, system: true } => system_global(&name),
            Meaning::Global { .. } => self.defined_global(target)?,
        };
        let mut value = self.apart(value)?;
        // The interpreter reads a variable wrongly in a procedure within the value of its own set!;
        // a let is one, too.
        let has_procedure = ["(lambda", "(let"].iter().any(|form| value.text.contains(form));
        if emitted.starts_with('v') && has_procedure {
            let variable = self.fresh();
            value.wrap(
                &format!("(let ((v{variable} "),
                &format!(")) (set! {emitted} v{variable}))"),
            );
        } else {
            value.wrap(&format!("(set! {emitted} "), ")");
        }
        output.append(value);
        if emitted == global("*standard-output*") {
            output.push(&format!(" (s/%standard-output {emitted})"));
        }
        if scope.is_top() && self.depth <= 1 {
            self.memory.defined.insert(emitted.clone());
        }
        Ok(emitted)
    }

    fn rules(&mut self, node: &Node, scope: &Scope) -> Result<Arc<Macro>, ExpandError> {
        match SyntaxRules::parse(node, scope, self.system) {
            Ok(rules) => Ok(Arc::new(Macro::Rules(rules))),
            Err(message) => self.error(node.span, message),
        }
    }
}

pub(super) fn define_syntax(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, 2, " name (syntax-rules …)")?;
    let Some(symbol) = parts[0].as_symbol() else {
        return pass.error(parts[0].span, "define-syntax: expected a name");
    };
    if !pass.system && CORE.contains(&&*symbol.name) {
        return pass.error(
            parts[0].span,
            format!("{} is a form of the language: it cannot be redefined", symbol.name),
        );
    }
    let rules = pass.rules(&parts[1], scope)?;
    let macros = if pass.system { &mut pass.memory.system_macros } else { &mut pass.memory.macros };
    macros.insert(symbol.name.clone(), rules);
    pass.memory.keeps_marks = true;
    pass.quoted(&parts[0], output);
    Ok(())
}

/// `(letrec-syntax ((name (syntax-rules …)) …) form …)`: a body that begins with the definitions, so
/// that each macro may expand to calls of all of them.
pub(super) fn letrec_syntax(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name (syntax-rules …)) …) form …")?;
    let mut body = Vec::new();
    for binding in pass.list(&parts[0], "letrec-syntax", "a list of macros")? {
        let Some([name, rules]) = binding.as_list() else {
            return pass.error(binding.span, "letrec-syntax: expected (name (syntax-rules …))");
        };
        let define = Node::symbol(binding.span, "define-syntax");
        body.push(Node::list(binding.span, vec![define, name.clone(), rules.clone()]));
    }
    body.extend_from_slice(&parts[1..]);
    pass.body(&body, scope, output)
}

pub(super) fn let_syntax(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name (syntax-rules …)) …) form …")?;
    let mut inner = Vec::new();
    for binding in pass.list(&parts[0], "let-syntax", "a list of macros")? {
        let Some([name, rules]) = binding.as_list() else {
            return pass.error(binding.span, "let-syntax: expected (name (syntax-rules …))");
        };
        let Some(symbol) = name.as_symbol() else {
            return pass.error(name.span, "let-syntax: expected a name");
        };
        inner.push((symbol.clone(), Binding::Macro(pass.rules(rules, scope)?)));
    }
    pass.body(&parts[1..], &scope.with(inner), output)
}

/// `(defmacro name lambda-list form …)`. The procedure is stored in a global of its own, which the
/// host calls to expand the macro.
pub(super) fn defmacro(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 2, usize::MAX, " name (parameter …) form …")?;
    let Some(symbol) = parts[0].as_symbol() else {
        return pass.error(parts[0].span, "defmacro: expected a name");
    };
    if CORE.contains(&&*symbol.name) {
        return pass.error(
            parts[0].span,
            format!("{} is a form of the language: it cannot be redefined", symbol.name),
        );
    }
    let emitted = names::macro_global(&symbol.name);
    pass.hooks.declare(&emitted, &symbol.name);
    output.push(&format!("(begin (set! {emitted} "));
    let label = Some(&*symbol.name);
    let without = lambda_list::without_whole(&parts[1]);
    let takes_whole = without.is_some();
    let parameters = without.as_ref().unwrap_or(&parts[1]);
    pass.named_block_function(&parts[0], label, parameters, &parts[2..], scope, output)?;
    output.push(") ");
    pass.quoted(&parts[0], output);
    output.push(")");
    if let Some(survey) = &mut pass.memory.survey {
        survey.macro_defined(&symbol.name, &parts[2..]);
    }
    let macros = if pass.system { &mut pass.memory.system_macros } else { &mut pass.memory.macros };
    macros.insert(symbol.name.clone(), Arc::new(Macro::Procedure { global: emitted, takes_whole }));
    Ok(())
}
