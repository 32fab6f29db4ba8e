//! Arrows go down only: what ARCHITECTURE.md says of the rooms of `src/`, held
//! against what their files import. Files of a room import each other, but no
//! more than two in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, floor by floor, the lowest first. A room imports from the floors
/// below its own alone.
const FLOORS: &[&[&str]] = &[
    &["system", "text"],
    &["error"],
    &["allocate"],
    &["owned"],
    &["rng", "threads", "kernels"],
    &["memory", "sort", "clusters", "metric", "ranges"],
    &["config", "points"],
    &["equal_rows", "totals", "unrepeated"],
    &["nearest"],
    &["fit", "seeding", "silhouette"],
    &["kmeans", "medoids"],
    &["balanced"],
    &["train", "file"],
    &["partial"],
    &["streamed"],
    &["model"],
    &["ffi"],
];

/// A file of `src/`: its module and the paths that it names, from the crate on.
struct File {
    module: Vec<String>,
    paths: Vec<Vec<String>>,
}

/// The code of a text, without its tests and comments, and without modules
/// within it, whose `super` it is.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut inner = false;
    let lines = code.lines().filter(|line| {
        let begins = line.starts_with(|c: char| c.is_alphabetic());
        inner |= begins && line.contains("mod ") && line.ends_with('{');
        let kept = !inner;
        inner &= *line != "}";
        kept
    });
    let lines = lines.map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of what follows `use`, or of one path.
fn expand(text: &str, found: &mut Vec<Vec<String>>) {
    let names = |path: &str| {
        let names = path
            .split("::")
            .map(|name| name.split(" as ").next().unwrap());
        let names = names.map(|name| name.trim().to_string());
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    let Some((before, list)) = text.split_once('{') else {
        found.push(names(text));
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                let mut inner = Vec::new();
                expand(&list[start..at], &mut inner);
                let inner = inner.into_iter().filter(|path| !path.is_empty());
                found.extend(inner.map(|path| [names(before), path].concat()));
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// The paths that the code of a module names, from the crate on.
fn paths(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let (mut found, mut rest) = (Vec::new(), String::new());
    let mut statements = code.split_inclusive(';');
    let mut modules = Vec::new();
    for statement in &mut statements {
        let is_word = |at: usize| !statement[..at].ends_with(|c: char| c.is_alphanumeric());
        let import = statement.rfind("use ").filter(|&at| is_word(at));
        match import {
            Some(at) => {
                rest.push_str(&statement[..at]);
                expand(statement[at + 4..].trim_end_matches(';'), &mut found);
            }
            None => rest.push_str(statement),
        }
        if let Some((_, name)) = statement.trim_end_matches(';').rsplit_once("mod ") {
            modules.push(name.to_string());
        }
    }
    // Paths in the code: what may be named, but for a module's privacy.
    let rest = rest.replace("pub(in crate::", "");
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for path in rest.split(|c| !is_path(c)) {
        let first = path.split("::").next().unwrap();
        if path.contains("::")
            && (["crate", "super", "self"].contains(&first)
                || modules.iter().any(|name| name == first))
        {
            expand(path, &mut found);
        }
    }
    for path in &mut found {
        let base = match path[0].as_str() {
            "crate" => Vec::new(),
            "super" => module[..module.len().max(1) - 1].to_vec(),
            "self" => module.to_vec(),
            _ => [module, &path[..1]].concat(),
        };
        *path = [&base[..], &path[1..]].concat();
    }
    found
}

fn visit(path: &Path, module: &[String], found: &mut Vec<File>) {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let mut own = module.to_vec();
    if !["src", "lib", "mod"].contains(&name) {
        own.push(name.to_string());
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), &own, found);
        }
    } else if path.extension().is_some_and(|end| end == "rs") && name != "tests" {
        let paths = paths(&code(&fs::read_to_string(path).unwrap()), &own);
        found.push(File { module: own, paths });
    }
}

fn files() -> Vec<File> {
    let mut found = Vec::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    visit(Path::new(root), &[], &mut found);
    found
}

/// Each room with the rooms that it imports from.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let files = files();
    let names: BTreeSet<&String> = files
        .iter()
        .filter_map(|file| file.module.first())
        .collect();
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for File { module, paths } in &files {
        let Some(own) = module.first() else {
            continue;
        };
        let others = paths.iter().filter_map(|path| path.first());
        let others = others.filter(|other| *other != own && names.contains(other));
        rooms
            .entry(own.clone())
            .or_default()
            .extend(others.cloned());
    }
    rooms
}

/// Each file with the files that it imports from: where a path leads, as far as
/// it names modules.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let files = files();
    let names: BTreeSet<String> = files.iter().map(|file| file.module.join("::")).collect();
    let target = |path: &[String]| {
        let longest = (1..=path.len()).rev().map(|len| path[..len].join("::"));
        longest.into_iter().find(|name| names.contains(name))
    };
    let imports = files.iter().map(|File { module, paths }| {
        let own = module.join("::");
        let others = paths.iter().filter_map(|path| target(path));
        let others = others.filter(|other| *other != own).collect();
        (own, others)
    });
    imports.collect()
}

/// All that can be reached from a file.
fn reached(from: &str, imports: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from.to_string()]);
    while let Some(file) = open.pop() {
        let others = imports[&file].iter();
        open.extend(others.filter(|&other| found.insert(other.clone())).cloned());
    }
    found
}

#[test]
fn arrows_go_down_only() {
    let floor = |room: &str| FLOORS.iter().position(|floor| floor.contains(&room));
    let mut wrong = Vec::new();
    for (room, imports) in rooms() {
        let Some(own) = floor(&room) else {
            wrong.push(format!("{room} has no floor"));
            continue;
        };
        for other in imports {
            let goes_down = floor(&other).is_some_and(|floor| floor < own);
            if !goes_down {
                wrong.push(format!("{room} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_more_than_two_files_import_each_other_in_a_circle() {
    let imports = imports();
    let names = imports.keys();
    let reached: BTreeMap<_, _> = names.map(|file| (file, reached(file, &imports))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let back = others.iter().filter(|other| reached[other].contains(*file));
        let circle: Vec<_> = back.collect();
        if circle.len() > 2 {
            circles.insert(circle);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn imports_are_read() {
    let text = "use crate::{a, b::{C, d as D}};\npub(crate) use super::e::F; // crate::no\n\
        mod sealed {\n    use super::no;\n}\nmod g;\npub(in crate::no) fn f() -> crate::h::J<g::K, L::M> {}\n\
        #[cfg(test)]\nmod tests {\nuse crate::no::N;";
    let module = ["x", "y"].map(String::from);
    let mut found = paths(&code(text), &module);
    for path in &mut found {
        *path = vec![path.join("::")];
    }
    let expected = ["a", "b::C", "b::d", "x::e::F", "h::J", "x::y::g::K"];
    assert_eq!(found.concat(), expected);
    let rooms = rooms();
    assert!(rooms["train"].contains("kmeans") && !rooms["kmeans"].contains("train"));
    let imports = imports();
    let from = |file: &str, other: &str| imports[file].contains(other);
    assert!(from("nearest::trees::pass", "nearest::trees"));
    assert!(from("balanced::random_swap", "balanced::fit"));
}
