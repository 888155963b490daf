//! The evaluation of one model: its jobs, spread over threads, and what comes of them.

use std::sync::Arc;

use continuo_engine::{EngineError, Model, Precision, Sampling};
use continuo_package::Reach;
use rayon::prelude::*;

use super::collapse::{Collapse, collapse};
use super::drift;
use super::embedding::Embedding;
use super::error::EvaluateError;
use super::figures::SoundFigures;
use super::frechet::Yardstick;
use super::generate::Player;
use super::likelihood::{self, TOGETHER};
use super::measured::Measured;
use super::memory;
use super::progress::Progress;
use super::reference::{Audio, Place, Reference};
use super::results::{Collapsed, Listen, ModelResult, Settings, SoundMeans};
use super::sound::listen;
use super::squared_error::{self, Step};
use super::statistics::{Mean, jackknife};

/// Frames that are primed, over all clips, to ask for single next frames.
const ONE_STEP_FRAMES: usize = 600_000;
/// Fewest and most frames that a clip is asked for.
const ONE_STEP_POINTS: (usize, usize) = (2, 48);
/// Frames that are primed in the time that one is generated in, roughly: for the progress alone.
const PRIMED_PER_STEP: usize = 8;
/// Clips that a page lets its reader listen to.
const LISTEN: usize = 3;

/// All that the models of one rate share.
#[derive(Debug)]
pub struct Bench<'a> {
    /// How to evaluate.
    pub settings: &'a Settings,
    /// The dataset at this rate.
    pub audio: Audio<'a>,
    /// What models are held against.
    pub reference: Reference,
    /// What embeds sounds.
    pub embedding: Embedding,
    /// The training audio's place in the embedding.
    pub yardstick: Yardstick,
}

/// A sound's windows as the yardstick measures them: of each clip, of each take.
pub type Embedded = Vec<Vec<Vec<Vec<f64>>>>;

impl Bench<'_> {
    /// Embeds sounds, clip by clip and take by take.
    pub fn embed(&self, clips: &[Vec<&[f32]>]) -> Embedded {
        let take = |sound: &&[f32]| {
            let vectors = self.embedding.of(sound);
            vectors.iter().map(|vector| self.yardstick.measure(vector)).collect()
        };
        clips.par_iter().map(|takes| takes.iter().map(take).collect()).collect()
    }

    /// The distance from the training audio: the mean over takes, so that each has as many windows as the held-out audio has;
    /// its error is over clips.
    pub fn distance(&self, clips: &Embedded) -> Option<Mean> {
        let takes = clips.iter().map(Vec::len).min()?;
        let all = |stays: &dyn Fn(usize) -> bool| {
            let kept: Vec<usize> = (0..clips.len()).filter(|at| stays(*at)).collect();
            let of_take = |take: usize| {
                let vectors: Vec<&[f64]> =
                    kept.iter().flat_map(|&clip| &clips[clip][take]).map(Vec::as_slice).collect();
                self.yardstick.distance(vectors.iter().copied())
            };
            let distances = (0..takes).map(of_take).collect::<Option<Vec<f64>>>()?;
            Mean::of(&distances).map(|mean| mean.mean)
        };
        jackknife(clips.len(), all)
    }

    /// Frames of so many seconds.
    pub fn frames(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.reference.rate_hz)).round() as usize
    }
}

/// A part of the work.
enum Job<'a> {
    /// The long continuation.
    Long,
    /// A clip's takes.
    Takes(usize),
    /// A group of chunks.
    Likelihood(&'a [Place]),
    /// Single next frames in a clip.
    OneStep(usize),
}

/// What it gives.
enum Done {
    Long(Vec<Vec<f32>>),
    Takes(Vec<Vec<f32>>),
    Likelihood(usize, Result<f64, String>),
    OneStep(Vec<Step>),
}

/// A model under evaluation.
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Arc<Model>,
    /// Its short name.
    pub name: String,
    /// The run or package, as it was named.
    pub path: String,
    /// Asked for; `None` is the model's own.
    pub precision: Option<Precision>,
}

/// A result, and the seconds of sound that are still to be looked for in the training audio.
pub type Outcome = (ModelResult, Vec<Vec<f32>>);

