//! Lays out lists that are longer than a line, and cuts long texts to the screen.

use crate::lisp::{Datum, printer};
use unicode_width::UnicodeWidthStr;

/// Lists nested deeper than this are printed on one line.
const DEEPEST: usize = 60;

/// Returns the data as [`printer::readably`] prints it if that fits into `width` columns. Otherwise
/// it is broken between elements: a list of atoms is filled, a list of names and values has a line
/// for each pair, and any other list has a line for each element. The text inside strings is not
/// changed.
pub fn laid_out(datum: &Datum, width: usize) -> String {
    let mut page = Page { text: String::new(), column: 0, width: width.max(20) };
    page.datum(datum, 0, 0);
    page.text
}

struct Page {
    text: String,
    column: usize,
    width: usize,
}

/// How to divide the elements of a list that does not fit into lines.
enum Division {
    Fill,
    Pairs,
    Each,
}

impl Page {
    /// Writes data after which `closing` parentheses follow on the same line.
    fn datum(&mut self, datum: &Datum, closing: usize, depth: usize) {
        let room = self.width.saturating_sub(self.column + closing);
        if let Some(flat) = flat(datum, room) {
            return self.write(&flat);
        }
        match datum {
            Datum::List(elements) if depth < DEEPEST => self.list("(", elements, closing, depth),
            Datum::Vector(elements) if depth < DEEPEST => self.list("#(", elements, closing, depth),
            other => self.write(&printer::readably(other)),
        }
    }

    fn list(&mut self, open: &str, elements: &[Datum], closing: usize, depth: usize) {
        self.write(open);
        let indent = self.column;
        let division = division(elements);
        for (index, element) in elements.iter().enumerate() {
            let last = index + 1 == elements.len();
            let closing = if last { closing + 1 } else { 0 };
            match division {
                _ if index == 0 => {}
                Division::Fill => {
                    let fits = flat(element, self.width.saturating_sub(self.column + 1 + closing))
                        .is_some();
                    if fits { self.write(" ") } else { self.break_line(indent) }
                }
                Division::Pairs if index % 2 == 1 => self.write(" "),
                Division::Pairs | Division::Each => self.break_line(indent),
            }
            self.datum(element, closing, depth + 1);
        }
        self.write(")");
    }

    fn break_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    fn write(&mut self, text: &str) {
        self.text.push_str(text);
        self.column = match text.rsplit_once('\n') {
            Some((_, last)) => last.width(),
            None => self.column + text.width(),
        };
    }
}

fn is_group(datum: &Datum) -> bool {
    matches!(datum, Datum::List(_) | Datum::Vector(_) | Datum::Dotted(..))
}

fn division(elements: &[Datum]) -> Division {
    if !elements.iter().any(is_group)
        && !elements
            .iter()
            .any(|element| matches!(element, Datum::String(text) if text.contains('\n')))
    {
        return Division::Fill;
    }
    let is_name = |datum: &Datum| {
        matches!(datum, Datum::String(text) if text.len() <= 60)
            || matches!(datum, Datum::Keyword(_))
    };
    let named = elements.len().is_multiple_of(2) && elements.iter().step_by(2).all(is_name);
    let numbered = elements.len() == 2 && matches!(elements[0], Datum::Integer(_));
    if named || numbered { Division::Pairs } else { Division::Each }
}

/// Returns the data on one line if that takes at most `room` columns. Each level takes a column, so
/// data that is nested deeper does not fit.
fn flat(datum: &Datum, room: usize) -> Option<String> {
    let mut text = String::new();
    add_flat(datum, room, &mut text)?;
    (text.width() <= room).then_some(text)
}

fn add_flat(datum: &Datum, room: usize, text: &mut String) -> Option<()> {
    // A column is assumed to take at most four bytes; a longer text counts as too wide.
    if text.len() > room.saturating_mul(4) {
        return None;
    }
    let (open, elements, tail) = match datum {
        Datum::List(elements) => ("(", elements, None),
        Datum::Vector(elements) => ("#(", elements, None),
        Datum::Dotted(elements, tail) => ("(", elements, Some(tail)),
        Datum::String(string) if string.len() > room.saturating_mul(4) || string.contains('\n') => {
            return None;
        }
        Datum::Bytes(bytes) if bytes.len() > room => return None,
        atom => {
            text.push_str(&printer::readably(atom));
            return Some(());
        }
    };
    let room = room.checked_sub(1)?;
    text.push_str(open);
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        add_flat(element, room, text)?;
    }
    if let Some(tail) = tail {
        text.push_str(" . ");
        add_flat(tail, room, text)?;
    }
    text.push(')');
    Some(())
}

