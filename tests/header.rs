//! `include/kentro.h` is what cbindgen makes of `src/ffi`, plus the macros
//! that maturin's cffi step could not parse, and what it declares is what
//! `tests/abi/declarations.txt` holds. `KENTRO_BLESS=1 cargo test --test header`
//! writes both anew.
//!
//! A line of declarations.txt that was there in a release stays as it is:
//! programs have been compiled against it. New ones may come.

use std::fs;
use std::path::Path;

#[test]
fn header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = header(root);
    holds(root, "include/kentro.h", &header);
    let declarations = declarations(&header);
    holds(root, "tests/abi/declarations.txt", &declarations);
    for name in declarations.lines().filter_map(declared_name) {
        assert!(
            name.starts_with("kentro_") || name.starts_with("KENTRO_"),
            "cbindgen takes every pub constant of the crate, and its type: make it pub(super), \
             or exclude it in cbindgen.toml: {name}"
        );
    }
}

/// Every function tells since which version it is there.
#[test]
fn functions_have_since_notes() {
    let header = header(Path::new(env!("CARGO_MANIFEST_DIR")));
    let comments = header.split("*/\nKENTRO_API\n").collect::<Vec<_>>();
    assert!(comments.len() > 50);
    for pair in comments.windows(2) {
        let comment = pair[0].rsplit("/**").next().unwrap();
        let function = pair[1].lines().next().unwrap();
        let since = comment.split("Since ").nth(1).unwrap_or_default();
        let version = since.split_whitespace().next().unwrap_or_default();
        let numbers = version.trim_end_matches('.').split('.');
        let is_version =
            numbers.clone().count() == 2 && numbers.flat_map(str::parse::<u32>).count() == 2;
        assert!(
            is_version,
            "the comment lacks a note like \"Since 0.3.\": {function}"
        );
    }
}

/// Is the file what it should be? Makes it so where blessed.
fn holds(root: &Path, name: &str, expected: &str) {
    let path = root.join(name);
    if std::env::var_os("KENTRO_BLESS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let gone = found
        .lines()
        .find(|line| !expected.lines().any(|l| l == *line));
    let new = expected
        .lines()
        .find(|line| !found.lines().any(|l| l == *line));
    assert!(
        expected == found,
        "{name} differs from src/ffi; KENTRO_BLESS=1 cargo test --test header writes it anew\n\
         there, but not expected: {gone:?}\nexpected, but not there: {new:?}",
    );
}

/// What a compiler sees, a line each, sorted: constants, types, and functions
/// with the types and names of their arguments.
fn declarations(header: &str) -> String {
    let begin = header.find(VERSION_COMMENT).unwrap();
    let mut code = String::new();
    for (i, piece) in header[begin..].split("/*").enumerate() {
        code.push_str(match i {
            0 => piece,
            _ => piece.split_once("*/").unwrap().1,
        });
    }
    let mut lines = Vec::new();
    let mut statement = String::new();
    let mut depth = 0;
    for line in code
        .lines()
        .map(|line| line.split("//").next().unwrap().trim())
    {
        if let Some(constant) = line.strip_prefix("#define KENTRO_") {
            // The version changes with each release, others never.
            if !constant.starts_with("VERSION") && !constant.starts_with("API") && constant != "H" {
                lines.push(line.to_string());
            }
        }
        if line.is_empty() || line.starts_with('#') || line.starts_with("extern") || line == "}" {
            continue;
        }
        statement.push_str(line.trim_start_matches("KENTRO_API"));
        statement.push(' ');
        depth += line.matches('{').count();
        depth -= line.matches('}').count();
        if depth == 0 && line.ends_with(';') {
            let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(words.replace("( ", "("));
            statement.clear();
        }
    }
    assert!(statement.is_empty(), "{statement}");
    lines.sort();
    lines.join("\n") + "\n"
}

/// What a line of declarations declares.
fn declared_name(line: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(constant) = line.strip_prefix("#define ") {
        return constant.split(' ').next();
    }
    let before = match (line.split_once("(*"), line.split_once('(')) {
        (Some((_, name)), _) => return name.split(')').next(), // a type of functions
        (None, Some((before, _))) => before,
        (None, None) => line.trim_end_matches(';'),
    };
    before.rsplit(|c| !is_word(c)).next()
}

fn header(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(text.is_ascii(), "some tools read headers as ASCII");
    // C90 knows no other comments.
    let text = text.replace("// __cplusplus", "/* __cplusplus */");
    let mut header = String::new();
    // Tags for the records, by which programs may announce them.
    let mut text = text;
    for name in ["kentro_progress", "kentro_observer"] {
        let end = text.find(&format!("\n}} {name};")).unwrap();
        let begin = text[..end].rfind("typedef struct {").unwrap() + "typedef struct ".len();
        text.insert_str(begin, &format!("{name} "));
    }
    for line in text.lines() {
        let code = line.starts_with(|c: char| c.is_ascii_lowercase());
        if code && !line.starts_with("typedef") && line.contains("kentro_") && line.contains('(') {
            header.push_str("KENTRO_API\n");
        }
        header.push_str(line);
        header.push('\n');
    }
    let includes = "#include <stdint.h>\n";
    assert_eq!(header.matches(includes).count(), 1);
    header.replace(includes, &format!("{includes}{}", macros()))
}

const VERSION_COMMENT: &str =
    "/* The version of this header; kentro_version() is that of the library. */";

fn macros() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    format!(
        "
{VERSION_COMMENT}
#define KENTRO_VERSION_MAJOR {major}
#define KENTRO_VERSION_MINOR {minor}
#define KENTRO_VERSION_PATCH {patch}
#define KENTRO_VERSION \"{version}\"

/* Where functions come from. On Windows from the DLL: define KENTRO_STATIC if
 * they come from the static library. Define KENTRO_API to say otherwise. */
#ifndef KENTRO_API
#if defined(_WIN32) && !defined(KENTRO_STATIC)
#define KENTRO_API __declspec(dllimport)
#elif defined(__GNUC__) && __GNUC__ >= 4
#define KENTRO_API __attribute__((visibility(\"default\")))
#else
#define KENTRO_API
#endif
#endif

/* A num_threads that stands for all the cores this process may use, or for
 * as many as kentro_set_default_threads or KENTRO_NUM_THREADS in the
 * environment say. */
#define KENTRO_ALL_THREADS SIZE_MAX
"
    )
}
