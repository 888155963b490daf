//! `render`: a seed clip and its continuation, by the engine that the plugin uses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::audio::{self, AudioError, Clip, WavFormat, write_wav};
use continuo_engine::seam::{Upsampler, crossfade, crossfade_frames, model_seed, quantise};
use continuo_engine::{
    Backend, EngineError, Forecasts, LoadOptions, Model, RenderRequest, RenderSummary, Sampling, Workers,
};

use crate::cli::RenderArgs;
use crate::export::{self, ExportError};
use crate::family::FAMILIES;
use crate::names::printable;
use crate::training::log::duration;
use crate::training::run::Run;
use crate::training::stop;

/// Longest seed clip, in seconds.
const LONGEST_SEED: f64 = 600.0;

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The run, or its draft package.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The model or the render.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A clip.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The ONNX Runtime library that was named.
    #[error(transparent)]
    Runtime(#[from] continuo_engine::RuntimeError),
    /// A class that the model does not have.
    #[error("{}: there is no class {class:?}; {there}", model.display())]
    Class {
        /// The model.
        model: PathBuf,
        /// What was asked for.
        class: String,
        /// What there is.
        there: String,
    },
    /// No room for the draft.
    #[error("{}: creating a folder failed: {source}", dir.display())]
    Temporary {
        /// The folder for temporary files.
        dir: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// What `render` has made.
#[derive(Debug)]
pub struct Rendered {
    /// One file per take.
    pub files: Vec<PathBuf>,
    /// How it went.
    pub summary: RenderSummary,
    /// What the takes were stepped by, in the precision that they were computed in.
    pub backend: Backend,
}

/// `render RUN|PACKAGE --seed CLIP --seconds N --out WAV`.
///
/// The WAV has the seed clip's rate and channels, and the clip itself untouched up to its last milliseconds, which go over
/// to what the model heard; without a clip it is mono at the model's rate.
///
/// # Errors
/// [`RenderError`].
pub fn run(args: &RenderArgs) -> Result<Rendered, RenderError> {
    let folder = tempfile::tempdir().map_err(|source| RenderError::Temporary { dir: std::env::temp_dir(), source })?;
    let package = if Run::is_meant(&args.model) {
        let draft = folder.path().join("draft.continuo");
        export::draft(&Run::open(&args.model, FAMILIES).map_err(ExportError::from)?, &draft)?;
        draft
    } else {
        args.model.clone()
    };
    let runtime = export::runtime::find(args.runtime.as_deref())?;
    let model = Model::load(&package, &LoadOptions { runtime, ..LoadOptions::default() })?;
    let seed = args.seed.as_deref().map(read_seed).transpose()?;
    stop::listen(stop::Hangup::Stops);
    let (clips, summary) = takes(&model, seed, args)?;
    let mut files = Vec::new();
    for (take, clip) in clips.iter().enumerate() {
        let file = if clips.len() == 1 { args.out.clone() } else { numbered(&args.out, take + 1) };
        write_wav(&file, clip, WavFormat::I24)?;
        files.push(file);
    }
    let backend = model.backend(args.precision.0);
    println!(
        "{}: {:.1} s of {} take(s), real-time factor {:.1}, stepped by {backend}",
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "),
        args.seconds,
        summary.variations,
        summary.real_time_factor,
    );
    Ok(Rendered { files, summary, backend })
}

/// Reads the seed clip and tells what is missing in it.
fn read_seed(file: &Path) -> Result<Clip, AudioError> {
    let seed = audio::import(file, LONGEST_SEED)?;
    if let Some(damage) = seed.damage(file) {
        eprintln!("warning: {}", printable(&damage.to_string()));
    }
    Ok(seed.clip)
}

/// The number of the class that is asked for.
fn class(model: &Model, args: &RenderArgs) -> Result<u32, RenderError> {
    let Some(class) = &args.class else { return Ok(0) };
    let classes = &model.abilities().classes;
    let found = classes.iter().position(|name| name == class);
    found.map(|number| number as u32).ok_or_else(|| RenderError::Class {
        model: args.model.clone(),
        class: class.clone(),
        there: match classes.len() {
            0 => "the model knows one kind of recordings only; leave --class out".into(),
            _ => format!("give one of: {}", classes.join(", ")),
        },
    })
}

/// Renders all takes; each with the seed clip in front.
fn takes(model: &Arc<Model>, seed: Option<Clip>, args: &RenderArgs) -> Result<(Vec<Clip>, RenderSummary), RenderError> {
    let rate = model.sample_rate_hz();
    let request = RenderRequest {
        frames: (args.seconds * f64::from(rate)).round().max(1.0) as u64,
        sampling: Sampling {
            temperature: args.temperature,
            top_k: args.top_k,
            rng_seed: args.rng_seed,
            ..Sampling::default()
        },
        class: class(model, args)?,
        variations: 0..args.takes,
        seed,
        precision: args.precision.0,
        workers: Workers::new(threads(args.threads), || {})?,
    };
    let seed = request.seed.clone().unwrap_or(Clip { sample_rate_hz: rate, channels: vec![Vec::new()] });
    let mut heard = model_seed(&seed, rate)?;
    quantise(&mut heard, model.manifest().signal);
    let before = crossfade_frames(seed.sample_rate_hz, seed.frames());
    let mut upsamplers = (0..args.takes)
        .map(|_| Upsampler::new(rate, seed.sample_rate_hz, &heard, before))
        .collect::<Result<Vec<_>, _>>()?;
    let forecast = Forecasts::new(model, None).forecast(&request.workload(heard.len() as u64), stop::flag())?;
    eprintln!("{:.1} s × {} take(s): about {}", args.seconds, args.takes, duration(forecast.as_secs_f64().ceil()));
    let mut sounds = vec![Vec::new(); args.takes as usize];
    let mut failed = None;
    let summary = continuo_engine::render(model, &request, stop::flag(), &mut |block| {
        for ((upsampler, sound), frames) in upsamplers.iter_mut().zip(&mut sounds).zip(block.sound) {
            if let Err(error) = upsampler.push(frames, sound) {
                failed.get_or_insert(error);
            }
        }
    })?;
    for (upsampler, sound) in upsamplers.into_iter().zip(&mut sounds) {
        upsampler.finish(sound)?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let clips = sounds
        .into_iter()
        .map(|sound| Clip {
            sample_rate_hz: seed.sample_rate_hz,
            channels: seed.channels.iter().map(|channel| joined(channel, &sound, before)).collect(),
        })
        .collect();
    Ok((clips, summary))
}

/// A channel of the clip, and `sound` behind it, of which the first `before` frames lie before the seam.
fn joined(clip: &[f32], sound: &[f32], before: usize) -> Vec<f32> {
    let mut joined = clip.to_vec();
    let exact = clip.len() - before;
    for (index, (frame, heard)) in joined[exact..].iter_mut().zip(sound).enumerate() {
        *frame = crossfade(*frame, *heard, index, before);
    }
    joined.extend_from_slice(&sound[before.min(sound.len())..]);
    joined
}

/// `NAME-2.wav` for `NAME.wav`.
fn numbered(file: &Path, number: usize) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map_or_else(|| "wav".into(), |extension| extension.to_string_lossy());
    file.with_file_name(format!("{stem}-{number}.{extension}"))
}

/// Threads that were asked for; 0 is one per core.
fn threads(asked: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if asked == 0 { cores.min(continuo_engine::MOST_THREADS) } else { asked }
}
