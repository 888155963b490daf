//! WAV through hound.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::AudioError;
use super::decoder::{End, Info, SourceError, Step};

/// Frames per block.
const BLOCK_FRAMES: usize = 4096;

/// A WAV file that hound reads.
pub(super) struct WavSource {
    reader: WavReader<BufReader<File>>,
    channels: usize,
}

impl WavSource {
    /// `None` when hound does not take the file, so that symphonia gets its turn.
    pub(super) fn open(path: &Path) -> Result<Option<(Self, Info)>, AudioError> {
        let file = File::open(path).map_err(|e| AudioError::io(path, "read", e))?;
        let Ok(reader) = WavReader::new(BufReader::with_capacity(1 << 16, file)) else { return Ok(None) };
        let spec = reader.spec();
        let encoding = match (spec.sample_format, spec.bits_per_sample) {
            (SampleFormat::Int, 8 | 16 | 24 | 32) => "",
            (SampleFormat::Float, 32) => " float",
            _ => return Ok(None),
        };
        let info = Info {
            sample_rate_hz: spec.sample_rate,
            channels: usize::from(spec.channels),
            declared_frames: Some(u64::from(reader.duration())),
            format: format!("wav {}-bit{encoding}", spec.bits_per_sample),
        };
        let channels = info.channels;
        Ok(Some((Self { reader, channels }, info)))
    }

    pub(super) fn next(&mut self, block: &mut Vec<f32>) -> Result<Step, SourceError> {
        let spec = self.reader.spec();
        let count = BLOCK_FRAMES * self.channels;
        let mut end = None;
        // hound's full scale for N bits is 2^(N-1), unsigned 8-bit included.
        let scale = (-f32::from(spec.bits_per_sample - 1)).exp2();
        match spec.sample_format {
            SampleFormat::Float => take(self.reader.samples::<f32>(), count, block, &mut end, |x| x),
            SampleFormat::Int if spec.bits_per_sample <= 16 => {
                take(self.reader.samples::<i16>(), count, block, &mut end, |x| f32::from(x) * scale);
            }
            SampleFormat::Int => take(self.reader.samples::<i32>(), count, block, &mut end, |x| x as f32 * scale),
        }
        // A break in the middle of a frame: what is left of that frame is not a frame.
        block.truncate(block.len() / self.channels * self.channels);
        if !block.is_empty() {
            return Ok(Step::Frames);
        }
        match end {
            None => Ok(Step::End(End::Complete)),
            // hound tells "ran out of bytes" as `Other`.
            Some(hound::Error::IoError(e))
                if matches!(e.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::Other) =>
            {
                Ok(Step::End(End::OutOfBytes))
            }
            Some(hound::Error::IoError(e)) => Err(SourceError::Io(e)),
            Some(e) => Ok(Step::End(End::Broken(e.to_string()))),
        }
    }
}

fn take<S>(
    samples: impl Iterator<Item = hound::Result<S>>,
    count: usize,
    block: &mut Vec<f32>,
    end: &mut Option<hound::Error>,
    convert: impl Fn(S) -> f32,
) {
    for sample in samples.take(count) {
        match sample {
            Ok(x) => block.push(convert(x)),
            Err(e) => {
                *end = Some(e);
                return;
            }
        }
    }
}
