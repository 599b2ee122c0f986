//! Editing at the prompt: lines, indentation, keys, history.

use super::screen::{BINARY, Terminal};
use std::os::unix::fs::PermissionsExt;

#[test]
fn keys_at_the_prompt() {
    let Some(terminal) = Terminal::open("keys", "") else { return };
    terminal.press("C-c");
    terminal.wait_for("user(1): \nuser(1):");
    terminal.type_line("");
    terminal.wait_for("user(1): \nuser(1): \nuser(1):");
    terminal.type_line("(+ 1 2) (+ 3 4)");
    terminal.wait_for("user(1): (+ 1 2) (+ 3 4)\n3\n7\nuser(2):");
    terminal.type_line("(list 1");
    terminal.type_text("2");
    terminal.press("C-c");
    terminal.wait_for("2\nuser(2):");
    terminal.press("C-d");
    terminal.wait_for("code 0");
    let Some(terminal) = Terminal::open("exit", "") else { return };
    terminal.type_line("(progn (princ \"bye\") (exit 5))");
    terminal.wait_for("\nbyecode 5");
    let Some(terminal) = Terminal::open("exit-command", "") else { return };
    terminal.type_line(":exit 6");
    terminal.wait_for(":exit 6\ncode 6");
}

#[test]
fn a_form_of_several_lines_is_indented() {
    let Some(terminal) = Terminal::open("lines", "") else { return };
    for line in ["(let ((a 1)", "(b 2))", "(list a", "b))"] {
        terminal.type_line(line);
    }
    terminal.wait_for("user(1): (let ((a 1)\n               (b 2))\n           (list a\n                 b))\n(1 2)\nuser(2):");
    // Lines within a string are not indented.
    terminal.type_line("(list \"a");
    terminal.type_line("  b\")");
    terminal.wait_for("user(2): (list \"a\n  b\")\n(\"a\n  b\")\nuser(3):");
}

#[test]
fn history_is_kept_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postoffice/history");
    let command = format!("{BINARY} --sandbox");
    let Some(terminal) = Terminal::run_in(
        "history-one",
        folder,
        100,
        30,
        &format!("{command}; echo code $?; exec sleep 600"),
    ) else {
        return;
    };
    terminal.wait_for("user(1):");
    terminal.reply_to(1, "(+ 20 22)");
    terminal.reply_to(2, "(make-imap-connection \"h\" :user \"u\" :password \"sesame\")");
    terminal.reply_to(3, "(list 1\n2)");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains("(+ 20 22)")
            && kept.contains(":password #<secret>")
            && !kept.contains("sesame"),
        "{kept}"
    );
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    terminal.press("C-d");
    terminal.wait_for("code 0");
    let again = format!(
        "export XDG_STATE_HOME={}; {command}; echo code $?; exec sleep 600",
        file.parent().unwrap().parent().unwrap().display()
    );
    let Some(second) = Terminal::run("history-two", &again) else { return };
    second.wait_for("user(1):");
    // Up recalls the last input, with both of its lines.
    second.press("Up");
    second.wait_to_see("user(1): (list 1");
    second.press("Enter");
    second.wait_for("(1 2)\nuser(2):");
    // Reverse search.
    second.press("C-r");
    second.type_text("20");
    second.wait_to_see("(reverse-i-search)`20': (+ 20 22)");
    second.press("Enter");
    second.wait_for("(+ 20 22)\n42\nuser(3):");
    let listed = second.reply_to(3, ":history");
    assert!(listed.contains("1  (+ 20 22)") && listed.ends_with(":history"), "{listed}");
}

#[test]
fn colours_respect_the_terminal() {
    let run = |name: &str, variables: &str| {
        let terminal =
            Terminal::run(name, &format!("export {variables}; {BINARY}; exec sleep 600"))?;
        terminal.wait_for("user(1):");
        terminal.type_line("(car \"a\")");
        terminal.wait_for("user(2):");
        Some(terminal.styled_screen())
    };
    let Some(coloured) = run("colours", "X=y") else { return };
    for piece in ["\x1b[34m", "\x1b[32m\"a\"", "\x1b[31m"] {
        assert!(coloured.contains(piece), "{piece:?}: {coloured:?}");
    }
    for (name, variables) in [("no-colour", "NO_COLOR=1"), ("dumb", "TERM=dumb")] {
        let plain = run(name, variables).unwrap();
        assert!(!plain.contains('\x1b') && plain.contains("Error: car"), "{variables}: {plain:?}");
    }
}

#[test]
fn a_dumb_terminal_takes_several_lines() {
    let Some(terminal) =
        Terminal::run("dumb-lines", &format!("export TERM=dumb; {BINARY}; exec sleep 600"))
    else {
        return;
    };
    terminal.wait_for("user(1):");
    terminal.type_line("(list 1");
    terminal.type_line("2)");
    terminal.wait_for("2)\n(1 2)\nuser(2):");
}

#[test]
fn the_parenthesis_that_belongs_to_the_one_at_the_cursor_is_marked() {
    let Some(terminal) = Terminal::open("matching", "") else { return };
    terminal.type_text("(list (car \")\") 2)");
    terminal.wait_for("2)");
    let screen = terminal.styled_screen();
    assert!(screen.contains("4m(\x1b[0m") && screen.ends_with("4m)"), "{screen:?}");
    assert_eq!(screen.matches("4m)").count(), 1, "{screen:?}");
    // Once entered, the input is shown without the mark.
    terminal.press("Enter");
    terminal.wait_for("user(2):");
    assert!(!terminal.styled_screen().contains("4m("), "{:?}", terminal.styled_screen());
}
