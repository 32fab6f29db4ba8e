//! Compiles the C programs (tests/c, the quickstart, the documentation's) with
//! every warning on, and runs them against the shared library that cargo built
//! for this test; where the compiler has them, with the address (leaks, too)
//! and undefined behaviour sanitizers.
//!
//! `CC` names another compiler, `CFLAGS` adds flags.

mod file_of_rows;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILD: &str = env!("CARGO_TARGET_TMPDIR");

const SANITIZERS: &str = "-fsanitize=address,undefined";

/// Compiles a file of one program; an error if it cannot be.
fn try_compile(source: &Path, name: &str, sanitized: bool) -> Result<PathBuf, String> {
    let program = Path::new(BUILD).join(name);
    let libraries = libraries().display();
    let output = Command::new(env::var("CC").unwrap_or("gcc".into()))
        .args("-std=c99 -g -O1 -Wall -Wextra -Werror -pedantic -Wconversion".split(' '))
        .args(sanitized.then_some(SANITIZERS))
        .args(env::var("CFLAGS").unwrap_or_default().split_whitespace())
        .arg(format!("-I{ROOT}/include"))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .args([format!("-L{libraries}"), format!("-Wl,-rpath,{libraries}")])
        .args(["-lkentro", "-lpthread", "-lm"])
        .output()
        .expect("a C compiler; install gcc or set CC");
    match output.status.success() {
        true => Ok(program),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A folder with the shared library that cargo built for this test, under the
/// names to link and to load it by.
fn libraries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(BUILD).join("lib");
        fs::create_dir_all(&folder).unwrap();
        let library = env::current_exe().unwrap().with_file_name("libkentro.so");
        let version = match env!("CARGO_PKG_VERSION_MAJOR") {
            "0" => concat!("0.", env!("CARGO_PKG_VERSION_MINOR")),
            major => major,
        };
        for name in ["libkentro.so", &format!("libkentro.so.{version}")] {
            let _ = fs::remove_file(folder.join(name));
            std::os::unix::fs::symlink(&library, folder.join(name)).unwrap();
        }
        folder
    })
}

fn compile(source: &Path, name: &str) -> PathBuf {
    try_compile(source, name, has_sanitizers()).unwrap_or_else(|error| panic!("{error}"))
}

/// Can programs be compiled with the sanitizers, and run?
fn has_sanitizers() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let source = Path::new(BUILD).join("c-empty.c");
        fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        try_compile(&source, "c-empty", true).is_ok_and(|empty| run(&empty, &[]).status.success())
    })
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
fn test(name: &str, sanitized: bool) {
    let source = Path::new(ROOT).join(format!("tests/c/{name}.c"));
    let program = try_compile(&source, &format!("c-{name}"), sanitized);
    let text = printed(&program.unwrap_or_else(|error| panic!("{error}")));
    print!("{text}");
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed > 0);
    assert!(text.ends_with(&format!("{passed} passed, 0 failed\n")));
}

#[test]
fn errors() {
    test("errors", has_sanitizers());
}

#[test]
fn points() {
    test("points", has_sanitizers());
}

#[test]
fn model() {
    test("model", has_sanitizers());
}

#[test]
fn callbacks() {
    test("callbacks", has_sanitizers());
}

#[test]
fn threads() {
    test("threads", has_sanitizers());
}

#[test]
fn blocks() {
    test("blocks", has_sanitizers());
}

#[test]
fn sources() {
    test("sources", has_sanitizers());
}

#[test]
fn file() {
    test("file", has_sanitizers());
}

#[test]
fn judging() {
    test("judging", has_sanitizers());
}

