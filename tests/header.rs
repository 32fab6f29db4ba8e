//! `include/kentro.h` is what cbindgen makes of `src/ffi`, plus the macros
//! that maturin's cffi step could not parse. `KENTRO_BLESS=1 cargo test --test
//! header` writes it anew.

use std::fs;
use std::path::Path;

#[test]
fn header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("include/kentro.h");
    let expected = header(root);
    if std::env::var_os("KENTRO_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected
        .lines()
        .zip(found.lines())
        .position(|(expected, found)| expected != found);
    assert!(
        expected == found,
        "include/kentro.h differs from src/ffi at line {}; \
         run KENTRO_BLESS=1 cargo test --test header",
        differs.map_or(found.lines().count(), |line| line + 1),
    );
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
    for name in text
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
    {
        let ours = name.starts_with("KENTRO_");
        assert!(
            ours,
            "cbindgen takes every pub constant: make it pub(super): {name}"
        );
    }
    // C90 knows no other comments.
    let text = text.replace("// __cplusplus", "/* __cplusplus */");
    let includes = "#include <stdint.h>\n";
    assert_eq!(text.matches(includes).count(), 1);
    text.replace(includes, &format!("{includes}{}", macros()))
}

fn macros() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    format!(
        "
/* The version of this header; kentro_version() is that of the library. */
#define KENTRO_VERSION_MAJOR {major}
#define KENTRO_VERSION_MINOR {minor}
#define KENTRO_VERSION_PATCH {patch}
#define KENTRO_VERSION \"{version}\"

/* A num_threads that stands for all the cores this process may use, or for
 * as many as kentro_set_default_threads or KENTRO_NUM_THREADS in the
 * environment say. */
#define KENTRO_ALL_THREADS SIZE_MAX
"
    )
}
