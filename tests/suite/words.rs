//! The page `docs/words.md`: for each word of the standards whether it is there.
//!
//! The words stand in `tests/words/*.txt`. A line that starts with `# ` is a chapter; lines of words
//! follow. `~ words` are those that differ: how is a row of the page of differences whose expression
//! calls the word, or a note after `: `. `- words: note` says what to use instead of words that are
//! not there. Which words are there is asked of a host. With `POSTOFFICE_BLESS=1` in the environment
//! the page is written.

use postoffice::repl::Session;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Parts of forms and constants, which are no names of their own.
const PARTS: [&str; 7] = ["t", "nil", "else", "=>", "_", "...", "syntax-rules"];

/// The lists of words, and the page of differences from each standard.
const LISTS: [(&str, &str); 3] =
    [("common-lisp", "common-lisp"), ("r7rs", "scheme"), ("srfi", "scheme")];

#[derive(Default)]
struct Chapter {
    title: String,
    there: Vec<String>,
    /// A word and how it differs.
    different: Vec<(String, String)>,
    /// Words and what to use instead.
    missing: Vec<(Vec<String>, String)>,
}

/// A row of a page of differences: expression, standard, here, why.
type Row = [String; 4];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows(page: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in read(&format!("docs/{page}.md")).lines().filter(|line| line.starts_with("| `")) {
        let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let cells: Vec<String> = cells.collect();
        let mut row: Row = cells.try_into().unwrap_or_else(|cells| panic!("{page}: {cells:?}"));
        // "The same", "The same: more".
        if let Some(more) = row[3].strip_prefix("The same") {
            row[3] = match more.strip_prefix(": ") {
                Some(more) => more.to_owned(),
                None => rows.last().map(|row| row[3].clone()).unwrap_or_default(),
            };
        }
        rows.push(row);
    }
    rows
}

fn calls(expression: &str, word: &str) -> bool {
    expression.match_indices(&format!("({word}")).any(|(at, found)| {
        expression[at + found.len()..].starts_with(|next: char| " )".contains(next))
    })
}

/// Describes the difference by the shortest row whose expression is a call of the word, or has one
/// in it.
fn difference(word: &str, rows: &[Row]) -> Option<String> {
    let calling = rows.iter().filter(|row| calls(&row[0], word));
    let is_itself = |row: &Row| row[0].starts_with(&format!("`({word} "));
    let [expression, standard, here, why] =
        calling.min_by_key(|row| (!is_itself(row), row[0].len()))?;
    let value = |value: &str| if value == "error" { "an error".into() } else { value.to_owned() };
    Some(format!("{expression} is {}, not {}. {why}", value(here), value(standard)))
}

fn is_there(session: &mut Session, names: &HashSet<String>, word: &str) -> bool {
    names.contains(word)
        || PARTS.contains(&word)
        // The classes of conditions, and types.
        || session.host().evaluate(&format!("(typep 5 '{word})"), "test").is_ok()
}

fn chapters(
    list: &str,
    rows: &[Row],
    session: &mut Session,
    faults: &mut Vec<String>,
) -> Vec<Chapter> {
    let names: HashSet<String> = session.host().names().into_iter().collect();
    let mut chapters: Vec<Chapter> = Vec::new();
    for line in read(&format!("tests/words/{list}.txt")).lines() {
        if let Some(title) = line.strip_prefix("# ") {
            chapters.push(Chapter { title: title.to_owned(), ..Chapter::default() });
            continue;
        }
        let Some(chapter) = chapters.last_mut() else { panic!("{list}: {line}: no chapter") };
        let (mark, rest) = match line.split_once(' ') {
            Some((mark @ ("~" | "-"), rest)) => (mark, rest),
            _ => ("", line),
        };
        let (words, note) = match rest.split_once(": ") {
            Some((words, note)) if !mark.is_empty() => (words, Some(note.to_owned())),
            _ => (rest, None),
        };
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        for word in &words {
            match (is_there(session, &names, word), mark) {
                (true, "-") => faults.push(format!("{list}: {word} is there: drop its note")),
                (false, "-") if note.is_none() => {
                    faults.push(format!("{list}: {word}: the note is missing"));
                }
                (false, "" | "~") => {
                    faults.push(format!("{list}: {word} is not there: say what to use instead"));
                }
                _ => {}
            }
        }
        match mark {
            "" => chapter.there.extend(words),
            "~" => {
                for word in words {
                    match note.clone().or_else(|| difference(&word, rows)) {
                        Some(how) => chapter.different.push((word, how)),
                        None => faults.push(format!("{list}: {word}: no row shows how it differs")),
                    }
                }
            }
            _ => chapter.missing.push((words, note.unwrap_or_default())),
        }
    }
    chapters
}

