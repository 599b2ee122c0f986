//! APPEND from a reader: the letter is sent while it is read, and the server interrupts, refuses,
//! stalls or hangs up in the middle.

use super::server::*;
use crate::support::script::{Peer, Script};
use postoffice::client::{Error, TlsMode};
use postoffice::condition::Identifier::{File, ServerShutdownConnection, Timeout, Unexpected};
use postoffice::transport::{Connector, TransportError};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// More than all buffers on the way can hold.
const LARGE: usize = 40_000_000;

/// Appends `letter`, announced as `length` bytes, while the server runs `script` with the tag.
/// Returns the result, and that of the next command on the connection.
fn append(
    mode: TlsMode,
    length: usize,
    mut letter: impl Read,
    script: impl FnOnce(&mut Peer, String) + Send + 'static,
) -> (Result<(), Error>, Result<(), Error>) {
    let mut after = Ok(());
    let talk = move |peer: &mut Peer| {
        let command = peer.hear();
        assert!(command.ends_with(&format!("APPEND box {{{length}}}")), "{command}");
        script(peer, command.split(' ').next().unwrap().to_owned());
        peer.hear_rest();
    };
    let (result, _) = Imap.with(mode, brief, talk, |client| {
        let result = client.imap().append_from("box", &[], None, length as u64, &mut letter);
        after = client.ask();
        result.map(drop)
    });
    (result, after)
}

fn bytes(count: usize) -> impl Read {
    io::repeat(b'x').take(count as u64)
}

fn answer_noop(peer: &mut Peer) {
    peer.answer("{tag} OK done\r\n");
}

#[test]
fn a_letter_goes_out_when_the_server_asks_for_it() {
    for mode in MODES {
        for length in [0, 1, 65_535, 65_536, 65_537, 300_000] {
            let (result, after) = append(mode, length, bytes(length), move |peer, tag| {
                peer.say("+ go\r\n");
                assert!(peer.hear_bytes(length) == vec![b'x'; length]);
                assert_eq!(peer.hear(), "");
                peer.say(&format!("{tag} OK [APPENDUID 7 8] done\r\n"));
                answer_noop(peer);
            });
            assert!(result.is_ok() && after.is_ok(), "{mode:?} {length}: {result:?} {after:?}");
        }
    }
}

#[test]
fn a_refusal_before_the_letter_or_within_leaves_the_connection_usable() {
    for mode in MODES {
        for (length, taken) in [
            (10, None),
            (LARGE, None),
            (10, Some(0)),
            (LARGE, Some(0)),
            (LARGE, Some(100_000)),
            (LARGE, Some(LARGE)),
        ] {
            let (result, after) = append(mode, length, bytes(length), move |peer, tag| {
                if let Some(taken) = taken {
                    peer.say("+ go\r\n");
                    peer.hear_bytes(taken);
                    peer.say(&format!("{tag} NO [OVERQUOTA] full\r\n"));
                    // The client completes the literal it has announced (RFC 7888 section 4).
                    peer.hear_bytes(length - taken);
                    assert_eq!(peer.hear(), "");
                } else {
                    peer.say(&format!("{tag} NO [OVERQUOTA] full\r\n"));
                }
                answer_noop(peer);
            });
            let words = result.as_ref().err().and_then(Error::server_words);
            assert_eq!(
                words.as_deref(),
                Some("[OVERQUOTA] full"),
                "{mode:?} {length} {taken:?}: {result:?}"
            );
            assert!(after.is_ok(), "{mode:?} {length} {taken:?}: {after:?}");
        }
    }
}

#[test]
fn a_server_that_speaks_instead_of_listening_is_heard() {
    for mode in MODES {
        let (result, after) = append(mode, LARGE, bytes(LARGE), |peer, tag| {
            peer.say("+ go\r\n");
            // The server reads nothing until the client has read all of this.
            peer.go_on(&b"* 1 EXISTS\r\n".repeat(10_000), 25);
            peer.hear_bytes(LARGE);
            assert_eq!(peer.hear(), "");
            peer.say(&format!("{tag} OK done\r\n"));
            answer_noop(peer);
        });
        assert!(result.is_ok() && after.is_ok(), "{mode:?}: {result:?} {after:?}");
    }
}

#[test]
fn the_end_of_the_connection_within_the_letter_is_told_with_the_servers_words() {
    for mode in MODES {
        for taken in [0, 1, 100_000] {
            for (said, words) in
                [("* BYE [ALERT] too large\r\n", Some("too large")), ("", None), ("* BY", None)]
            {
                let (result, after) = append(mode, LARGE, bytes(LARGE), move |peer, _| {
                    peer.say("+ go\r\n");
                    peer.hear_bytes(taken);
                    peer.say(said);
                    if said.is_empty() {
                        peer.hang_up();
                    } else {
                        peer.hang_up_sending();
                    }
                });
                assert_eq!(
                    identifier(&result),
                    ServerShutdownConnection,
                    "{mode:?} {taken} {said:?}: {result:?}"
                );
                assert_eq!(
                    result.unwrap_err().server_words().as_deref(),
                    words,
                    "{mode:?} {taken} {said:?}"
                );
                assert_eq!(identifier(&after), ServerShutdownConnection);
            }
        }
    }
}

