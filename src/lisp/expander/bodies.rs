//! `let` and its family, local functions, and bodies with local definitions.
//!
//! A body with definitions is emitted as `((lambda () (define v1 …) … value))`. Macros at the heads
//! of its forms are expanded first, because they may expand to definitions.
//!
//! A function that refers to itself through a variable is a reference cycle, which the
//! interpreter's collector finds late and at a high cost. So the functions of `labels`, of a named
//! `let` and of a body that starts with function definitions are emitted without cycles where that
//! is possible: every call passes the functions of the group as its first arguments (see
//! [`Grouped`]). It is possible if each function takes a fixed number of plain parameters and none
//! of the names is assigned. Otherwise they become definitions in a body.

use std::sync::Arc;

use super::output::Output;
use super::scope::{Binding, Grouped};
use super::{ExpandError, Expanded, Head, Macro, Pass, Scope, lambda_list};
use crate::lisp::node::{Kind, Node, Span, Symbol};

impl Pass<'_> {
    /// Emits a body. Its definitions are local and see one another.
    pub(super) fn body(&mut self, forms: &[Node], scope: &Scope, output: &mut Output) -> Expanded {
        // A string before the other forms is the function's documentation.
        let forms = match forms {
            [Node { kind: Kind::String(_), .. }, rest @ ..] if !rest.is_empty() => rest,
            _ => forms,
        };
        let mut bindings = Vec::new();
        let mut expanded = Vec::with_capacity(forms.len());
        for form in forms {
            self.body_form(form, scope, &mut bindings, &mut expanded)?;
        }
        if bindings.is_empty() {
            return self.sequence(&expanded, scope, output);
        }
        if self.functions_first(&expanded, scope, output)? {
            return Ok(());
        }
        let inner = scope.with(bindings);
        let last_is_definition =
            expanded.last().is_some_and(|form| self.local_definition(form, scope).is_some());
        output.push("((lambda ()");
        for form in &expanded {
            output.push(" ");
            match self.local_definition(form, scope) {
                Some(Local::Variable(name, value)) => {
                    self.local_define(name, value, &inner, output)?
                }
                Some(Local::Function(name, parameters, body)) => {
                    let Some(number) = self.variable(name, &inner) else { continue };
                    output.push(&format!("(define v{number} "));
                    let label = name.as_symbol().map(|symbol| symbol.name.to_string());
                    lambda_list::function(
                        self,
                        label.as_deref(),
                        &parameters,
                        body,
                        &inner,
                        output,
                    )?;
                    output.push(")");
                }
                Some(Local::Values(names, rest, value)) => {
                    self.local_values(names, rest, value, &inner, output)?
                }
                None => self.form(form, &inner, output)?,
            }
        }
        if last_is_definition {
            output.push(" '()");
        }
        output.push("))");
        Ok(())
    }

    /// Emits a body that starts with plain functions and has no other definitions, in the way of
    /// `labels`. Returns whether it is such a body.
    fn functions_first(
        &mut self,
        forms: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Result<bool, ExpandError> {
        let mut functions = Vec::new();
        for form in forms {
            match self.local_definition(form, scope) {
                Some(Local::Function(name, parameters, body)) => {
                    functions.push((name, parameters, body))
                }
                _ => break,
            }
        }
        let rest = &forms[functions.len()..];
        if rest.is_empty() || rest.iter().any(|form| self.local_definition(form, scope).is_some()) {
            return Ok(false);
        }
        let functions: Vec<LocalFunction<'_>> =
            functions.iter().map(|(name, parameters, body)| (*name, parameters, *body)).collect();
        let Some(plain) = plain_functions(self, &functions, rest, scope) else { return Ok(false) };
        grouped(self, &plain, rest, scope, output)?;
        Ok(true)
    }

    /// Expands macros at the head of a body's form, splices `begin`, and collects the variables
    /// that the form defines.
    fn body_form(
        &mut self,
        form: &Node,
        scope: &Scope,
        bindings: &mut Vec<(Symbol, Binding)>,
        expanded: &mut Vec<Node>,
    ) -> Expanded {
        let mut form = form.clone();
        while let Some([head, rest @ ..]) = form.as_list() {
            if bindings.iter().any(|(symbol, _)| head.as_symbol() == Some(symbol)) {
                break;
            }
            match self.head(head, scope) {
                Head::Macro(found) if self.cannot_expand_yet(&found, &form) => break,
                Head::Macro(found) if may_define(&found) => {
                    let expansion = self.expand_macro(&found, &form)?;
                    form = expansion;
                }
                Head::Special(_)
                    if head.is_named("begin")
                        && rest.iter().any(|form| self.local_definition(form, scope).is_some()) =>
                {
                    for form in rest {
                        self.body_form(form, scope, bindings, expanded)?;
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        match self.local_definition(&form, scope) {
            Some(Local::Variable(name, _) | Local::Function(name, ..))
                if bindings.iter().any(|(symbol, _)| name.as_symbol() == Some(symbol)) => {}
            Some(Local::Variable(name, _) | Local::Function(name, ..)) => {
                self.bind(name, bindings)?;
            }
            Some(Local::Values(names, rest, _)) => {
                for name in names.iter().chain(rest) {
                    self.bind(name, bindings)?;
                }
            }
            None => {}
        }
        expanded.push(form);
        Ok(())
    }

    fn local_definition<'n>(&self, form: &'n Node, scope: &Scope) -> Option<Local<'n>> {
        let [head, target, rest @ ..] = form.as_list()? else { return None };
        if self.is_language(head, "define-values", scope) {
            let (names, others) = value_names(target);
            return Some(Local::Values(names, others, rest.first()?));
        }
        if !self.is_language(head, "define", scope) {
            return None;
        }
        match &target.kind {
            Kind::Symbol(_) => Some(Local::Variable(target, rest.first()?)),
            Kind::List(elements) => {
                let (name, parameters) = elements.split_first()?;
                Some(Local::Function(name, Node::list(target.span, parameters.to_vec()), rest))
            }
            Kind::Dotted(elements, tail) => {
                let (name, parameters) = elements.split_first()?;
                let kind = if parameters.is_empty() {
                    tail.kind.clone()
                } else {
                    Kind::Dotted(parameters.to_vec(), tail.clone())
                };
                Some(Local::Function(name, Node::new(target.span, kind), rest))
            }
            _ => None,
        }
    }

    pub(super) fn variable(&self, name: &Node, scope: &Scope) -> Option<u32> {
        match self.resolve(name.as_symbol()?, scope) {
            super::Meaning::Bound(Binding::Variable(number)) => Some(number),
            _ => None,
        }
    }

    fn local_define(
        &mut self,
        name: &Node,
        value: &Node,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let Some(number) = self.variable(name, scope) else {
            return self.error(name.span, "define: expected a name");
        };
        output.push(&format!("(define v{number} "));
        self.form(value, scope, output)?;
        output.push(")");
        Ok(())
    }

    fn local_values(
        &mut self,
        names: &[Node],
        rest: Option<&Node>,
        value: &Node,
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let list = self.fresh();
        output.push(&format!("(define v{list} (s/%values-of (lambda () "));
        self.form(value, scope, output)?;
        output.push(")))");
        for (index, name) in names.iter().enumerate() {
            let Some(number) = self.variable(name, scope) else { continue };
            output.push(&format!(" (define v{number} (s/%value {index} v{list}))"));
        }
        if let Some(number) = rest.and_then(|name| self.variable(name, scope)) {
            output.push(&format!(" (define v{number} (s/nthcdr {} v{list}))", names.len()));
        }
        Ok(())
    }

    /// Emits `(let ((v1 init) …) body)`. Dynamic variables are set for the extent of the body.
    fn parallel(
        &mut self,
        bindings: &[(&Node, Option<&Node>)],
        body: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        let mut inner = Vec::new();
        let mut dynamic = Vec::new();
        output.push("(let (");
        for (target, value) in bindings {
            self.check_fixed("let", target, *value)?;
            let number = match self.dynamic_global(target, scope) {
                Some(emitted) => {
                    let number = self.fresh();
                    dynamic.push((emitted, number));
                    number
                }
                None => self.bind(target, &mut inner)?,
            };
            output.push(&format!("(v{number} "));
            match value {
                Some(value) => self.single(value, scope, output)?,
                None => output.push("'()"),
            }
            output.push(")");
        }
        output.push(") ");
        let ends: Vec<String> = dynamic
            .iter()
            .map(|(emitted, number)| self.open_dynamic(emitted, *number, output))
            .collect();
        self.body(body, &scope.with(inner), output)?;
        ends.iter().rev().for_each(|end| output.push(end));
        output.push(")");
        Ok(())
    }
}

fn may_define(found: &Macro) -> bool {
    // A macro is not expanded twice, so expanding early does no harm.
    matches!(found, Macro::Rules(_) | Macro::Procedure { .. })
}

/// Returns the names of a `define-values`, and the name that gets the rest of the values.
pub(super) fn value_names(target: &Node) -> (&[Node], Option<&Node>) {
    match &target.kind {
        Kind::List(names) => (names, None),
        Kind::Dotted(names, rest) => (names, Some(rest)),
        _ => (&[], Some(target)),
    }
}

enum Local<'n> {
    Variable(&'n Node, &'n Node),
    Function(&'n Node, Node, &'n [Node]),
    /// The names, the name of the rest, and the form.
    Values(&'n [Node], Option<&'n Node>, &'n Node),
}

/// Parses `((name value) (name) name …)`.
pub(super) fn bindings<'n>(
    pass: &Pass<'_>,
    node: &'n Node,
    form: &str,
) -> Result<Vec<(&'n Node, Option<&'n Node>)>, ExpandError> {
    if node.is_named("nil") {
        return Ok(Vec::new());
    }
    let Some(elements) = node.as_list() else {
        return pass.error(node.span, format!("{form}: expected bindings ((name value) …)"));
    };
    let pair = |element: &'n Node| match element.as_list() {
        Some([name]) => Ok((name, None)),
        Some([name, value]) => Ok((name, Some(value))),
        None if element.as_symbol().is_some() => Ok((element, None)),
        _ => pass.error(element.span, format!("{form}: expected a binding (name value)")),
    };
    elements.iter().map(pair).collect()
}

