//! Registers functions: those of the application, and definitions that wait until they are
//! mentioned.
//!
//! A native is stored in the emitted global `n/NAME`. Its wrapper, which checks arguments and
//! delivers what the native leaves in the context, is `s/NAME`, and scripts reach it as `u/NAME`.
//! Wrappers and Scheme texts are compiled when a script first mentions the name. If the policy does
//! not allow a function, scripts get one that refuses instead (see `allowed`).

use std::borrow::Cow;
use std::sync::Arc;

use super::context::Recovery;
use super::engine::Demanded;
use super::on_demand::Definition;
use super::registry::{Code, Native};
use super::value::{self, Value};
use super::{Call, Function, Host, Report, Run, program_error};
use crate::condition::Condition;
use crate::lisp::expander::{ExpandError, Hooks, global, native_global, system_global};
use crate::lisp::{Node, reader};

impl Host {
    /// Makes a value of the system a global of scripts. If the script may not call it, the name
    /// refuses instead.
    pub(super) fn publish(&mut self, name: &str, value: Value) {
        if self.may_call(name) {
            self.engine.set_global(&global(name), value);
            self.expander.note_library(name);
        } else {
            self.refuse(name);
        }
    }

    /// Makes a global of scripts. Its definition runs once a script mentions the name.
    pub(super) fn publish_on_demand(&mut self, name: &str, definition: Definition) {
        if self.may_call(name) {
            self.engine.on_demand.put(global(name), definition);
            self.expander.note_library(name);
        } else {
            self.refuse(name);
        }
    }

    /// Keeps a definition of the system until it is mentioned. Scripts do not see a name that
    /// starts with `%`.
    pub(super) fn define_system(&mut self, name: &str, definition: Definition) {
        self.expander.note_system(name);
        self.engine.on_demand.put(system_global(name), definition);
        if !name.starts_with('%') {
            self.publish_on_demand(name, Definition::Alias(system_global(name)));
        }
    }

    /// Adds the waiting definitions that `text` mentions to what runs next. The definitions that
    /// these mention come before them.
    pub(super) fn demand(&mut self, text: &str) -> Result<(), Report> {
        for global in self.engine.on_demand.mentioned(text) {
            self.demand_global(&global)?;
        }
        Ok(())
    }

    fn demand_global(&mut self, global: &str) -> Result<(), Report> {
        let Some(definition) = self.engine.on_demand.take(global) else { return Ok(()) };
        self.engine.declare(global, global);
        let demanded = match &definition {
            Definition::Alias(target) => {
                self.demand_global(target)?;
                Demanded::Alias { global: global.to_owned(), target: target.clone() }
            }
            Definition::Call(words) => {
                words.iter().try_for_each(|word| self.demand_global(word))?;
                Demanded::Call { global: global.to_owned(), words: words.clone() }
            }
            Definition::Language(_) | Definition::Form(_) => {
                self.form_demanded(global, &definition)?
            }
        };
        self.engine.add_demanded(demanded);
        Ok(())
    }

    fn form_demanded(&mut self, global: &str, definition: &Definition) -> Result<Demanded, Report> {
        if let Some(compiled) = self.engine.compiled(global, definition) {
            compiled.globals().try_for_each(|mentioned| self.demand_global(mentioned))?;
            return Ok(Demanded::Compiled(compiled));
        }
        let text = self.expanded(definition)?;
        self.demand(&text)?;
        Ok(Demanded::Text(text))
    }

    /// Expands a definition that is a form.
    pub(super) fn expanded(&mut self, definition: &Definition) -> Result<String, Report> {
        let engine = &mut self.engine;
        let output = match definition {
            Definition::Language(text) => self.expander.expand_language(&own_form(text)?, engine),
            Definition::Form(text) => self.expander.expand(&own_form(text)?, true, engine),
            Definition::Alias(_) | Definition::Call(_) => return Ok(String::new()),
        };
        Ok(output.map_err(own_report)?.text)
    }

