//! Programs of several files: `load`, `require`, Scheme's libraries, and the forms of a program
//! before it runs.
//!
//! `(import (my tools))` of a library that is not one of the standards' loads `my/tools.sld`, or
//! the like, as `require` does; `only` and `except` around it change nothing. `define-library` is
//! its body: the names of all libraries are in one space, as those of all files are.
//!
//! `(load "file")` and `(require "file")` at top level are run here and not by a native function,
//! because the forms of the file run in the host, one after another, as those of the loading file
//! do. A path is relative to the folder of the file that names it. `require` loads a file once.
//!
//! Before a file runs, [`Host::program`] collects the forms of the file and of all files that it
//! loads, for the survey that finds calls of undefined functions. A `require` of a file that was
//! collected already adds nothing. A `load` adds the file's forms again, and files that load one
//! another would have no end, so the number of files is bounded; beyond it the program counts as
//! open, and nothing in it as undefined.

use super::context::not_allowed;
use super::report::{Report, Source};
use super::value::{self, Value, as_str, truth};
use super::{Host, place_of, program_error};
use crate::condition::{Condition, Identifier};
use crate::lisp::expander::{Program, global, system_global};
use crate::lisp::{Kind, Node, Span, printer, reader};
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How many files may be loading at a time, each loaded by the one before.
const LOADING_LIMIT: usize = 50;

/// How many files of a program are collected before it runs.
const COLLECTED_LIMIT: usize = 1_000;

/// A program while its forms are collected.
#[derive(Default)]
struct Collection {
    program: Program,
    required: HashSet<String>,
    files: usize,
}

impl Host {
    /// Returns the forms of a program, in which the forms of a file take the place of a top-level
    /// `load` or `require` with a literal name.
    pub(super) fn program(&self, forms: &[Node], name: &str) -> Program {
        let mut collection = Collection::default();
        self.collect(forms, name, 0, &mut collection);
        collection.program
    }

    fn collect(&self, forms: &[Node], name: &str, depth: usize, into: &mut Collection) {
        for form in forms {
            if let Ok(Some(libraries)) = imports(form) {
                let requires: Vec<Node> = libraries.iter().map(|path| require_form(path)).collect();
                self.collect(&requires, name, depth, into);
                continue;
            }
            if let Some((library, _)) = library(form) {
                into.required.insert(library_key(&library));
            }
            let Some((is_load, path)) = loads(form) else {
                into.program.forms.push((form.clone(), depth == 0));
                continue;
            };
            if into.required.contains(&library_key(path)) {
                continue;
            }
            let mut path = beside(name, path);
            if !is_load {
                path = self.required_file(&path);
                if self.required.contains(&path) || !into.required.insert(path.clone()) {
                    continue;
                }
            }
            into.files += 1;
            let text = (depth < LOADING_LIMIT && into.files <= COLLECTED_LIMIT)
                .then(|| self.context.policy().check_reading(Path::new(&path)).ok())
                .flatten()
                .and_then(|real| std::fs::read(real).ok());
            match text.map(|text| reader::read(&String::from_utf8_lossy(&text))) {
                Some(Ok(forms)) => self.collect(&spliced(forms), &path, depth + 1, into),
                _ => into.program.is_open = true, // `load` reports the error when it runs
            }
        }
    }

    /// Runs a top-level form if it is a call of `load`, or of `require` with a literal path.
    /// Returns `None` for any other form.
    pub(super) fn run_loading(
        &mut self,
        form: &Node,
        source: &Arc<Source>,
    ) -> Option<Result<(), Report>> {
        if let Some((false, path)) = loads(form) {
            return Some(self.require(path, form.span, source));
        }
        match imports(form) {
            Ok(None) => {}
            Ok(Some(libraries)) => {
                return Some(libraries.iter().try_for_each(|path| {
                    if self.required.contains(&library_key(path)) {
                        return Ok(());
                    }
                    self.require(path, form.span, source)
                }));
            }
            Err(message) => {
                return Some(Err(Report::of(
                    program_error(message),
                    Some(place_of(source, form.span)),
                )));
            }
        }
        if let Some((name, _)) = library(form) {
            self.required.insert(library_key(&name));
            return Some(Ok(()));
        }
        match form.as_list() {
            Some([head, path])
                if head.is_named("load")
                    && self
                        .engine
                        .global(&global("load"))
                        .is_some_and(|value| self.library_load(&value)) =>
            {
                Some(self.load(path, form.span, source))
            }
            _ => None,
        }
    }

