//! Functions and their lambda lists: Scheme's, and Common Lisp's `&optional &key &rest &aux`.
//!
//! A function is emitted as `(lambda (v1 v2 . v3) …)` with the required parameters and, if there
//! are more, one variable for the remaining arguments. Nested `let`s take optional parameters and
//! keys from it in order, so that a default may use the parameters before it. The natives
//! `s/%check-keys` and `s/%check-rest` refuse unknown keys and surplus arguments. A list in the
//! place of a parameter is destructured; it may begin with `&whole`. That of a macro takes the form
//! as its first argument ([`without_whole`]).

use std::sync::Arc;

use super::output::Output;
use super::scope::Binding;
use super::{ExpandError, Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node, Span, Symbol};

#[derive(Default)]
struct LambdaList<'n> {
    /// Of a list that is destructured: the name of the whole.
    whole: Option<&'n Node>,
    required: Vec<&'n Node>,
    optional: Vec<Parameter<'n>>,
    rest: Option<&'n Node>,
    /// Whether `&key` is there, perhaps without a parameter.
    takes_keys: bool,
    keys: Vec<(Arc<str>, Parameter<'n>)>,
    allow_other_keys: bool,
    aux: Vec<Parameter<'n>>,
}

struct Parameter<'n> {
    name: &'n Node,
    default: Option<&'n Node>,
    supplied: Option<&'n Node>,
}

/// `(lambda lambda-list form …)`.
pub(super) fn lambda(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " (parameter …) form …")?;
    function(pass, None, &parts[0], &parts[1..], scope, output)
}

/// Emits a function; `name` is for messages.
pub(super) fn function(
    pass: &mut Pass<'_>,
    name: Option<&str>,
    parameters: &Node,
    body: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let list = parse(pass, parameters)?;
    if let Some(whole) = list.whole {
        return pass.error(whole.span, "lambda: &whole is for the lambda list of a macro");
    }
    let outer_name = std::mem::replace(&mut pass.function, name.map(Arc::from));
    let emitted = emit(
        pass,
        &list,
        &mut |pass, scope, output| counted(pass, body, scope, output),
        scope,
        output,
    );
    pass.function = outer_name;
    emitted
}

/// Emits a body. A body that makes calls begins with `s/%enter`, which finds endless recursion.
pub(super) fn counted(
    pass: &mut Pass<'_>,
    body: &[Node],
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let before = pass.calls;
    let mut inner = pass.apart(|pass, output| pass.body(body, scope, output))?;
    if pass.system || pass.calls == before {
        output.append(inner);
        return Ok(());
    }
    let span = match body {
        [] => Span::default(),
        [first, .., last] => Span::new(first.span.start, last.span.end.max(first.span.end)),
        [only] => only.span,
    };
    pass.emitted(inner.depth(), span)?;
    inner.single_values();
    let place = pass.hooks.place(span);
    output.push(&format!("(begin (if (s/%enter) (s/%check-depth {place}) #f) "));
    output.append(inner);
    output.push(")");
    Ok(())
}

fn parse<'n>(pass: &Pass<'_>, parameters: &'n Node) -> Result<LambdaList<'n>, ExpandError> {
    let mut list = LambdaList::default();
    let elements: &[Node] = match &parameters.kind {
        Kind::Symbol(symbol) if &*symbol.name == "nil" => &[],
        Kind::Symbol(_) => {
            list.rest = Some(parameters);
            return Ok(list);
        }
        Kind::List(elements) => elements,
        Kind::Dotted(elements, tail) => {
            list.rest = Some(tail);
            elements
        }
        _ => return pass.error(parameters.span, "lambda: expected a list of parameters"),
    };
    let mut section = "";
    let elements = match elements {
        [first, whole, others @ ..] if first.is_named("&whole") => {
            list.whole = Some(whole);
            others
        }
        elements => elements,
    };
    for element in elements {
        if let Some(symbol) = element.as_symbol().filter(|symbol| symbol.name.starts_with('&')) {
            section = match &*symbol.name {
                "&optional" => "optional",
                "&rest" | "&body" => "rest",
                "&key" => "key",
                "&aux" => "aux",
                "&allow-other-keys" => {
                    list.allow_other_keys = true;
                    section
                }
                "&whole" => {
                    let message = "lambda: &whole comes first, with a name after it";
                    return pass.error(element.span, message);
                }
                other => {
                    return pass.error(
                        element.span,
                        format!("lambda: unknown {other} in a list of parameters"),
                    );
                }
            };
            list.takes_keys |= section == "key";
            continue;
        }
        match section {
            "" => list.required.push(element),
            "optional" => list.optional.push(parameter(pass, element)?),
            "rest" if list.rest.is_none() => list.rest = Some(element),
            "rest" => {
                return pass.error(element.span, "lambda: one parameter follows &rest, not two");
            }
            "key" => list.keys.push(key_parameter(pass, element)?),
            _ => list.aux.push(parameter(pass, element)?),
        }
    }
    Ok(list)
}

