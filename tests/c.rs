//! Compiles the C programs (tests/c, the quickstart, the documentation's) with
//! every warning on, and runs them against the shared library that cargo built
//! for this test.
//!
//! `CC` names another compiler, `CFLAGS` adds flags:
//! `CFLAGS=-fsanitize=address,undefined cargo test --test c`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILD: &str = env!("CARGO_TARGET_TMPDIR");

fn compile(source: &Path, name: &str) -> PathBuf {
    let program = Path::new(BUILD).join(name);
    let test = env::current_exe().unwrap();
    let libraries = test.parent().unwrap().display();
    let status = Command::new(env::var("CC").unwrap_or("gcc".into()))
        .args("-std=c99 -g -O1 -Wall -Wextra -Werror -pedantic -Wconversion".split(' '))
        .args(env::var("CFLAGS").unwrap_or_default().split_whitespace())
        .arg(format!("-I{ROOT}/include"))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .args([format!("-L{libraries}"), format!("-Wl,-rpath,{libraries}")])
        .args(["-lkentro", "-lpthread", "-lm"])
        .status()
        .expect("a C compiler; install gcc or set CC");
    assert!(status.success(), "{} does not compile", source.display());
    program
}

/// Runs a program in the project's folder.
fn run(program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(ROOT).output().unwrap()
}

/// What a program prints that must succeed and complain of nothing.
fn printed(program: &Path) -> String {
    let output = run(program, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{text}{errors}"
    );
    text
}

/// Runs a program of tests; all must pass, and there must be some.
fn test(name: &str) {
    let source = Path::new(ROOT).join(format!("tests/c/{name}.c"));
    let text = printed(&compile(&source, &format!("c-{name}")));
    print!("{text}");
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed > 0);
    assert!(text.ends_with(&format!("{passed} passed, 0 failed\n")));
}

#[test]
fn errors() {
    test("errors");
}

#[test]
fn points() {
    test("points");
}

#[test]
fn model() {
    test("model");
}

#[test]
fn callbacks() {
    test("callbacks");
}

#[test]
fn threads() {
    test("threads");
}

/// Sanitizers reserve more addresses than the test allows.
#[test]
fn memory() {
    if env::var("CFLAGS").is_ok_and(|flags| flags.contains("-fsanitize")) {
        return;
    }
    test("memory");
}

#[test]
fn quickstart() {
    let source = Path::new(ROOT).join("examples/quickstart.c");
    let program = compile(&source, "c-quickstart");
    let text = printed(&program);
    assert!(text.starts_with("1797 handwritten digits, 64 pixels each, 10 clusters\n\n"));
    for kind in ["cosine", "euclidean", "balanced", "medoids"] {
        assert!(text.contains(&format!("\n{kind:<10} inertia ")), "{text}");
    }
    for sizes in text
        .lines()
        .filter_map(|line| line.strip_prefix("  sizes "))
    {
        let sizes = sizes.split_whitespace().map(|size| size.parse::<usize>());
        assert_eq!(sizes.sum::<Result<usize, _>>(), Ok(1797));
    }
    assert_eq!(text.matches(" is a ").count(), 10, "{text}");

    let output = run(&program, &["no/such/file.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(error, "quickstart: no/such/file.csv: cannot be read\n");
}

/// The documentation shows whole programs.
#[test]
fn documented_programs() {
    let mut programs = 0;
    for page in ["README.md", "docs/c.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        for block in text.split("```c\n").skip(1) {
            let code = block.split("```").next().unwrap();
            programs += 1;
            let name = format!("c-documented-{programs}");
            let source = Path::new(BUILD).join(format!("{name}.c"));
            fs::write(&source, code).unwrap();
            assert!(!printed(&compile(&source, &name)).is_empty());
        }
    }
    assert!(programs > 0);
}
