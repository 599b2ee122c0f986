//! Restarts as objects; how they are offered and invoked is in `restarts.scm`.

use std::sync::Arc;

use super::{Answer, Code, context, count, fail, wrong};
use crate::host::objects::Restart;
use crate::host::value::{
    Value, as_keyword, as_str, as_symbol, downcast, elements, is_nil, list, nil, shared_object,
};
use steel::SteelVal;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%make-restart", |arguments| {
        Ok(object(Restart {
            name: arguments[0].clone(),
            report: arguments[1].clone(),
            interactive: arguments[2].clone(),
            test: arguments[3].clone(),
            function: arguments[4].clone(),
            tag: nil(),
        }))
    }),
    ("%restart-at", |arguments| {
        let restart = restart("restart-case", &arguments[0])?;
        Ok(object(Restart { tag: arguments[1].clone(), ..(*restart).clone() }))
    }),
    ("%restart?", |arguments| Ok(SteelVal::BoolV(downcast::<Restart>(&arguments[0]).is_some()))),
    ("%restart-tag", |arguments| part(arguments, |restart| &restart.tag)),
    ("%restart-test", |arguments| part(arguments, |restart| &restart.test)),
    ("%restart-interactive", |arguments| part(arguments, |restart| &restart.interactive)),
    ("%restart-function", |arguments| part(arguments, |restart| &restart.function)),
    ("restart-name", |arguments| {
        count("restart-name", arguments, 1, 1)?;
        Ok(restart("restart-name", &arguments[0])?.name.clone())
    }),
    ("%restart-word", |arguments| {
        let function = as_str(&arguments[0]).unwrap_or("invoke-restart");
        match as_symbol(&arguments[1]) {
            Some(_) if !is_nil(&arguments[1]) => Ok(arguments[1].clone()),
            _ => Err(wrong(function, "a restart or its name", &arguments[1])),
        }
    }),
    ("%with-keys", with_keys),
    ("%recovery", |arguments| {
        let given = elements(&arguments[0]).unwrap_or_default();
        Ok(context()?.recovery(&given).unwrap_or_else(nil))
    }),
];

fn object(restart: Restart) -> Value {
    let shown = format!("#<restart {}>", as_symbol(&restart.name).unwrap_or("nil"));
    shared_object(Arc::new(restart), &shown)
}

fn restart(function: &str, value: &Value) -> Result<Arc<Restart>, steel::SteelErr> {
    downcast(value).ok_or_else(|| wrong(function, "a restart", value))
}

fn part(arguments: &[Value], part: fn(&Restart) -> &Value) -> Answer {
    Ok(part(&*restart("invoke-restart", &arguments[0])?).clone())
}

/// `(%with-keys keys arguments)`: the arguments with other values for these keys.
fn with_keys(arguments: &[Value]) -> Answer {
    let [keys, given] = arguments else { return Err(fail("%with-keys")) };
    let mut given = elements(given).unwrap_or_default();
    for pair in elements(keys).unwrap_or_default().chunks_exact(2) {
        let name = as_keyword(&pair[0]);
        let at = given.iter().position(|argument| as_keyword(argument) == name);
        match at.and_then(|at| given.get_mut(at + 1)) {
            Some(value) => *value = pair[1].clone(),
            None => given.extend(pair.iter().cloned()),
        }
    }
    Ok(list(given))
}