/// Returns the lambda list of a macro with `&whole name` replaced by the name, which then takes the
/// first argument; `None` if it does not begin with that.
pub(super) fn without_whole(parameters: &Node) -> Option<Node> {
    let others = |elements: &[Node]| match elements {
        [first, others @ ..] if first.is_named("&whole") && !others.is_empty() => {
            Some(others.to_vec())
        }
        _ => None,
    };
    let kind = match &parameters.kind {
        Kind::List(elements) => Kind::List(others(elements)?),
        Kind::Dotted(elements, tail) => Kind::Dotted(others(elements)?, tail.clone()),
        _ => return None,
    };
    Some(Node::new(parameters.span, kind))
}

fn parameter<'n>(pass: &Pass<'_>, node: &'n Node) -> Result<Parameter<'n>, ExpandError> {
    match node.as_list() {
        None if node.as_symbol().is_some() => {
            Ok(Parameter { name: node, default: None, supplied: None })
        }
        Some([name, rest @ ..]) if name.as_symbol().is_some() && rest.len() <= 2 => {
            Ok(Parameter { name, default: rest.first(), supplied: rest.get(1) })
        }
        _ => pass.error(node.span, "lambda: expected a parameter: name or (name default supplied)"),
    }
}

fn key_parameter<'n>(
    pass: &Pass<'_>,
    node: &'n Node,
) -> Result<(Arc<str>, Parameter<'n>), ExpandError> {
    if let Some([names, rest @ ..]) = node.as_list()
        && let Some([Node { kind: Kind::Keyword(key), .. }, name]) = names.as_list()
    {
        return Ok((key.clone(), Parameter { name, default: rest.first(), supplied: rest.get(1) }));
    }
    let found = parameter(pass, node)?;
    let key = found.name.as_symbol().map_or_else(String::new, |symbol| symbol.name.to_lowercase());
    Ok((key.into(), found))
}

impl Pass<'_> {
    /// Makes a new variable for the symbol `node` and adds it to `bindings`.
    pub(super) fn bind(
        &mut self,
        node: &Node,
        bindings: &mut Vec<(Symbol, Binding)>,
    ) -> Result<u32, ExpandError> {
        let Some(symbol) = node.as_symbol() else {
            return self.error(node.span, "expected the name of a variable");
        };
        if matches!(&*symbol.name, "nil") {
            return self.error(node.span, "nil is a constant: it cannot be a variable");
        }
        let number = self.fresh();
        bindings.push((symbol.clone(), Binding::Variable(number)));
        Ok(number)
    }
}

type Body<'b> = dyn FnMut(&mut Pass<'_>, &Scope, &mut Output) -> Expanded + 'b;

fn emit(
    pass: &mut Pass<'_>,
    list: &LambdaList<'_>,
    body: &mut Body<'_>,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let mut bindings = Vec::new();
    let mut nested: Vec<(u32, &Node)> = Vec::new();
    output.push("(lambda ");
    let simple = list.optional.is_empty() && !list.takes_keys;
    let rest = list.rest.filter(|node| !(node.is_named("nil")));
    if list.required.is_empty() && (rest.is_some() || !simple) {
        // (lambda rest …)
    } else {
        output.push("(");
    }
    for (index, parameter) in list.required.iter().enumerate() {
        if index > 0 {
            output.push(" ");
        }
        let number = if parameter.as_symbol().is_some() {
            pass.bind(parameter, &mut bindings)?
        } else {
            // A list in the place of a parameter is destructured, as `defmacro` does.
            let number = pass.fresh();
            nested.push((number, parameter));
            number
        };
        output.push(&format!("v{number}"));
    }
    let mut remaining = None;
    if rest.is_some() || !simple {
        let number = match rest {
            Some(node) if simple => pass.bind(node, &mut bindings)?,
            _ => pass.fresh(),
        };
        output.push(&if list.required.is_empty() {
            format!("v{number} ")
        } else {
            format!(" . v{number}) ")
        });
        remaining = Some(number);
    } else {
        output.push(") ");
    }
    let mut scope = scope.with(bindings);
    let mut closing = 0;
    if let (Some(remaining), false) = (remaining, simple) {
        closing += optional_and_keys(pass, list, rest, remaining, &mut scope, output)?;
    }
    for aux in &list.aux {
        let mut bindings = Vec::new();
        let number = pass.bind(aux.name, &mut bindings)?;
        output.push(&format!("(let ((v{number} "));
        default(pass, aux.default, &scope, output)?;
        output.push(")) ");
        closing += 1;
        scope = scope.with(bindings);
    }
    nested_then_body(pass, &nested, body, &scope, output)?;
    output.push(&")".repeat(closing + 1));
    Ok(())
}

