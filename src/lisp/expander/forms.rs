//! The table of special forms, the emitters that all of them use, and the simplest forms.
//!
//! Every special form is a function that checks its shape with `Pass::parts` and appends to an
//! [`Output`]. There are three ways to emit a subform: for its value (`Pass::form`), for its truth
//! (`Pass::test`), or for its effect only (`Pass::effect`).

use std::collections::HashMap;

use super::output::{Output, TRUE, conditional};
use super::scope::Meaning;
use super::template::Hole::One;
use super::{Expanded, Pass, Scope, SpecialForm, names};
use super::{
    bodies, common, conditions, control, definitions, lambda_list, local_macros, loop_form, loops,
    matching, parallel, place_forms, places, quasiquote, structures,
};
use crate::lisp::node::{Kind, Node};

pub(super) fn table() -> HashMap<&'static str, SpecialForm> {
    let table: [(&'static str, SpecialForm); 88] = [
        ("quote", quote),
        ("function", function),
        ("if", if_),
        ("begin", begin),
        ("progn", begin),
        ("and", and),
        ("or", or),
        ("when", when),
        ("unless", unless),
        ("cond", cond),
        ("not", not),
        ("null", not),
        ("quasiquote", quasiquote::quasiquote),
        ("unquote", quasiquote::misplaced),
        ("unquote-splicing", quasiquote::misplaced),
        ("lambda", lambda_list::lambda),
        ("fn", lambda_list::lambda),
        ("define", definitions::define),
        ("defun", definitions::defun),
        ("defvar", definitions::defvar),
        ("defparameter", definitions::defparameter),
        ("defconstant", definitions::defparameter),
        ("define-values", definitions::define_values),
        ("define-syntax", definitions::define_syntax),
        ("defmacro", definitions::defmacro),
        ("let-syntax", definitions::let_syntax),
        ("macrolet", local_macros::macrolet),
        ("symbol-macrolet", local_macros::symbol_macrolet),
        ("%name-bound?", local_macros::is_name_bound),
        ("%name-called?", local_macros::is_name_called),
        ("%unbind-name", local_macros::unbind_name),
        ("letrec-syntax", definitions::letrec_syntax),
        ("set!", definitions::set),
        ("setq", definitions::set),
        ("let", bodies::let_),
        ("let*", bodies::let_star),
        ("letrec", bodies::letrec),
        ("letrec*", bodies::letrec),
        ("labels", bodies::labels),
        ("flet", bodies::flet),
        ("do", loops::do_),
        ("do*", loops::do_star),
        ("while", loops::while_),
        ("loop", loop_form::loop_),
        ("dolist", loops::dolist),
        ("dotimes", loops::dotimes),
        ("multiple-value-bind", loops::multiple_value_bind),
        ("block", control::block),
        ("return-from", control::return_from),
        ("return", control::return_),
        ("tagbody", control::tagbody),
        ("go", control::go),
        ("prog", control::prog),
        ("prog*", control::prog),
        ("funcall", common::funcall),
        ("case", common::case),
        ("ecase", common::ecase),
        ("match", matching::match_),
        ("setf", place_forms::setf),
        ("psetq", place_forms::psetf),
        ("psetf", place_forms::psetf),
        ("incf", place_forms::incf),
        ("decf", place_forms::decf),
        ("push", place_forms::push),
        ("pushnew", place_forms::pushnew),
        ("pop", place_forms::pop),
        ("shiftf", place_forms::shiftf),
        ("rotatef", place_forms::rotatef),
        ("defsetf", place_forms::defsetf),
        ("defstruct", structures::defstruct),
        ("define-condition", conditions::define_condition),
        ("check-type", conditions::check_type),
        ("define-record-type", structures::define_record_type),
        ("define-modify-macro", place_forms::define_modify_macro),
        ("%structure", structures::literal),
        ("%modify", place_forms::modify),
        ("declare", common::nothing),
        ("declaim", common::nothing),
        ("proclaim", common::nothing),
        ("in-package", common::nothing),
        ("defpackage", common::nothing),
        ("use-package", common::nothing),
        ("export", common::nothing),
        ("import", common::nothing),
        ("define-library", common::nothing),
        ("if*", common::if_star),
        ("%function-text", parallel::function_text),
        ("%visible-globals", parallel::visible_globals),
    ];
    table.into_iter().collect()
}

