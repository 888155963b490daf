//! Finding what is to be played to the user. A take that is there is heard at once; a file is read by an errand.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::Model;
use continuo_engine::audio::{Clip, import};

use super::errands::errand;
use super::error::RenderError;
use super::job::captured;
use crate::files::File;
use crate::resources;
use crate::session::{Concern, Prepared, SeedTrim, Session, Snapshot, Sound, read_seed};
use crate::settings::SeedSource;
use crate::take::MAX_SEED_SECONDS;
use crate::take::bench::lay_out_clip;

/// Plays a sound to the user, from a second on.
pub(super) fn listen(session: &Arc<Session>, sound: Sound, from_seconds: f64) -> Result<(), RenderError> {
    let Some(rate_hz) = session.link.host_rate_hz().filter(|_| !session.link.is_off()) else {
        return Err(RenderError::NoAudio);
    };
    session.settle(Concern::Listening);
    match &sound {
        Sound::Take { .. } => {
            let play = session.shown_take().ok_or(RenderError::NothingToHear)?;
            session.play(sound, play, from_seconds);
            Ok(())
        }
        Sound::Seed if session.settings().is_some_and(|settings| settings.seed_source == SeedSource::Sidechain) => {
            errand(session, "continuo-listen", move |session| {
                let play = lay_out_clip(&captured(session)?, rate_hz)?;
                session.play(sound, play, from_seconds);
                Ok(())
            })
        }
        Sound::Seed => {
            let Snapshot { seed, seed_trim, .. } = session.snapshot();
            let path = match seed.path {
                Some(path) => path,
                None => resources::default_seed()?,
            };
            listen_to_file(session, sound, (path, seed_trim), from_seconds, move |path| {
                Ok(read_seed(path, seed_trim)?.clip)
            })
        }
        Sound::File(path) => {
            let path = path.clone();
            // As it would be used if it were chosen.
            listen_to_file(session, sound, (path, None), from_seconds, |path| Ok(read_seed(path, None)?.clip))
        }
        Sound::Preview(path) => {
            let path = path.clone();
            listen_to_file(session, sound, (path, None), from_seconds, preview)
        }
    }
}

fn listen_to_file(
    session: &Arc<Session>,
    sound: Sound,
    (path, trim): (PathBuf, Option<SeedTrim>),
    from_seconds: f64,
    read: impl FnOnce(&Path) -> Result<Clip, RenderError> + Send + 'static,
) -> Result<(), RenderError> {
    let file = File::at(&path).ok_or_else(|| RenderError::NoFile(path.clone()))?;
    if let Some(play) = session.prepared(&file, trim) {
        session.play(sound, play, from_seconds);
        return Ok(());
    }
    errand(session, "continuo-listen", move |session| {
        let clip = read(&path)?;
        // The host may have changed its rate while the file was read.
        let rate_hz = session.link.host_rate_hz().ok_or(RenderError::NoAudio)?;
        let play = lay_out_clip(&clip, rate_hz)?;
        session.keep_prepared(Prepared { file, trim, play: Arc::clone(&play) });
        session.play(sound, play, from_seconds);
        Ok(())
    })
}

/// The sound in a model's package.
fn preview(path: &Path) -> Result<Clip, RenderError> {
    let wav = Model::preview_of(path)?.ok_or_else(|| RenderError::NoPreview(path.to_path_buf()))?;
    let unreadable = |reason: String| RenderError::Unreadable { path: path.to_path_buf(), reason };
    // Whatever reads audio reads files.
    let mut file = tempfile::NamedTempFile::new().map_err(|error| unreadable(error.to_string()))?;
    file.write_all(&wav).map_err(|error| unreadable(error.to_string()))?;
    let imported = import(file.path(), MAX_SEED_SECONDS);
    imported.map(|imported| imported.clip).map_err(|error| unreadable(format!("its preview: {error}")))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use continuo_engine::audio::{WavFormat, write_wav};

    use super::*;
    use crate::session::lock;
    use crate::take::shelf::tests::kept;

    fn soon<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{what} does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A session whose host runs audio.
    fn playing() -> Arc<Session> {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        session.link.tick();
        session
    }

    #[test]
    fn without_audio_or_a_take_a_sentence_says_so() {
        let silent = Session::new();
        assert!(matches!(listen(&silent, Sound::Seed, 0.0), Err(RenderError::NoAudio)));
        let session = playing();
        let error = listen(&session, Sound::Take { variation: 0 }, 0.0).unwrap_err();
        assert!(error.to_string().contains("render one first"), "{error}");
        let missing = Sound::File("/nowhere/clip.wav".into());
        assert!(matches!(listen(&session, missing, 0.0), Err(RenderError::NoFile(_))));
    }

    #[test]
    fn a_take_is_heard_at_once() {
        let session = playing();
        lock(&session.bench).shelf.add(kept(1), true);
        session.lay_out_for_host();
        session.link.tick();
        listen(&session, Sound::Take { variation: 1 }, 0.0).unwrap();
        let audition = session.link.next_audition().unwrap();
        assert_eq!((audition.variation, audition.with_seed), (1, true));
        assert_eq!(audition.take.id, session.shown_take().unwrap().id);
    }

    #[test]
    fn a_file_is_read_once_and_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.wav");
        let clip = |frames| Clip { sample_rate_hz: 16_000, channels: vec![vec![0.25; frames]] };
        write_wav(&path, &clip(1_600), WavFormat::I16).unwrap();
        let session = playing();
        let heard = || {
            session.link.tick();
            listen(&session, Sound::File(path.clone()), 0.0).unwrap();
            soon("the sound", || session.link.next_audition()).take
        };
        let first = heard();
        assert_eq!((first.frames(), first.variations(), first.is_complete()), (4_800, 1, true));
        assert_eq!(heard().id, first.id);
        write_wav(&path, &clip(3_200), WavFormat::I16).unwrap();
        assert_eq!(heard().frames(), 9_600);
    }

    #[test]
    fn the_factory_models_bring_a_sound_along() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/models");
        for entry in std::fs::read_dir(models).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "continuo") {
                let clip = preview(&path).unwrap();
                assert!(clip.seconds() > 1.0, "{}: {} s", path.display(), clip.seconds());
            }
        }
    }
}
