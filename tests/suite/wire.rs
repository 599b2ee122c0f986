//! Recorded server responses, kept in `tests/wire`: examples of the RFCs, extensions, and quirks of
//! real servers.
//!
//! A fixture is a line that begins with `*`, with `\r`, `\n` and `\x..` escapes, followed by a line
//! that begins with `= ` and has the expected event. Each response is parsed whole and in small
//! pieces, with the same result. imap-codec must read the same, and
//! imap-proto must accept the RFCs' examples, or the reason is given here.

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use postoffice::proto::imap::{Event, Session, Status, Token, Tokens};
use postoffice::proto::{Limits, ProtocolError};

struct Fixture {
    place: String,
    bytes: Vec<u8>,
    expected: String,
}

fn fixtures() -> Vec<Fixture> {
    let files = [
        ("rfc.txt", include_str!("../wire/rfc.txt")),
        ("extensions.txt", include_str!("../wire/extensions.txt")),
        ("quirks.txt", include_str!("../wire/quirks.txt")),
    ];
    let mut found = Vec::new();
    for (file, text) in files {
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('*')) {
            let expected = lines
                .get(number + 1)
                .and_then(|line| line.strip_prefix("= "))
                .unwrap_or_else(|| panic!("{file}:{}: no line with =", number + 2));
            found.push(Fixture {
                place: format!("{file}:{}", number + 1),
                bytes: unescape(line),
                expected: expected.to_owned(),
            });
        }
    }
    found
}

pub fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, byte == b'\\') {
            (_, false) => byte,
            _ => match rest.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => u8::from_str_radix(
                    std::str::from_utf8(&[rest.next().unwrap(), rest.next().unwrap()]).unwrap(),
                    16,
                )
                .unwrap(),
                other => other,
            },
        });
    }
    bytes
}

fn status_text(status: &Status<'_>) -> String {
    let code = status.code.map_or(String::new(), |code| {
        format!(
            " [{}|{}]",
            String::from_utf8_lossy(code.name),
            String::from_utf8_lossy(code.arguments)
        )
    });
    format!("{:?}{code} {}", status.kind, String::from_utf8_lossy(status.text))
        .trim_end()
        .to_owned()
}

fn token_texts(tokens: &mut Tokens<'_>) -> Result<Vec<String>, ProtocolError> {
    let mut texts = Vec::new();
    while let Some(token) = tokens.next_token()? {
        texts.push(match token {
            Token::Open => "(".into(),
            Token::Close => ")".into(),
            Token::Atom(atom) => String::from_utf8_lossy(atom).into_owned(),
            Token::Quoted(_) => format!("\"{}\"", escape(&token.bytes().unwrap())),
            Token::Literal(bytes) => format!("{{{}}}", escape(bytes)),
            Token::Streamed(size, _) => format!("<{size}>"),
        });
    }
    Ok(texts)
}

/// Escapes everything but printable ASCII.
fn escape(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| {
            if matches!(byte, b' '..=b'~') {
                char::from(*byte).to_string()
            } else {
                byte.escape_ascii().to_string()
            }
        })
        .collect()
}

/// Returns the events of a session that receives a greeting and then `bytes`, in chunks of `size`.
fn events(bytes: &[u8], size: usize) -> Result<Vec<String>, ProtocolError> {
    let mut session = Session::new(Limits::default());
    let mut found = Vec::new();
    for chunk in [b"* OK hello\r\n", bytes].concat().chunks(size) {
        session.receive(chunk);
        loop {
            found.push(match session.next_event()? {
                Event::NeedBytes => break,
                Event::Greeting(_) => continue,
                Event::Status(status) => status_text(&status),
                Event::Data(mut data) => {
                    let number = data.number.map_or(String::new(), |number| format!("{number} "));
                    let name = String::from_utf8_lossy(data.name).into_owned();
                    format!("{number}{name}: {}", token_texts(&mut data.tokens)?.join(" "))
                        .trim_end()
                        .to_owned()
                }
                other => format!("{other:?}"),
            });
        }
    }
    Ok(found)
}

#[test]
fn every_response_is_read_as_its_fixture_says_whole_and_in_pieces() {
    for fixture in fixtures() {
        for size in [fixture.bytes.len() + 12, 1, 2, 7] {
            assert_eq!(
                events(&fixture.bytes, size),
                Ok(vec![fixture.expected.clone()]),
                "{} by {size}",
                fixture.place
            );
        }
    }
}

