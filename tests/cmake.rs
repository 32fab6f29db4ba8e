//! Installs Kentro to a temporary prefix with CMake and builds and runs the
//! project in tests/cmake-project in each way that a user may choose.
//!
//! cmake and ninja come from `PATH` or `.venv/bin` (`make setup`); without
//! them, or without pkg-config, the tests that need them say so and pass.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn build_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cmake")
        .join(name)
}

/// `PATH` and the project's virtual environment.
fn search_path() -> OsString {
    let venv = Path::new(ROOT).join(".venv/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(env::split_paths(&path).chain([venv])).unwrap()
}

/// Are the tools there? Says which one isn't.
fn have(tools: &[(&str, &str)]) -> bool {
    tools.iter().all(|(tool, remedy)| {
        let found = env::split_paths(&search_path()).any(|folder| folder.join(tool).is_file());
        if !found {
            eprintln!("SKIPPED: {tool} is missing; install it with: {remedy}");
        }
        found
    })
}

fn have_cmake() -> bool {
    have(&[("cmake", "make setup"), ("ninja", "make setup")])
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> Output {
    let output = command.env("PATH", search_path()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// Configures and builds with Ninja; cargo's work is shared by all of them.
fn cmake(source: &Path, build: &Path, definitions: &[String]) {
    let cargo = build_dir("cargo");
    run(Command::new("cmake")
        .args(["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"])
        .arg(format!("-DKENTRO_CARGO_TARGET_DIR={}", cargo.display()))
        .args(definitions)
        .arg("-S")
        .arg(source)
        .arg("-B")
        .arg(build));
    // What is installed is what counts here, not its speed: quickly built.
    run(Command::new("cmake")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .arg("--build")
        .arg(build));
}

/// The prefix that Kentro is installed to, once for all tests.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let (build, prefix) = (build_dir("kentro"), build_dir("prefix"));
        if prefix.exists() {
            fs::remove_dir_all(&prefix).unwrap();
        }
        cmake(Path::new(ROOT), &build, &[]);
        run(Command::new("cmake")
            .arg("--install")
            .arg(build)
            .arg("--prefix")
            .arg(&prefix));
        prefix
    })
}

/// Major and minor version while the major one is 0.
fn soversion() -> String {
    match env!("CARGO_PKG_VERSION_MAJOR") {
        "0" => format!("0.{}", env!("CARGO_PKG_VERSION_MINOR")),
        major => major.into(),
    }
}

fn expect_two_clusters(program: &mut Command) {
    let text = stdout(program);
    assert_eq!(text, format!("Kentro {VERSION}: two clusters\n"));
}

/// Builds the consumer and runs its four programs.
fn consume(via: &str, definitions: &[String]) {
    let build = build_dir(via);
    if build.exists() {
        fs::remove_dir_all(&build).unwrap();
    }
    let definitions = [&[format!("-DKENTRO_VIA={via}")], definitions].concat();
    let project = Path::new(ROOT).join("tests/cmake-project");
    cmake(&project, &build, &definitions);
    for program in ["c-kentro", "c-static", "cpp-kentro", "cpp-static"] {
        expect_two_clusters(&mut Command::new(build.join(format!("consumer-{program}"))));
    }
}

#[test]
fn find_package() {
    if have_cmake() {
        let definitions = [
            format!("-DCMAKE_PREFIX_PATH={}", prefix().display()),
            format!("-DKENTRO_VERSION={VERSION}"),
        ];
        consume("find_package", &definitions);
    }
}

#[test]
fn add_subdirectory() {
    if have_cmake() {
        consume("add_subdirectory", &[]);
    }
}

#[test]
fn fetch_content() {
    if have_cmake() {
        consume("FetchContent", &[]);
    }
}

#[test]
fn installed_files() {
    if !have_cmake() {
        return;
    }
    let lib = prefix().join("lib");
    let soname = format!("libkentro.so.{}", soversion());
    let link = |name: &str| fs::read_link(lib.join(name)).unwrap();
    let file = format!("libkentro.so.{VERSION}");
    assert_eq!(link("libkentro.so"), Path::new(&file));
    assert_eq!(link(&soname), Path::new(&file));
    assert!(lib.join("libkentro.a").is_file());
    for header in ["kentro.h", "kentro.hpp"] {
        assert!(prefix().join("include").join(header).is_file());
    }
    // Only the soname may be needed by what links it.
    let dynamic = stdout(Command::new("readelf").arg("-d").arg(lib.join(file)));
    assert!(
        dynamic.contains(&format!("soname: [{soname}]")),
        "{dynamic}"
    );
}

/// Both libraries come of one call of cargo.
#[test]
fn the_crate_is_built_once() {
    if !have_cmake() {
        return;
    }
    prefix();
    let commands = stdout(
        Command::new("ninja")
            .arg("-C")
            .arg(build_dir("kentro"))
            .args(["-t", "commands"]),
    );
    assert_eq!(
        commands.matches(" rustc --release ").count(),
        1,
        "{commands}"
    );
}

/// The archive defines nothing but kentro_*, and so links, whole, beside
/// another archive that holds Rust's standard library.
#[test]
fn beside_another_rust_archive() {
    if !have_cmake() {
        return;
    }
    let archive = prefix().join("lib/libkentro.a");
    let symbols = stdout(
        Command::new("nm")
            .args(["--extern-only", "--defined-only"])
            .arg(&archive),
    );
    let names = symbols.lines().filter_map(|line| line.split_once(" T "));
    assert!(names.clone().count() > 50);
    assert!(
        names.clone().all(|(_, name)| name.starts_with("kentro_")),
        "{symbols}"
    );
    let others = symbols
        .lines()
        .filter(|line| !line.contains(" T ") && line.contains(' '));
    assert_eq!(others.count(), 0, "{symbols}");

    let folder = build_dir("two-archives");
    fs::create_dir_all(&folder).unwrap();
    let source = Path::new(ROOT).join("tests/cmake-project/other_archive.rs");
    let other = folder.join("libother.a");
    run(Command::new("rustc")
        .args(["--edition=2024", "--crate-type=staticlib", "-O", "-o"])
        .arg(&other)
        .arg(source));
    let program = folder.join("program");
    run(Command::new("gcc")
        .arg("-std=c99")
        .arg(format!("-I{}", prefix().join("include").display()))
        .arg(Path::new(ROOT).join("tests/cmake-project/two_archives.c"))
        .arg("-Wl,--whole-archive")
        .args([&archive, &other])
        .args(["-Wl,--no-whole-archive", "-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program));
    assert_eq!(
        stdout(&mut Command::new(program)),
        "status 0, 7 words, a panic caught\n"
    );
}

#[test]
fn unknown_components_are_refused() {
    if !have_cmake() {
        return;
    }
    let find = |components: &str| {
        let folder = build_dir("components");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let project = format!(
            "cmake_minimum_required(VERSION 3.16...4.0)\nproject(p LANGUAGES NONE)\n\
             find_package(kentro REQUIRED CONFIG {components})\n"
        );
        fs::write(folder.join("CMakeLists.txt"), project).unwrap();
        let output = Command::new("cmake")
            .env("PATH", search_path())
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()))
            .args(["-G", "Ninja", "-B"])
            .arg(folder.join("build"))
            .arg("-S")
            .arg(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.success(),
            text.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    };
    assert!(find("").0);
    assert!(find("OPTIONAL_COMPONENTS gpu").0);
    let (found, text) = find("COMPONENTS gpu");
    assert!(
        !found && text.contains("kentro has no component gpu, nor any other"),
        "{text}"
    );
}

#[test]
fn pkg_config() {
    let package = "apt-get install pkg-config (or your system's package)";
    if !have_cmake() || !have(&[("pkg-config", package)]) {
        return;
    }
    // A prefix that has been moved must do as well.
    let moved = build_dir("moved");
    let _ = fs::remove_dir_all(&moved);
    run(Command::new("cp").arg("-a").arg(prefix()).arg(&moved));
    let pc_path = moved.join("lib/pkgconfig");
    let flags = |arguments: &[&str]| -> Vec<String> {
        let text = stdout(
            Command::new("pkg-config")
                .env("PKG_CONFIG_PATH", &pc_path)
                .args(arguments)
                .arg("kentro"),
        );
        text.split_whitespace().map(String::from).collect()
    };
    assert_eq!(flags(&["--modversion"]), [VERSION]);

    for (compiler, standard, source) in [
        ("gcc", "-std=c99", "consumer.c"),
        ("g++", "-std=c++17", "consumer.cpp"),
    ] {
        let compile = |program: &Path, first: &str, flags: Vec<String>| {
            run(Command::new(compiler)
                .args([standard, first, "-o"])
                .arg(program)
                .arg(Path::new(ROOT).join("tests/cmake-project").join(source))
                .args(flags));
        };
        let program = build_dir(&format!("{compiler}-shared"));
        compile(&program, "-Wall", flags(&["--cflags", "--libs"]));
        expect_two_clusters(Command::new(&program).env("LD_LIBRARY_PATH", moved.join("lib")));

        // The archive, whether or not the program is static as a whole.
        let program = build_dir(&format!("{compiler}-static"));
        let static_flags = flags(&["--static", "--cflags", "--libs"]);
        compile(&program, "-Wall", static_flags.clone());
        expect_two_clusters(&mut Command::new(&program));
        let dynamic = stdout(Command::new("readelf").arg("-d").arg(&program));
        assert!(!dynamic.contains("libkentro"), "{dynamic}");
        compile(&program, "-static", static_flags);
        expect_two_clusters(&mut Command::new(&program));
    }
}
