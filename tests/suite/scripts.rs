//! Programs in `scripts/`, run by the command on the sandbox and on Dovecot.

use crate::support::{Server, empty};
use postoffice::client::ImapClient;
use postoffice::proto::imap::{Flag, SearchKey};
use std::path::Path;
use std::process::Command;

fn servers() -> impl Iterator<Item = Server> {
    [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten()
}

/// Runs a script with the server's host and user, and more arguments. It must succeed. Returns what
/// it prints.
#[track_caller]
fn run(server: &Server, script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .args(["--connect-to", &format!("127.0.0.1=127.0.0.1:{}", server.port), "run"])
        .arg(path)
        .args(["127.0.0.1", &server.user])
        .args(arguments)
        .env("POSTOFFICE_PASSWORD", &server.password)
        .env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-such-folder"))
        .output()
        .unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && error.is_empty(),
        "{script} on {}: {out}{error}",
        server.name
    );
    out.into_owned()
}

/// Runs a script that watches, for what is there now. Its state is in a folder. Returns what it
/// prints.
#[track_caller]
fn watch(server: &Server, state: &Path, script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let output = Command::new(env!("CARGO_BIN_EXE_postoffice"))
        .args(["--connect-to", &format!("127.0.0.1=127.0.0.1:{}", server.port)])
        .args(["--quiet", "watch", "--once"])
        .arg(path)
        .args(["--", "127.0.0.1", &server.user])
        .args(arguments)
        .env("POSTOFFICE_PASSWORD", &server.password)
        .env("POSTOFFICE_STATE", state)
        .env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-such-folder"))
        .output()
        .unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let well = output.status.success() && error.is_empty();
    assert!(well, "{script} on {}: {out}{error}", server.name);
    out.into_owned()
}

#[test]
fn standing_scripts_tell_of_new_letters_only() {
    for server in servers() {
        let state = tempfile::tempdir().unwrap();
        let mut client = server.with_letters(&["Subject: old\nFrom: a@x.example\n\nx\n"]);
        let mut new = |subject: &str| {
            let letter = format!("Subject: {subject}\r\nFrom: Bo <b@x.example>\r\n\r\nx\r\n");
            client.append("INBOX", &[], None, letter.as_bytes()).unwrap();
        };
        let notify = |arguments: &[&str]| watch(&server, state.path(), "notify.scm", arguments);
        assert_eq!(notify(&[]), "");
        new("one");
        assert_eq!(notify(&[]), "Bo <b@x.example>: one\n");
        new("two");
        let file = state.path().join("told");
        let program = "printf '%s|' \"$@\" > \"$0\"";
        assert_eq!(notify(&["sh", "-c", program, file.to_str().unwrap()]), "");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "Bo <b@x.example>|two|");
        let report = || watch(&server, state.path(), "unread-report.scm", &["--watch"]);
        assert!(report().ends_with("3 unread in all\n"));
        new("three");
        assert_eq!(report().matches("4 unread in all\n").count(), 2);
        // Old letters get no answer.
        let arguments = ["127.0.0.1", "me@x.example", "no-such-file", "--watch"];
        assert_eq!(watch(&server, state.path(), "auto-responder.scm", &arguments), "");
    }
}

#[test]
fn the_filer_files_new_letters() {
    for server in servers() {
        let state = tempfile::tempdir().unwrap();
        let mut client = server.with_letters(&[
            "List-Id: The news <news.a.example>\nSubject: 1\n\nx\n",
            "From: No-Reply@mail.shop.example\nSubject: 2\n\nx\n",
            "Subject: hello\n\nx\n",
        ]);
        watch(&server, state.path(), "filer.scm", &[]);
        let mut counts =
            || ["INBOX", "lists/news", "shops/shop"].map(|name| count(&mut client, name));
        assert_eq!(counts(), [1, 1, 1], "{}", server.name);
        server.with_letters(&["List-Id: <news.a.example>\nSubject: 3\n\nx\n"]).close();
        watch(&server, state.path(), "filer.scm", &[]);
        assert_eq!(counts(), [1, 2, 1], "{}", server.name);
    }
}

/// How many letters a mailbox has.
fn count(client: &mut ImapClient, mailbox: &str) -> u32 {
    client.select(mailbox, true).unwrap();
    client.selected().unwrap().exists
}

fn old(client: &mut ImapClient, letters: &[&str]) {
    for letter in letters {
        let letter = letter.replace('\n', "\r\n");
        let date = "13-Sep-1999 10:00:00 +0000".parse().ok();
        client.append("INBOX", &[], date, letter.as_bytes()).unwrap();
    }
}

#[test]
fn archive_by_age_previews_and_moves() {
    for server in servers() {
        let mut client = server.with_letters(&["Subject: new\n\nx\n"]);
        old(&mut client, &["Subject: old\n\nx\n", "Date: Mon, 1 Jan 2024 10:00:00 +0000\n\ny\n"]);
        let preview = run(&server, "archive-by-age.scm", &["30"]);
        assert!(preview.starts_with("would move 2 letters to archive"), "{preview}");
        assert_eq!(count(&mut client, "INBOX"), 3);
        let moved = run(&server, "archive-by-age.scm", &["30", "--move"]);
        assert_eq!(moved, preview.replace("would move", "moving"));
        assert_eq!(count(&mut client, "INBOX"), 1);
        assert_eq!(run(&server, "archive-by-age.scm", &["30"]), "nothing is older than 30 days\n");
    }
}

