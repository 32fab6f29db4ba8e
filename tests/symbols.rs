//! The shared library exports exactly the functions of tests/abi/symbols.txt,
//! which are those that the header declares. A name that has been released
//! stays: programs look for it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn listed() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi/symbols.txt");
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(String::from).collect()
}

#[test]
fn exports_are_those_listed() {
    let library = env::current_exe().unwrap().with_file_name("libkentro.so");
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library)
        .output()
        .expect("nm; install binutils");
    assert!(output.status.success());
    let exported: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(String::from)
        .collect();
    assert_eq!(exported, listed());
}

#[test]
fn declarations_are_those_listed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/kentro.h");
    let header = fs::read_to_string(path).unwrap();
    let declared: BTreeSet<String> = header
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter(|line| !line.starts_with("typedef"))
        .filter_map(|line| line.split('(').next()?.split([' ', '*']).next_back())
        .filter(|name| name.starts_with("kentro_"))
        .map(String::from)
        .collect();
    assert_eq!(declared, listed());
}
