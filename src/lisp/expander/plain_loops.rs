//! Makes the emitted text of loops cheaper.
//!
//! A loop is emitted as a function that calls itself:
//!
//! ```text
//! ((lambda (v1) (v1 v1 init …)) (lambda (v1 v2 …) (if test (begin body (v1 v1 next …)) exit)))
//! ```
//!
//! If all these calls are in tail position, the function needs no check for endless recursion, which
//! takes about a third of the time of an empty round. The check also drops several values that
//! nobody has asked for, so the exits do that instead. And an assignment whose value is not used need
//! not return one.
//!
//! The pass works on the emitted text and collects edits, so the map to the script stays right.

use super::output::{Edit, Output};

/// The start of the check for endless recursion.
const ENTER: &str = "(if (s/%enter)";

/// Rewrites the loops of a top-level form.
pub(super) fn simplify(output: &mut Output) {
    if !output.text.contains("((lambda (v") {
        return;
    }
    let (mut at, mut edits) = (0, Vec::new());
    while let Some(form) = Form::read(output.text.as_bytes(), &mut at) {
        Walk { text: &output.text, edits: &mut edits }.form(&form, false);
    }
    output.edit(edits);
}

/// A form of the emitted text: a list with its parts, or anything else.
struct Form {
    start: usize,
    end: usize,
    parts: Vec<Form>,
}

impl Form {
    /// Reads the form at `at` or after it, and moves `at` behind it.
    fn read(text: &[u8], at: &mut usize) -> Option<Form> {
        while matches!(text.get(*at)?, b' ' | b'\n') {
            *at += 1;
        }
        let start = *at;
        let mut parts = Vec::new();
        match text[start] {
            b'(' => {
                *at += 1;
                while let Some(part) = Form::read(text, at) {
                    parts.push(part);
                }
                *at += 1;
            }
            b')' => return None,
            b'\'' => {
                *at += 1;
                Form::read(text, at);
            }
            b'"' => {
                *at += 1;
                while text.get(*at).is_some_and(|byte| *byte != b'"') {
                    *at += if text[*at] == b'\\' { 2 } else { 1 };
                }
                *at += 1;
            }
            _ => {
                while !matches!(text.get(*at), None | Some(b' ' | b'\n' | b'(' | b')')) {
                    *at += 1;
                }
            }
        }
        *at = (*at).min(text.len());
        Some(Form { start, end: *at, parts })
    }

    fn is(&self, text: &str, word: &str) -> bool {
        &text[self.start..self.end] == word
    }
}

struct Walk<'t> {
    text: &'t str,
    edits: &'t mut Vec<Edit>,
}

impl Walk<'_> {
    /// `is_unused` tells that nothing uses the form's value.
    fn form(&mut self, form: &Form, is_unused: bool) {
        let Some(head) = form.parts.first() else { return };
        let rest = &form.parts[1..];
        match (&self.text[head.start..head.end], rest) {
            ("begin", [before @ .., set, value])
                if is_unused && set.parts.len() == 3 && is_variable(self.text, value) =>
            {
                self.edits.push(Edit::cut(set.end, value.end));
                before.iter().chain([set]).for_each(|form| self.form(form, true));
            }
            ("begin", forms) => self.sequence(forms, is_unused),
            ("let", [bindings, body @ ..]) => {
                let inits = bindings.parts.iter().flat_map(|binding| &binding.parts);
                inits.for_each(|init| self.form(init, false));
                self.sequence(body, is_unused);
            }
            ("if", [test, branches @ ..]) => {
                self.form(test, false);
                branches.iter().for_each(|branch| self.form(branch, is_unused));
            }
            ("lambda", [_, body @ ..]) => self.sequence(body, false),
            _ => {
                self.a_loop(form);
                form.parts.iter().for_each(|part| self.form(part, false));
            }
        }
    }

    fn sequence(&mut self, forms: &[Form], is_unused: bool) {
        let Some((last, before)) = forms.split_last() else { return };
        before.iter().for_each(|form| self.form(form, true));
        self.form(last, is_unused);
    }

    /// Removes the check from the form if it is a loop.
    fn a_loop(&mut self, form: &Form) -> Option<()> {
        let [start, function] = &form.parts[..] else { return None };
        let [start_lambda, names, first] = &start.parts[..] else { return None };
        let [lambda, parameters, body] = &function.parts[..] else { return None };
        let [own] = &names.parts[..] else { return None };
        let [begin, enter, inner] = &body.parts[..] else { return None };
        let text = self.text;
        let own = &text[own.start..own.end];
        let is_loop = start_lambda.is(text, "lambda")
            && lambda.is(text, "lambda")
            && parameters.parts.first()?.is(text, own)
            && begin.is(text, "begin")
            && text[enter.start..].starts_with(ENTER);
        let is_call = |call: &Form| match &call.parts[..] {
            [head, itself, ..] => head.is(text, own) && itself.is(text, own),
            _ => false,
        };
        let (mut calls, mut exits) = (0, Vec::new());
        tails(text, inner, &mut |tail| match is_call(tail) {
            true => calls += 1,
            false => exits.push((tail.start, tail.end)),
        });
        // Each call mentions the function twice. Other mentions are not in tail position.
        if !is_loop || !is_call(first) || mentions(text, inner, own) != calls * 2 {
            return None;
        }
        self.edits.push(Edit::cut(body.start, inner.start));
        self.edits.push(Edit::cut(inner.end, body.end));
        for (start, end) in exits {
            if !text[start..end].starts_with("(s/%single ") {
                self.edits.push(Edit::open(start, "(begin (s/%forget-values) ".to_owned()));
                self.edits.push(Edit::close(end, ")".to_owned()));
            }
        }
        Some(())
    }
}

