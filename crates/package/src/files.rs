//! Putting a file or a folder in place in one step: written beside its target under a hidden name, then renamed.
//!
//! Whoever reads the target meets the old one or the new one, never half of one, and a run that dies in between leaves the
//! old one whole. This is the one place that does so, for all of the workspace.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written beside its target. Dropped without [`NewFile::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    target: PathBuf,
    beside: NamedTempFile,
}

impl NewFile {
    /// Begins a file in the folder of `target`, which must exist.
    ///
    /// # Errors
    /// What the system says of that folder.
    pub fn create(target: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".continuo-").suffix(".part");
        #[cfg(unix)]
        {
            // Temporary files are private by default; what is put in place is an ordinary file (the umask still applies).
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        Ok(Self { target: target.to_owned(), beside: builder.tempfile_in(folder_of(target))? })
    }

    /// What has been written so far, to write more.
    pub fn file(&mut self) -> &mut File {
        self.beside.as_file_mut()
    }

    /// Another handle on the same file, with a position of its own, for a writer that wants to own one.
    ///
    /// # Errors
    /// What the system says.
    pub fn reopen(&self) -> io::Result<File> {
        self.beside.reopen()
    }

    /// Brings the file to the disk and puts it in its place. An older file there is replaced.
    ///
    /// # Errors
    /// A full disk, or a target that cannot be replaced; the target is then what it was.
    pub fn commit(self) -> io::Result<()> {
        self.beside.as_file().sync_all()?;
        self.beside.persist(&self.target).map_err(|error| error.error)?;
        // The rename is on the disk once the folder is; a system that cannot open folders flushes them itself.
        if let Ok(folder) = File::open(folder_of(&self.target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

/// Makes `target` a file of what `write` writes.
///
/// # Errors
/// What `write` gives, or what the system says of the folder, the disk or the target; the target is then what it was.
pub fn replace(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut new = NewFile::create(target)?;
    write(new.file())?;
    new.commit()
}

/// Makes `target` a file of these bytes.
///
/// # Errors
/// As [`replace`].
pub fn replace_with(target: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    replace(target, |file| file.write_all(bytes.as_ref()))
}

/// Puts the file or folder `made`, which lies beside `target`, in its place. An older one there (file, folder or link) is
/// moved aside first and put back if the rename fails.
///
/// # Errors
/// What the system says; `target` is then what it was.
pub fn put_in_place(made: &Path, target: &Path) -> io::Result<()> {
    let old = std::fs::symlink_metadata(target).ok();
    // A file replaces a file in one system call; anything else has to make room first.
    let both_files = old.as_ref().is_some_and(|old| !old.is_dir()) && made.is_file();
    if old.is_none() || both_files {
        return std::fs::rename(made, target);
    }
    let aside = beside(target, "old");
    remove(&aside)?;
    std::fs::rename(target, &aside)?;
    if let Err(error) = std::fs::rename(made, target) {
        std::fs::rename(&aside, target)?;
        return Err(error);
    }
    // Windows keeps a loaded library's file; it goes with the next replacement.
    let _ = remove(&aside);
    Ok(())
}

/// Removes a file, a link or a folder with all that is in it; it is fine if there is none.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    }
}

/// A hidden name beside `target`, of this process alone.
pub fn beside(target: &Path, what: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}

/// The folder that holds `path`; a bare name lies in the working folder.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("kept.json");
        replace_with(&target, "old").unwrap();
        let failed = replace(&target, |file| {
            file.write_all(b"new, but not all of")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        replace_with(&target, "new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["kept.json"]);
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a-folder");
        std::fs::create_dir(&target).unwrap();
        assert!(replace_with(&target, "new").is_err());
        assert_eq!(names(folder.path()), ["a-folder"]);
        assert!(replace_with(&folder.path().join("none/file"), "new").is_err());
    }

    #[test]
    fn a_folder_takes_the_place_of_whatever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        for round in 0..3 {
            let made = beside(&target, "new");
            std::fs::create_dir(&made).unwrap();
            std::fs::write(made.join("round"), [round]).unwrap();
            if round == 2 {
                remove(&target).unwrap();
                std::fs::write(&target, "a file").unwrap();
            }
            put_in_place(&made, &target).unwrap();
            assert_eq!(std::fs::read(target.join("round")).unwrap(), [round]);
            assert_eq!(names(folder.path()), ["target"]);
        }
        // What cannot be put there leaves what was.
        assert!(put_in_place(&folder.path().join("none"), &target).is_err());
        assert_eq!(std::fs::read(target.join("round")).unwrap(), [2]);
        remove(&folder.path().join("none")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_far_as_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (new, plain) = (folder.path().join("new"), folder.path().join("plain"));
        replace_with(&new, "x").unwrap();
        std::fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&new), mode(&plain));
    }
}
