//! Replaces a file as a whole.

use crate::text::text;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

/// Writes a file with `write`, so that whatever happens, the file that was
/// there before or the new one is there, whole: the new one is written beside,
/// synced and renamed, and its folder is synced. Permissions stay those of the
/// file that was there; a link to a file stays one.
///
/// What is no file, such as a pipe, is written to.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let found = fs::metadata(path).ok();
    let is_device = |found: &fs::Metadata| !found.is_file() && !found.is_dir();
    if found.as_ref().is_some_and(is_device) {
        return write(&mut OpenOptions::new().write(true).open(path)?);
    }
    // A link's own path is the one path that memory is not refused for.
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let path = match found.is_some() && is_link {
        true => &fs::canonicalize(path)?,
        false => path,
    };
    let folder = match path.parent() {
        Some(folder) if folder != "" => folder,
        _ => Path::new("."),
    };
    let (mut file, temporary) = create_in(folder)?;
    let fill = || {
        write(&mut file)?;
        if let Some(found) = &found {
            fs::set_permissions(&temporary, found.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = fill() {
        // It is the first error that matters.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync(folder)
}

/// A new file, under the first name that is free: other calls, and processes
/// that were killed, may have left some.
fn create_in(folder: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 0u64;
    loop {
        let path = temporary(folder, number)?;
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A path in the folder, with room for it taken beforehand. Its name is short,
/// so that it can be where the name of the file can.
fn temporary(folder: &Path, number: u64) -> io::Result<PathBuf> {
    let name = text(format_args!(".kentro-{}-{number}", process::id()));
    let mut path = PathBuf::new();
    // A separator goes between.
    let room = path.try_reserve_exact(folder.as_os_str().len() + 1 + name.len());
    if name.is_empty() || room.is_err() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    path.push(folder);
    path.push(&name);
    Ok(path)
}

/// Makes the renaming last, where the file system has a way to.
fn sync(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    // Some folders may be written to but not read, and some can't be synced.
    let Ok(folder) = File::open(folder) else {
        return Ok(());
    };
    match folder.sync_all() {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}
