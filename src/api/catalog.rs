//! The one table of all functions: name, lambda list, docstring, function. Help, completion and the reference are read from it.

use super::{
    accessors, accounts, appending, attachments, batches, connections, copying, envelope, fetching,
    files, help, json, letters, mailboxes, messages, parallel, parts, pieces, pipeline, pop,
    read_ahead, report, sandbox, saving, searching, sending, smtp, tables,
};
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
    Topic { title: "Many calls at once", functions: MANY },
    Topic { title: "Changing", functions: CHANGING },
    Topic { title: "Envelopes", functions: ENVELOPES },
    Topic { title: "POP", functions: POP },
    Topic { title: "SMTP", functions: SMTP },
    // Behind the functions that it calls.
    Topic { title: "Accounts", functions: ACCOUNTS },
    Topic { title: "Headers and addresses", functions: HEADERS },
    Topic { title: "Letters and their parts", functions: LETTERS },
    Topic { title: "Output for other programs", functions: OUTPUT },
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
        "(host &key user password token auth port timeout tls ca-file client-identity verify limits)",
        connections::make_imap_connection,
        "Connects to an IMAP server and logs in. Returns a mailbox object on which nothing is selected yet.
host: a string, or a list (\"host\" :port n :ssl t :starttls t).
:user  a string. :password  a string, a procedure of no arguments that returns it, or where it is to be had: (:env \"NAME\"), (:command \"pass\" \"show\" \"x\"), whose first line it is, (:file \"path\"), whose first line it is, or (:keyring \"service\"). It is looked up when everything else is known to be right.
Without :password, :token and :auth the command asks for it at a terminal.
:auth  :login, :plain, :scram-sha-256, :oauthbearer, :xoauth2 or :external (the certificate of :client-identity says who it is); without it the strongest that the server offers.
:token  a bearer token in the place of the password, given in the same ways.
:port  an integer; 993 with TLS from the first byte, else 143.
:timeout  seconds, 30: the longest wait for the server to say the next thing; a whole reply may take five times as long, and longer while it makes progress.
:tls  :implicit (TLS from the first byte), :starttls, or :none. Without it port 993 means :implicit, a host on this machine may be plain unless :ca-file or :client-identity is given, and any other is reached by STARTTLS.
:ca-file  a PEM file of authorities that are trusted besides the system's.
:client-identity  \"file.p12\", (:pkcs12 \"file\" \"password\") or (:pem \"certificate\" \"key\").
:verify  nil accepts any certificate, which lets others read along.
:limits  how much the server may send before :response-too-large, for example '(:literal 100000000 :line 1000000); the README has a table of them.
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
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-imap-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
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

const ACCOUNTS: &[Function] = &[
    native(
        "%check-account",
        "(name options)",
        accounts::check_account,
        "Checks the options of an account. Returns its name, a symbol. Errors: :syntax-error.",
    ),
    Function {
        name: "%accounts",
        lambda_list: "(&rest new)",
        doc: "The accounts, a list of (name . procedure); new ones in their place if given. A procedure does not print what it returns.",
        run: Run::Scheme("(let ((known '())) (lambda new (when (pair? new) (set! known (%car new))) known))"),
    },
    native(
        "%account-index",
        "(names name)",
        accounts::account_index,
        "The place of a name among names, an integer. Errors: :syntax-error when it is not there.",
    ),
    native(
        "%account-call",
        "(name options &optional side)",
        accounts::account_call,
        "The side and the arguments that connect an account, a list. Errors: :syntax-error.",
    ),
    Function {
        name: "%define-account",
        lambda_list: "(name options)",
        doc: "Remembers an account. Returns its name.",
        run: Run::Scheme(
            "(lambda (name options)
               (let ((name (%check-account name options)))
                 (%accounts (append (remove-if (lambda (one) (eq (%car one) name)) (%accounts)) (list (cons name (lambda () options)))))
                 name))",
        ),
    },
    Function {
        name: "define-account",
        lambda_list: "(name . options)",
        doc: "Remembers an account under a name, for connect. ~/.config/postoffice/init.scm is a place for it.
name: a symbol, not quoted. options: the keys of make-imap-connection, and :host; their values are evaluated, and a password is looked up when a connection is made. :port counts for IMAP alone.
:imap :pop :smtp  lists of keys and values for one side, such as '(:host \"smtp.example.org\" :port 587), in the place of those above or besides. Returns the name.
Errors: :syntax-error.",
        run: Run::Macro("(syntax-rules () ((_ name . options) (%define-account 'name (list . options))))"),
    },
    Function {
        name: "connect",
        lambda_list: "(account &optional side)",
        doc: "Connects to an account. Returns what make-imap-connection returns; for the side :pop what make-pop-connection does, for :smtp what make-smtp-connection does. close-connection closes it.
account: a symbol or a string, a name that define-account knows. side: :imap, :pop or :smtp.
Errors: :syntax-error when there is no such account, and those of the function that connects.",
        run: Run::Scheme(
            "(lambda (account &optional side)
               (let* ((known (%accounts))
                      (found (nth (%account-index (mapcar (lambda (one) (%car one)) known) account) known))
                      (call (%account-call (%car found) (funcall (%cdr found)) side)))
                 (apply (cond ((eq (%car call) :pop) make-pop-connection) ((eq (%car call) :smtp) make-smtp-connection) (t make-imap-connection))
                        (%cdr call))))",
        ),
    },
    Function {
        name: "with-account",
        lambda_list: "((mb account . side) . body)",
        doc: "Runs the body with mb bound to a new connection, made with connect's arguments, and closes it on every way out.
Returns the value of the body's last form. Errors: those of connect and of the body.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ (mb account . side) body ...)
                (let ((mb (connect account . side))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    },
    Function {
        name: "accounts",
        lambda_list: "()",
        doc: "The names of the accounts, a list of symbols.",
        run: Run::Scheme("(lambda () (mapcar (lambda (one) (%car one)) (%accounts)))"),
    },
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
        "fetch-letters",
        "(mb messages &key uid peek raw)",
        fetching::fetch_letters,
        "Whole letters, all asked for at once: the list ((number \"letter\") …) in the server's order. They count as seen afterwards.
mb: a mailbox object of either kind. messages  as for fetch-parts. :uid  t takes messages as unique ids, which then stand for the numbers.
:peek  t leaves :\\\\seen alone. :raw  t gives bytevectors with the exact bytes. for-each-letter and save-letters take any number of letters with little memory. Errors: :error-response.",
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
        batches::letter_batches,
        "The lists of unique ids that for-each-letter fetches one after the other, each about a megabyte; it checks for-each-letter's arguments.
f mb messages parts :uid  as for for-each-letter. Errors: :error-response.",
    ),
    native(
        "%fetch-batch",
        "(mb messages parts next &key uid raw)",
        fetching::fetch_batch,
        "One batch of for-each-letter, of either kind of mailbox. next: the batch behind it, which is asked for meanwhile, or (). The other arguments and the result as for fetch-parts.",
    ),
    Function {
        name: "for-each-letter",
        lambda_list: "(f mb messages parts &key uid raw)",
        doc: "Calls f with each item of fetch-parts, (number (\"NAME\" value …)), one after the other; memory stays flat over any number of messages.
f: a function of one argument; it may use mb itself. mb: a mailbox object; on a POP one parts is \"body[]\" or \"body[header]\". messages parts :uid :raw  as for fetch-parts. Returns t.
Errors: those of fetch-parts and of f; then the rest is not fetched.",
        run: Run::Scheme(
            "(lambda (f mb messages parts &key uid raw)
               (do ((batches (%letter-batches f mb messages parts :uid uid) (%cdr batches)))
                   ((null? batches) t)
                 (let ((next (if (null? (%cdr batches)) '() (%car (%cdr batches)))))
                   (dolist (item (%fetch-batch mb (%car batches) parts next :uid uid :raw raw))
                     (f item)))))",
        ),
    },
    native(
        "save-letter",
        "(mb message path &key uid append mbox)",
        files::save_letter,
        "Writes a letter's exact bytes to a file as they arrive; memory stays flat. :\\\\seen is left alone. Until all is there, the file is as it was.
mb: a mailbox object. message: an integer. path: a string. :uid  t takes message as a unique id.
:append  t adds to the file, in one go when all is there. :mbox  t writes an entry of an mbox file: a From line, LF line ends, lines that begin with From quoted.
Returns t. Errors: :file when it cannot be written, :error-response when there is no such message.",
    ),
    native(
        "save-letters",
        "(mb messages path &key uid prefix mbox)",
        saving::save_letters,
        "Writes letters' exact bytes to files as they arrive, all asked for at once: to path/NUMBER.eml, or with :uid to path/UID.eml. Memory stays flat; :\\\\seen is left alone. Each file is there whole or not at all.
mb: a mailbox object of either kind. messages  as for fetch-parts. path: a string, a folder that exists. :uid  t takes messages as unique ids, and names the files by them.
:prefix  a string that the files' names begin with. :mbox  t makes path one mbox file of all letters instead, whole or not at all.
Returns the list of the numbers, or unique ids, that were saved; unique ids that do not exist are not among them. Errors: :file, :error-response. What was saved before an error stays.",
    ),
    native(
        "save-attachments",
        "(mb message folder &key uid)",
        attachments::save_attachments,
        "Writes all attachments of a letter to new files in a folder while the letter comes (RFC 2046, RFC 2183); memory stays flat. :\\\\seen is left alone. Which they are is as for letter-attachments, and the
files' names are as for save-attachment: made safe, with a number where one is taken, and nothing is overwritten. They are there all or none.
mb: a mailbox object of either kind. message: an integer. folder: a string, a folder that exists. :uid  t takes message as a unique id, over IMAP.
Returns the list of the paths, strings, in the letter's order; nil when it has no attachments. Errors: :file when they cannot be written, :error-response when there is no such message.",
    ),
    native(
        "%begin-letter-sequence",
        "(mb message &key uid peek)",
        pieces::begin,
        "Fetches the letter that fetch-letter-sequence then hands over. Arguments and errors as for with-fetch-letter-sequence.",
    ),
    native("%end-letter-sequence", "(mb)", pieces::end, "Lets go of the letter. mb: a mailbox object. Returns nil."),
    Function {
        name: "with-fetch-letter-sequence",
        lambda_list: "((mb message . options) . body)",
        doc: "Runs the body, in which fetch-letter-sequence hands a letter over in pieces and end-of-letter-p tells whether that was all. Memory stays flat whatever the letter's size, and the connection is free for other commands.
mb: a mailbox object of either kind. message: an integer. :uid  t takes message as a unique id. :peek  t leaves :\\\\seen alone.
Returns the value of the body's last form. Errors: those of the body, :error-response when there is no such message.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mailbox mb))
                  (%begin-letter-sequence mailbox . arguments)
                  (unwind-protect (progn body ...) (%end-letter-sequence mailbox)))))",
        ),
    },
    native(
        "fetch-letter-sequence",
        "(mb buffer &key start end)",
        pieces::fetch_letter_sequence,
        "Puts the letter's next bytes, exactly as the server has them, into a buffer. Returns the index behind the last byte that was put there; :start when nothing is left.
mb: the mailbox object of with-fetch-letter-sequence. buffer: a bytevector. :start :end  the part of it to fill, integers; by default the whole.
Errors: :syntax-error outside of with-fetch-letter-sequence.",
    ),
    native(
        "end-of-letter-p",
        "(mb)",
        pieces::end_of_letter_p,
        "Whether fetch-letter-sequence has handed the whole letter over. mb: the mailbox object of with-fetch-letter-sequence.
Errors: :syntax-error outside of with-fetch-letter-sequence.",
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

const MANY: &[Function] = &[
    native(
        "%pipelined-window",
        "(issue receive items window)",
        pipeline::window,
        "Checks the arguments of pipelined-map; window may be nil. Returns the window.",
    ),
    native("%begin-issue", "()", pipeline::begin_issue, "From here calls are only sent. Returns nil."),
    native("%end-issue", "(returned failed)", pipeline::end_issue, "Until here. returned: what issue returned. failed: t when it did not return. Returns what stands for the result."),
    native("%redeem", "(placeholder)", pipeline::redeem, "The result that a placeholder stands for. placeholder: what %end-issue returned."),
    native("%forget", "(placeholder)", pipeline::forget, "Lets go of a result. placeholder: what %end-issue returned. Returns nil."),
    Function {
        name: "pipelined-map",
        lambda_list: "(issue receive items &key window)",
        doc: "Calls issue with each item, whose call is sent without waiting for its answer; then receive with the item and the result, in the order of the items. Returns the list of what receive returned. Over a slow line many calls take one round trip.
issue: a function of one argument that makes one call of fetch-parts, fetch-letter, alter-flags, search-mailbox, copy-to-mailbox or mailbox-status and returns its result as it is; it cannot look at it. On a POP mailbox the call is of fetch-letter.
receive: a function of two arguments. items: a list. :window  an integer from 1 to 1000, 256: how many calls are in flight.
Errors: those of a call when its result is received, of issue and of receive; what is in flight then is dropped. :syntax-error when issue makes two calls or looks at its result.",
        run: Run::Scheme(
            "(lambda (issue receive items &key window)
               (let ((window (%pipelined-window issue receive items window)) (front '()) (back '()) (count 0) (results '()))
                 (flet ((issue-one (item)
                          (let ((returned nil) (done nil))
                            (%begin-issue)
                            (handler-case (progn (setq returned (issue item)) (setq done t))
                              (error (c) (%end-issue nil t) (error c)))
                            (push (cons item (%end-issue returned (not done))) back)
                            (incf count)))
                        (receive-one ()
                          (when (null? front) (setq front (reverse back)) (setq back '()))
                          (let ((next (%car front)))
                            (setq front (%cdr front))
                            (decf count)
                            (push (receive (%car next) (%redeem (%cdr next))) results))))
                   (unwind-protect
                       (progn
                         (dolist (item items)
                           (when (>= count window) (receive-one))
                           (issue-one item))
                         (do () ((= count 0)) (receive-one))
                         (reverse results))
                     (dolist (next front) (%forget (%cdr next)))
                     (dolist (next back) (%forget (%cdr next)))))))",
        ),
    },
    Function {
        name: "with-read-ahead",
        lambda_list: "((mb messages parts . options) . body)",
        doc: "Runs the body, which is going to fetch these parts of these messages, one message at a time and in any order: fetch-letter and fetch-parts for them are answered from commands that were sent ahead, so that a plain loop does not wait a round trip for each.
mb: a mailbox object of either kind. messages parts  as for fetch-parts; for fetch-letter \"body[]\", for top-lines with 0 lines on a POP mailbox \"body[header]\". :uid  t takes messages as unique ids, as the calls then do.
:window  an integer from 1 to 1000, 256: how many commands are in flight; on a POP mailbox 1000, and about 8 megabytes.
:\\\\seen is set only for letters that the body has fetched without peeking; what was read ahead for nothing is dropped. When messages leave the mailbox meanwhile, or another is selected, the calls fetch as ever.
Returns the value of the body's last form. Errors: those of the body and of fetch-parts.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mailbox mb))
                  (%begin-read-ahead mailbox . arguments)
                  (unwind-protect (progn body ...) (%end-read-ahead mailbox)))))",
        ),
    },
    native(
        "%begin-read-ahead",
        "(mb messages parts &key uid window)",
        read_ahead::begin,
        "Sends the first commands of with-read-ahead. Arguments and errors as there. Returns t.",
    ),
    native("%end-read-ahead", "(mb)", read_ahead::end, "Drops what was read ahead. mb: a mailbox object. Returns nil."),
    Function {
        name: "parallel-map",
        lambda_list: "(f items &key at-most)",
        doc: "Calls f with each item, several at once, each call in a thread with an interpreter of its own. Returns the list of results in the order of the items; an item whose call raised an error has that condition in its place, for which error? is true. Many servers take about as long as the slowest.
f: a lambda form or the name of a function (f, 'f or #'f) of one argument. It sees the functions and macros that the script has defined at top level, and copies of the top-level variables that hold data: numbers, strings, symbols, characters, bytes, lists, vectors, hash tables. What it sets is not seen outside. It does not see variables around the lambda form, nor connections or functions in variables: it makes its own connections, and what it leaves open is closed.
items: a list of data. :at-most  an integer from 1 to 200, 16: how many run at once. For an untrusted script 4, since each takes some 20 MB of the memory that it may use.
Results are data or conditions; bytes, hash tables and vectors are copies, and a vector cannot be changed. What f prints comes in the order of the items.
Errors: :syntax-error for anything else as f, in the place of a result that is no data, and for a parallel-map within another.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ f items) (%parallel-map (%function-text f) items (%visible-globals) nil))
               ((_ f items :at-most count) (%parallel-map (%function-text f) items (%visible-globals) count)))",
        ),
    },
    native(
        "%parallel-map",
        "(f items globals at-most)",
        parallel::map,
        "What parallel-map does. f: the text of a function. globals: lists of a global of the script and its value. at-most: an integer or nil.",
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
On a POP mailbox letters are only marked, and go at close-connection; where one of several is refused, those behind it may be marked, too, which reset-mailbox undoes. Returns t then.
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
        "copy-letters",
        "(mb messages other-mb destination &key uid create)",
        copying::copy_letters,
        "Copies letters to a mailbox on another connection, such as another server's, with their flags and dates; many are on their way at once, and memory stays flat. :\\\\seen is left alone.
mb other-mb: mailbox objects of two IMAP connections. messages  as for fetch-parts. destination: a string. :uid  t takes messages as unique ids. :create  t makes the destination if there is none.
Returns the list of the numbers, or unique ids, that were copied. Errors: :error-response when there is no destination or a letter is refused; the message tells how many were copied before.",
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
        appending::append_letter,
        "Stores a letter in a mailbox (APPEND, RFC 3501 6.3.11).
mb: a mailbox object. name: a string. text: a string, whose lines get CR LF; a bytevector, which is stored as it is; or (:file \"path\"), a file whose lines get CR LF, with little memory
whatever its size. It is read twice, to count and to send. :flags  a flag or a list of flags.
:date  its internal date, a universal time or a string as \"13-Sep-1999 11:36:26 -0700\"; now by default.
Returns (uidvalidity uid) where the server tells them, else t. Errors: :error-response when there is no such mailbox, :syntax-error for a letter with NUL, :file when the file cannot be
read. One that has become shorter or longer while it was sent is not stored, and the connection is closed.",
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

const POP: &[Function] = &[
    native(
        "make-pop-connection",
        "(host &key user password token auth port timeout tls ca-file client-identity verify limits)",
        connections::make_pop_connection,
        "Connects to a POP server and logs in. Returns a mailbox object; the letters are numbered from 1 to mailbox-message-count, and keep their numbers until the connection is closed.
host :user :password :token :timeout :tls :ca-file :client-identity :verify :limits  as for make-imap-connection. :port  an integer; 995 with TLS from the first byte, else 110.
:auth  as for make-imap-connection, and :apop.
On it work close-connection, noop, mailbox-message-count, fetch-letter, delete-letter, save-letter, for-each-letter, mailbox-capabilities and capable?.
Errors: as for make-imap-connection; :authentication with [IN-USE] when another program reads the mailbox.",
    ),
    Function {
        name: "with-pop-connection",
        lambda_list: "((pb host . options) . body)",
        doc: "Runs the body with pb bound to a new connection, made with make-pop-connection's arguments, and closes it on every way out; so what the body has marked is removed.
Returns the value of the body's last form. Errors: those of make-pop-connection and of the body.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-pop-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    },
    native(
        "top-lines",
        "(pb message line-count)",
        pop::top_lines,
        "The header of a letter, the empty line behind it, and the first lines of its body, as a string.
pb: a POP mailbox object. message: an integer. line-count: an integer from 0 on. Errors: :error-response when there is no such letter, it is marked, or the server has no TOP.",
    ),
    native(
        "unique-id",
        "(pb &optional message)",
        pop::unique_id,
        "A letter's unique id, a string that stays the same from one connection to the next. Without message, the list ((number \"id\") …) of all letters that are not marked.
pb: a POP mailbox object. message: an integer. Errors: :error-response when there is no such letter, or the server has no UIDL.",
    ),
    native(
        "reset-mailbox",
        "(pb)",
        pop::reset_mailbox,
        "Takes back all of delete-letter: no letter is marked any more.
pb: a POP mailbox object. Returns t. Errors: :error-response.",
    ),
];

const SMTP: &[Function] = &[
    native(
        "send-letter",
        "(mail-server from to message &key subject reply-to cc bcc headers login password attachments html date message-id partial null-return-path)",
        sending::send_letter,
        "Builds a letter and sends it. Returns t, or with :partial the list ((address words) …) of recipients that were refused.
mail-server: a host name, \"host:port\", an integer IPv4 address, a list (\"host\" :port 25 :tls :starttls …), (:program \"command\" …), or an SMTP connection.
from: an address such as foo or foo@bar.com. to: one or a list of them. message: a string with \\n line ends, or a part as make-mime-part returns it.
:subject :html  strings. :reply-to :cc :bcc  addresses; bcc is not shown in the letter. :headers  a list of (\"name\" . \"value\") or \"name: value\".
:login  a string. :password  as for make-imap-connection. :attachments  a list of parts, as make-mime-part returns them, and of files' names. :date :message-id  strings, made when absent.
:null-return-path  t sends it so that no bounce and no program's answer comes back, for answers that a program writes (RFC 3834).
:partial  t sends to those that are accepted when others are refused; else nothing is sent then.
Errors: :syntax-error before anything is sent, for addresses with names or control characters for example; :recipients-refused, :error-response, :insecure, :unsupported;
:server-shutdown-connection that says so when the letter may have been delivered.",
    ),
    native(
        "send-smtp",
        "(mail-server from to &rest messages)",
        sending::send_smtp,
        "Sends the messages, joined to one letter, with nothing added. Line ends become CR LF on the way. Returns t.
mail-server from to  as for send-letter. messages: strings, or bytevectors, whose lines may be of any length. Errors: as for send-letter.",
    ),
    native(
        "send-smtp-auth",
        "(mail-server from to login password &rest messages)",
        sending::send_smtp_auth,
        "As send-smtp, after logging in. Returns t.
mail-server from to messages  as for send-smtp. login: a string. password: as for make-imap-connection. Errors: as for send-letter, and :authentication.",
    ),
    native(
        "test-email-address",
        "(address)",
        smtp::test_email_address,
        "Asks the mail server of an address's domain whether it knows the address (VRFY). Returns t or nil; many servers say of every address that they will try.
address: a string, foo@bar.com. Errors: as for send-letter.",
    ),
    native(
        "make-smtp-connection",
        "(mail-server &key port ssl starttls tls ca-file client-identity verify timeout limits auth token helo login password)",
        smtp::make_smtp_connection,
        "Connects to a mail server, for many letters over one connection. Returns an object that stands wherever mail-server may; close-connection closes it.
mail-server: a host, as for send-letter. :port :tls :ca-file :client-identity :verify :timeout :limits  as for make-imap-connection; 465 with TLS from the first byte, else 25. :ssl :starttls  t is short for :tls.
:login  a string. :password :token :auth  as for make-imap-connection. :helo  the name that EHLO gives, this side's address by default.
Errors: as for make-imap-connection.",
    ),
    Function {
        name: "with-smtp-connection",
        lambda_list: "((s mail-server . options) . body)",
        doc: "Runs the body with s bound to a new connection, made with make-smtp-connection's arguments, and closes it on every way out.
Returns the value of the body's last form. Errors: those of make-smtp-connection and of the body.",
        run: Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mb (make-smtp-connection . arguments))) (unwind-protect (progn body ...) (close-connection mb)))))",
        ),
    },
];

