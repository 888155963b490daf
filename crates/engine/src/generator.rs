//! Takes, frame by frame, spread over threads.

use crate::error::EngineError;
use crate::kernels::Precision;
use crate::model::Model;
use crate::sampler::{Sampler, Sampling};
use crate::takes::Takes;
use crate::workers::Workers;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most takes of one generator.
pub const MOST_TAKES: u32 = 64;

/// Most memory that the takes of one generator may remember.
const MOST_BYTES: u64 = 4 << 30;

/// Frames between two looks at the cancel flag while priming: a few milliseconds.
const FRAMES_PER_LOOK: usize = 128;

/// Generates several takes of one continuation together.
///
/// Each frame of a take depends on the primed clip, the model, the precision, the settings, the take's number and the
/// frame's index alone: not on which takes are generated together, nor on how priming and generating were cut into
/// calls, nor on the threads.
#[derive(Debug)]
pub struct Generator {
    model: Arc<Model>,
    precision: Option<Precision>,
    sampling: Sampling,
    takes: Range<u32>,
    workers: Workers,
    past: Past,
    /// Whether the network has heard nothing yet, not even the silence before the first frame.
    fresh: bool,
    position: u64,
    amplitudes: Vec<f32>,
}

/// What the network has heard.
#[derive(Debug)]
enum Past {
    /// The same in all takes, so that one state stands for them.
    Together {
        states: Box<dyn Takes>,
        /// The newest frame's code, which has not gone through the network yet.
        newest: u32,
    },
    /// Something else in each take.
    Apart(Vec<Group>),
}

/// Takes that one thread steps together.
#[derive(Debug)]
struct Group {
    takes: Range<u32>,
    states: Box<dyn Takes>,
    /// Per take the newest frame's code, which has not gone through the network yet.
    newest: Vec<u32>,
    draws: Draws,
}

/// What turns logits into codes and amplitudes.
#[derive(Debug)]
struct Draws {
    model: Arc<Model>,
    sampling: Sampling,
    sampler: Sampler,
}

impl Draws {
    /// Draws the codes of a frame of the takes from `first` on, whose logits lie `stride` apart.
    fn draw(
        &mut self,
        logits: &[f32],
        stride: usize,
        first: u32,
        frame: u64,
        codes: &mut [u32],
    ) -> Result<(), EngineError> {
        let levels = self.model.levels() as usize;
        if stride < levels {
            let reason = format!("{stride} logits came out; there are {levels} levels");
            return Err(self.model.session_failed(reason));
        }
        for ((take, logits), code) in (first..).zip(logits.chunks_exact(stride)).zip(codes) {
            let drawn = self.sampler.draw(&logits[..levels], &self.sampling, take, frame);
            let path = || self.model.path().to_owned();
            *code = drawn.ok_or_else(|| EngineError::NotFinite { path: path(), take, frame })?;
        }
        Ok(())
    }
}

impl Group {
    /// Generates one frame; the codes are then the newest.
    fn step(&mut self, frame: u64) -> Result<(), EngineError> {
        let failed = |reason| self.draws.model.session_failed(reason);
        let stride = self.states.step(&self.newest).map_err(failed)?;
        self.draws.draw(self.states.logits(), stride, self.takes.start, frame, &mut self.newest)
    }

    /// Generates frames and appends their amplitudes, take by take.
    fn generate(
        &mut self,
        first: u64,
        frames: usize,
        cancel: &AtomicBool,
        out: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        for frame in (first..).take(frames) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            self.step(frame)?;
            let model = &self.draws.model;
            out.iter_mut().zip(&self.newest).for_each(|(out, &code)| out.push(model.amplitude(code)));
        }
        Ok(())
    }

    /// As [`Group::generate`], with this thread and all of `pool` on each frame.
    fn generate_split(
        &mut self,
        pool: &rayon::ThreadPool,
        first: u64,
        frames: usize,
        cancel: &AtomicBool,
        out: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        let last = first + frames as u64;
        let mut frame = first;
        let mut result = Ok(());
        let Self { takes, states, newest, draws } = self;
        if frames == 0 {
            return Ok(());
        }
        let mut next = |logits: &[f32], stride: usize, codes: &mut [u32]| {
            result = if cancel.load(Ordering::Relaxed) {
                Err(EngineError::Cancelled)
            } else {
                draws.draw(logits, stride, takes.start, frame, codes)
            };
            out.iter_mut().zip(&*codes).for_each(|(out, &code)| out.push(draws.model.amplitude(code)));
            frame += 1;
            result.is_ok() && frame < last
        };
        states.split(pool, newest, &mut next);
        result
    }
}

impl Generator {
    /// A generator at frame 0 for these takes, after one receptive field of silence: where a recording begins in training.
    ///
    /// # Errors
    /// [`EngineError::Request`] for settings out of range, for no takes or for more than [`MOST_TAKES`], or for so many
    /// that they would take more than 4 GiB.
    pub fn new(model: &Arc<Model>, sampling: Sampling, takes: Range<u32>) -> Result<Self, EngineError> {
        Self::in_precision(model, None, sampling, takes)
    }