#[test]
fn what_must_not_come_within_the_letter_ends_the_connection() {
    for said in [
        "{tag} OK done\r\n",
        "+ more\r\n",
        "A99 NO what\r\n",
        "{tag} NO once\r\n{tag} NO twice\r\n",
        "nonsense\r\n",
    ] {
        let (result, after) = append(TlsMode::None, LARGE, bytes(LARGE), move |peer, tag| {
            peer.say("+ go\r\n");
            peer.hear_bytes(10);
            peer.say(&said.replace("{tag}", &tag));
        });
        if said.contains("once") {
            assert!(matches!(result, Err(Error::Refused { .. })), "{said}: {result:?}");
        } else {
            assert_eq!(identifier(&result), Unexpected, "{said}: {result:?}");
        }
        assert_eq!(identifier(&after), ServerShutdownConnection, "{said}");
    }
}

#[test]
fn a_server_that_neither_listens_nor_speaks_is_given_up() {
    let (over, ended) = std::sync::mpsc::channel::<()>();
    let script = Script::run(move |peer| {
        Imap.begin(TlsMode::None, peer);
        Imap.log_in(peer);
        peer.hear();
        peer.say("+ go\r\n");
        let _ = ended.recv(); // waits until the client has given up
    });
    let mut client = Imap.connect(&script, brief).unwrap();
    let result = client.imap().append_from("box", &[], None, LARGE as u64, &mut bytes(LARGE));
    let after = client.ask();
    drop(over);
    assert_eq!(identifier(&result), Timeout);
    assert_eq!(identifier(&after), ServerShutdownConnection);
}

#[test]
fn a_server_that_speaks_without_end_can_be_interrupted() {
    let stop = Arc::new(AtomicBool::new(false));
    let enough = stop.clone();
    let script = Script::run(move |peer| {
        Imap.begin(TlsMode::None, peer);
        Imap.log_in(peer);
        peer.hear();
        peer.say("+ go\r\n");
        peer.go_on(&b"* 1 EXISTS\r\n".repeat(10_000), 50);
        enough.store(true, Ordering::Relaxed);
        peer.go_on(&b"* 1 EXISTS\r\n".repeat(10_000), usize::MAX);
    });
    let connector = Connector {
        interrupt: Some(Arc::new(move || stop.load(Ordering::Relaxed))),
        ..Connector::default()
    };
    let mut client = Imap.connect_by(&connector, script.address.port(), unchanged).unwrap();
    let result = client.imap().append_from("box", &[], None, LARGE as u64, &mut bytes(LARGE));
    assert!(matches!(result, Err(Error::Transport(TransportError::Interrupted))), "{result:?}");
    assert!(client.imap().is_closed());
}

#[test]
fn a_letter_of_another_length_is_not_stored() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let letters: [(Box<dyn Read>, &str); 4] = [
        (Box::new(bytes(299_999)), "it has become shorter"),
        (Box::new(bytes(0)), "it has become shorter"),
        (Box::new(bytes(300_001)), "it has become longer"),
        (Box::new(bytes(100_000).chain(Broken)), "the disk is on fire"),
    ];
    for (letter, cause) in letters {
        let (result, after) = append(TlsMode::None, 300_000, letter, |peer, _| {
            peer.say("+ go\r\n");
            let mut all = Vec::new();
            peer.hear_until_the_end(&mut all);
            assert!(all.len() < 300_000, "{}", all.len());
        });
        assert_eq!(identifier(&result), File);
        assert_eq!(
            result.unwrap_err().to_string(),
            format!("{cause}; nothing was stored, and the connection is closed")
        );
        assert_eq!(identifier(&after), ServerShutdownConnection);
    }
}

#[test]
fn what_the_server_said_is_told_when_it_closes_without_reading_on() {
    for length in [10, LARGE] {
        let (result, after) = append(TlsMode::None, length, bytes(length), move |peer, _| {
            peer.say("+ go\r\n");
            peer.hear_bytes(10.min(length));
            peer.say("* BYE too large for me\r\n");
            peer.hang_up();
        });
        assert!(
            matches!(&result, Err(Error::Bye { words }) if words == "too large for me"),
            "{length}: {result:?}"
        );
        assert!(matches!(after, Err(Error::Closed)), "{after:?}");
    }
}
