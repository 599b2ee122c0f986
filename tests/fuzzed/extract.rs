//! Extracting attachments from a letter that arrives in pieces gives the same as parsing the whole
//! letter, wherever it is cut.

use crate::checks::extraction::{assert_agrees, expected, extracted};
use postoffice::mime::parse::{DELIMITER, HEADER};
use postoffice::mime::{NewPart, Outgoing};
use proptest::prelude::*;
use std::path::Path;

fn letters() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut letters = Vec::new();
    for folder in
        ["tests/letters", "fuzz/corpus/letter", "fuzz/corpus/letter_body", "fuzz/corpus/header"]
    {
        letters.extend(
            std::fs::read_dir(root.join(folder))
                .unwrap()
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap()),
        );
    }
    letters
}

/// A letter with attachments of several kinds: every byte value, empty, and text that looks like
/// delimiters.
fn sample() -> Vec<u8> {
    let file = |name: &str, bytes: Vec<u8>| NewPart::attachment(name, "application/x-test", bytes);
    let mut letter = Outgoing {
        from: "joe@example.org".into(),
        text: "See the files.\n".into(),
        html: Some("<p>See</p>".into()),
        ..Outgoing::default()
    };
    letter.attachments = vec![
        file("all bytes.bin", (0..=255).collect()),
        file("empty", Vec::new()),
        file("grün.txt", "a=b \n--\n--x\n".repeat(9).into()),
    ];
    letter.build().unwrap()
}

#[test]
fn letters_of_the_tests_agree_at_every_cut() {
    for letter in letters().into_iter().chain([sample()]) {
        assert_agrees(&letter, &[1, 2, 3, 7, 64, 4096, letter.len().max(1)]);
        let expected = expected(&letter);
        if letter.len() < 3_000 {
            for at in 0..=letter.len() {
                let (before, behind) = letter.split_at(at);
                assert!(
                    extracted([before, behind]) == expected,
                    "cut at {at}: {}",
                    letter.escape_ascii()
                );
                assert_agrees(before, &[5, before.len().max(1)]); // a letter that ends at the cut
            }
        }
    }
}

#[test]
fn broken_letters_agree() {
    let multipart = "Content-Type: multipart/mixed; boundary=b\n";
    let attachment = "Content-Type: a/b; name=f\n";
    let many = 70_000;
    let table = [
        format!("{multipart}\n--b\n{attachment}Content-Transfer-Encoding: base64\n\naGVs!bG8\nbGxv=\nfooter\n"),
        format!("{multipart}\n--b\n{attachment}"),
        format!("{multipart}\n--b\n{attachment}no field\nmore\r\n\r\r\n--b--\n"),
        format!("{multipart}\n--b\nno header\n{attachment}\n\n--b--"),
        format!("{multipart}Content-Disposition: attachment; filename=whole\n\npreamble\n\n--b--\nepilogue\n"),
        format!("{multipart}Content-Disposition: attachment; filename=whole\n\npreamble\n\n--b\n{attachment}\nx\n--b--\nepilogue\n"),
        "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n".into(),
        format!(
            "{multipart}\n--b\nContent-Type: message/rfc822\n\n{multipart}\n--b\n{attachment}\nx\n--b--\n--b\n{attachment}\ny\n--b--\n"
        ),
        "Content-Type: multipart/digest; boundary=b\n\n--b\nno field\nContent-Type: multipart/mixed; boundary=c\n\n--c\n--b\n\nx\n--b--\n"
            .into(),
        format!(
            "{attachment}Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n#0V%T\nbroken\nbegin 644 y\n#0V%T\n`\nend\nbegin 644 z\nend\n"
        ),
        format!("{attachment}Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n#0V%T\nend of it\n"),
        "Content-Transfer-Encoding: uue\n\nbegin 644 x\nM8F5G:6X@-C0T(&D*(S!6)50*96YD\"@``\nend\nbegin 644 y\nend\n".into(),
        "Content-Transfer-Encoding: uue\n\nbegin 644 x\nM8F5G:6X@-C0T(&D*(S!6)50*96YD\"@``\n".into(),
        format!("\nbegin 644 {}\nend\nbegin 644 x\nend{}\nbegin 644 y\nend \t\r\n", "n".repeat(2_000), " ".repeat(2_000)),
        format!(
            "{attachment}Content-Transfer-Encoding: quoted-printable\n\na{}b=\t \r\nc{}\r\n=3D=3=4\r=\r\n=",
            " ".repeat(many),
            "\t".repeat(many)
        ),
        format!("{multipart}\n--b\n{attachment}\nx\n--b{}\ny\n--b{}\nz\n", " ".repeat(DELIMITER), " ".repeat(1000)),
        format!("{multipart}\n--b\n{attachment}\n--{}\n-", "x".repeat(2 * DELIMITER)),
        format!("X: {}\n\nx", "y".repeat(HEADER)),
        format!("Content-Type: a/b\nX: {}\n", "y".repeat(HEADER)),
        format!("Content-Type: a/b\nX: {}\n--{}", "y".repeat(HEADER - 30), "z".repeat(2 * DELIMITER)),
        format!("{multipart}\n--b\n{attachment}X: {}\n--b\nmore\n", "y".repeat(HEADER - 40)),
        "y".repeat(HEADER + 10),
        "From x\nContent-Type: a/b\n\nFrom y\n".into(),
    ];
    for letter in table {
        let sizes: &[usize] = if letter.len() > 100_000 {
            &[1, 4093, 65_536, 10_000_000]
        } else {
            &[1, 2, 3, 5, 8, 4093, 65_536]
        };
        for letter in [letter.clone(), letter.replace('\n', "\r\n")] {
            assert_agrees(letter.as_bytes(), sizes);
        }
    }
}

