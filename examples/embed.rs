//! Embeds the host, registers a function of its own and runs a script against the sandbox.
//!
//!     cargo run --example embed

use postoffice::api::{Setup, attach};
use postoffice::host::{self, Host, Options};
use std::error::Error;

const SCRIPT: &str = r#"
(with-imap-connection (mb "mail.example.org" :user "myacct" :password "mypasswd")
  (select-mailbox mb "inbox" :read-only t)
  (for-each-letter (lambda (item)
                     (log-subject (envelope-subject (fetch-field (first item) "envelope" (list item)))))
                   mb '(:seq 1 :*) "envelope")
  (mailbox-message-count mb))
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options {
        output: Box::new(|text| {
            print!("{text}");
            Ok(())
        }),
        ..Options::default()
    };
    let mut host = Host::new(options);
    let setup = Setup::sandboxed(postoffice::sandbox::Options::default())?;
    let state = attach(&mut host, &setup);

    host.register_fn(
        "log-subject",
        "(subject)",
        "Logs a subject.\nsubject: a string or nil. Returns nil.",
        |call| {
            println!("subject: {}", call.arg(0).and_then(host::as_str).unwrap_or("(none)"));
            Ok(host::nil())
        },
    );

    let value = host.evaluate(SCRIPT, "embedded script").map_err(|report| report.to_string())?;
    println!("{} letters", host::as_integer(&value).unwrap_or_default());
    state.close_all();
    Ok(())
}
