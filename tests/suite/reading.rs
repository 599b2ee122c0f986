//! Functions that only read leave every mailbox unchanged, on the sandbox and on Dovecot.
//!
//! Every function that takes a connection is listed in [`READS`] or [`CHANGES`]; a new one must be
//! added to one of them.

use crate::support::{Server, empty};
use postoffice::api::catalog::TOPICS;
use postoffice::api::{Setup, attach};
use postoffice::condition::Identifier;
use postoffice::repl::Session;

/// Forms that only read. `mb` has the inbox selected; `pb` is the same account's maildrop. RETR is
/// not among them, because some servers set `\Seen` on it.
const READS: &[&str] = &[
    "(noop mb)",
    "(wait-for-mail mb :timeout 0)",
    "(mailbox-capabilities mb)",
    "(server-id mb)",
    "(capable? mb \"idle\")",
    "(select-mailbox mb \"inbox\")",
    "(mailbox-list mb :pattern \"*\")",
    "(mailbox-list mb :subscribed t :status '(:messages :size))",
    "(mailbox-list mb :special-use t)",
    "(mailbox-exists? mb \"inbox\")",
    "(find-mailbox mb :\\\\sent)",
    "(mailbox-namespaces mb)",
    "(mailbox-rights mb \"inbox\")",
    "(mailbox-rights mb \"inbox\" :own t)",
    "(mailbox-metadata mb \"inbox\")",
    "(mailbox-metadata mb \"\" \"/shared/comment\")",
    "(mailbox-quota mb \"inbox\")",
    "(mailbox-status mb \"inbox\")",
    "(list (mailbox-name mb) (mailbox-flags mb) (mailbox-permanent-flags mb))",
    "(list (mailbox-message-count mb) (mailbox-recent-messages mb) (mailbox-separator mb))",
    "(list (mailbox-uidnext mb) (mailbox-uidvalidity mb) (mailbox-uidvalidty mb))",
    "(list (mailbox-first-unseen mb) (mailbox-highest-modseq mb) (mailbox-read-only? mb))",
    "(mailbox-message-count pb)",
    "(fetch-parts mb '(:seq 1 :*) \"(envelope flags rfc822.size internaldate bodystructure)\")",
    "(fetch-parts mb '(:seq 1 :*) \"all\")",
    "(fetch-parts mb '(:seq 1 :*) \"(preview savedate)\")",
    "(fetch-parts mb '(:seq 1 :*) \"full\")",
    "(fetch-parts mb '(:seq 1 :*) \"rfc822.header\")",
    "(fetch-parts mb '(:seq 1 :*) \"body.peek[]\")",
    "(fetch-parts mb '(:seq 1 :*) \"body.peek[header.fields (flags from)]\" :uid t)",
    "(fetch-parts mb '(:seq 1 :*) \"(flags body.peek[text]<0.10>)\")",
    "(fetch-letter mb 1 :peek t)",
    "(fetch-letter mb 1 \"rfc822\" :peek t)",
    "(fetch-letter mb 1 \"rfc822.text\" :peek t)",
    "(fetch-letters mb '(:seq 1 :*) :peek t)",
    "(for-each-letter (lambda (item) item) mb '(:seq 1 :*) \"body.peek[]\")",
    "(for-each-letter (lambda (item) item) mb '(:seq 1 :*) \"(uid envelope)\")",
    "(save-letter mb 1 (path \"letter\"))",
    "(write-file (fetch-letter mb 1 :peek t) (path \"text\"))",
    "(save-letters mb (quote (:seq 1 :*)) (path \"\"))",
    "(save-attachments mb 1 (path \"\"))",
    "(save-letters (select-letters mb :all) (path \"\") :prefix \"x\")",
    "(pipe-letters (select-letters mb :all) \"true\")",
    "(map-letters #'letter-labels (select-letters mb :all))",
    "(fetch-parts mb '(:seq 1 :*) '(:flags \"body.peek[text]\"))",
    "(changed-letters mb 1)",
    "(select-mailbox mb \"inbox\" :since (list (mailbox-uidvalidity mb) 1))",
    "(search-mailbox mb :all)",
    "(search-mailbox mb :all :return '(:min :max :count :all :save))",
    "(search-mailbox mb :all :partial '(1 2) :uid t)",
    "(sort-mailbox mb '(:reverse :date :subject :displayfrom) :all)",
    "(thread-mailbox mb :references :all)",
    "(thread-mailbox mb :orderedsubject :all :uid t)",
    "(fetch-parts mb :saved \"(flags envelope)\")",
    "(select-letters mb :all)",
    "(letters->list (select-letters mb :all :mailbox \"inbox\"))",
    "(map-letters (lambda (l) (list (letter-subject l) (letter-from l) (letter-date l) (letter-size l) (letter-flags l))) (select-letters mb :all))",
    "(map-letters (lambda (l) (list (letter-headers l) (letter-header l \"x\") (letter-list-id l) (letter-references l))) (select-letters mb :all))",
    "(map-letters (lambda (l) (list (letter-text l) (letter-html l) (letter-attachments l))) (select-letters mb :all))",
    "(group-letters (sort-letters (select-letters mb :all) :by :size) :by :from)",
    "(print-letters (select-letters mb :all))",
    "(progn (new-letters mb 'reader) (commit-cursor mb 'reader))",
    "(with-new-letters (set mb 'reader :from :all) (letters-count set))",
    "(search-mailbox mb '(:and :unseen (:body \"hello\")) :uid t)",
    "(search-mailbox mb '(or (:matches :subject \"x\") (:has-attachment) (:body-matches \"x\")))",
    "(search-mailbox mb '(and (:body \"x\") (:text \"y\")) :exact t)",
    "(search-mailbox mb (list 'or '(:thread-of 1) (list :where #'letter-text)))",
    "(explain-search mb '(and :unseen (:body-matches \"x\")))",
    "(pipelined-map (lambda (n) (fetch-letter mb n :peek t)) (lambda (n r) r) '(1 2))",
    "(with-read-ahead (mb '(:seq 1 :*) \"envelope\") (fetch-parts mb 1 \"envelope\"))",
    "(with-read-ahead (mb '(:seq 1 :*) \"rfc822\") 5)",
    "(with-limits (:read-only t) (fetch-letter mb 1))",
    "(with-read-ahead (mb '(:seq 1 :*) \"(flags body[])\") (fetch-parts mb 2 \"body.peek[]\"))",
    "(mailbox-report mb)",
    "(top-lines pb 1 2)",
    "(unique-id pb 1)",
    "(noop pb)",
    "(reset-mailbox pb)",
    "(with-fetch-letter-sequence (mb 1 :peek t) (end-of-letter-p mb) (fetch-letter-sequence mb (make-bytevector 10)))",
    "(help 'noop)",
    "(apropos \"mailbox\")",
];