pub(super) fn let_(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name value) …) form …")?;
    if parts[0].as_symbol().is_some_and(|symbol| &*symbol.name != "nil") {
        return named_let(pass, node, parts, scope, output);
    }
    let bindings = bindings(pass, &parts[0], "let")?;
    pass.parallel(&bindings, &parts[1..], scope, output)
}

fn named_let(
    pass: &mut Pass<'_>,
    node: &Node,
    parts: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let [name, list, body @ ..] = parts else {
        return pass.error(node.span, "let: expected (let name ((variable value) …) form …)");
    };
    let bindings = bindings(pass, list, "let")?;
    let is_plain = |parameter: &Node| {
        parameter.as_symbol().is_some_and(|symbol| !symbol.name.starts_with('&'))
            && pass.dynamic_global(parameter, scope).is_none()
    };
    let all_plain = bindings.iter().all(|(parameter, _)| is_plain(parameter));
    if let Some(symbol) = name.as_symbol().filter(|_| all_plain)
        && !body.iter().any(|form| assigns(form, symbol))
    {
        return looping(pass, symbol, &bindings, body, scope, output);
    }
    let mut outer = Vec::new();
    let number = pass.bind(name, &mut outer)?;
    let inner = scope.with(outer);
    let parameters =
        Node::list(list.span, bindings.iter().map(|(name, _)| (*name).clone()).collect());
    output.push(&format!("((lambda () (define v{number} "));
    let label = name.as_symbol().map(|symbol| symbol.name.to_string());
    lambda_list::function(pass, label.as_deref(), &parameters, body, &inner, output)?;
    output.push(&format!(") (v{number}"));
    for (_, value) in &bindings {
        output.push(" ");
        match value {
            // The name is not visible in the initial values.
            Some(value) => pass.form(value, scope, output)?,
            None => output.push("'()"),
        }
    }
    output.push(")))");
    Ok(())
}