const HEADERS: &[Function] = &[
    native(
        "parse-mail-header",
        "(text)",
        letters::parse_mail_header,
        "Two values: the list ((\"name\" . \"value\") …) of a header's fields in their order, continued lines joined, and the rest, the body, as a string.
text: a string or a bytevector that begins with a header.",
    ),
    native(
        "make-envelope-from-text",
        "(text &key parsed)",
        letters::make_envelope_from_text,
        "The envelope of a letter, a list that envelope-subject and the others read; its fields are the header's own strings, or nil.
text: a string or a bytevector that begins with a header. :parsed  t gives lists of addresses for the address fields, as IMAP does.",
    ),
    native(
        "decode-header-text",
        "(text)",
        letters::decode_header_text,
        "A header's text with its encoded words decoded (RFC 2047), a string: \"=?utf-8?Q?gr=C3=BCn?=\" is \"grün\". What cannot be decoded stays as it is.
text: a string.",
    ),
    native(
        "parse-email-address",
        "(text &key require-domain require-dotted-domain)",
        letters::parse_email_address,
        "Two values, the local part and the domain of an address, strings; nil when it is none.
text: a string. :require-domain  t wants a domain, :require-dotted-domain  t one with a dot.",
    ),
    native(
        "extract-email-addresses",
        "(text &key errorp compact)",
        letters::extract_email_addresses,
        "The addresses in a header's text, a list of (:mailbox name user domain) and (:group name list).
text: a string. :compact  t gives a list of strings \"user@domain\". :errorp  t makes what is no address a :syntax-error.",
    ),
];

