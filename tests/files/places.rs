//! Where files go, and what is there after an interruption.

use crate::{bytes, models};
use kentro::{KMeans, KMeansError, SaveOptions};
use ndarray::Array2;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A new folder; deleted first, if it is there.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn save(model: &KMeans, path: &Path) -> Result<(), KMeansError> {
    model.save(path, SaveOptions::default())
}

fn code_of(error: KMeansError) -> i32 {
    match error {
        KMeansError::Io { code, .. } => code.unwrap(),
        error => panic!("{error}"),
    }
}

#[test]
fn a_file_is_replaced() {
    let folder = folder("replaced");
    let path = folder.join("model.safetensors");
    for (name, model) in models() {
        save(&model, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes(&model), "{name}");
        assert_eq!(KMeans::load(&path).unwrap(), model, "{name}");
    }
    assert_eq!(names(&folder), ["model.safetensors"]);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder("links");
    let (path, link) = (folder.join("model"), folder.join("link"));
    let all = models();
    save(&all[0].1, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("model", &link).unwrap();
    save(&all[1].1, &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(KMeans::load(&path).unwrap(), all[1].1);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[cfg(unix)]
#[test]
fn names_are_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = folder("bytes");
    let longest = [b'x'; 255];
    for name in [b"\xff\xfe".as_slice(), "Grüße 😀".as_bytes(), &longest] {
        let path = folder.join(OsStr::from_bytes(name));
        let (_, model) = models().swap_remove(0);
        save(&model, &path).unwrap();
        assert_eq!(KMeans::load(&path).unwrap(), model);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_says_is_told() {
    let folder = folder("system");
    let (_, model) = models().swap_remove(0);
    let missing = folder.join("no/such/folder/model");
    assert_eq!(code_of(save(&model, &missing).unwrap_err()), libc::ENOENT);
    let error = KMeans::load(&missing).unwrap_err();
    let words = format!(
        "{}: No such file or directory (os error 2)",
        missing.display()
    );
    assert_eq!(error.to_string(), words);
    assert_eq!(code_of(error), libc::ENOENT);
    assert_eq!(code_of(save(&model, &folder).unwrap_err()), libc::EISDIR);
    assert_eq!(code_of(KMeans::load(&folder).unwrap_err()), libc::EISDIR);
    assert_eq!(
        code_of(save(&model, Path::new("")).unwrap_err()),
        libc::ENOENT
    );
    let full = Path::new("/dev/full");
    assert_eq!(code_of(save(&model, full).unwrap_err()), libc::ENOSPC);
    save(&model, Path::new("/dev/null")).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert!(names(&folder).is_empty());
    assert!(!Path::new(".kentro-0").exists());
}

/// Reads without end, and of no known length.
#[cfg(target_os = "linux")]
#[test]
fn devices_and_pipes_are_read() {
    let endless = KMeans::load("/dev/zero").unwrap_err().to_string();
    assert!(endless.contains("not what it should be"), "{endless}");
    let nothing = KMeans::load("/dev/null").unwrap_err().to_string();
    assert!(nothing.contains("it ends early"), "{nothing}");

    let (_, model) = models().swap_remove(0);
    let pipe = folder("pipe").join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let (writer, to) = (model.clone(), pipe.clone());
    let thread = std::thread::spawn(move || save(&writer, &to));
    assert_eq!(KMeans::load(&pipe).unwrap(), model);
    thread.join().unwrap().unwrap();
}

const IN_CHILD: &str = "KENTRO_TEST_FILES_CHILD";

/// Runs the test of this name in a process of its own, which is told a path.
fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([&format!("places::{test}"), "--exact", "--nocapture"])
        .env(IN_CHILD, path)
        .stdout(Stdio::null());
    command
}

/// Models of one and two megabytes, which take a while to write.
fn large_models() -> [KMeans; 2] {
    [32, 64].map(|dims| {
        let init = Array2::from_shape_fn((8000, dims), |(i, t)| (i * 7 + t) as f32);
        KMeans::new(8000).with_init(kentro::Init::Centroids(init))
    })
}

/// `KENTRO_KILL_ROUNDS` says how often; `make kill` 300 times.
#[test]
fn killed_while_saving_leaves_a_whole_file() {
    if let Some(path) = std::env::var_os(IN_CHILD) {
        let models = large_models();
        loop {
            for model in &models {
                save(model, Path::new(&path)).unwrap();
            }
        }
    }
    let rounds = std::env::var("KENTRO_KILL_ROUNDS").map_or(20, |text| text.parse().unwrap());
    let folder = folder("killed");
    let path = folder.join("model");
    let models = large_models();
    let mut files = [0, 0];
    let mut cut = 0;
    for round in 0..rounds {
        save(&models[round % 2], &path).unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        let mut saver = child("killed_while_saving_leaves_a_whole_file", &path)
            .spawn()
            .unwrap();
        // From its first file on it may be killed.
        let start = Instant::now();
        while fs::metadata(&path).unwrap().modified().unwrap() == written {
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(round as u64 * 7919 % 100_000));
        saver.kill().unwrap();
        saver.wait().unwrap();
        let loaded = KMeans::load(&path).unwrap();
        let which = models.iter().position(|model| *model == loaded);
        files[which.expect("one of the two models")] += 1;
        for name in names(&folder).iter().filter(|name| *name != "model") {
            cut += 1;
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
    println!("{rounds} kills, {cut} of them while a file was written; whole files: {files:?}");
}

/// A process that may not write as much as a model is.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file() {
    if let Some(path) = std::env::var_os(IN_CHILD) {
        let limit = libc::rlimit {
            rlim_cur: 100_000,
            rlim_max: 100_000,
        };
        // SAFETY: plain calls of the system.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
        }
        let [_, large] = large_models();
        let error = save(&large, Path::new(&path)).unwrap_err();
        assert_eq!(code_of(error), libc::EFBIG);
        return;
    }
    let folder = folder("full");
    let path = folder.join("model");
    let (_, model) = models().swap_remove(0);
    save(&model, &path).unwrap();
    let mut full = child("a_full_disk_leaves_the_old_file", &path);
    assert!(full.status().unwrap().success());
    assert_eq!(KMeans::load(&path).unwrap(), model);
    assert_eq!(names(&folder), ["model"]);
}
