//! Prepares the data that `parallel-map` sends to other engines: the text of a function, and the
//! globals of the script.
//!
//! A function is sent as text, so it must not depend on lexical variables. The expander expands it
//! once on trial and records in [`Sent`] which variables around it it mentions.

use std::sync::Arc;

use super::output::Output;
use super::scope::{Binding, Meaning};
use super::{Expanded, Pass, Scope, names};
use crate::lisp::datum::Datum;
use crate::lisp::node::{Kind, Node, Symbol};
use crate::lisp::printer;

/// The variables outside a function that the function mentions.
pub(super) struct Sent {
    /// The highest number among the variables outside it.
    last_outside: u32,
    mentioned: Vec<(u32, Arc<str>)>,
}

impl Pass<'_> {
    /// Records that a lexical variable is mentioned.
    pub(super) fn mentions(&mut self, number: u32, symbol: &Symbol) {
        if let Some(sent) = self.sent.as_mut().filter(|sent| number <= sent.last_outside) {
            sent.mentioned.push((number, symbol.name.clone()));
        }
    }

    /// Returns the first outside variable that a function mentions. The function is expanded on
    /// trial and the output dropped.
    fn seen_outside(
        &mut self,
        function: &Node,
        scope: &Scope,
    ) -> Result<Option<Arc<str>>, super::ExpandError> {
        let sent = Sent { last_outside: self.memory.counter, mentioned: Vec::new() };
        let outer = self.sent.replace(sent);
        let (blocks, calls) = (std::mem::take(&mut self.blocks), self.calls);
        let tagbodies = std::mem::take(&mut self.tagbodies);
        let expanded = self.apart(|pass, output| pass.form(function, scope, output));
        (self.blocks, self.calls, self.tagbodies) = (blocks, calls, tagbodies);
        let sent = std::mem::replace(&mut self.sent, outer);
        expanded?;
        let mentioned = sent.map(|sent| sent.mentioned).unwrap_or_default();
        if let Some(outer) = &mut self.sent {
            outer.mentioned.extend(
                mentioned.iter().filter(|(number, _)| *number <= outer.last_outside).cloned(),
            );
        }
        Ok(mentioned.into_iter().next().map(|(_, name)| name))
    }
}

/// `(%function-text f)`: the text of a lambda form or of the name of a global function. For
/// anything else it is a list of one string, the error message.
pub(super) fn function_text(
    pass: &mut Pass<'_>,
    node: &Node,
    scope: &Scope,
    output: &mut Output,
) -> Expanded {
    let function = &pass.parts(node, 1, 1, " f")?[0];
    let function = match function.as_list() {
        Some([head, named])
            if pass.is_language(head, "function", scope)
                || pass.is_language(head, "quote", scope) =>
        {
            named
        }
        _ => function,
    };
    let text = match (&function.kind, function.as_list()) {
        (Kind::Symbol(symbol), _) => match pass.resolve(symbol, scope) {
            Meaning::Global { name, .. } => {
                Ok(format!("#'{}", printer::readably(&Datum::Symbol(name.to_string()))))
            }
            Meaning::Bound(
                Binding::Variable(_) | Binding::Grouped(_) | Binding::Macro(_) | Binding::Form(_),
            ) => Err(unseen(&symbol.name)),
        },
        (_, Some([head, ..]))
            if pass.is_language(head, "lambda", scope) || pass.is_language(head, "fn", scope) =>
        {
            match pass.seen_outside(function, scope)? {
                None => Ok(printer::readably(&function.datum())),
                Some(name) => Err(unseen(&name)),
            }
        }
        (_, Some([head, ..])) => Err(format!("{EXPECTED}, got {}", call_of(head))),
        _ => Err(format!("{EXPECTED}, got {}", printer::readably(&function.datum()))),
    };
    let constant = match text {
        Ok(text) => Datum::String(text),
        Err(wrong) => Datum::List(vec![Datum::String(wrong)]),
    };
    output.push(&pass.hooks.constant(&constant));
    Ok(())
}

const EXPECTED: &str = "f: expected a lambda form or the name of a function";

fn unseen(name: &str) -> String {
    format!("f: {name} is not seen in parallel-map: only top-level definitions are")
}

/// Returns a call without its arguments, which may hold a password.
fn call_of(head: &Node) -> String {
    head.as_symbol().map_or_else(|| "a call".to_owned(), |symbol| format!("({} …)", symbol.name))
}

/// `(%visible-globals)`: the globals that the script has set.
pub(super) fn visible_globals(
    pass: &mut Pass<'_>,
    node: &Node,
    _: &Scope,
    output: &mut Output,
) -> Expanded {
    pass.parts(node, 0, 0, "")?;
    pass.hooks.want_globals();
    output.push(&format!("({})", names::VISIBLE_GLOBALS));
    Ok(())
}
