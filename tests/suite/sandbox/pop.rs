//! The POP3 maildrop: listings, letters and deletions, and input that is not POP3.

use postoffice::sandbox::{Account, Seed};
use std::net::{Shutdown, TcpStream};

use super::client::*;

#[test]
fn the_manual_s_inbox_is_listed() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    let sizes: Vec<usize> = sandbox
        .store()
        .letters("myacct", "INBOX")
        .iter()
        .map(|letter| letter.bytes.len())
        .collect();
    let total: usize = sizes.iter().sum();
    assert_eq!(client.ask("STAT"), format!("+OK 7 {total}"));
    let mut expected = vec![format!("+OK 7 messages ({total} octets).")];
    expected.extend((1..).zip(&sizes).map(|(number, size)| format!("{number} {size}")));
    expected.push(".".to_owned());
    assert_eq!(client.listing("LIST"), expected);
    assert_eq!(client.ask("list 4"), format!("+OK 4 {}", sizes[3]));
    assert_eq!(
        client.listing("UIDL"),
        [
            "+OK Unique identifiers follow.",
            "1 937180800-59",
            "2 937180800-60",
            "3 937180800-62",
            "4 937180800-64",
            "5 937180800-65"
        ]
        .into_iter()
        .chain(["6 937180800-67", "7 937180800-68", "."])
        .collect::<Vec<_>>()
    );
    assert_eq!(client.ask("UIDL 7"), "+OK 7 937180800-68");
    assert_eq!(client.ask("NOOP"), "+OK");
    assert_eq!(client.ask("QUIT"), "+OK Bye.");
    assert!(client.is_closed());
}

#[test]
fn a_letter_comes_whole_or_its_beginning() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    assert_eq!(client.octets("RETR 4"), *sandbox.store().letters("myacct", "INBOX")[3].bytes);
    let top = String::from_utf8(client.octets("TOP 7 1")).unwrap();
    assert!(
        top.starts_with("Return-Path: <jkf@verada.com>\r\n")
            && top.ends_with("\r\n\r\nsecret word: blitzfig\r\n"),
        "{top}"
    );
    let top = String::from_utf8(client.octets("TOP 7 0")).unwrap();
    assert!(top.ends_with("\r\n\r\n") && !top.contains("blitzfig"), "{top}");
    assert_eq!(
        client.octets("TOP 7 99999999999999999999999"),
        *sandbox.store().letters("myacct", "INBOX")[6].bytes
    );
}

#[test]
fn dots_are_stuffed_behind_crlf_only() {
    for (letter, expected, size) in [
        ("a\r\n\r\n.\r\n..\r\nb.\r\n", "a\r\n\r\n..\r\n...\r\nb.\r\n", 16),
        (".a\r\n", "..a\r\n", 4),
        ("no end", "no end\r\n", 8),
        ("a\r\n\r\n.", "a\r\n\r\n..\r\n", 8),
        ("a\r.\rb\r\n", "a\r.\rb\r\n", 7),
    ] {
        let sandbox = holding(&[letter.as_bytes()]);
        let mut client = Client::maildrop(&sandbox);
        assert_eq!(client.ask("LIST 1"), format!("+OK 1 {size}"), "{letter:?}");
        assert_eq!(String::from_utf8(client.octets("RETR 1")).unwrap(), expected, "{letter:?}");
        assert_eq!(client.ask("NOOP"), "+OK", "{letter:?}");
    }
}

#[test]
fn a_bare_line_end_in_a_letter_travels_as_it_is() {
    let sandbox = empty();
    Client::smtp(&sandbox).submit("", &["myacct"], "a\n.\nb\r\n..\r\n");
    let mut client = Client::maildrop(&sandbox);
    assert!(client.octets("RETR 1").ends_with(b"a\n.\nb\r\n..\r\n"));
    assert_eq!(client.ask("NOOP"), "+OK");
}

