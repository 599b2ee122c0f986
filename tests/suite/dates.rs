//! Dates in scripts: known answers, wrong arguments, zones, and dates as arguments of the mail
//! functions. `mime::date` has the table of the forms that are read.

use crate::common_lisp;
use postoffice::api::{Setup, attach};
use postoffice::repl::Session;
use postoffice::sandbox::Options;

/// A session with the sandbox, whose inbox is selected in `mb`.
fn session() -> Session {
    let mut session = Session::new(Vec::new());
    attach(session.host(), &Setup::sandboxed(Options::default()).unwrap());
    for form in [
        r#"(setq mb (make-imap-connection "h" :user "myacct" :password "mypasswd"))"#,
        r#"(select-mailbox mb "inbox")"#,
        r#"(setq winter (parse-date "Mon, 7 Feb 1994 21:52:25 -0800"))"#,
        r#"(setq summer (parse-date "1994-07-07T21:52:25Z"))"#,
    ] {
        session.evaluate(form).result.unwrap();
    }
    session
}

fn check(table: &[(&str, &str)]) {
    let mut session = session();
    for (form, expected) in table {
        assert_eq!(session.evaluate(form).text().trim_end(), *expected, "{form}");
    }
}

/// Checks that each form fails with this message.
fn check_errors(table: &[(&str, &str)]) {
    let mut session = session();
    for (form, message) in table {
        let report = session.evaluate(form).result.expect_err(form);
        assert_eq!(report.condition.message, *message, "{form}");
    }
}

