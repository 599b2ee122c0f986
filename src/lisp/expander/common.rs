//! Common Lisp's `funcall`, `case` and `ecase`.

use super::output::{Output, conditional};
use super::template::Hole;
use super::{Expanded, Pass, Scope};
use crate::lisp::node::{Kind, Node};

/// `declare` and similar forms have no effect here.
pub(super) fn nothing(_: &mut Pass<'_>, _: &Node, _: &Scope, output: &mut Output) -> Expanded {
    output.push("'()");
    Ok(())
}

/// Allegro CL's `(if* test then form … elseif test then form … else form …)`. `thenret` in place of
/// `then` returns the value of the test.
pub(super) fn if_star(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    const SHAPE: &str = " test then form … [elseif test then form …] [else form …]";
    const WORDS: [&str; 4] = ["then", "thenret", "elseif", "else"];
    let mut parts = pass.parts(node, 2, usize::MAX, SHAPE)?;
    let wrong = |span| pass.error(span, format!("if*: expected (if*{SHAPE})"));
    let mut clauses = Vec::new();
    loop {
        let [test, word, rest @ ..] = parts else { return wrong(node.span) };
        let is_word = |form: &Node| WORDS.iter().any(|word| form.is_named(word));
        let end = rest.iter().position(is_word).unwrap_or(rest.len());
        let (forms, rest) = rest.split_at(end);
        let nothing = [Node::list(word.span, Vec::new())];
        let forms = match forms {
            [] if word.is_named("then") => &nothing,
            [_, ..] if word.is_named("then") => forms,
            [] if word.is_named("thenret") => forms,
            _ => return wrong(word.span),
        };
        clauses.push(Node::list(test.span, [std::slice::from_ref(test), forms].concat()));
        match rest {
            [] => break,
            [word, rest @ ..] if word.is_named("elseif") => parts = rest,
            [word, forms @ ..]
                if word.is_named("else") && !forms.is_empty() && !forms.iter().any(is_word) =>
            {
                let otherwise = Node::symbol(word.span, "t");
                clauses.push(Node::list(word.span, [&[otherwise], forms].concat()));
                break;
            }
            [word, ..] => return wrong(word.span),
        }
    }
    let mark = pass.system_mark();
    let form = pass.template("(cond $1)", mark, node.span, &[Hole::Many(&clauses)]);
    pass.form(&form, scope, output)
}

/// `(funcall f argument …)` is emitted as a plain call, so it can be a tail call.
pub(super) fn funcall(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " function argument …")?;
    pass.calls += 1;
    output.push("((s/%callable ");
    match parts[0].as_list() {
        // (funcall 'f x)
        Some([quote, name])
            if quote.is_named("quote")
                && name.as_symbol().is_some_and(|symbol| !matches!(&*symbol.name, "nil" | "t")) =>
        {
            match name.as_symbol().filter(|symbol| pass.is_local_variable(symbol, scope)) {
                Some(symbol) => pass.function_name(symbol, name.span, scope, output)?,
                None => pass.function_value(name, scope, output)?,
            }
        }
        _ => pass.form(&parts[0], scope, output)?,
    }
    output.push(")");
    for argument in &parts[1..] {
        output.push(" ");
        pass.single(argument, scope, output)?;
    }
    output.push(")");
    Ok(())
}

pub(super) fn case(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    dispatch(pass, node, scope, output, false)
}

pub(super) fn ecase(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    dispatch(pass, node, scope, output, true)
}

fn dispatch(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
    exhaustive: bool,
) -> Expanded {
    let parts = pass.parts(node, 1, usize::MAX, " value (keys form …) …")?;
    pass.emitted(parts.len(), node.span)?; // each clause is nested in the one before
    let variable = pass.fresh();
    output.push(&format!("(let ((v{variable} "));
    pass.form(&parts[0], scope, output)?;
    output.push(")) ");
    let mut expanded = Vec::new();
    let mut otherwise = Output::from(&if exhaustive {
        format!("(s/%no-case v{variable})")
    } else {
        "'()".to_owned()
    });
    for clause in &parts[1..] {
        let Some([keys, body @ ..]) = clause.as_list() else {
            return pass.error(clause.span, "case: expected a clause (keys form …)");
        };
        let arrow = matches!(body, [arrow, _] if arrow.is_named("=>"));
        let body =
            pass.apart(|pass, output| emit_clause(pass, body, arrow, variable, scope, output))?;
        if keys.is_named("else") || keys.is_named("otherwise") || keys.is_named("t") {
            otherwise = body;
            break;
        }
        let keys = match &keys.kind {
            Kind::List(_) => keys.clone(),
            _ if keys.is_named("nil") => Node::list(keys.span, Vec::new()),
            _ => Node::list(keys.span, vec![keys.clone()]),
        };
        let mut test = Output::from(&format!("(s/%one-of? v{variable} "));
        pass.quoted(&keys, &mut test);
        test.push(")");
        expanded.push((test, body));
    }
    output.append(
        expanded
            .into_iter()
            .rfold(otherwise, |otherwise, (test, body)| conditional(test, body, otherwise)),
    );
    output.push(")");
    Ok(())
}

fn emit_clause(
    pass: &mut Pass<'_>,
    body: &[Node],
    arrow: bool,
    variable: u32,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    if !arrow {
        return pass.sequence(body, scope, output);
    }
    output.push("(");
    pass.form(&body[1], scope, output)?;
    output.push(&format!(" v{variable})"));
    Ok(())
}
