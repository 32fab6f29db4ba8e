//! The shared library exports exactly the functions that the header declares
//! (tests/abi/declarations.txt, which tests/header.rs holds to the header), and
//! has the name that programs look for.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn library() -> PathBuf {
    env::current_exe().unwrap().with_file_name("libkentro.so")
}

/// What a tool of binutils prints about the library.
fn printed(tool: &str, options: &[&str]) -> String {
    let output = Command::new(tool).args(options).arg(library()).output();
    let output = output.expect("binutils; install them");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn declared() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi/declarations.txt");
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("typedef") && !line.starts_with("#define"))
        .filter_map(|line| line.split('(').next()?.split([' ', '*']).next_back())
        .map(String::from)
        .collect()
}

#[test]
fn exports_are_those_declared() {
    let text = printed("nm", &["-D", "--defined-only"]);
    let exported: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(String::from)
        .collect();
    assert_eq!(exported, declared());
}

/// Major and minor version while the major one is 0.
#[test]
fn the_soname_is_that_of_cmake_and_cargo_c() {
    let (major, minor) = (
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
    );
    let (version, components) = match major {
        "0" => (format!("0.{minor}"), 2),
        major => (major.into(), 1),
    };
    let dynamic = printed("readelf", &["-d"]);
    assert!(
        dynamic.contains(&format!("soname: [libkentro.so.{version}]")),
        "{dynamic}"
    );
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let setting = format!("version_suffix_components = {components} ");
    assert!(manifest.contains(&setting), "Cargo.toml: {setting}");
}
