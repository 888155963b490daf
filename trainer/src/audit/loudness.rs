//! Integrated loudness after ITU-R BS.1770-4: K-weighting, blocks of 400 ms, gates at -70 LUFS and 10 LU under the rest.

/// Blocks begin every 100 ms and last four of these.
const PARTS: usize = 4;
/// Loudness of the absolute gate.
const GATE_LUFS: f64 = -70.0;
/// Columns of the histogram of blocks, a tenth of a LU each, from the gate upwards: memory does not grow with the recording.
const COLUMNS: usize = 900;
const COLUMN_LU: f64 = 0.1;

/// A filter of second order, direct form II transposed.
#[derive(Debug, Clone, Copy)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    fn next(&self, x: f64, state: &mut [f64; 2]) -> f64 {
        let y = self.b[0] * x + state[0];
        state[0] = self.b[1] * x - self.a[0] * y + state[1];
        state[1] = self.b[2] * x - self.a[1] * y;
        y
    }

    /// The standard's shelf for the head, its analogue prototype taken to this rate by the bilinear transform.
    fn head(rate_hz: f64) -> Self {
        let (hz, gain_db, q) = (1_681.974_450_955_533, 3.999_843_853_973_347, 0.707_175_236_955_419_6);
        let k = (std::f64::consts::PI * (hz / rate_hz).min(0.49)).tan();
        let high = 10_f64.powf(gain_db / 20.0);
        let band = high.powf(0.499_666_774_154_541_6);
        let a0 = 1.0 + k / q + k * k;
        Self {
            b: [(high + band * k / q + k * k) / a0, 2.0 * (k * k - high) / a0, (high - band * k / q + k * k) / a0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
        }
    }

    /// The standard's high-pass.
    fn high_pass(rate_hz: f64) -> Self {
        let (hz, q) = (38.135_470_876_024_44, 0.500_327_037_323_877_3);
        let k = (std::f64::consts::PI * hz / rate_hz).tan();
        let a0 = 1.0 + k / q + k * k;
        Self { b: [1.0, -2.0, 1.0], a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0] }
    }
}

/// Measures a stream of interleaved frames of one or two channels.
#[derive(Debug)]
pub(crate) struct Loudness {
    filters: [Biquad; 2],
    /// Per channel, per filter.
    states: Vec<[[f64; 2]; 2]>,
    part_frames: usize,
    in_part: usize,
    energy: f64,
    parts: [f64; PARTS],
    done: usize,
    /// Number and energy of the blocks of each column.
    columns: Vec<(u64, f64)>,
}

impl Loudness {
    pub(crate) fn new(rate_hz: u32, channels: usize) -> Self {
        let rate = f64::from(rate_hz);
        Self {
            filters: [Biquad::head(rate), Biquad::high_pass(rate)],
            states: vec![[[0.0; 2]; 2]; channels.max(1)],
            part_frames: (rate_hz as usize / 10).max(1),
            in_part: 0,
            energy: 0.0,
            parts: [0.0; PARTS],
            done: 0,
            columns: vec![(0, 0.0); COLUMNS],
        }
    }

    pub(crate) fn push(&mut self, frames: &[f32]) {
        let [head, high_pass] = self.filters;
        for frame in frames.chunks_exact(self.states.len()) {
            for (&x, [first, second]) in frame.iter().zip(&mut self.states) {
                let y = high_pass.next(head.next(f64::from(x), first), second);
                self.energy += y * y;
            }
            self.in_part += 1;
            if self.in_part == self.part_frames {
                self.close_part();
            }
        }
    }

    fn close_part(&mut self) {
        self.parts[self.done % PARTS] = self.energy / self.part_frames as f64;
        self.done += 1;
        (self.energy, self.in_part) = (0.0, 0);
        if self.done < PARTS {
            return;
        }
        let energy = self.parts.iter().sum::<f64>() / PARTS as f64;
        let above = lufs(energy) - GATE_LUFS;
        if above > 0.0 {
            let column = &mut self.columns[((above / COLUMN_LU) as usize).min(COLUMNS - 1)];
            *column = (column.0 + 1, column.1 + energy);
        }
    }

    /// In LUFS; `None` of what is shorter than 400 ms or quieter than the gate throughout.
    pub(crate) fn finish(&self) -> Option<f64> {
        let mean = |columns: &[(u64, f64)]| {
            let (count, energy) = columns.iter().fold((0, 0.0), |all, column| (all.0 + column.0, all.1 + column.1));
            (count > 0).then(|| energy / count as f64)
        };
        let gate = lufs(mean(&self.columns)?) - 10.0 - GATE_LUFS;
        let first = ((gate / COLUMN_LU).ceil().max(0.0) as usize).min(COLUMNS - 1);
        mean(&self.columns[first..]).map(lufs)
    }
}

fn lufs(energy: f64) -> f64 {
    -0.691 + 10.0 * energy.max(1e-30).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, rate_hz: u32, dbfs: f64, seconds: f64) -> Vec<f32> {
        let amplitude = 10_f64.powf(dbfs / 20.0);
        let frames = (seconds * f64::from(rate_hz)) as usize;
        (0..frames)
            .map(|t| (amplitude * (std::f64::consts::TAU * hz * t as f64 / f64::from(rate_hz)).sin()) as f32)
            .collect()
    }

    fn measure(rate_hz: u32, channels: usize, sound: &[f32]) -> Option<f64> {
        let mut loudness = Loudness::new(rate_hz, channels);
        sound.chunks(channels * 1_001).for_each(|block| loudness.push(block));
        loudness.finish()
    }

    /// EBU Tech 3341, cases 1 to 3: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS, and what is 10 LU quieter is gated.
    #[test]
    fn it_measures_what_ebu_tech_3341_asks_for() {
        for rate in [16_000, 44_100, 48_000] {
            let stereo = |dbfs, seconds| -> Vec<f32> {
                sine(1_000.0, rate, dbfs, seconds).into_iter().flat_map(|x| [x, x]).collect()
            };
            let near =
                |found: Option<f64>, wanted: f64| assert!((found.unwrap_or(0.0) - wanted).abs() < 0.1, "{found:?}");
            near(measure(rate, 2, &stereo(-23.0, 20.0)), -23.0);
            near(measure(rate, 2, &stereo(-33.0, 20.0)), -33.0);
            let three = [stereo(-36.0, 10.0), stereo(-23.0, 60.0), stereo(-36.0, 10.0)].concat();
            near(measure(rate, 2, &three), -23.0);
        }
        assert_eq!(measure(16_000, 1, &sine(1_000.0, 16_000, -20.0, 0.3)), None);
        assert_eq!(measure(16_000, 1, &vec![0.0; 64_000]), None);
    }
}
