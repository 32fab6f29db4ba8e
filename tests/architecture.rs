//! Arrows go down only: what ARCHITECTURE.md says of the rooms of `src/`, held
//! against what their files import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, floor by floor, the lowest first. A room imports from the floors
/// below its own alone.
const FLOORS: &[&[&str]] = &[
    &["system", "text"],
    &["error"],
    &["allocate", "memory"],
    &["owned", "rng", "threads", "kernels"],
    &["sort", "clusters", "metric", "ranges"],
    &["config", "points"],
    &["equal_rows", "fit", "totals"],
    &["nearest"],
    &["seeding"],
    &["kmeans", "medoids"],
    &["balanced"],
    &["train", "file"],
    &["model"],
    &["ffi"],
];

/// The rooms that the text imports from, but for its tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = code
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(rest) => {
                // Names that stand first in a list that is not nested.
                let (mut depth, mut expected) = (0, true);
                let mut name = String::new();
                for c in rest.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expected = true,
                        c if expected && depth == 0 && (c.is_alphanumeric() || c == '_') => {
                            name.push(c);
                            continue;
                        }
                        _ => {}
                    }
                    if !name.is_empty() {
                        found.insert(std::mem::take(&mut name));
                        expected = c == ',';
                    }
                }
                found.extend((!name.is_empty()).then_some(name));
            }
            None => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                found.insert(rest[..end.unwrap_or(rest.len())].to_string());
            }
        }
    }
    // What begins with a capital is exported by `lib.rs`.
    found.retain(|name| name.starts_with(|c: char| c.is_lowercase()));
    found
}

fn visit(path: &Path, found: &mut BTreeSet<String>) {
    let name = path.file_name().unwrap().to_str().unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), found);
        }
    } else if name.ends_with(".rs") && name != "tests.rs" {
        found.extend(imports(&fs::read_to_string(path).unwrap()));
    }
}

/// Each room with the rooms that it imports from.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        if name != "lib" {
            visit(&path, rooms.entry(name).or_default());
        }
    }
    for (name, found) in &mut rooms {
        found.remove(name);
    }
    rooms
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
fn imports_are_read() {
    let text = "use crate::{a, b::{C, d}, e};\nuse crate::f::g; // crate::h\nlet x = crate::i::J;";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["a", "b", "e", "f", "i"]);
    assert!(rooms()["train"].contains("kmeans"));
}