/// Emits a named `let` whose function gets itself as an argument: `((lambda (v1) (v1 v1 init …))
/// (lambda (v1 v2 …) body))`. The head of this file says why.
fn looping(
    pass: &mut Pass<'_>,
    name: &Symbol,
    bindings: &[(&Node, Option<&Node>)],
    body: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let number = pass.fresh();
    output.push(&format!("((lambda (v{number}) (v{number} v{number}"));
    for (_, value) in bindings {
        output.push(" ");
        match value {
            // The name is not visible in the initial values.
            Some(value) => pass.form(value, scope, output)?,
            None => output.push("'()"),
        }
    }
    output.push(")) ");
    let group = format!("v{number}").into();
    let function = Arc::new(Grouped { number, group, arity: bindings.len() });
    let inner = scope.with(vec![(name.clone(), Binding::Grouped(function.clone()))]);
    let parameters: Vec<&Node> = bindings.iter().map(|(parameter, _)| *parameter).collect();
    grouped_lambda(pass, name, &function, &parameters, body, &inner, output)?;
    output.push(")");
    Ok(())
}

/// Emits `(lambda (group … parameter …) body)`.
fn grouped_lambda(
    pass: &mut Pass<'_>,
    name: &Symbol,
    function: &Grouped,
    parameters: &[&Node],
    body: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    output.push(&format!("(lambda ({}", function.group));
    let mut inner = Vec::new();
    for parameter in parameters {
        let parameter = pass.bind(parameter, &mut inner)?;
        output.push(&format!(" v{parameter}"));
    }
    output.push(") ");
    let outer_name = pass.function.replace(name.name.clone());
    let emitted = lambda_list::counted(pass, body, &scope.with(inner), output);
    pass.function = outer_name;
    emitted?;
    output.push(")");
    Ok(())
}