impl Subject<'_> {
    /// Evaluates it on the threads of the pool that calls.
    ///
    /// # Errors
    /// If the model fails, or cannot make a sound at all.
    pub fn evaluate(&self, bench: &Bench<'_>) -> Result<Outcome, EvaluateError> {
        let (model, reference, settings) = (self.model, &bench.reference, bench.settings);
        let abilities = model.abilities();
        if !abilities.can_continue && !abilities.can_begin {
            return Err(EvaluateError::Mute { file: model.path().to_path_buf() });
        }
        let rate = reference.rate_hz;
        let most = |seconds: f64| {
            abilities.fixed_frames.map_or(usize::MAX, |frames| frames as usize).min(bench.frames(seconds))
        };
        let frames = most(settings.seconds);
        let long_frames = bench.frames(settings.drift_seconds);
        let long = if settings.drift_seconds <= 0.0 {
            Err("it was not asked for".to_owned())
        } else if let Some(fixed) = abilities.fixed_frames.filter(|&fixed| (fixed as usize) < long_frames) {
            Err(format!("the model makes phrases of {:.1} s", fixed as f64 / f64::from(rate)))
        } else {
            Ok(())
        };
        let likely = likelihood::not_applicable(model);
        let one_step = !abilities.can_continue;
        let context = likelihood::context(model, bench.frames(settings.seed_seconds));
        let chunk_frames =
            (settings.chunk_frames as f64 * f64::from(rate) / f64::from(bench.audio.dataset.sample_rate_hz())) as usize;
        let groups: Vec<&[Place]> =
            if likely.is_none() { reference.chunks.chunks(TOGETHER).collect() } else { Vec::new() };

        // The longest first, so that no thread waits for it at the end.
        let mut jobs: Vec<Job<'_>> = Vec::new();
        jobs.extend(long.is_ok().then_some(Job::Long));
        jobs.extend((0..reference.clips.len()).map(Job::Takes));
        jobs.extend(groups.iter().map(|&group| Job::Likelihood(group)));
        if !one_step {
            jobs.extend((0..reference.clips.len()).map(Job::OneStep));
        }
        let points = self.points(bench);
        let total = |job: &Job<'_>| match job {
            Job::Long => long_frames,
            Job::Takes(_) => frames,
            Job::Likelihood(_) => chunk_frames + context / PRIMED_PER_STEP,
            Job::OneStep(_) => points * (1 + context / PRIMED_PER_STEP),
        };
        let progress = Progress::visible(&self.name, jobs.iter().map(|job| total(job) as u64).sum());
        let sampling = Sampling {
            temperature: settings.temperature,
            top_k: settings.top_k,
            rng_seed: settings.rng_seed,
            ..Sampling::default()
        };
        let player = Player { model, sampling, precision: self.precision, progress: &progress };
        let likeliest = Player { sampling: Sampling { temperature: 0.0, ..sampling }, ..player };
        let precision = model.backend(self.precision).precision();
        let takes = settings.takes;
        let seed_of = |seed: &'_ [f32]| abilities.can_continue.then(|| seed.to_vec());
        let run = |job: &Job<'_>| -> Result<Done, EvaluateError> {
            match job {
                Job::Long => {
                    let seed = reference.long.as_ref().and_then(|long| seed_of(&long.seed));
                    // Behind all variations of the clips.
                    let first = reference.clips.len() as u32 * takes;
                    Ok(Done::Long(player.play(seed.as_deref(), long_frames, first..first + takes)?))
                }
                Job::Takes(clip) => {
                    let seed = seed_of(&reference.clips[*clip].seed);
                    let first = *clip as u32 * takes;
                    Ok(Done::Takes(player.play(seed.as_deref(), frames, first..first + takes)?))
                }
                Job::Likelihood(group) => {
                    if crate::training::stop::requested() {
                        return Err(EvaluateError::Stopped);
                    }
                    let nats = likelihood::nats(model, precision, bench.audio, group, (context, chunk_frames))?;
                    progress.add((chunk_frames + context / PRIMED_PER_STEP) as u64);
                    Ok(Done::Likelihood(group.len(), nats))
                }
                Job::OneStep(clip) => {
                    let said = steps(&likeliest, &reference.clips[*clip], rate, points)?;
                    progress.add((points * (context / PRIMED_PER_STEP)) as u64);
                    Ok(Done::OneStep(said))
                }
            }
        };
        let done = jobs.par_iter().with_max_len(1).map(run).collect::<Result<Vec<Done>, EvaluateError>>()?;
        progress.done();

        let (mut long_takes, mut sounds, mut nats, mut said) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for done in done {
            match done {
                Done::Long(takes) => long_takes = takes,
                Done::Takes(takes) => sounds.push(takes),
                Done::Likelihood(count, mean) => nats.push((count, mean)),
                Done::OneStep(steps) => said.push(steps),
            }
        }
        let sounds_of: Vec<Vec<&[f32]>> =
            sounds.iter().map(|takes| takes.iter().map(Vec::as_slice).collect()).collect();
        let all: Vec<&[f32]> = sounds_of.iter().flatten().copied().collect();
        let figures: Vec<SoundFigures> = all.par_iter().map(|sound| SoundFigures::of(sound, rate)).collect();
        let mut collapsed = Collapsed { of: all.len(), ..Collapsed::default() };
        for sound in &all {
            match collapse(&listen(sound, rate), &reference.heard) {
                Some(Collapse::Silence) => collapsed.silence += 1,
                Some(Collapse::Noise) => collapsed.noise += 1,
                None => {}
            }
        }
        let alone = "the model does not continue clips";
        let squared_error = if abilities.can_continue {
            squared_error::of_takes(&reference.clips, &sounds_of, rate)
                .map_or_else(|| Measured::not_applicable("all that follows the clips is silence"), Measured::Value)
        } else {
            Measured::not_applicable(alone)
        };
        let windows =
            sounds.iter().filter_map(|takes| takes.first()).flat_map(|sound| memory::windows(sound, rate)).collect();
        let manifest = model.manifest();
        let seconds = |frames: u64| frames as f64 / f64::from(rate);
        let hears = match manifest.reach {
            Reach::Frames { frames } => format!("hears {frames} frames, {:.3} s", seconds(frames)),
            Reach::Unbounded => "hears everything before".into(),
            Reach::None { length_frames } => format!("makes {:.1} s at once", seconds(length_frames)),
        };
        let no_sound = || EvaluateError::Mute { file: model.path().to_path_buf() };
        let result = ModelResult {
            name: self.name.clone(),
            path: self.path.clone(),
            run_id: manifest.run_id.clone(),
            steps: manifest.training.steps,
            weights: manifest.training.parameters,
            kind: format!("{}, {hears}", manifest.architecture.family()),
            rate_hz: rate,
            signal: manifest.signal.to_string(),
            backend: model.backend(self.precision).to_string(),
            continues: abilities.can_continue,
            likelihood: match likely {
                Some(reason) => Measured::not_applicable(reason),
                None => likelihood::together(nats, model, (context, chunk_frames)),
            },
            squared_error,
            one_step: squared_error::one_step(&said).map_or_else(|| Measured::not_applicable(alone), Measured::Value),
            sound: SoundMeans::of(&figures).ok_or_else(no_sound)?,
            collapsed,
            frechet: bench.distance(&bench.embed(&sounds_of)).map_or_else(
                || Measured::not_applicable("the model's phrases are shorter than the windows of the embedding"),
                Measured::Value,
            ),
            drift: match long {
                Ok(()) => {
                    let takes: Vec<&[f32]> = long_takes.iter().map(Vec::as_slice).collect();
                    Measured::Value(drift::of(&takes, rate))
                }
                Err(reason) => Measured::NotApplicable(reason),
            },
            memory: Measured::not_applicable("nothing was searched"),
            spectrum_db: bench.embedding.mean_spectrum_db(all.iter().copied()).unwrap_or_default(),
            sounds: self.to_listen_to(bench, &sounds),
        };
        Ok((result, windows))
    }

    /// Single next frames to ask for in each clip: few where a model hears much.
    fn points(&self, bench: &Bench<'_>) -> usize {
        let seed = bench.frames(bench.settings.seed_seconds + 0.5);
        let heard = self.model.manifest().reach.frames().map_or(seed, |frames| frames as usize);
        let each = ONE_STEP_FRAMES / heard.max(1) / bench.reference.clips.len().max(1);
        each.clamp(ONE_STEP_POINTS.0, ONE_STEP_POINTS.1)
    }

    fn to_listen_to(&self, bench: &Bench<'_>, sounds: &[Vec<Vec<f32>>]) -> Vec<Listen> {
        let clips = bench.reference.clips.iter().zip(sounds).take(LISTEN);
        let one = |(clip, takes): (&super::reference::HeldoutClip, &Vec<Vec<f32>>)| {
            let played = takes.first()?;
            if !self.model.abilities().can_continue {
                return Some(Listen { caption: format!("{}: a phrase", self.name), sound: played.clone() });
            }
            let caption = format!(
                "{}: after {:.1} s of {} from {:.1} s on",
                self.name,
                bench.settings.seed_seconds,
                clip.recording,
                clip.start_seconds - bench.settings.seed_seconds
            );
            Some(Listen { caption, sound: [clip.seed.as_slice(), played].concat() })
        };
        clips.filter_map(one).collect()
    }
}

/// What a model says of single frames of the second after a clip, having heard all before them.
fn steps(
    player: &Player<'_>,
    clip: &super::reference::HeldoutClip,
    rate_hz: u32,
    points: usize,
) -> Result<Vec<Step>, EngineError> {
    let second = (rate_hz as usize).min(clip.following.len());
    let whole: Vec<f32> = clip.seed.iter().chain(&clip.following[..second]).copied().collect();
    let mut steps = Vec::with_capacity(points);
    for point in 0..points {
        let at = clip.seed.len() + (2 * point + 1) * second / (2 * points);
        let (Some(&before), Some(&real)) = (whole.get(at - 1), whole.get(at)) else { continue };
        let said = player.play(Some(&whole[..at]), 1, 0..1)?;
        let Some(&said) = said.first().and_then(|take| take.first()) else { continue };
        steps.push(Step { said, real, before });
    }
    Ok(steps)
}
