//! STARTTLS, implicit TLS, and certificates for the host names that scripts use.

use std::{io::Write, net::TcpStream};

use super::client::*;
use postoffice::sandbox::Extension;

/// Connects, sends `text` in a single write, reads up to the OK of STARTTLS, and starts TLS.
fn starttls(sandbox: &postoffice::sandbox::Sandbox, text: &str) -> Client {
    let mut stream = TcpStream::connect(sandbox.imap_address()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut plain = Client::over(stream.try_clone().unwrap());
    assert!(plain.line().starts_with("* OK "));
    assert_eq!(plain.line(), "t OK Begin TLS now.");
    Client::over(connector(sandbox).connect("localhost", stream).unwrap())
}

#[test]
fn starttls_encrypts_and_is_not_offered_again() {
    let sandbox = manual();
    let mut client = starttls(&sandbox, "t STARTTLS\r\n");
    assert!(!client.ok("CAPABILITY")[0].contains("STARTTLS"));
    assert_eq!(client.tagged("STARTTLS"), "BAD TLS is up already.");
    client.ok("LOGIN myacct mypasswd");
    client.ok("SELECT INBOX");
    assert_eq!(client.ok("SEARCH TEXT blitzfig"), ["* SEARCH 7"]);
}

#[test]
fn plain_text_sent_behind_starttls_is_thrown_away() {
    let sandbox = manual();
    let mut client = starttls(&sandbox, "t STARTTLS\r\nx LOGIN myacct mypasswd\r\n");
    assert_eq!(client.ok("NOOP"), Vec::<String>::new());
    assert_eq!(client.tagged("SELECT INBOX"), "BAD Log in first.");
    assert!(!sandbox.received().iter().any(|command| command.starts_with("Login")));
}

#[test]
fn a_login_can_be_made_to_need_tls() {
    let sandbox = with(Extension::LoginDisabled);
    let mut client = Client::connect(&sandbox);
    let capabilities = client.ok("CAPABILITY").remove(0);
    let login = "* CAPABILITY IMAP4rev1 LITERAL+ STARTTLS LOGINDISABLED SASL-IR IDLE ";
    assert!(capabilities.starts_with(login), "{capabilities}");
    assert_eq!(
        client.tagged("LOGIN myacct mypasswd"),
        "NO [PRIVACYREQUIRED] Logging in needs TLS first."
    );
    assert_eq!(
        client.tagged("AUTHENTICATE PLAIN"),
        "NO [PRIVACYREQUIRED] Logging in needs TLS first."
    );
    starttls(&sandbox, "t STARTTLS\r\n").ok("LOGIN myacct mypasswd");
}

#[test]
fn the_certificate_names_the_host_asked_for_and_no_other() {
    let sandbox = manual();
    let address = sandbox.address_for("Tiger.Franz.com", true).unwrap();
    assert_eq!(sandbox.address_for("tiger.franz.com", true).unwrap(), address);
    assert_ne!(sandbox.address_for("tiger.franz.com", false).unwrap(), address);
    assert_eq!(sandbox.address_for("localhost", true).unwrap(), sandbox.imaps_address());
    assert!(tls(&sandbox, address, "tiger.franz.com").is_ok());
    assert!(tls(&sandbox, address, "localhost").is_err());
    for host in ["localhost", "127.0.0.1"] {
        assert!(tls(&sandbox, sandbox.imaps_address(), host).is_ok(), "{host}");
    }
    let other = manual();
    assert!(tls(&other, sandbox.imaps_address(), "localhost").is_err());
    let long = "a.".repeat(50) + "example.org";
    assert!(tls(&sandbox, sandbox.address_for(&long, true).unwrap(), &long).is_ok());
    assert!(
        sandbox
            .address_for("10.1.2.3", true)
            .is_ok_and(|address| tls(&sandbox, address, "10.1.2.3").is_ok())
    );
}

#[test]
fn only_the_loopback_is_bound() {
    let sandbox = manual();
    for address in [
        sandbox.imap_address(),
        sandbox.imaps_address(),
        sandbox.address_for("x.example", false).unwrap(),
    ] {
        assert!(address.ip().is_loopback() && address.port() != 0);
    }
}
