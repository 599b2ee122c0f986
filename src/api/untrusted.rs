//! The functions of the catalog that an untrusted script may call.

/// Each has been looked at: it works on what it is given and on connections that are open, or asks the [`crate::policy::Policy`] before it
/// reaches further. A function of the catalog that is not here is refused to untrusted scripts; a test asks for one or the other.
#[rustfmt::skip]
pub const CHECKED: &[&str] = &[
    // Connections: the connector asks for the host; the files of :ca-file, :client-identity and :attachments, and programs, are asked for here.
    "make-imap-connection", "make-pop-connection", "make-smtp-connection", "send-letter", "send-smtp", "send-smtp-auth",
    "test-email-address", "with-imap-connection", "with-pop-connection", "with-smtp-connection",
    // Accounts are connected by the functions above.
    "%account-call", "%account-index", "%accounts", "%check-account", "%define-account", "accounts", "connect", "define-account", "with-account",
    // Files.
    "append-letter", "ensure-directories-exist", "mailbox-report", "make-mime-part", "save-attachment", "save-attachments", "save-letter", "save-letters", "write-csv",
    // The sandbox of this process, if the command line has started one.
    "sandbox-deliver", "sandbox-outbox",
    // Nothing but what they are given.
    "->json", "from-json", "print-table",
    "%parallel-map", "parallel-map", // the hosts of its threads have the policy of the one that calls
    "%all-parts", "%begin-issue", "%begin-letter-sequence", "%begin-read-ahead", "%end-issue", "%end-letter-sequence", "%end-read-ahead",
    "apropos", "%forget", "%redeem", "%pipelined-window", "end-of-letter-p", "fetch-letter-sequence", "pipelined-map", "with-fetch-letter-sequence",
    "with-read-ahead", "%fetch-batch", "%letter-batches", "address->string", "address-additional", "address-host", "address-mailbox",
    "address-name", "alter-flags", "attachment-bytes", "attachment-name", "attachment-type", "capable?",
    "close-connection", "close-mailbox", "copy-letters", "copy-to-mailbox", "create-mailbox", "decode-header-text", "delete-letter", "delete-mailbox",
    "envelope-bcc", "envelope-cc", "envelope-date", "envelope-from", "envelope-in-reply-to", "envelope-message-id", "envelope-reply-to",
    "envelope-sender", "envelope-subject", "envelope-to", "expunge-mailbox", "extract-email-addresses", "fetch-field", "fetch-letter",
    "fetch-letters", "fetch-parts", "for-each-letter", "help", "letter-attachments", "letter-html", "letter-text", "mailbox-capabilities",
    "mailbox-first-unseen", "mailbox-flags", "mailbox-highest-modseq", "mailbox-list", "mailbox-list-flags", "mailbox-list-name",
    "mailbox-list-separator", "mailbox-message-count", "mailbox-name", "mailbox-permanent-flags", "mailbox-read-only?",
    "mailbox-recent-messages", "mailbox-separator", "mailbox-status", "mailbox-uidnext", "mailbox-uidvalidity", "mailbox-uidvalidty",
    "make-envelope-from-text", "map-over-parts", "mime-part-bytes", "mime-part-description", "mime-part-encoding", "mime-part-headers",
    "mime-part-id", "mime-part-parameters", "mime-part-parts", "mime-part-subtype", "mime-part-text", "mime-part-type",
    "move-to-mailbox", "noop", "parse-email-address", "parse-letter", "parse-mail-header", "parse-mime-structure", "rename-mailbox",
    "reset-mailbox", "search-mailbox", "select-mailbox", "subscribe-mailbox", "top-lines", "unique-id", "unselect-mailbox",
    "unsubscribe-mailbox",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::catalog::TOPICS;

    /// Functions that are not for untrusted scripts.
    const REFUSED: &[&str] = &[];

    #[test]
    fn every_function_is_checked_or_refused() {
        let functions =
            TOPICS.iter().flat_map(|topic| topic.functions).map(|function| function.name);
        let (decided, undecided): (Vec<_>, Vec<_>) =
            functions.partition(|name| CHECKED.contains(name) != REFUSED.contains(name));
        assert!(
            undecided.is_empty(),
            "may an untrusted script call these? if each asks the policy before it reaches for anything, add it to CHECKED, else to REFUSED: {undecided:?}"
        );
        let gone: Vec<_> =
            CHECKED.iter().chain(REFUSED).filter(|name| !decided.contains(name)).collect();
        assert!(gone.is_empty(), "not in the catalog any more: {gone:?}");
    }
}
