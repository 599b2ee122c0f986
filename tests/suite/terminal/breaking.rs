//! Break levels: an error shows its restarts, and the session goes on within the failed form.

use super::screen::Terminal;

const TOP: &str = " 0: return to the top level";

#[test]
fn a_lost_connection_costs_one_keystroke() {
    let Some(terminal) = Terminal::open("lost", "--sandbox --fault imap#1:server:cut@1230") else {
        return;
    };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))");
    terminal.reply_to(2, "(select-mailbox mb \"inbox\")");
    assert_eq!(
        terminal.whole_reply_to(3, "(list :first (mailbox-message-count mb) (progn (fetch-letter mb 7) (fetch-letter mb 6) (mailbox-name mb)))"),
        "Error: fetch-letter: the server closed the connection [:server-shutdown-connection]\n\n\
         Restart actions (select using :continue):\n \
         0: reconnect: Connect again, and call it again.\n \
         1: return to the top level"
    );
    assert!(terminal.screen().ends_with("\n[1] user(4):"));
    // The form that failed goes on.
    assert_eq!(terminal.reply_to(4, ":continue 0"), "(:first 7 \"inbox\")");
    assert!(terminal.screen().ends_with("\nuser(5):"));
}

#[test]
fn forms_are_evaluated_while_the_failed_one_waits() {
    let Some(terminal) = Terminal::open("break", "--sandbox") else { return };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))");
    let error = terminal
        .whole_reply_to(2, "(+ 1 (let ((x 1)) (select-mailbox mb \"nope\") (setq x 41) x))");
    assert!(error.starts_with("Error: select-mailbox: the server refused SELECT"), "{error}");
    assert!(error.ends_with(" 0: retry: Call it again.\n 1: use-value: Return a value instead.\n 2: skip: Return nil instead.\n 3: return to the top level"), "{error}");
    assert_eq!(terminal.reply_to(3, "(create-mailbox mb \"nope\")"), "t");
    // An error opens the next level, which may be left alone.
    let second = terminal.whole_reply_to(4, "(error \"second\")");
    assert!(
        second.ends_with(":continue):\n 0: return to level 1\n 1: return to the top level"),
        "{second}"
    );
    assert!(terminal.screen().ends_with("\n[2] user(5):"));
    assert!(terminal.whole_reply_to(5, ":zoom").starts_with("Error: second"));
    assert_eq!(terminal.reply_to(6, ":pop"), "");
    assert!(terminal.screen().ends_with("\n[1] user(7):"));
    assert_eq!(terminal.reply_to(7, ":continue 9"), "Error: there is no restart 9");
    assert_eq!(terminal.reply_to(8, ":continue"), "42");
    assert_eq!(terminal.reply_to(9, ":pop"), "no break level is open: an error opens one");
}

#[test]
fn the_last_values_have_their_names_at_a_level_too() {
    let Some(terminal) = Terminal::open("stars", "--sandbox") else { return };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))");
    terminal.reply_to(2, "(+ 1 (select-mailbox mb \"nope\"))");
    assert_eq!(terminal.reply_to(3, "(+ 1 2)"), "3");
    assert_eq!(terminal.reply_to(4, "(* * 5)"), "15");
    assert_eq!(terminal.reply_to(5, "(list * ** (reduce #'* '(2 3)))"), "(15 3 6)");
    // An error leaves them as they are.
    terminal.reply_to(6, "(error \"x\")");
    assert_eq!(terminal.reply_to(7, "*"), "(15 3 6)");
    assert_eq!(terminal.reply_to(8, "(list (length *) (length **))"), "(3 3)");
    assert_eq!(terminal.reply_to(9, "(second ***)"), "3");
    terminal.reply_to(10, ":reset");
    assert_eq!(terminal.reply_to(11, "(list * **)"), "(3 (3 3))");
}

