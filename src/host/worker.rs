//! Worker hosts: hosts that work for another one, each in a thread of its own.
//!
//! A [`Surroundings`] collects what the script has defined at top level. Its functions and macros
//! are defined again in the worker from their text. Its variables are sent as copies if they hold
//! data; for the others, only the reason is kept, for error messages.

use super::context::Context;
use super::objects::Unbound;
use super::value::{as_str, downcast, elements, shown};
use super::{Host, Options, Parcel, Report, Value, messages};
use crate::condition::Condition;
use crate::lisp::expander::names::script_name;
use crate::lisp::{Datum, printer};

/// The top-level definitions of a script.
pub struct Surroundings {
    /// The forms that define its functions and macros.
    definitions: Vec<String>,
    /// The variables that hold data.
    data: Vec<(String, Parcel)>,
    /// The other variables, and what they hold.
    others: Vec<(String, String)>,
}

impl Surroundings {
    /// Collects the definitions of the running script. `globals` is the value of
    /// `(%visible-globals)`.
    pub fn of(context: &Context, globals: &Value) -> Surroundings {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        for pair in elements(globals).unwrap_or_default() {
            let Some([global, value]) =
                elements(&pair).and_then(|pair| <[Value; 2]>::try_from(pair).ok())
            else {
                continue;
            };
            let Some(name) = as_str(&global)
                .and_then(script_name)
                .filter(|_| downcast::<Unbound>(&value).is_none())
            else {
                continue;
            };
            match Parcel::of(&value) {
                Ok(parcel) => data.push((name, parcel)),
                Err(_) if value.is_function() => {
                    others.push((name, format!("{FUNCTION} that no form at top level defines")))
                }
                Err(what) => others.push((name, format!("{what}, which is no data"))),
            }
        }
        Surroundings { definitions: context.definitions(), data, others }
    }

    /// Changes the message about a variable without a value: it says why the variable has none
    /// here.
    pub fn explain(&self, mut condition: Condition) -> Condition {
        let undefined = messages::undefined_name(&condition.message)
            .and_then(|name| name.split(';').next())
            .unwrap_or_default();
        if let Some((name, what)) = self.others.iter().find(|(name, _)| name == undefined) {
            condition.message = format!("{name} is not seen in parallel-map: it holds {what}");
        }
        condition
    }
}

/// The source name of texts that are evaluated here.
const SOURCE: &str = "parallel-map";

impl Host {
    /// Creates a host that works for the one with this context. A time limit applies to both, and
    /// the new host also masks the secrets that the other knows now.
    pub fn worker(options: Options, of: &Context) -> Host {
        Host::in_context(
            Context::new(
                options.arguments,
                options.policy,
                options.output,
                options.errors,
                options.warnings,
            )
            .work_for(of),
        )
    }

    /// Repeats the definitions of another script. A definition that needs something that was not
    /// sent is left out.
    ///
    /// # Errors
    /// An interrupt.
    pub fn surround(&mut self, surroundings: &Surroundings) -> Result<(), Report> {
        if !surroundings.data.is_empty() {
            // Tells the expander which names of the language are variables of the script.
            let names = surroundings.data.iter().map(|(name, _)| {
                format!(" {} nil", printer::readably(&Datum::Symbol(name.clone())))
            });
            self.evaluate(&format!("(setq{})", names.collect::<String>()), SOURCE)?;
        }
        // Set twice: macros may need the data to expand later forms, and a definition may set a
        // name that holds data by now.
        self.set_data(surroundings);
        // Compiling all definitions together is faster than one by one.
        if self.evaluate(&surroundings.definitions.join("\n"), SOURCE).is_err() {
            for definition in &surroundings.definitions {
                if let Some(report) =
                    self.evaluate(definition, SOURCE).err().filter(|report| report.interrupted)
                {
                    return Err(report);
                }
            }
        }
        self.set_data(surroundings);
        Ok(())
    }

    fn set_data(&mut self, surroundings: &Surroundings) {
        for (name, parcel) in &surroundings.data {
            self.define(name, parcel.open());
        }
    }
}

const FUNCTION: &str = "a function";

/// Describes a value that cannot be sent to another engine.
pub(super) fn described(value: &Value) -> String {
    if value.is_function() {
        return FUNCTION.to_owned();
    }
    let shown = shown(value);
    // Which of several connections it is depends on the thread, so the identity is left out.
    match shown.split_once(" @ #x") {
        Some((kind, _)) if kind.starts_with("#<") => format!("{kind}>"),
        _ => shown,
    }
}
