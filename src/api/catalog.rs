//! The one table of all functions: name, lambda list, docstring, function. Help, completion and the reference are read from it.

use super::{accessors, connections, envelope, fetching, files, help, mailboxes, messages, sandbox, searching};
use crate::host::{Function, Run};

/// Functions about one thing.
pub struct Topic {
    /// What they are about.
    pub title: &'static str,
    /// The functions.
    pub functions: &'static [Function],
}

/// All functions of the mail interface.
pub const TOPICS: &[Topic] = &[
    Topic { title: "Connections", functions: CONNECTIONS },
    Topic { title: "Mailboxes", functions: MAILBOXES },
    Topic { title: "What a mailbox object knows", functions: ACCESSORS },
    Topic { title: "Fetching", functions: FETCHING },
    Topic { title: "Changing", functions: CHANGING },
    Topic { title: "Envelopes", functions: ENVELOPES },
    Topic { title: "Help and sandbox", functions: OTHERS },
];

const fn native(
    name: &'static str,
    lambda_list: &'static str,
    run: fn(&crate::host::Call<'_>) -> Result<crate::host::Value, crate::condition::Condition>,
    doc: &'static str,
) -> Function {
    Function { name, lambda_list, doc, run: Run::Native(run) }
}

const CONNECTIONS: &[Function] = &[
    native(
        "make-imap-connection",
        "(host &key user password port timeout tls ca-file client-identity verify)",
        connections::make_imap_connection,
        "Connects to an IMAP server and logs in. Returns a mailbox object on which nothing is selected yet.
host: a string, or a list (\"host\" :port n :ssl t :starttls t).
:user :password  strings.
:port  an integer; 993 with TLS from the first byte, else 143.
:timeout  seconds, 30: the longest wait for the server to say the next thing.
:tls  :implicit (TLS from the first byte), :starttls, or :none. Without it port 993 means :implicit, a host on this machine may be plain, and any other is reached by STARTTLS.
:ca-file  a PEM file of authorities that are trusted besides the system's.
:client-identity  \"file.p12\", (:pkcs12 \"file\" \"password\") or (:pem \"certificate\" \"key\").
:verify  nil accepts any certificate, which lets others read along.
Errors: :insecure before a password would travel in the clear, :certificate, :authentication, :timeout, :server-shutdown-connection. Then nothing stays open.",
    ),
    native(
        "close-connection",
        "(mb)",
        connections::close_connection,
        "Logs out and closes the connection, whatever the server says. Messages that are marked as deleted stay; see close-mailbox and expunge-mailbox.
mb: a mailbox object. Returns t, also when the connection is closed or dead already.",
    ),
    Function {
        name: "with-imap-connection",
        lambda_list: "((mb host . options) . body)",
        doc: "Runs the body with mb bound to a new connection, made with make-imap-connection's arguments, and closes it on every way out.
Returns the value of the body's last form. Errors: those of make-imap-connection and of the body.",
        run: Run::Macro(
            "(lambda (binding . body)
               `(let ((,(car binding) (make-imap-connection ,@(cdr binding))))
                  (unwind-protect (progn ,@body) (close-connection ,(car binding)))))",
        ),
    },
    native(
        "noop",
        "(mb)",
        connections::noop,
        "Does nothing but keep the connection alive; the server uses the occasion to tell what is new, which mailbox-message-count and the other accessors show afterwards.
mb: a mailbox object. Returns nil.",
    ),
    native(
        "mailbox-capabilities",
        "(mb)",
        connections::mailbox_capabilities,
        "What the server says it can do, as a list of keywords: (:imap4rev1 :idle …).
mb: a mailbox object.",
    ),
    native(
        "capable?",
        "(mb capability)",
        connections::capable,
        "Whether the server says that it can do something: (capable? mb \"IDLE\").
mb: a mailbox object. capability: a string or keyword, in any case. Returns t or nil.",
    ),
];

const MAILBOXES: &[Function] = &[
    native(
        "select-mailbox",
        "(mb name &key read-only)",
        mailboxes::select_mailbox,
        "Makes a mailbox the current one; all message functions work on it, and the accessors describe it.
mb: a mailbox object. name: a string; \"inbox\" always exists. :read-only  t opens it so that nothing changes, \\Seen included.
Returns t. Errors: :error-response when there is none of that name; then no mailbox is selected. A mailbox that can only be read signals the condition :problem.",
    ),
    native(
        "create-mailbox",
        "(mb name)",
        mailboxes::create_mailbox,
        "Makes a mailbox; the levels above it are made too.
mb: a mailbox object. name: a string, levels divided by mailbox-separator. Returns t. Errors: :error-response when it exists.",
    ),
    native(
        "delete-mailbox",
        "(mb name)",
        mailboxes::delete_mailbox,
        "Removes a mailbox with all its messages.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response when there is none of that name.",
    ),
    native(
        "rename-mailbox",
        "(mb old-name new-name)",
        mailboxes::rename_mailbox,
        "Gives a mailbox another name. Renaming \"inbox\" moves its messages to the new mailbox and leaves an empty inbox.
mb: a mailbox object. old-name new-name: strings. Returns t. Errors: :error-response when the old one does not exist or the new one does.",
    ),
    native(
        "mailbox-list",
        "(mb &key reference pattern subscribed)",
        mailboxes::mailbox_list,
        "The mailboxes whose names match, a list of entries (flags separator name) in the server's order.
mb: a mailbox object. :reference  a string, \"\": where in the hierarchy to begin. :pattern  a string, \"*\": * stands for anything, % for anything on one level.
:subscribed  t lists only those that are subscribed to.
See mailbox-list-flags, mailbox-list-separator, mailbox-list-name. Errors: :error-response.",
    ),
    native(
        "mailbox-list-flags",
        "(entry)",
        accessors::mailbox_list_flags,
        "The flags of an entry of mailbox-list, a list of keywords: :\\\\noselect is a level that holds no messages, :\\\\noinferiors one that can have none below.
entry: (flags separator name).",
    ),
    native(
        "mailbox-list-separator",
        "(entry)",
        accessors::mailbox_list_separator,
        "The string between the levels of an entry's name; nil where there are no levels.
entry: (flags separator name), from mailbox-list.",
    ),
    native(
        "mailbox-list-name",
        "(entry)",
        accessors::mailbox_list_name,
        "The name of an entry of mailbox-list, a string.
entry: (flags separator name).",
    ),
    native(
        "close-mailbox",
        "(mb)",
        mailboxes::close_mailbox,
        "Removes the messages that are marked :\\\\deleted from the selected mailbox and selects none. unselect-mailbox removes nothing.
mb: a mailbox object. Returns t. Errors: :error-response when none is selected.",
    ),
    native(
        "unselect-mailbox",
        "(mb)",
        mailboxes::unselect_mailbox,
        "Selects no mailbox, and removes nothing (RFC 3691).
mb: a mailbox object. Returns t. Errors: :error-response when none is selected.",
    ),
    native(
        "subscribe-mailbox",
        "(mb name)",
        mailboxes::subscribe_mailbox,
        "Adds a mailbox to the subscribed ones, which mail programs show.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response.",
    ),
    native(
        "unsubscribe-mailbox",
        "(mb name)",
        mailboxes::unsubscribe_mailbox,
        "Removes a mailbox from the subscribed ones; its messages stay.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response.",
    ),
    native(
        "mailbox-status",
        "(mb name &optional items)",
        mailboxes::mailbox_status,
        "Counts of a mailbox that need not be selected, as a list (:messages 7 :unseen 2 …).
mb: a mailbox object. name: a string. items: a keyword or a list of :messages :recent :uidnext :uidvalidity :unseen, which is also the default; others as the server knows them.
Errors: :error-response when there is none of that name.",
    ),
];

const ACCESSORS: &[Function] = &[
    native(
        "mailbox-name",
        "(mb)",
        accessors::mailbox_name,
        "The name of the selected mailbox, a string; nil when none is selected.
mb: a mailbox object.",
    ),
    native(
        "mailbox-flags",
        "(mb)",
        accessors::mailbox_flags,
        "The flags in use in the selected mailbox, a list of keywords.
mb: a mailbox object.",
    ),
    native(
        "mailbox-permanent-flags",
        "(mb)",
        accessors::mailbox_permanent_flags,
        "The flags that can be stored in the selected mailbox, a list of keywords; :\\\\* among them means that own flags can be.
mb: a mailbox object.",
    ),
    native(
        "mailbox-message-count",
        "(mb)",
        accessors::mailbox_message_count,
        "How many messages the selected mailbox holds, an integer, as the server told with its last answer; nil when none is selected.
mb: a mailbox object.",
    ),
    native(
        "mailbox-recent-messages",
        "(mb)",
        accessors::mailbox_recent_messages,
        "How many messages of the selected mailbox this session was the first to be told of, an integer.
mb: a mailbox object.",
    ),
    native(
        "mailbox-separator",
        "(mb)",
        accessors::mailbox_separator,
        "The string that divides the levels of mailbox names on this server; nil where there are no levels.
mb: a mailbox object.",
    ),
    native(
        "mailbox-uidnext",
        "(mb)",
        accessors::mailbox_uidnext,
        "The unique id that the next message will get, an integer, as the server predicted it at select-mailbox.
mb: a mailbox object.",
    ),
    native(
        "mailbox-uidvalidity",
        "(mb)",
        accessors::mailbox_uidvalidity,
        "A number that changes when the unique ids known so far do not hold any more.
mb: a mailbox object. Returns an integer, or nil when none is selected.",
    ),
    Function {
        name: "mailbox-uidvalidty",
        lambda_list: "(mb)",
        doc: "The manual's spelling of mailbox-uidvalidity.\nmb: a mailbox object. Returns an integer, or nil.",
        run: Run::Alias("mailbox-uidvalidity"),
    },
    native(
        "mailbox-first-unseen",
        "(mb)",
        accessors::mailbox_first_unseen,
        "The number of the first message that is not seen, an integer; nil where the server did not tell.
mb: a mailbox object.",
    ),
    native(
        "mailbox-highest-modseq",
        "(mb)",
        accessors::mailbox_highest_modseq,
        "The highest modification sequence of the selected mailbox (RFC 7162), an integer; nil where the server did not tell.
mb: a mailbox object.",
    ),
    native(
        "mailbox-read-only?",
        "(mb)",
        accessors::mailbox_is_read_only,
        "Whether the selected mailbox can only be read. mb: a mailbox object. Returns t or nil.",
    ),
];

const FETCHING: &[Function] = &[
    native(
        "fetch-parts",
        "(mb messages parts &key uid raw)",
        fetching::fetch_parts,
        "Fetches parts of messages: ((number (\"NAME\" value …)) …) in the server's order, which fetch-field reads.
mb: a mailbox object. messages: a number, (:seq N M), or a list of these; () denotes none. :seq's M may be :*, the last message.
parts: a string in IMAP's notation (RFC 3501 6.4.5): \"body[]\", \"(flags envelope)\", \"body.peek[header.fields (from to)]\", \"body[]<0.1000>\", \"all\".
:uid  t takes messages as unique ids. :raw  t gives bytevectors with the exact bytes instead of strings.
Errors: :error-response, :syntax-error for parts that are not balanced, :response-too-large.",
    ),
    native(
        "fetch-letter",
        "(mb message &optional parts &key uid peek raw)",
        fetching::fetch_letter,
        "The whole letter as a string with \\n line ends; it counts as seen afterwards.
mb: a mailbox object. message: an integer. parts: when given, the result is that of fetch-parts.
:uid  t takes message as a unique id. :peek  t leaves :\\\\seen alone. :raw  t gives a bytevector with the exact bytes.
Errors: :error-response when there is no such message.",
    ),
    native(
        "fetch-field",
        "(message part info &key uid)",
        fetching::fetch_field,
        "Takes one part of one message out of a result of fetch-parts; nil when it is not there.
message: an integer. part: a string as for fetch-parts, in any case; \"body.peek[x]\" finds \"BODY[x]\". info: the result; a string, as fetch-letter returns it, is itself the answer.
:uid  t compares message with the unique ids in info.",
    ),
    native(
        "%letter-batches",
        "(f mb messages parts &key uid)",
        fetching::letter_batches,
        "The lists of unique ids that for-each-letter fetches one after the other, each about a megabyte; it checks for-each-letter's arguments.
f mb messages parts :uid  as for for-each-letter. Errors: :error-response.",
    ),
    Function {
        name: "for-each-letter",
        lambda_list: "(f mb messages parts &key uid raw)",
        doc: "Calls f with each item of fetch-parts, (number (\"NAME\" value …)), one after the other; memory stays flat over any number of messages.
f: a function of one argument; it may use mb itself. mb messages parts :uid :raw  as for fetch-parts. Returns t.
Errors: those of fetch-parts and of f; then the rest is not fetched.",
        run: Run::Scheme(
            "(lambda (f mb messages parts &key uid raw)
               (dolist (batch (%letter-batches f mb messages parts :uid uid))
                 (dolist (item (fetch-parts mb batch parts :uid t :raw raw))
                   (f item)))
               t)",
        ),
    },
    native(
        "save-letter",
        "(mb message path &key uid append mbox)",
        files::save_letter,
        "Writes a letter's exact bytes to a file as they arrive; memory stays flat. :\\\\seen is left alone. Until all is there, the file is as it was.
mb: a mailbox object. message: an integer. path: a string. :uid  t takes message as a unique id.
:append  t adds to the file. :mbox  t writes an entry of an mbox file: a From line, LF line ends, lines that begin with From quoted.
Returns t. Errors: :file when it cannot be written, :error-response when there is no such message.",
    ),
    native(
        "ensure-directories-exist",
        "(path)",
        files::ensure_directories_exist,
        "Makes the folders that lead to a file, or to a folder when the path ends in a slash.
path: a string. Returns it. Errors: :file when they cannot be made.",
    ),
    native(
        "search-mailbox",
        "(mb expression &key uid)",
        searching::search_mailbox,
        "The messages that an expression fits, an ascending list of integers.
mb: a mailbox object. :uid  t gives unique ids.
expression: a predicate, (and e …), (or e …) or (not e). Predicates: a number, (:seq n m), a list of these;
:all :answered :deleted :draft :flagged :new :old :recent :seen :unanswered :undeleted :undraft :unflagged :unseen;
(:bcc s) (:body s) (:cc s) (:from s) (:header field s) (:subject s) (:text s) (:to s);
(:before d) (:on d) (:since d) (:sentbefore d) (:senton d) (:sentsince d), d being \"7-Mar-1999\" or a universal time;
(:keyword flag) (:unkeyword flag) (:larger n) (:smaller n) (:uid set) (:older days) (:younger days) (:modseq n) (:gmail \"…\") (:raw \"…\").
Strings that are not ASCII are sent as UTF-8. Errors: :syntax-error for what is no expression, before anything is sent; :error-response.",
    ),
];

const CHANGING: &[Function] = &[
    native(
        "alter-flags",
        "(mb messages &key flags add-flags remove-flags silent uid)",
        messages::alter_flags,
        "Changes the flags of messages. The result is that of fetch-parts and tells the flags afterwards.
mb: a mailbox object. messages: as for fetch-parts. Exactly one of :flags (all flags), :add-flags, :remove-flags, each a flag such as :\\\\deleted or :junk, or a list of flags.
:silent  t spares the result and returns nil. :uid  t takes messages as unique ids.
Errors: :syntax-error, :error-response.",
    ),
    native(
        "delete-letter",
        "(mb messages &key expunge uid)",
        messages::delete_letter,
        "Marks messages :\\\\deleted and removes all that are so marked. The result is the list of numbers that the server reports: each counts after the ones before it are gone, so that deleting 3, 4 and 5 can give (3 3 3).
mb: a mailbox object. messages: as for fetch-parts. :expunge  nil only marks them. :uid  t takes messages as unique ids.
Errors: :error-response.",
    ),
    native(
        "expunge-mailbox",
        "(mb &key uids)",
        messages::expunge_mailbox,
        "Removes the messages that are marked :\\\\deleted; the list of numbers that the server reports.
mb: a mailbox object. :uids  a set of unique ids: removes only those among the marked ones. Errors: :error-response, :unsupported where the server cannot remove single ones.",
    ),
    native(
        "copy-to-mailbox",
        "(mb messages destination &key uid create)",
        messages::copy_to_mailbox,
        "Copies messages with their flags to another mailbox.
mb: a mailbox object. messages: as for fetch-parts. destination: a string. :uid  t takes messages as unique ids. :create  t makes the destination if it does not exist.
Returns (uidvalidity from to), from and to being sets of unique ids, where the server tells them, else t. Errors: :error-response when the destination does not exist.",
    ),
    native(
        "move-to-mailbox",
        "(mb messages destination &key uid create)",
        messages::move_to_mailbox,
        "Moves messages to another mailbox. Where the server cannot, they are copied, and only when that has succeeded exactly they are removed.
Arguments and result as for copy-to-mailbox. Errors: :error-response; every message is then in at least one of the two mailboxes.",
    ),
    native(
        "append-letter",
        "(mb name text &key flags date)",
        messages::append_letter,
        "Stores a letter in a mailbox.
mb: a mailbox object. name: a string. text: a string, whose lines get CR LF, or a bytevector, which is stored as it is. :flags  a flag or a list of flags.
:date  its internal date, a universal time or a string as \"13-Sep-1999 11:36:26 -0700\"; now by default.
Returns (uidvalidity uid) where the server tells them, else t. Errors: :error-response when there is no such mailbox.",
    ),
];

const ENVELOPES: &[Function] = &[
    envelope_part(
        "envelope-date",
        envelope::envelope_date,
        "The Date field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-subject",
        envelope::envelope_subject,
        "The Subject field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-from",
        envelope::envelope_from,
        "The From field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-sender",
        envelope::envelope_sender,
        "The Sender field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-reply-to",
        envelope::envelope_reply_to,
        "The Reply-To field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-to",
        envelope::envelope_to,
        "The To field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-cc",
        envelope::envelope_cc,
        "The Cc field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-bcc",
        envelope::envelope_bcc,
        "The Bcc field of an envelope, a list of addresses.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-in-reply-to",
        envelope::envelope_in_reply_to,
        "The In-Reply-To field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    envelope_part(
        "envelope-message-id",
        envelope::envelope_message_id,
        "The Message-ID field of an envelope, a string or nil.\nenvelope: as (fetch-field n \"envelope\" …) returns it.",
    ),
    address_part(
        "address-name",
        envelope::address_name,
        "The name of an address, a string or nil.\naddress: an element of an envelope's address field.",
    ),
    address_part(
        "address-additional",
        envelope::address_additional,
        "The source route of an address, a string or nil; obsolete.\naddress: an element of an envelope's address field.",
    ),
    address_part(
        "address-mailbox",
        envelope::address_mailbox,
        "What stands before the @ of an address, a string or nil.\naddress: an element of an envelope's address field.",
    ),
    address_part(
        "address-host",
        envelope::address_host,
        "What stands behind the @ of an address, a string or nil.\naddress: an element of an envelope's address field.",
    ),
    address_part(
        "address->string",
        envelope::address_to_string,
        "An address as headers write it, a string: \"jkf <jkf@verada.com>\".\naddress: an element of an envelope's address field.",
    ),
];

const fn envelope_part(
    name: &'static str,
    run: fn(&crate::host::Call<'_>) -> Result<crate::host::Value, crate::condition::Condition>,
    doc: &'static str,
) -> Function {
    native(name, "(envelope)", run, doc)
}

const fn address_part(
    name: &'static str,
    run: fn(&crate::host::Call<'_>) -> Result<crate::host::Value, crate::condition::Condition>,
    doc: &'static str,
) -> Function {
    native(name, "(address)", run, doc)
}

const OTHERS: &[Function] = &[
    native(
        "help",
        "(&optional name)",
        help::help,
        "Prints what a function takes and returns: (help 'fetch-parts). Without a name it lists all.
name: a symbol or string. Returns nil. Errors: :syntax-error when there is no such function.",
    ),
    native(
        "sandbox-deliver",
        "(text &key user mailbox)",
        sandbox::sandbox_deliver,
        "Delivers a letter into the sandbox of this process, as another program would.
text: a string. :user  a string, the sandbox's first account. :mailbox  a string, \"INBOX\". Returns the letter's unique id.
Errors: :unsupported when no sandbox runs, :error-response when there is no such user or mailbox.",
    ),
];
