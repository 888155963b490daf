//! What moves the state of a network on, step by step.

use crate::error::EngineError;
use std::fmt::Debug;
use std::ops::Range;

/// Gets what a step put out for one variation and writes the symbols of the next step, or ends with `false`.
pub type Next<'a, Symbol> = dyn FnMut(&[f32], &mut [Symbol]) -> bool + 'a;

/// A network that takes the symbols of a step (codes or real values) and puts out what the next step's are drawn from, for
/// a batch of variations at once.
///
/// Symbols lie variation by variation, step by step, channel by channel. Errors are what ONNX Runtime said; the states are
/// then of no more use.
pub trait Stepper: Debug + Send + Sized {
    /// A code, or a real value.
    type Symbol: Copy + Debug + Default + PartialEq + Send;

    /// Becomes one variation before its first step.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    fn restart(&mut self) -> Result<(), String>;

    /// Variations in the batch.
    fn batch(&self) -> usize;

    /// Another one whose whole batch is like the first variation.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    fn fork(&self, batch: usize) -> Result<Self, String>;

    /// Takes symbols through the network without asking what comes next. So many steps will be primed after these before
    /// anything is asked for: what those make the network forget need not be computed.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    fn prime(&mut self, symbols: &[Self::Symbol], told: Option<Told<'_>>, steps_after: usize) -> Result<(), String>;

    /// Takes one step of each variation through the network. [`Stepper::outputs`] then has the returned number of floats
    /// from one variation to the next.
    ///
    /// `told` holds what the network is told besides; only for networks that are told something.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    fn step(&mut self, symbols: &[Self::Symbol], told: Option<Told<'_>>) -> Result<usize, String>;

    /// What the last [`Stepper::step`] put out: logits or values.
    fn outputs(&self) -> &[f32];

    /// Puts the only variation into the state that endless silence leaves, where there is a shorter way than priming it.
    fn prime_silence(&mut self, _silence: Self::Symbol) -> bool {
        false
    }

    /// Whether threads can share one step with a gain.
    fn can_share_a_step(&self) -> bool {
        false
    }

    /// Generates steps of the only variation, with this thread and those of `pool` on each; it is told the same in all of them.
    /// Only where [`Stepper::can_share_a_step`] is true.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    fn generate_shared(
        &mut self,
        _pool: &rayon::ThreadPool,
        _symbols: &mut [Self::Symbol],
        _told: Option<Told<'_>>,
        _next: &mut Next<'_, Self::Symbol>,
    ) -> Result<(), String> {
        Ok(())
    }
}

/// What the network is told of a batch's step besides its own past.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// `[B, width]`
    pub values: &'a [f32],
    /// Which of a condition's values they are: where this number is the same, so are they.
    pub number: u64,
    /// For how many steps they hold, this one included: at least 1.
    pub steps: usize,
}

/// What a network is told besides its own past, at each step.
pub trait Condition: Debug + Send {
    /// The values for one step of the batch; steps are counted as the voice's own.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] from a damaged model, [`EngineError::Session`] from ONNX Runtime.
    fn at(&mut self, step: u64, batch: usize) -> Result<Told<'_>, EngineError>;

    /// Another one for these variations, on another thread.
    ///
    /// # Errors
    /// As [`Condition::at`].
    fn fork(&self, variations: Range<u32>) -> Result<Box<dyn Condition>, EngineError>;
}
