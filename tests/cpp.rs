//! Compiles the C++ programs (tests/cpp, the quickstart, the documentation's)
//! with every warning on, and runs them.
//!
//! `CXX` names another compiler, `CXXFLAGS` adds flags:
//! `CXXFLAGS=-fsanitize=address,undefined cargo test --test cpp`.

mod file_of_rows;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILD: &str = env!("CARGO_TARGET_TMPDIR");

/// Compiles a file of one program against the static library that cargo built
/// for this test.
fn compile(source: &Path, name: &str) -> PathBuf {
    let program = Path::new(BUILD).join(name);
    let test = env::current_exe().unwrap();
    let status = Command::new(env::var("CXX").unwrap_or("g++".into()))
        .args("-std=c++17 -O1 -Wall -Wextra -Werror -pedantic -Wconversion".split(' '))
        .args(env::var("CXXFLAGS").unwrap_or_default().split_whitespace())
        .arg(format!("-I{ROOT}/include"))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .arg(test.with_file_name("libkentro.a"))
        .args(["-lpthread", "-ldl", "-lm"])
        .status()
        .expect("a C++ compiler; install g++ or set CXX");
    assert!(status.success(), "{} does not compile", source.display());
    program
}

/// Runs a program in the project's folder and returns what it prints.
fn run(program: &Path) -> String {
    let output = Command::new(program).current_dir(ROOT).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

/// Runs a program of tests; all must pass, and there must be some.
fn test(name: &str) {
    let source = Path::new(ROOT).join(format!("tests/cpp/{name}.cpp"));
    let text = run(&compile(&source, &format!("cpp-{name}")));
    print!("{text}");
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed > 0);
    assert!(text.ends_with(&format!("{passed} passed, 0 failed\n")));
}

#[test]
fn model() {
    test("model");
}

#[test]
fn points() {
    test("points");
}

#[test]
fn sources() {
    test("sources");
}

#[test]
fn errors() {
    test("errors");
}

#[test]
fn file() {
    test("file");
}

#[test]
fn callbacks() {
    test("callbacks");
}

/// The quickstart prints what the one in Rust prints.
#[test]
fn quickstart() {
    let source = Path::new(ROOT).join("examples/quickstart.cpp");
    let text = run(&compile(&source, "quickstart-cpp"));
    let rust = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--example", "quickstart"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(rust.status.success());
    assert_eq!(text, String::from_utf8(rust.stdout).unwrap());
}

/// A file of rows as a source: what the rows together come to.
#[test]
fn source_of_a_file() {
    let source = Path::new(ROOT).join("examples/source.cpp");
    let program = compile(&source, "source-cpp");
    file_of_rows::check_source(|arguments| {
        let mut command = Command::new(&program);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    });
}

/// The documentation shows whole programs.
#[test]
fn documented_programs() {
    let mut programs = 0;
    for page in ["README.md", "docs/cpp.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        for block in text.split("```cpp\n").skip(1) {
            let code = block.split("```").next().unwrap();
            programs += 1;
            let name = format!("documented-{programs}");
            let source = Path::new(BUILD).join(format!("{name}.cpp"));
            fs::write(&source, code).unwrap();
            run(&compile(&source, &name));
        }
    }
    assert!(programs >= 2);
}