#[test]
fn a_restart_asks_for_its_value_and_cleanup_runs_when_a_level_is_left() {
    let Some(terminal) = Terminal::open("value", "--sandbox") else { return };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))");
    terminal.reply_to(2, "(* 2 (select-mailbox mb \"nope\"))");
    terminal.type_line(":continue 1");
    terminal.wait_for("\nA form for the value:");
    terminal.type_line("(+ 20 1)");
    terminal.wait_for("\nA form for the value: (+ 20 1)\n42\nuser(4):");
    // Without an answer the form still waits.
    terminal.reply_to(4, "(* 2 (select-mailbox mb \"nope\"))");
    terminal.type_line(":continue 1");
    terminal.wait_for("\nA form for the value:");
    terminal.press("Enter");
    terminal.wait_for("\n[1] user(6):");
    assert_eq!(terminal.reply_to(6, "(progn (princ \"half\") (use-value 3))"), "half\n6");
    // Evaluated at the level, a restart function does the same.
    terminal.reply_to(7, "(* 2 (select-mailbox mb \"nope\"))");
    assert_eq!(terminal.reply_to(8, "(use-value 4)"), "8");
    terminal.reply_to(9, "(unwind-protect (select-mailbox mb \"nope\") (write-line \"cleaned\"))");
    terminal.reply_to(10, "(unwind-protect (error \"x\") (write-line \"cleaned first\"))");
    assert_eq!(terminal.reply_to(11, ":reset"), "cleaned first\ncleaned");
    assert!(terminal.screen().ends_with("\nuser(12):"));
    terminal.reply_to(12, "(let ((x 1)) (check-type x string) x)");
    terminal.type_line(":continue");
    terminal.wait_for("\nA form for the value:");
    terminal.type_line("\"s\"");
    terminal.wait_for("\"s\"\nuser(14):");
    // What a handler takes opens no level.
    assert_eq!(terminal.reply_to(14, "(ignore-errors (select-mailbox mb \"nope\"))"), "nil");
}

/// An error of the interpreter itself has left its form when it is seen; the session goes on as
/// ever, one level down.
#[test]
fn an_error_that_nothing_waits_in_opens_a_level_too() {
    let Some(terminal) = Terminal::open("unwound", "--sandbox") else { return };
    assert!(terminal.whole_reply_to(1, "(car 5)").ends_with(TOP));
    assert_eq!(terminal.reply_to(2, "(list 1 3)"), "(1 3)");
    assert!(
        terminal
            .whole_reply_to(3, "(cdr 5)")
            .ends_with(" 0: return to level 1\n 1: return to the top level")
    );
    assert_eq!(terminal.reply_to(4, ":trace"), "the trace is off");
    assert!(terminal.screen().ends_with("\n[2] user(5):"));
    // A level of both kinds.
    assert!(terminal.whole_reply_to(5, "(error \"live\")").contains(" 0: return to level 2\n"));
    assert!(terminal.screen().ends_with("\n[3] user(6):"));
    assert_eq!(terminal.reply_to(6, ":pop"), "");
    assert_eq!(terminal.reply_to(7, ":continue 0"), "");
    assert!(terminal.screen().ends_with("\n[1] user(8):"));
    assert_eq!(terminal.reply_to(8, ":reset"), "");
    assert!(terminal.screen().ends_with("\nuser(9):"));
    // What cannot be read opens none.
    assert!(terminal.reply_to(9, ")").starts_with("Error:"));
    assert!(terminal.screen().ends_with("\nuser(10):"));
}

#[test]
fn limits_hold_at_a_level_and_end_with_it() {
    let Some(terminal) = Terminal::open("limits", "--sandbox --max-changes 1") else { return };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"p\"))");
    terminal.reply_to(2, "(with-limits (:max-changes 0) (select-mailbox mb \"nope\"))");
    assert!(terminal.screen().ends_with("\n[1] user(3):"));
    let create = "(handler-case (create-mailbox mb \"a\") (:limit (c) :refused))";
    assert_eq!(terminal.reply_to(3, create), ":refused");
    assert_eq!(terminal.reply_to(4, ":reset"), "");
    assert_eq!(terminal.reply_to(5, create), "t");
    // The limit of the command line stays.
    let delete = "(handler-case (delete-mailbox mb \"a\") (:limit (c) :refused))";
    assert_eq!(terminal.reply_to(6, delete), ":refused");
}
