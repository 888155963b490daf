//! What the model sounds like while it learns: a phrase out of nothing, and continuations of the same held-out clips each time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use continuo_engine::audio::{AudioError, Clip, WavFormat, write_wav};
use continuo_engine::{EngineError, LoadOptions, Model, RenderRequest, Sampling, Workers};

use crate::data::dataset::{Dataset, Split};
use crate::data::excerpt::{excerpt, mono};
use crate::evaluate::collapse::{Collapse, collapse};
use crate::evaluate::{Listening, listen};
use crate::task::{Task, TaskError};

/// Seconds of a clip, and of what is generated.
const SEED_SECONDS: f64 = 2.0;
const SECONDS: f64 = 4.0;
/// Clips that are continued.
const CLIPS: usize = 2;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The model as a package.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The package's file.
    #[error(transparent)]
    Package(#[from] continuo_package::PackageError),
    /// Rendering.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The sound's file.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A folder.
    #[error("{}: {source}", dir.display())]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// One sound of a preview.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// `phrase` or `continuation-1`.
    pub name: String,
    /// The sound; a continuation has its clip in front.
    pub clip: Clip,
    /// Where it lies.
    pub file: PathBuf,
    /// What was generated, listened to.
    pub heard: Listening,
}

/// Renders previews of a run.
#[derive(Debug)]
pub struct Previews {
    folder: PathBuf,
    clips: Vec<Vec<f32>>,
    rate_hz: u32,
    /// What the recordings are like.
    recordings: Listening,
}

impl Previews {
    /// For a run, with clips of its held-out recordings, or of others if none is held out.
    pub fn new(folder: &Path, dataset: &Dataset) -> Self {
        let rate_hz = dataset.sample_rate_hz();
        let frames = (SEED_SECONDS * f64::from(rate_hz)) as usize;
        let clips = (0..CLIPS).map_while(|index| excerpt(dataset, frames, index)).collect();
        let some = dataset.recordings(Split::Heldout).chain(dataset.recordings(Split::Train)).take(8);
        let most = 10 * rate_hz as usize * dataset.channels();
        let sound: Vec<f32> = some
            .flat_map(|recording| {
                let frames = dataset.frames(recording);
                mono(&frames[..frames.len().min(most)], dataset.channels())
            })
            .collect();
        Self { folder: folder.to_path_buf(), clips, rate_hz, recordings: listen(&sound, rate_hz) }
    }

    /// Renders the averaged weights after a step, with temperature 1 and the same random numbers each time, and writes the
    /// sounds.
    ///
    /// # Errors
    /// [`PreviewError`]; training is none the worse.
    pub fn render(&self, task: &dyn Task, step: u64) -> Result<Vec<Sound>, PreviewError> {
        let io = |dir: &Path| {
            let dir = dir.to_path_buf();
            move |source| PreviewError::Io { dir, source }
        };
        std::fs::create_dir_all(&self.folder).map_err(io(&self.folder))?;
        // Here and by this name, so that what a killed trainer leaves is cleared away.
        let scratch = tempfile::Builder::new().prefix(".continuo-").suffix(".part").tempdir_in(&self.folder);
        let scratch = scratch.map_err(io(&self.folder))?;
        let package = scratch.path().join("preview.continuo");
        task.package()?.write_draft(&package)?;
        let model = Model::load(&package, &LoadOptions::default())?;
        let abilities = model.abilities().clone();
        let phrase = abilities.can_begin.then_some(("phrase".to_owned(), None));
        let clips = self.clips.iter().enumerate().filter(|_| abilities.can_continue);
        let continuations = clips.map(|(at, clip)| (format!("continuation-{}", at + 1), Some(clip)));
        phrase.into_iter().chain(continuations).map(|(name, seed)| self.sound(&model, name, seed, step)).collect()
    }

    fn sound(
        &self,
        model: &Arc<Model>,
        name: String,
        seed: Option<&Vec<f32>>,
        step: u64,
    ) -> Result<Sound, PreviewError> {
        let channels = usize::from(model.manifest().channels);
        let clip = seed.map(|clip| Clip { sample_rate_hz: self.rate_hz, channels: vec![clip.clone(); channels] });
        let mut generated = vec![Vec::new(); channels];
        let request = RenderRequest {
            class: 0,
            seed: clip.clone(),
            frames: model.abilities().fixed_frames.unwrap_or((SECONDS * f64::from(self.rate_hz)) as u64),
            sampling: Sampling { rng_seed: 1, ..Sampling::default() },
            variations: 0..1,
            precision: None,
            workers: Workers::alone(),
        };
        continuo_engine::render(model, &request, &AtomicBool::new(false), &mut |block| {
            for (channel, sound) in generated.iter_mut().zip(block.sound) {
                channel.extend_from_slice(sound);
            }
        })?;
        let heard = listen(&generated[0], self.rate_hz);
        let mut whole = clip.unwrap_or(Clip { sample_rate_hz: self.rate_hz, channels: vec![Vec::new(); channels] });
        for (channel, sound) in whole.channels.iter_mut().zip(generated) {
            channel.extend(sound);
        }
        let file = self.folder.join(format!("step-{step:010}-{name}.wav"));
        write_wav(&file, &whole, WavFormat::I16)?;
        Ok(Sound { name, clip: whole, file, heard })
    }

    /// What is wrong with the sounds of a preview, and what to try; nothing if they sound like something.
    pub fn alarm(&self, sounds: &[Sound]) -> Option<String> {
        let recordings = self.recordings;
        let has_become = |what| move |sound: &&Sound| collapse(&sound.heard, &recordings) == Some(what);
        if let Some(sound) = sounds.iter().find(has_become(Collapse::Silence)) {
            return Some(format!(
                "the {} is silence ({:.0} dBFS; the recordings have {:.0}). Early on that passes; later, look for silence in the \
                 recordings, and try a lower learning rate",
                sound.name, sound.heard.level_db, recordings.level_db
            ));
        }
        sounds.iter().find(has_become(Collapse::Noise)).map(|sound| {
            format!(
                "the {} is noise (flatness {:.2}; the recordings have {:.2}). Early on that passes; later, train longer, on \
                 recordings of one instrument, or with more channels",
                sound.name, sound.heard.flatness, recordings.flatness
            )
        })
    }
}
