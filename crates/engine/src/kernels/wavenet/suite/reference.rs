//! A WaveNet in double precision, written down from the equations alone: no packing, no rings, no vectors.

use crate::family::wavenet::{Matrix, WaveNetWeights};

/// The network and all that it has seen.
pub(super) struct Plain<'a> {
    weights: &'a WaveNetWeights,
    codes: Vec<u32>,
    /// Per layer its inputs of all frames, oldest first.
    seen: Vec<Vec<Vec<f64>>>,
}

impl<'a> Plain<'a> {
    pub fn new(weights: &'a WaveNetWeights) -> Self {
        let shape = weights.shape();
        let codes = vec![shape.levels / 2; shape.filter_width as usize - 1];
        Self { weights, codes, seen: vec![vec![]; shape.dilations.len()] }
    }

    fn product(matrix: &Matrix, x: &[f64]) -> Vec<f64> {
        let bias = |row| matrix.bias().map_or(0.0, |bias: &[f32]| f64::from(bias[row]));
        let sum = |row| x.iter().enumerate().map(|(input, x)| f64::from(matrix.weight(row, input)) * x).sum::<f64>();
        (0..matrix.rows()).map(|row| bias(row) + sum(row)).collect()
    }

    pub fn step(&mut self, code: u32) -> Vec<f64> {
        let shape = self.weights.shape();
        let (r, d, f) =
            (shape.residual_channels as usize, shape.dilation_channels as usize, shape.filter_width as usize);
        self.codes.push(code);
        let newest = &self.codes[self.codes.len() - f..];
        let mut x: Vec<f64> =
            (0..r).map(|row| self.weights.causal_bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]))).collect();
        for (table, &code) in self.weights.causal_taps.iter().zip(newest) {
            (0..r).for_each(|row| x[row] += f64::from(table[code as usize * r + row]));
        }
        let mut skip = vec![0.0; shape.skip_channels as usize];
        for (i, layer) in self.weights.layers.iter().enumerate() {
            self.seen[i].push(x.clone());
            let now = self.seen[i].len() - 1;
            let mut inputs = vec![0.0; r * f];
            for tap in 0..f {
                let back = (f - 1 - tap) * shape.dilations[i] as usize;
                if let Some(past) = now.checked_sub(back) {
                    (0..r).for_each(|channel| inputs[channel * f + tap] = self.seen[i][past][channel]);
                }
            }
            let h = Self::product(&layer.dilated, &inputs);
            let z: Vec<f64> = (0..d).map(|row| h[row].tanh() / (1.0 + (-h[d + row]).exp())).collect();
            skip.iter_mut().zip(Self::product(&layer.skip, &z)).for_each(|(sum, value)| *sum += value);
            if let Some(residual) = &layer.residual {
                x.iter_mut().zip(Self::product(residual, &z)).for_each(|(x, value)| *x += value);
            }
        }
        let relu = |values: Vec<f64>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
        let y = relu(Self::product(&self.weights.end[0], &relu(skip)));
        Self::product(&self.weights.end[1], &y)
    }
}