impl Pass<'_> {
    /// Returns the elements of a special form after its name, or an error that shows `shape` unless
    /// there are between `least` and `most` of them.
    pub(super) fn parts<'n>(
        &self,
        node: &'n Node,
        least: usize,
        most: usize,
        shape: &str,
    ) -> Result<&'n [Node], super::ExpandError> {
        let elements = node.as_list().unwrap_or_default();
        let parts = elements.get(1..).unwrap_or_default();
        if parts.len() < least || parts.len() > most {
            let name =
                elements.first().and_then(Node::as_symbol).map_or("form", |symbol| &symbol.name);
            return self.error(node.span, format!("{name}: expected ({name}{shape})"));
        }
        Ok(parts)
    }

    /// Returns the elements of a part that must be a list, none for `nil`. The error says what
    /// `form` expects.
    pub(super) fn list<'n>(
        &self,
        part: &'n Node,
        form: &str,
        expected: &str,
    ) -> Result<&'n [Node], super::ExpandError> {
        match part.as_list() {
            Some(elements) => Ok(elements),
            None if part.is_named("nil") => Ok(&[]),
            None => self.error(part.span, format!("{form}: expected {expected}")),
        }
    }

    /// Returns the output of `emit` separately.
    pub(super) fn apart(
        &mut self,
        emit: impl FnOnce(&mut Self, &mut Output) -> Expanded,
    ) -> Result<Output, super::ExpandError> {
        let mut output = Output::default();
        emit(self, &mut output)?;
        Ok(output)
    }

    /// Emits forms in sequence; the value is that of the last one.
    pub(super) fn sequence(
        &mut self,
        forms: &[Node],
        scope: &Scope,
        output: &mut Output,
    ) -> Expanded {
        match forms {
            [] => output.push("'()"),
            [only] => self.form(only, scope, output)?,
            _ => {
                output.push("(begin");
                for (index, form) in forms.iter().enumerate() {
                    output.push(" ");
                    if index + 1 < forms.len() {
                        self.effect(form, scope, output)?
                    } else {
                        self.form(form, scope, output)?
                    }
                }
                output.push(")");
            }
        }
        Ok(())
    }

    /// Emits a form whose value is not used, so an assignment need not return one.
    fn effect(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        match node.as_list() {
            Some([head, target, _])
                if self.is_language(head, "setq", scope)
                    || self.is_language(head, "set!", scope) =>
            {
                let start = output.text.len();
                self.deeper(node.span, |pass| {
                    definitions::set_only(pass, target, node, scope, output)
                })?;
                output.mark(start, node.span);
                Ok(())
            }
            _ => self.form(node, scope, output),
        }
    }

    /// Emits a form of which only the truth matters, as a value that the core's `if` can test. The
    /// script's false is the empty list, which the core takes for true; so the value is wrapped in
    /// `s/%true?` unless it is known to be `#t` or `#f`.
    pub(super) fn test(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        if let Some([head, rest @ ..]) = node.as_list() {
            if (self.is_language(head, "not", scope) || self.is_language(head, "null", scope))
                && rest.len() == 1
            {
                output.push("(#%prim.not ");
                self.test(&rest[0], scope, output)?;
                output.push(")");
                return Ok(());
            }
            if let Some(symbol) =
                head.as_symbol().filter(|symbol| names::OWN_PREDICATES.contains(&&*symbol.name))
                && matches!(self.resolve(symbol, scope), Meaning::Global { system: true, .. })
            {
                return self.form(node, scope, output);
            }
            let inline =
                head.as_symbol().is_some_and(|symbol| names::PREDICATES.contains(&&*symbol.name));
            if inline {
                let mut callee = Output::default();
                self.function_reference(
                    head.as_symbol().expect("checked above"),
                    head.span,
                    scope,
                    &mut callee,
                )?;
                if callee.text.starts_with("#%prim.") || callee.text.starts_with("s/") {
                    return self.form(node, scope, output);
                }
            }
        }
        let is_true = node.as_symbol().is_some_and(|symbol| {
            matches!(&*symbol.name, "t" | "else")
                && matches!(self.resolve(symbol, scope), Meaning::Global { .. })
        });
        if is_true || matches!(&node.kind, Kind::Boolean(_)) {
            return self.form(node, scope, output);
        }
        output.push(TRUE);
        self.form(node, scope, output)?;
        output.push(")");
        Ok(())
    }
}

fn quote(pass: &mut Pass<'_>, node: &Node, _: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, 1, " datum")?;
    pass.quoted(&parts[0], output);
    Ok(())
}

/// `#'f` is `f`, and `#'(lambda …)` is the function.
fn function(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, 1, " name")?;
    if (parts[0].is_named("not") || parts[0].is_named("null"))
        && pass.is_language(&parts[0], "not", scope) | pass.is_language(&parts[0], "null", scope)
    {
        output.push("s/%not");
        return Ok(());
    }
    if pass.is_global(&parts[0], "apply", scope) {
        output.push("s/%apply");
        return Ok(());
    }
    let setter = places::setter_name(&parts[0]);
    if let Some((place, _)) = &setter
        && let Some(places::Setter::Slot { .. }) = pass.memory.setters.get(place)
    {
        let mark = pass.system_mark();
        let place = Node::symbol(node.span, place);
        let text = "(lambda (value object) (setf ($1 object) value))";
        let form = pass.template(text, mark, node.span, &[One(&place)]);
        return pass.form(&form, scope, output);
    }
    let setter = setter.map(|(_, function)| function);
    let name = setter.as_ref().unwrap_or(&parts[0]);
    match name.as_symbol() {
        // In other places `*` may be the prompt's last value.
        Some(symbol) if &*symbol.name == "*" => {
            pass.function_reference(symbol, parts[0].span, scope, output)
        }
        Some(symbol) if pass.is_local_variable(symbol, scope) => {
            pass.function_name(symbol, parts[0].span, scope, output)
        }
        _ => pass.function_value(name, scope, output),
    }
}