#[test]
fn an_empty_maildrop_is_one_too() {
    let sandbox = empty();
    let mut client = Client::maildrop(&sandbox);
    assert_eq!(client.ask("STAT"), "+OK 0 0");
    assert_eq!(client.listing("LIST"), ["+OK 0 messages (0 octets).", "."]);
    assert_eq!(client.listing("UIDL"), ["+OK Unique identifiers follow.", "."]);
    assert_eq!(client.ask("RETR 1"), "-ERR There is no such message.");
    let sandbox = holding(&[b""]);
    let mut client = Client::maildrop(&sandbox);
    assert_eq!(client.ask("STAT"), "+OK 1 0");
    assert_eq!(client.octets("RETR 1"), b"");
}

#[test]
fn deleted_letters_are_gone_at_quit_and_numbers_stay_until_then() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    assert_eq!(client.ask("DELE 2"), "+OK Message 2 will be deleted at QUIT.");
    for command in ["DELE 2", "RETR 2", "TOP 2 1", "LIST 2", "UIDL 2"] {
        assert_eq!(client.ask(command), "-ERR There is no such message.", "{command}");
    }
    assert!(client.ask("STAT").starts_with("+OK 6 "));
    let numbers: Vec<String> =
        client.listing("UIDL").iter().map(|line| line[..1].to_owned()).collect();
    assert_eq!(numbers, ["+", "1", "3", "4", "5", "6", "7", "."]);
    assert_eq!(client.ask("UIDL 3"), "+OK 3 937180800-62");
    assert_eq!(inbox_of(&sandbox, "myacct").len(), 7);
    assert_eq!(client.ask("QUIT"), "+OK Bye.");
    let uids: Vec<u32> =
        sandbox.store().letters("myacct", "INBOX").iter().map(|letter| letter.uid).collect();
    assert_eq!(uids, [59, 62, 64, 65, 67, 68]);
    assert_eq!(Client::maildrop(&sandbox).ask("UIDL 2"), "+OK 2 937180800-62");
}

#[test]
fn rset_takes_deletions_back() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    client.ask("DELE 1");
    client.ask("DELE 7");
    assert!(client.ask("RSET").starts_with("+OK 7 messages "));
    assert!(client.ask("LIST 1").starts_with("+OK 1 "));
    client.ask("QUIT");
    assert_eq!(inbox_of(&sandbox, "myacct").len(), 7);
}

#[test]
fn a_cut_connection_deletes_nothing() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    client.ask("DELE 1");
    drop(client);
    let mut client = maildrop_once_free(&sandbox);
    assert!(client.ask("STAT").starts_with("+OK 7 "));
    client.ask("DELE 1");
    client.send("QUI");
    sandbox.disconnect_all();
    assert!(client.is_closed());
    assert!(maildrop_once_free(&sandbox).ask("STAT").starts_with("+OK 7 "));
}

/// Logs in once the maildrop is free. The lock of a broken connection is released when the server
/// notices; until then a login is refused.
fn maildrop_once_free(sandbox: &postoffice::sandbox::Sandbox) -> Client {
    loop {
        let mut client = Client::pop(sandbox);
        client.ask("USER myacct");
        let answer = client.ask("PASS mypasswd");
        if answer.starts_with("+OK ") {
            return client;
        }
        assert_eq!(answer, "-ERR [IN-USE] Another session has the maildrop open.");
    }
}

#[test]
fn a_maildrop_is_open_once_at_a_time() {
    let sandbox = two_users();
    let mut one = Client::maildrop(&sandbox);
    let mut two = Client::pop(&sandbox);
    two.ask("USER myacct");
    assert_eq!(two.ask("PASS mypasswd"), "-ERR [IN-USE] Another session has the maildrop open.");
    Client::pop(&sandbox).pop_login("other", "secret");
    Client::inbox(&sandbox);
    assert_eq!(one.ask("QUIT"), "+OK Bye.");
    two.pop_login("myacct", "mypasswd");
}

