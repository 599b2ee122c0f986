//! Makes a file name from a letter safe to use in a directory: a single path component that is
//! valid on every system and looks like what it is.

/// Maximum length of a name in bytes. File systems allow 255; the rest leaves room for a number.
const NAME: usize = 200;
/// Maximum length of an extension in bytes, dot included; a longer suffix is not treated as one.
const EXTENSION: usize = 20;

/// Returns a safe file name: the suggested name, otherwise `fallback`, otherwise `attachment`, each
/// cleaned.
///
/// The result is never empty, never a path and never the name of a device. It has no control,
/// invisible or reserved characters and no leading dots or dashes, and is at most 200 bytes long. A
/// name that is cut keeps its extension.
pub fn safe_name(suggested: Option<&str>, fallback: &str) -> String {
    suggested
        .and_then(cleaned)
        .or_else(|| cleaned(fallback))
        .unwrap_or_else(|| "attachment".to_owned())
}

/// Inserts a number before the extension: `report-2.pdf`.
pub fn numbered(name: &str, number: u64) -> String {
    let (stem, extension) = stem_and_extension(name);
    let suffix = format!("-{number}{extension}");
    format!("{}{suffix}", cut(stem, NAME.saturating_sub(suffix.len())))
}

/// Whether a character is invisible or changes how others are displayed.
pub(super) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn cleaned(name: &str) -> Option<String> {
    // Of a path, the last non-empty component is the name.
    let last = name.rsplit(['/', '\\']).find(|piece| !piece.trim().is_empty()).unwrap_or_default();
    let kept = last.chars().filter(|letter| !letter.is_control() && !is_invisible(*letter));
    let mapped: String = kept
        .map(|letter| {
            if ":*?\"<>|".contains(letter) {
                '_'
            } else if letter.is_whitespace() {
                ' '
            } else {
                letter
            }
        })
        .collect();
    let name = mapped.trim_start_matches(['.', '-', ' ', '~']).trim_end_matches(['.', ' ']);
    if name.is_empty() {
        return None;
    }
    let (stem, extension) = stem_and_extension(name);
    let stem = if is_device(name) { format!("_{stem}") } else { stem.to_owned() };
    Some(format!("{}{extension}", cut(&stem, NAME - extension.len())))
}

/// Splits off the extension with its dot; it is empty if there is none.
fn stem_and_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= EXTENSION && dot + 1 < name.len() => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

/// Whether Windows treats the name as a device, with any extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let is_port = port.is_some_and(|number| {
        matches!(
            number,
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    });
    is_port || ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].contains(&stem.as_str())
}

fn cut(text: &str, length: usize) -> &str {
    let end = (0..=length.min(text.len())).rfind(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].trim_end_matches(['.', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        let table = [
            (Some("report.pdf"), "report.pdf"),
            (Some("résumé 日本.txt"), "résumé 日本.txt"),
            (Some("../../etc/passwd"), "passwd"),
            (Some("/etc/passwd"), "passwd"),
            (Some("C:\\Windows\\x.exe"), "x.exe"),
            (Some("a/b/"), "b"),
            (Some(".."), "part"),
            (Some("."), "part"),
            (Some(".bashrc"), "bashrc"),
            (Some("-rf"), "rf"),
            (Some("--help"), "help"),
            (Some("~root"), "root"),
            (Some("a:b*c?d\"e<f>g|h"), "a_b_c_d_e_f_g_h"),
            (Some("x\0y\r\nz\t.txt"), "xyz.txt"),
            (Some("ann\u{202e}fdp.exe"), "annfdp.exe"),
            (Some("\u{200b}\u{feff}"), "part"),
            (Some("CON"), "_CON"),
            (Some("nul.txt"), "_nul.txt"),
            (Some("com1.tar.gz"), "_com1.tar.gz"),
            (Some("LPT³"), "_LPT³"),
            (Some("console.txt"), "console.txt"),
            (Some("name. . "), "name"),
            (Some("a.txt::$DATA"), "a.txt__$DATA"),
            (Some("   "), "part"),
            (Some(""), "part"),
            (None, "part"),
        ];
        for (suggested, expected) in table {
            assert_eq!(safe_name(suggested, "part"), expected, "{suggested:?}");
        }
        assert_eq!(safe_name(None, "/"), "attachment");
    }

    #[test]
    fn long_names_keep_their_extension() {
        for letter in ["a", "é", "日", "😀"] {
            let name = safe_name(Some(&format!("{}.tar", letter.repeat(300))), "part");
            assert!(name.len() <= 200 && name.ends_with(".tar"), "{name}");
            let second = numbered(&name, 12345);
            assert!(second.len() <= 200 && second.ends_with("-12345.tar"), "{second}");
        }
    }

    #[test]
    fn a_number_goes_before_the_extension() {
        for (name, expected) in [
            ("name.ext", "name-2.ext"),
            ("name", "name-2"),
            ("a.b.c", "a.b-2.c"),
            (".x", ".x-2"),
            ("x.y.", "x.y-2"),
        ] {
            assert_eq!(numbered(name, 2), expected);
        }
    }
}
