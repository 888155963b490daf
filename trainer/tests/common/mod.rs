//! A WaveNet written out as sums over indices, in f64: slow, and short enough to be checked against the paper by eye.

#![allow(dead_code, clippy::needless_range_loop)]

use continuo_package::family::wavenet::{WaveNetShape, names};
use continuo_trainer::rng::SplitMix64;
use continuo_trainer::wavenet::parameters::Table;

/// A shape whose channels are no multiples of anything, with three taps and uneven dilations.
pub fn odd_shape(biases: bool) -> WaveNetShape {
    WaveNetShape {
        levels: 19,
        dilations: vec![1, 2, 5, 1, 3],
        filter_width: 3,
        residual_channels: 5,
        dilation_channels: 18,
        skip_channels: 7,
        end_channels: 17,
        biases,
    }
}

/// A small shape with two taps.
pub fn small_shape() -> WaveNetShape {
    WaveNetShape {
        levels: 32,
        dilations: WaveNetShape::doubling_dilations(2, 4),
        filter_width: 2,
        residual_channels: 16,
        dilation_channels: 12,
        skip_channels: 20,
        end_channels: 16,
        biases: true,
    }
}

/// Sequences of arbitrary codes with `targets` targets each.
pub fn sequences(shape: &WaveNetShape, count: usize, targets: usize, rng_seed: u64) -> Vec<Vec<u16>> {
    let mut rng = SplitMix64::new(rng_seed);
    let length = shape.receptive_field_frames() as usize + targets;
    (0..count).map(|_| (0..length).map(|_| (rng.bits() % u64::from(shape.levels)) as u16).collect()).collect()
}

/// Weights large enough that every non-linearity matters, biases included.
pub fn weights(table: &Table, rng_seed: u64) -> Vec<f32> {
    let mut rng = SplitMix64::new(rng_seed);
    (0..table.len).map(|_| rng.uniform() - 0.5).collect()
}

/// A tensor by its indices; zeros where the model has none.
struct View<'a> {
    values: &'a [f64],
    inner: usize,
    taps: usize,
}

impl View<'_> {
    fn at(&self, outer: usize, inner: usize, tap: usize) -> f64 {
        if self.values.is_empty() { 0.0 } else { self.values[(outer * self.inner + inner) * self.taps + tap] }
    }
}

/// The network, with its weights in f64.
pub struct Reference<'a> {
    pub table: &'a Table,
    pub values: Vec<f64>,
}

impl Reference<'_> {
    fn tensor(&self, name: &str) -> View<'_> {
        let Some(tensor) = self.table.find(name) else { return View { values: &[], inner: 1, taps: 1 } };
        let axis = |index: usize| tensor.shape.get(index).copied().unwrap_or(1);
        View { values: &self.values[tensor.range()], inner: axis(1), taps: axis(2) }
    }

    /// Logits of the last `targets` of `codes`, each from the codes before it.
    pub fn logits(&self, codes: &[u16]) -> Vec<Vec<f64>> {
        let shape = &self.table.shape;
        let [q, r, d, s, e, f] = [
            shape.levels,
            shape.residual_channels,
            shape.dilation_channels,
            shape.skip_channels,
            shape.end_channels,
            shape.filter_width,
        ]
        .map(|value| value as usize);
        let inputs = &codes[..codes.len() - 1];
        let causal: Vec<View<'_>> = (0..f).map(|tap| self.tensor(&names::causal_tap(tap))).collect();
        let causal_bias = self.tensor(names::CAUSAL_BIAS);
        let mut x: Vec<Vec<f64>> = (f - 1..inputs.len())
            .map(|t| {
                (0..r)
                    .map(|c| {
                        (0..f).map(|tap| causal[tap].at(usize::from(inputs[t + tap + 1 - f]), c, 0)).sum::<f64>()
                            + causal_bias.at(c, 0, 0)
                    })
                    .collect()
            })
            .collect();
        let mut skips: Vec<Vec<f64>> = Vec::new();
        let count = shape.dilations.len();
        for (layer, &dilation) in shape.dilations.iter().enumerate() {
            let dilation = dilation as usize;
            let reach = dilation * (f - 1);
            let mut next = Vec::new();
            let mut skip = Vec::new();
            let pair = |weight: String, bias: String| (self.tensor(&weight), self.tensor(&bias));
            let dilated = pair(names::dilated_weight(layer), names::dilated_bias(layer));
            let to_skip = pair(names::skip_weight(layer), names::skip_bias(layer));
            let residual = pair(names::residual_weight(layer), names::residual_bias(layer));
            for t in reach..x.len() {
                let h: Vec<f64> = (0..2 * d)
                    .map(|o| {
                        let mut sum = dilated.1.at(o, 0, 0);
                        for tap in 0..f {
                            for c in 0..r {
                                sum += dilated.0.at(o, c, tap) * x[t - (f - 1 - tap) * dilation][c];
                            }
                        }
                        sum
                    })
                    .collect();
                let z: Vec<f64> = (0..d).map(|c| h[c].tanh() / (1.0 + (-h[d + c]).exp())).collect();
                let mix = |(weight, bias): &(View<'_>, View<'_>), o: usize| {
                    (0..d).map(|c| weight.at(o, c, 0) * z[c]).sum::<f64>() + bias.at(o, 0, 0)
                };
                skip.push((0..s).map(|o| mix(&to_skip, o)).collect());
                if layer + 1 < count {
                    next.push((0..r).map(|o| x[t][o] + mix(&residual, o)).collect());
                }
            }
            if skips.is_empty() {
                skips = skip;
            } else {
                let surplus = skips.len() - skip.len();
                skips.drain(..surplus);
                for (sum, row) in skips.iter_mut().zip(&skip) {
                    sum.iter_mut().zip(row as &Vec<f64>).for_each(|(sum, value)| *sum += value);
                }
            }
            x = next;
        }
        let dense = |index: usize, x: &[f64], outputs: usize| -> Vec<f64> {
            let (weight, bias) = (self.tensor(&names::end_weight(index)), self.tensor(&names::end_bias(index)));
            (0..outputs)
                .map(|o| {
                    x.iter().enumerate().map(|(c, x)| weight.at(o, c, 0) * x.max(0.0)).sum::<f64>() + bias.at(o, 0, 0)
                })
                .collect()
        };
        skips.iter().map(|skip| dense(1, &dense(0, skip, e), q)).collect()
    }

    /// Mean cross-entropy in nats.
    pub fn loss(&self, batch: &[Vec<u16>]) -> f64 {
        let mut total = 0.0;
        let mut count = 0;
        for codes in batch {
            let logits = self.logits(codes);
            for (row, &target) in logits.iter().zip(&codes[codes.len() - logits.len()..]) {
                let sum: f64 = row.iter().map(|logit| logit.exp()).sum();
                total += sum.ln() - row[usize::from(target)];
                count += 1;
            }
        }
        total / f64::from(count)
    }
}

