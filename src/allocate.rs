//! Memory that may be refused: what is sized by the caller's input, or grows
//! with it, comes from here and ends in an error where the standard library
//! would end the process.

use crate::error::{KMeansError, Result};
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

#[cold]
fn refused<T>(len: usize, purpose: &'static str) -> KMeansError {
    KMeansError::out_of_memory(len.saturating_mul(size_of::<T>()), purpose)
}

/// `None` where there is no memory for what can be done without.
pub(crate) fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(KMeansError::OutOfMemory { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes room for exactly `additional` more values.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, additional: usize, purpose: &'static str) -> Result<()> {
    vec.try_reserve_exact(additional)
        .map_err(|_| refused::<T>(vec.len().saturating_add(additional), purpose))
}

/// An empty vector with room for `len` values.
pub(crate) fn with_capacity<T>(len: usize, purpose: &'static str) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    reserve(&mut vec, len, purpose)?;
    Ok(vec)
}

/// A vector of `len` copies of `value`.
pub(crate) fn try_vec<T: Clone>(value: T, len: usize, purpose: &'static str) -> Result<Vec<T>> {
    let mut vec = with_capacity(len, purpose)?;
    vec.resize(len, value);
    Ok(vec)
}

/// Changes the length of a vector, in amortised constant time a value.
pub(crate) fn resize<T: Clone>(
    vec: &mut Vec<T>,
    len: usize,
    value: T,
    purpose: &'static str,
) -> Result<()> {
    grow(vec, len.saturating_sub(vec.len()), purpose)?;
    vec.resize(len, value);
    Ok(())
}

/// Appends a value, in amortised constant time.
pub(crate) fn push<T>(vec: &mut Vec<T>, value: T, purpose: &'static str) -> Result<()> {
    if vec.len() == vec.capacity() {
        grow(vec, 1, purpose)?;
    }
    vec.push(value);
    Ok(())
}

/// Inserts a value, in amortised constant time but for what moves up.
pub(crate) fn insert<T>(
    vec: &mut Vec<T>,
    at: usize,
    value: T,
    purpose: &'static str,
) -> Result<()> {
    push(vec, value, purpose)?;
    vec[at..].rotate_right(1);
    Ok(())
}

/// Adds a value to a heap.
pub(crate) fn push_to_heap<T: Ord>(
    heap: &mut BinaryHeap<T>,
    value: T,
    purpose: &'static str,
) -> Result<()> {
    if heap.len() == heap.capacity() {
        heap.try_reserve(1)
            .map_err(|_| refused::<T>(heap.len() + 1, purpose))?;
    }
    heap.push(value);
    Ok(())
}

/// Sets the value of a key.
pub(crate) fn set<K: Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    key: K,
    value: V,
    purpose: &'static str,
) -> Result<()> {
    map.try_reserve(1)
        .map_err(|_| refused::<(K, V)>(map.len() + 1, purpose))?;
    map.insert(key, value);
    Ok(())
}

/// An empty set with room for `len` values.
pub(crate) fn hash_set<T: Eq + Hash>(len: usize, purpose: &'static str) -> Result<HashSet<T>> {
    let mut set = HashSet::new();
    set.try_reserve(len)
        .map_err(|_| refused::<T>(len, purpose))?;
    Ok(set)
}

/// Appends the values of an iterator of any length.
pub(crate) fn extend<T>(
    vec: &mut Vec<T>,
    values: impl IntoIterator<Item = T>,
    purpose: &'static str,
) -> Result<()> {
    let values = values.into_iter();
    let expected = values.size_hint().0;
    grow(vec, expected, purpose)?;
    for value in values {
        push(vec, value, purpose)?;
    }
    Ok(())
}

/// The values of an iterator of any length, as a vector.
pub(crate) fn collect<T>(
    values: impl IntoIterator<Item = T>,
    purpose: &'static str,
) -> Result<Vec<T>> {
    let values = values.into_iter();
    let mut vec = with_capacity(values.size_hint().0, purpose)?;
    extend(&mut vec, values, purpose)?;
    Ok(vec)
}

