//! MAIL and RCPT (RFC 5321 4.1.1.2 and 4.1.1.3): they build the transaction that DATA or BDAT delivers.

use crate::sandbox::smtp::chunks::Chunks;
use crate::sandbox::smtp::parameters::Parameters;
use crate::sandbox::smtp::path::{Path, split_brackets};
use crate::sandbox::smtp::reply::{Outcome, Refusal};
use crate::sandbox::smtp::{SmtpSession, refuse, reply};

/// The most recipients of a letter. RFC 5321 4.5.3.1.8 requires at least 100.
const RECIPIENT_LIMIT: usize = 1000;

/// The sender and recipients of the letter that DATA will send.
pub(crate) struct Transaction {
    pub(crate) from: Path,
    pub(crate) recipients: Vec<Recipient>,
    /// Whether MAIL had the parameter SMTPUTF8.
    pub(crate) utf8: bool,
    /// Whether a recipient was refused. DATA without recipients is then answered with 554,
    /// otherwise with 503.
    pub(crate) refused: bool,
    /// The chunks of BDAT so far.
    pub(crate) chunks: Option<Chunks>,
}

/// A recipient that RCPT accepted.
pub(crate) struct Recipient {
    pub(crate) path: Path,
    /// The local account with this address; `None` if the recipient is elsewhere.
    pub(crate) user: Option<String>,
}

impl SmtpSession {
    pub(super) fn mail(&mut self, arguments: Option<&str>) -> Outcome {
        let Some(client) = &self.client else { return refuse(503, "5.5.1", "EHLO comes first.") };
        let extended = client.extended;
        if self.transaction.is_some() {
            return refuse(503, "5.5.1", "A letter is on its way.");
        }
        if self.shared.smtp.require_auth && self.user.is_none() {
            return refuse(530, "5.7.0", "AUTH comes first.");
        }
        let (path, parameters) = behind("FROM:", arguments)?;
        let from = match path {
            "" => Path::null(),
            path => Path::parse(path)
                .map_or_else(|| refuse(501, "5.1.7", "This is not an address."), Ok)?,
        };
        if !extended && !parameters.is_empty() {
            return refuse(555, "5.5.4", "Parameters need EHLO.");
        }
        let utf8 = Parameters::of_mail(parameters, &self.shared.smtp)?.utf8;
        check_ascii(&from, utf8)?;
        self.transaction =
            Some(Transaction { from, recipients: Vec::new(), utf8, refused: false, chunks: None });
        reply(250, "2.1.0", "The sender is noted.")
    }

    pub(super) fn rcpt(&mut self, arguments: Option<&str>) -> Outcome {
        let Some(transaction) = &mut self.transaction else {
            return refuse(503, "5.5.1", "MAIL comes first.");
        };
        // Any error from here on refuses a recipient.
        let refused = std::mem::replace(&mut transaction.refused, true);
        let (path, parameters) = behind("TO:", arguments)?;
        let Some(path) = Path::parse(path) else {
            return refuse(501, "5.1.3", "This is not an address.");
        };
        Parameters::of_rcpt(parameters, &self.shared.smtp)?;
        check_ascii(&path, transaction.utf8)?;
        if self.shared.delivery.refuses(&path) {
            return refuse(550, "5.1.1", "There is no such recipient.");
        }
        if transaction.recipients.len() >= RECIPIENT_LIMIT {
            return refuse(452, "4.5.3", "There are too many recipients.");
        }
        let user = self.shared.delivery.account(&self.shared.store, &path);
        transaction.recipients.push(Recipient { path, user });
        transaction.refused = refused;
        reply(250, "2.1.5", "The recipient is noted.")
    }
}

/// Splits the arguments after `FROM:` or `TO:`, in any case, into the path and what follows it.
fn behind<'a>(keyword: &str, arguments: Option<&'a str>) -> Result<(&'a str, &'a str), Refusal> {
    let arguments = arguments.unwrap_or_default();
    let head = arguments.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword));
    match head.and_then(|head| split_brackets(&arguments[head.len()..])) {
        Some(split) => Ok(split),
        None => refuse(501, "5.5.2", format!("Expected {keyword}<address>.")),
    }
}

/// Refuses an address beyond ASCII unless MAIL had the parameter SMTPUTF8 (RFC 6531 3.5).
fn check_ascii(path: &Path, utf8: bool) -> Result<(), Refusal> {
    if utf8 || path.text.is_ascii() {
        Ok(())
    } else {
        refuse(553, "5.6.7", "The address needs SMTPUTF8.")
    }
}