#[test]
fn all_responses_in_a_row_give_the_same_whole_and_byte_by_byte() {
    let all: Vec<u8> = fixtures().into_iter().flat_map(|fixture| fixture.bytes).collect();
    let whole = events(&all, all.len() + 12).unwrap();
    assert_eq!(whole.len(), fixtures().len());
    assert_eq!(events(&all, 1).unwrap(), whole);
}

/// Responses that imap-codec 2.0.0-alpha.10 rejects, by their start, and why we accept them.
const NOT_FOR_IMAP_CODEC: &[(&str, &str)] = &[
    ("* ESEARCH", "ESEARCH is not implemented there; servers send it only when asked with RETURN"),
    ("* LIST () \"/\" \"NewMailbox\"", "it reads no extended data behind the name (RFC 5258 6)"),
    ("* XYZZY", "it knows all names; we hand unknown data to the caller, which warns"),
    ("* 1 FETCH (X-GM-", "Gmail's extension, which it does not implement"),
    ("* SEARCH  1", "the grammar has one blank; Exchange sends two"),
    (
        "* SEARCH 1 2 \\r",
        "the grammar has no blank at the end; Courier sends one (its quirk_trailing_space_search is off here)",
    ),
    (
        "* OK\\r",
        "the grammar wants a text; Cyrus leaves it out (its quirk_missing_text is off here)",
    ),
    ("* 1 FETCH (FLAGS (\"x\"", "flags are atoms; Zimbra sends strings"),
    (
        "* 1 FETCH (ENVELOPE (NIL NIL ((NIL",
        "the grammar has no blank between addresses; hMailServer sends one (its quirk_spaces_between_addresses is off here)",
    ),
    (
        "* 1 FETCH (ENVELOPE (NIL \"gr",
        "quoted strings are 7-bit in the grammar; Dovecot repeats what the letter has",
    ),
    ("* OK [UNSEEN 1 first", "it reads the code or nothing; for us what is no code is text"),
];

/// Reduces a response to its meaning, so that different encodings compare equal: strings lose their
/// quotes or braces, and names their case.
fn meaning(bytes: &[u8]) -> Vec<String> {
    let texts = events(bytes, bytes.len() + 12).unwrap();
    let text = texts.join("\n");
    text.split(' ').map(|word| word.trim_matches(['"', '{', '}']).to_ascii_lowercase()).collect()
}

#[test]
fn imap_codec_reads_the_same_or_the_reason_is_known() {
    let mut compared = 0;
    let mut used = Vec::new();
    for fixture in fixtures() {
        let shown = fixture.bytes.escape_ascii().to_string().replace("\\\"", "\"");
        let reason = NOT_FOR_IMAP_CODEC.iter().find(|(start, _)| shown.starts_with(start));
        match ResponseCodec::default().decode(&fixture.bytes) {
            Ok((rest, response)) => {
                assert!(rest.is_empty(), "{}", fixture.place);
                let again: Vec<u8> = ResponseCodec::default().encode(&response).dump();
                assert_eq!(
                    meaning(&again),
                    meaning(&fixture.bytes),
                    "{}: imap-codec writes {}",
                    fixture.place,
                    again.escape_ascii()
                );
                compared += 1;
            }
            Err(error) => {
                let Some((start, _)) = reason else {
                    panic!(
                        "{}: imap-codec refuses {shown} ({error:?}), and no reason is given",
                        fixture.place
                    )
                };
                used.push(*start);
            }
        }
    }
    assert!(compared >= 30, "only {compared} were compared");
    let stale: Vec<_> =
        NOT_FOR_IMAP_CODEC.iter().filter(|(start, _)| !used.contains(start)).collect();
    assert!(stale.is_empty(), "imap-codec takes these now: {stale:?}");
}

#[test]
fn imap_proto_takes_what_the_rfc_says() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.place.starts_with("rfc.txt")) {
        // imap-proto knows BODYSTRUCTURE, but not BODY as a structure.
        let is_known = fixture.expected.contains("( BODY (");
        assert_eq!(
            imap_proto::Response::parse(&fixture.bytes).is_err(),
            is_known,
            "{}",
            fixture.place
        );
    }
}