/// A dataset in `dir`: one file of tones per length, the last one held out. Their periods are whole numbers of frames.
pub fn tones(dir: &std::path::Path, lengths: &[u64]) -> continuo_trainer::dataset::Dataset {
    use continuo_trainer::dataset::{
        Dataset, FORMAT_VERSION, FRAMES_FILE, INDEX_FILE, Index, Levels, Recording, Split,
    };
    let mut offset = 0;
    let mut frames: Vec<u8> = Vec::new();
    let mut recordings = Vec::new();
    for (i, &length) in lengths.iter().enumerate() {
        let period = 40.0;
        for t in 0..length {
            // Whole frames apart, so that every file holds the same values.
            let phase = std::f64::consts::TAU * (t as f64 + 7.0 * i as f64) / period;
            let amplitude = 0.5 * phase.sin() + 0.2 * (3.0 * phase).sin();
            frames.extend(((amplitude * 32_767.0) as i16).to_le_bytes());
        }
        let split = if i + 1 == lengths.len() { Split::Heldout } else { Split::Train };
        recordings.push(Recording {
            name: format!("tone{i}.wav"),
            offset,
            frames: length,
            split,
            source: format!("tone{i}.wav").into(),
            source_sha256: format!("{i:064}"),
            source_rate_hz: 16_000,
            source_channels: 1,
            levels: Levels::default(),
            warnings: Vec::new(),
        });
        offset += length;
    }
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: "0".into(),
        sample_rate_hz: 16_000,
        channels: 1,
        holdout: 0.5,
        frames_total: offset,
        recordings,
    };
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(FRAMES_FILE), frames).unwrap();
    std::fs::write(dir.join(INDEX_FILE), serde_json::to_vec(&index).unwrap()).unwrap();
    Dataset::open(dir).unwrap()
}

/// A configuration that trains in a second.
pub const TINY: &str = r#"
[model]
family = "wavenet"
sample_rate_hz = 16000
levels = 64
stacks = 2
layers = 4
filter_width = 2
residual_channels = 16
dilation_channels = 16
skip_channels = 32
end_channels = 32

[training]
steps = 12
batch = 3
chunk_frames = 400
learning_rate = 0.01
warmup_steps = 3
decay = "linear"
decay_steps = 4
decay_to = 0.1
clip_norm = 1.0
average_decay = 0.9
rng_seed = 5

[evaluation]
every_steps = 4
chunks = 2
chunk_frames = 500

[corpus]
description = "tones of the tests"
licence = "CC0-1.0"
"#;