    /// Returns whether `load` is still the language's own function.
    fn library_load(&self, value: &Value) -> bool {
        self.engine
            .global(&system_global("load"))
            .is_some_and(|own| matches!((&own, value), (Value::FuncV(own), Value::FuncV(other)) if std::ptr::fn_addr_eq(*own, *other)))
    }

    /// Runs `(load "file")` at top level. The path is relative to the folder of the loading file,
    /// or at the prompt to the current folder.
    fn load(&mut self, path: &Node, span: Span, source: &Arc<Source>) -> Result<(), Report> {
        self.flush()?;
        self.run_form(path, source)?;
        self.flush()?;
        let wrong = |condition: Condition| Report::of(condition, Some(place_of(source, span)));
        let last = self.engine.last.clone();
        let Some(path) = as_str(&last) else {
            return Err(wrong(program_error(format!(
                "load: expected the path of a file, got {}",
                value::shown(&last)
            ))));
        };
        self.load_file("load", &beside(&source.name, path), span, source)
    }

    /// Runs `(require "file")` at top level: loads the file unless it was required before. The path
    /// is relative to the folder of the requiring file; an extension may be left out.
    fn require(&mut self, path: &str, span: Span, source: &Arc<Source>) -> Result<(), Report> {
        let path = self.required_file(&beside(&source.name, path));
        if !self.required.contains(&path) {
            self.required.insert(path.clone());
            if let Err(report) = self.load_file("require", &path, span, source) {
                self.required.remove(&path);
                return Err(report);
            }
        }
        self.engine.last = truth(true);
        Ok(())
    }

    /// Returns the path of a file that `require` names: with `.scm`, `.lisp`, `.cl` or `.sld` if
    /// there is such a file and none of the plain name. What the policy does not let a script read
    /// is not looked at.
    fn required_file(&self, path: &str) -> String {
        let named = ["scm", "lisp", "cl", "sld"].map(|extension| format!("{path}.{extension}"));
        let policy = self.context.policy();
        [path.to_owned()]
            .into_iter()
            .chain(named)
            .find(|path| policy.check_reading(Path::new(path)).is_ok_and(|real| real.is_file()))
            .unwrap_or_else(|| path.to_owned())
    }

    fn load_file(
        &mut self,
        function: &str,
        path: &str,
        span: Span,
        source: &Arc<Source>,
    ) -> Result<(), Report> {
        self.flush()?;
        let wrong = |condition: Condition| Report::of(condition, Some(place_of(source, span)));
        if self.loading >= LOADING_LIMIT {
            return Err(wrong(program_error(format!(
                "{function}: {path}: files load one another without an end"
            ))));
        }
        let failed = |error: io::Error| {
            wrong(Condition::new(Identifier::File, format!("{function}: {path}: {error}")))
        };
        let real = self
            .context
            .policy()
            .check_reading(Path::new(path))
            .map_err(|refusal| wrong(not_allowed(function, &refusal)))?;
        let bytes = std::fs::read(real).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        self.loading += 1;
        let has_last_value = std::mem::take(&mut self.expander.has_last_value);
        let result = self.run_source(&text, path, true);
        self.expander.has_last_value = has_last_value;
        self.loading -= 1;
        self.engine.set_global(&global("*load-pathname*"), value::string(&*source.name));
        self.engine.source = Some(source.clone());
        result?;
        self.engine.last = truth(true);
        Ok(())
    }
}

/// Resolves a path relative to the folder of a source file.
fn beside(source_name: &str, path: &str) -> String {
    let folder = Path::new(source_name).parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| path.to_owned(), |folder| folder.join(path).display().to_string())
}

