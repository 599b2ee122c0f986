//! Logging in to POP3: USER and PASS, APOP, AUTH, STLS, capabilities, and mechanisms switched off.

use std::{io::Write, net::TcpStream};

use md5::{Digest as _, Md5};
use postoffice::sandbox::{Options, PopExtensions, Protocol, Sandbox};

use super::client::*;

const RESPONSE: &str = "AG15YWNjdABteXBhc3N3ZA==";

#[test]
fn a_wrong_password_is_refused_and_the_right_one_taken_after_it() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    for (user, password) in
        [("myacct", "wrong"), ("nobody", "mypasswd"), ("MYACCT", "mypasswd"), ("myacct", "")]
    {
        assert_eq!(client.ask(&format!("USER {user}")), "+OK Now the password.");
        assert_eq!(client.ask(&format!("PASS {password}")), "-ERR [AUTH] Wrong user or password.");
    }
    assert_eq!(client.ask("PASS mypasswd"), "-ERR USER comes first.");
    client.ask("USER myacct");
    assert_eq!(client.ask("NOOP"), "-ERR Log in first.");
    assert_eq!(client.ask("PASS mypasswd"), "-ERR USER comes first.");
    client.ask("user myacct");
    assert!(client.ask("pass mypasswd").starts_with("+OK 7 messages "));
}

#[test]
fn a_password_may_hold_blanks() {
    let accounts = vec![postoffice::sandbox::Account::new("me", " two  words ")];
    let sandbox = Sandbox::start(Options { accounts, ..Options::default() }).unwrap();
    Client::pop(&sandbox).pop_login("me", " two  words ");
}

#[test]
fn nothing_is_told_before_the_login() {
    let sandbox = manual();
    for command in ["STAT", "LIST", "LIST 1", "UIDL", "RETR 1", "TOP 1 1", "DELE 1", "RSET", "NOOP"]
    {
        assert_eq!(Client::pop(&sandbox).ask(command), "-ERR Log in first.", "{command}");
    }
    assert_eq!(Client::pop(&sandbox).ask("QUIT"), "+OK Bye.");
}

/// Connects and computes the APOP digest from the greeting.
fn apop(sandbox: &Sandbox, password: &str) -> (Client, String) {
    let mut client = Client::raw(sandbox.pop_address());
    let greeting = client.line();
    let timestamp = greeting.split(' ').find(|word| word.starts_with('<')).unwrap();
    assert!(timestamp.ends_with("@sandbox>"), "{greeting}");
    let digest = Md5::digest(format!("{timestamp}{password}"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    (client, digest)
}

#[test]
fn apop_proves_the_password_without_sending_it() {
    let sandbox = manual();
    let (mut client, digest) = apop(&sandbox, "wrong");
    assert_eq!(client.ask(&format!("APOP myacct {digest}")), "-ERR [AUTH] Wrong user or password.");
    assert_eq!(client.ask(&format!("APOP nobody {digest}")), "-ERR [AUTH] Wrong user or password.");
    for bad in [
        "APOP",
        "APOP myacct",
        "APOP myacct abc",
        &format!("APOP myacct {}", digest.to_uppercase() + "X"),
    ] {
        assert_eq!(
            client.ask(bad),
            "-ERR APOP needs a name and a digest of 32 lower-case hexadecimal digits.",
            "{bad}"
        );
    }
    let (mut client, digest) = apop(&sandbox, "mypasswd");
    let (mut other, _) = apop(&sandbox, "mypasswd");
    assert_eq!(other.ask(&format!("APOP myacct {digest}")), "-ERR [AUTH] Wrong user or password.");
    assert!(client.ask(&format!("APOP myacct {digest}")).starts_with("+OK 7 messages "));
}

#[test]
fn plain_comes_with_the_command_or_after_a_challenge() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    for (answer, expected) in [
        ("*", "-ERR AUTH cancelled."),
        ("!", "-ERR The response is not base64."),
        ("AA==", "-ERR This is not a PLAIN response."),
        ("AG15YWNjdAB3cm9uZw==", "-ERR [AUTH] Wrong user or password."),
        ("Ym9zcwBteWFjY3QAbXlwYXNzd2Q=", "-ERR [AUTH] You cannot act for someone else."),
    ] {
        assert_eq!(client.ask("AUTH PLAIN"), "+ ");
        assert_eq!(client.ask(answer), expected);
    }
    assert_eq!(client.ask("AUTH PLAIN ="), "-ERR This is not a PLAIN response.");
    assert_eq!(client.ask("AUTH"), "-ERR AUTH needs a mechanism.");
    assert_eq!(client.ask("AUTH CRAM-MD5"), "-ERR This mechanism is not supported.");
    assert_eq!(client.ask("auth plain"), "+ ");
    assert!(client.ask(RESPONSE).starts_with("+OK 7 messages "));
    assert_eq!(client.ask("QUIT"), "+OK Bye.");
    assert!(
        Client::pop(&sandbox).ask(&format!("AUTH PLAIN {RESPONSE}")).starts_with("+OK 7 messages ")
    );
}

#[test]
fn login_asks_for_user_and_password() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    assert_eq!(client.ask("AUTH LOGIN"), "+ VXNlcm5hbWU6");
    assert_eq!(client.ask("*"), "-ERR AUTH cancelled.");
    assert_eq!(client.ask("AUTH LOGIN"), "+ VXNlcm5hbWU6");
    assert_eq!(client.ask("bXlhY2N0"), "+ UGFzc3dvcmQ6");
    assert!(client.ask("bXlwYXNzd2Q=").starts_with("+OK 7 messages "));
    client.ask("QUIT");
    let mut client = Client::pop(&sandbox);
    assert_eq!(client.ask("AUTH LOGIN bXlhY2N0"), "+ UGFzc3dvcmQ6");
    assert!(client.ask("bXlwYXNzd2Q=").starts_with("+OK 7 messages "));
}