#[test]
fn the_limits_of_parts_and_files_agree() {
    let nested: String = (0..120)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
        .collect();
    assert_eq!(assert_agrees(nested.as_bytes(), &[1, 1_000]).len(), 1);
    assert_eq!(
        assert_agrees("Content-Type: message/rfc822\n\n".repeat(120).as_bytes(), &[1, 1_000]).len(),
        1
    );
    let most = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: a/b\n\nx\n".repeat(100_050)
    );
    assert_eq!(assert_agrees(most.as_bytes(), &[10_000]).len(), 99_999);
    let files = format!("\n{}", "begin 644 x\nend\n".repeat(100_050));
    assert_eq!(assert_agrees(files.as_bytes(), &[10_000]).len(), 100_000);
}

const DELIMITERS: [&str; 9] =
    ["--b", "--b", "--b", "--c", "--c", "--b--", "--c--", "--b \t", "--b----"];
const FIELDS: [&str; 20] = [
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: multipart/alternative; boundary=c",
    "Content-Type: multipart/digest; boundary=\"b--\"",
    "Content-Type: multipart/mixed",
    "Content-Type: message/rfc822",
    "Content-Type: message/delivery-status",
    "Content-Type: text/plain; name=t",
    "Content-Type: text/csv; name=\"a b.csv\"",
    "Content-Type: image/png",
    "Content-Disposition: attachment; filename=f",
    "Content-Disposition: inline; filename=g",
    "Content-Disposition: attachment",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: x-uuencode",
    "Content-Transfer-Encoding: 8bit",
    "From x",
    "Subject: x",
    " folded",
    "no field",
];
const CONTENT: [&str; 18] = [
    "",
    "x",
    " ",
    "\r",
    "--",
    "--bb",
    "aGVsbG8=",
    "a=3Db =4 == =\t",
    "=",
    "aGVs=C3=a9 =\t ",
    "begin 644 cat.txt",
    "#0V%T",
    "#0V%T",
    "end",
    "end",
    "`",
    "M8F5G:6X@-C0T(&D*(S!6)50*96YD\"@``",
    "no uu",
];

/// Generates up to `most` of these lines, with line ends of all kinds.
fn lines(of: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let end = prop_oneof![8 => Just("\n"), 4 => Just("\r\n"), 1 => Just("\r\r\n"), 1 => Just("")];
    proptest::collection::vec((prop::sample::select(of), end), 0..=most)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end]).collect())
}

/// Generates a letter whose parts are randomly nested, closed and broken.
fn any_letter() -> impl Strategy<Value = Vec<u8>> {
    let blank = prop_oneof![6 => Just("\n"), 3 => Just("\r\n"), 1 => Just("")];
    let part = (
        lines(&FIELDS, 4),
        blank,
        lines(&CONTENT, 6),
        prop::sample::select(&DELIMITERS[..]),
        prop_oneof![Just("\n"), Just("\r\n")],
    );
    let start = prop_oneof![3 => Just(FIELDS[0]), 1 => Just(FIELDS[1]), 2 => Just("")];
    (start, proptest::collection::vec(part, 1..12)).prop_map(|(start, parts)| {
        let mut letter = start.to_owned();
        letter.push_str(if start.is_empty() { "" } else { "\n" });
        for (header, blank, body, delimiter, end) in parts {
            letter.extend([&header, blank, &body, delimiter, end]);
        }
        letter.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn any_letter_agrees_in_any_pieces(letter in any_letter(), mut cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let expected = expected(&letter);
        for size in [1, 2, 3, 11, letter.len().max(1)] {
            prop_assert_eq!(&extracted(letter.chunks(size)), &expected);
        }
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(letter.len() + 1)).collect();
        cuts.extend([0, letter.len()]);
        cuts.sort_unstable();
        prop_assert_eq!(&extracted(cuts.windows(2).map(|cut| &letter[cut[0]..cut[1]])), &expected);
    }
}
