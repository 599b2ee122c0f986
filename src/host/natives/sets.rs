//! Set operations and `remove-duplicates`, for calls in which all functions are natives (see
//! `sequence_keys`). Elements are hashed if the test allows it.

use steel::SteelVal;

use super::sequence_keys::{COMPARING, Options, SEARCHING, declined, look};
use super::sequences::{elements_of, like};
use super::{Answer, Code, context};
use crate::host::value::{self, Value, is_true, list};

pub(super) static TABLE: &[(&str, Code)] =
    &[("%adjoin", adjoin), ("%members", members), ("%distinct", distinct)];

/// `(%adjoin item list keys)`: returns whether the list has such an element.
fn adjoin(arguments: &[Value]) -> Answer {
    let Some(options) = Options::of(&arguments[2], COMPARING) else { return declined() };
    let SteelVal::ListV(list) = &arguments[1] else { return declined() };
    let item = options.key(&arguments[0])?;
    for element in list.iter() {
        let found = match options.key {
            Some(key) => options.holds(&item, &key(std::slice::from_ref(element))?)?,
            None => options.holds(&item, element)?,
        };
        if found {
            return Ok(SteelVal::BoolV(true));
        }
    }
    Ok(SteelVal::BoolV(false))
}

/// `(%members left right wanted keys)`: returns the elements of `left` that match an element of
/// `right`, or, if `wanted` is `nil`, those that match none.
fn members(arguments: &[Value]) -> Answer {
    let Some(options) = Options::of(&arguments[3], COMPARING) else { return declined() };
    let (Some(left), Some(right)) =
        (value::elements(&arguments[0]), value::elements(&arguments[1]))
    else {
        return declined();
    };
    let wanted = is_true(&arguments[2]);
    let (right, keys) = (options.keys(&right)?, options.keys(&left)?);
    let mut kept = Vec::new();
    let set = if options.negated { None } else { options.comparison.set_for(&[&right, &keys]) };
    if let Some(mut set) = set {
        right.iter().for_each(|key| _ = set.insert(key));
        let found = left.into_iter().zip(&keys).filter(|(_, key)| set.contains(key) == wanted);
        return Ok(list(found.map(|(element, _)| element).collect()));
    }
    let context = context()?;
    for (element, key) in left.into_iter().zip(&keys) {
        let mut found = false;
        for other in &right {
            look(&context)?;
            found = options.holds(key, other)?;
            if found {
                break;
            }
        }
        if found == wanted {
            kept.push(element);
        }
    }
    Ok(list(kept))
}

/// `(%distinct sequence keys)`: `remove-duplicates`. Of elements that match, the last remains, or
/// the first with `:from-end`.
fn distinct(arguments: &[Value]) -> Answer {
    let Some(options) = Options::of(&arguments[1], SEARCHING) else { return declined() };
    let elements = elements_of("remove-duplicates", &arguments[0])?;
    let (start, end) = (options.start, options.end.unwrap_or(elements.len()));
    let Some(part) = elements.get(start..end) else { return declined() };
    let mut keys = options.keys(part)?;
    // With :from-end, everything is done in the other direction.
    if options.from_end {
        keys.reverse();
    }
    let mut kept = vec![true; part.len()];
    let set = if options.negated { None } else { options.comparison.set_for(&[&keys]) };
    match set {
        Some(mut set) => {
            for (key, kept) in keys.iter().zip(&mut kept).rev() {
                *kept = set.insert(key);
            }
        }
        None => {
            let context = context()?;
            for (index, kept) in kept.iter_mut().enumerate() {
                for later in &keys[index + 1..] {
                    look(&context)?;
                    if options.holds(&keys[index], later)? {
                        *kept = false;
                        break;
                    }
                }
            }
        }
    }
    if options.from_end {
        kept.reverse();
    }
    let middle = part.iter().zip(kept).filter(|(_, kept)| *kept).map(|(element, _)| element);
    let all = elements[..start].iter().chain(middle).chain(&elements[end..]);
    like(&arguments[0], all.cloned().collect())
}