fn code(words: &[String]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            // A cell of a table ends at a bar.
            format!("`{}`", word.replace('|', "\\|"))
        })
        .collect();
    words.join(" ")
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = &lines[lines.len() - 1];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 100 {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join("\n")
}

fn page(chapters: &[Chapter]) -> String {
    let mut page = String::from(
        "# The words of the standards\n\n\
         Which words of Common Lisp, of R7RS and of three SRFIs are there. `tests/suite/words.rs` makes\n\
         this page from `tests/words` and fails if it is not true. A word that is there does what its\n\
         standard says; [`common-lisp.md`](common-lisp.md) and [`scheme.md`](scheme.md) tell of\n\
         differences that many words share, such as lists and strings that do not change.\n\n\
         | chapter | there | different | not there |\n|---|---|---|---|\n",
    );
    for chapter in chapters {
        let missing: usize = chapter.missing.iter().map(|(words, _)| words.len()).sum();
        let (there, different) = (chapter.there.len(), chapter.different.len());
        writeln!(page, "| {} | {there} | {different} | {missing} |", chapter.title).unwrap();
    }
    for chapter in chapters {
        write!(page, "\n## {}\n\n", chapter.title).unwrap();
        if !chapter.there.is_empty() {
            writeln!(page, "{}", wrapped(&format!("There: {}", code(&chapter.there)))).unwrap();
        }
        if !chapter.different.is_empty() {
            page.push_str("\n| different | how |\n|---|---|\n");
            for (word, how) in &chapter.different {
                writeln!(page, "| {} | {how} |", code(std::slice::from_ref(word))).unwrap();
            }
        }
        if !chapter.missing.is_empty() {
            page.push_str("\n| not there | instead |\n|---|---|\n");
            for (words, instead) in &chapter.missing {
                writeln!(page, "| {} | {instead} |", code(words)).unwrap();
            }
        }
    }
    page
}

#[test]
fn the_page_of_words_is_true() {
    let mut session = Session::new(Vec::new());
    let (mut faults, mut all) = (Vec::new(), Vec::new());
    for (list, differences) in LISTS {
        all.extend(chapters(list, &rows(differences), &mut session, &mut faults));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let made = page(&all);
    if std::env::var_os("POSTOFFICE_BLESS").is_some() {
        std::fs::write(folder().join("docs/words.md"), &made).unwrap();
    }
    assert!(
        read("docs/words.md") == made,
        "docs/words.md is not what tests/words says: run the test with POSTOFFICE_BLESS=1"
    );
}

#[test]
fn no_word_stands_twice_in_a_chapter() {
    for (list, _) in LISTS {
        let mut seen = HashSet::new();
        let text = read(&format!("tests/words/{list}.txt"));
        for line in text.lines() {
            if line.starts_with("# ") {
                seen.clear();
                continue;
            }
            let line = line.strip_prefix("- ").or(line.strip_prefix("~ ")).unwrap_or(line);
            for word in line.split(": ").next().unwrap_or_default().split_whitespace() {
                assert!(seen.insert(word.to_owned()), "{list}: {word} stands twice");
            }
        }
    }
}
