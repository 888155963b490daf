//! The voice of every model that draws one step after another: frames of audio, or codes that stand for several.
//!
//! A [`Stepper`] moves the network on and puts out logits or values, a [`Head`] draws the next symbols from them, and
//! [`Autoregressive`] is the one loop around both: it primes, parts the variations over threads, and generates.

mod group;
mod head;
mod likelihood;
mod sampler;
mod stepper;

pub use head::{Head, Real, Softmax};
pub(crate) use likelihood::{Teller, nll_nats, told_nll_nats};
pub(crate) use sampler::Sampler;
pub use stepper::{Condition, Next, Stepper, Told};

use crate::error::EngineError;
use crate::source::Source;
use crate::voice::{Voice, VoiceRequest};
use crate::workers::Workers;
use group::{Draws, Group};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps between two looks at the cancel flag while priming: a few milliseconds.
const STEPS_PER_LOOK: usize = 128;

/// What a network hears of the past, and what it has heard before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Steps that decide the next one; `None` for a recurrent network, which forgets nothing.
    pub reach: Option<usize>,
    /// Steps of silence before the first one: where a recording begins in training.
    pub silence_before: usize,
}

/// A voice that draws step by step.
#[derive(Debug)]
pub struct Autoregressive<S: Stepper, H> {
    past: Past,
    variations: Range<u32>,
    workers: Workers,
    draws: Draws<H>,
    condition: Option<Box<dyn Condition>>,
    state: State<S, H>,
    /// Whether the network has heard nothing yet, not even the silence before the first step.
    fresh: bool,
    position: u64,
}

/// What the network has heard.
#[derive(Debug)]
enum State<S: Stepper, H> {
    /// The same in all variations, so that one state stands for them.
    Together {
        stepper: S,
        /// Per channel the newest step's symbol, which has not gone through the network yet.
        newest: Vec<S::Symbol>,
    },
    /// Something else in each variation.
    Apart(Vec<Group<S, H>>),
}

impl<S: Stepper + 'static, H: Head<Symbol = S::Symbol> + 'static> Autoregressive<S, H> {
    /// A voice at frame 0, of a stepper that stands before its first step.
    ///
    /// # Errors
    /// [`EngineError::Request`]; see [`VoiceRequest::validate`].
    pub fn new(
        source: Source,
        stepper: S,
        head: H,
        channels: usize,
        past: Past,
        request: &VoiceRequest,
    ) -> Result<Self, EngineError> {
        request.validate()?;
        let newest = vec![head.encode(0.0); channels];
        Ok(Self {
            past,
            variations: request.variations.clone(),
            workers: request.workers.clone(),
            draws: Draws { source, head, channels, tallies: Vec::new() },
            condition: None,
            state: State::Together { stepper, newest },
            fresh: true,
            position: 0,
        })
    }

