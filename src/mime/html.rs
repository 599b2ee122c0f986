//! Converts an HTML page to plain text: removes tags, puts blocks on their own lines and decodes
//! entities. The result is for reading and must not be displayed as HTML.

/// Elements whose content is dropped.
const SILENT: [&str; 6] = ["script", "style", "head", "title", "template", "noscript"];
/// Elements that start and end on their own line.
const BLOCKS: [&str; 27] = [
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "pre",
    "blockquote",
    "section",
    "article",
    "header",
    "footer",
    "form",
    "address",
    "body",
];
/// Elements with an empty line before and after.
const PARAGRAPHS: [&str; 9] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"];
/// Maximum length of an entity, enough for the longest known name and for long numbers.
const ENTITY: usize = 12;

/// Returns the readable text of a page, in one pass. An element or comment that is never closed
/// swallows the rest, as in a browser.
pub fn html_to_text(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(found) = rest.find('<') {
        page.text(&rest[..found]);
        let tag = &rest[found..];
        let begins_tag = tag[1..].starts_with(|letter: char| {
            letter.is_ascii_alphabetic() || matches!(letter, '/' | '!' | '?')
        });
        if !begins_tag {
            page.text("<");
            rest = &tag[1..];
        } else if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
        } else {
            let end = tag_end(tag);
            let name = tag_name(tag);
            page.tag(&name, tag.starts_with("</"));
            rest = &tag[end..];
            if SILENT.contains(&name.as_str())
                && !tag.starts_with("</")
                && !tag[..end].ends_with("/>")
            {
                rest = behind_element(rest, &name);
            }
        }
    }
    page.text(rest);
    page.finish()
}

#[derive(Default)]
struct Page {
    out: String,
    /// Line ends to write before the next character.
    breaks: usize,
    blank: bool,
    preformatted: bool,
}

impl Page {
    fn tag(&mut self, name: &str, closes: bool) {
        match name {
            "pre" => self.preformatted = !closes,
            "td" | "th" => self.blank = true,
            _ => {}
        }
        if name == "br" {
            self.breaks += 1;
        } else if PARAGRAPHS.contains(&name) {
            self.breaks = self.breaks.max(2);
        } else if BLOCKS.contains(&name) {
            self.breaks = self.breaks.max(1);
        }
        if name == "li" && !closes {
            self.push("- ");
        }
    }

    fn text(&mut self, mut text: &str) {
        while let Some(found) = text.find('&') {
            self.plain(&text[..found]);
            let (letter, length) = entity(&text[found..]);
            match letter {
                Some(letter) => self.push(letter.encode_utf8(&mut [0; 4])),
                None => self.push(&text[found..found + length]),
            }
            text = &text[found + length..];
        }
        self.plain(text);
    }

    fn plain(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\n' if self.preformatted => self.breaks += 1,
                '\r' => {}
                ' ' | '\t' if self.preformatted => self.push(" "),
                ' ' | '\t' | '\n' | '\u{c}' => self.blank = true,
                letter => self.push(letter.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn push(&mut self, text: &str) {
        if self.breaks > 0 && !self.out.is_empty() {
            self.out.extend(std::iter::repeat_n('\n', self.breaks.min(3)));
        } else if self.blank && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        (self.breaks, self.blank) = (0, false);
        self.out.push_str(text);
    }

    fn finish(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}

fn tag_name(tag: &str) -> String {
    let letters = tag[1..].trim_start_matches('/').chars();
    letters
        .take(20)
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// The length of a tag. A `>` in a quoted attribute does not end it.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    let mut after_equals = false;
    for (index, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            // A quote only opens a value; elsewhere it is an ordinary character.
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (None, b'>') => return index + 1,
            _ => {}
        }
        after_equals =
            quote.is_none() && (byte == b'=' || (after_equals && byte.is_ascii_whitespace()));
    }
    tag.len()
}

/// The text from `</name` on, whose tag is then read as usual. Empty if the element is never
/// closed.
fn behind_element<'a>(text: &'a str, name: &str) -> &'a str {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b'<', bytes) {
        let end = at + 2 + name.len();
        let is_named =
            bytes.get(at + 2..end).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()));
        if bytes.get(at + 1) == Some(&b'/')
            && is_named
            && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
        {
            return &text[at..];
        }
    }
    ""
}

