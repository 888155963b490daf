//! Whether the native kernel computes what the graph says.

use crate::kernels::Kernel;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::wavenet::{PackedWaveNet, Scratch};
use crate::ort::{StepGraph, Values};
use crate::random::philox4x32;
use crate::symbol::Symbol;
use crate::verdict::Verdict;
use continuo_package::ElementType;
use continuo_package::family::wavenet::names;
use std::collections::HashMap;

/// Frames that are compared. The state before them is random too, so every weight of every layer takes part at once.
const FRAMES: usize = 8;

/// The largest difference between two outputs that is put down to rounding, where the largest output is 1 or less.
const ALLOWED: f32 = 1e-4;

/// Runs a few frames from the same random state through both.
pub(super) fn compare(net: &PackedWaveNet, kernel: Kernel, graph: &StepGraph) -> Verdict {
    differences(net, kernel, graph).map_or_else(|reason| Verdict::Failed { reason }, |found| found.verdict())
}

/// What is seen of pairs of outputs.
#[derive(Default)]
struct Differences {
    /// The largest difference within a pair. NaN where a logit is not finite: two that are not agree on nothing, whatever
    /// they are.
    by: f32,
    /// The largest of the expected logits.
    largest: f32,
}

impl Differences {
    fn add(&mut self, expected: f32, found: f32) {
        if !(expected.is_finite() && found.is_finite()) {
            self.by = f32::NAN;
        } else if !self.by.is_nan() {
            self.by = self.by.max((expected - found).abs());
            self.largest = self.largest.max(expected.abs());
        }
    }

    fn verdict(&self) -> Verdict {
        let (by, allowed) = (self.by, ALLOWED * self.largest.max(1.0));
        if by <= allowed { Verdict::Agrees { by } } else { Verdict::Differs { by, allowed } }
    }
}

fn differences(net: &PackedWaveNet, kernel: Kernel, graph: &StepGraph) -> Result<Differences, String> {
    if net.shape().is_real() {
        differences_of::<f32>(net, kernel, graph)
    } else {
        differences_of::<u32>(net, kernel, graph)
    }
}

fn differences_of<S: Symbol>(net: &PackedWaveNet, kernel: Kernel, graph: &StepGraph) -> Result<Differences, String> {
    let shape = net.shape();
    let mut counter = 0u32;
    let mut random = || {
        counter += 1;
        philox4x32([counter, 0, 0, 0], [0, 0])[0]
    };
    let history = shape.filter_width as usize - 1;
    let signed = |random: u32| random as f32 / (1u32 << 31) as f32 - 1.0;
    let symbol =
        |random: u32| S::of_bits(if shape.is_real() { signed(random).to_bits() } else { random % shape.levels });
    let before: Vec<S> = (0..history).map(|_| symbol(random())).collect();
    let layers: Vec<Vec<f32>> = shape
        .dilations
        .iter()
        .map(|&dilation| shape.residual_channels as usize * dilation as usize * history)
        .map(|length| (0..length).map(|_| signed(random())).collect())
        .collect();
    let symbols: Vec<S> = (0..FRAMES).map(|_| symbol(random())).collect();

    let mut expected = Vec::new();
    // The manifest's order need not be the layers'.
    let by_name: HashMap<String, &Vec<f32>> =
        layers.iter().enumerate().map(|(layer, values)| (names::state_layer(layer), values)).collect();
    let mut random_state = graph.state_of(|pair, _| match pair.element {
        _ if pair.input == names::STATE_CAUSAL => Ok(S::tensor(&before).values),
        ElementType::I64 => Err(format!("{} is no layer", pair.input)),
        ElementType::F32 => {
            let values = by_name.get(&pair.input).ok_or_else(|| format!("{} is no layer", pair.input))?;
            Ok(Values::F32((*values).clone()))
        }
    })?;
    // Frame by frame what the gates are told, where they are told something.
    let channels = graph.told_width();
    let told: Vec<Vec<f32>> = (0..FRAMES).map(|_| (0..channels).map(|_| signed(random())).collect()).collect();
    let rows: Vec<f32> = (0..channels).flat_map(|channel| told.iter().map(move |frame| frame[channel])).collect();
    // The kernel is packed for the first class.
    graph.run_told(&mut random_state, 0, &symbols, &rows, &mut expected)?;
    let width = shape.outputs() as usize;
    if expected.len() != width * FRAMES {
        return Err(format!("{} values came out for {FRAMES} frames of {width}", expected.len()));
    }

    let mut state = [net.new_state()];
    let bits: Vec<u32> = before.iter().map(|symbol| symbol.bits()).collect();
    state[0].set(kernel, &bits, &layers);
    let mut scratch = Scratch::default();
    let mut outputs = vec![Block::default(); net.logits_stride() / BLOCK];
    let mut differences = Differences::default();
    for (frame, symbol) in symbols.iter().enumerate() {
        if channels > 0 {
            net.tell(&mut state[0], &told[frame]);
        }
        net.step(kernel, &mut scratch, &mut state, &[symbol.bits()], &mut outputs);
        for (level, &found) in floats(&outputs)[..width].iter().enumerate() {
            differences.add(expected[level * FRAMES + frame], found);
        }
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pairs: &[(f32, f32)]) -> Verdict {
        let mut differences = Differences::default();
        for &(expected, found) in pairs {
            differences.add(expected, found);
        }
        differences.verdict()
    }

    #[test]
    fn what_is_within_rounding_agrees() {
        assert_eq!(verdict(&[(0.25, 0.25), (-0.5, -0.5)]), Verdict::Agrees { by: 0.0 });
        assert!(matches!(verdict(&[(0.5, 0.5 + 9e-5)]), Verdict::Agrees { by } if by > 8e-5));
        assert!(matches!(verdict(&[(0.5, 0.5 + 2e-4)]), Verdict::Differs { .. }));
        // Large logits are rounded more.
        assert!(matches!(verdict(&[(100.0, 100.0), (0.5, 0.5 + 2e-4)]), Verdict::Agrees { .. }));
    }

    #[test]
    fn what_is_not_finite_never_agrees() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for pair in [(bad, 1.0), (1.0, bad), (bad, bad), (bad, -bad)] {
                // Wherever it stands among those that do agree.
                for pairs in [[pair, (1.0, 1.0)], [(1.0, 1.0), pair]] {
                    assert!(matches!(verdict(&pairs), Verdict::Differs { by, .. } if by.is_nan()), "{pairs:?}");
                }
            }
        }
    }
}
