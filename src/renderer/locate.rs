//! Finding a model again that is not where it was.

use std::path::PathBuf;
use std::sync::Arc;

use super::errands::{choose_model, errand};
use super::error::RenderError;
use super::shared::Shared;
use crate::session::{OtherModel, Session};

/// Takes the model at `path` for the one that is lost, if it is that one; else the user is asked whether it is to be used all the same.
pub(super) fn locate(shared: &Arc<Shared>, session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    session.post(|snapshot| snapshot.other_model = None);
    let wanted = session.snapshot().model.path.and_then(|path| session.model_hash(&path));
    let (shared, whole) = (Arc::clone(shared), Arc::clone(session));
    errand(session, "continuo-locate", move |session| {
        let found = shared.models.load(&path, shared.watched())?;
        let sha256 = found.model.content_hash();
        match wanted.filter(|wanted| wanted != sha256) {
            Some(wanted) => {
                let other = OtherModel { path, sha256: sha256.to_owned(), wanted };
                session.post(|snapshot| snapshot.other_model = Some(Arc::new(other)));
                Ok(())
            }
            None => choose_model(&shared, &whole, path),
        }
    })
}
