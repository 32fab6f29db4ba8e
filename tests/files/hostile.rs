//! Files that were changed, cut or made up: an error, in memory that is bounded
//! by their length.

use crate::{Random, bytes, models, sign};
use kentro::{KMeans, KMeansError};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the bytes that a thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get() + layout.size();
        HELD.set(held);
        MOST.set(MOST.get().max(held));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // What another thread took may be given back here.
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Loads a file, which must not take more memory than in proportion to its
/// length.
fn load(file: &[u8]) -> Result<KMeans, KMeansError> {
    let before = HELD.get();
    MOST.set(before);
    let result = KMeans::from_bytes(file);
    let most = MOST.get() - before;
    assert!(most <= 16 * file.len() + 4096, "{most} for {}", file.len());
    result
}

/// Changes a file in one of many ways.
fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(file.len());
    match random.below(8) {
        0 => file[at] ^= 1 << random.below(8),
        1 => file[at] = random.below(256) as u8,
        2 => file.truncate(at),
        3 => file.extend((0..=random.below(40)).map(|i| i as u8)),
        4 => drop(file.remove(at)),
        5 => file.insert(at, random.below(256) as u8),
        6 => {
            // Something of the file in another place of it.
            let len = 1 + random.below(30.min(file.len() - at));
            let part = file[at..at + len].to_vec();
            let to = random.below(file.len());
            file.splice(to..to, part);
        }
        _ => {
            // Another digit, where there is one after this place.
            if let Some(digit) = file[at..].iter().position(u8::is_ascii_digit) {
                file[at + digit] = b'0' + random.below(10) as u8;
            }
        }
    }
}

#[test]
fn every_changed_file_is_an_error() {
    let originals: Vec<_> = models().iter().map(|(_, model)| bytes(model)).collect();
    let mut random = Random(1);
    let mut tried = 0;
    while tried < 10_000 {
        let original = &originals[tried % originals.len()];
        let mut file = original.clone();
        for _ in 0..=random.below(3) {
            if !file.is_empty() {
                mutate(&mut file, &mut random);
            }
        }
        if file == *original {
            continue;
        }
        tried += 1;
        match load(&file) {
            Err(KMeansError::InvalidFile(_) | KMeansError::NewerFile { .. }) => {}
            other => panic!("{other:?} for {}", String::from_utf8_lossy(&file)),
        }
    }
}

/// The same with a checksum that fits: what is read then may be a model, which
/// must be as good as any.
#[test]
fn files_that_were_made_up_are_errors_or_models() {
    let originals: Vec<_> = models().iter().map(|(_, model)| bytes(model)).collect();
    let mut random = Random(2);
    let (mut errors, mut loaded) = (0, 0);
    for round in 0..10_000 {
        let mut file = originals[round % originals.len()].clone();
        let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        // Mostly the header, which says more.
        match random.below(4) {
            0 => mutate(&mut file, &mut random),
            _ => {
                let mut text = file[8..header].to_vec();
                mutate(&mut text, &mut random);
                let values = file.split_off(header);
                file = (text.len() as u64).to_le_bytes().to_vec();
                file.extend(text);
                file.extend(values);
            }
        }
        sign(&mut file);
        match load(&file) {
            Err(KMeansError::InvalidFile(_) | KMeansError::NewerFile { .. }) => errors += 1,
            Err(error) => panic!("{error}"),
            Ok(model) => {
                loaded += 1;
                assert_eq!(KMeans::from_bytes(&bytes(&model)).unwrap(), model);
                if model.is_trained() {
                    crate::predictions(&model);
                }
            }
        }
    }
    assert!(
        errors > 3000 && loaded > 300,
        "{errors} errors, {loaded} models"
    );
}

/// The lines of metadata that an untrained model must have.
const NEEDED: &str = r#""format":"kentro","format_version":"1","checksum":"00000000","metric":"euclidean","n_clusters":"2","iterations":"25","balanced":"false","max_balance_diff":"16","use_medoids":"false","verbose":"false","seed":"0","tolerance":"0","init":"auto","n_init":"1","quality":"default""#;

/// A file of these parts.
fn file(metadata: &str, tensors: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{\"__metadata__\":{{{metadata}}}{tensors}}}");
    raw(header.as_bytes(), values)
}

fn raw(header: &[u8], values: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(values);
    sign(&mut file);
    file
}

