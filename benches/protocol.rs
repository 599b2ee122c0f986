//! Reading what servers send and writing commands, beside imap-codec and imap-proto on the same bytes.
//!
//!     cargo bench --no-default-features --features sandbox --bench protocol

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use postoffice::proto::Limits;
use postoffice::proto::imap::frame::{Frame, Step};
use postoffice::proto::imap::{Command, SequenceSet, Tokens};
use std::num::NonZeroU32;
use std::sync::LazyLock;

/// Answers to `FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)`, and to one of whole letters; the same in every run.
static CAPTURES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [capture(LETTERS[0], response), capture(LETTERS[1], body)]);
const KINDS: [&str; 2] = ["envelopes", "bodies"];
const LETTERS: [u32; 2] = [5_000, 500];
/// What a socket gives at once, as a rule.
const READ: usize = 64 * 1024;

fn main() {
    divan::main();
}

/// A small linear congruential generator (Knuth's MMIX constants), so that the bytes depend on no crate's version.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
    let name = random.pick(&["NIL", "\"Alice Meyer\"", "\"Bob \\\"B\\\" Jones\"", "{13}\r\nJ\u{fc}rgen Gro\u{df}", "\"Team Info\""]);
    format!("({name} NIL \"user{}\" \"{}\")", random.below(1_000), random.pick(&["example.org", "mail.example.com"]))
}

/// Quotes and bytes beyond ASCII come as literals from Dovecot, which a good part of real subjects has.
fn subject(random: &mut Random) -> String {
    let words: Vec<&str> = (0..4 + random.below(6)).map(|_| random.pick(&["report", "budget", "Re:", "meeting", "the", "of"])).collect();
    match random.below(3) {
        0 => {
            let text = format!("\"{}\"", words.join(" "));
            format!("{{{}}}\r\n{text}", text.len())
        }
        _ => format!("\"{}\"", words.join(" ")),
    }
}

/// Splits all responses and gives each to `look`; says how many there were. The bytes come as from a socket, where the other parsers have them all.
fn framed(capture: &[u8], mut look: impl FnMut(postoffice::proto::imap::frame::Raw<'_>)) -> u32 {
    let mut frame = Frame::new(Limits::default());
    let mut count = 0;
    for piece in capture.chunks(READ) {
        frame.push(piece);
        while frame.advance().expect("the capture is well-formed") == Step::Response {
            look(frame.response());
            count += 1;
        }
    }
    count
}

/// Reads all responses by a parser that takes one and gives what stands behind it.
fn parsed(mut rest: &[u8], mut parse: impl FnMut(&[u8]) -> &[u8]) -> u32 {
    let mut count = 0;
    while !rest.is_empty() {
        (rest, count) = (parse(rest), count + 1);
    }
    count
}

fn over_capture(bencher: Bencher<'_, '_>, kind: &str, read: impl Fn(&[u8]) -> u32 + Sync) {
    let kind = usize::from(kind == KINDS[1]);
    let capture = CAPTURES[kind].as_slice();
    bencher.counter(BytesCount::of_slice(capture)).bench(|| assert_eq!(read(black_box(capture)), LETTERS[kind]));
}

#[divan::bench(args = KINDS)]
fn frames(bencher: Bencher<'_, '_>, kind: &str) {
    over_capture(bencher, kind, |capture| {
        framed(capture, |raw| {
            black_box(raw);
        })
    });
}

#[divan::bench(args = KINDS)]
fn frames_and_tokens(bencher: Bencher<'_, '_>, kind: &str) {
    let depth = Limits::default().depth;
    over_capture(bencher, kind, |capture| {
        framed(capture, |raw| {
            let mut tokens = Tokens::new(raw, 2, depth);
            while let Some(token) = tokens.next_token().expect("the capture is well-formed") {
                black_box(token);
            }
        })
    });
}

#[divan::bench(args = KINDS)]
fn imap_proto_016(bencher: Bencher<'_, '_>, kind: &str) {
    over_capture(bencher, kind, |capture| {
        parsed(capture, |rest| {
            let (rest, response) = imap_proto_016::Response::from_bytes(rest).expect("the capture is well-formed");
            black_box(response);
            rest
        })
    });
}

#[divan::bench(args = KINDS)]
fn imap_proto_017(bencher: Bencher<'_, '_>, kind: &str) {
    over_capture(bencher, kind, |capture| {
        parsed(capture, |rest| {
            let (rest, response) = imap_proto::Response::parse(rest).expect("the capture is well-formed");
            black_box(response);
            rest
        })
    });
}

#[divan::bench(args = KINDS)]
fn imap_codec(bencher: Bencher<'_, '_>, kind: &str) {
    let codec = ResponseCodec::default();
    over_capture(bencher, kind, |capture| {
        parsed(capture, |rest| {
            let (rest, response) = codec.decode(rest).expect("the capture is well-formed");
            black_box(response);
            rest
        })
    });
}

#[divan::bench]
fn encode_fetch(bencher: Bencher<'_, '_>) {
    let set = SequenceSet::from(NonZeroU32::MIN);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| Command::fetch(black_box(&set), "(uid flags rfc822.size envelope)", true));
}

#[divan::bench(args = ["INBOX", "Entw\u{fc}rfe/2026", "with \"quotes\""])]
fn encode_select(bencher: Bencher<'_, '_>, name: &str) {
    bencher.counter(ItemsCount::new(1_usize)).bench(|| Command::select(black_box(name), false, false));
}

#[divan::bench]
fn encode_append(bencher: Bencher<'_, '_>) {
    let letter = "From: a@example.org\r\nSubject: t\r\n\r\n".to_owned() + &"a line of the letter\r\n".repeat(50_000);
    bencher.counter(BytesCount::of_str(&letter)).bench(|| Command::append("INBOX", &[], None, black_box(letter.as_bytes()), false));
}