    /// Tells the network this besides its own past.
    #[must_use]
    pub fn told(mut self, condition: Box<dyn Condition>) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Takes the same symbols through the network for every variation. `leads_to` says which step each of them leads to: what
    /// the network is told belongs to that one.
    fn prime_symbols(
        &mut self,
        symbols: &[S::Symbol],
        leads_to: impl Fn(usize) -> u64,
        cancel: &AtomicBool,
    ) -> Result<(), EngineError> {
        let channels = self.draws.channels;
        let steps = symbols.len() / channels;
        let mut heard = 0;
        for piece in symbols.chunks(STEPS_PER_LOOK * channels) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let step = leads_to(heard);
            heard += piece.len() / channels;
            match &mut self.state {
                State::Together { stepper, .. } => {
                    let (condition, source) = (self.condition.as_deref_mut(), &self.draws.source);
                    group::prime(stepper, condition, (piece, channels, 1), step, steps - heard, source)?;
                }
                State::Apart(groups) => {
                    groups.iter_mut().try_for_each(|group| group.prime(piece, step, steps - heard))?;
                }
            }
        }
        Ok(())
    }

    /// What draws.
    pub(crate) fn head(&self) -> &H {
        &self.draws.head
    }

    /// A voice of these variations on one thread that has heard the same.
    ///
    /// # Errors
    /// As [`Voice::generate`]; once its variations have parted, a voice cannot be forked.
    pub(crate) fn fork(&self, variations: Range<u32>) -> Result<Self, EngineError> {
        let failed = |reason| self.draws.source.failed(reason);
        let State::Together { stepper, newest } = &self.state else {
            return Err(failed("its variations have parted".into()));
        };
        Ok(Self {
            past: self.past,
            workers: Workers::alone(),
            draws: self.draws.clone(),
            condition: self.condition.as_ref().map(|condition| condition.fork(variations.clone())).transpose()?,
            variations,
            state: State::Together { stepper: stepper.fork(1).map_err(failed)?, newest: newest.clone() },
            fresh: self.fresh,
            position: self.position,
        })
    }

    /// A voice whose first frame has this number.
    #[must_use]
    pub fn starting_at(mut self, position: u64) -> Self {
        self.position = position;
        self
    }

    /// Gives each variation a state of its own now: what the network is told from here on is not the same in all of them.
    ///
    /// # Errors
    /// As [`Voice::generate`].
    pub fn part_now(&mut self) -> Result<(), EngineError> {
        self.part().map(drop)
    }

    /// Gives each variation a state of its own, in as many groups as there are threads for.
    fn part(&mut self) -> Result<&mut [Group<S, H>], EngineError> {
        self.begin(&AtomicBool::new(false))?;
        if let State::Together { stepper, newest } = &self.state {
            let count = self.variations.len();
            let threads = self.workers.threads().min(count);
            let group = |index: usize| {
                let place = |index: usize| self.variations.start + (count * index / threads) as u32;
                let variations = place(index)..place(index + 1);
                let fork = |variations: &Range<u32>| {
                    self.condition.as_ref().map(|condition| condition.fork(variations.clone())).transpose()
                };
                Ok(Group {
                    stepper: stepper.fork(variations.len()).map_err(|reason| self.draws.source.failed(reason))?,
                    newest: newest.repeat(variations.len()),
                    draws: self.draws.clone(),
                    condition: fork(&variations)?,
                    variations,
                })
            };
            self.state = State::Apart((0..threads).map(group).collect::<Result<_, EngineError>>()?);
        }
        match &mut self.state {
            State::Apart(groups) => Ok(groups),
            State::Together { .. } => Ok(&mut []),
        }
    }

    /// Stands before the first step again, but for the newest symbols; what was heard before them does not matter.
    fn forget(&mut self, newest: Vec<S::Symbol>) -> Result<(), EngineError> {
        let failed = |reason| self.draws.source.failed(reason);
        match &mut self.state {
            State::Together { stepper, newest: before } => {
                stepper.restart().map_err(failed)?;
                *before = newest;
            }
            State::Apart(groups) => {
                if let Some(Group { mut stepper, .. }) = groups.pop() {
                    stepper.restart().map_err(failed)?;
                    self.state = State::Together { stepper, newest };
                }
            }
        }
        self.fresh = false;
        Ok(())
    }

    /// A clip's symbols, step by step and channel by channel.
    fn encode(&self, clip: &[&[f32]], steps: Range<usize>) -> Vec<S::Symbol> {
        let head = &self.draws.head;
        steps.flat_map(|step| clip.iter().map(move |channel| head.encode(channel[step]))).collect()
    }
}

impl<S: Stepper + 'static, H: Head<Symbol = S::Symbol> + 'static> Voice for Autoregressive<S, H> {
    fn channels(&self) -> usize {
        self.draws.channels
    }

    fn variations(&self) -> Range<u32> {
        self.variations.clone()
    }

    fn position(&self) -> u64 {
        self.position
    }

