use super::*;

/// A small environment: some functions and one connection `mb`.
struct World {
    names: Vec<String>,
}

const LAMBDA_LISTS: &[(&str, &str)] = &[
    ("fetch-parts", "(mb messages parts &key uid raw)"),
    ("fetch-field", "(message part info &key uid)"),
    ("fetch-letter", "(mb message &optional parts &key uid peek raw)"),
    ("search-mailbox", "(mb expression &key uid)"),
    ("sort-mailbox", "(mb criteria expression &key uid)"),
    ("thread-mailbox", "(mb algorithm expression &key uid)"),
    ("select-mailbox", "(mb name &key read-only)"),
    ("copy-to-mailbox", "(mb messages destination &key uid create)"),
    ("alter-flags", "(mb messages &key flags add-flags remove-flags silent uid)"),
    ("make-imap-connection", "(host &key user password port timeout tls)"),
    ("with-imap-connection", "((mb host . options) . body)"),
    ("with-open-file", "((variable path &key direction if-exists) form …)"),
    ("sandbox-deliver", "(text &key user mailbox)"),
    ("help", "(&optional name)"),
    ("defun", "(name (parameter …) form …)"),
    ("my-report", "(mb &key title)"),
];

impl Known for World {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn lambda_list(&self, name: &str) -> Option<String> {
        LAMBDA_LISTS.iter().find(|known| known.0 == name).map(|known| known.1.to_owned())
    }

    fn mailboxes(&self, connection: Option<&str>) -> Vec<String> {
        match connection {
            Some("mb") => {
                ["INBOX", "archive/1999", "archive/2000", "a\"b"].map(str::to_owned).into()
            }
            _ => Vec::new(),
        }
    }

    fn flags(&self, connection: Option<&str>) -> Vec<String> {
        if connection == Some("mb") {
            vec!["\\Seen".into(), "Junk".into(), "\\*".into()]
        } else {
            Vec::new()
        }
    }

    fn search_words(&self) -> Vec<String> {
        crate::api::search_words()
    }

    fn order_words(&self, parameter: &str) -> Vec<String> {
        crate::api::order_words(parameter)
    }
}

/// Returns the candidates for the text at `|`, and the text before the replacement.
fn completed(text: &str) -> (String, Vec<String>) {
    let names = LAMBDA_LISTS
        .iter()
        .map(|known| known.0)
        .chain(["%internal", "mb", "count"])
        .map(str::to_owned)
        .collect();
    let cursor = text.find('§').unwrap();
    let source = text.replace('§', "");
    let found = complete(&source, cursor, &World { names });
    (source[..found.start].to_owned(), found.candidates)
}