/// Returns whether a form may assign the variable.
fn assigns(form: &Node, variable: &Symbol) -> bool {
    match &form.kind {
        Kind::List(elements) | Kind::Dotted(elements, _) => {
            let sets = elements.first().and_then(Node::as_symbol).is_some_and(|head| {
                ["setq", "set!", "setf", "psetq"].iter().any(|word| *head.name == **word)
            });
            (sets && elements[1..].iter().any(|element| element.as_symbol() == Some(variable)))
                || elements.iter().any(|element| assigns(element, variable))
        }
        _ => false,
    }
}

pub(super) fn let_star(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name value) …) form …")?;
    let bindings = bindings(pass, &parts[0], "let*")?;
    let mut scope = scope.clone();
    let mut ends = Vec::new();
    for (name, value) in &bindings {
        pass.check_fixed("let*", name, *value)?;
        let mut inner = Vec::new();
        let dynamic = pass.dynamic_global(name, &scope);
        let number = match dynamic {
            Some(_) => pass.fresh(),
            None => pass.bind(name, &mut inner)?,
        };
        output.push(&format!("(let ((v{number} "));
        match value {
            Some(value) => pass.single(value, &scope, output)?,
            None => output.push("'()"),
        }
        output.push(")) ");
        ends.push(")".to_owned());
        if let Some(emitted) = dynamic {
            ends.push(pass.open_dynamic(&emitted, number, output));
        }
        scope = scope.with(inner);
    }
    pass.body(&parts[1..], &scope, output)?;
    ends.iter().rev().for_each(|end| output.push(end));
    Ok(())
}

pub(super) fn letrec(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name value) …) form …")?;
    let bindings = bindings(pass, &parts[0], "letrec")?;
    let mut inner = Vec::new();
    for (name, _) in &bindings {
        pass.bind(name, &mut inner)?;
    }
    let inner = scope.with(inner);
    output.push("((lambda ()");
    for (name, value) in &bindings {
        output.push(" ");
        let nothing = Node::list(name.span, Vec::new());
        pass.local_define(name, value.unwrap_or(&nothing), &inner, output)?;
    }
    output.push(" ");
    pass.body(&parts[1..], &inner, output)?;
    output.push("))");
    Ok(())
}

type LocalFunction<'n> = (&'n Node, &'n Node, &'n [Node]);

fn local_functions<'n>(
    pass: &Pass<'_>,
    node: &'n Node,
) -> Result<Vec<LocalFunction<'n>>, ExpandError> {
    let elements = node.as_list().unwrap_or_default();
    let function = |element: &'n Node| match element.as_list() {
        Some([name, parameters, body @ ..]) => Ok((name, parameters, body)),
        _ => pass.error(element.span, "expected a local function (name (parameter …) form …)"),
    };
    elements.iter().map(function).collect()
}

/// A local function of a group: its name, its parameters, its body.
type PlainFunction<'n> = (&'n Symbol, Vec<&'n Node>, &'n [Node]);

