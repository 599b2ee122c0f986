//! Uses the IMAP client alone, without Scheme: lists unread letters without marking them as read.
//!
//!     postoffice sandbox --imap-port 1143 &
//!     cargo run --no-default-features --example client -- 127.0.0.1 1143 myacct mypasswd

use postoffice::client::{ConnectOptions, Credentials, ImapClient};
use postoffice::mime::decode_text;
use postoffice::proto::imap::{Address, FetchItems, Messages, SearchKey};
use postoffice::transport::Connector;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, password] = &arguments[..] else {
        return Err("usage: client HOST PORT USER PASSWORD".into());
    };
    let options = ConnectOptions { port: Some(port.parse()?), ..ConnectOptions::default() };
    let credentials = Credentials::new(user, password.as_str());
    let mut client = ImapClient::connect(&Connector::default(), host, &credentials, &options)?;

    client.select("INBOX", true)?; // read-only: no letter can be marked by accident
    let unread = client.uid_search(&SearchKey::Unseen)?;
    let items = FetchItems::parse("(UID RFC822.SIZE ENVELOPE)")?;
    for message in client.fetch_all(&Messages::uids(unread), &items)? {
        let envelope = message.envelope.unwrap_or_default();
        println!(
            "{:>5} {:>8} {:<24} {}",
            message.uid.unwrap_or(0),
            message.size.unwrap_or(0),
            envelope.from.first().and_then(Address::email).unwrap_or_default(),
            decode_text(&envelope.subject.unwrap_or_default())
        );
    }
    client.logout()?;
    Ok(())
}
