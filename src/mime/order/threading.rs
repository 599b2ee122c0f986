//! Arranges letters in threads (RFC 5256 3, BASE.6.4.THREAD).
//!
//! `ORDEREDSUBJECT` puts letters with the same base subject together. `REFERENCES` makes a tree of
//! the message ids that letters name, fills it with the letters, removes the ids that no letter has,
//! and then joins trees with the same subject. `REFS` is the same without subjects; its threads are
//! in the order of their newest letters, as Dovecot has them.
//!
//! Nothing here recurses: letters of strangers decide how deep a thread is. In a result the lists
//! are at most `DEEPEST` deep; deeper replies follow each other in one list.

use super::summary::Summary;
use std::collections::HashMap;

/// The deepest nesting of a result. Readers of lists recurse, and a hundred levels of
/// disagreement fill any screen.
const DEEPEST: usize = 100;

/// How threads are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// By base subject and sent date.
    OrderedSubject,
    /// By the message ids in References and In-Reply-To, then by subject.
    References,
    /// By message ids only.
    Refs,
}

/// A step of a walk through threads, as the THREAD response writes them: `(2)(3 6 (4 23)(44 7 96))`.
/// A message is the parent of what follows it in its list: the next message, or the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A thread begins: `(`.
    Open,
    /// A message.
    Message(u32),
    /// A thread ends: `)`.
    Close,
}

/// Arranges letters in threads.
pub fn thread(mut letters: Vec<Summary>, algorithm: Algorithm) -> Vec<Step> {
    letters.sort_by_key(|letter| letter.number);
    match algorithm {
        Algorithm::OrderedSubject => by_subject(letters),
        Algorithm::References => {
            let mut forest = Forest::of(&letters);
            forest.join_subjects();
            forest.in_order(|forest, root| forest.rank(root))
        }
        Algorithm::Refs => {
            let forest = Forest::of(&letters);
            let newest = forest.newest();
            forest.in_order(|forest, root| (newest[root], forest.rank(root).1))
        }
    }
}

/// The first letter of each subject is the parent of the others (RFC 5256 3, ORDEREDSUBJECT).
fn by_subject(mut letters: Vec<Summary>) -> Vec<Step> {
    letters.sort_by(|one, other| {
        let rank = |letter: &Summary| (letter.sent, letter.number);
        one.subject.cmp(&other.subject).then_with(|| rank(one).cmp(&rank(other)))
    });
    let mut threads: Vec<&[Summary]> =
        letters.chunk_by(|one, other| one.subject == other.subject).collect();
    threads.sort_by_key(|thread| (thread[0].sent, thread[0].number));
    let mut steps = Vec::with_capacity(3 * letters.len());
    for thread in threads {
        let message = |letter: &Summary| Step::Message(letter.number);
        steps.extend([Step::Open, message(&thread[0])]);
        match &thread[1..] {
            [reply] => steps.push(message(reply)),
            replies => {
                let lists = replies.iter().map(|reply| [Step::Open, message(reply), Step::Close]);
                steps.extend(lists.flatten());
            }
        }
        steps.push(Step::Close);
    }
    steps
}

/// A message id that letters name, or a dummy.
#[derive(Debug, Clone, Default)]
struct Node {
    parent: Option<usize>,
    /// Whether it was ever a parent. Without children it can close no loop.
    was_parent: bool,
    /// The index of the letter that has the id.
    letter: Option<usize>,
}

