//! Generates typical server output. The bytes are the same in every run and version.

use std::sync::LazyLock;

/// Responses to `FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)`, and to a FETCH of whole letters.
pub static CAPTURES: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [capture(LETTERS[0], response), capture(LETTERS[1], body)]);
pub const KINDS: [&str; 2] = ["envelopes", "bodies"];
pub const LETTERS: [u32; 2] = [5_000, 500];

/// A small linear congruential generator with Knuth's MMIX constants, so that the bytes do not
/// depend on the version of a crate.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn capture(letters: u32, response: fn(u32, &mut Random) -> String) -> Vec<u8> {
    let mut random = Random(1999);
    (1..=letters).flat_map(|number| response(number, &mut random).into_bytes()).collect()
}

fn body(number: u32, random: &mut Random) -> String {
    let text = "a line of the letter\r\n".repeat(1 + random.below(2_000));
    format!("* {number} FETCH (UID {number} BODY[] {{{}}}\r\n{text})\r\n", text.len())
}

fn response(number: u32, random: &mut Random) -> String {
    let from = format!("({})", address(random));
    let to: String = (0..=random.below(3)).map(|_| address(random)).collect();
    let subject = subject(random);
    let flags = random.pick(&["", "\\Seen", "\\Seen \\Answered", "\\Flagged $Junk"]);
    let cc = if random.below(4) == 0 { format!("({})", address(random)) } else { "NIL".into() };
    format!(
        "* {number} FETCH (UID {} FLAGS ({flags}) RFC822.SIZE {} ENVELOPE (\"Tue, {} Sep 1999 12:00:00 +0000\" {subject} {from} {from} {from} ({to}) {cc} NIL NIL \"<{number}.{}@mail.example.org>\"))\r\n",
        number * 2 + 17,
        900 + random.below(90_000),
        1 + random.below(28),
        random.below(1_000_000),
    )
}

fn address(random: &mut Random) -> String {
    let name = random.pick(&[
        "NIL",
        "\"Alice Meyer\"",
        "\"Bob \\\"B\\\" Jones\"",
        "{13}\r\nJ\u{fc}rgen Gro\u{df}",
        "\"Team Info\"",
    ]);
    format!(
        "({name} NIL \"user{}\" \"{}\")",
        random.below(1_000),
        random.pick(&["example.org", "mail.example.com"])
    )
}

/// Returns a subject. About a third are literals, because Dovecot sends subjects with quotes or
/// non-ASCII bytes that way.
fn subject(random: &mut Random) -> String {
    let words: Vec<&str> = (0..4 + random.below(6))
        .map(|_| random.pick(&["report", "budget", "Re:", "meeting", "the", "of"]))
        .collect();
    match random.below(3) {
        0 => {
            let text = format!("\"{}\"", words.join(" "));
            format!("{{{}}}\r\n{text}", text.len())
        }
        _ => format!("\"{}\"", words.join(" ")),
    }
}