#[test]
fn lists_are_filed_by_their_id() {
    for server in servers() {
        let mut client = server.with_letters(&[
            "List-Id: The news <news.a.example>\n\nx\n",
            "Subject: hello\n\nx\n",
            "List-Id: <news.a.example>\n\ny\n",
            "List-Id: <../in box/.b.example>\n\ny\n",
        ]);
        let preview = run(&server, "file-lists.scm", &[]);
        assert_eq!(count(&mut client, "INBOX"), 4);
        let moved = run(&server, "file-lists.scm", &["--move"]);
        assert_eq!(moved, preview.replace("would move", "moving"));
        let lines: Vec<&str> = moved.lines().collect();
        assert_eq!(lines.len(), 2, "{moved}");
        assert!(lines[0].starts_with("moving 2 letters to lists") && lines[0].ends_with("news"));
        assert_eq!(count(&mut client, "INBOX"), 1);
        assert_eq!(count(&mut client, "lists/news"), 2);
    }
}

fn with_attachment(head: &str, content_type: &str, name: &str, body: &str) -> String {
    format!(
        "{head}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee there\n--b\nContent-Type: {content_type}\nContent-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n{body}\n--b--\n"
    )
}

#[test]
fn invoices_are_collected_once() {
    for server in servers() {
        let head = "Subject: Your Invoice\nDate: Fri, 13 Mar 2020 10:00:00 +0000";
        let letters = [
            with_attachment(head, "application/pdf", "../7.pdf", "JVBERg=="),
            with_attachment(head, "image/png", "logo.png", "AAEC"),
            with_attachment("Subject: hello", "application/pdf", "8.pdf", "JVBERg=="),
        ];
        let mut client = server.with_letters(&letters.each_ref().map(String::as_str));
        let folder = tempfile::tempdir().unwrap();
        let arguments = [folder.path().to_str().unwrap()];
        let said = run(&server, "collect-invoices.scm", &arguments);
        let file = folder.path().join("2020-03/7.pdf");
        assert_eq!(said, format!("{}\n", file.display()));
        assert_eq!(std::fs::read(file).unwrap(), b"%PDF");
        assert_eq!(run(&server, "collect-invoices.scm", &arguments), "");
        assert_eq!(count(&mut client, "INBOX"), 3);
        let flagged = client.uid_search(&SearchKey::Keyword(Flag::new("collected").unwrap()));
        assert_eq!(flagged.unwrap().len(), 2);
    }
}

#[test]
fn what_is_old_and_large_is_cleaned_up() {
    for server in servers() {
        let large = format!("Subject: large\nFrom: a@x.example\n\n{}", "0123456789\n".repeat(1000));
        let mut client = server.with_letters(&[&large]);
        old(&mut client, &[&large, "Subject: small\n\nx\n"]);
        let preview = run(&server, "clean-up.scm", &["inbox", "30", "10"]);
        assert!(
            preview.contains("a@x.example") && preview.ends_with("would remove 1 letters, 12 kB\n"),
            "{preview}"
        );
        assert_eq!(count(&mut client, "INBOX"), 3);
        run(&server, "clean-up.scm", &["inbox", "30", "10", "--delete"]);
        assert_eq!(count(&mut client, "INBOX"), 2);
        let nothing = run(&server, "clean-up.scm", &["inbox", "30", "10", "--delete"]);
        assert_eq!(nothing, "removing 0 letters, 0 kB\n");
    }
}

#[test]
fn duplicates_are_removed_and_what_has_no_id_stays() {
    for server in servers() {
        let mut client = server.with_letters(&[
            "Message-ID: <1@x>\nSubject: first\n\nx\n",
            "Subject: none\n\nx\n",
            "Message-ID: <1@x>\nSubject: again\n\nx\n",
            "Subject: none\n\nx\n",
            "Message-ID: <2@x>\n\nx\n",
        ]);
        let preview = run(&server, "remove-duplicates.scm", &["inbox", "--dry-run"]);
        assert!(preview.ends_with("again\nwould remove 1 letters\n"), "{preview}");
        assert_eq!(count(&mut client, "INBOX"), 5);
        let removed = run(&server, "remove-duplicates.scm", &["inbox"]);
        assert_eq!(removed, preview.replace("would remove", "removed"));
        assert_eq!(count(&mut client, "INBOX"), 4);
    }
}

#[test]
fn dmarc_reports_become_rows() {
    const REPORT: &str = "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>Big, Inc.</org_name><date_range><begin>1583971200</begin><end>1584057599</end></date_range></report_metadata>\
        <record><row><source_ip>192.0.2.1</source_ip><count>2</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>x.example</header_from></identifiers></record>\
        <record><row><source_ip>192.0.2.2</source_ip><count>1</count><policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>x.example</header_from></identifiers></record></feedback>";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, REPORT.as_bytes()).unwrap();
    let packed = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(packed.finish().unwrap())
    };
    let lines: Vec<&str> =
        packed.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for server in servers() {
        let letters = [
            with_attachment("Subject: report", "application/gzip", "r.xml.gz", &lines.join("\n")),
            with_attachment("Subject: broken", "application/gzip", "b.xml.gz", "H4sIAAAA"),
            with_attachment("Subject: other", "application/pdf", "8.pdf", "JVBERg=="),
        ];
        server.with_letters(&letters.each_ref().map(String::as_str)).close();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dmarc.csv");
        let arguments = ["inbox", file.to_str().unwrap()];
        let said = run(&server, "dmarc-to-csv.scm", &arguments);
        assert!(said.starts_with("broken: cannot be read: "), "{said}");
        assert_eq!(run(&server, "dmarc-to-csv.scm", &arguments), "");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "day,reporter,domain,source,letters,disposition,dkim,spf\n\
             2020-03-12,\"Big, Inc.\",x.example,192.0.2.1,2,none,pass,fail\n\
             2020-03-12,\"Big, Inc.\",x.example,192.0.2.2,1,reject,fail,fail\n"
        );
    }
}
