//! Output for other programs and for people: CSV (RFC 4180) and tables.
//!
//! The rows of `->json`, `from-json` and `mailbox-report` are here, too.

use super::files::{cannot_write, write_whole};
use super::sets::required;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Function, Type, Value, ValueKind};
use crate::shown::escape_controls;
use unicode_width::UnicodeWidthStr;

/// The rows of the topic "Output for other programs".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "->json",
        "(value)",
        super::json::to_json,
        "A value as JSON, a string on one line. The README has the table of the mapping.
value: anything. nil is null; a hash table, (:key value …) and ((\"key\" . value) …) are objects; other lists are arrays; bytes are base64.
Errors: :syntax-error for a value that contains itself.",
    ).checked(),
    Function::native(
        "from-json",
        "(json)",
        super::json::from_json,
        "The value of a JSON text, with objects as hash tables, arrays as lists, null and false as nil. Returns any value.
json: a string. Errors: :syntax-error with the line and the column.",
    ).checked(),
    Function::native(
        "write-csv",
        "(rows &key columns file separator append)",
        write_csv,
        "Writes rows as CSV (RFC 4180, but lines end in LF), to the output or to a file, which is written completely or not at all. Returns nil.
rows: a list of lists; nil is an empty field. :columns  a list of headings. :file  a string. :separator  a string of one character, \",\". :append  t adds to the file, in one go, with the headings only if it is empty or new. Errors: :file.",
    ).typed(&[("append", Type::Truth)]).checked(),
    Function::native(
        "write-file",
        "(text path &key append)",
        write_file,
        "Writes a text to a file, which is written completely or not at all; an older file of that name is replaced. Returns the path.
text: a string, written as UTF-8, or a bytevector. path: a string, in a folder that exists. :append  t adds to the end of the file, in one go, or makes it. Errors: :file.",
    ).typed(&[("append", Type::Truth)]).checked(),
    Function::native(
        "print-table",
        "(rows &key columns)",
        print_table,
        "Prints rows as a table for people. Columns of numbers are aligned to the right, and control characters are escaped. Returns nil.
rows: a list of lists. :columns  a list of headings.",
    ).checked(),
    Function::native(
        "mailbox-report",
        "(mb &key messages uid top html)",
        super::report::mailbox_report,
        "Prints a picture of the selected mailbox: letters, bytes and unseen letters, by sender, by month and by size, as tables with bars for a terminal of 80 columns. \\Seen does not change.
mb: an IMAP mailbox object. :messages  a message number, (:seq N M), or a list of these; all letters by default, none for nil. :uid  t takes unique ids. :top  an integer from 1 to 1000, 10: how many senders are shown; the others are added up.
:html  a string, a file that gets the same numbers as a self-contained page, without scripts and with nothing from elsewhere; it is written completely or not at all.
Senders are the addresses in From, in lower case; those after the first 50,000 are counted together. Months are those in which the server received the letters (INTERNALDATE, in the zone that it reports); more than 24 months are shown as years. kB are 1000 bytes.
It runs a single FETCH and aggregates the response as it streams in, so memory does not depend on the size of the mailbox.
Returns two values: the list (:name name :messages n :bytes n :unseen n :senders n :first \"1999-09-13\" :last \"1999-09-13\"), with nil as its days if there are no letters, and the list
(:senders ((address name messages bytes) …) :months ((\"1999-09\" messages bytes) …) :sizes ((bytes-from messages bytes) …)), with the :top senders and every month that has letters.
Errors: :error-response when no mailbox is selected; :file.",
    ).typed(&[("uid", Type::Truth), ("top", Type::Integer(1, 1000)), ("html", Type::String)]).checked(),
];

/// Runs `(write-csv rows :columns '("n" "subject") :file "out.csv" :separator ";")`.
pub(super) fn write_csv(call: &Call<'_>) -> Result<Value, Condition> {
    let separator = call.typed_key(
        "separator",
        "a string of one character that is no quote and no line end",
        |value| {
            let text = host::as_str(value)?;
            let mut characters = text.chars();
            let only = characters.next().filter(|character| {
                characters.next().is_none() && !matches!(character, '"' | '\n' | '\r')
            })?;
            Some(only)
        },
    )?;
    let separator = separator.unwrap_or(',');
    let file = call.key_string("file")?;
    let append = call.boolean_key("append");
    let headings = match file.filter(|_| append) {
        Some(path) if !is_empty(call, path)? => None,
        _ => columns(call)?,
    };
    let mut text = String::new();
    for row in headings.into_iter().chain(rows(call)?) {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                text.push(separator);
            }
            field(&plain(cell), separator, row.len() == 1, &mut text);
        }
        text.push('\n');
    }
    match file {
        Some(path) => write_whole(call, path, text.as_bytes(), append)?,
        None => print(call, &text)?,
    }
    Ok(host::nil())
}

fn write_file(call: &Call<'_>) -> Result<Value, Condition> {
    let text = call.typed(0, "a string or a bytevector", |value| {
        host::as_str(value).map(|text| text.as_bytes().to_vec()).or_else(|| host::as_bytes(value))
    })?;
    let path = call.string(1)?;
    write_whole(call, path, &text, call.boolean_key("append"))?;
    Ok(host::string(path.to_owned()))
}

/// Whether a file is empty, or does not exist.
fn is_empty(call: &Call<'_>, path: &str) -> Result<bool, Condition> {
    match std::fs::metadata(call.writable(path)?) {
        Ok(file) => Ok(file.len() == 0),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(cannot_write(call, path, &cause)),
    }
}

/// Writes a field, in quotes where necessary. An empty field that is alone in its row is quoted,
/// too, because an empty line is not a row.
fn field(text: &str, separator: char, alone: bool, into: &mut String) {
    if text.contains([separator, '"', '\n', '\r'])
        || text.starts_with(' ')
        || text.ends_with(' ')
        || (alone && text.is_empty())
    {
        into.push('"');
        into.push_str(&text.replace('"', "\"\""));
        into.push('"');
    } else {
        into.push_str(text);
    }
}

/// Runs `(print-table rows :columns '("n" "subject"))`.
pub(super) fn print_table(call: &Call<'_>) -> Result<Value, Condition> {
    let (columns, rows) = (columns(call)?, rows(call)?);
    let shown = |row: &Vec<Value>| {
        row.iter().map(|cell| (escape_controls(&plain(cell)), is_number(cell))).collect()
    };
    print(call, &table(columns.as_ref().map(shown), rows.iter().map(shown).collect()))?;
    Ok(host::nil())
}

/// Arranges cells in columns. Marked cells are aligned to the right. A rule separates the head.
pub(super) fn table(head: Option<Vec<(String, bool)>>, rows: Vec<Vec<(String, bool)>>) -> String {
    let has_head = head.is_some();
    let rows: Vec<Vec<(String, bool)>> = head.into_iter().chain(rows).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|(cell, _)| cell.width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    // A heading is aligned like the numbers below it.
    let right = |column: usize| {
        let mut cells = rows
            .iter()
            .skip(usize::from(has_head))
            .filter_map(|row| row.get(column))
            .filter(|(cell, _)| !cell.is_empty())
            .peekable();
        cells.peek().is_some() && cells.all(|(_, right)| *right)
    };
    let right: Vec<bool> = (0..count).map(right).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, at_right)) in row.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - cell.width());
            let at_right = *at_right || (has_head && index == 0 && right[column]);
            line += if column > 0 { "  " } else { "" };
            line += &if at_right { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") };
        }
        text += line.trim_end();
        text.push('\n');
        if has_head && index == 0 {
            text += &widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join("  ");
            text.push('\n');
        }
    }
    text
}