    /// Of a piece longer than the receptive field only the end goes through the network: the state that it leaves is the
    /// same.
    fn prime(&mut self, clip: &[&[f32]], cancel: &AtomicBool) -> Result<(), EngineError> {
        let steps = clip.first().map_or(0, |channel| channel.len());
        if clip.len() != self.draws.channels || clip.iter().any(|channel| channel.len() != steps) {
            let reason =
                format!("has {} channels, or of different lengths; the model has {}", clip.len(), self.draws.channels);
            return Err(EngineError::Request { setting: "the clip", reason });
        }
        // The clip's last step goes through the network when the next one is asked for.
        let Some(before) = steps.checked_sub(1) else { return Ok(()) };
        let last = self.encode(clip, before..steps);
        let position = self.position;
        if let Some(reach) = self.past.reach.filter(|&reach| before >= reach) {
            // Nothing earlier is heard any more, so the variations are the same again.
            self.forget(last)?;
            let heard = before - reach..before;
            let first = position + heard.start as u64 + 1;
            self.prime_symbols(&self.encode(clip, heard), |step| first + step as u64, cancel)?;
        } else {
            self.begin(cancel)?;
            let symbols = self.encode(clip, 0..before);
            // The newest symbols of each variation go first.
            match &mut self.state {
                State::Together { newest, .. } => {
                    let newest = std::mem::replace(newest, last);
                    self.prime_symbols(&[newest, symbols].concat(), |step| position + step as u64, cancel)?;
                }
                State::Apart(groups) => {
                    for group in groups {
                        let newest = std::mem::replace(&mut group.newest, last.repeat(group.variations.len()));
                        group.prime_newest(&newest, position, before)?;
                    }
                    self.prime_symbols(&symbols, |step| position + 1 + step as u64, cancel)?;
                }
            }
        }
        self.position += steps as u64;
        Ok(())
    }

    /// The network hears the silence that precedes every recording in training: the state of all zeros that a graph starts
    /// from is one that it has never seen.
    fn begin(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        if !std::mem::take(&mut self.fresh) || self.past.silence_before == 0 {
            return Ok(());
        }
        let silence = self.draws.head.encode(0.0);
        let primed = match &mut self.state {
            State::Together { stepper, .. } => stepper.prime_silence(silence),
            State::Apart(_) => false,
        };
        if primed {
            return Ok(());
        }
        let symbols = vec![silence; self.past.silence_before * self.draws.channels];
        self.prime_symbols(&symbols, |_| 0, cancel)
    }

    fn generate(&mut self, frames: usize, out: &mut [Vec<f32>], cancel: &AtomicBool) -> Result<(), EngineError> {
        let (channels, count) = (self.draws.channels, self.variations.len());
        if out.len() != count * channels {
            let reason = format!("are {}; there are {count} variations of {channels} channels", out.len());
            return Err(EngineError::Request { setting: "the output vectors", reason });
        }
        let (first, workers) = (self.position, self.workers.clone());
        let groups = self.part()?;
        match (groups.len(), workers.pool()) {
            (1, Some(pool)) if groups[0].can_share_a_step() => {
                let _all = workers.for_one_frame();
                groups[0].generate_shared(pool, first, frames, cancel, out)?;
            }
            (2.., Some(pool)) => {
                let mut results: Vec<_> = groups.iter().map(|_| Ok(())).collect();
                pool.in_place_scope(|scope| {
                    let mut parts = parts(groups, channels, out).zip(&mut results);
                    // The first group is this thread's own.
                    let own = parts.next();
                    for ((group, part), result) in parts {
                        scope.spawn(move |_| *result = group.generate(first, frames, cancel, part));
                    }
                    if let Some(((group, part), result)) = own {
                        *result = group.generate(first, frames, cancel, part);
                    }
                });
                results.into_iter().collect::<Result<(), _>>()?;
            }
            _ => {
                let mut parts = parts(groups, channels, out);
                parts.try_for_each(|(group, part)| group.generate(first, frames, cancel, part))?;
            }
        }
        self.position += frames as u64;
        Ok(())
    }

    fn bits_per_symbol(&self) -> Vec<f64> {
        match &self.state {
            State::Apart(groups) => {
                groups.iter().flat_map(|group| &group.draws.tallies).filter_map(|tally| tally.bits()).collect()
            }
            State::Together { .. } => Vec::new(),
        }
    }
}

/// Each group with its own part of the output vectors.
fn parts<'a, S: Stepper, H>(
    groups: &'a mut [Group<S, H>],
    channels: usize,
    out: &'a mut [Vec<f32>],
) -> impl Iterator<Item = (&'a mut Group<S, H>, &'a mut [Vec<f32>])> {
    let mut rest = out;
    groups.iter_mut().map(move |group| {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(group.variations.len() * channels);
        rest = others;
        (group, part)
    })
}
