//! Programs of several files: `load`, `require`, Scheme's libraries, and the forms of a program
//! before it runs.
//!
//! `(import (my tools))` of a library that is not one of the standards' loads `my/tools.sld`, or
//! the like, as `require` does; `only` and `except` around it change nothing. `define-library` is
//! its body: the names of all libraries are in one space, as those of all files are.
//!
//! `(load "file")`, `(require "file")` and `(require :module "file")` at top level are run here and
//! not by a native function, because the forms of the file run in the host, one after another, as
//! those of the loading file do. A path is relative to the folder of the file that names it.
//! `require` loads a file once, and not at all if its module is provided: by a `(provide :module)`
//! at top level, or by this program itself, as `:imap` is.
//!
//! Before a file runs, [`Host::program`] collects the forms of the file and of all files that it
//! loads, for the survey that finds calls of undefined functions. A `require` of a file that was
//! collected already adds nothing. A `load` adds the file's forms again, and files that load one
//! another would have no end, so the number of files is bounded; beyond it the program counts as
//! open, and nothing in it as undefined.

use super::context::not_allowed;
use super::report::{Report, Source};
use super::value::{self, Value, as_str, truth};
use super::{Host, messages, place_of, program_error};
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
        self.program_after(None, forms, name)
    }

    /// The same, with the forms of another program in front, as those of a file that it loads.
    pub(super) fn program_after(
        &self,
        before: Option<(&[Node], &str)>,
        forms: &[Node],
        name: &str,
    ) -> Program {
        let mut collection = Collection::default();
        if let Some((forms, name)) = before {
            self.collect(forms, name, 1, &mut collection);
        }
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
            if let Some(module) = provided(form) {
                into.required.insert(module_key(&module));
            }
            let Some(loading) = loads(form) else {
                into.program.forms.push((form.clone(), depth == 0));
                continue;
            };
            let is_there =
                |key: String| self.required.contains(&key) || into.required.contains(&key);
            if into.required.contains(&library_key(loading.path))
                || loading.module.as_deref().is_some_and(|module| is_there(module_key(module)))
            {
                continue;
            }
            let path = self.required_file(&beside(name, loading.path));
            if !loading.is_load
                && (self.required.contains(&path) || !into.required.insert(path.clone()))
            {
                continue;
            }
            // The options of `load` are forms.
            for option in loading.options {
                into.program.forms.push((option.clone(), depth == 0));
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
        if let Some(Loading { is_load: false, module, path, .. }) = loads(form) {
            if module.is_some_and(|module| self.required.contains(&module_key(&module))) {
                self.engine.last = truth(true);
                return Some(Ok(()));
            }
            return Some(self.require(path, form.span, source));
        }
        if let Some(module) = provided(form) {
            self.required.insert(module_key(&module)); // and the function returns t
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
            Some([head, path, options @ ..])
                if head.is_named("load")
                    && self
                        .engine
                        .global(&global("load"))
                        .is_some_and(|value| self.library_load(&value)) =>
            {
                Some(self.load(path, options, form.span, source))
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

    /// Runs `(load "file" :key value …)` at top level. The path is relative to the folder of the
    /// loading file, or at the prompt to the current folder; an extension may be left out.
    fn load(
        &mut self,
        path: &Node,
        options: &[Node],
        span: Span,
        source: &Arc<Source>,
    ) -> Result<(), Report> {
        let wrong = |condition: Condition| Report::of(condition, Some(place_of(source, span)));
        let last = self.value_of(path, source)?;
        let Some(path) = as_str(&last) else {
            return Err(wrong(program_error(format!(
                "load: expected the path of a file, got {}",
                value::shown(&last)
            ))));
        };
        let mut given = [None, None, None];
        for pair in options.chunks(2) {
            let [Node { kind: Kind::Keyword(key), .. }, form] = pair else {
                return Err(wrong(program_error(format!(
                    "load: expected a keyword and a value after the path, got {}",
                    printer::readably(&pair[0].datum())
                ))));
            };
            let Some(at) = LOAD_KEYS.iter().position(|own| key.eq_ignore_ascii_case(own)) else {
                let unknown = messages::unknown_key(key, LOAD_KEYS.iter().copied());
                return Err(wrong(program_error(format!("load: {unknown}"))));
            };
            // The first of two equal keys counts (CLHS 3.4.1.4).
            let value = self.value_of(form, source)?;
            given[at].get_or_insert(value);
        }
        let [verbose, print, missing] = given;
        let path = self.required_file(&beside(&source.name, path));
        let is_missing = |path: &Path| path.try_exists().is_ok_and(|exists| !exists);
        if missing.is_some_and(|value| value::is_nil(&value))
            && self
                .context
                .policy()
                .check_reading(Path::new(&path))
                .is_ok_and(|real| is_missing(&real))
        {
            self.engine.last = value::nil();
            return Ok(());
        }
        if [verbose, print].into_iter().flatten().any(|value| !value::is_nil(&value)) {
            let gap = if self.context.at_line_start() { "" } else { "\n" };
            self.context
                .write(&format!("{gap}; loading {path}\n"))
                .map_err(|error| wrong(program_error(format!("load: output: {error}"))))?;
        }
        self.load_file("load", &path, span, source)
    }

    /// Evaluates a form that stands within a top-level form.
    fn value_of(&mut self, form: &Node, source: &Arc<Source>) -> Result<Value, Report> {
        self.flush()?;
        self.run_form(form, source)?;
        self.flush()?;
        Ok(self.engine.last.clone())
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

    /// Sets `*load-pathname*` to the name of the source that runs, and `*load-truename*` to its
    /// absolute path without links, or nil if it is no file or may not be read.
    pub(super) fn set_load_path(&mut self, name: &str) {
        let real = self.context.policy().check_reading(Path::new(name)).ok();
        let real = real.and_then(|path| std::fs::canonicalize(path).ok());
        let truename =
            real.map_or_else(value::nil, |path| value::string(path.display().to_string()));
        self.engine.set_global(&global("*load-pathname*"), value::string(name));
        self.engine.set_global(&global("*load-truename*"), truename);
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
        self.set_load_path(&source.name);
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

/// The keys of `load`.
const LOAD_KEYS: [&str; 3] = ["verbose", "print", "if-does-not-exist"];

/// A `load` or `require` with a literal path.
struct Loading<'a> {
    is_load: bool,
    /// The module that `require` names beside the path.
    module: Option<String>,
    path: &'a str,
    /// The values of the keys of `load`.
    options: Vec<&'a Node>,
}

fn loads(form: &Node) -> Option<Loading<'_>> {
    let (head, arguments) = form.as_list()?.split_first()?;
    match arguments {
        [Node { kind: Kind::String(path), .. }, rest @ ..] if head.is_named("load") => {
            let options = rest.iter().skip(1).step_by(2).collect();
            Some(Loading { is_load: true, module: None, path, options })
        }
        [Node { kind: Kind::String(path), .. }] if head.is_named("require") => {
            Some(Loading { is_load: false, module: None, path, options: Vec::new() })
        }
        [name, Node { kind: Kind::String(path), .. }] if head.is_named("require") => {
            let module = Some(module(name)?);
            Some(Loading { is_load: false, module, path, options: Vec::new() })
        }
        _ => None,
    }
}

/// Modules of Allegro CL whose functions are always here, so a path beside them is not loaded.
pub(super) const MODULES: [&str; 8] =
    ["imap", "mime", "osi", "pop", "process", "regexp", "regexp2", "smtp"];

/// Returns the name of a module: a keyword, a string, or a quoted symbol.
fn module(name: &Node) -> Option<String> {
    let name = match (&name.kind, name.as_list()) {
        (Kind::Keyword(name), _) => name.to_string(),
        (Kind::String(name), _) => name.to_string(),
        (_, Some([quote, symbol])) if quote.is_named("quote") => {
            symbol.as_symbol()?.name.to_string()
        }
        _ => return None,
    };
    Some(name.to_lowercase())
}

/// Returns the module that `(provide :module)` provides.
fn provided(form: &Node) -> Option<String> {
    match form.as_list() {
        Some([head, name]) if head.is_named("provide") => module(name),
        _ => None,
    }
}

/// Marks a module among the required files.
pub(super) fn module_key(name: &str) -> String {
    format!("module {name}")
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
