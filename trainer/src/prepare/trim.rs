//! Silence at the ends of a recording: windows of it, and how much a threshold would cut away.

/// Frames of a window whose level decides, as in tensorflow-wavenet's `trim_silence`: 128 ms at 16 kHz.
pub(crate) const WINDOW_FRAMES: usize = 2_048;

/// Cuts a stream of interleaved frames into windows, whatever blocks it comes in. The last one is as long as what is left.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    samples: usize,
    pending: Vec<f32>,
}

impl Windows {
    pub(crate) fn new(channels: usize) -> Self {
        Self { samples: WINDOW_FRAMES * channels.max(1), pending: Vec::new() }
    }

    pub(crate) fn push(&mut self, mut frames: &[f32], mut each: impl FnMut(&[f32])) {
        if !self.pending.is_empty() {
            let wanted = (self.samples - self.pending.len()).min(frames.len());
            let (first, rest) = frames.split_at(wanted);
            self.pending.extend_from_slice(first);
            frames = rest;
            if self.pending.len() == self.samples {
                each(&self.pending);
                self.pending.clear();
            }
        }
        let whole = frames.chunks_exact(self.samples);
        self.pending.extend_from_slice(whole.remainder());
        whole.for_each(each);
    }

    pub(crate) fn finish(&mut self, each: impl FnOnce(&[f32])) {
        if !self.pending.is_empty() {
            each(&self.pending);
            self.pending.clear();
        }
    }
}

/// Mean square of a window; full scale is 1.
pub(crate) fn mean_square(window: &[f32]) -> f64 {
    window.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / window.len().max(1) as f64
}

/// The mean square of a level in dB below full scale.
pub(crate) fn square_of(dbfs: f64) -> f64 {
    10_f64.powf(dbfs / 10.0)
}

/// Where a recording begins and ends for one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edges {
    square: f64,
    frames: u64,
    loud: Option<(u64, u64)>,
}

impl Edges {
    pub(crate) fn new(threshold_dbfs: f64) -> Self {
        Self { square: square_of(threshold_dbfs), frames: 0, loud: None }
    }

    /// Takes the next window's frames and mean square.
    pub(crate) fn push(&mut self, frames: u64, square: f64) {
        let (begin, end) = (self.frames, self.frames + frames);
        if square >= self.square {
            self.loud = Some((self.loud.map_or(begin, |(first, _)| first), end));
        }
        self.frames = end;
    }

    /// Frames from the first window that is not silent to the last one.
    pub(crate) fn kept(&self) -> u64 {
        self.loud.map_or(0, |(first, end)| end - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_the_same_whatever_blocks_they_come_in() {
        let frames: Vec<f32> = (0..10_001).map(|i| i as f32).collect();
        for block in [1, 7, 2_048, 5_000, 20_000] {
            let (mut windows, mut seen) = (Windows::new(1), Vec::new());
            frames.chunks(block).for_each(|part| windows.push(part, |window| seen.push(window.to_vec())));
            windows.finish(|window| seen.push(window.to_vec()));
            assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [2_048, 2_048, 2_048, 2_048, 1_809]);
            assert_eq!(seen.concat(), frames);
        }
        Windows::new(2).finish(|_| unreachable!("nothing came"));
    }

    #[test]
    fn edges_are_the_first_and_the_last_window_that_sounds() {
        let mut edges = Edges::new(-40.0);
        assert_eq!(edges.kept(), 0);
        for square in [0.0, 1e-5, 1.1e-4, 0.0, 0.0, 0.5, 9e-5, 0.0] {
            edges.push(10, square);
        }
        assert_eq!(edges.kept(), 40);
    }
}