/// Returns a cell for people: empty for `nil`, the name of a keyword without its colon.
fn plain(cell: &Value) -> String {
    match host::as_keyword(cell) {
        Some(name) => name.to_owned(),
        None if host::is_nil(cell) => String::new(),
        None => host::displayed(cell),
    }
}

fn is_number(cell: &Value) -> bool {
    host::as_float(cell).is_some()
}

fn columns(call: &Call<'_>) -> Result<Option<Vec<Value>>, Condition> {
    call.typed_key("columns", "a list of headings", |value| {
        host::as_list(value).map(Iterator::collect)
    })
}

fn rows(call: &Call<'_>) -> Result<Vec<Vec<Value>>, Condition> {
    let value = required(call, 0);
    let row = |row: Value| -> Result<Vec<Value>, Condition> {
        match host::kind_of(&row) {
            ValueKind::Sequence => Ok(host::members(&row)),
            _ => Err(call.wrong("rows", "a list of lists", &row)),
        }
    };
    host::as_list(value)
        .ok_or_else(|| call.wrong("rows", "a list of lists", value))?
        .map(row)
        .collect()
}

pub(super) fn print(call: &Call<'_>, text: &str) -> Result<(), Condition> {
    call.context().write(text).map_err(|cause| {
        Condition::new(
            Identifier::File,
            format!("{}: cannot write the output: {cause}", call.name()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_it_is_needed() {
        let table = [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            (" a", "\" a\""),
            ("", ""),
        ];
        for (text, expected) in table {
            let mut into = String::new();
            field(text, ',', false, &mut into);
            assert_eq!(into, expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_their_head_stand_at_the_right() {
        let cell = |text: &str, right| (text.to_owned(), right);
        let head = vec![cell("from", false), cell("n", false)];
        let rows = vec![
            vec![cell("日本", false), cell("5", true)],
            vec![cell("a", false), cell("12", true)],
        ];
        assert_eq!(table(Some(head), rows), "from   n\n────  ──\n日本   5\na     12\n");
    }
}
