//! THREAD (RFC 5256): ORDEREDSUBJECT and REFERENCES, and REFS, which is REFERENCES without subjects.
//!
//! The letters are in a vector, in the order of their numbers; dummies follow them. `above` holds
//! the parent of each, so that a tree is only a direction to look, until it is written.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use imap_codec::imap_types::{
    core::Charset, extensions::thread::ThreadingAlgorithm, search::SearchKey,
};

use crate::sandbox::Extension;
use crate::sandbox::imap::order::{sent, subject};
use crate::sandbox::imap::search::Match;
use crate::sandbox::imap::session::{Outcome, Session, bad};
use crate::sandbox::store::header;

impl Session {
    pub(crate) fn thread(
        &mut self,
        algorithm: &ThreadingAlgorithm<'_>,
        charset: &Charset<'_>,
        keys: &[SearchKey<'_>],
        uid: bool,
    ) -> Outcome {
        let name = algorithm.to_string().to_ascii_uppercase();
        let extension = match name.as_str() {
            "ORDEREDSUBJECT" => Extension::ThreadOrderedSubject,
            "REFERENCES" => Extension::ThreadReferences,
            "REFS" => Extension::ThreadRefs,
            _ => return bad("This threading algorithm is not supported."),
        };
        if !self.extensions.has(extension) {
            return bad(format!("THREAD={name} is not supported."));
        }
        let found = self.matches(Some(charset), keys)?;
        let letters: Vec<Letter> = found.iter().map(|found| Letter::of(found, uid)).collect();
        let mut line = "THREAD ".to_owned();
        match extension {
            Extension::ThreadOrderedSubject => write_subjects(&letters, &mut line),
            Extension::ThreadReferences => {
                let mut trees = Trees::of(&letters);
                trees.join_subjects();
                let tops = trees.sorted(trees.tops());
                trees.write(tops, &mut line);
            }
            _ => {
                let trees = Trees::of(&letters);
                let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
                for (at, letter) in letters.iter().enumerate() {
                    let date = newest.entry(trees.top(at)).or_insert(letter.sent);
                    *date = letter.sent.max(*date);
                }
                let mut tops = trees.sorted(trees.tops());
                tops.sort_by_key(|top| newest.get(&trees.top(*top)).copied());
                trees.write(tops, &mut line);
            }
        }
        self.untagged(line.trim_end());
        Ok("THREAD completed.".to_owned())
    }
}

/// What THREAD looks at in a letter.
struct Letter {
    number: u32,
    sent: i64,
    subject: String,
    answers: bool,
    id: Option<String>,
    references: Vec<String>,
}

impl Letter {
    fn of(found: &Match, uid: bool) -> Letter {
        let bytes = found.message.content.bytes();
        let ids = |name| {
            let field = header::value(bytes, header::range(bytes), name).unwrap_or_default();
            message_ids(&String::from_utf8_lossy(&field))
        };
        let (subject, answers) = subject(found);
        let mut references = ids("References");
        if references.is_empty() {
            references.extend(ids("In-Reply-To").into_iter().next());
        }
        Letter {
            number: if uid { found.uid } else { found.number },
            sent: sent(found),
            subject,
            answers,
            id: ids("Message-ID").into_iter().next(),
            references,
        }
    }
}

/// The message ids in a field; quotes in the local part make no difference.
fn message_ids(field: &str) -> Vec<String> {
    let pieces = field.split('<').skip(1).filter_map(|piece| piece.split_once('>'));
    pieces
        .filter_map(|(id, _)| {
            let (local, domain) = id.trim().rsplit_once('@')?;
            let local = local.replace(['"', '\\'], "");
            let is_whole = !local.is_empty() && !domain.is_empty();
            (is_whole && !id.trim().contains([' ', '\t'])).then(|| format!("{local}@{domain}"))
        })
        .collect()
}

fn write_subjects(letters: &[Letter], line: &mut String) {
    let mut groups: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        groups.entry(&letter.subject).or_default().push(letter);
    }
    let mut groups: Vec<Vec<&Letter>> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|letter| letter.sent);
    }
    groups.sort_by_key(|group| (group[0].sent, group[0].number));
    for group in groups {
        let _ = match group[..] {
            [first, second] => write!(line, "({} {})", first.number, second.number),
            _ => write!(line, "({}", group[0].number),
        };
        if group.len() != 2 {
            let others = group[1..].iter().map(|other| format!("({})", other.number));
            line.push_str(&if group.len() > 1 { " ".to_owned() } else { String::new() });
            line.extend(others);
            line.push(')');
        }
    }
}

struct Trees<'l> {
    letters: &'l [Letter],
    /// The parent of each letter and dummy.
    above: Vec<Option<usize>>,
    /// Dummies that are written at the top, in spite of being none.
    kept: Vec<usize>,
}