/// The character that an entity at the start of the text stands for, and the number of bytes it
/// takes.
fn entity(text: &str) -> (Option<char>, usize) {
    let Some(end) = text.bytes().take(ENTITY).position(|byte| byte == b';') else {
        return (None, 1);
    };
    let name = &text[1..end];
    let letter = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            code.ok()
                .and_then(char::from_u32)
                .filter(|letter| !letter.is_control() || *letter == '\n')
        }
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter),
    };
    match letter {
        Some('\u{a0}') => (Some(' '), end + 1),
        Some(letter) => (Some(letter), end + 1),
        None => (None, 1),
    }
}

/// The entities that mail programs write by name. They write everything else as UTF-8 or by number.
#[rustfmt::skip]
const NAMED: [(&str, char); 66] = [
    ("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", '\u{a0}'), ("copy", '©'), ("reg", '®'), ("trade", '™'),
    ("hellip", '…'), ("ndash", '–'), ("mdash", '—'), ("lsquo", '‘'), ("rsquo", '’'), ("ldquo", '“'), ("rdquo", '”'), ("sbquo", '‚'),
    ("bdquo", '„'), ("laquo", '«'), ("raquo", '»'), ("bull", '•'), ("middot", '·'), ("euro", '€'), ("pound", '£'), ("yen", '¥'), ("cent", '¢'),
    ("sect", '§'), ("para", '¶'), ("deg", '°'), ("plusmn", '±'), ("times", '×'), ("divide", '÷'), ("frac12", '½'), ("szlig", 'ß'),
    ("auml", 'ä'), ("ouml", 'ö'), ("uuml", 'ü'), ("Auml", 'Ä'), ("Ouml", 'Ö'), ("Uuml", 'Ü'), ("agrave", 'à'), ("aacute", 'á'), ("acirc", 'â'),
    ("atilde", 'ã'), ("aring", 'å'), ("aelig", 'æ'), ("ccedil", 'ç'), ("egrave", 'è'), ("eacute", 'é'), ("ecirc", 'ê'), ("euml", 'ë'),
    ("iacute", 'í'), ("icirc", 'î'), ("iuml", 'ï'), ("ntilde", 'ñ'), ("oacute", 'ó'), ("ocirc", 'ô'), ("otilde", 'õ'), ("oslash", 'ø'),
    ("ugrave", 'ù'), ("uacute", 'ú'), ("ucirc", 'û'), ("Eacute", 'É'), ("rarr", '→'), ("larr", '←'), ("iexcl", '¡'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_text() {
        let table = [
            ("plain", "plain\n"),
            ("", ""),
            ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
            ("a<br>b<BR/>c", "a\nb\nc\n"),
            ("<b>a</b><i>b</i> c", "ab c\n"),
            ("a &amp; b &lt;c&gt; &eacute;&#233;&#xe9;&nbsp;x", "a & b <c> ééé x\n"),
            ("&bogus; & &#0; &#99999999;", "&bogus; & &#0; &#99999999;\n"),
            ("<style>p { a: b }</style>x<script>if (a < b) '</p>'</script>y", "xy\n"),
            ("<head><title>t</title></head><body>x</body>", "x\n"),
            ("a<!-- <b>no</b> -->b", "ab\n"),
            ("a<!-- never closed", "a\n"),
            ("<script>never closed", ""),
            ("a < b > c", "a < b > c\n"),
            ("<a href=\"x>y\" title='>'>link</a>", "link\n"),
            ("<a it's>link</a>", "link\n"),
            ("<ul><li>a<li>b</ul>c", "- a\n- b\nc\n"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
            ("  a \n\n  b  ", "a b\n"),
            ("x<pre>a\n  b</pre>", "x\n\na\n  b\n"),
            ("<", "<\n"),
            ("a<b", "a\n"),
            ("é<p>ü", "é\n\nü\n"),
        ];
        for (html, expected) in table {
            assert_eq!(html_to_text(html), expected, "{html:?}");
        }
    }
}
