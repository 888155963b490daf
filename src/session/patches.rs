//! Loading a patch: the files that it names, and the controls that it turns, as one deed.
//!
//! The files are the session's, the controls are the host's: what a patch turns waits on the board ([`Session::take_wishes`]) for
//! whoever can ask the host for it, an open editor or the entry through which the host loads a preset.

use std::path::PathBuf;
use std::sync::Arc;

use super::concern::Concern;
use super::file_choice::{FileChoice, Origin};
use super::history::{Files, Wishes};
use super::instance::Session;
use super::lock::lock;
use super::trim::{SeedTrim, Trimmed};
use crate::patch::{Clip, Patch, PatchError, Resolved, clip_ref, model_ref};
use crate::settings::{Mode, SeedSource, Turned};

impl Session {
    /// Takes the files of a patch, and notes down what it turns, so that all of it is one step to undo. No take changes.
    pub(crate) fn load_patch(&self, resolved: &Resolved) {
        let controls = self.params();
        let turns = controls.map_or_else(Vec::new, |controls| controls.turns_to(&resolved.patch.parameters));
        let before = self.files();
        let after = self.files_of(resolved);
        let changes = after != before || !turns.is_empty();
        if changes {
            self.put_files(after);
            let wishes = turns.iter().map(|turn: &Turned| (Arc::clone(&turn.id), turn.after)).collect();
            self.with_history(|history| history.note_patch(before, turns));
            self.wish(wishes);
        }
        self.settle(Concern::Patch);
        let (name, notice) = (resolved.patch.name.as_str().into(), resolved.notice.as_deref().map(Into::into));
        self.post(|snapshot| {
            snapshot.patch = Some(name);
            snapshot.notice = notice;
        });
        if changes {
            self.touch();
        }
    }

    /// Undoes the loading of a patch, or does it again, if that comes next.
    pub(super) fn go_over_patch(&self, back: bool) -> bool {
        let now = self.files();
        let Some((files, wishes)) = self.with_history(|history| history.patch(back, now)) else { return false };
        self.put_files(files);
        self.wish(wishes);
        self.post(|snapshot| snapshot.patch = None);
        self.touch();
        true
    }

    /// What a patch turns, by ids, with the normalised values that the host is to be asked for: once.
    pub fn take_wishes(&self) -> Vec<(Arc<str>, f32)> {
        std::mem::take(&mut lock(&self.board).wishes)
    }

    /// A patch of the present settings. Reads the model's file.
    ///
    /// # Errors
    /// What says that the model's file, or the shipped ones, are not there.
    pub(crate) fn to_patch(&self, name: &str) -> Result<Patch, PatchError> {
        let snapshot = self.snapshot();
        let goes_on_from_clip = self
            .settings()
            .is_some_and(|settings| settings.mode == Mode::Continue && settings.seed_source == SeedSource::Clip);
        let part = snapshot.seed_trim.map(|trim| [trim.begin_seconds(), trim.end_seconds()]);
        let clip = goes_on_from_clip.then(|| clip_ref(snapshot.seed.path.as_deref(), part)).transpose()?;
        Ok(Patch {
            name: name.trim().to_owned(),
            model: Some(model_ref(snapshot.model.path.as_deref())?),
            clip,
            parameters: self.params().map(|controls| controls.patch_values()).unwrap_or_default(),
            ..Patch::default()
        })
    }

    fn wish(&self, wishes: Wishes) {
        lock(&self.board).wishes = wishes;
        self.repaint.request_repaint();
    }

    fn files(&self) -> Files {
        let board = lock(&self.board);
        let snapshot = &board.snapshot;
        Files { model: snapshot.model.clone(), seed: snapshot.seed.clone(), trimmed: board.trimmed.clone() }
    }

    /// The files in use after a patch was loaded.
    fn files_of(&self, resolved: &Resolved) -> Files {
        let Files { model, seed, trimmed } = self.files();
        let model = resolved.model.clone().map_or(model, |path| choice(path, FileChoice::factory_model()));
        let (seed, trimmed) = match &resolved.clip {
            None => (seed, trimmed),
            Some(Clip { path, part_seconds }) => {
                let trim = part_seconds.and_then(|[from, to]| SeedTrim::new(from, to));
                (choice(path.clone(), FileChoice::factory_seed()), Trimmed { trim, path: path.clone() })
            }
        };
        Files { model, seed, trimmed }
    }

    fn put_files(&self, files: Files) {
        let mut board = lock(&self.board);
        board.trimmed = files.trimmed;
        board.snapshot.model = files.model;
        board.snapshot.seed = files.seed;
        drop(board);
        self.repaint.request_repaint();
    }
}

