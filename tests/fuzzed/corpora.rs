//! Every invariant of the parsers and printers holds for the fuzzer's corpora and for this
//! project's own letters, transcripts and scripts.

use crate::checks::{CHECKS, check};
#[cfg(feature = "host")]
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files of one of the project's folders, sorted. Fails if there are none.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(project().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// Runs the check `name` on each file of a folder. Returns the files that failed; the panic message
/// has been printed by then.
fn check_files(name: &str, folder: &str) -> Vec<String> {
    let holds = |path: &PathBuf| {
        let data = fs::read(path).unwrap();
        catch_unwind(|| check(name, &data)).is_ok()
    };
    let failed = files(folder).into_iter().filter(|path| !holds(path));
    failed
        .map(|path| format!("{name}: {}", path.strip_prefix(project()).unwrap_or(&path).display()))
        .collect()
}

#[test]
fn what_the_fuzzer_found_holds() {
    let failed: Vec<String> = CHECKS
        .iter()
        .flat_map(|(name, _)| check_files(name, &format!("fuzz/corpus/{name}")))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_projects_own_files_hold() {
    let own = [
        ("letter", "tests/letters"),
        ("header", "tests/letters"),
        ("transcript", "tests/golden"),
        ("reader", "tests/scheme/success"),
        ("expander", "tests/scheme/success"),
        ("reader", "scripts"),
        ("expander", "scripts"),
    ];
    let known = own.iter().filter(|(name, _)| CHECKS.iter().any(|(check, _)| check == name));
    let failed: Vec<String> = known.flat_map(|(name, folder)| check_files(name, folder)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
#[cfg(feature = "host")]
fn every_check_has_its_target_and_every_target_its_check() {
    let manifest = fs::read_to_string(project().join("fuzz/Cargo.toml")).unwrap();
    let name_of = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let targets: BTreeSet<String> = files("fuzz/targets").iter().map(name_of).collect();
    let names: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, names);
    for name in names {
        let target = fs::read_to_string(project().join(format!("fuzz/targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("postoffice_fuzz::check(\"{name}\", data)")), "{target}");
        assert!(
            manifest
                .contains(&format!("[[bin]]\nname = \"{name}\"\npath = \"targets/{name}.rs\"\n")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}
