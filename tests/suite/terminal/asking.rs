//! Asking for a password: it is never shown, and afterwards the terminal works as before.

use super::screen::{BINARY, Terminal};
use crate::support::leaks::{PASSWORD, check};

#[test]
fn a_password_that_is_left_out_is_asked_for_and_not_shown() {
    let Some(terminal) = Terminal::open("ask", "--sandbox --trace") else { return };
    terminal.type_line("(setq mb (make-imap-connection \"mail.example.org\" :user \"me\"))");
    terminal.wait_for("\nPassword for me@mail.example.org:");
    terminal.type_line(PASSWORD);
    let screen = terminal.wait_for("\n#<mailbox::imap-mailbox @ #x2064ca4a>\nuser(2):");
    assert!(screen.contains("C: "), "{screen}");
    // The password is known as a secret now, and typing is echoed again.
    terminal.type_line("(error \"not ~a\" (read-line))");
    terminal.wait_for("(error \"not ~a\" (read-line))");
    terminal.type_line("Blauer-Hirsch-4711");
    terminal.wait_until("the error", |screen| {
        screen.contains("Error: not #<secret>") && screen.ends_with("\n[1] user(3):")
    });
    let screen = terminal.screen();
    assert_eq!(screen.matches(PASSWORD).count(), 1, "{screen}");
    // A user name that is an address, and the SMTP side of an account.
    terminal.type_line("(define-account work :host \"mail.example.org\" :user \"me@example.org\") (connect 'work :smtp)");
    terminal.wait_for("\nPassword for me@example.org on mail.example.org:");
    terminal.type_line(PASSWORD);
    let screen = terminal.wait_for("\n[1] user(4):");
    assert!(screen.contains("\n#<mailbox::smtp-connection @ "), "{screen}");
    assert_eq!(screen.matches(PASSWORD).count(), 1, "{screen}");
}

#[test]
fn a_question_can_be_left() {
    let Some(terminal) = Terminal::open("ask-leave", "--sandbox") else { return };
    let form =
        "(unwind-protect (make-imap-connection \"h\" :user \"me\") (write-line \"cleaned\"))";
    terminal.type_line(form);
    terminal.wait_for("\nPassword for me@h:");
    terminal.type_text(PASSWORD);
    terminal.press("C-c");
    terminal.wait_for("\nPassword for me@h: \ncleaned\nInterrupted\nuser(2):");
    terminal.type_line("(make-imap-connection \"h\" :user \"me\")");
    terminal.wait_for("\nPassword for me@h:");
    terminal.press("Enter");
    terminal.wait_until("the error", |screen| {
        screen.contains("make-imap-connection: no password was typed [:authentication]")
            && screen.ends_with("\n[1] user(3):")
    });
    terminal.type_line("(make-imap-connection \"h\" :user \"me\")");
    terminal.wait_for("(make-imap-connection \"h\" :user \"me\")\nPassword for me@h:");
    terminal.press("C-d");
    terminal.wait_until("the error", |screen| {
        screen.matches("no password was typed").count() == 2 && screen.ends_with("\n[2] user(4):")
    });
    // What was typed at an abandoned question must not be read by the next.
    terminal.type_line("(progn (princ \"next? \") (list (read-line)))");
    terminal.wait_for("\nnext?");
    terminal.type_line("shown");
    terminal.wait_for("\nnext? shown\n(\"shown\")\n[2] user(5):");
    check(&terminal.screen());
}

#[test]
fn scripts_ask_too_but_not_for_json_or_strangers() {
    let form = "'(close-connection (make-imap-connection \"h\" :user \"me\"))'";
    let command = |options: &str| {
        format!(
            "{BINARY} --sandbox eval {options} {form}; echo code $?; stty -a | grep -o '.echo '; exec sleep 600"
        )
    };
    let Some(terminal) = Terminal::run("ask-eval", &command("")) else { return };
    terminal.wait_for("Password for me@h:");
    terminal.type_line(PASSWORD);
    let screen = terminal
        .wait_until("the end", |screen| screen.contains("code 0") && screen.ends_with("echo"));
    assert!(screen.contains("\nt\ncode 0") && !screen.contains("-echo"), "{screen}");
    check(&screen);
    // Ctrl-C restores the terminal.
    let Some(terminal) = Terminal::run("ask-stop", &command("")) else { return };
    terminal.wait_for("Password for me@h:");
    terminal.press("C-c");
    let screen = terminal
        .wait_until("the end", |screen| screen.contains("code 130") && screen.ends_with("echo"));
    assert!(!screen.contains("-echo"), "{screen}");
    for options in ["--json", "--untrusted"] {
        let Some(terminal) = Terminal::run(&format!("ask{options}"), &command(options)) else {
            return;
        };
        let screen = terminal.wait_to_see("code 1");
        assert!(
            screen.contains("make-imap-connection: expected :password with a string")
                && !screen.contains("Password for"),
            "{screen}"
        );
    }
}