    /// As [`Generator::new`], in a precision (`None`: [`Model::best_precision`]).
    ///
    /// # Errors
    /// As [`Generator::new`]; [`EngineError::NeedsRuntime`] where packing would take more memory than there should be.
    pub fn in_precision(
        model: &Arc<Model>,
        precision: Option<Precision>,
        sampling: Sampling,
        takes: Range<u32>,
    ) -> Result<Self, EngineError> {
        sampling.validate()?;
        let count = takes.end.saturating_sub(takes.start);
        if count == 0 || count > MOST_TAKES {
            let reason = format!("is {count}; it must be from 1 to {MOST_TAKES}");
            return Err(EngineError::Request { setting: "the number of takes", reason });
        }
        let needed = model.bytes_per_take() * u64::from(count);
        if needed > MOST_BYTES {
            let reason = format!(
                "is {count}, which needs {} MB of memory; at most {} MB are taken",
                needed >> 20,
                MOST_BYTES >> 20
            );
            return Err(EngineError::Request { setting: "the number of takes", reason });
        }
        let newest = model.manifest().quantisation.silence();
        Ok(Self {
            past: Past::Together { states: model.one_take(precision)?, newest },
            model: Arc::clone(model),
            precision,
            sampling,
            takes,
            workers: Workers::alone(),
            fresh: true,
            position: 0,
            amplitudes: vec![0.0; count as usize],
        })
    }

    /// Uses these threads from the first generated frame on.
    #[must_use]
    pub fn on(mut self, workers: &Workers) -> Self {
        self.workers = workers.clone();
        self
    }

    /// The number of the next frame, counted from the first primed one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The takes' numbers.
    pub fn takes(&self) -> Range<u32> {
        self.takes.clone()
    }

    /// Feeds frames in [−1, 1] at the model's rate, as if every take had generated them. A clip may come in pieces.
    ///
    /// Of a piece longer than the receptive field only the end goes through the network: the state that it leaves is the
    /// same.
    ///
    /// # Errors
    /// [`EngineError::Session`] from ONNX Runtime; the generator is then of no more use.
    pub fn prime(&mut self, clip: &[f32]) -> Result<(), EngineError> {
        self.prime_unless(clip, &AtomicBool::new(false))
    }

    /// As [`Generator::prime`], with an eye on a flag.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true; the generator is then of no more use.
    pub fn prime_unless(&mut self, clip: &[f32], cancel: &AtomicBool) -> Result<(), EngineError> {
        // The clip's last frame goes through the network when the next one is asked for.
        let Some((&last, before)) = clip.split_last() else { return Ok(()) };
        let quantisation = self.model.manifest().quantisation;
        let last = quantisation.encode(last);
        let reach = self.reach();
        let codes = |clip: &[f32]| clip.iter().map(|&amplitude| quantisation.encode(amplitude)).collect::<Vec<u32>>();
        if before.len() >= reach {
            // Nothing earlier is heard any more, so the takes are the same again.
            self.past = Past::Together { states: self.model.one_take(self.precision)?, newest: last };
            self.fresh = false;
            self.feed(&codes(&before[before.len() - reach..]), cancel)?;
        } else {
            self.begin(cancel)?;
            // The newest frame of each take goes first.
            match &mut self.past {
                Past::Together { newest, .. } => {
                    let first = std::mem::replace(newest, last);
                    self.feed(&[&[first], &codes(before)[..]].concat(), cancel)?;
                }
                Past::Apart(groups) => {
                    let failed = |reason| self.model.session_failed(reason);
                    for group in groups {
                        group.states.feed(&group.newest, before.len()).map_err(failed)?;
                        group.newest.fill(last);
                    }
                    self.feed(&codes(before), cancel)?;
                }
            }
        }
        self.position += clip.len() as u64;
        Ok(())
    }

    /// Does what comes before the first frame: the network hears the silence that precedes every recording. Priming and
    /// generating do it as well, but generating cannot be cancelled meanwhile.
    ///
    /// The trainer pads the beginning of a recording with the code of silence, so the state of all zeros that a graph
    /// starts from is one that the network has never seen.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true, [`EngineError::Session`] from ONNX Runtime; the generator is
    /// then of no more use.
    pub fn begin(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        if !std::mem::take(&mut self.fresh) {
            return Ok(());
        }
        let silence = self.model.manifest().quantisation.silence();
        let reach = self.reach();
        let heard = match &mut self.past {
            Past::Together { states, .. } => states.hear_silence(silence),
            Past::Apart(_) => false,
        };
        if heard { Ok(()) } else { self.feed(&vec![silence; reach], cancel) }
    }