#[test]
fn capabilities_follow_the_state() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    let implementation = concat!("IMPLEMENTATION postoffice-sandbox-", env!("CARGO_PKG_VERSION"));
    let all = [
        "+OK Capabilities follow.",
        "TOP",
        "UIDL",
        "USER",
        "STLS",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
    ];
    let all: Vec<&str> = all.into_iter().chain(["SASL PLAIN LOGIN", implementation, "."]).collect();
    assert_eq!(client.listing("CAPA"), all);
    client.pop_login("myacct", "mypasswd");
    let without_stls: Vec<&str> = all.into_iter().filter(|line| *line != "STLS").collect();
    assert_eq!(client.listing("CAPA"), without_stls);
    let mut encrypted = tls(&sandbox, sandbox.pops_address(), "localhost").unwrap();
    encrypted.line();
    assert_eq!(encrypted.listing("CAPA"), without_stls);
}

#[test]
fn what_is_off_is_neither_advertised_nor_accepted() {
    type Switch = fn(&mut PopExtensions);
    let unknown = "-ERR This command is unknown.";
    let cases: [(&str, Switch, &str, &str); 6] = [
        ("UIDL", |e| e.uidl = false, "UIDL", unknown),
        ("TOP", |e| e.top = false, "TOP 1 1", unknown),
        ("STLS", |e| e.stls = false, "STLS", unknown),
        (
            "SASL PLAIN LOGIN",
            |e| (e.sasl_plain, e.sasl_login) = (false, false),
            "AUTH PLAIN",
            unknown,
        ),
        (
            "SASL PLAIN LOGIN",
            |e| e.sasl_login = false,
            "AUTH LOGIN",
            "-ERR This mechanism is not supported.",
        ),
        (
            "SASL PLAIN LOGIN",
            |e| e.sasl_plain = false,
            "AUTH PLAIN",
            "-ERR This mechanism is not supported.",
        ),
    ];
    for (name, switch, command, expected) in cases {
        let off = with_pop(switch);
        let mut client = Client::pop(&off);
        assert!(!client.listing("CAPA").iter().any(|line| line == name), "{name}");
        assert_eq!(client.ask(command), expected, "{name}");
    }
    assert_eq!(Client::pop(&with_pop(|e| e.capa = false)).ask("CAPA"), unknown);
    let sandbox = with_pop(|e| e.apop = false);
    let mut client = Client::raw(sandbox.pop_address());
    assert_eq!(client.line(), "+OK Sandbox ready.");
    assert_eq!(client.ask("APOP myacct 0123456789abcdef0123456789abcdef"), unknown);
}

#[test]
fn without_response_codes_a_refusal_is_text_only() {
    let sandbox = with_pop(|e| e.resp_codes = false);
    let mut client = Client::pop(&sandbox);
    assert!(!client.listing("CAPA").iter().any(|line| line.contains("RESP-CODE")));
    client.ask("USER myacct");
    assert_eq!(client.ask("PASS wrong"), "-ERR Wrong user or password.");
}

#[test]
fn without_pipelining_what_is_sent_ahead_ends_the_session() {
    let sandbox = with_pop(|e| e.pipelining = false);
    let mut client = Client::maildrop(&sandbox);
    assert!(!client.listing("CAPA").iter().any(|line| line == "PIPELINING"));
    client.send("DELE 1\r\nQUIT\r\n");
    assert_eq!(client.line(), "-ERR Commands were sent ahead without PIPELINING.");
    assert!(client.is_closed());
    assert_eq!(inbox_of(&sandbox, "myacct").len(), 7);
}