/// Cuts a text to `rows` rows of `columns` columns. Returns the part to show and the number of
/// missing lines, or `None` if the whole text fits.
pub fn cut(text: &str, rows: usize, columns: usize) -> Option<(&str, usize)> {
    let columns = columns.max(1);
    let (mut used, mut end) = (0, 0);
    for line in text.split('\n') {
        used += line.width().div_ceil(columns).max(1);
        if used > rows {
            let shown = text[..end].strip_suffix('\n').unwrap_or(&text[..end]);
            // A single line that is longer than the screen is cut within.
            let shown = if shown.is_empty() {
                line.get(..floor(line, rows.saturating_mul(columns))).unwrap_or("")
            } else {
                shown
            };
            let missing = text[shown.len()..].trim_start_matches('\n').split('\n').count();
            return Some((shown, missing));
        }
        end += line.len() + 1;
        end = end.min(text.len());
    }
    None
}

fn floor(text: &str, mut end: usize) -> usize {
    end = end.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lisp::reader;

    fn shown(text: &str, width: usize) -> String {
        laid_out(&reader::read_data(text).unwrap()[0], width)
    }

    #[test]
    fn what_fits_stays_on_its_line() {
        for text in [
            "(1 2 3)",
            "\"a long string that is longer than the line is\"",
            "nil",
            "((4 (\"FLAGS\" (:\\\\seen))))",
            "#(1 2)",
            "(a . b)",
        ] {
            assert_eq!(shown(text, 40), text);
        }
    }

    #[test]
    fn long_lists_are_laid_out() {
        assert_eq!(shown("(100 200 300 400 500 600 700)", 20), "(100 200 300 400 500\n 600 700)");
        assert_eq!(
            shown("((4 (\"FLAGS\" (:\\\\seen :junk) \"RFC822.SIZE\" 2342)))", 30),
            "((4 (\"FLAGS\" (:\\\\seen :junk)\n     \"RFC822.SIZE\" 2342)))"
        );
        assert_eq!(
            shown("(\"date\" \"subject\" ((\"n\" nil \"m\" \"h\")) nil)", 24),
            "(\"date\"\n \"subject\"\n ((\"n\" nil \"m\" \"h\"))\n nil)"
        );
        assert_eq!(shown("((4 (\"BODY[]\" \"a\nb\n\")))", 80), "((4 (\"BODY[]\" \"a\nb\n\")))");
        assert_eq!(
            shown("(\"日本語日本語\" \"日本語日本語\" 1)", 20),
            "(\"日本語日本語\"\n \"日本語日本語\" 1)"
        );
    }

    #[test]
    fn depth_and_size_are_survived() {
        let mut datum = Datum::Integer(1);
        for _ in 0..100_000 {
            datum = Datum::List(vec![datum]);
        }
        assert_eq!(
            laid_out(&datum, 80).len(),
            printer::readably(&datum).len() + (0..DEEPEST).map(|_| 0).sum::<usize>()
        );
        let wide = Datum::List((0..100_000).map(Datum::Integer).collect());
        assert!(laid_out(&wide, 80).lines().all(|line| line.len() <= 80));
    }

    proptest::proptest! {
        #[test]
        fn it_reads_back_as_the_same_data(text in "[(] ?([a-z0-9\"\\\\ é()]|:k |\"s\" ){0,60}[)]", width in 20usize..60) {
            if let Ok(data) = reader::read_data(&text) && let [datum] = data.as_slice() {
                let shown = laid_out(datum, width);
                proptest::prop_assert_eq!(reader::read_data(&shown).unwrap(), vec![datum.clone()]);
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_to_the_screen() {
        assert_eq!(cut("a\nb\nc", 3, 80), None);
        assert_eq!(cut("a\nb\nc\nd", 2, 80), Some(("a\nb", 2)));
        assert_eq!(cut("a\naaaaaaaaaaaaaaaaaaaa\nc", 2, 10), Some(("a", 2)));
        assert_eq!(cut("éééééé", 1, 4), Some(("éé", 1)));
    }
}
