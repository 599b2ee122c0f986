//! Files in scripts: their bytes, their names, folders, and ports on strings. What an untrusted
//! script may do with them is in `untrusted`.

use crate::common_lisp::{Language, check};
use std::path::Path;

/// Evaluates forms in one host, with `@` for the folder.
fn check_in(folder: &Path, table: &[(&str, &str)]) {
    let mut language = Language::new();
    let folder = folder.display().to_string();
    for (form, expected) in table {
        let shown = language.shows(&form.replace('@', &folder));
        assert_eq!(shown.replace(&folder, "@"), *expected, "{form}");
    }
}

#[test]
fn bytes_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    check_in(
        folder.path(),
        &[
            (
                "(with-open-file (out \"@/a\" :direction :output :element-type '(unsigned-byte 8)) (write-byte 255 out) (write-byte 0 out) (write-sequence (bytes 1 2 3 4) out :start 1 :end 3) (princ \"é\" out))",
                "\"é\"",
            ),
            (
                "(with-open-file (in \"@/a\" :element-type '(unsigned-byte 8)) (loop for byte = (read-byte in nil nil) while byte collect byte))",
                "(255 0 2 3 195 169)",
            ),
            (
                "(with-open-file (in \"@/a\") (let ((buffer (make-bytevector 4 9))) (list (read-sequence buffer in :start 1) (bytes->list buffer) (read-sequence buffer in) (bytes->list buffer) (read-sequence buffer in) (eof-object? (read-byte in)))))",
                "(4 (9 255 0 2) 3 (3 195 169 2) 0 t)",
            ),
            (
                "(with-open-file (in \"@/a\") (read-byte in t) (read-byte in t) (read-char in))",
                "#\\x2",
            ),
            (
                "(with-open-file (in \"@/a\") (read-sequence (make-bytevector 9) in) (read-byte in t))",
                "error: read-byte: the file has ended",
            ),
            (
                "(with-open-file (in \"@/a\") (write-byte 1 in))",
                "error: output: the port was opened for input",
            ),
            (
                "(with-open-file (in \"@/a\") (read-sequence (bytes 1) in :start 2))",
                "error: read-sequence: expected :start and :end within a length of 1, got 2 and 1",
            ),
            (
                "(with-open-file (in \"@/a\") (read-sequence \"x\" in))",
                "error: read-sequence: expected a bytevector, got \"x\"",
            ),
            ("(write-byte 256 5)", "error: write-byte: expected a number from 0 to 255, got 256"),
            ("(write-byte 1 t)", "error: write-byte: expected a port on a file, got t"),
            (
                "(write-sequence (bytes 1) \"x\")",
                "error: write-sequence: expected a port on a file, got \"x\"",
            ),
        ],
    );
    assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"\xff\0\x02\x03\xc3\xa9");
}

#[test]
fn bytes_behind_a_datum_are_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), b"(a) \xff\xfe\x01\n").unwrap();
    check_in(
        folder.path(),
        &[(
            "(with-open-file (p \"@/data\") (list (read p) (read-byte p) (read-byte p) (read-byte p) (read-byte p)))",
            "((a) 32 255 254 1)",
        )],
    );
}

#[test]
fn strings_are_read_as_files_are() {
    check(&[
        (
            "(with-input-from-string (in \"ab\\ncd\") (list (read-char in) (values (read-line in)) (values (read-line in)) (read-line in nil :end)))",
            "(#\\a \"b\" \"cd\" :end)",
        ),
        ("(with-input-from-string (in \"abcdef\" :start 1 :end 3) (read-string in))", "\"bc\""),
        (
            "(with-input-from-string (in \"äb\") (list (peek-char nil in) (read-char in) (read-byte in)))",
            "(#\\ä #\\ä 98)",
        ),
        ("(eof-object? (read-char (make-string-input-stream \"\")))", "t"),
        ("(read-string (make-string-input-stream \"abc\" 1))", "\"bc\""),
        ("(read-string (make-string-input-stream \"abc\" 1 2))", "\"b\""),
        (
            "(let ((in (open-input-string \"ab\"))) (list (read-char in) (close in) (handler-case (read-char in) (error () :closed))))",
            "(#\\a t :closed)",
        ),
        (
            "(make-string-input-stream 5)",
            "error: make-string-input-stream: expected a string, got 5",
        ),
        (
            "(with-input-from-string (in \"abc\" :start 9) in)",
            "error: with-input-from-string: expected :start and :end within a length of 3, got 9 and 3",
        ),
        (
            "(princ 1 (make-string-input-stream \"a\"))",
            "error: output: the port was opened for input",
        ),
    ]);
}

