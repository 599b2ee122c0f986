//! Compares our parser of responses with imap-codec: we must accept every response that imap-codec
//! accepts, and read the same meaning in it.

use super::feed::without_near;
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use postoffice::proto::Limits;
use postoffice::proto::imap::frame::{Frame, Step};
use postoffice::proto::imap::response::parse;
use postoffice::proto::imap::{Response, Status, Token, Tokens};

/// A response means the same to us as the text that imap-codec writes after parsing it.
pub fn responses(data: &[u8]) {
    let Ok((rest, response)) = ResponseCodec::default().decode(data) else { return };
    let bytes = &data[..data.len() - rest.len()];
    // Only clients may send non-synchronising literals (RFC 7888); imap-codec accepts them from
    // servers, too.
    if bytes.windows(4).any(|window| window == b"+}\r\n") {
        return;
    }
    let again = ResponseCodec::default().encode(&response).dump();
    let ours = meaning(bytes).unwrap_or_else(|error| {
        panic!("imap-codec takes {}, we do not: {error}", bytes.escape_ascii())
    });
    let theirs = meaning(&again).unwrap_or_else(|error| {
        panic!("imap-codec writes {}, we do not take it: {error}", again.escape_ascii())
    });
    assert_eq!(ours, theirs, "{} for imap-codec is {}", bytes.escape_ascii(), again.escape_ascii());
}

/// Returns a response without insignificant differences: the case of words, leading zeros, and the
/// form of strings.
fn meaning(bytes: &[u8]) -> Result<String, String> {
    let mut frame = Frame::new(Limits::default());
    frame.push(bytes);
    if frame.advance().map_err(without_near)? != Step::Response || frame.has_unread() {
        return Err("not one response".into());
    }
    Ok(match parse(frame.response(), Limits::default().depth).map_err(without_near)? {
        Response::Tagged { tag, status } => {
            format!("{} {}", tag.escape_ascii(), status_of(&status)?)
        }
        Response::Status(status) => status_of(&status)?,
        Response::Data(mut data) => {
            format!("{:?} {} {}", data.number, word(data.name), tokens(&mut data.tokens)?)
        }
        Response::Unreadable { what, .. } => return Err(what.into()),
        // We do not parse its text; imap-codec looks for a response code in it.
        Response::Continue(text) if text.starts_with(b"[") => "+".to_owned(),
        Response::Continue(text) => format!("+ {}", text.escape_ascii()),
    })
}

fn status_of(status: &Status<'_>) -> Result<String, String> {
    let code = match &status.code {
        // Arguments that have the structure of data; any others are text.
        Some(code) => {
            let arguments = tokens(&mut code.tokens(9))
                .unwrap_or_else(|_| code.arguments.escape_ascii().to_string());
            format!("[{} {arguments}]", word(code.name))
        }
        None => String::new(),
    };
    Ok(format!("{:?} {code} {}", status.kind, status.text.escape_ascii()))
}

fn tokens(tokens: &mut Tokens<'_>) -> Result<String, String> {
    let mut shown: Vec<String> = Vec::new();
    while let Some(token) = tokens.next_token().map_err(without_near)? {
        shown.push(match token {
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Atom(atom) => word(atom),
            // imap-codec parses the time and writes it in its own form.
            _ if shown.last().is_some_and(|name| name == "internaldate") => "a time".to_owned(),
            // The only mailbox name that ignores case; imap-codec writes it as an atom.
            string if string.bytes().is_some_and(|bytes| bytes.eq_ignore_ascii_case(b"INBOX")) => {
                "inbox".to_owned()
            }
            // imap-codec writes strings that it recognises in upper case.
            string => format!("\"{}\"", known_in_lower_case(&string.bytes().unwrap_or_default())),
        });
        // imap-codec writes a body's single language as a list.
        if let [.., open, string, close] = &shown[..]
            && (&**open, &**close) == ("(", ")")
            && string.starts_with('"')
        {
            shown.pop();
            shown.remove(shown.len() - 2);
        }
    }
    Ok(shown.join(" "))
}

fn known_in_lower_case(string: &[u8]) -> String {
    let is_known = ["TEXT", "MESSAGE", "RFC822"]
        .iter()
        .any(|known| string.eq_ignore_ascii_case(known.as_bytes()));
    if is_known { string.to_ascii_lowercase() } else { string.to_vec() }.escape_ascii().to_string()
}

/// Returns an atom in lower case, without leading zeros in its numbers.
fn word(atom: &[u8]) -> String {
    let (mut shown, mut in_number) = (String::new(), false);
    for (at, byte) in atom.iter().enumerate() {
        let is_leading =
            *byte == b'0' && !in_number && atom.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !is_leading {
            in_number = byte.is_ascii_digit();
            shown.push(byte.to_ascii_lowercase().into());
        }
    }
    shown
}
