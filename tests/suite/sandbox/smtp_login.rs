//! AUTH and STARTTLS in SMTP.

use std::{io::Write, net::TcpStream};

use postoffice::sandbox::{Protocol, Sandbox};

use super::client::*;

const RESPONSE: &str = "AG15YWNjdABteXBhc3N3ZA==";

#[test]
fn plain_comes_with_the_command_or_after_a_challenge() {
    let sandbox = manual();
    let mut client = Client::smtp(&sandbox);
    for (answer, expected) in [
        ("*", "501 5.7.0 AUTH cancelled."),
        ("!", "501 5.5.2 The response is not base64."),
        ("AA==", "501 5.5.2 This is not a PLAIN response."),
        ("AG15YWNjdAB3cm9uZw==", "535 5.7.8 Wrong user or password."),
        ("Ym9zcwBteWFjY3QAbXlwYXNzd2Q=", "535 5.7.8 You cannot act for someone else."),
        (&"A".repeat(13_000), "500 5.5.6 The response is too long or not a line of text."),
    ] {
        assert_eq!(client.ask("AUTH PLAIN"), "334 ");
        assert_eq!(client.ask(answer), expected);
    }
    assert_eq!(client.ask("AUTH PLAIN ="), "501 5.5.2 This is not a PLAIN response.");
    assert_eq!(client.ask("AUTH"), "501 5.5.4 AUTH needs a mechanism.");
    assert_eq!(client.ask("AUTH CRAM-MD5"), "504 5.5.4 This mechanism is not supported.");
    assert_eq!(client.ask("NOOP"), "250 2.0.0 Done.");
    assert_eq!(client.ask("auth plain"), "334 ");
    assert_eq!(client.ask(RESPONSE), "235 2.7.0 You are logged in.");
    assert_eq!(client.ask("AUTH PLAIN"), "503 5.5.1 You are logged in already.");
    assert_eq!(
        Client::smtp(&sandbox).ask(&format!("AUTH PLAIN {RESPONSE}")),
        "235 2.7.0 You are logged in."
    );
}

#[test]
fn login_asks_for_user_and_password() {
    let sandbox = manual();
    let mut client = Client::smtp(&sandbox);
    assert_eq!(client.ask("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert_eq!(client.ask("bXlhY2N0"), "334 UGFzc3dvcmQ6");
    assert_eq!(client.ask("*"), "501 5.7.0 AUTH cancelled.");
    assert_eq!(client.ask("AUTH LOGIN bXlhY2N0"), "334 UGFzc3dvcmQ6");
    assert_eq!(client.ask("bXlwYXNzd2Q="), "235 2.7.0 You are logged in.");
}

#[test]
fn mail_can_be_made_to_need_a_login() {
    let sandbox = with_smtp(|e| e.require_auth = true);
    let mut client = Client::smtp(&sandbox);
    assert_eq!(client.ask("MAIL FROM:<a@b>"), "530 5.7.0 AUTH comes first.");
    client.ask(&format!("AUTH PLAIN {RESPONSE}"));
    assert!(client.submit("a@b", &["myacct"], "x\r\n").starts_with("250 "));
}

/// Connects, sends `text` in a single write, reads up to the reply to STARTTLS, and starts TLS.
fn starttls(sandbox: &Sandbox, text: &str) -> Client {
    let mut stream = TcpStream::connect(sandbox.smtp_address()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut plain = Client::over(stream.try_clone().unwrap());
    while plain.line() != "220 2.0.0 Begin TLS now." {}
    Client::over(connector(sandbox).connect("localhost", stream).unwrap())
}

#[test]
fn starttls_encrypts_and_forgets_what_came_before() {
    let sandbox = manual();
    let text = format!(
        "EHLO x\r\nAUTH PLAIN {RESPONSE}\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\nRCPT TO:<myacct>\r\nEHLO y\r\n"
    );
    let mut client = starttls(&sandbox, &text);
    assert_eq!(client.ask("MAIL FROM:<a@b>"), "503 5.5.1 EHLO comes first.");
    assert!(!client.reply("EHLO x").iter().any(|line| line.contains("STARTTLS")));
    assert_eq!(client.ask("STARTTLS"), "503 5.5.1 TLS is up already.");
    assert_eq!(client.ask("RCPT TO:<myacct>"), "503 5.5.1 MAIL comes first.");
    assert_eq!(client.ask(&format!("AUTH PLAIN {RESPONSE}")), "235 2.7.0 You are logged in.");
    assert!(client.submit("a@b", &["myacct"], "x\r\n").starts_with("250 2.0.0 "));
    assert_eq!(
        sandbox.received()[..5],
        ["EHLO x", "AUTH PLAIN <secret>", "MAIL FROM:<a@b>", "STARTTLS", "MAIL FROM:<a@b>"]
    );
}

#[test]
fn a_login_can_be_made_to_need_tls() {
    let sandbox = with_smtp(|e| e.auth_before_tls_refused = true);
    let mut client = Client::smtp(&sandbox);
    assert!(!client.reply("EHLO x").iter().any(|line| line.contains("AUTH")));
    assert_eq!(
        client.ask(&format!("AUTH PLAIN {RESPONSE}")),
        "538 5.7.11 Logging in needs TLS first."
    );
    let mut client = starttls(&sandbox, "EHLO x\r\nSTARTTLS\r\n");
    assert!(client.reply("EHLO x").iter().any(|line| line == "250-AUTH PLAIN LOGIN"));
    assert_eq!(client.ask(&format!("AUTH PLAIN {RESPONSE}")), "235 2.7.0 You are logged in.");
}

#[test]
fn the_certificate_names_the_host_asked_for() {
    let sandbox = manual();
    let address = sandbox.address_of(Protocol::Smtp, "mail.example.org", true).unwrap();
    assert_eq!(
        sandbox.address_of(Protocol::Smtp, "127.0.0.1", true).unwrap(),
        sandbox.smtps_address()
    );
    assert!(tls(&sandbox, address, "localhost").is_err());
    assert!(tls(&sandbox, address, "mail.example.org").unwrap().line().starts_with("220 sandbox "));
}

#[test]
fn a_client_that_speaks_plain_text_to_a_tls_port_is_cut() {
    let sandbox = manual();
    for address in [sandbox.imaps_address(), sandbox.pops_address(), sandbox.smtps_address()] {
        let mut client = Client::raw(address);
        client.send("EHLO x\r\nQUIT\r\n");
        // A TLS alert (record type 21) may come first, but no line of the protocol.
        let rest = client.rest();
        assert!(rest.first().is_none_or(|kind| *kind == 21), "{}", rest.escape_ascii());
        assert!(sandbox.received().is_empty(), "{:?}", sandbox.received());
    }
    assert!(tls(&sandbox, sandbox.smtps_address(), "localhost").is_ok());
}
