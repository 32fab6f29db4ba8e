//! The examples of a model's life (examples/lifecycle.*, bindings/python has
//! another) in C, C++ and Rust: one process trains, is cancelled, stops and
//! saves, another loads and asks. All print examples/lifecycle.txt, and each asks
//! the model that each other trained. `KENTRO_BLESS=1` writes that text.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILD: &str = env!("CARGO_TARGET_TMPDIR");

fn model_of(language: &str) -> PathBuf {
    Path::new(BUILD).join(format!("lifecycle-{language}.safetensors"))
}

/// What a command prints that must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.current_dir(ROOT).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compiles an example against the static library that cargo built for this test.
fn compile(language: &str, compiler: &str, variable: &str, standard: &str) -> Command {
    let program = Path::new(BUILD).join(format!("lifecycle-{language}"));
    let library = env::current_exe().unwrap().with_file_name("libkentro.a");
    let mut command = Command::new(env::var(variable).unwrap_or(compiler.into()));
    command
        .args([
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            standard,
            "-Iinclude",
            "-o",
        ])
        .arg(&program)
        .args([
            Path::new(&format!("examples/lifecycle.{language}")),
            &library,
        ])
        .args(["-lpthread", "-ldl", "-lm"]);
    printed(&mut command);
    Command::new(program)
}

fn rust() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--example", "lifecycle", "--"]);
    command
}

#[test]
fn examples_print_the_same_and_read_each_others_models() {
    let mut programs = [
        ("rs", rust()),
        ("c", compile("c", "gcc", "CC", "-std=c99")),
        ("cpp", compile("cpp", "g++", "CXX", "-std=c++17")),
    ];
    let trained = programs.each_mut().map(|(language, program)| {
        let text = printed(program.arg("train").arg(model_of(language)));
        assert!(text.contains("trained and cancelled: "), "{text}");
        assert!(text.contains(", a whole model\n"), "{text}");
        text
    });
    let mut asked = Vec::new();
    for (language, program) in programs {
        for other in ["rs", "c", "cpp"] {
            let mut again = Command::new(program.get_program());
            again.args(
                program
                    .get_args()
                    .take_while(|argument| *argument != "train"),
            );
            asked.push((
                language,
                other,
                printed(again.arg("ask").arg(model_of(other))),
            ));
        }
    }
    let expected = Path::new(ROOT).join("examples/lifecycle.txt");
    if env::var_os("KENTRO_BLESS").is_some() {
        fs::write(&expected, [&trained[0][..], &asked[0].2].concat()).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap();
    let (train, ask) = expected.split_at(expected.find("loaded: ").unwrap());
    assert_eq!(trained, [train; 3]);
    for (language, other, text) in asked {
        assert_eq!(text, ask, "{language} asks the model of {other}");
    }
    assert_eq!(
        fs::read(model_of("c")).unwrap(),
        fs::read(model_of("rs")).unwrap()
    );
}