fn if_(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 2, 3, " test then else")?;
    let test = pass.apart(|pass, output| pass.test(&parts[0], scope, output))?;
    let then = pass.apart(|pass, output| pass.form(&parts[1], scope, output))?;
    let otherwise = pass.apart(|pass, output| pass.sequence(&parts[2..], scope, output))?;
    output.append(conditional(test, then, otherwise));
    Ok(())
}

fn begin(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, "")?;
    pass.sequence(parts, scope, output)
}

fn and(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, "")?;
    let Some((last, tests)) = parts.split_last() else {
        output.push("#t");
        return Ok(());
    };
    pass.emitted(parts.len(), node.span)?; // each is nested in the one before
    let tests = tests
        .iter()
        .map(|test| pass.apart(|pass, output| pass.test(test, scope, output)))
        .collect::<Result<Vec<_>, _>>()?;
    let last = pass.apart(|pass, output| pass.form(last, scope, output))?;
    output.append(
        tests.into_iter().rfold(last, |then, test| conditional(test, then, Output::from("'()"))),
    );
    Ok(())
}

fn or(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, "")?;
    let Some((last, tests)) = parts.split_last() else {
        output.push("'()");
        return Ok(());
    };
    pass.emitted(parts.len(), node.span)?;
    for test in tests {
        let variable = pass.fresh();
        output.push(&format!("(let ((v{variable} "));
        pass.form(test, scope, output)?;
        output.push(&format!(")) (if (s/%true? v{variable}) v{variable} "));
    }
    pass.form(last, scope, output)?;
    output.push(&"))".repeat(tests.len()));
    Ok(())
}

fn when(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " test form …")?;
    let test = pass.apart(|pass, output| pass.test(&parts[0], scope, output))?;
    let then = pass.apart(|pass, output| pass.sequence(&parts[1..], scope, output))?;
    output.append(conditional(test, then, Output::from("'()")));
    Ok(())
}

fn unless(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " test form …")?;
    let test = pass.apart(|pass, output| pass.test(&parts[0], scope, output))?;
    let otherwise = pass.apart(|pass, output| pass.sequence(&parts[1..], scope, output))?;
    output.append(conditional(test, Output::from("'()"), otherwise));
    Ok(())
}

/// An expanded clause of `cond`: its test, the variable that keeps the test's value if it is
/// needed, and the body.
struct Clause {
    test: Output,
    variable: Option<u32>,
    body: Output,
}

fn cond(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let clauses = pass.parts(node, 0, usize::MAX, "")?;
    pass.emitted(clauses.len(), node.span)?; // each is nested in the one before
    let mut expanded = Vec::with_capacity(clauses.len());
    let mut otherwise = Output::from("'()");
    for clause in clauses {
        let Some([test, body @ ..]) = clause.as_list() else {
            return pass.error(clause.span, "cond: expected a clause (test form …)");
        };
        if test.is_named("else") {
            otherwise = pass.apart(|pass, output| pass.sequence(body, scope, output))?;
            break;
        }
        expanded.push(pass.clause(test, body, scope)?);
    }
    output.append(
        expanded.into_iter().rfold(otherwise, |otherwise, clause| clause.before(otherwise)),
    );
    Ok(())
}

impl Pass<'_> {
    fn clause(
        &mut self,
        test: &Node,
        body: &[Node],
        scope: &Scope,
    ) -> Result<Clause, super::ExpandError> {
        let receiver = match body {
            [arrow, receiver] if arrow.is_named("=>") => Some(receiver),
            [] => None,
            _ => {
                let test = self.apart(|pass, output| pass.test(test, scope, output))?;
                let body = self.apart(|pass, output| pass.sequence(body, scope, output))?;
                return Ok(Clause { test, variable: None, body });
            }
        };
        let variable = self.fresh();
        let test = self.apart(|pass, output| pass.form(test, scope, output))?;
        let body = self.apart(|pass, output| {
            let Some(receiver) = receiver else {
                output.push(&format!("v{variable}"));
                return Ok(());
            };
            output.push("(");
            pass.form(receiver, scope, output)?;
            output.push(&format!(" v{variable})"));
            Ok(())
        })?;
        Ok(Clause { test, variable: Some(variable), body })
    }
}

impl Clause {
    /// Returns the conditional of this clause, with `otherwise` for a false test.
    fn before(self, otherwise: Output) -> Output {
        let Some(variable) = self.variable else {
            return conditional(self.test, self.body, otherwise);
        };
        let mut output = Output::default();
        output.push(&format!("(let ((v{variable} "));
        output.append(self.test);
        output.push(")) ");
        output.append(conditional(
            Output::from(&format!("{TRUE}v{variable})")),
            self.body,
            otherwise,
        ));
        output.push(")");
        output
    }
}

fn not(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, 1, " value")?;
    output.push("(#%prim.not ");
    pass.test(&parts[0], scope, output)?;
    output.push(")");
    Ok(())
}