#[test]
fn files_are_renamed_copied_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.txt"), "a").unwrap();
    std::fs::write(at("b.eml"), "b").unwrap();
    std::fs::create_dir(at("deep")).unwrap();
    std::fs::write(at("deep/d.txt"), "d").unwrap();
    check_in(
        folder.path(),
        &[
            ("(directory \"@/\")", "(\"@/a.txt\" \"@/b.eml\" \"@/deep/\")"),
            ("(directory \"@/*.*\")", "(\"@/a.txt\" \"@/b.eml\" \"@/deep/\")"),
            ("(directory \"@/*.t?t\")", "(\"@/a.txt\")"),
            ("(directory \"@/a.txt\")", "(\"@/a.txt\")"),
            ("(directory \"@/none\")", "nil"),
            ("(directory \"@/none/*\")", "nil"),
            ("(directory \"@/*/\")", "(\"@/deep/\")"),
            ("(directory \"@/*/*\")", "(\"@/deep/d.txt\")"),
            ("(directory \"@/d?*/d.txt\")", "(\"@/deep/d.txt\")"),
            ("(directory \"@/*/none\")", "nil"),
            ("(directory \"@/x*/*\")", "nil"),
            ("(directory \"@/a.txt/*\")", "nil"),
            ("(directory \"@/none/*/*\")", "nil"),
            ("(directory \"@/**/*.*\")", "(\"@/a.txt\" \"@/b.eml\" \"@/deep/\" \"@/deep/d.txt\")"),
            ("(directory \"@/**/d.txt\")", "(\"@/deep/d.txt\")"),
            ("(directory \"@/**/\")", "(\"@/\" \"@/deep/\")"),
            ("(directory \"@/**/**/*.eml\")", "(\"@/b.eml\")"),
            ("(mapcar 'file-exists? '(\"@/a.txt\" \"@/deep\" \"@/none\"))", "(t t nil)"),
            ("(copy-file \"@/a.txt\" \"@/c\")", "\"@/c\""),
            (
                "(copy-file \"@/a.txt\" \"@/c\")",
                "error: copy-file: @/c: it exists already; :if-exists :supersede replaces it",
            ),
            ("(copy-file \"@/b.eml\" \"@/c\" :if-exists :supersede)", "\"@/c\""),
            ("(copy-file \"@/c\" \"@/c\" :if-exists :supersede)", "\"@/c\""),
            ("(with-open-file (in \"@/c\") (read-string in))", "\"b\""),
            ("(copy-file \"@/deep\" \"@/e\")", "error: copy-file: @/deep: it is not a file"),
            (
                "(copy-file \"@/a.txt\" \"@/deep\" :if-exists :supersede)",
                "error: copy-file: @/deep: it is a folder",
            ),
            (
                "(copy-file \"@/none\" \"@/e\")",
                "error: copy-file: @/none: No such file or directory (os error 2)",
            ),
            ("(rename-file \"@/a.txt\" \"b\")", "\"@/b.txt\""),
            (
                "(rename-file \"@/b.txt\" \"@/b.eml\")",
                "error: rename-file: @/b.eml: it exists already; :if-exists :supersede replaces it",
            ),
            ("(rename-file \"@/b.txt\" \"@/b.eml\" :if-exists :supersede)", "\"@/b.eml\""),
            ("(rename-file \"@/b.eml\" \"@/deep/\")", "\"@/deep/b.eml\""),
            (
                "(rename-file \"@/none\" \"@/x\")",
                "error: rename-file: @/none: No such file or directory (os error 2)",
            ),
            (
                "(rename-file \"@/c\" \"@/d\" :if-exists :rename)",
                "error: rename-file: expected :error or :supersede as :if-exists, got :rename",
            ),
            ("(rename-file \"@/c\" 5)", "error: rename-file: expected a string, got 5"),
            ("(directory \"@/\")", "(\"@/c\" \"@/deep/\")"),
            ("(directory \"@/deep/*\")", "(\"@/deep/b.eml\" \"@/deep/d.txt\")"),
            ("(< (abs (- (get-universal-time) (file-write-date \"@/deep/b.eml\"))) 600)", "t"),
            ("(handler-case (file-write-date \"@/none\") (:file (c) :none))", ":none"),
            ("(delete-file \"@/c\")", "t"),
            ("(handler-case (delete-file \"@/c\") (:file (c) :none))", ":none"),
            ("(delete-file 5)", "error: delete-file: expected a string, got 5"),
        ],
    );
}

#[cfg(unix)]
#[test]
fn a_copy_keeps_the_permissions_and_replaces_a_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a"), "a").unwrap();
    std::fs::set_permissions(at("a"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(at("kept"), "kept").unwrap();
    symlink("kept", at("link")).unwrap();
    check_in(
        folder.path(),
        &[("(copy-file \"@/a\" \"@/link\" :if-exists :supersede)", "\"@/link\"")],
    );
    assert_eq!(std::fs::read(at("kept")).unwrap(), b"kept");
    assert_eq!(std::fs::metadata(at("link")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn paths_have_parts() {
    check(&[
        (
            "(mapcar 'pathname-name '(\"/a/b.txt\" \"b.tar.gz\" \".profile\" \"b\" \"a/\" \"..\" \"b.\" \"\"))",
            "(\"b\" \"b.tar\" \".profile\" \"b\" nil \"..\" \"b\" nil)",
        ),
        (
            "(mapcar 'pathname-type '(\"/a/b.txt\" \"b.tar.gz\" \".profile\" \"b\" \"a.b/\" \"..\" \"b.\"))",
            "(\"txt\" \"gz\" nil nil nil nil \"\")",
        ),
        (
            "(mapcar 'directory-namestring '(\"/a/b.txt\" \"b.txt\" \"a/\" \"/b\"))",
            "(\"/a/\" \"\" \"a/\" \"/\")",
        ),
        (
            "(mapcar 'file-namestring '(\"/a/b.txt\" \"b.txt\" \"a/\"))",
            "(\"b.txt\" \"b.txt\" \"\")",
        ),
        ("(namestring \"a/b\")", "\"a/b\""),
        ("(merge-pathnames \"c\" \"/a/b.txt\")", "\"/a/c.txt\""),
        ("(merge-pathnames \"c.eml\" \"/a/b.txt\")", "\"/a/c.eml\""),
        ("(merge-pathnames \"d/c\" \"/a/b.txt\")", "\"/a/d/c.txt\""),
        ("(merge-pathnames \"/d/\" \"/a/b.txt\")", "\"/d/b.txt\""),
        ("(merge-pathnames \"c\")", "\"c\""),
        ("(merge-pathnames 'c)", "error: merge-pathnames: expected a string, got c"),
    ]);
}
