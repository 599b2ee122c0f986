//! Applies faults to one side's bytes: bytes in, steps out. No sockets, no clock.
//!
//! The offsets of the faults divide the stream into segments. All bytes of a segment are treated
//! alike. What happens at an offset happens as soon as the bytes before it have passed, so an
//! inserted answer needs no further bytes to arrive.

use std::{ops::Range, time::Duration};

use super::{Fault, FaultKind, Side};

/// The next thing to do with the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this in one piece.
    Pass(Vec<u8>),
    /// Wait.
    Pause(Duration),
    /// End the connection.
    Cut,
    /// Send nothing more.
    Stall,
}

pub(super) struct Mangler {
    faults: Vec<FaultKind>,
    offset: u64,
    /// For each `Double`, by its index in `faults`: the bytes of it that have passed.
    copies: Vec<Vec<u8>>,
}

impl Mangler {
    pub(super) fn new(side: Side, faults: &[Fault]) -> Mangler {
        let faults: Vec<FaultKind> = faults
            .iter()
            .filter(|fault| fault.side == side)
            .map(|fault| fault.kind.clone())
            .collect();
        Mangler { copies: vec![Vec::new(); faults.len()], faults, offset: 0 }
    }

    /// The steps before the first byte.
    pub(super) fn begin(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.reach(&mut steps);
        steps
    }

    /// The steps for the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        while !bytes.is_empty() {
            let length = self.segment().map_or(bytes.len(), |segment| {
                bytes.len().min(usize::try_from(segment).unwrap_or(usize::MAX))
            });
            let (segment, rest) = bytes.split_at(length);
            bytes = rest;
            self.pass(segment, &mut steps);
            self.offset += length as u64;
            self.reach(&mut steps);
        }
        steps
    }

    /// How many bytes remain to the next offset at which something changes.
    fn segment(&self) -> Option<u64> {
        self.faults
            .iter()
            .flat_map(edges)
            .filter(|edge| *edge > self.offset)
            .min()
            .map(|edge| edge - self.offset)
    }

    /// Passes on bytes that lie in one segment.
    fn pass(&mut self, segment: &[u8], steps: &mut Vec<Step>) {
        let at = self.offset;
        let mut out = segment.to_vec();
        let mut pause = None;
        for (kind, copy) in self.faults.iter().zip(&mut self.copies) {
            match kind {
                FaultKind::Replace { at: from, bytes } if replaced(*from, bytes).contains(&at) => {
                    let start = usize::try_from(at - from).unwrap_or(usize::MAX);
                    out = bytes.iter().skip(start).take(out.len()).copied().collect();
                }
                FaultKind::Drip { range, interval } if range.contains(&at) => {
                    pause = Some(*interval)
                }
                FaultKind::Double { range } if range.contains(&at) => {
                    copy.extend_from_slice(segment)
                }
                _ => {}
            }
        }
        match pause {
            None => steps.push(Step::Pass(out)),
            Some(interval) => {
                for byte in out {
                    steps.extend((!interval.is_zero()).then_some(Step::Pause(interval)));
                    steps.push(Step::Pass(vec![byte]));
                }
            }
        }
    }

    /// The steps at the offset just reached.
    fn reach(&mut self, steps: &mut Vec<Step>) {
        for (kind, copy) in self.faults.iter().zip(&mut self.copies) {
            match kind {
                FaultKind::Insert { at, bytes } if *at == self.offset => {
                    steps.push(Step::Pass(bytes.clone()))
                }
                FaultKind::Double { range } if range.end == self.offset && !copy.is_empty() => {
                    steps.push(Step::Pass(std::mem::take(copy)))
                }
                FaultKind::Cut { at } if *at == self.offset => steps.push(Step::Cut),
                FaultKind::Stall { at } if *at == self.offset => steps.push(Step::Stall),
                _ => {}
            }
        }
    }
}

/// The offsets at which a fault begins and ends.
fn edges(kind: &FaultKind) -> [u64; 2] {
    match kind {
        FaultKind::Cut { at } | FaultKind::Stall { at } | FaultKind::Insert { at, .. } => [*at; 2],
        FaultKind::Replace { at, bytes } => [*at, replaced(*at, bytes).end],
        FaultKind::Drip { range, .. } | FaultKind::Double { range } => [range.start, range.end],
    }
}

fn replaced(at: u64, bytes: &[u8]) -> Range<u64> {
    at..at.saturating_add(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output for the input `0123456789`, fed in pieces of every size. Outputs that differ only
    /// in how they are divided count as equal.
    fn mangled(faults: &[&str]) -> String {
        let faults: Vec<Fault> =
            faults.iter().map(|fault| format!("server:{fault}").parse().unwrap()).collect();
        let shown = |size: usize| {
            let mut mangler = Mangler::new(Side::Server, &faults);
            let mut steps = mangler.begin();
            b"0123456789".chunks(size).for_each(|chunk| steps.extend(mangler.feed(chunk)));
            let show = |step: &Step| match step {
                Step::Pass(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Step::Pause(time) => format!("<{}>", time.as_millis()),
                Step::Cut => "|".into(),
                Step::Stall => "~".into(),
            };
            steps.iter().map(show).collect::<String>()
        };
        let whole = shown(10);
        assert!((1..10).all(|size| shown(size) == whole), "{faults:?}");
        whole
    }

    #[test]
    fn every_fault_does_what_it_says() {
        assert_eq!(mangled(&[]), "0123456789");
        assert_eq!(mangled(&["cut@0"]), "|0123456789");
        assert_eq!(mangled(&["cut@3"]), "012|3456789");
        assert_eq!(mangled(&["stall@10"]), "0123456789~");
        assert_eq!(mangled(&["insert@0=ab", "insert@4=c", "insert@10=d"]), "ab0123c456789d");
        assert_eq!(mangled(&["replace@2=ab", "replace@9=xyz"]), "01ab45678x");
        assert_eq!(mangled(&["double@2..5"]), "0123423456789");
        assert_eq!(mangled(&["double@8..12"]), "0123456789");
        assert_eq!(mangled(&["drip@3..5=0.002"]), "012<2>3<2>456789");
        assert_eq!(mangled(&["insert@3=a", "cut@3"]), "012a|3456789");
        assert_eq!(mangled(&["double@0..2", "replace@0=ab"]), "ab0123456789");
    }

    #[test]
    fn a_byte_at_a_time_is_one_piece_a_byte() {
        let mut mangler = Mangler::new(
            Side::Client,
            &["client:byte-at-a-time".parse().unwrap(), "server:cut@0".parse().unwrap()],
        );
        assert_eq!(mangler.begin(), []);
        assert_eq!(mangler.feed(b"ab"), [Step::Pass(b"a".to_vec()), Step::Pass(b"b".to_vec())]);
    }
}
