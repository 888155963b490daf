//! Files for what is dragged out of the window, or copied: each time one of its own, in the data folder.
//!
//! A host may copy such a file late, or only refer to it, so it stays where it is. The folder has a bound all the same: beyond
//! [`MOST_BYTES`], the oldest files go, but none that is younger than [`KEPT`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::errands::errand;
use super::error::RenderError;
use super::export::{Manner, Piece, free_name, write};
use super::shared::Shared;
use crate::resources;
use crate::session::{Concern, Content, Parcel, Session, lock};

/// The folder in the user's data folder.
const FOLDER: &str = "dragged";
/// What the folder may hold before the oldest files go.
const MOST_BYTES: u64 = 4 << 30;
/// For so long a file stays in any case.
const KEPT: Duration = Duration::from_hours(24 * 60);

/// Settles a parcel that nobody has settled, whatever the reason: somebody waits for it.
struct Promise(Parcel);

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.settle(Content::Failed);
    }
}

/// Writes a variation of the chosen take as an export would be written, and says in `parcel` where.
pub(super) fn write_out(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    variation: usize,
    parcel: Parcel,
) -> Result<(), RenderError> {
    let promise = Promise(parcel);
    let piece = Piece::chosen(session, variation)?;
    let folder = resources::user_data_dir().ok_or(RenderError::NoDragFolder)?.join(FOLDER);
    let manner = Manner::of(session);
    let shared = Arc::clone(shared);
    errand(session, "continuo-dragged", move |session| {
        let _one = lock(&shared.exporting);
        let path = write_into(&folder, &piece, &manner)?;
        if !promise.0.settle(Content::Written(path.clone())) {
            take_away(&path);
        }
        session.settle(Concern::Export);
        Ok(())
    })
}

/// Writes a file under a name that is not there yet, and then lets the oldest ones go.
fn write_into(folder: &Path, piece: &Piece, manner: &Manner) -> Result<PathBuf, RenderError> {
    fs::create_dir_all(folder)
        .map_err(|error| RenderError::NotDragged { path: folder.to_path_buf(), reason: error.to_string() })?;
    let path = free_name(folder, &piece.name(), manner.format());
    write(piece, manner, &path)?;
    tidy(folder, MOST_BYTES, SystemTime::now() - KEPT);
    Ok(path)
}

/// Takes the oldest files away while there are more than `most` bytes, but none that was written after `before`.
fn tidy(folder: &Path, most: u64, before: SystemTime) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((metadata.modified().ok()?, metadata.len(), entry.path()))
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (written, size, path) in files {
        if bytes <= most || written >= before {
            return;
        }
        if take_away(&path) {
            bytes -= size;
        }
    }
}

fn take_away(path: &Path) -> bool {
    let gone = fs::remove_file(path);
    gone.inspect_err(|error| tracing::warn!("{} cannot be taken away: {error}", path.display())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::ExportOptions;
    use crate::take::shelf::tests::kept;

    #[test]
    fn each_time_there_is_a_file_of_its_own_with_what_an_export_gives() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("dragged");
        let session = Session::new();
        lock(&session.bench).shelf.add(kept(1), true);
        session.post(|snapshot| {
            snapshot.export = ExportOptions { with_seed: false, model_rate: true, ..ExportOptions::default() }
        });
        let (piece, manner) = (Piece::chosen(&session, 1).unwrap(), Manner::of(&session));
        let one = write_into(&folder, &piece, &manner).unwrap();
        let other = write_into(&folder, &piece, &manner).unwrap();
        assert_ne!(one, other);
        let export = folder.join("export.wav");
        write(&piece, &manner, &export).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&export).unwrap());
        assert_eq!(fs::read(&other).unwrap(), fs::read(&export).unwrap());
    }

    #[test]
    fn whoever_waits_hears_of_a_failure_too() {
        let (shared, session) = (Arc::new(Shared::default()), Session::new());
        let parcel = Parcel::default();
        let result = write_out(&shared, &session, 0, parcel.clone());
        assert!(matches!(result, Err(RenderError::NothingToExport)));
        assert_eq!(parcel.content(), Content::Failed);
        assert!(!parcel.settle(Content::Written("/a.wav".into())));
        assert_eq!(parcel.content(), Content::Failed, "the first answer counts");
        let parcel = Parcel::default();
        assert_eq!(parcel.give_up(), None);
        assert!(!parcel.settle(Content::Written("/a.wav".into())), "whoever has written it takes it away");
        let parcel = Parcel::default();
        parcel.settle(Content::Written("/a.wav".into()));
        assert_eq!((parcel.give_up(), parcel.give_up()), (Some("/a.wav".into()), None));
    }

    #[test]
    fn the_oldest_files_go_and_none_that_is_young() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, days) in [("a", 90), ("b", 80), ("c", 70), ("d", 1)] {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let written = now - Duration::from_hours(24 * days);
            fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        }
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        tidy(folder.path(), 400, now - KEPT);
        assert_eq!(names(), ["a", "b", "c", "d"]);
        tidy(folder.path(), 250, now - KEPT);
        assert_eq!(names(), ["c", "d"]);
        tidy(folder.path(), 0, now - KEPT);
        assert_eq!(names(), ["d"], "it is too young to go");
    }
}
