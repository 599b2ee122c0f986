//! Completion with Tab, in every place that has candidates.

use super::screen::Terminal;
use crate::support::script::Script;
use std::sync::mpsc;

#[test]
fn tab_completes_in_each_place() {
    let Some(terminal) = Terminal::open("completion", "--sandbox") else { return };
    terminal.reply_to(1, "(setq mb (make-imap-connection \"h\" :user \"u\" :password \"pw\"))");
    terminal
        .reply_to(2, "(progn (create-mailbox mb \"archive-1999\") (select-mailbox mb \"inbox\"))");
    terminal.reply_to(3, "(defun my-own-report (mb &key title) (list mb title))");
    for (typed, completed) in [
        ("(fetch-fi", "(fetch-field"),
        ("(with-imap", "(with-imap-connection"),
        ("(my-ow", "(my-own-report"),
        ("(my-own-report mb :ti", "(my-own-report mb :title"),
        ("(fetch-parts mb 1 \"flags\" :u", "(fetch-parts mb 1 \"flags\" :uid"),
        ("(alter-flags mb 1 :add-flags :\\\\fl", "(alter-flags mb 1 :add-flags :\\\\flagged"),
        ("(search-mailbox mb '(and :unse", "(search-mailbox mb '(and :unseen"),
        ("(fetch-parts mb 1 \"(flags env", "(fetch-parts mb 1 \"(flags envelope"),
        ("(select-mailbox mb \"arch", "(select-mailbox mb \"archive-1999\""),
        ("(copy-to-mailbox mb 1 \"arch", "(copy-to-mailbox mb 1 \"archive-1999\""),
        (":tim", ":time"),
    ] {
        terminal.type_text(typed);
        terminal.press("Tab");
        terminal.wait_for(&format!("user(4): {completed}"));
        terminal.press("C-c");
        terminal.wait_for("\nuser(4):");
    }
    // Several candidates are listed below the line.
    terminal.type_text("(mailbox-uid");
    terminal.press("Tab");
    let screen = terminal.wait_until("a list", |screen| {
        screen.contains("mailbox-uidnext") && screen.contains("mailbox-uidvalidity")
    });
    assert!(screen.ends_with("user(4): (mailbox-uid"), "{screen}");
    terminal.press("C-c");
    // A mailbox created since the last completion is a candidate.
    terminal.wait_for("\nuser(4):");
    terminal.reply_to(4, "(create-mailbox mb \"zebra\")");
    terminal.type_text("(select-mailbox mb \"zeb");
    terminal.press("Tab");
    terminal.wait_for("(select-mailbox mb \"zebra\"");
}

#[test]
fn nobody_waits_for_a_server_that_is_slow_to_list() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (told, answered) = mpsc::channel();
    let server = Script::run(move |peer| {
        peer.log_in("");
        let tag = peer.hear().split(' ').next().unwrap_or("").to_owned();
        let _ = waits.recv(); // the test may have failed
        peer.say(&format!("* LIST () \"/\" xyz-box\r\n{tag} OK done\r\n"));
        told.send(()).unwrap();
        peer.hear_rest();
    });
    let Some(terminal) = Terminal::open("slow-list", "") else { return };
    let port = server.address.port();
    terminal.reply_to(1, &format!("(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"u\" :password \"p\"))"));
    terminal.type_text("(select-mailbox mb \"x");
    terminal.press("Tab");
    terminal.type_text("y");
    // The server has not answered yet, and typing still works.
    terminal.wait_for("(select-mailbox mb \"xy");
    go_on.send(()).unwrap();
    answered.recv().unwrap();
    loop {
        // The character typed after Tab shows when Tab has been handled.
        terminal.press("Tab");
        terminal.type_text("!");
        if terminal.wait_for("!").ends_with("(select-mailbox mb \"xyz-box\"!") {
            break;
        }
        terminal.press("BSpace");
        terminal.wait_for("(select-mailbox mb \"xy");
    }
    terminal.press("C-c");
    terminal.wait_for("\nuser(2):");
    terminal.press("C-d");
    terminal.wait_for("code 0");
    let heard = server.heard();
    assert_eq!(
        heard
            .iter()
            .filter(|line| line.contains("LIST \"\" \"*\"") || line.contains("LIST \"\" *"))
            .count(),
        1,
        "{heard:?}"
    );
}