#[test]
fn nothing_but_the_minimum_is_enough() {
    let sandbox =
        Sandbox::start(Options { pop: PopExtensions::none(), ..Options::default() }).unwrap();
    let mut client = Client::maildrop(&sandbox);
    assert!(client.octets("RETR 7").ends_with(b"secret word: blitzfig\r\nok?\r\n"));
}

/// Connects, sends `text` in a single write, reads up to the reply to STLS, and starts TLS.
fn stls(sandbox: &Sandbox, text: &str) -> Client {
    let mut stream = TcpStream::connect(sandbox.pop_address()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut plain = Client::over(stream.try_clone().unwrap());
    assert!(plain.line().starts_with("+OK Sandbox ready."));
    while plain.line() != "+OK Begin TLS now." {}
    Client::over(connector(sandbox).connect("localhost", stream).unwrap())
}

#[test]
fn stls_encrypts_and_forgets_what_came_before() {
    let sandbox = manual();
    let mut client = stls(&sandbox, "USER myacct\r\nSTLS\r\nPASS mypasswd\r\nDELE 1\r\n");
    assert_eq!(client.ask("PASS mypasswd"), "-ERR USER comes first.");
    assert_eq!(client.ask("STLS"), "-ERR TLS is up already.");
    client.pop_login("myacct", "mypasswd");
    assert!(client.ask("STAT").starts_with("+OK 7 "));
    assert_eq!(client.ask("QUIT"), "+OK Bye.");
    assert_eq!(sandbox.received()[..3], ["USER myacct", "STLS", "PASS <secret>"]);
}

#[test]
fn a_login_can_be_made_to_need_tls() {
    let sandbox = with_pop(|e| e.auth_before_tls_refused = true);
    let mut client = Client::pop(&sandbox);
    assert!(!client.listing("CAPA").iter().any(|line| line == "USER" || line.starts_with("SASL")));
    for command in [
        "USER myacct",
        &format!("AUTH PLAIN {RESPONSE}"),
        "APOP myacct 0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(client.ask(command), "-ERR Logging in needs TLS first.", "{command}");
    }
    stls(&sandbox, "STLS\r\n").pop_login("myacct", "mypasswd");
}

#[test]
fn the_certificate_names_the_host_asked_for() {
    let sandbox = manual();
    let address = sandbox.address_of(Protocol::Pop, "Tiger.Franz.com", true).unwrap();
    assert_eq!(sandbox.address_of(Protocol::Pop, "tiger.franz.com", true).unwrap(), address);
    assert_ne!(sandbox.address_for("tiger.franz.com", true).unwrap(), address);
    assert_eq!(
        sandbox.address_of(Protocol::Pop, "localhost", false).unwrap(),
        sandbox.pop_address()
    );
    assert!(tls(&sandbox, address, "localhost").is_err());
    let mut client = tls(&sandbox, address, "tiger.franz.com").unwrap();
    assert!(client.line().starts_with("+OK Sandbox ready."));
    client.pop_login("myacct", "mypasswd");
}

#[test]
fn a_guest_has_a_copy_of_the_first_account_s_mail() {
    let sandbox = Sandbox::start(Options { accept_any: true, ..Options::default() }).unwrap();
    let mut client = Client::pop(&sandbox);
    client.pop_login("guest", "anything");
    client.ask("DELE 1");
    client.ask("QUIT");
    assert_eq!((inbox_of(&sandbox, "guest").len(), inbox_of(&sandbox, "myacct").len()), (6, 7));
    let mut client = Client::pop(&sandbox);
    client.ask("USER guest");
    assert!(client.ask("PASS other").starts_with("+OK 6 messages "), "every password is right");
    drop(client);
    let (mut client, digest) = apop(&sandbox, "whatever");
    assert!(client.ask(&format!("APOP newcomer {digest}")).starts_with("+OK 7 messages "));
}

#[test]
fn received_commands_can_be_looked_at_without_secrets() {
    let sandbox = manual();
    let mut client = Client::pop(&sandbox);
    for command in [
        "capa",
        "USER myacct",
        "PASS oops",
        &format!("AUTH PLAIN {RESPONSE}"),
        "RETR 1",
        "swordfish",
        "QUIT",
    ] {
        client.send(format!("{command}\r\n"));
    }
    while client.line() != "+OK Bye." {}
    assert_eq!(
        sandbox.received(),
        ["CAPA", "USER myacct", "PASS <secret>", "AUTH PLAIN <secret>", "RETR 1", "QUIT"]
    );
    assert!(client.is_closed());
}