/// Destructures the lists in the places of parameters, each within the scope of the one before, and
/// then emits the body.
fn nested_then_body(
    pass: &mut Pass<'_>,
    nested: &[(u32, &Node)],
    body: &mut Body<'_>,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let Some(((number, pattern), more)) = nested.split_first() else {
        return body(pass, scope, output);
    };
    let list = parse(pass, pattern)?;
    let mut bindings = Vec::new();
    if let Some(whole) = list.whole {
        let own = pass.bind(whole, &mut bindings)?;
        output.push(&format!("(let ((v{own} v{number})) "));
    }
    let scope = scope.with(bindings);
    output.push("(s/%apply ");
    let mut rest = |pass: &mut Pass<'_>, scope: &Scope, output: &mut Output| {
        nested_then_body(pass, more, body, scope, output)
    };
    pass.deeper(pattern.span, |pass| emit(pass, &list, &mut rest, &scope, output))?;
    output.push(&format!(" v{number})"));
    output.push(if list.whole.is_some() { ")" } else { "" });
    Ok(())
}

fn default(
    pass: &mut Pass<'_>,
    form: Option<&Node>,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    match form {
        Some(form) => pass.form(form, scope, output),
        None => {
            output.push("'()");
            Ok(())
        }
    }
}

/// Emits nested `let`s for optional parameters, the rest parameter and keys. Returns how many
/// parentheses have to be closed.
fn optional_and_keys(
    pass: &mut Pass<'_>,
    list: &LambdaList<'_>,
    rest: Option<&Node>,
    mut remaining: u32,
    scope: &mut Scope,
    output: &mut Output,
) -> Result<usize, ExpandError> {
    let mut closing = 0;
    for optional in &list.optional {
        let given = pass.fresh();
        let next = pass.fresh();
        let mut bindings = Vec::new();
        let number = pass.bind(optional.name, &mut bindings)?;
        output.push(&format!("(let ((v{given} (#%prim.pair? v{remaining}))) (let ((v{number} (if v{given} (#%prim.car v{remaining}) "));
        default(pass, optional.default, scope, output)?;
        output.push(&format!(")) (v{next} (if v{given} (#%prim.cdr v{remaining}) '()))"));
        supplied(pass, optional.supplied, &format!("(if v{given} #t '())"), &mut bindings, output)?;
        output.push(") ");
        closing += 2;
        remaining = next;
        *scope = scope.with(bindings);
    }
    if let Some(rest) = rest {
        let mut bindings = Vec::new();
        let number = pass.bind(rest, &mut bindings)?;
        output.push(&format!("(let ((v{number} v{remaining})) "));
        closing += 1;
        *scope = scope.with(bindings);
    }
    let name = pass.function.clone().unwrap_or_else(|| "lambda".into());
    // The prelude's %general-find reports errors as find.
    let name = name.strip_prefix("%general-").unwrap_or(&name);
    if list.takes_keys {
        let keys: Vec<Node> = list
            .keys
            .iter()
            .map(|(key, _)| Node::new(Span::default(), Kind::Keyword(key.clone())))
            .collect();
        output.push("(begin (s/%check-keys ");
        output.string(name);
        output.push(" ");
        pass.quoted(&Node::list(Span::default(), keys), output);
        output
            .push(&format!(" v{remaining} {}) ", if list.allow_other_keys { "#t" } else { "#f" }));
        closing += 1;
    } else if rest.is_none() {
        output.push("(begin (s/%check-rest ");
        output.string(name);
        output.push(&format!(" v{remaining}) "));
        closing += 1;
    }
    for (key, parameter) in &list.keys {
        let found = pass.fresh();
        let mut bindings = Vec::new();
        let number = pass.bind(parameter.name, &mut bindings)?;
        output.push(&format!("(let ((v{found} (s/%find-key "));
        pass.quoted(&Node::new(Span::default(), Kind::Keyword(key.clone())), output);
        output.push(&format!(
            " v{remaining}))) (let ((v{number} (if (#%prim.pair? v{found}) (#%prim.car v{found}) "
        ));
        default(pass, parameter.default, scope, output)?;
        output.push("))");
        supplied(
            pass,
            parameter.supplied,
            &format!("(if (#%prim.pair? v{found}) #t '())"),
            &mut bindings,
            output,
        )?;
        output.push(") ");
        closing += 2;
        *scope = scope.with(bindings);
    }
    Ok(closing)
}

fn supplied(
    pass: &mut Pass<'_>,
    name: Option<&Node>,
    value: &str,
    bindings: &mut Vec<(Symbol, super::scope::Binding)>,
    output: &mut Output,
) -> Expanded {
    if let Some(name) = name {
        let number = pass.bind(name, bindings)?;
        output.push(&format!(" (v{number} {value})"));
    }
    Ok(())
}
