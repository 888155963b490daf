//! The model once more, in double precision and as plainly as it can be written.
//!
//! It decides nothing: an export is held against the trainer's own pass. Where that comparison fails, this says how much of
//! the difference is rounding, and whose.

use continuo_package::family::wavenet::{WaveNetShape, names};
use rayon::prelude::*;

use crate::wavenet::parameters::{Parameters, Table};

/// The logits `[N, Q]` after each of the last N = `codes.len()` − receptive field + 1 codes, given all codes before it.
///
/// `values` is the flat vector of weights (see [`Table`]).
pub fn logits(shape: &WaveNetShape, values: &[f32], codes: &[u32]) -> Vec<f64> {
    let parameters = Parameters { table: Table::new(shape).into(), values: values.to_vec() };
    let [r, d, s, e, q] =
        [shape.residual_channels, shape.dilation_channels, shape.skip_channels, shape.end_channels, shape.levels]
            .map(|channels| channels as usize);
    let (width, frames) = (shape.filter_width as usize, codes.len());
    let first = (shape.receptive_field_frames() as usize - 1).min(frames);
    let bias = |name: &str, channels: usize| match parameters.table.find(name) {
        Some(_) => parameters.get(name).iter().map(|&value| f64::from(value)).collect(),
        None => vec![0.0; channels],
    };

    let mut x = rows(frames, &bias(names::CAUSAL_BIAS, r));
    for tap in 0..width {
        let name = names::causal_tap(tap);
        let table = parameters.get(&name);
        let delay = width - 1 - tap;
        for (t, x) in x.chunks_exact_mut(r).enumerate() {
            // Frames before the first are outside the receptive field of every frame that is asked for.
            let Some(code) = t.checked_sub(delay).map(|t| codes[t] as usize) else { continue };
            x.iter_mut().zip(&table[code * r..]).for_each(|(x, &weight)| *x += f64::from(weight));
        }
    }
    let mut skip = rows(frames - first, &vec![0.0; s]);
    for (layer, &dilation) in shape.dilations.iter().enumerate() {
        let mut h = rows(frames, &bias(&names::dilated_bias(layer), 2 * d));
        for tap in 0..width {
            let delay = (width - 1 - tap) * dilation as usize;
            let weight = transposed(parameters.get(&names::dilated_weight(layer)), r, width, tap);
            if delay < frames {
                add_product(&x[..(frames - delay) * r], &weight, &mut h[delay * 2 * d..], 2 * d);
            }
        }
        let gate = |h: &[f64]| -> Vec<f64> {
            let (tanh, sigmoid) = h.split_at(d);
            tanh.iter().zip(sigmoid).map(|(a, b)| a.tanh() / (1.0 + (-b).exp())).collect()
        };
        let z: Vec<f64> = h.par_chunks_exact(2 * d).flat_map_iter(gate).collect();
        let weight = transposed(parameters.get(&names::skip_weight(layer)), d, 1, 0);
        add_rows(&bias(&names::skip_bias(layer), s), &mut skip);
        add_product(&z[first * d..], &weight, &mut skip, s);
        if layer + 1 < shape.dilations.len() {
            let weight = transposed(parameters.get(&names::residual_weight(layer)), d, 1, 0);
            add_rows(&bias(&names::residual_bias(layer), r), &mut x);
            add_product(&z, &weight, &mut x, r);
        }
    }
    let mut y = skip;
    for (index, (inputs, outputs)) in [(s, e), (e, q)].into_iter().enumerate() {
        for y in &mut y {
            *y = y.max(0.0);
        }
        let mut out = rows(frames - first, &bias(&names::end_bias(index), outputs));
        let weight = transposed(parameters.get(&names::end_weight(index)), inputs, 1, 0);
        add_product(&y, &weight, &mut out, outputs);
        y = out;
    }
    y
}

/// `frames` copies of a row.
fn rows(frames: usize, row: &[f64]) -> Vec<f64> {
    row.repeat(frames)
}

fn add_rows(row: &[f64], to: &mut [f64]) {
    to.chunks_exact_mut(row.len()).for_each(|to| to.iter_mut().zip(row).for_each(|(to, row)| *to += row));
}

/// One tap of a weight `[outputs, inputs, taps]` as `[inputs, outputs]`.
fn transposed(weight: &[f32], inputs: usize, taps: usize, tap: usize) -> Vec<f64> {
    let outputs = weight.len() / (inputs * taps);
    let value = |input: usize, output: usize| f64::from(weight[(output * inputs + input) * taps + tap]);
    (0..inputs).flat_map(|input| (0..outputs).map(move |output| value(input, output))).collect()
}

/// `out [T, outputs] += x [T, inputs] · weight [inputs, outputs]`.
fn add_product(x: &[f64], weight: &[f64], out: &mut [f64], outputs: usize) {
    let inputs = weight.len() / outputs;
    out.par_chunks_exact_mut(outputs).zip(x.par_chunks_exact(inputs)).for_each(|(out, x)| {
        for (x, weight) in x.iter().zip(weight.chunks_exact(outputs)) {
            out.iter_mut().zip(weight).for_each(|(out, weight)| *out += x * weight);
        }
    });
}