#[test]
fn each_place_has_its_candidates() {
    for (text, expected) in [
        // Names.
        ("(fet§", &["fetch-field", "fetch-letter", "fetch-parts"][..]),
        ("(FETCH-P§", &["fetch-parts"]),
        ("(my-§", &["my-report"]),
        ("(defun f (x) (sel§", &["select-mailbox"]),
        ("#'sel§", &["select-mailbox"]),
        ("(help 'sel§", &["select-mailbox"]),
        ("(help \"sel§", &["select-mailbox"]),
        ("m§", &["make-imap-connection", "mb", "my-report"]),
        ("%int§", &[]),
        ("(f 1§", &[]),
        ("(f '(sel§", &[]),
        ("(§", &[]),
        // Keys of the call.
        ("(fetch-parts mb 1 \"flags\" :§", &[":raw", ":uid"]),
        ("(fetch-parts mb 1 \"flags\" §", &[":raw", ":uid"]),
        ("(fetch-parts mb 1 \"flags\" :uid t :§", &[":raw"]),
        ("(fetch-parts mb 1 \"flags\" :uid t :r§", &[":raw"]),
        ("(my-report mb :t§", &[":title"]),
        ("(make-imap-connection \"h\" :p§", &[":password", ":port"]),
        ("(with-imap-connection (mb \"h\" :p§", &[":password", ":port"]),
        (
            "(with-imap-connection (mb \"h\" :user \"u\") (select-mailbox mb \"inbox\" :§",
            &[":read-only"],
        ),
        ("(with-open-file (f \"x\" :d§", &[":direction"]),
        ("(net.post-office:select-mailbox mb \"x\" :§", &[":read-only"]),
        ("(fetch-parts mb 1 (select-mailbox mb \"x\" :§", &[":read-only"]),
        ("(setq x :§", &[]),
        // Flags.
        (
            "(alter-flags mb 1 :add-flags :\\\\§",
            &[":\\\\answered", ":\\\\deleted", ":\\\\draft", ":\\\\flagged", ":\\\\seen"],
        ),
        ("(alter-flags mb 1 :add-flags '(:\\\\seen :\\\\d§", &[":\\\\deleted", ":\\\\draft"]),
        ("(alter-flags mb 1 :add-flags :j§", &[":junk"]),
        ("(alter-flags mb 1 :§", &[":add-flags", ":flags", ":remove-flags", ":silent", ":uid"]),
        ("(member :\\\\se§", &[":\\\\seen"]),
        // Search keys.
        ("(search-mailbox mb '(and :unse§", &[":unseen"]),
        ("(search-mailbox mb '(and (:fr§", &[":from"]),
        ("(search-mailbox mb '(:sent§", &[":sentbefore", ":senton", ":sentsince"]),
        ("(search-mailbox mb '(an§", &["and"]),
        ("(search-mailbox mb '(or :seen (not (:larg§", &[":larger"]),
        ("(search-mailbox mb :unse§", &[":unseen"]),
        ("(search-mailbox mb `(:since ,(my-§", &["my-report"]),
        ("(search-mailbox mb '(:from \"x\") :§", &[":uid"]),
        ("(fetch-parts mb '(:s§", &[":seq"]),
        ("(fetch-parts mb :s§", &[":saved", ":seq"]),
        ("(sort-mailbox mb '(:rev§", &[":reverse"]),
        ("(thread-mailbox mb :ref§", &[":references", ":refs"]),
        // Fetch items.
        ("(fetch-parts mb 1 \"env§", &["envelope"]),
        ("(fetch-parts mb 1 \"(flags rfc822.s§", &["rfc822.size"]),
        (
            "(fetch-parts mb 1 \"body.peek[he§",
            &["header.fields (", "header.fields.not (", "header]"],
        ),
        ("(fetch-parts mb 1 \"(uid body[1.2.mi§", &["mime]"]),
        ("(fetch-parts mb 1 \"body[header.fields (fr§", &[]),
        ("(fetch-parts mb 1 \"body[] fl§", &["flags"]),
        ("(fetch-field 1 \"env§", &["envelope"]),
        ("(fetch-letter mb 1 \"env§", &["envelope"]),
        // Mailboxes.
        ("(select-mailbox mb \"arch§", &["archive/1999\"", "archive/2000\""]),
        ("(select-mailbox mb \"arch§\"", &["archive/1999", "archive/2000"]),
        ("(select-mailbox mb \"in§", &["INBOX\""]),
        ("(select-mailbox mb \"a\\\"§", &["a\\\"b\""]),
        ("(copy-to-mailbox mb '(:seq 1 3) \"archive/2§", &["archive/2000\""]),
        ("(select-mailbox other \"arch§", &[]),
        ("(make-imap-connection \"arch§", &[]),
        // Commands.
        (":h§", &[":help", ":history"]),
        ("  :ti§", &[":time"]),
        (":trace o§", &["off", "on"]),
        (":print p§", &["plain", "pretty"]),
        (":help sel§", &["select-mailbox"]),
        (":time (sel§", &["select-mailbox"]),
        (":time (fetch-parts mb 1 \"env§", &["envelope"]),
        // Nothing.
        ("(fetch-parts mb 1 ; \"env§", &[]),
        ("\"sel§", &[]),
        ("§", &[]),
    ] {
        assert_eq!(completed(text).1, expected, "{text}");
    }
}

#[test]
fn only_what_is_replaced_is_replaced() {
    for (text, before) in [
        ("(fetch-parts mb 1 \"(flags rfc822.s§", "(fetch-parts mb 1 \"(flags "),
        ("(fetch-parts mb 1 \"body.peek[1.he§", "(fetch-parts mb 1 \"body.peek[1."),
        ("(select-mailbox mb \"arch§", "(select-mailbox mb \""),
        (":time (sel§", ":time ("),
        ("(f é) (sel§", "(f é) ("),
        (":help sel§", ":help "),
    ] {
        assert_eq!(completed(text).0, before, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn every_text_is_survived(text in "[()'\"`,#|;\\\\:a-z é\\[\\]\n]{0,40}", cut in 0usize..40) {
        let found = complete(&text, cut.min(text.len()), &World { names: vec!["fetch-parts".into()] });
        proptest::prop_assert!(found.start <= text.len());
    }
}
