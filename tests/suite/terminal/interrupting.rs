//! Ctrl-C during everything that takes long, Ctrl-D, and progress.

use super::screen::Terminal;
use crate::support::script::Script;
use std::sync::mpsc;

#[test]
fn ctrl_c_stops_the_form_and_runs_its_clean_up() {
    let Some(terminal) = Terminal::open("interrupt", "") else { return };
    for (number, busy) in
        ["(loop)", "(sleep 1000)", "(read-line)", "(do ((i 0 (+ i 1))) (nil) (list i))"]
            .iter()
            .enumerate()
    {
        let number = number + 1;
        terminal.type_line(&format!("(unwind-protect (progn (write-line \"ready {number}\") {busy}) (write-line \"cleaned {number}\"))"));
        terminal.wait_for(&format!("\nready {number}"));
        terminal.press("C-c");
        terminal.wait_until("the clean-up", |screen| {
            let shown = screen
                .rsplit_once(&format!("\nready {number}\n"))
                .map_or("", |split| split.1)
                .replace("^C", "");
            shown.trim_start_matches('\n')
                == format!("cleaned {number}\nInterrupted\nuser({}):", number + 1)
        });
    }
    // The terminal works as before, and the next read gets what is typed.
    terminal.type_line("(progn (write-line \"now\") (list (read-line)))");
    terminal.wait_for("\nnow");
    terminal.type_line("typed");
    terminal.wait_for("\nnow\ntyped\n(\"typed\")\nuser(6):");
}

#[test]
fn ctrl_c_in_a_fetch_says_that_the_connection_is_closed() {
    let (told, heard) = mpsc::channel();
    let server = Script::run(move |peer| {
        peer.log_in("");
        peer.answer("* 3 EXISTS\r\n{tag} OK done\r\n");
        peer.hear();
        peer.say("* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLA");
        told.send(()).unwrap();
        peer.hear_rest();
    });
    let Some(terminal) = Terminal::open("fetch", "") else { return };
    let port = server.address.port();
    terminal.reply_to(1, &format!("(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\"))"));
    terminal.reply_to(2, "(select-mailbox mb \"inbox\")");
    terminal.type_line(
        "(unwind-protect (fetch-parts mb '(:seq 1 3) \"flags\") (write-line \"cleaned\"))",
    );
    heard.recv().unwrap();
    // The progress line shows one message of three.
    terminal.wait_to_see("fetch-parts: 1 of 3 messages");
    terminal.press("C-c");
    let screen = terminal.wait_for("\nuser(4):");
    let reply = screen.rsplit_once("(write-line \"cleaned\"))\n").unwrap().1.replace("^C", "");
    let expected = "cleaned\nInterrupted\nThe connection to 127.0.0.1 is closed, since an answer was under way: connect again.\nuser(4):";
    assert_eq!(reply.trim_start(), expected);
    let reply = terminal.reply_to(4, "(noop mb)");
    assert_eq!(reply, "Error: noop: the connection is closed [:server-shutdown-connection]");
}

#[test]
fn progress_goes_away_and_quiet_shows_none() {
    for (name, options, shown) in [("progress", "", true), ("quiet", "--quiet", false)] {
        let (go_on, waits) = mpsc::channel::<()>();
        let (told, heard) = mpsc::channel();
        let server = Script::run(move |peer| {
            peer.log_in("");
            peer.answer("* 2 EXISTS\r\n{tag} OK done\r\n");
            let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
            peer.say("* 1 FETCH (FLAGS (\\Seen))\r\n");
            told.send(()).unwrap();
            let _ = waits.recv(); // the test may have failed
            peer.say(&format!("* 2 FETCH (FLAGS ())\r\n{tag} OK done\r\n"));
            peer.answer("* BYE\r\n{tag} OK done\r\n");
        });
        let Some(terminal) = Terminal::open(name, options) else { return };
        let port = server.address.port();
        terminal.reply_to(1, &format!("(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\"))"));
        terminal.reply_to(2, "(select-mailbox mb \"inbox\")");
        terminal.type_line("(fetch-parts mb '(:seq 1 2) \"flags\")");
        heard.recv().unwrap();
        if shown {
            terminal.wait_to_see("fetch-parts: 1 of 2 messages");
        } else {
            // Twice the time after which progress would be shown.
            std::thread::sleep(postoffice::api::progress::SHOWN_AFTER * 2);
            assert!(!terminal.screen().contains("1 of 2"));
        }
        go_on.send(()).unwrap();
        terminal
            .wait_for("\"flags\")\n((1 (\"FLAGS\" (:\\\\seen))) (2 (\"FLAGS\" nil)))\nuser(4):");
        // Ctrl-D logs out before the program ends.
        terminal.press("C-d");
        terminal.wait_for("code 0");
        assert!(server.heard().last().unwrap().ends_with("LOGOUT"));
    }
}

#[test]
fn output_appears_as_it_is_printed() {
    let Some(terminal) = Terminal::open("stream", "") else { return };
    terminal.type_line("(progn (princ \"what is your name? \") (read-line))");
    terminal.wait_for("\nwhat is your name?");
    terminal.type_line("Joe");
    terminal.wait_for("\nwhat is your name? Joe\n\"Joe\"\nuser(2):");
    // The value of a form is printed before the next form runs.
    terminal.type_line("(+ 1 2) (read-line)");
    terminal.wait_for("(+ 1 2) (read-line)\n3");
    terminal.type_line("x");
    terminal.wait_for("\n3\nx\n\"x\"\nuser(3):");
}