fn choice(path: Option<PathBuf>, factory: FileChoice) -> FileChoice {
    debug_assert_eq!(factory.origin, Origin::Factory);
    path.map_or(factory, FileChoice::chosen)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::patch::Value;
    use crate::session::Deed;
    use crate::settings::{Controls, Meter, Settings};

    /// Controls of which one can be turned: the length.
    struct One(std::sync::Mutex<f32>);

    impl Controls for One {
        fn settings(&self, _meter: Meter) -> Settings {
            Settings {
                mode: Mode::Continue,
                seconds: f64::from(*lock(&self.0)),
                temperature: 1.0,
                top_k: 0,
                code_temperature: 1.0,
                code_top_k: 0,
                class: 0,
                rng_seed: 0,
                variations: 1,
                seed_source: SeedSource::Clip,
                tempo: 120.0,
            }
        }
        fn switches(&self) -> [bool; 2] {
            [false; 2]
        }
        fn variation(&self) -> usize {
            0
        }
        fn pin_bars(&self) -> f64 {
            0.0
        }
        fn plays_seed(&self) -> bool {
            true
        }

        fn stays_in_bars(&self) -> bool {
            false
        }

        fn level_match(&self) -> bool {
            false
        }
        fn patch_values(&self) -> BTreeMap<String, Value> {
            BTreeMap::from([("length".to_owned(), Value::Number((*lock(&self.0)).into()))])
        }
        fn values(&self) -> u64 {
            0
        }
        fn turns_to(&self, values: &BTreeMap<String, Value>) -> Vec<Turned> {
            let before = *lock(&self.0);
            let Some(Value::Number(after)) = values.get("length") else { return Vec::new() };
            vec![Turned { id: "length".into(), before, after: *after as f32 }]
        }
    }

    fn resolved(length: f64) -> Resolved {
        let parameters = BTreeMap::from([("length".to_owned(), Value::Number(length))]);
        Resolved {
            patch: Patch { name: "A".into(), parameters, ..Patch::default() },
            model: Some(Some("/m.continuo".into())),
            clip: Some(Clip { path: Some("/c.wav".into()), part_seconds: Some([1.0, 3.0]) }),
            notice: None,
        }
    }

    #[test]
    fn a_patch_is_one_deed_that_touches_no_take() {
        let (session, controls) = (Session::new(), Arc::new(One(0.25.into())));
        session.attach(&controls);
        session.note_turn("gain", 0.0, 1.0);
        let (before, revision) = (session.files(), session.revision());
        session.load_patch(&resolved(0.75));
        let snapshot = session.snapshot();
        assert_eq!((snapshot.model.name.as_str(), snapshot.seed.name.as_str()), ("m.continuo", "c.wav"));
        assert_eq!(snapshot.seed_trim, SeedTrim::new(1.0, 3.0));
        assert_eq!((snapshot.patch.as_deref(), snapshot.undo), (Some("A"), Some(Deed::LoadPatch)));
        assert!(session.revision() > revision, "the host's project has changed");
        let set = |wishes: Vec<(Arc<str>, f32)>| {
            for (id, value) in wishes {
                assert_eq!(&*id, "length");
                *lock(&controls.0) = value;
            }
        };
        set(session.take_wishes());
        assert!(session.take_wishes().is_empty(), "once");
        assert_eq!(*lock(&controls.0), 0.75);
        let after = session.files();

        // Back, and again; what was done before it comes after it on the way back.
        assert_eq!(session.turn(true), None, "a patch is no single control");
        session.go(true).unwrap();
        set(session.take_wishes());
        assert_eq!((session.files(), *lock(&controls.0)), (before, 0.25));
        assert_eq!(session.snapshot().undo, Some(Deed::Turn));
        session.go(false).unwrap();
        set(session.take_wishes());
        assert_eq!((session.files(), *lock(&controls.0)), (after, 0.75));
        session.restore(crate::session::SavedSession::default());
        assert_eq!(session.snapshot().patch, None);
    }

    #[test]
    fn a_patch_without_files_leaves_those_that_are_chosen() {
        let session = Session::new();
        session.load_patch(&resolved(1.0));
        let files = session.files();
        session.load_patch(&Resolved { model: None, clip: None, ..resolved(1.0) });
        assert_eq!(session.files(), files);
        session.load_patch(&Resolved { model: Some(None), ..resolved(1.0) });
        assert_eq!(session.snapshot().model, FileChoice::factory_model());
    }
}