#[test]
fn dates_are_read_and_written() {
    check(&[
        ("winter", "2969675545"),
        (r#"(parse-date "1900-01-01")"#, "0"),
        (r#"(parse-date "1-Jan-1970")"#, "2208988800"),
        (r#"(parse-date " 7-Feb-1994 21:52:25 -0800")"#, "2969675545"),
        (r#"(parse-date "yesterday" nil)"#, "nil"),
        (r#"(parse-date "yesterday" nil 5)"#, "5"),
        (r#"(parse-date nil nil :none)"#, ":none"),
        (r#"(format-date "%Y-%m" winter)"#, r#""1994-02""#),
        (r#"(format-date "%F %T %z" winter)"#, r#""1994-02-08 05:52:25 +0000""#),
        (
            r#"(format-date "%a, %d %b %Y %H:%M:%S %z" winter :zone "-0800")"#,
            r#""Mon, 07 Feb 1994 21:52:25 -0800""#,
        ),
        (r#"(format-date "100%% %j" "1994-02-07")"#, r#""100% 038""#),
        (r#"(format-date "" 0)"#, r#""""#),
        (
            "(mapcar (lambda (f) (funcall f winter)) (list #'date-year #'date-month #'date-day #'date-hour #'date-minute #'date-second #'date-weekday))",
            "(1994 2 8 5 52 25 1)",
        ),
        (r#"(date-day "Mon, 7 Feb 1994 21:52:25 -0800" :zone "-08:00")"#, "7"),
    ]);
}

#[test]
fn zones_have_names_offsets_and_daylight_saving() {
    check(&[
        (r#"(date-hour winter :zone "GMT+2")"#, "7"),
        (r#"(date-hour summer :zone "CEST")"#, "23"),
        (r#"(date-hour summer :zone :utc)"#, "21"),
        (r#"(date-hour summer :zone nil)"#, "21"),
        (
            "(= (date-hour summer :zone :local) (third (multiple-value-list (decode-universal-time summer))))",
            "t",
        ),
    ]);
    if std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        check(&[
            (r#"(format-date "%H %z %Z" winter :zone "Europe/Berlin")"#, r#""06 +0100 CET""#),
            (r#"(format-date "%H %z %Z" summer :zone "europe/berlin")"#, r#""23 +0200 CEST""#),
            // A day with 23 hours.
            (
                r#"(- (date-add "1994-03-27T00:00+01:00" :days 1 :zone "Europe/Berlin") (parse-date "1994-03-26T23:00Z"))"#,
                "82800",
            ),
            (
                r#"(date-difference "1994-03-27T22:00Z" "1994-03-26T23:00Z" :unit :days :zone "Europe/Berlin")"#,
                "1",
            ),
            (r#"(date-difference "1994-03-27T22:00Z" "1994-03-26T23:00Z" :unit :days)"#, "0"),
        ]);
    }
}

#[test]
fn the_calendar_adds_and_compares() {
    check(&[
        (r#"(format-date "%F" (date-add "1994-01-31" :months 1))"#, r#""1994-02-28""#),
        (r#"(format-date "%F" (date-add "1996-02-29" :years 1))"#, r#""1997-02-28""#),
        (r#"(format-date "%F" (date-add "1994-01-31" :months 1 :days 1))"#, r#""1994-03-01""#),
        (
            r#"(format-date "%F %T" (date-add "1994-01-01" :weeks -1 :hours -1 :minutes 90 :seconds 5))"#,
            r#""1993-12-25 00:30:05""#,
        ),
        ("(date-add winter)", "2969675545"),
        ("(date-add 0 :days 3)", "259200"),
        (r#"(date-difference "1994-02-07" "1994-02-06")"#, "86400"),
        (r#"(date-difference "1994-02-06" "1994-02-07" :unit :hours)"#, "-24"),
        (r#"(date-difference "1994-02-07T12:00" "1994-02-06" :unit :minutes)"#, "2160"),
        (r#"(date-difference "1994-02-07T12:00" "1994-02-06" :unit :days)"#, "1"),
        (r#"(date-difference "1994-02-20" "1994-02-06" :unit :weeks)"#, "2"),
        (r#"(date-difference "1995-02-05" "1994-02-06" :unit :months)"#, "11"),
        (r#"(date-difference "2004-02-29" "1994-03-01" :unit :years)"#, "9"),
    ]);
}

#[test]
fn what_is_no_date_is_a_syntax_error() {
    let date = "a universal time, or a date such as \"7-Feb-1994\" or \"1994-02-07T21:52:25Z\"";
    let text = "a date such as \"Mon, 7 Feb 1994 21:52:25 -0800\" or \"1994-02-07\"";
    let zone =
        "a known time zone such as \"Europe/Berlin\", an offset such as \"+0200\", :utc or :local";
    check_errors(&[
        (
            r#"(parse-date "1/2/2003")"#,
            &format!("parse-date: text: expected {text}, got \"1/2/2003\""),
        ),
        ("(parse-date 5)", &format!("parse-date: text: expected {text}, got 5")),
        (r#"(format-date "%F" "x")"#, &format!("format-date: time: expected {date}, got \"x\"")),
        ("(date-year 1.5)", &format!("date-year: time: expected {date}, got 1.5")),
        (
            "(date-year 999999999999999)",
            &format!("date-year: time: expected {date}, got 999999999999999"),
        ),
        (
            "(date-year -9223372036854775808)",
            &format!("date-year: time: expected {date}, got -9223372036854775808"),
        ),
        (
            r#"(date-year 0 :zone "../etc")"#,
            &format!("date-year: :zone: expected {zone}, got \"../etc\""),
        ),
        ("(date-year 0 :zone :cet)", &format!("date-year: :zone: expected {zone}, got :cet")),
        ("(date-add 0 :days 99999999999)", "date-add: the result is outside of the calendar"),
        ("(date-add 0 :years 9000)", "date-add: the result is outside of the calendar"),
        ("(date-add 0 :days 1.5)", "date-add: :days: expected a whole number, got 1.5"),
        (
            "(date-difference 0 0 :unit :eons)",
            "date-difference: :unit: expected :seconds, :minutes, :hours, :days, :weeks, :months or :years, got :eons",
        ),
        (
            r#"(search-mailbox mb '(:since "1/2/2003"))"#,
            &format!(
                "search-mailbox: search expression: expected a predicate with {date}, got (:since \"1/2/2003\")"
            ),
        ),
        (
            r#"(append-letter mb "inbox" "x" :date "1/2/2003")"#,
            &format!("append-letter: :date: expected {date}, got \"1/2/2003\""),
        ),
        (
            r#"(send-letter "h" "a" "b" "x" :date "1/2/2003")"#,
            &format!("send-letter: :date: expected {date}, got \"1/2/2003\""),
        ),
    ]);
    let mut session = session();
    for control in ["%", "%!", "%999999999999Y", "%:"] {
        let form = format!("(format-date \"{control}\" 0)");
        let report = session.evaluate(&form).result.expect_err(&form);
        assert!(
            report.condition.message.starts_with("format-date: control: "),
            "{}",
            report.condition
        );
    }
}

#[test]
fn mail_functions_take_every_form() {
    check(&[
        (
            r#"(append-letter mb "inbox" "Subject: x" :date "1994-02-07T21:52:25-08:00")"#,
            "(937180800 69)",
        ),
        (r#"(append-letter mb "inbox" "Subject: y" :date winter)"#, "(937180800 70)"),
        (
            r#"(append-letter mb "inbox" "Subject: z" :date "Mon Feb  7 21:52:25 1994")"#,
            "(937180800 71)",
        ),
        (
            r#"(mapcar (lambda (n) (fetch-field n "internaldate" (fetch-parts mb n "internaldate"))) '(8 9 10))"#,
            r#"(" 7-Feb-1994 21:52:25 -0800" " 8-Feb-1994 05:52:25 +0000" " 7-Feb-1994 21:52:25 +0000")"#,
        ),
        (r#"(search-mailbox mb '(:on "1994-02-07"))"#, "(8 10)"),
        (r#"(search-mailbox mb '(:on "7-Feb-1994"))"#, "(8 10)"),
        (r#"(search-mailbox mb '(:on "Mon, 7 Feb 1994 21:52:25 -0800"))"#, "(8 10)"),
        (r#"(search-mailbox mb (list :on (parse-date "1994-02-07")))"#, "(8 10)"),
        (r#"(search-mailbox mb (list :on winter))"#, "(9)"),
        (
            r#"(search-mailbox mb (list 'and (list :since (date-add winter :days -1)) '(:before "1994-02-08")))"#,
            "(8 10)",
        ),
    ]);
    let mut session = session();
    for (date, written) in [
        ("\"1994-02-07T21:52:25-08:00\"", "Mon, 07 Feb 1994 21:52:25 -0800"),
        ("\"1994-02-07\"", "Mon, 07 Feb 1994 00:00:00 -0000"),
        ("\"Tue, 7 Feb 94 21:52:60 GMT+0545\"", "Mon, 07 Feb 1994 21:52:60 +0545"),
    ] {
        let form = format!(
            "(progn (send-letter \"h\" \"a@example.org\" \"myacct@example.org\" \"x\" :date {date}) (noop mb) \
             (cdr (assoc \"Date\" (parse-mail-header (fetch-letter mb (mailbox-message-count mb))) :test 'equal)))"
        );
        assert_eq!(session.evaluate(&form).text().trim_end(), format!("\"{written}\""), "{date}");
    }
    let form = "(progn (send-letter \"h\" \"a@example.org\" \"myacct@example.org\" \"x\" :date winter) (noop mb) \
         (= winter (parse-date (cdr (assoc \"Date\" (parse-mail-header (fetch-letter mb (mailbox-message-count mb))) :test 'equal)))))";
    assert_eq!(session.evaluate(form).text().trim_end(), "t");
}

#[test]
fn universal_times_are_those_of_common_lisp() {
    common_lisp::check(&[
        ("(multiple-value-list (decode-universal-time 0 0))", "(0 0 0 1 1 1900 0 nil 0)"),
        ("(multiple-value-list (decode-universal-time 0 -11/2))", "(0 30 5 1 1 1900 0 nil -11/2)"),
        (
            "(multiple-value-list (decode-universal-time 3141592653 5))",
            "(33 37 19 21 7 1999 2 nil 5)",
        ),
        ("(nth-value 5 (decode-universal-time 0 1/3600))", "1899"),
        ("(length (multiple-value-list (get-decoded-time)))", "9"),
        ("(encode-universal-time 0 0 0 1 1 1900 0)", "0"),
        ("(encode-universal-time 0 30 5 1 1 1900 -11/2)", "0"),
        ("(encode-universal-time 1 0 0 1 1 1970 5)", "2209006801"),
        // Years of two digits: within fifty years of now.
        (
            "(= (encode-universal-time 0 0 0 1 1 20 0) (encode-universal-time 0 0 0 1 1 2020 0))",
            "t",
        ),
        (
            "(< (abs (- (encode-universal-time 0 0 0 1 1 80 0) (get-universal-time))) (* 51 366 86400))",
            "t",
        ),
        (
            "(let ((now (get-universal-time))) (= now (apply 'encode-universal-time (append (subseq (multiple-value-list (decode-universal-time now 3)) 0 6) '(3)))))",
            "t",
        ),
        // The clock for durations, in microseconds, and the time of the day with a fraction.
        ("(let ((a (get-internal-real-time)) (b (get-internal-real-time))) (<= 0 a b))", "t"),
        ("(let ((a (current-jiffy)) (b (get-internal-real-time))) (<= 0 a b))", "t"),
        ("(list internal-time-units-per-second (jiffies-per-second))", "(1000000 1000000)"),
        ("(sleep (/ 2500000001 1000000000000))", "nil"),
        (
            "(let* ((a (get-universal-time)) (b (current-second)) (c (get-universal-time))) (and (<= a (+ b 2208988800) (+ c 1)) (floatp b)))",
            "t",
        ),
        (
            "(get-internal-real-time 1)",
            "error: get-internal-real-time: expected 0 arguments, got 1",
        ),
        ("(current-jiffy 1)", "error: current-jiffy: expected 0 arguments, got 1"),
        ("(current-second 1)", "error: current-second: expected 0 arguments, got 1"),
        (
            "(encode-universal-time 60 0 0 1 1 1900 0)",
            "error: encode-universal-time: second: expected a whole number from 0 to 59, got 60",
        ),
        (
            "(encode-universal-time 0 0 0 1 13 1900 0)",
            "error: encode-universal-time: month: expected a whole number from 1 to 12, got 13",
        ),
        (
            "(encode-universal-time 0 0 0 nil 1 1900 0)",
            "error: encode-universal-time: date: expected a whole number from 1 to 31, got nil",
        ),
        (
            "(encode-universal-time 0 0 0 1 1 1900 25)",
            "error: encode-universal-time: expected a time zone, hours west from -24 to 24, got 25",
        ),
        (
            "(decode-universal-time 0 0.0001)",
            "error: decode-universal-time: expected a time zone, hours west from -24 to 24, got 0.0001",
        ),
        (
            "(decode-universal-time 999999999999999 0)",
            "error: decode-universal-time: 999999999999999 is outside of the calendar",
        ),
    ]);
}