    /// Takes the same codes through the network for every take.
    fn feed(&mut self, codes: &[u32], cancel: &AtomicBool) -> Result<(), EngineError> {
        let failed = |reason| self.model.session_failed(reason);
        let mut behind = codes.len();
        for piece in codes.chunks(FRAMES_PER_LOOK) {
            behind -= piece.len();
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            match &mut self.past {
                Past::Together { states, .. } => states.feed(piece, behind).map_err(failed)?,
                Past::Apart(groups) => {
                    for group in groups {
                        group.states.feed(&piece.repeat(group.states.count()), behind).map_err(failed)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn reach(&self) -> usize {
        usize::try_from(self.model.manifest().receptive_field_frames).unwrap_or(usize::MAX)
    }

    /// Gives each take a state of its own, in as many groups as there are threads for.
    fn part(&mut self) -> Result<&mut [Group], EngineError> {
        self.begin(&AtomicBool::new(false))?;
        if let Past::Together { states, newest } = &self.past {
            let failed = |reason| self.model.session_failed(reason);
            let count = self.takes.len();
            let threads = self.workers.threads().min(count);
            let group = |index: usize| {
                let place = |index: usize| self.takes.start + (count * index / threads) as u32;
                let takes = place(index)..place(index + 1);
                let mut states = states.fork().map_err(failed)?;
                states.part(takes.len()).map_err(failed)?;
                let (model, sampling) = (Arc::clone(&self.model), self.sampling);
                let draws = Draws { model, sampling, sampler: Sampler::default() };
                Ok(Group { newest: vec![*newest; takes.len()], takes, states, draws })
            };
            self.past = Past::Apart((0..threads).map(group).collect::<Result<_, EngineError>>()?);
        }
        match &mut self.past {
            Past::Apart(groups) => Ok(groups),
            Past::Together { .. } => Ok(&mut []),
        }
    }

    /// Generates one frame of every take on this thread; amplitudes in [−1, 1] in the order of the takes.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] from a damaged model, [`EngineError::Session`] from ONNX Runtime. The generator is then
    /// of no more use.
    pub fn step(&mut self) -> Result<&[f32], EngineError> {
        let frame = self.position;
        for group in self.part()? {
            group.step(frame)?;
        }
        self.position += 1;
        let codes = self.codes();
        for (amplitude, code) in self.amplitudes.iter_mut().zip(codes) {
            *amplitude = self.model.amplitude(code);
        }
        Ok(&self.amplitudes)
    }

    /// Generates `frames` frames and appends them to the vectors, one per take.
    ///
    /// # Errors
    /// [`EngineError::Request`] where there is not one vector per take; as [`Generator::step`].
    pub fn generate(&mut self, frames: usize, out: &mut [Vec<f32>]) -> Result<(), EngineError> {
        self.generate_unless(frames, out, &AtomicBool::new(false))
    }

    /// As [`Generator::generate`], with an eye on a flag before every frame.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true; the generator is then of no more use, and what was appended
    /// is not of one length.
    pub fn generate_unless(
        &mut self,
        frames: usize,
        out: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> Result<(), EngineError> {
        if out.len() != self.takes.len() {
            let reason = format!("are {}; there are {} takes", out.len(), self.takes.len());
            return Err(EngineError::Request { setting: "the output vectors", reason });
        }
        let (first, workers) = (self.position, self.workers.clone());
        match (self.part()?, workers.pool()) {
            ([group], Some(pool)) if group.states.can_split() => {
                let _all_threads = workers.whole();
                group.generate_split(pool, first, frames, cancel, out)?;
            }
            (groups, Some(pool)) if groups.len() > 1 => {
                let mut results: Vec<_> = groups.iter().map(|_| Ok(())).collect();
                // The first group is this thread's own.
                pool.in_place_scope(|scope| {
                    let (mut own, mut rest) = (None, out);
                    for (group, result) in groups.iter_mut().zip(&mut results) {
                        let (part, others) = rest.split_at_mut(group.newest.len());
                        rest = others;
                        if own.is_none() {
                            own = Some((group, part, result));
                        } else {
                            scope.spawn(move |_| *result = group.generate(first, frames, cancel, part));
                        }
                    }
                    if let Some((group, part, result)) = own {
                        *result = group.generate(first, frames, cancel, part);
                    }
                });
                results.into_iter().collect::<Result<(), _>>()?;
            }
            (groups, _) => {
                let mut rest = out;
                for group in groups {
                    let (part, others) = rest.split_at_mut(group.newest.len());
                    group.generate(first, frames, cancel, part)?;
                    rest = others;
                }
            }
        }
        self.position += frames as u64;
        Ok(())
    }

    /// The codes of the newest frame, in the order of the takes.
    pub fn codes(&self) -> Vec<u32> {
        match &self.past {
            Past::Together { newest, .. } => vec![*newest; self.takes.len()],
            Past::Apart(groups) => groups.iter().flat_map(|group| &group.newest).copied().collect(),
        }
    }
}