#[track_caller]
fn fails(file: &[u8], words: &str) {
    let error = load(file).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

const CENTROIDS: &str = r#","centroids":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#;

#[test]
fn a_file_of_another_program_is_read() {
    let model = load(&file(NEEDED, "", &[])).unwrap();
    assert_eq!(model, KMeans::new(2).with_euclidean(true));
    // White space, escapes, and what is not known here.
    let metadata = NEEDED.replace("\"seed\":\"0\"", "\n\"se\\u0065d\" :\t\"\\u0034\"");
    let metadata = format!("{metadata},\"colour\":\"\\ud83d\\ude00 \\\\ \\\" \\n\"");
    let tensors = r#","masks":{"dtype":"BOOL","shape":[1,1,1],"data_offsets":[16,17]}"#;
    let trained = format!("{metadata},\"n_iter\":\"3\"");
    let file = file(&trained, &format!("{CENTROIDS}{tensors}"), &[0; 17]);
    let model = load(&file).unwrap();
    assert_eq!(model.n_iter(), Some(3));
    assert!(model.centroids().unwrap().iter().all(|&value| value == 0.0));
    assert_eq!(model.labels(), None);
    assert_eq!(model.inertia(), None);
    assert_eq!(model.cluster_sizes(), None);
}

#[test]
fn broken_layouts_are_errors() {
    fails(&[], "it ends early");
    fails(&[1, 0, 0, 0, 0, 0, 0], "it ends early");
    fails(&[0; 8], "unexpected end");
    fails(&[0xff; 64], "more than the limit of 1048576");
    fails(&[0, 0, 16, 0, 0, 0, 0, 0], "it ends early");
    fails(&raw(b"{}", &[]), "not a model that Kentro saved");
    fails(&raw(b" {}", &[]), "at byte 0");
    fails(&raw(b"{\xff}", &[]), "not UTF-8");
    fails(&raw(b"[]", &[]), "unexpected [ at byte 0");
    fails(&raw(b"{}}", &[]), "unexpected } at byte 2");
    fails(&raw(b"{\"a\":\"b\"}", &[]), "unexpected \\\" at byte 5");
    fails(&raw(b"{\"a\":{}", &[]), "needs a dtype");
    fails(&raw(b"{\"\x01\":{}}", &[]), "unexpected \\u{1}");
    fails(&raw(b"{\"\\ud800\":{}}", &[]), "unexpected");
    fails(&raw(b"{\"\\ud800\\u0041\":{}}", &[]), "unexpected");
    fails(&raw(b"{\"\\udc00\":{}}", &[]), "unexpected u");
    fails(&raw(b"{\"\\u12", &[]), "unexpected u");
    fails(&raw("{\"\\u1é\":{}}".as_bytes(), &[]), "unexpected u");
    // As deep as it gets, and deeper than a parser that calls itself could go.
    let deep = "[".repeat(1_000_000);
    let deep = format!(r#"{{"a":{{"shape":{deep}"#);
    fails(&raw(deep.as_bytes(), &[]), "unexpected [");
    fails(&file(NEEDED, "", &[0]), "goes on after its end");
    fails(&file(NEEDED, CENTROIDS, &[0; 15]), "it ends early");
    fails(&file(NEEDED, CENTROIDS, &[0; 17]), "goes on after its end");
}

#[test]
fn broken_tensors_are_errors() {
    let tensor = |text: &str, words: &str| {
        let tensors = format!(",\"centroids\":{{{text}}}");
        fails(&file(NEEDED, &tensors, &[0; 16]), words);
    };
    let most = u64::MAX;
    let offsets = r#""data_offsets":[0,16]"#;
    tensor(
        &format!(r#""dtype":"F64","shape":[2,1],{offsets}"#),
        "must be F32",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[4],{offsets}"#),
        "of 2 dimensions",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[2,2,1],{offsets}"#),
        "of 2 dimensions",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[2,3],{offsets}"#),
        "does not fit its 16 bytes",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[{most},{most}],{offsets}"#),
        "does not fit its 16 bytes",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[4611686018427387908,1],{offsets}"#),
        "does not fit its 16 bytes",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[99999999999999999999,2],{offsets}"#),
        "unexpected 9",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[02,2],{offsets}"#),
        "unexpected 0",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[-2,2],{offsets}"#),
        "unexpected -",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[2.0,2],{offsets}"#),
        "unexpected .",
    );
    tensor(
        &format!(r#""dtype":"F32",{offsets}"#),
        "needs a dtype, a shape",
    );
    tensor(
        &format!(r#""dtype":"F32","dtype":"F32","shape":[2,2],{offsets}"#),
        "\"dtype\" twice",
    );
    tensor(
        &format!(r#""dtype":"F32","shape":[2,2],{offsets},"x":1"#),
        "unexpected x",
    );
    tensor(
        r#""dtype":"F32","shape":[2,2],"data_offsets":[0]"#,
        "needs a dtype, a shape",
    );
    tensor(
        r#""dtype":"F32","shape":[2,2],"data_offsets":[1,17]"#,
        "leave a gap or overlap",
    );
    tensor(
        r#""dtype":"F32","shape":[2,2],"data_offsets":[16,0]"#,
        "leave a gap or overlap",
    );
    let gigantic = r#","centroids":{"dtype":"F32","shape":[1099511627776,1048576],"data_offsets":[0,4611686018427387904]}"#;
    fails(&file(NEEDED, gigantic, &[0; 16]), "it ends early");
    let twice = format!("{CENTROIDS}{}", CENTROIDS.replace("0,16", "16,32"));
    fails(&file(NEEDED, &twice, &[0; 32]), "\"centroids\" twice");
    let overlap = CENTROIDS.replace("centroids", "init");
    fails(
        &file(NEEDED, &format!("{CENTROIDS}{overlap}"), &[0; 16]),
        "overlap",
    );
    let many: String = (0..9000)
        .map(|i| format!(r#","t{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    assert!(load(&file(NEEDED, &many, &[])).is_ok());
}

#[test]
fn broken_metadata_is_an_error() {
    let metadata = |from: &str, to: &str, words: &str| {
        assert!(NEEDED.contains(from), "{from}");
        fails(&file(&NEEDED.replace(from, to), "", &[]), words);
    };
    metadata(
        "\"format\":\"kentro\",",
        "",
        "not a model that Kentro saved",
    );
    metadata("kentro", "pt", "not a model that Kentro saved");
    metadata(
        "\"format_version\":\"1\"",
        "\"format_version\":\"0\"",
        "\"0\" for \"format_version\"",
    );
    metadata(
        "\"format_version\":\"1\"",
        "\"format_version\":\"x\"",
        "\"x\" for \"format_version\"",
    );
    metadata("\"checksum\":\"00000000\",", "", "no checksum");
    metadata("\"00000000\"", "\"0000000\"", "no checksum");
    metadata("\"00000000\"", "\"\\u00300000000\"", "no checksum");
    metadata(
        "\"seed\":\"0\"",
        "\"seed\":\"0\",\"seed\":\"0\"",
        "\"seed\" twice",
    );
    metadata(
        "\"seed\":\"0\"",
        "\"seed\":\"0\",\"see\\u0064\":\"0\"",
        "\"seed\" twice",
    );
    metadata("\"seed\":\"0\"", "\"seed\":\"-1\"", "\"-1\" for \"seed\"");
    metadata("\"seed\":\"0\"", "\"seed\":0", "unexpected 0");
    metadata(",\"seed\":\"0\"", "", "no \"seed\"");
    metadata("euclidean", "manhattan", "\"manhattan\" for \"metric\"");
    metadata("auto", "centroids", "\"centroids\" for \"init\"");
    metadata("auto", &"x".repeat(100_000), "for \"init\"");
    metadata(
        "\"n_clusters\":\"2\"",
        "\"n_clusters\":\"0\"",
        "clusters must be positive",
    );
    metadata(
        "\"tolerance\":\"0\"",
        "\"tolerance\":\"NaN\"",
        "tolerance must be",
    );
    metadata(
        "\"balanced\":\"false\"",
        "\"balanced\":\"no\"",
        "\"no\" for \"balanced\"",
    );
    let twice = format!("{{\"__metadata__\":{{{NEEDED}}},\"__metadata__\":{{{NEEDED}}}}}");
    fails(&raw(twice.as_bytes(), &[]), "\"__metadata__\" twice");
    let version = NEEDED.replace("\"format_version\":\"1\"", "\"format_version\":\"2\"");
    // Whatever else is in it.
    let newer = load(&file(&version, CENTROIDS, &[])).unwrap_err();
    assert_eq!(
        newer,
        KMeansError::NewerFile {
            version: 2,
            known: 1
        }
    );
}

/// Parts that do not fit together, under a checksum that fits.
#[test]
fn models_that_cannot_be_are_errors() {
    let trained = format!("{NEEDED},\"n_iter\":\"1\"");
    let cosine = trained.replace("euclidean", "cosine");
    let centroids = |values: [f32; 4]| values.map(f32::to_le_bytes).concat();
    let vector = |name: &str, dtype: &str, from: usize, values: &[u8]| {
        let width = if dtype == "U32" { 4 } else { 8 };
        let (len, to) = (values.len() / width, from + values.len());
        format!(r#","{name}":{{"dtype":"{dtype}","shape":[{len}],"data_offsets":[{from},{to}]}}"#)
    };
    let plain = centroids([0.0; 4]);
    let with = |parts: &[(&str, &str, Vec<u8>)]| {
        let (mut tensors, mut values) = (CENTROIDS.to_string(), plain.clone());
        for (name, dtype, part) in parts {
            tensors += &vector(name, dtype, values.len(), part);
            values.extend(part);
        }
        file(&trained, &tensors, &values)
    };
    let sizes = |sizes: &[u64]| sizes.iter().flat_map(|v| v.to_le_bytes()).collect();
    let labels = |labels: &[u32]| labels.iter().flat_map(|v| v.to_le_bytes()).collect();
    let prices = |prices: &[f64]| prices.iter().flat_map(|v| v.to_le_bytes()).collect();
    let counts = |values: &[u64]| ("counts", "U64", sizes(values));

    let whole = with(&[
        counts(&[2, 1]),
        ("labels", "U32", labels(&[0, 1, 0])),
        ("medoid_indices", "U64", sizes(&[2, 1])),
        ("prices", "F64", prices(&[0.0, -1.5])),
    ]);
    assert_eq!(load(&whole).unwrap().labels(), Some(&[0, 1, 0][..]));

    fails(&file(NEEDED, CENTROIDS, &plain), "no \"n_iter\"");
    for value in [f32::NAN, f32::INFINITY] {
        let values = centroids([0.0, value, 0.0, 0.0]);
        fails(
            &file(&trained, CENTROIDS, &values),
            "a value that is not finite",
        );
    }
    let one = CENTROIDS.replace("[2,2]", "[1,4]");
    fails(&file(&trained, &one, &plain), "not n_clusters rows");
    let none = CENTROIDS
        .replace("[2,2]", "[2,0]")
        .replace("[0,16]", "[0,0]");
    fails(&file(&trained, &none, &[]), "no columns");
    let long = centroids([0.6, 0.8, 0.6, 0.81]);
    fails(
        &file(&cosine, CENTROIDS, &long),
        "a row that is not of length 1",
    );
    let units = centroids([0.6, 0.8, 0.0, 0.0]);
    assert!(load(&file(&cosine, CENTROIDS, &units)).is_ok());
    let inertia = format!("{trained},\"inertia\":\"inf\"");
    fails(
        &file(&inertia, CENTROIDS, &plain),
        "\"inf\" for \"inertia\"",
    );

    fails(&with(&[counts(&[1])]), "not n_clusters values");
    fails(
        &with(&[counts(&[u64::MAX, 1])]),
        "values that are too large",
    );
    fails(
        &with(&[("prices", "F64", prices(&[0.0]))]),
        "not n_clusters values",
    );
    let infinite = prices(&[0.0, f64::INFINITY]);
    fails(
        &with(&[("prices", "F64", infinite)]),
        "a value that is not finite",
    );
    fails(
        &with(&[("labels", "U32", labels(&[0]))]),
        "no counts beside",
    );
    let beyond = ("labels", "U32", labels(&[0, 2]));
    fails(
        &with(&[counts(&[1, 1]), beyond]),
        "a cluster that there is not",
    );
    let other = ("labels", "U32", labels(&[0, 0]));
    fails(
        &with(&[counts(&[1, 1]), other]),
        "values that the labels don't have",
    );
    let parents = |parents: &[u32]| ("cluster_parents", "U32", labels(parents));
    fails(&with(&[parents(&[0])]), "not n_clusters values");
    fails(&with(&[parents(&[0, 2])]), "more parents than clusters");
    let medoids = |rows: &[u64]| ("medoid_indices", "U64", sizes(rows));
    fails(&with(&[medoids(&[0, 1])]), "a row that there is not");
    fails(
        &with(&[counts(&[1, 1]), medoids(&[0, 2])]),
        "a row that there is not",
    );
    fails(
        &with(&[counts(&[1, 1]), medoids(&[0])]),
        "not n_clusters values",
    );
}