fn is_variable(text: &str, form: &Form) -> bool {
    let name = text[form.start..form.end].strip_prefix('v');
    name.is_some_and(|number| number.starts_with(|it: char| it.is_ascii_digit()))
}

/// Calls `found` with each form in tail position of a body.
fn tails(text: &str, form: &Form, found: &mut dyn FnMut(&Form)) {
    match &form.parts[..] {
        [head, .., last] if head.is(text, "begin") || head.is(text, "let") => {
            tails(text, last, found);
        }
        [head, _, then, otherwise] if head.is(text, "if") => {
            tails(text, then, found);
            tails(text, otherwise, found);
        }
        _ => found(form),
    }
}

/// Counts the occurrences of a variable.
fn mentions(text: &str, form: &Form, name: &str) -> usize {
    usize::from(form.is(text, name))
        + form.parts.iter().map(|part| mentions(text, part, name)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_lose_what_they_do_not_need() {
        for (before, after) in [
            (
                "((lambda (v2) (v2 v2)) (lambda (v2) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (f) (v2 v2) (h)))))",
                "((lambda (v2) (v2 v2)) (lambda (v2) (if (f) (v2 v2) (begin (s/%forget-values) (h)))))",
            ),
            (
                "((lambda (v2) (v2 v2 0)) (lambda (v2 v3) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (f v3) (let ((v4 v3)) (begin (g) (v2 v2 v4))) (s/%single '())))))",
                "((lambda (v2) (v2 v2 0)) (lambda (v2 v3) (if (f v3) (let ((v4 v3)) (begin (g) (v2 v2 v4))) (s/%single '()))))",
            ),
            // A loop at the end of a loop.
            (
                "((lambda (v1) (v1 v1)) (lambda (v1) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (f) (v1 v1) ((lambda (v2) (v2 v2)) (lambda (v2) (begin (if (s/%enter) (s/%check-depth 4) #f) (if (f) (v2 v2) (h)))))))))",
                "((lambda (v1) (v1 v1)) (lambda (v1) (if (f) (v1 v1) (begin (s/%forget-values) ((lambda (v2) (v2 v2)) (lambda (v2) (if (f) (v2 v2) (begin (s/%forget-values) (h)))))))))",
            ),
            // The value of an assignment.
            (
                "((lambda (v2) (begin (begin (set! v2 (f)) v2) (begin (set! v2 1) v2))) 1)",
                "((lambda (v2) (begin (begin (set! v2 (f))) (begin (set! v2 1) v2))) 1)",
            ),
        ] {
            let mut output = Output::from(before);
            simplify(&mut output);
            assert_eq!(output.text, after);
        }
    }

    #[test]
    fn other_functions_stay_as_they_are() {
        for text in [
            // Not a tail call.
            "((lambda (v2) (v2 v2)) (lambda (v2) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (f) (g (v2 v2)) (h)))))",
            "((lambda (v2) (v2 v2)) (lambda (v2) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (v2 v2) (v2 v2) (h)))))",
            // A function that is passed on.
            "((lambda (v2) (v2 v2)) (lambda (v2) (begin (if (s/%enter) (s/%check-depth 3) #f) (if (f (lambda () (v2 v2))) (v2 v2) (h)))))",
            // Not a function that calls itself.
            "((lambda (v2) (v2 v2)) (lambda (v2) (f)))",
            "(f \"((lambda (v1)\" '() #\\x28 (",
        ] {
            let mut output = Output::from(text);
            simplify(&mut output);
            assert_eq!(output.text, text);
        }
    }
}