/// However a session ends, the next can open the maildrop as soon as the client has seen the end.
#[test]
fn a_maildrop_is_free_when_the_connection_has_ended() {
    let sandbox = manual();
    let too_many = "XYZZY\r\n".repeat(20);
    for end in ["QUIT\r\n", too_many.as_str(), "QUI", ""].repeat(25) {
        let stream = TcpStream::connect(sandbox.pop_address()).unwrap();
        let mut client = Client::over(stream.try_clone().unwrap());
        client.line();
        client.pop_login("myacct", "mypasswd");
        client.send(end);
        stream.shutdown(Shutdown::Write).unwrap();
        client.rest();
    }
}

#[test]
fn an_imap_session_sees_what_quit_removes() {
    let sandbox = manual();
    let (mut imap, mut idle) = (Client::inbox(&sandbox), Client::inbox(&sandbox));
    idle.send("i IDLE\r\n");
    assert_eq!(idle.line(), "+ idling");
    let mut client = Client::maildrop(&sandbox);
    client.send("DELE 2\r\nDELE 5\r\nQUIT\r\n");
    assert_eq!(idle.line(), "* 2 EXPUNGE");
    assert_eq!(idle.line(), "* 4 EXPUNGE");
    assert_eq!(imap.ok("NOOP"), ["* 2 EXPUNGE", "* 4 EXPUNGE"]);
}

#[test]
fn the_session_s_letters_stay_whatever_others_do() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    let fourth = client.octets("RETR 4");
    let mut imap = Client::inbox(&sandbox);
    imap.ok("STORE 4 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    sandbox.store().deliver("myacct", "INBOX", b"Subject: new\n\n").unwrap();
    assert!(client.ask("STAT").starts_with("+OK 7 "));
    assert_eq!(client.octets("RETR 4"), fourth);
    client.ask("DELE 4");
    assert_eq!(client.ask("QUIT"), "+OK Bye.");
    assert!(Client::maildrop(&sandbox).ask("STAT").starts_with("+OK 7 "));
}

#[test]
fn a_reset_store_takes_no_deletions_from_before() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    client.ask("DELE 1");
    sandbox.store().reset(vec![Account::manual()], Seed::Manual);
    let mut other = Client::maildrop(&sandbox);
    assert_eq!(client.ask("QUIT"), "-ERR [SYS/TEMP] The maildrop is gone; nothing was deleted.");
    assert!(other.ask("STAT").starts_with("+OK 7 "));
    // The end of the old session must not unlock the maildrop of the new one.
    let mut third = Client::pop(&sandbox);
    third.ask("USER myacct");
    assert!(third.ask("PASS mypasswd").starts_with("-ERR [IN-USE] "));
}

#[test]
fn commands_sent_at_once_are_answered_in_order() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    client.send("USER myacct\r\nPASS mypasswd\r\nUIDL 1\r\nXYZZY\r\nUIDL 2\r\nRETR 4\r\nQUIT\r\n");
    let start: Vec<String> = (0..5).map(|_| client.line()).collect();
    assert!(start[1].starts_with("+OK 7 messages "));
    assert_eq!(
        start[2..],
        ["+OK 1 937180800-59", "-ERR This command is unknown.", "+OK 2 937180800-60"]
    );
    while client.line() != "." {}
    assert_eq!(client.line(), "+OK Bye.");
    assert!(client.is_closed());
}

