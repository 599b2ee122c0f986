//! `~{ ~[ ~<`: blocks that repeat, choose and justify their parts.

use super::super::{fail, list_of, string_of};
use super::control::{Directive, Parameters};
use super::{Ended, Run};
use crate::host::value::{Value, as_integer, is_true};
use steel::SteelErr;

impl Run<'_> {
    pub(super) fn iterate(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        body: &[char],
        at_least_once: bool,
    ) -> Result<(), SteelErr> {
        let limit = given.number(0).unwrap_or(i64::MAX);
        let from_argument: Vec<char>;
        let body = if body.is_empty() {
            let control = self.argument()?;
            from_argument = string_of("format ~{~}", &control)?.chars().collect();
            &from_argument
        } else {
            body
        };
        let own;
        let list: &[Value] = if directive.at {
            &self.arguments[self.next.min(self.arguments.len())..]
        } else {
            let value = self.argument()?;
            own = list_of("format ~{", &value)?;
            &own
        };
        let mut inner = Run {
            arguments: list,
            next: 0,
            text: std::mem::take(&mut self.text),
            at_line_start: self.at_line_start,
            depth: self.depth,
        };
        let mut turns = 0;
        while (inner.next < list.len() || at_least_once && turns == 0) && turns < limit {
            let before = inner.next;
            turns += 1;
            if directive.colon {
                let elements = list_of("format ~:{", &inner.argument()?)?;
                let mut is_last = inner.next >= list.len();
                let ended = inner.with_arguments(&elements, |turn| {
                    // `~:^` asks whether sublists are left.
                    let ended = turn.sublist(body, is_last)?;
                    is_last |= ended == Ended::Iteration;
                    Ok(ended)
                })?;
                if ended == Ended::Iteration {
                    break;
                }
            } else if inner.piece(body)? != Ended::No {
                break;
            }
            if inner.next == before && turns > 1 {
                return Err(fail("format: ~{ takes no argument in a turn"));
            }
        }
        let used = inner.next;
        self.text = inner.text;
        if directive.at {
            self.next += used;
        }
        Ok(())
    }

    /// A turn of `~:{`, in which `~:^` ends the last turn only.
    fn sublist(&mut self, body: &[char], is_last: bool) -> Result<Ended, SteelErr> {
        let mut at = 0;
        while let Some(found) = body[at..].windows(3).position(|it| it == ['~', ':', '^']) {
            let ended = self.piece(&body[at..at + found])?;
            if ended != Ended::No {
                return Ok(ended);
            }
            if is_last {
                return Ok(Ended::Iteration);
            }
            at += found + 3;
        }
        self.piece(&body[at..])
    }

    /// Runs the part of `~[` that an argument selects. A part after `~:;` is for every other
    /// number.
    pub(super) fn choose(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        parts: &[(&[char], Option<Directive>)],
    ) -> Result<Ended, SteelErr> {
        if directive.at {
            if self.arguments.get(self.next).is_some_and(is_true) {
                return self.piece(parts[0].0);
            }
            self.argument()?;
            return Ok(Ended::No);
        }
        let index = if directive.colon {
            Some(usize::from(is_true(&self.argument()?)))
        } else {
            let number = match directive.parameters.is_empty() {
                true => as_integer(&self.argument()?),
                false => given.number(0),
            };
            number.and_then(|number| usize::try_from(number).ok())
        };
        let has_default = parts.len() > 1
            && parts[parts.len() - 2].1.as_ref().is_some_and(|separator| separator.colon);
        let default = parts.last().filter(|_| has_default);
        match index.and_then(|index| parts.get(index)).or(default) {
            Some((part, _)) => self.piece(part),
            None => Ok(Ended::No),
        }
    }

    /// `~mincol,colinc,minpad,padchar<`: the parts with blanks between them. A first part that ends
    /// with `~:;` is for when the rest does not fit into the line.
    pub(super) fn justify(
        &mut self,
        directive: &Directive,
        given: &Parameters,
        parts: &[(&[char], Option<Directive>)],
    ) -> Result<(), SteelErr> {
        const LINE: usize = 72;
        let mut shown: Vec<String> = Vec::new();
        let mut overflow = None;
        let column = self.column();
        for (index, (part, separator)) in parts.iter().enumerate() {
            let before = std::mem::take(&mut self.text);
            let ended = self.piece(part);
            let text = std::mem::replace(&mut self.text, before);
            if ended? != Ended::No {
                break;
            }
            match separator {
                Some(separator) if index == 0 && separator.colon => {
                    let given = self.parameters(separator)?;
                    overflow = Some((text, given.size(0, 0), given.size(1, LINE)));
                }
                _ => shown.push(text),
            }
        }
        let (step, least) = (given.size(1, 1).max(1), given.size(2, 0));
        let only = shown.len() == 1 && !directive.colon && !directive.at;
        let (before, after) = (directive.colon || only, directive.at);
        let gaps = shown.len().saturating_sub(1) + usize::from(before) + usize::from(after);
        let length: usize = shown.iter().map(|text| text.chars().count()).sum();
        let needed = length + least * gaps;
        let mut width = given.size(0, 0);
        if width < needed {
            width += (needed - width).div_ceil(step) * step;
        }
        let mut blanks = width - length;
        if let Some((text, spare, line)) = overflow
            && column + width + spare > line
        {
            self.text.push_str(&text);
        }
        let mut left = gaps;
        let mut gap = |run: &mut Self| {
            // SBCL's way: each gap has its share of what is left, rounded down.
            let share = blanks / left.max(1);
            run.repeat(given.pad(3), share);
            blanks -= share;
            left -= 1;
        };
        for (index, text) in shown.iter().enumerate() {
            if index > 0 || before {
                gap(self);
            }
            self.text.push_str(text);
        }
        if after {
            gap(self);
        }
        Ok(())
    }
}
