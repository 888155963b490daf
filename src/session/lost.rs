//! What is done about a model that is named and not there: the user is told which it was, so that it can be found again.

use std::path::Path;
use std::sync::Arc;

use super::concern::Concern;
use super::instance::Session;
use super::lock::lock;
use super::lost_model::{LostModel, short};
use super::snapshot::Snapshot;

/// What the user is told.
#[derive(Debug, thiserror::Error)]
#[error("the model {}{} is not there any more; put it back, locate it, or choose another model (takes already rendered still play)",
    .0.path.display(), .0.sha256.as_deref().map(|hash| format!(" (SHA-256 {}…)", short(hash))).unwrap_or_default())]
struct LostError(LostModel);

impl Session {
    /// Notes down what the package at `path` holds, so that it can be found again when it is lost.
    pub(crate) fn know_model(&self, path: &Path, sha256: &str) {
        lock(&self.board).model_hash = Some((path.to_path_buf(), sha256.to_owned()));
    }

    /// The SHA-256 of a model: as it was when it was last there, else as a take says that was made with a package of that name.
    pub(crate) fn model_hash(&self, path: &Path) -> Option<String> {
        let noted = lock(&self.board).model_hash.clone().filter(|(of, _)| of == path).map(|(_, sha256)| sha256);
        noted.or_else(|| {
            let name = path.file_name()?.to_string_lossy();
            let bench = lock(&self.bench);
            let takes = bench.shelf.chosen().into_iter().chain(bench.shelf.takes().iter().rev());
            let mut recipes = takes.map(|kept| &kept.packed.recipe);
            recipes.find(|recipe| recipe.model_file == name).map(|recipe| recipe.model_sha256.clone())
        })
    }

    /// Tells the user that the chosen model is not there.
    pub(crate) fn miss_model(&self, path: &Path) {
        let lost = LostModel { path: path.to_path_buf(), sha256: self.model_hash(path) };
        self.complain_of(Concern::Model, &LostError(lost.clone()));
        // The sentence and what it is about belong together: another sentence is about something else.
        let mut board = lock(&self.board);
        board.snapshot.lost = board.snapshot.error.clone().map(|error| (error, Arc::new(lost)));
    }
}

impl Snapshot {
    /// The model that the error on show says is lost.
    pub fn lost_model(&self) -> Option<&Arc<LostModel>> {
        let error = self.error.as_ref()?;
        self.lost.as_ref().filter(|(about, _)| Arc::ptr_eq(about, error)).map(|(_, lost)| lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{FileChoice, SavedSession};
    use crate::take::shelf::tests::kept;

    #[test]
    fn a_lost_model_is_named_with_its_hash_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.continuo");
        let session = Session::new();
        session.post(|snapshot| snapshot.model = FileChoice::chosen(path.clone()));
        session.know_model(&path, "0123456789abcdef0123");
        let text = serde_json::to_string(&session.saved()).unwrap();
        assert!(text.contains(r#""model_sha256":"0123456789abcdef0123""#), "{text}");
        let other = Session::new();
        other.restore(serde_json::from_str(&text).unwrap());
        assert_eq!(serde_json::to_string(&other.saved()).unwrap(), text);
        other.miss_model(&path);
        let snapshot = other.snapshot();
        assert_eq!(snapshot.lost_model().unwrap().sha256.as_deref(), Some("0123456789abcdef0123"));
        let error = snapshot.error.unwrap();
        assert!(error.contains("a.continuo (SHA-256 0123456789ab…)"), "{error}");
        std::fs::write(&path, "there again").unwrap();
        other.settle_what_changed();
        assert!(other.snapshot().error.is_none() && other.snapshot().lost_model().is_none());
        // The hash is that of the model that was there, and no other's.
        other.post(|snapshot| snapshot.model = FileChoice::factory_model());
        assert!(!serde_json::to_string(&other.saved()).unwrap().contains("model_sha256"));
    }

    #[test]
    fn a_project_that_names_no_hash_has_it_from_its_takes() {
        let session = Session::new();
        let kept = kept(1);
        let recipe = kept.packed.recipe.clone();
        lock(&session.bench).shelf.add(kept, true);
        let hash = session.model_hash(&Path::new("/elsewhere").join(&recipe.model_file));
        assert_eq!(hash, Some(recipe.model_sha256));
        assert_eq!(session.model_hash(Path::new("/elsewhere/another.continuo")), None);
        session.restore(SavedSession::default());
        assert_eq!(session.model_hash(&Path::new("/elsewhere").join(&recipe.model_file)), None);
    }
}