    /// Registers functions, in order.
    ///
    /// The text of a [`Run::Scheme`] or of `(syntax-rules …)` is read when a script first mentions
    /// the name, and an error in it is reported then.
    ///
    /// # Panics
    /// If the text of a [`Run::Macro`] with a procedure is malformed. It is part of the program.
    pub fn register(&mut self, functions: &[Function]) {
        for function in functions {
            let name = function.name;
            self.context.document([name, function.lambda_list, function.doc].map(Cow::Borrowed));
            match &function.run {
                _ if !self.may_call(name) => self.refuse(name),
                Run::Native(code) => {
                    let native = Native::new(name, function.lambda_list, Some(Arc::new(*code)));
                    self.register_native(native.described_by(function));
                }
                Run::Scheme(text) => {
                    self.define_system(name, Definition::Form(format!("(define {name} {text})")));
                    let native = Native::new(name, function.lambda_list, None);
                    let native = self.put_native(native.described_by(function));
                    let words = [system_global("%wrap-checked"), native, system_global(name)];
                    self.publish_on_demand(name, Definition::Call(words.into()));
                }
                Run::Macro(text) if text.trim_start().starts_with("(syntax-rules") => {
                    self.expander.define_system_rules(name, text)
                }
                Run::Macro(text) => {
                    let procedure = format!("%macro-{name}");
                    self.define_system(
                        &procedure,
                        Definition::Form(format!("(define {procedure} {text})")),
                    );
                    self.demand(&system_global(&procedure))
                        .unwrap_or_else(|report| panic!("{name}: {report}"));
                    self.expander.define_procedure_macro(name, &system_global(&procedure));
                }
                Run::Alias(target) => {
                    if !self.expander.alias_macro(name, target) {
                        self.expander.note_system(name);
                        let target = Definition::Alias(global(target));
                        self.engine.on_demand.put(system_global(name), target.clone());
                        self.publish_on_demand(name, target);
                    }
                }
            }
            self.renew(name);
        }
    }

    /// Registers a closure as a function.
    pub fn register_fn(
        &mut self,
        name: &str,
        lambda_list: &str,
        doc: &str,
        code: impl Fn(&Call<'_>) -> Result<Value, Condition> + Send + Sync + 'static,
    ) {
        self.context.document([name, lambda_list, doc].map(|text| text.to_owned().into()));
        self.register_native(Native::new(name, lambda_list, Some(Arc::new(code))));
        self.renew(name);
    }

    fn register_native(&mut self, native: Native) {
        let name = &*native.name.clone();
        let native = self.put_native(native);
        let wrapped = Definition::Call(vec![system_global("%wrap"), native]);
        if !self.may_call(name) {
            self.refuse(name);
        } else if self.expander.is_language(name) {
            self.expander.redefine(name);
            self.publish_on_demand(name, wrapped);
        } else {
            self.engine.on_demand.put(system_global(name), wrapped);
            self.expander.note_system(name);
            self.publish_on_demand(name, Definition::Alias(system_global(name)));
        }
    }

    /// Offers the restart `reconnect` for conditions of natives that say that a connection is lost,
    /// when `applies` returns true for the arguments of the call.
    ///
    /// The restart calls the native `name`, which is registered already, with the name of the
    /// function and the list of its arguments. It connects again and returns nil, or a condition
    /// that says why the call must not be made again. After nil the call is made again.
    ///
    /// # Panics
    /// If there is no such native. It is part of the program.
    pub fn recover_with(&mut self, name: &str, applies: fn(&[Value]) -> bool) {
        let native = self.engine.global(&native_global(name));
        let native = native.unwrap_or_else(|| panic!("there is no native {name}"));
        self.context.set_recovery(Recovery { applies, native });
    }

    /// Stores a native and returns the emitted global that holds it.
    pub(super) fn native(
        &mut self,
        name: &str,
        lambda_list: &str,
        code: Option<Arc<Code>>,
    ) -> String {
        self.put_native(Native::new(name, lambda_list, code))
    }

    fn put_native(&mut self, native: Native) -> String {
        let emitted = native_global(&native.name);
        self.engine.set_global(&emitted, value::shared_object(Arc::new(native), "#<native>"));
        emitted
    }

    /// Compiles a new definition at once if scripts have mentioned the name already.
    fn renew(&mut self, name: &str) {
        let global = global(name);
        if self.engine.global(&global).is_some() {
            self.demand(&global).unwrap_or_else(|report| panic!("{name}: {report}"));
        }
    }
}

/// Reads the form of a text that is part of the program.
fn own_form(text: &str) -> Result<Node, Report> {
    let forms =
        reader::read(text).map_err(|error| Report::of(program_error(error.message), None))?;
    forms
        .into_iter()
        .next()
        .ok_or_else(|| Report::of(program_error("a definition without a form".to_owned()), None))
}

fn own_report(error: ExpandError) -> Report {
    Report::of(program_error(error.message), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Options;
    use crate::host::value::nil;

    /// What every script compiles is a large part of its start-up time.
    #[test]
    fn restarts_are_compiled_once_a_script_binds_handlers() {
        let mut host = Host::new(Options::default());
        host.register_fn("native", "", "", |_| Ok(nil()));
        let mut waits_after = |source| {
            host.evaluate(source, "test").unwrap();
            host.engine.on_demand.contains(&system_global("%restart-case"))
        };
        assert!(waits_after("(native) (handler-case (native) (error () 1)) (warn \"w\")"));
        assert!(!waits_after("(handler-bind ((error (lambda (c) c))) (native))"));
    }
}