/// Makes a vector a copy of a slice, in place of what it held.
pub(crate) fn refill<T: Copy>(vec: &mut Vec<T>, values: &[T], purpose: &'static str) -> Result<()> {
    vec.clear();
    append(vec, values, purpose)
}

/// Appends a slice, in amortised constant time a value.
pub(crate) fn append<T: Copy>(vec: &mut Vec<T>, values: &[T], purpose: &'static str) -> Result<()> {
    grow(vec, values.len(), purpose)?;
    vec.extend_from_slice(values);
    Ok(())
}

/// Makes room for `additional` more values, in amortised constant time a value.
pub(crate) fn grow<T>(vec: &mut Vec<T>, additional: usize, purpose: &'static str) -> Result<()> {
    vec.try_reserve(additional)
        .map_err(|_| refused::<T>(vec.len().saturating_add(additional), purpose))
}

/// A copy of a slice.
pub(crate) fn copy<T: Copy>(values: &[T], purpose: &'static str) -> Result<Vec<T>> {
    let mut vec = with_capacity(values.len(), purpose)?;
    vec.extend_from_slice(values);
    Ok(vec)
}

/// `value` as text that is a part of a result. Texts that are only told, in an
/// error say, may be lost instead: [`crate::text::text`].
pub(crate) fn text(value: impl Display, purpose: &'static str) -> Result<String> {
    let refused = |len| KMeansError::out_of_memory(len + 1, purpose);
    crate::text::try_text(value).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn what_cannot_be_had_is_an_error_that_names_the_bytes() {
        let most = usize::MAX;
        for error in [
            try_vec(0u64, most, "numbers").unwrap_err(),
            with_capacity::<u64>(most / 8, "numbers").unwrap_err(),
            resize(&mut vec![1u64], most, 0, "numbers").unwrap_err(),
            reserve(&mut vec![1u64], most, "numbers").unwrap_err(),
            grow(&mut vec![1u64], most, "numbers").unwrap_err(),
        ] {
            let KMeansError::OutOfMemory { bytes, purpose, .. } = error else {
                panic!("{error}");
            };
            assert!(bytes >= most / 16 && purpose == "numbers");
        }
    }

    #[test]
    fn vectors_hold_what_they_are_given() {
        let mut vec = collect((0..5).filter(|i| i % 2 == 0), "numbers").unwrap();
        push(&mut vec, 7, "numbers").unwrap();
        extend(&mut vec, [8, 9], "numbers").unwrap();
        resize(&mut vec, 7, 1, "numbers").unwrap();
        let mut again = vec![3; 2];
        refill(&mut again, &vec[..2], "numbers").unwrap();
        append(&mut again, &[5, 6], "numbers").unwrap();
        grow(&mut again, 100, "numbers").unwrap();
        assert!(again == [0, 2, 5, 6] && again.capacity() >= 104);
        insert(&mut vec, 1, 5, "numbers").unwrap();
        insert(&mut vec, 8, 6, "numbers").unwrap();
        assert_eq!(copy(&vec, "numbers").unwrap(), [0, 5, 2, 4, 7, 8, 9, 1, 6]);
    }

    #[test]
    fn heaps_and_maps_hold_what_they_are_given() {
        let (mut heap, mut map) = (BinaryHeap::new(), HashMap::new());
        for value in [3, 9, 4] {
            push_to_heap(&mut heap, value, "numbers").unwrap();
            set(&mut map, value % 3, value, "numbers").unwrap();
        }
        assert_eq!(heap.into_sorted_vec(), [3, 4, 9]);
        assert_eq!((map.len(), map[&0], map[&1]), (2, 9, 4));
    }

    /// Forms that end the process where memory is refused.
    const INFALLIBLE: [&str; 14] = [
        "vec![",
        "::with_capacity(",
        ".to_vec()",
        "collect::<Vec",
        ".collect()",
        "Box::new(",
        "format!(",
        ".to_string()",
        ".to_owned()",
        "String::from(",
        " Arc::new(",
        "::zeros(",
        ".with_init(",
        ".repeat(",
    ];

    /// Where they may stand, and why.
    const EXCEPTIONS: [(&str, &str); 4] = [
        ("allocate.rs", ""),                                   // is what the others call
        ("ffi/guard.rs", "panic::set_hook(Box::new(|info| {"), // captures nothing: no memory
        ("threads/pool.rs", "format!(\"kentro-{}\""), // of a thread, whose start needs more
        ("threads/pool.rs", "error.to_string()"),     // why a thread did not start
    ];

    /// Files under `folder`, but for those of tests.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }

    /// The code of every file, without comments and tests, by its name.
    fn code() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let read = |file: &PathBuf| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let lines = code.lines().map(|line| line.split("//").next().unwrap());
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
            (
                name.replace('\\', "/"),
                lines.collect::<Vec<_>>().join("\n"),
            )
        };
        files.iter().map(read).collect()
    }

    /// Those of `found` that no exception is made for.
    fn assert_none(found: &[String], advice: &str) {
        let found = found.join("\n");
        assert!(found.is_empty(), "{advice}:\n{found}");
    }

    #[test]
    fn nothing_else_in_the_crate_allocates_infallibly() {
        let mut found = Vec::new();
        for (name, code) in code() {
            for (number, line) in code.lines().enumerate() {
                let is_ours = line.contains("allocate::with_capacity(");
                let is_excepted = EXCEPTIONS
                    .iter()
                    .any(|(place, part)| *place == name && line.contains(part));
                if !is_ours && !is_excepted && INFALLIBLE.iter().any(|form| line.contains(form)) {
                    found.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
        assert_none(&found, "take the memory by crate::allocate");
    }

    /// Forms that may need more memory.
    const GROWING: [&str; 7] = [
        ".push(",
        ".extend(",
        ".extend_from_slice(",
        ".resize(",
        ".resize_with(",
        ".push_str(",
        ".insert(",
    ];

    /// What grows although no room was taken for it in the same file, and why.
    const GROWS: [(&str, &str); 9] = [
        ("allocate.rs", ""), // is what the others call
        ("balanced/transport/moves.rs", "self.unexplored.insert("), // returns a Result
        ("file/header.rs", "decoded.insert("), // into an Option
        ("points.rs", "none.insert("), // into an Option
        ("points/indices.rs", "out.extend(indices[places]"), // whose callers take the room
        ("points/indices.rs", "out.extend(ends.map("), // likewise
        ("rng.rs", "seen.insert("), // a set that has room for all
        ("kernels/sparse_scores.rs", "self.runs.resize("), // returns a Result
        ("threads/pool.rs", "pool.workers.push("), // of a thread, whose start needs more
    ];

    #[test]
    fn vectors_grow_only_where_room_was_taken() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let mut found = Vec::new();
        for (name, code) in code() {
            let takes_room = |line: &&str| {
                ["with_capacity(", "reserve", "grow("]
                    .iter()
                    .any(|form| line.contains(form))
            };
            let rooms: Vec<&str> = code.lines().filter(takes_room).collect();
            let has_room = |grown: &str| {
                let mut words = rooms.iter().flat_map(|line| line.split(|c| !is_part(c)));
                words.any(|word| word == grown)
            };
            for (at, form) in GROWING.iter().flat_map(|form| code.match_indices(form)) {
                let line = code[..at].rfind('\n').map_or(0, |end| end + 1);
                let statement = code[line..].split([';', '{']).next().unwrap().trim();
                let grown = code[..at].trim_end();
                let grown = &grown[grown.rfind(|c| !is_part(c)).map_or(0, |at| at + 1)..];
                let is_fallible = statement.contains(")?");
                let is_excepted = GROWS
                    .iter()
                    .any(|(place, part)| *place == name && statement.contains(part));
                if !is_fallible && !is_excepted && !has_room(grown) {
                    let number = code[..at].matches('\n').count() + 1;
                    found.push(format!("{name}:{number}: {form} {statement}"));
                }
            }
        }
        assert_none(
            &found,
            "grow by crate::allocate, or take the room beforehand",
        );
    }
}