/// Functions that are meant to change something, and those that no form above can exercise.
const CHANGES: &[&str] = &[
    "close-connection",
    "close-mailbox",
    "unselect-mailbox",
    "create-mailbox",
    "ensure-mailbox",
    "delete-mailbox",
    "rename-mailbox",
    "subscribe-mailbox",
    "unsubscribe-mailbox",
    "set-mailbox-rights",
    "set-mailbox-metadata",
    "alter-flags",
    "delete-letter",
    "expunge-mailbox",
    "copy-to-mailbox",
    "copy-letters",
    "move-to-mailbox",
    "move-letters",
    "delete-letters",
    "flag-letters",
    "unflag-letters",
    "label-letters",
    "unlabel-letters",
    "append-letter",
    "replace-letter",
    "send-smtp",
    "send-letter",
];

const LETTERS: [&str; 2] = [
    "From: jkf <jkf@example.org>\nTo: me@example.org\nSubject: first\n\nhello\n",
    "From: max@example.org\nSubject: second\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nx\n--b--\n",
];

#[test]
fn what_only_reads_leaves_the_mailbox_as_it_was() {
    for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
        server.with_letters(&LETTERS).close();
        for form in READS {
            let folder = tempfile::tempdir().unwrap();
            server.left_as_it_was(form, || {
                let mut session = session(&server, folder.path());
                match session.evaluate(form).result {
                    Err(error) if error.condition.identifier == Identifier::Unsupported => {}
                    read => assert!(read.is_ok(), "{form} on {}: {read:?}", server.name),
                }
            });
        }
    }
}

fn session(server: &Server, folder: &std::path::Path) -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::default());
    let Server { user, password, port, pop_port, .. } = server;
    for form in [
        format!("(define (path name) (string-append \"{}/\" name))", folder.display()),
        format!(
            "(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"{user}\" :password \"{password}\" :auth :login))"
        ),
        "(select-mailbox mb \"inbox\")".to_owned(),
        format!(
            "(setq pb (make-pop-connection \"127.0.0.1\" :port {pop_port} :user \"{user}\" :password \"{password}\" :auth :login))"
        ),
    ] {
        assert!(session.evaluate(&form).result.is_ok(), "{form}");
    }
    session
}

#[test]
fn every_function_with_a_connection_is_known_to_read_or_to_change() {
    let mut unsorted = Vec::new();
    for function in TOPICS.iter().flat_map(|topic| topic.functions) {
        let takes_one = ["(mb", "(pb", "(f mb", "((mb", "(mailbox"]
            .iter()
            .any(|start| function.lambda_list.starts_with(start));
        let word = |form: &&&str| form.split(['(', ' ', ')']).any(|word| word == function.name);
        let is_sorted = READS.iter().any(|form| word(&form)) || CHANGES.contains(&function.name);
        // `%` functions do the work of public ones, and `with-` forms end whatever they begin.
        let is_public = !function.name.starts_with('%') && !function.name.starts_with("with-");
        if takes_one && is_public && !is_sorted {
            unsorted.push(function.name);
        }
    }
    assert_eq!(unsorted, [""; 0], "do they change a mailbox?");
}