/// Trees of letters, by the indexes of their nodes.
struct Forest<'l> {
    letters: &'l [Summary],
    nodes: Vec<Node>,
    /// The children of each node, without dummies except at the root.
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'l> Forest<'l> {
    /// Steps 1 to 4 of REFERENCES. `letters` are in the order of their numbers.
    fn of(letters: &'l [Summary]) -> Self {
        let mut forest = Forest { letters, nodes: Vec::new(), children: vec![], roots: vec![] };
        forest.link();
        forest.gather();
        forest
    }

    /// Links message ids as the letters name them (step 1).
    fn link(&mut self) {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (index, letter) in self.letters.iter().enumerate() {
            let nodes = &mut self.nodes;
            let mut node_of = |id: &'l str| {
                *by_id.entry(id).or_insert_with(|| {
                    nodes.push(Node::default());
                    nodes.len() - 1
                })
            };
            let own = letter.message_id.as_deref().map(&mut node_of);
            let references: Vec<usize> = letter.references.iter().map(|id| node_of(id)).collect();
            // Of letters with the same id the first one has it.
            let own = own.filter(|own| self.nodes[*own].letter.is_none()).unwrap_or_else(|| {
                self.nodes.push(Node::default());
                self.nodes.len() - 1
            });
            self.nodes[own].letter = Some(index);
            for pair in references.windows(2) {
                if self.nodes[pair[1]].parent.is_none() {
                    self.set_parent(pair[1], pair[0]);
                }
            }
            // The last reference is the parent, whatever other letters say.
            self.nodes[own].parent = None;
            if let Some(parent) = references.last() {
                self.set_parent(own, *parent);
            }
        }
    }

    /// Makes a node without parent the child of another, unless that made a loop.
    fn set_parent(&mut self, child: usize, parent: usize) {
        let mut ancestor = Some(parent);
        while let Some(node) = ancestor {
            if node == child {
                return;
            }
            ancestor = self.nodes[node].parent.filter(|_| self.nodes[child].was_parent);
        }
        self.nodes[child].parent = Some(parent);
        self.nodes[parent].was_parent = true;
    }

    /// Finds the children of each node, and the roots (steps 2 and 3). A dummy under the root stays
    /// if it has several children; others are replaced by their children.
    fn gather(&mut self) {
        self.children = vec![Vec::new(); self.nodes.len()];
        // The nearest ancestor that is a letter, or the root; found once for each node.
        let mut homes: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for node in 0..self.nodes.len() {
            let mut path = vec![node];
            let home = loop {
                let last = path[path.len() - 1];
                if let Some(home) = homes[last] {
                    break home;
                }
                match self.nodes[last].parent {
                    None => break last,
                    Some(parent) if self.nodes[parent].letter.is_some() => break parent,
                    Some(parent) => path.push(parent),
                }
            };
            for passed in path {
                homes[passed] = Some(home);
            }
            if home != node && self.nodes[node].letter.is_some() {
                self.children[home].push(node);
            }
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].parent.is_none() {
                let is_letter = self.nodes[node].letter.is_some();
                match self.children[node][..] {
                    [] if !is_letter => {}
                    [only] if !is_letter => self.roots.push(only),
                    _ => self.roots.push(node),
                }
            }
        }
        for node in 0..self.nodes.len() {
            self.sort_children(node);
        }
        self.sort_roots();
    }

    fn sort_children(&mut self, node: usize) {
        let mut children = std::mem::take(&mut self.children[node]);
        children.sort_by_key(|child| self.rank(*child));
        self.children[node] = children;
    }

    fn sort_roots(&mut self) {
        let mut roots = std::mem::take(&mut self.roots);
        roots.sort_by_key(|root| self.rank(*root));
        self.roots = roots;
    }

    /// The letter of a node, or that of the first child of a dummy; children are sorted.
    fn letter(&self, node: usize) -> Option<&'l Summary> {
        let of = |node: usize| self.nodes[node].letter.map(|letter| &self.letters[letter]);
        of(node).or_else(|| self.children[node].first().and_then(|child| of(*child)))
    }

    /// Sent date and number, by which siblings are sorted.
    fn rank(&self, node: usize) -> (i64, u32) {
        self.letter(node).map_or((i64::MIN, 0), |letter| (letter.sent, letter.number))
    }

    fn is_dummy(&self, node: usize) -> bool {
        self.nodes[node].letter.is_none()
    }

    fn is_reply(&self, node: usize) -> bool {
        self.letter(node).is_some_and(|letter| letter.is_reply)
    }

    /// Joins trees with the same subject (step 5), and sorts what changed (step 6).
    fn join_subjects(&mut self) {
        let subject = |forest: &Forest<'l>, root: usize| {
            forest
                .letter(root)
                .map(|letter| letter.subject.as_str())
                .filter(|text| !text.is_empty())
        };
        let mut table: HashMap<&'l str, usize> = HashMap::new();
        for &root in &self.roots {
            let Some(subject) = subject(self, root) else { continue };
            let known = *table.entry(subject).or_insert(root);
            let is_better = self.is_dummy(root) || self.is_reply(known) && !self.is_reply(root);
            if known != root && !self.is_dummy(known) && is_better {
                table.insert(subject, root);
            }
        }
        let mut kept = Vec::with_capacity(self.roots.len());
        let mut changed = Vec::new();
        let roots = std::mem::take(&mut self.roots);
        // A letter joins the tree of its subject even if that comes later; new dummies come last.
        let subjects: Vec<Option<&str>> = roots.iter().map(|root| subject(self, *root)).collect();
        let mut gone = vec![false; self.nodes.len() + roots.len()];
        for (root, subject) in roots.iter().copied().zip(subjects) {
            if gone[root] {
                continue;
            }
            let known = subject.and_then(|subject| table.get(subject).copied()).unwrap_or(root);
            if known == root {
                kept.push(root);
                continue;
            }
            gone[root] = true;
            if self.is_dummy(root) {
                let children = std::mem::take(&mut self.children[root]);
                self.children[known].extend(children);
                changed.push(known);
            } else if self.is_dummy(known) || self.is_reply(root) && !self.is_reply(known) {
                self.children[known].push(root);
                changed.push(known);
            } else {
                let dummy = self.nodes.len();
                self.nodes.push(Node::default());
                self.children.push(vec![known, root]);
                gone[known] = true;
                kept.push(dummy);
                changed.push(dummy);
                table.extend(subject.map(|subject| (subject, dummy)));
            }
        }
        self.roots = kept.into_iter().filter(|root| !gone[*root]).collect();
        changed.sort_unstable();
        changed.dedup();
        for node in changed {
            self.sort_children(node);
        }
        self.sort_roots();
    }

    /// The sent date of the newest letter in the tree of each root.
    fn newest(&self) -> Vec<i64> {
        let mut newest = vec![i64::MIN; self.nodes.len()];
        for &root in &self.roots {
            let mut open = vec![root];
            while let Some(node) = open.pop() {
                if let Some(letter) = self.nodes[node].letter {
                    newest[root] = newest[root].max(self.letters[letter].sent);
                }
                open.extend(&self.children[node]);
            }
        }
        newest
    }

    /// Walks through the trees, sorted by `rank`.
    fn in_order(&self, rank: impl Fn(&Self, usize) -> (i64, u32)) -> Vec<Step> {
        let mut roots = self.roots.clone();
        roots.sort_by_key(|root| rank(self, *root));
        let mut steps = Vec::with_capacity(3 * self.letters.len());
        let mut depth = 0;
        /// What is still to be done.
        enum Task {
            Enter(usize),
            EnterInList(usize),
            Close,
        }
        let mut tasks: Vec<Task> =
            roots.iter().rev().map(|root| Task::EnterInList(*root)).collect();
        while let Some(task) = tasks.pop() {
            let node = match task {
                Task::Close => {
                    steps.push(Step::Close);
                    depth -= 1;
                    continue;
                }
                Task::EnterInList(node) => {
                    steps.push(Step::Open);
                    depth += 1;
                    tasks.push(Task::Close);
                    node
                }
                Task::Enter(node) => node,
            };
            let letter = self.nodes[node].letter.map(|letter| self.letters[letter].number);
            steps.extend(letter.map(Step::Message));
            let children = &self.children[node];
            // Replies that would be too deep follow each other.
            let in_lists = (children.len() > 1 || letter.is_none()) && depth < DEEPEST;
            let enter = if in_lists { Task::EnterInList } else { Task::Enter };
            tasks.extend(children.iter().rev().map(|child| enter(*child)));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes threads as the THREAD response does.
    fn text(steps: &[Step]) -> String {
        let mut text = String::new();
        for step in steps {
            match step {
                Step::Open => text.push('('),
                Step::Close => text.push(')'),
                Step::Message(number) => {
                    let space = text.ends_with(|last: char| last.is_ascii_digit());
                    text.push_str(&format!("{}{number}", if space { " " } else { "" }));
                }
            }
        }
        text
    }

    /// A letter: sent date, subject, message id, references.
    type Letter = (i64, &'static str, &'static str, &'static [&'static str]);

    fn threads(algorithm: Algorithm, letters: &[Letter]) -> String {
        let summary = |(index, (sent, subject, id, references)): (usize, &Letter)| {
            let base = super::super::base_subject(subject);
            Summary {
                number: index as u32 + 1,
                sent: *sent,
                subject: base.text.to_uppercase(),
                is_reply: base.is_reply,
                message_id: Some((*id).to_owned()).filter(|id| !id.is_empty()),
                references: references.iter().map(|id| (*id).to_owned()).collect(),
                ..Summary::default()
            }
        };
        text(&thread(letters.iter().enumerate().map(summary).collect(), algorithm))
    }

    #[test]
    fn letters_are_put_under_those_that_they_answer() {
        let table: &[(&[Letter], &str)] = &[
            (&[], ""),
            (&[(1, "a", "1", &[]), (2, "b", "2", &[])], "(1)(2)"),
            (&[(2, "a", "1", &[]), (1, "b", "2", &[])], "(2)(1)"),
            (&[(1, "a", "1", &[]), (2, "a", "2", &["1"]), (3, "a", "3", &["1", "2"])], "(1 2 3)"),
            (&[(1, "a", "1", &[]), (3, "a", "2", &["1"]), (2, "a", "3", &["1"])], "(1(3)(2))"),
            // A letter that nobody has is the parent of several, or makes way for its only child.
            (&[(1, "a", "1", &["0"]), (2, "b", "2", &["0"])], "((1)(2))"),
            (&[(1, "a", "1", &["0"])], "(1)"),
            (
                &[(1, "a", "1", &["x", "y"]), (2, "b", "2", &["x", "z"]), (3, "c", "3", &["x"])],
                "((1)(2)(3))",
            ),
            (&[(1, "a", "1", &[]), (2, "b", "3", &["1", "2"]), (3, "c", "4", &["2"])], "(1(2)(3))"),
            // Loops, ids that two letters have, and letters without.
            (&[(1, "a", "1", &["2"]), (2, "b", "2", &["1"])], "(2 1)"),
            (&[(1, "a", "1", &["1"])], "(1)"),
            (&[(1, "a", "1", &[]), (2, "b", "1", &[]), (3, "c", "2", &["1"])], "(1 3)(2)"),
            (&[(1, "a", "", &[]), (2, "b", "", &[])], "(1)(2)"),
            // The last reference counts, not what an earlier letter said.
            (
                &[
                    (1, "a", "1", &[]),
                    (2, "b", "4", &["1", "3"]),
                    (3, "c", "3", &["2"]),
                    (4, "d", "2", &[]),
                ],
                "(1)(4 3 2)",
            ),
            // Subjects.
            (&[(1, "a", "1", &[]), (2, "Re: a", "2", &[])], "(1 2)"),
            (&[(1, "Re: a", "1", &[]), (2, "a", "2", &[])], "(2 1)"),
            (&[(1, "a", "1", &[]), (2, "a", "2", &[])], "((1)(2))"),
            (&[(1, "Re: a", "1", &[]), (2, "Re: a", "2", &[])], "((1)(2))"),
            (&[(1, "a", "1", &[]), (2, "a", "2", &[]), (3, "Re: a", "3", &[])], "((1)(2)(3))"),
            (&[(1, "", "1", &[]), (2, "", "2", &[])], "(1)(2)"),
            (
                &[
                    (1, "a", "1", &["x"]),
                    (2, "b", "2", &["x"]),
                    (3, "a", "3", &["y"]),
                    (4, "c", "4", &["y"]),
                ],
                "((1)(2)(3)(4))",
            ),
        ];
        for (letters, expected) in table {
            assert_eq!(threads(Algorithm::References, letters), *expected, "{letters:?}");
        }
    }

    #[test]
    fn subjects_alone_make_threads() {
        let letters: &[Letter] = &[
            (5, "b", "1", &[]),
            (1, "a", "2", &[]),
            (2, "Re: b", "3", &[]),
            (3, "re: a", "4", &[]),
            (4, "A", "5", &[]),
        ];
        assert_eq!(threads(Algorithm::OrderedSubject, letters), "(2(4)(5))(3 1)");
        assert_eq!(threads(Algorithm::OrderedSubject, &[]), "");
    }

    #[test]
    fn refs_leaves_subjects_and_sorts_by_the_newest() {
        let letters: &[Letter] = &[
            (1, "a", "1", &[]),
            (2, "a", "2", &[]),
            (3, "a", "3", &["1"]),
            (4, "x", "4", &["0"]),
            (0, "y", "5", &["0"]),
        ];
        assert_eq!(threads(Algorithm::Refs, letters), "(2)(1 3)((5)(4))");
    }

    #[test]
    fn deep_threads_are_flattened_and_long_ones_take_linear_time() {
        // Each letter is answered twice, and the second answer goes on.
        let ids: Vec<String> = (0..100_001).map(|id| id.to_string()).collect();
        let letter = |number: u32| Summary {
            number,
            message_id: Some(ids[number as usize].clone()),
            references: if number < 2 {
                vec![]
            } else {
                vec![ids[(number as usize - 1) / 2 * 2].clone()]
            },
            ..Summary::default()
        };
        let steps = thread((1..=100_000).map(letter).collect(), Algorithm::References);
        let mut depth = 0;
        let mut deepest = 0;
        for step in &steps {
            match step {
                Step::Open => depth += 1,
                Step::Close => depth -= 1,
                Step::Message(_) => {}
            }
            deepest = deepest.max(depth);
        }
        assert_eq!((depth, deepest), (0, DEEPEST));
        let messages = steps.iter().filter(|step| matches!(step, Step::Message(_))).count();
        assert_eq!(messages, 100_000);
    }
}