#[test]
fn what_cannot_be_understood_is_answered_err() {
    let sandbox = manual();
    for (input, expected) in [
        ("", "-ERR This command is unknown."),
        (" NOOP", "-ERR This command is unknown."),
        ("XYZZY", "-ERR This command is unknown."),
        ("NOOP ", "-ERR This command takes no arguments."),
        ("STAT 1", "-ERR This command takes no arguments."),
        ("RETR", "-ERR A message number is expected."),
        ("RETR  1", "-ERR A message number is expected."),
        ("RETR 1 2", "-ERR A message number is expected."),
        ("RETR -1", "-ERR A message number is expected."),
        ("RETR one", "-ERR A message number is expected."),
        ("RETR 0", "-ERR There is no such message."),
        ("RETR 8", "-ERR There is no such message."),
        ("RETR 99999999999999999999999999", "-ERR There is no such message."),
        ("DELE", "-ERR A message number is expected."),
        ("LIST ", "-ERR A message number is expected."),
        ("TOP 1", "-ERR TOP needs a message number and a number of lines."),
        ("TOP 1 -1", "-ERR This is not a number of lines."),
        ("TOP 8 1", "-ERR There is no such message."),
        ("USER myacct", "-ERR You are logged in already."),
        ("AUTH PLAIN", "-ERR You are logged in already."),
        ("STLS", "-ERR You are logged in already."),
        ("NO\0OP", "-ERR A command cannot contain control characters."),
        ("NO\rOP", "-ERR A command cannot contain control characters."),
        ("RETR ä", "-ERR A message number is expected."),
    ] {
        assert_eq!(Client::maildrop_kept(&sandbox, input), expected, "{input:?}");
    }
    let mut client = Client::pop(&sandbox);
    client.send("QUIT\n");
    assert_eq!(client.line(), "-ERR A line must end with CRLF.");
    client.send(b"USER \xff\r\n");
    assert_eq!(client.line(), "-ERR The line is not UTF-8.");
}

impl Client {
    /// Sends one command in a session of its own, which then ends with QUIT. Returns the answer.
    fn maildrop_kept(sandbox: &postoffice::sandbox::Sandbox, command: &str) -> String {
        let mut client = Client::maildrop(sandbox);
        let answer = client.ask(command);
        assert_eq!(client.ask("QUIT"), "+OK Bye.");
        answer
    }
}

#[test]
fn long_lines_are_refused() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    assert_eq!(client.ask(&format!("USER {}", "x".repeat(248))), "+OK Now the password.");
    for length in [249, 600, 200_000] {
        assert_eq!(
            client.ask(&format!("USER {}", "x".repeat(length))),
            "-ERR The command line is too long.",
            "{length}"
        );
    }
    assert_eq!(
        client.ask(&format!("AUTH PLAIN {}", "A".repeat(496))),
        "-ERR This is not a PLAIN response."
    );
    assert_eq!(
        client.ask(&format!("AUTH PLAIN {}", "A".repeat(500))),
        "-ERR The command line is too long."
    );
    client.pop_login("myacct", "mypasswd");
}

#[test]
fn ten_bad_commands_in_a_row_end_the_session() {
    let sandbox = manual();
    let mut client = Client::maildrop(&sandbox);
    for round in 0..2 {
        for _ in 0..9 {
            assert_eq!(client.ask("RUBBISH"), "-ERR This command is unknown.");
        }
        if round == 0 {
            client.ask("NOOP");
        }
    }
    assert_eq!(client.ask("RUBBISH"), "-ERR Too many bad commands.");
    assert!(client.is_closed());
    maildrop_once_free(&sandbox);
}

#[test]
fn bytes_of_all_kinds_never_silence_the_server() {
    let sandbox = Client::noise_at(
        |sandbox| sandbox.pop_address(),
        b"\r\n\r\n 1270.\0\xffRETRTOPDELSTALIUSAUHCPQ+=*",
    );
    assert!(maildrop_once_free(&sandbox).ask("STAT").starts_with("+OK 7 "));
}

impl Client {
    /// Makes three hundred connections that each send random sequences of these bytes.
    pub fn noise_at(
        address: fn(&postoffice::sandbox::Sandbox) -> std::net::SocketAddr,
        bytes: &[u8],
    ) -> postoffice::sandbox::Sandbox {
        let sandbox = manual();
        let mut state = 1_u32;
        for _ in 0..300 {
            let noise: Vec<u8> = (0..300)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    bytes[(state >> 8) as usize % bytes.len()]
                })
                .collect();
            Client::raw(address(&sandbox)).send(noise);
        }
        sandbox
    }
}