/// Returns the top-level forms with those within `eval-when` in its place, as when the program is
/// compiled, loaded and evaluated, and with the declarations of a `define-library` after it.
pub(super) fn spliced(forms: Vec<Node>) -> Vec<Node> {
    let inner = |form: &Node| match form.as_list() {
        Some([head, _, forms @ ..]) if head.is_named("eval-when") => Some(forms.to_vec()),
        _ => {
            let (_, declarations) = library(form).filter(|(_, it)| !it.is_empty())?;
            let elements = form.as_list()?;
            let marker = Node::list(form.span, elements[..2].to_vec());
            Some([vec![marker], declarations.iter().flat_map(declared).collect()].concat())
        }
    };
    if !forms.iter().any(|form| inner(form).is_some()) {
        return forms;
    }
    forms
        .into_iter()
        .flat_map(|form| match inner(&form) {
            Some(forms) => spliced(forms),
            None => vec![form],
        })
        .collect()
}

/// Returns whether a form is a `load` and not a `require`, and its literal path.
fn loads(form: &Node) -> Option<(bool, &str)> {
    match form.as_list() {
        Some([head, Node { kind: Kind::String(path), .. }]) => {
            let is_load = head.is_named("load");
            (is_load || head.is_named("require")).then_some((is_load, path))
        }
        _ => None,
    }
}

/// The first words of the names of the standards' libraries, whose words are always there.
const STANDARD: [&str; 6] = ["scheme", "srfi", "steel", "rnrs", "ice-9", "guile"];

/// Returns the paths of the libraries that `(import set …)` asks for, without those of the
/// standards; `None` for any other form.
///
/// # Errors
/// A message: the set renames what it imports.
fn imports(form: &Node) -> Result<Option<Vec<String>>, String> {
    let Some([head, sets @ ..]) = form.as_list() else { return Ok(None) };
    let is_set =
        |set: &Node| set.as_list().is_some_and(|set| !set.is_empty() && !set[0].is_named("quote"));
    if !head.is_named("import") || sets.is_empty() || !sets.iter().all(is_set) {
        return Ok(None);
    }
    let mut paths = Vec::new();
    for mut set in sets {
        while let Some([word, inner, ..]) = set.as_list()
            && inner.as_list().is_some()
        {
            if word.is_named("prefix") || word.is_named("rename") {
                let word = word.as_symbol().map_or("", |symbol| &symbol.name);
                return Err(format!(
                    "import: {word} is not supported: a library's names are imported as they are"
                ));
            }
            set = inner;
        }
        let parts = set.as_list().unwrap_or_default();
        if !parts.first().is_some_and(|first| STANDARD.iter().any(|name| first.is_named(name))) {
            paths.push(library_path(parts));
        }
    }
    Ok(Some(paths))
}

fn library_path(parts: &[Node]) -> String {
    parts.iter().map(|part| printer::readably(&part.datum())).collect::<Vec<_>>().join("/")
}

/// Returns the path that a `define-library` is imported by, and its declarations.
fn library(form: &Node) -> Option<(String, &[Node])> {
    match form.as_list() {
        Some([head, name, declarations @ ..]) if head.is_named("define-library") => {
            Some((library_path(name.as_list()?), declarations))
        }
        _ => None,
    }
}

/// Returns the forms of a declaration of a library.
fn declared(declaration: &Node) -> Vec<Node> {
    match declaration.as_list() {
        Some([head, forms @ ..]) if head.is_named("begin") => forms.to_vec(),
        Some([head, files @ ..]) if head.is_named("include") => {
            let load = |file: &Node| {
                Node::list(file.span, vec![Node::symbol(file.span, "load"), file.clone()])
            };
            files.iter().map(load).collect()
        }
        Some([head, ..]) if head.is_named("import") => vec![declaration.clone()],
        _ => Vec::new(),
    }
}

/// Marks a library among the required files.
fn library_key(path: &str) -> String {
    format!("library {path}")
}

fn require_form(path: &str) -> Node {
    let span = Span::default();
    Node::list(
        span,
        vec![Node::symbol(span, "require"), Node::new(span, Kind::String(path.into()))],
    )
}
