//! The CPU path: sequences of a batch side by side, each with its own gradient, summed in the order of the batch.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, IntoParallelRefMutIterator as _, ParallelIterator as _,
};

use super::compute::{Compute, ComputeError, count_targets};
use super::layout::{Layout, contexts, transpose};
use super::parameters::{Table, is_bias};
use super::pass::{self, Weights, Workspace};
use super::products::{Products, RoundedWeights};
use super::sequence::Sequence;
use crate::kernels::bf16::Bf16;
use crate::kernels::{Level, padded};
use crate::nn::Precision;

/// Forward and backward passes on the CPU.
///
/// A sequence is computed by one thread, so a batch should have at least as many sequences as there are threads. The
/// result does not depend on the number of threads.
#[derive(Debug)]
pub struct Fused {
    table: Arc<Table>,
    layout: Layout,
    contexts: Vec<usize>,
    level: Level,
    logit_penalty: f64,
    weight_penalty: f64,
    pool: rayon::ThreadPool,
    forward: Vec<f32>,
    transposed: Vec<f32>,
    bf16: Option<Bf16>,
    rounded: RoundedWeights,
    workspaces: Vec<Mutex<Workspace>>,
    gradients: Vec<Vec<f32>>,
}

impl Fused {
    /// A CPU path for the tensors of `table` on `threads` threads (0 = one per core).
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(table: &Arc<Table>, level: Level, threads: usize) -> Result<Self, ComputeError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|source| ComputeError::Threads { reason: source.to_string() })?;
        let workspaces = (0..pool.current_num_threads()).map(|_| Mutex::default()).collect();
        Ok(Self {
            table: Arc::clone(table),
            layout: Layout::new(table),
            contexts: contexts(&table.shape),
            level,
            logit_penalty: 0.0,
            weight_penalty: 0.0,
            pool,
            forward: Vec::new(),
            transposed: Vec::new(),
            bf16: None,
            rounded: RoundedWeights::default(),
            workspaces,
            gradients: Vec::new(),
        })
    }

    /// The same with gradients from products of bfloat16, whether they are faster here or not; in f32 with `None`.
    #[must_use]
    pub fn in_bf16(mut self, bf16: Option<Bf16>) -> Self {
        self.bf16 = bf16;
        self
    }

    fn load(&mut self, values: &[f32]) {
        self.layout.pack(values, &mut self.forward);
        transpose(&self.layout, &self.forward, &mut self.transposed);
    }

    /// What a pass reads. What is measured is computed in f32, whatever gradients are.
    fn weights(&self, rounded: Option<Bf16>) -> Weights<'_> {
        Weights {
            layout: &self.layout,
            products: Products {
                forward: &self.forward,
                transposed: &self.transposed,
                rounded: rounded.map(|bf16| (bf16, &self.rounded)),
                level: self.level,
            },
            contexts: &self.contexts,
            shape: &self.table.shape,
            logit_penalty: self.logit_penalty,
        }
    }

    /// Runs `f` with the buffers of the calling thread of the pool.
    fn with_workspace<T>(&self, f: impl FnOnce(&mut Workspace) -> T) -> T {
        let thread = rayon::current_thread_index().unwrap_or(0);
        // Buffers hold nothing between passes, so those of a thread that panicked are as good as new.
        let mut workspace = self.workspaces[thread].lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut workspace)
    }
}

impl Compute for Fused {
    fn device(&self) -> String {
        format!("CPU, {} threads, {}", self.pool.current_num_threads(), self.level)
    }

    fn penalise_logits(&mut self, weight: f64) {
        self.logit_penalty = weight;
    }

    fn penalise_weights(&mut self, weight: f64) {
        self.weight_penalty = weight;
    }

    /// bfloat16 where the processor multiplies it faster than f32; else f32, as nothing would be gained.
    fn multiply_in(&mut self, precision: Precision) -> Result<(), ComputeError> {
        self.bf16 = (precision == Precision::Bf16).then(Bf16::native).flatten();
        Ok(())
    }

    fn precision(&self) -> Precision {
        if self.bf16.is_some() { Precision::Bf16 } else { Precision::F32 }
    }

    fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError> {
        let targets = count_targets(&self.table.shape, batch)?;
        self.load(values);
        if self.bf16.is_some() {
            self.rounded.load(self.level, &self.layout, &self.forward, &self.transposed);
        }
        let mut gradients = std::mem::take(&mut self.gradients);
        gradients.resize_with(batch.len(), Vec::new);
        let weights = self.weights(self.bf16);
        let losses: Vec<f64> = self.pool.install(|| {
            batch
                .par_iter()
                .zip(gradients.par_iter_mut())
                .with_max_len(1)
                .map(|(sequence, gradient)| {
                    gradient.clear();
                    gradient.resize(self.layout.len, 0.0);
                    self.with_workspace(|workspace| pass::run(&weights, workspace, sequence, Some(gradient), None))
                })
                .collect()
        });
        if let Some((sum, others)) = gradients.split_first_mut() {
            for other in others {
                for (sum, value) in sum.iter_mut().zip(other) {
                    *sum += *value;
                }
            }
            self.layout.unpack(sum, 1.0 / targets as f32, gradient);
        }
        if self.weight_penalty > 0.0 {
            let by = self.weight_penalty as f32;
            for tensor in self.table.tensors().iter().filter(|tensor| !is_bias(&tensor.name)) {
                let pairs = gradient[tensor.range()].iter_mut().zip(&values[tensor.range()]);
                pairs.for_each(|(gradient, weight)| *gradient += by * weight);
            }
        }
        self.gradients = gradients;
        Ok(losses.iter().sum::<f64>() / targets as f64)
    }

    fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError> {
        let targets = count_targets(&self.table.shape, batch)?;
        self.load(values);
        let weights = self.weights(None);
        let losses: Vec<f64> = self.pool.install(|| {
            batch
                .par_iter()
                .with_max_len(1)
                .map(|sequence| self.with_workspace(|workspace| pass::run(&weights, workspace, sequence, None, None)))
                .collect()
        });
        Ok(losses.iter().sum::<f64>() / targets as f64)
    }

    fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError> {
        count_targets(&self.table.shape, std::slice::from_ref(sequence))?;
        self.load(values);
        let width = self.table.shape.outputs() as usize;
        let mut rows = Vec::new();
        let weights = self.weights(None);
        self.with_workspace(|workspace| pass::run(&weights, workspace, sequence, None, Some(&mut rows)));
        Ok(rows.chunks_exact(padded(width)).flat_map(|row| &row[..width]).copied().collect())
    }
}
