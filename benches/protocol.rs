//! Benchmarks of the protocol core: parsing responses, compared with imap-codec and imap-proto on
//! the same bytes, and encoding commands.
//!
//!     cargo bench --no-default-features --features sandbox --bench protocol

mod captures;

use captures::{CAPTURES, KINDS, LETTERS};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use postoffice::proto::Limits;
use postoffice::proto::imap::Messages;
use postoffice::proto::imap::frame::{Frame, Step};
use postoffice::proto::imap::{Command, SequenceSet, Tokens};
use std::num::NonZeroU32;

/// The usual size of one read from a socket.
const READ: usize = 64 * 1024;

fn main() {
    divan::main();
}

/// Splits a capture into responses, passes each to `look` and returns their number. The bytes
/// arrive in pieces, as from a socket; the other parsers get them all at once.
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

/// Parses all responses with `parse`, which reads one response and returns the remaining bytes.
/// Returns their number.
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
    bencher
        .counter(BytesCount::of_slice(capture))
        .bench(|| assert_eq!(read(black_box(capture)), LETTERS[kind]));
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
            let (rest, response) =
                imap_proto_016::Response::from_bytes(rest).expect("the capture is well-formed");
            black_box(response);
            rest
        })
    });
}

#[divan::bench(args = KINDS)]
fn imap_proto_017(bencher: Bencher<'_, '_>, kind: &str) {
    over_capture(bencher, kind, |capture| {
        parsed(capture, |rest| {
            let (rest, response) =
                imap_proto::Response::parse(rest).expect("the capture is well-formed");
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
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        Command::fetch(
            &Messages::Uids(black_box(&set).clone()),
            &"(uid flags rfc822.size envelope)".parse().unwrap(),
        )
    });
}

#[divan::bench(args = ["INBOX", "Entw\u{fc}rfe/2026", "with \"quotes\""])]
fn encode_select(bencher: Bencher<'_, '_>, name: &str) {
    bencher.counter(ItemsCount::new(1_usize)).bench(|| Command::select(black_box(name), false));
}

#[divan::bench]
fn encode_append(bencher: Bencher<'_, '_>) {
    let letter = "From: a@example.org\r\nSubject: t\r\n\r\n".to_owned()
        + &"a line of the letter\r\n".repeat(50_000);
    bencher
        .counter(BytesCount::of_str(&letter))
        .bench(|| Command::append("INBOX", &[], None, black_box(letter.as_bytes())));
}