/// Returns the functions if they can be emitted as a group: each takes a fixed number of plain
/// parameters, and no name of theirs is assigned.
fn plain_functions<'n>(
    pass: &Pass<'_>,
    functions: &[LocalFunction<'n>],
    body: &[Node],
    scope: &Scope,
) -> Option<Vec<PlainFunction<'n>>> {
    let is_plain = |parameter: &Node| {
        parameter.as_symbol().is_some_and(|symbol| !symbol.name.starts_with('&'))
            && pass.dynamic_global(parameter, scope).is_none()
    };
    let mut plain: Vec<PlainFunction<'n>> = Vec::new();
    for (name, parameters, forms) in functions {
        let name = name.as_symbol()?;
        let parameters: Vec<&Node> = match &parameters.kind {
            Kind::List(elements) => elements.iter().collect(),
            Kind::Symbol(symbol) if &*symbol.name == "nil" => Vec::new(),
            _ => return None,
        };
        let is_new = plain.iter().all(|(other, ..)| *other != name);
        if !is_new || !parameters.iter().all(|parameter| is_plain(parameter)) {
            return None;
        }
        plain.push((name, parameters, forms));
    }
    let all = || plain.iter().flat_map(|(_, _, forms)| forms.iter()).chain(body);
    let is_assigned = |name: &Symbol| all().any(|form| assigns(form, name));
    (!plain.iter().any(|(name, ..)| is_assigned(name))).then_some(plain)
}

/// Emits a group: `((lambda (v1 v2) body) (lambda (v1 v2 parameter …) …) …)`.
fn grouped(
    pass: &mut Pass<'_>,
    functions: &[PlainFunction<'_>],
    body: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let numbers: Vec<u32> = functions.iter().map(|_| pass.fresh()).collect();
    let group: Vec<String> = numbers.iter().map(|number| format!("v{number}")).collect();
    let group: Arc<str> = group.join(" ").into();
    let bound: Vec<(&PlainFunction<'_>, Arc<Grouped>)> = functions
        .iter()
        .zip(numbers)
        .map(|(function, number)| {
            let arity = function.1.len();
            (function, Arc::new(Grouped { number, group: group.clone(), arity }))
        })
        .collect();
    let names = bound
        .iter()
        .map(|((name, ..), grouped)| ((*name).clone(), Binding::Grouped(grouped.clone())));
    let inner = scope.with(names.collect());
    output.push(&format!("((lambda ({group}) "));
    pass.body(body, &inner, output)?;
    output.push(")");
    for ((name, parameters, forms), grouped) in &bound {
        output.push(" ");
        let block = [Node::list(
            Span::default(),
            [
                Node::symbol(Span::default(), "block"),
                Node::new(Span::default(), Kind::Symbol((*name).clone())),
            ]
            .into_iter()
            .chain(forms.iter().cloned())
            .collect(),
        )];
        let leaves = forms.iter().any(super::definitions::mentions_return_from);
        let body = if leaves { &block[..] } else { forms };
        grouped_lambda(pass, name, grouped, parameters, body, &inner, output)?;
    }
    output.push(")");
    Ok(())
}

pub(super) fn labels(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name (parameter …) form …) …) form …")?;
    let functions = local_functions(pass, &parts[0])?;
    if let Some(plain) = plain_functions(pass, &functions, &parts[1..], scope) {
        return grouped(pass, &plain, &parts[1..], scope, output);
    }
    let mut inner = Vec::new();
    for (name, ..) in &functions {
        pass.bind(name, &mut inner)?;
    }
    let inner = scope.with(inner);
    output.push("((lambda ()");
    for (name, parameters, body) in functions {
        let Some(number) = pass.variable(name, &inner) else { continue };
        output.push(&format!(" (define v{number} "));
        let label = name.as_symbol().map(|symbol| symbol.name.to_string());
        pass.named_block_function(name, label.as_deref(), parameters, body, &inner, output)?;
        output.push(")");
    }
    output.push(" ");
    pass.body(&parts[1..], &inner, output)?;
    output.push("))");
    Ok(())
}

pub(super) fn flet(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " ((name (parameter …) form …) …) form …")?;
    let mut inner = Vec::new();
    output.push("(let (");
    for (name, parameters, body) in local_functions(pass, &parts[0])? {
        let number = pass.bind(name, &mut inner)?;
        output.push(&format!("(v{number} "));
        let label = name.as_symbol().map(|symbol| symbol.name.to_string());
        pass.named_block_function(name, label.as_deref(), parameters, body, scope, output)?;
        output.push(")");
    }
    output.push(") ");
    pass.body(&parts[1..], &scope.with(inner), output)?;
    output.push(")");
    Ok(())
}