/// Sanitizers reserve more addresses than this program allows itself.
#[test]
fn memory() {
    test("memory", false);
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
    readme_shows(&text);

    let output = run(&program, &["no/such/file.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(error, "quickstart: no/such/file.csv: cannot be read\n");
}

/// What the README shows of `make demo` is what that prints; `KENTRO_BLESS=1
/// cargo test --test c quickstart` writes it there.
fn readme_shows(text: &str) {
    const START: &str = "```text\n";
    const END: &str = "\nC: the same text\n";
    let path = Path::new(ROOT).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(START).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if env::var_os("KENTRO_BLESS").is_some() {
        fs::write(&path, [before, START, text, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(
        shown, text,
        "the README shows this; KENTRO_BLESS=1 cargo test --test c quickstart mends it"
    );
    // Python's tests compare what other pages show, but for a drawing.
    let compared = [
        "README.md",
        "ARCHITECTURE.md",
        "cli.md",
        "python.md",
        "sklearn.md",
        "scale.md",
    ];
    for folder in ["", "docs", "docs/algorithms", "bindings/python"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let page = entry.unwrap().path();
            let name = page.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".md") && !compared.contains(&name) {
                let text = fs::read_to_string(&page).unwrap();
                assert!(!text.contains(START), "{name} shows what nothing compares");
            }
        }
    }
}

/// Sparse rows; Python's example prints the same.
#[test]
fn topics_of_texts() {
    let program = compile(&Path::new(ROOT).join("examples/topics.c"), "c-topics");
    let expected = fs::read_to_string(Path::new(ROOT).join("examples/topics.txt")).unwrap();
    assert_eq!(printed(&program), expected);
}

/// A file of rows, block by block, in as many iterations as the rows together.
#[test]
fn blocks_of_a_file() {
    let source = Path::new(ROOT).join("examples/blocks.c");
    let program = try_compile(&source, "c-blocks-of-a-file", false);
    let program = program.unwrap_or_else(|error| panic!("{error}"));
    let (path, _) = file_of_rows::write("blocks.f32");
    let texts = ["1", "77", "1000"].map(|block| {
        let output = run(&program, &[path.to_str().unwrap(), "3", "4", block]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    });
    assert!(texts[0].ends_with("converged\n"), "{}", texts[0]);
    assert!(texts[0].lines().count() > 4);
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    let output = run(&program, &[path.to_str().unwrap(), "3", "1001", "10"]);
    assert_eq!(output.status.code(), Some(1));
}

/// A file of rows as a source: what the rows together come to.
#[test]
fn source_of_a_file() {
    let program = compile(&Path::new(ROOT).join("examples/source.c"), "c-source");
    file_of_rows::check_source(|arguments| {
        let output = run(&program, arguments);
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    });
    // What the source says comes out.
    let output = run(&program, &[ROOT, "3", "4", "10"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.ends_with("the file cannot be read\n"), "{text}");
}

/// Refuses allocations, a few of each kind of model; `make allocation-sweep`
/// refuses them all. On glibc only, whose allocator it stands before.
#[test]
#[cfg(target_env = "gnu")]
fn allocations() {
    let source = Path::new(ROOT).join("tests/c/allocations.c");
    let program = try_compile(&source, "c-allocations", false);
    let program = program.unwrap_or_else(|error| panic!("{error}"));
    let most = env::var("KENTRO_SWEEP").unwrap_or_default();
    let output = run(&program, &[&most]);
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(output.status.success(), "{text}");
}

/// Each function of the header, called with NULL and 0 for everything: those
/// that can fail say that they do, those that free take it.
#[test]
fn null_everywhere_is_an_error() {
    let path = Path::new(ROOT).join("tests/abi/declarations.txt");
    let mut calls = Vec::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let is_function = !line.starts_with("typedef") && !line.starts_with("#define");
        if !is_function || line.contains("kentro_error_new") {
            continue; // what that one makes had to be freed
        }
        let (before, arguments) = line.trim_end_matches(");").split_once('(').unwrap();
        let name = before.rsplit([' ', '*']).next().unwrap();
        let values = arguments.split(", ").filter(|argument| *argument != "void");
        let values = values.map(|argument| if argument.contains('*') { "NULL" } else { "0" });
        let call = format!("{name}({})", values.collect::<Vec<_>>().join(", "));
        calls.push(match before.starts_with("kentro_status ") {
            true => format!("    if ({call} == KENTRO_STATUS_OK) puts(\"{name}\");\n"),
            false => format!("    (void){call};\n"),
        });
    }
    assert!(calls.len() > 80);
    let source = Path::new(BUILD).join("c-null.c");
    let head = "#include <kentro.h>\n#include <stdio.h>\n\nint main(void)\n{\n";
    fs::write(
        &source,
        [head, &calls.concat(), "    return 0;\n}\n"].concat(),
    )
    .unwrap();
    assert_eq!(printed(&compile(&source, "c-null")), "");
}

#[test]
fn the_header_is_c90() {
    let source = Path::new(BUILD).join("c-c90.c");
    fs::write(
        &source,
        "#include <kentro.h>\nint main(void) { return 0; }\n",
    )
    .unwrap();
    let status = Command::new(env::var("CC").unwrap_or("gcc".into()))
        .args("-std=c90 -pedantic -Wall -Wextra -Werror -fsyntax-only".split(' '))
        .arg(format!("-I{ROOT}/include"))
        .arg(&source)
        .status()
        .unwrap();
    assert!(status.success());
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
