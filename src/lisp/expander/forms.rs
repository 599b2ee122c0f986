//! The table of special forms, and the simplest of them.

use std::collections::HashMap;

use super::output::Output;
use super::{Expanded, Pass, Scope, SpecialForm, names};
use super::{bodies, common, control, definitions, lambda_list, loop_form, loops, quasiquote};
use crate::lisp::node::{Kind, Node};

pub(super) fn table() -> HashMap<&'static str, SpecialForm> {
    let table: [(&'static str, SpecialForm); 52] = [
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
        ("letrec-syntax", definitions::let_syntax),
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
        ("funcall", common::funcall),
        ("case", common::case),
        ("ecase", common::ecase),
        ("setf", common::setf),
        ("declare", common::nothing),
        ("declaim", common::nothing),
        ("in-package", common::nothing),
    ];
    table.into_iter().collect()
}

impl Pass<'_> {
    /// The elements of a special form after its name; between `least` and `most` of them.
    pub(super) fn parts<'n>(&self, node: &'n Node, least: usize, most: usize, shape: &str) -> Result<&'n [Node], super::ExpandError> {
        let elements = node.as_list().unwrap_or_default();
        let parts = elements.get(1..).unwrap_or_default();
        if parts.len() < least || parts.len() > most {
            let name = elements.first().and_then(Node::as_symbol).map_or("form", |symbol| &symbol.name);
            return self.error(node.span, format!("{name}: expected ({name}{shape})"));
        }
        Ok(parts)
    }

    /// Emits forms one after the other; the value is the last one's.
    pub(super) fn sequence(&mut self, forms: &[Node], scope: &Scope, output: &mut Output) -> Expanded {
        match forms {
            [] => output.push("'()"),
            [only] => self.form(only, scope, output)?,
            _ => {
                output.push("(begin");
                for form in forms {
                    output.push(" ");
                    self.form(form, scope, output)?;
                }
                output.push(")");
            }
        }
        Ok(())
    }

    /// Emits a form where only its truth matters, as a value the core's `if` decides on: the empty list is false.
    pub(super) fn test(&mut self, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
        if let Some([head, rest @ ..]) = node.as_list() {
            if (self.is_language(head, "not", scope) || self.is_language(head, "null", scope)) && rest.len() == 1 {
                output.push("(#%prim.not ");
                self.test(&rest[0], scope, output)?;
                output.push(")");
                return Ok(());
            }
            let inline = head.as_symbol().is_some_and(|symbol| names::PREDICATES.contains(&&*symbol.name));
            if inline {
                let mut callee = Output::default();
                self.function_reference(head.as_symbol().expect("checked above"), head.span, scope, &mut callee)?;
                if callee.text.starts_with("#%prim.") {
                    return self.form(node, scope, output);
                }
            }
        }
        if matches!(&node.kind, Kind::Boolean(_)) || node.is_named("t") || node.is_named("else") {
            return self.form(node, scope, output);
        }
        output.push("(s/%true? ");
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

/// `#'f` is `f`; `#'(lambda …)` the function.
fn function(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, 1, " name")?;
    if (parts[0].is_named("not") || parts[0].is_named("null"))
        && pass.is_language(&parts[0], "not", scope) | pass.is_language(&parts[0], "null", scope)
    {
        output.push("s/%not");
        return Ok(());
    }
    pass.form(&parts[0], scope, output)
}

fn if_(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 2, 3, " test then else")?;
    output.push("(if ");
    pass.test(&parts[0], scope, output)?;
    output.push(" ");
    pass.form(&parts[1], scope, output)?;
    output.push(" ");
    match parts.get(2) {
        Some(otherwise) => pass.form(otherwise, scope, output)?,
        None => output.push("'()"),
    }
    output.push(")");
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
    for test in tests {
        output.push("(if ");
        pass.test(test, scope, output)?;
        output.push(" ");
    }
    pass.form(last, scope, output)?;
    output.push(&" '())".repeat(tests.len()));
    Ok(())
}

fn or(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 0, usize::MAX, "")?;
    let Some((last, tests)) = parts.split_last() else {
        output.push("'()");
        return Ok(());
    };
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
    output.push("(if ");
    pass.test(&parts[0], scope, output)?;
    output.push(" ");
    pass.sequence(&parts[1..], scope, output)?;
    output.push(" '())");
    Ok(())
}

fn unless(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " test form …")?;
    output.push("(if ");
    pass.test(&parts[0], scope, output)?;
    output.push(" '() ");
    pass.sequence(&parts[1..], scope, output)?;
    output.push(")");
    Ok(())
}

fn cond(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let clauses = pass.parts(node, 0, usize::MAX, "")?;
    let mut closing = 0;
    for clause in clauses {
        let Some([test, body @ ..]) = clause.as_list() else {
            return pass.error(clause.span, "cond: expected a clause (test form …)");
        };
        let start = output.text.len();
        if test.is_named("else") {
            pass.sequence(body, scope, output)?;
            output.push(&")".repeat(closing));
            return Ok(());
        }
        if let [arrow, receiver] = body
            && arrow.is_named("=>")
        {
            let variable = pass.fresh();
            output.push(&format!("(let ((v{variable} "));
            pass.form(test, scope, output)?;
            output.push(&format!(")) (if (s/%true? v{variable}) ("));
            pass.form(receiver, scope, output)?;
            output.push(&format!(" v{variable}) "));
            closing += 2;
        } else if body.is_empty() {
            let variable = pass.fresh();
            output.push(&format!("(let ((v{variable} "));
            pass.form(test, scope, output)?;
            output.push(&format!(")) (if (s/%true? v{variable}) v{variable} "));
            closing += 2;
        } else {
            output.push("(if ");
            pass.test(test, scope, output)?;
            output.push(" ");
            pass.sequence(body, scope, output)?;
            output.push(" ");
            closing += 1;
        }
        let _ = start;
    }
    output.push("'()");
    output.push(&")".repeat(closing));
    Ok(())
}

fn not(pass: &mut Pass<'_>, node: &Node, scope: &Scope, output: &mut Output) -> Expanded {
    let parts = pass.parts(node, 1, 1, " value")?;
    output.push("(#%prim.not ");
    pass.test(&parts[0], scope, output)?;
    output.push(")");
    Ok(())
}
