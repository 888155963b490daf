//! A convolution's shape.

/// How windows lie over the frames of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Frames from one window to the next; at least 1.
    pub stride: usize,
    /// Frames from one tap of a window to the next; at least 1.
    pub dilation: usize,
    /// Zeros before the first frame and after the last one.
    pub padding: (usize, usize),
}

impl Default for Convolution {
    /// Every frame begins a window, nothing is padded.
    fn default() -> Self {
        Self { stride: 1, dilation: 1, padding: (0, 0) }
    }
}

impl Convolution {
    /// Frames from a window's first tap to its last, both included.
    pub fn reach(&self, kernel: usize) -> usize {
        self.dilation * kernel.saturating_sub(1) + 1
    }

    /// Windows of `kernel` taps over `length` frames, or nothing if the padded input is shorter than one, or a number
    /// that must be at least 1 is 0.
    pub fn frames(&self, length: usize, kernel: usize) -> Option<usize> {
        if kernel == 0 || self.stride == 0 || self.dilation == 0 {
            return None;
        }
        let free = (self.padding.0 + length + self.padding.1).checked_sub(self.reach(kernel))?;
        Some(free / self.stride + 1)
    }

    /// The shortest input that gives so many windows: what a transposed convolution makes of `frames` frames. Up to
    /// `stride − 1` more frames can be asked of it. Nothing if the padding takes all of them.
    pub fn transposed_length(&self, frames: usize, kernel: usize) -> Option<usize> {
        let all = frames.checked_sub(1)? * self.stride + self.reach(kernel);
        all.checked_sub(self.padding.0 + self.padding.1).filter(|&length| length > 0)
    }
}

/// A convolution's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// Sequences.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Taps of a window.
    pub kernel: usize,
    /// Frames of the input.
    pub length: usize,
    /// Frames of the output: the windows.
    pub frames: usize,
}

impl Axes {
    pub(super) fn check(&self, convolution: &Convolution, x: usize, weight: usize, y: usize) {
        let fits = convolution.frames(self.length, self.kernel);
        assert_eq!(fits, Some(self.frames), "{self:?} are no axes of {convolution:?}");
        assert_eq!(x, self.batch * self.inputs * self.length, "values of the input");
        assert_eq!(weight, self.outputs * self.inputs * self.kernel, "weights");
        assert_eq!(y, self.batch * self.outputs * self.frames, "values of the output");
    }
}