impl<'l> Trees<'l> {
    fn of(letters: &'l [Letter]) -> Trees<'l> {
        let mut trees = Trees { letters, above: vec![None; letters.len()], kept: Vec::new() };
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (at, letter) in letters.iter().enumerate() {
            if let Some(id) = &letter.id {
                places.entry(id).or_insert(at);
            }
        }
        for (at, letter) in letters.iter().enumerate() {
            let mut parent = None;
            for id in &letter.references {
                let place = *places.entry(id).or_insert_with(|| {
                    trees.above.push(None);
                    trees.above.len() - 1
                });
                if let Some(parent) = parent.filter(|_| trees.above[place].is_none()) {
                    trees.hang(place, parent);
                }
                parent = Some(place);
            }
            trees.above[at] = None;
            if let Some(parent) = parent {
                trees.hang(at, parent);
            }
        }
        trees.prune();
        trees
    }

    fn hang(&mut self, child: usize, parent: usize) {
        let mut next = Some(parent);
        while let Some(at) = next {
            if at == child {
                return;
            }
            next = self.above[at];
        }
        self.above[child] = Some(parent);
    }

    fn is_letter(&self, at: usize) -> bool {
        at < self.letters.len()
    }

    fn top(&self, mut at: usize) -> usize {
        while let Some(parent) = self.above[at] {
            at = parent;
        }
        at
    }

    /// Takes dummies out of the trees, but for those at a top with several children.
    fn prune(&mut self) {
        let mut below: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let before = self.above.clone();
        for at in 0..self.letters.len() {
            let mut parent = before[at];
            while let Some(dummy) = parent.filter(|parent| !self.is_letter(*parent)) {
                match before[dummy] {
                    Some(next) => parent = Some(next),
                    None => {
                        below.entry(dummy).or_default().push(at);
                        break;
                    }
                }
            }
            self.above[at] = parent;
        }
        for (dummy, children) in below {
            match children[..] {
                [only] => self.above[only] = None,
                _ => self.kept.push(dummy),
            }
        }
    }

    fn tops(&self) -> Vec<usize> {
        let letters = (0..self.letters.len()).filter(|at| self.above[*at].is_none());
        letters.chain(self.kept.iter().copied()).collect()
    }

    /// The children of each, sorted.
    fn below(&self) -> HashMap<usize, Vec<usize>> {
        let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
        for at in 0..self.letters.len() {
            if let Some(parent) = self.above[at] {
                below.entry(parent).or_default().push(at);
            }
        }
        for children in below.values_mut() {
            children.sort_by_key(|child| self.letters[*child].sent);
        }
        below
    }

    /// The letter that speaks for each: itself, or the first child of a dummy.
    fn speaker(&self, at: usize, below: &HashMap<usize, Vec<usize>>) -> &'l Letter {
        let at = if self.is_letter(at) { at } else { below[&at][0] };
        &self.letters[at]
    }

    fn sorted(&self, mut tops: Vec<usize>) -> Vec<usize> {
        let below = self.below();
        tops.sort_by_key(|top| {
            let letter = self.speaker(*top, &below);
            (letter.sent, letter.number)
        });
        tops
    }

    /// Step 5 of REFERENCES.
    fn join_subjects(&mut self) {
        let tops = self.sorted(self.tops());
        let below = self.below();
        let mut table: HashMap<&'l str, usize> = HashMap::new();
        for &top in &tops {
            let letter = self.speaker(top, &below);
            table
                .entry(&letter.subject)
                .and_modify(|held| {
                    let better = !self.is_letter(top)
                        || self.speaker(*held, &below).answers && !letter.answers;
                    if self.is_letter(*held) && better {
                        *held = top;
                    }
                })
                .or_insert(top);
        }
        table.remove("");
        // The dummies that are made here come after all others.
        let mut made: HashMap<&'l str, usize> = HashMap::new();
        for &top in &tops {
            let letter = self.speaker(top, &below);
            let Some(&held) = table.get(letter.subject.as_str()) else { continue };
            if held == top {
                continue;
            }
            if !self.is_letter(top) {
                for child in &below[&top] {
                    self.above[*child] = Some(held);
                }
                self.kept.retain(|kept| *kept != top);
            } else if let Some(dummy) = made.get(letter.subject.as_str()) {
                self.above[top] = Some(*dummy);
            } else if !self.is_letter(held) || letter.answers && !self.speaker(held, &below).answers
            {
                self.above[top] = Some(held);
            } else {
                let dummy = self.above.len();
                self.above.push(None);
                self.kept.push(dummy);
                made.insert(&letter.subject, dummy);
                self.above[held] = Some(dummy);
                self.above[top] = Some(dummy);
            }
        }
    }

    fn write(&self, tops: Vec<usize>, line: &mut String) {
        let below = self.below();
        let none = Vec::new();
        // `None` is a closing parenthesis; the flag asks for an opening one.
        let mut open: Vec<Option<(usize, bool)>> =
            tops.into_iter().rev().map(|top| Some((top, true))).collect();
        while let Some(next) = open.pop() {
            let Some((at, in_list)) = next else {
                line.push(')');
                continue;
            };
            if in_list {
                line.push('(');
                open.push(None);
            } else {
                line.push(' ');
            }
            let children = below.get(&at).unwrap_or(&none);
            if self.is_letter(at) {
                let _ = write!(line, "{}", self.letters[at].number);
                line.push_str(if children.len() > 1 { " " } else { "" });
            }
            let in_lists = children.len() > 1 || !self.is_letter(at);
            open.extend(children.iter().rev().map(|child| Some((*child, in_lists))));
        }
    }
}
