//! Hosts that work for another host, each in a thread of its own. What a script has defined is defined in them again; its data comes along as copies.

use super::context::Context;
use super::objects::Unbound;
use super::value::{as_dotted_pair, as_str, downcast, elements, shown};
use super::{Host, Options, Parcel, Report, Value, messages};
use crate::condition::Condition;
use crate::lisp::expander::names::script_name;
use crate::lisp::{Datum, printer};

/// What a script has defined at top level.
pub struct Surroundings {
    /// The text of its functions and macros.
    definitions: String,
    /// Its variables that hold data.
    data: Vec<(String, Parcel)>,
    /// The others, and what they hold.
    others: Vec<(String, String)>,
}

impl Surroundings {
    /// Those of the script that runs. `globals` is what the form `(%visible-globals)` gives in it.
    pub fn of(context: &Context, globals: &Value) -> Surroundings {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        for pair in elements(globals).unwrap_or_default() {
            let (global, value) = parts(&pair);
            let Some(name) = global.as_ref().and_then(as_str).and_then(script_name) else { continue };
            if downcast::<Unbound>(&value).is_some() {
                continue;
            }
            match Parcel::of(&value) {
                Ok(parcel) => data.push((name, parcel)),
                Err(what) => others.push((name, what)),
            }
        }
        Surroundings { definitions: context.definitions(), data, others }
    }

    /// A condition that says of a variable that has no value why it has none here.
    pub fn explain(&self, mut condition: Condition) -> Condition {
        let undefined = messages::undefined_name(&condition.message).and_then(|name| name.split(';').next()).unwrap_or_default();
        if let Some((name, what)) = self.others.iter().find(|(name, _)| name == undefined) {
            let what = if what == FUNCTION { "a function that no form at top level defines" } else { &format!("{what}, which is no data") };
            condition.message = format!("{name} is not seen in parallel-map: it holds {what}");
        }
        condition
    }
}

/// A pair of a global and its value, which is a list when the value is one.
fn parts(pair: &Value) -> (Option<Value>, Value) {
    match as_dotted_pair(pair) {
        Some((global, value)) => (Some(global), value),
        None => {
            let mut elements = elements(pair).unwrap_or_default().into_iter();
            (elements.next(), super::list(elements.collect()))
        }
    }
}

impl Host {
    /// A host that works for the one with this context: a limit of its time holds for both, and both keep the same secrets.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn worker(options: Options, of: &Context) -> Result<Host, Condition> {
        Host::in_context(Context::new(options.arguments, options.policy, options.output, options.warnings).work_for(of))
    }

    /// Defines what another script has defined.
    ///
    /// # Errors
    /// What stopped a definition.
    pub fn surround(&mut self, surroundings: &Surroundings) -> Result<(), Report> {
        if !surroundings.data.is_empty() {
            // The expander has to know which names of the language are the script's own.
            let names = surroundings.data.iter().map(|(name, _)| format!(" {} nil", printer::readably(&Datum::Symbol(name.clone()))));
            self.evaluate(&format!("(setq{})", names.collect::<String>()), "parallel-map")?;
        }
        // Macros may need the data to expand what follows, and a name may have been a function's before it was the data's.
        self.set_data(surroundings);
        self.evaluate(&surroundings.definitions, "parallel-map")?;
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

/// What a value is that is no data.
pub(super) fn described(value: &Value) -> String {
    if value.is_function() {
        return FUNCTION.to_owned();
    }
    let shown = shown(value);
    // Which of several connections it is depends on the thread.
    match shown.split_once(" @ #x") {
        Some((kind, _)) if kind.starts_with("#<") => format!("{kind}>"),
        _ => shown,
    }
}