const fn part_accessor(
    name: &'static str,
    run: fn(&crate::host::Call<'_>) -> Result<crate::host::Value, crate::condition::Condition>,
    doc: &'static str,
) -> Function {
    native(name, "(part)", run, doc)
}

const LETTERS: &[Function] = &[
    native(
        "parse-letter",
        "(text)",
        parts::parse_letter,
        "Reads a letter: the part that is the whole, for letter-text, letter-attachments and the mime-part accessors. A broken letter gives what can be had.
text: the string or the bytevector of any fetch. Returns a part object.",
    ),
    Function {
        name: "parse-mime-structure",
        lambda_list: "(text)",
        doc: "The same as parse-letter.\ntext: the string or the bytevector of any fetch. Returns a part object.",
        run: Run::Alias("parse-letter"),
    },
    native("letter-text", "(letter)", parts::letter_text, "The readable text of a letter, a string: of alternatives the plain one, else the text of the HTML.\nletter: as parse-letter returns it."),
    native("letter-html", "(letter)", parts::letter_html, "The HTML text of a letter, a string; nil when it has none.\nletter: as parse-letter returns it."),
    native("letter-attachments", "(letter)", parts::letter_attachments, "The list of a letter's attachments.\nletter: as parse-letter returns it. See attachment-name, attachment-type, attachment-bytes, save-attachment."),
    native("attachment-name", "(attachment)", parts::attachment_name, "An attachment's file name as its sender wrote it, a string or nil. It is no safe path; save-attachment makes one.\nattachment: an element of letter-attachments."),
    native("attachment-type", "(attachment)", parts::attachment_type, "An attachment's content type, a string such as \"image/png\".\nattachment: an element of letter-attachments."),
    native("attachment-bytes", "(attachment)", parts::attachment_bytes, "An attachment's content, decoded. Returns a bytevector.\nattachment: an element of letter-attachments."),
    native(
        "save-attachment",
        "(attachment folder)",
        attachments::save_attachment,
        "Writes an attachment to a new file in a folder, under its own name made safe, with a number where that is taken. Nothing is overwritten. Returns the path, a string.
attachment: an element of letter-attachments. folder: a string, a folder that exists. Errors: :file.",
    ),
    native(
        "make-mime-part",
        "(&key content-type encoding headers attachmentp name text file subparts parameters charset id description)",
        parts::make_mime_part,
        "Makes a part of a letter to send; it stands as the message of send-letter and among its attachments. Returns a part object.
:content-type  a string, \"text/plain\". :encoding  \"7bit\", \"quoted-printable\" or \"base64\"; the best by default. :headers :parameters  lists of (\"name\" . \"value\").
:attachmentp  t offers it as a file, :name being the file's name. The content is one of :text, a string or a bytevector, :file, a file's name, or :subparts, a list of parts.
:charset :id :description  strings. Errors: :syntax-error, :file.",
    ),
    part_accessor("mime-part-type", parts::mime_part_type, "The first half of a part's content type, a string: \"text\".\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-subtype", parts::mime_part_subtype, "The second half of a part's content type, a string: \"plain\".\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-parameters", parts::mime_part_parameters, "The list ((\"name\" . \"value\") …) of a part's content type parameters.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-id", parts::mime_part_id, "A part's Content-ID, a string or nil.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-description", parts::mime_part_description, "A part's description, a string or nil.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-encoding", parts::mime_part_encoding, "A part's transfer encoding, a string, or nil for one that is still to be chosen.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-headers", parts::mime_part_headers, "The list ((\"name\" . \"value\") …) of a part's header fields.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-parts", parts::mime_part_parts, "The list of the parts in a part; nil when it has none.\npart: as parse-letter, mime-part-parts or make-mime-part returns it."),
    part_accessor("mime-part-text", parts::part_text, "A part's text, decoded, a string.\npart: as parse-letter or mime-part-parts returns it."),
    part_accessor("mime-part-bytes", parts::part_bytes, "A part's content, decoded. Returns a bytevector.\npart: as parse-letter or mime-part-parts returns it."),
    native(
        "%all-parts",
        "(part f)",
        parts::all_parts,
        "A part and every part in it, from the outside in; it checks map-over-parts's arguments. Returns a list.",
    ),
    Function {
        name: "map-over-parts",
        lambda_list: "(part f)",
        doc: "Calls f with a part and every part in it, from the outside in. Returns t.\npart: as parse-letter returns it. f: a function of one argument.",
        run: Run::Scheme(
            "(lambda (part f)
               (dolist (inner (%all-parts part f)) (f inner))
               t)",
        ),
    },
];

