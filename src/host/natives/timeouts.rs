//! The natives under `with-timeout`; see `host::stopping`.

use std::sync::Arc;
use std::time::Duration;

use steel::{SteelErr, SteelVal};

use super::{Answer, Code, context, fail, wrong};
use crate::condition::{Condition, Identifier};
use crate::host::occurrence::condition_object;
use crate::host::stopping::{Guard, Timer};
use crate::host::value::{Value, as_float, downcast, nil, shared_object};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%timer", |arguments| {
        let seconds =
            as_float(&arguments[0]).filter(|seconds| (0.0..1e9).contains(seconds)).ok_or_else(
                || wrong("with-timeout: seconds", "a number of seconds, at least 0", &arguments[0]),
            )?;
        let timer = Timer::new(Duration::from_secs_f64(seconds));
        Ok(shared_object(Arc::new(timer), "#<timer>"))
    }),
    ("%guard", |arguments| {
        let guard = context()?.stopping().start(&timer(&arguments[0])?);
        let guard = guard
            .map_err(|error| fail(format!("with-timeout: the clock cannot be watched: {error}")))?;
        Ok(shared_object(Arc::new(guard), "#<timer>"))
    }),
    ("%finish-timer", |arguments| {
        if let Some(guard) = downcast::<Guard>(&arguments[0]) {
            guard.finish();
        }
        Ok(nil())
    }),
    ("%timed-out?", |arguments| Ok(SteelVal::BoolV(timer(&arguments[0])?.timed_out()))),
    ("%timeout-condition", timeout_condition),
];

fn timer(value: &Value) -> Result<Arc<Timer>, SteelErr> {
    downcast(value).ok_or_else(|| wrong("with-timeout", "a timer", value))
}

fn timeout_condition(arguments: &[Value]) -> Answer {
    let seconds = timer(&arguments[0])?.time().as_secs_f64();
    let unit = if seconds == 1.0 { "second" } else { "seconds" };
    Ok(condition_object(Condition::new(
        Identifier::Timeout,
        format!("with-timeout: the body took longer than {seconds} {unit}"),
    )))
}
