//! Whether the native kernel computes what the graph says.

use crate::kernels::Kernel;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::wavenet::{PackedWaveNet, Scratch};
use crate::ort::{StepGraph, Values};
use crate::random::philox4x32;
use crate::verdict::Verdict;
use continuo_package::ElementType;
use continuo_package::family::wavenet::names;
use std::collections::HashMap;

/// Frames that are compared. The state before them is random too, so every weight of every layer takes part at once.
const FRAMES: usize = 8;

/// The largest difference between two logits that is put down to rounding, where the largest logit is 1 or less.
const ALLOWED: f32 = 1e-4;

/// Runs a few frames from the same random state through both.
pub(super) fn compare(net: &PackedWaveNet, kernel: Kernel, graph: &StepGraph) -> Verdict {
    match largest_difference(net, kernel, graph) {
        Ok((by, largest)) => {
            let allowed = ALLOWED * largest.max(1.0);
            // A difference that is not a number is a difference.
            if by <= allowed { Verdict::Agrees { by } } else { Verdict::Differs { by, allowed } }
        }
        Err(reason) => Verdict::Failed { reason },
    }
}

/// The largest difference between two logits, and the largest logit.
fn largest_difference(net: &PackedWaveNet, kernel: Kernel, graph: &StepGraph) -> Result<(f32, f32), String> {
    let shape = net.shape();
    let mut counter = 0u32;
    let mut random = || {
        counter += 1;
        philox4x32([counter, 0, 0, 0], [0, 0])[0]
    };
    let history = shape.filter_width as usize - 1;
    let before: Vec<u32> = (0..history).map(|_| random() % shape.levels).collect();
    let layers: Vec<Vec<f32>> = shape
        .dilations
        .iter()
        .map(|&dilation| shape.residual_channels as usize * dilation as usize * history)
        .map(|length| (0..length).map(|_| random() as f32 / (1u32 << 31) as f32 - 1.0).collect())
        .collect();
    let codes: Vec<u32> = (0..FRAMES).map(|_| random() % shape.levels).collect();

    let mut expected = Vec::new();
    // The manifest's order need not be the layers'.
    let by_name: HashMap<String, &Vec<f32>> =
        layers.iter().enumerate().map(|(layer, values)| (names::state_layer(layer), values)).collect();
    let mut random_state = graph.state_of(|pair, _| match pair.element {
        ElementType::I64 => Ok(Values::I64(before.iter().map(|&code| i64::from(code)).collect())),
        ElementType::F32 => {
            let values = by_name.get(&pair.input).ok_or_else(|| format!("{} is no layer", pair.input))?;
            Ok(Values::F32((*values).clone()))
        }
    })?;
    graph.run(&mut random_state, &codes, &mut expected)?;
    let levels = shape.levels as usize;
    if expected.len() != levels * FRAMES {
        return Err(format!("{} logits came out for {FRAMES} frames of {levels}", expected.len()));
    }

    let mut state = [net.new_state()];
    state[0].set(kernel, &before, &layers);
    let mut scratch = Scratch::default();
    let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
    let (mut by, mut largest) = (0f32, 0f32);
    for (frame, &code) in codes.iter().enumerate() {
        net.step(kernel, &mut scratch, &mut state, &[code], &mut logits);
        for (level, &found) in floats(&logits)[..levels].iter().enumerate() {
            let expected = expected[level * FRAMES + frame];
            let difference = (expected - found).abs();
            // `max` would pass over a NaN.
            by = if difference.is_nan() || difference > by { difference } else { by };
            if by.is_nan() {
                return Ok((by, largest));
            }
            largest = largest.max(expected.abs());
        }
    }
    Ok((by, largest))
}