const OUTPUT: &[Function] = &[
    native(
        "->json",
        "(value)",
        json::to_json,
        "A value as JSON, a string on one line; the README has the table of what becomes what.
value: anything. nil is null; a hash table, (:key value …) and ((\"key\" . value) …) are objects; other lists are arrays; bytes are base64.
Errors: :syntax-error for what holds itself.",
    ),
    native(
        "from-json",
        "(json)",
        json::from_json,
        "What a JSON text says: objects as hash tables, arrays as lists, null and false as nil. Returns any value.
json: a string. Errors: :syntax-error that tells the line and the column.",
    ),
    native(
        "write-csv",
        "(rows &key columns file separator)",
        tables::write_csv,
        "Writes rows as CSV (RFC 4180, but lines end in LF), to the output or to a file, which is written whole or not at all. Returns nil.
rows: a list of lists; nil is an empty field. :columns  a list of headings. :file  a string. :separator  a string of one character, \",\". Errors: :file.",
    ),
    native(
        "print-table",
        "(rows &key columns)",
        tables::print_table,
        "Prints rows as a table for people; columns of numbers stand at the right, control characters are escaped. Returns nil.
rows: a list of lists. :columns  a list of headings.",
    ),
    native(
        "mailbox-report",
        "(mb &key messages uid top html)",
        report::mailbox_report,
        "Prints a picture of the selected mailbox: letters, bytes and what is unseen, by sender, by month and by size, as tables with bars for a terminal of 80 columns. \\Seen stays as it is.
mb: an IMAP mailbox object. :messages  a message number, (:seq N M), or a list of these; all letters unless given, none for nil. :uid  t takes unique ids. :top  an integer from 1 to 1000, 10: how many senders are shown; the others are added up.
:html  a string, a file that gets the same numbers as a page of its own, without scripts and with nothing from elsewhere; it is written whole or not at all.
Senders are the addresses in From, in lower case; those that come after the first 50,000 are counted together. Months are those in which the server got the letters (INTERNALDATE, in the zone that it tells); more than 24 months are shown as years. kB are 1000 bytes.
It is one FETCH, added up as it comes, so that the size of the mailbox does not matter.
Returns two values: the list (:name name :messages n :bytes n :unseen n :senders n :first \"1999-09-13\" :last \"1999-09-13\"), its days nil for no letters, and the list
(:senders ((address name messages bytes) …) :months ((\"1999-09\" messages bytes) …) :sizes ((bytes-from messages bytes) …)), with the :top senders and every month that has letters.
Errors: :error-response when no mailbox is selected; :file.",
    ),
];

const OTHERS: &[Function] = &[
    native(
        "help",
        "(&optional name)",
        help::help,
        "Prints what a function takes and returns: (help 'fetch-parts). Without a name it lists all by topic.
name: a symbol or string; the title of a topic prints its functions. Returns nil. Errors: :syntax-error when there is no such function.",
    ),
    native(
        "apropos",
        "(text)",
        help::apropos,
        "Prints the functions whose name or description holds a text: (apropos \"flag\").
text: a string or symbol. Returns nil.",
    ),
    native(
        "sandbox-outbox",
        "()",
        sandbox::sandbox_outbox,
        "The letters that were sent through the sandbox to people it does not know, a list of (from (to …) letter), strings; the newest last.
Errors: :unsupported when no sandbox runs.",
    ),
    native(
        "sandbox-deliver",
        "(text &key user mailbox)",
        sandbox::sandbox_deliver,
        "Delivers a letter into the sandbox of this process, as another program would.
text: a string. :user  a string; by default the account that logged in last, with --sandbox, else the sandbox's first account. :mailbox  a string, \"INBOX\". Returns the letter's unique id.
Errors: :unsupported when no sandbox runs, :error-response when there is no such user or mailbox.",
    ),
];
