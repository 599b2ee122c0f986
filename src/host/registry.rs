//! Native functions: how they are described, and how they run.
//!
//! A [`Function`] is an entry of the catalog: name, lambda list, documentation, types and code. The
//! engine holds it as a [`Native`]. A call checks the arguments, runs the code, and turns a panic
//! into an error. The result is a plain value; if the native has left warnings, several values or a
//! request in the [`Context`], or has failed, it is an [`Outcome`] that the wrapper in the prelude
//! delivers.

use std::sync::{Arc, OnceLock};

use super::argument_type::Type;
use super::call::{Call, next_number};
use super::context::Context;
use super::objects::Outcome;
use super::occurrence::condition_object;
use super::panics::caught;
use super::parameters::{Arguments, Parameters};
use super::value::{Value, nil, shared_object};
use crate::condition::{Condition, Identifier};

/// A function of the language, as the catalog lists it. Help, completion and the reference are
/// generated from it.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its lambda list, e.g. `(mb messages parts &key uid)`. Arguments are checked against it before
    /// the function runs.
    pub lambda_list: &'static str,
    /// The description.
    pub doc: &'static str,
    /// The code.
    pub run: Run,
    /// The types of parameters, by name. An argument of another type is a `:syntax-error` before
    /// the function runs. A parameter that is not listed is checked by the function itself.
    pub types: &'static [(&'static str, Type)],
    /// The function whose name its errors give, if this one implements a part of it.
    pub inside_of: Option<&'static str>,
    /// Whether an untrusted script may call it; `None` if that is not decided.
    pub for_untrusted: Option<bool>,
}

impl Function {
    /// Describes a function without deciding whether an untrusted script may call it.
    pub const fn new(
        name: &'static str,
        lambda_list: &'static str,
        doc: &'static str,
        run: Run,
    ) -> Self {
        Function { name, lambda_list, doc, run, types: &[], inside_of: None, for_untrusted: None }
    }

    /// Describes a function in Rust.
    pub const fn native(
        name: &'static str,
        lambda_list: &'static str,
        code: NativeCode,
        doc: &'static str,
    ) -> Self {
        Function::new(name, lambda_list, doc, Run::Native(code))
    }

    /// Sets the types of parameters.
    pub const fn typed(self, types: &'static [(&'static str, Type)]) -> Self {
        Function { types, ..self }
    }

    /// Makes this a part of another function, whose name its errors give.
    pub const fn inside_of(self, function: &'static str) -> Self {
        Function { inside_of: Some(function), ..self }
    }

    /// Lets an untrusted script call it: it uses only its arguments and open connections, or asks
    /// the policy before it reaches further.
    pub const fn checked(self) -> Self {
        Function { for_untrusted: Some(true), ..self }
    }

    /// Keeps an untrusted script from calling it.
    pub const fn refused(self) -> Self {
        Function { for_untrusted: Some(false), ..self }
    }
}

/// The code of a native.
pub type NativeCode = fn(&Call<'_>) -> Result<Value, Condition>;

/// The code of a [`Function`].
pub enum Run {
    /// Rust code. Warnings that it queues are signalled once it has returned.
    Native(NativeCode),
    /// The text of a `(lambda …)` form of the language. It gets the arguments as they were given.
    Scheme(&'static str),
    /// The text of a `(syntax-rules …)` form, or of a `(lambda …)` form that gets the forms of the
    /// call and returns the form to run.
    Macro(&'static str),
    /// Another name of a function. Register it after that function.
    Alias(&'static str),
}

/// The documentation that `help` prints for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documentation {
    /// The lambda list; `""` for a name that is not a function.
    pub lambda_list: String,
    /// The description.
    pub doc: String,
}

pub(super) type Code = dyn Fn(&Call<'_>) -> Result<Value, Condition> + Send + Sync;

/// A native without its wrapper. For a Scheme function it has no code and only checks arguments.
pub(super) struct Native {
    pub name: Arc<str>,
    lambda_list: String,
    types: &'static [(&'static str, Type)],
    /// The name that errors give.
    pub shown: Arc<str>,
    /// Parsed at the first call.
    parameters: OnceLock<Arc<Parameters>>,
    pub code: Option<Arc<Code>>,
}

impl Native {
    pub fn new(name: &str, lambda_list: &str, code: Option<Arc<Code>>) -> Native {
        Native {
            name: name.into(),
            lambda_list: lambda_list.to_owned(),
            types: &[],
            shown: name.into(),
            parameters: OnceLock::new(),
            code,
        }
    }

    /// Sets the types of parameters, and the name that errors give.
    pub fn described_by(self, function: &Function) -> Native {
        let shown = function.inside_of.unwrap_or(function.name);
        Native { types: function.types, shown: shown.into(), ..self }
    }

    fn parameters(&self) -> &Arc<Parameters> {
        self.parameters
            .get_or_init(|| Arc::new(Parameters::parse(&self.lambda_list).typed(self.types)))
    }

    /// Checks the arguments and runs the code. Returns a plain value, or an [`Outcome`] if the
    /// wrapper has something else to deliver.
    pub fn invoke(&self, context: &Context, given: &[Value]) -> Value {
        let result = self
            .parameters()
            .check(&self.shown, given)
            .and_then(|arguments| self.run(context, arguments));
        let several = context.take_several();
        match result {
            Ok(value) if several.is_none() && !context.has_queued() => value,
            result => {
                let asked = if result.is_err() { context.take_asked() } else { None };
                let warnings = context.take_queued().into_iter().map(condition_object).collect();
                let result = result.map_err(condition_object);
                shared_object(Arc::new(Outcome { warnings, result, several, asked }), "#<outcome>")
            }
        }
    }

    fn run(&self, context: &Context, arguments: Arguments) -> Result<Value, Condition> {
        let Some(code) = &self.code else { return Ok(nil()) };
        let number = next_number();
        let (name, parameters) = (&*self.shown, self.parameters());
        let call = Call { number, code, context, name, parameters, arguments };
        caught(|| code(&call)).unwrap_or_else(|reason| {
            Err(Condition::new(
                Identifier::ProgramError,
                format!("internal error in {}: {reason}", self.shown),
            ))
        })
    }
}
