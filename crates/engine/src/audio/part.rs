//! A part of a recording of any length, in memory.

use std::ops::Range;
use std::path::Path;

use super::{AudioError, Clip, Decoder, Loss, MAX_CLIP_SAMPLES};

/// Which part of a recording is wanted. Times count the frames that the file gives, from the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// From one time to another. What lies beyond the end of the recording is left out.
    Between {
        /// Where it begins, in seconds.
        begin_seconds: f64,
        /// Where it ends, in seconds.
        end_seconds: f64,
    },
    /// What comes last; a shorter recording whole.
    Last {
        /// How much, in seconds.
        seconds: f64,
    },
}

impl Part {
    /// The frames of this part in a recording of `total` frames. Whoever shows a part and whoever reads it ask here.
    pub fn frames(self, rate_hz: u32, total: u64) -> Range<u64> {
        match self {
            Self::Between { begin_seconds, end_seconds } => {
                let begin = frame_at(begin_seconds, rate_hz).min(total);
                begin..frame_at(end_seconds, rate_hz).clamp(begin, total)
            }
            Self::Last { seconds } => total.saturating_sub(frame_at(seconds, rate_hz))..total,
        }
    }
}

fn frame_at(seconds: f64, rate_hz: u32) -> u64 {
    // A number that is none becomes 0, one beyond all files the largest.
    (seconds * f64::from(rate_hz)).round().max(0.0) as u64
}

/// A part of a recording as its file gave it, and what the file did not give.
#[derive(Debug, Clone, PartialEq)]
pub struct Excerpt {
    /// The sound.
    pub clip: Clip,
    /// Frames of the recording that lie before it.
    pub begin_frame: u64,
    /// Whether it is all that the file gives.
    pub is_whole: bool,
    /// What is missing in it; nothing of what lies before or behind. The places are frames of the recording.
    pub losses: Vec<Loss>,
}

impl Excerpt {
    /// Where it begins in the recording, in seconds.
    pub fn begin_seconds(&self) -> f64 {
        self.begin_frame as f64 / f64::from(self.clip.sample_rate_hz.max(1))
    }
}

/// The last frames of a stream, at least as many as are to be kept and not many more.
struct Tail {
    keep: usize,
    channels: Vec<Vec<f32>>,
    /// Frames before those that are here.
    before: u64,
}

impl Tail {
    fn push(&mut self, block: &[f32]) {
        let count = self.channels.len();
        for (index, channel) in self.channels.iter_mut().enumerate() {
            channel.extend(block.iter().skip(index).step_by(count));
        }
        // Not with every block: each time, all that is kept is moved.
        if self.frames() > self.keep.saturating_add(self.keep / 4).saturating_add(1 << 16) {
            self.cut();
        }
    }

    fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    fn cut(&mut self) {
        let surplus = self.frames().saturating_sub(self.keep);
        for channel in &mut self.channels {
            channel.drain(..surplus);
        }
        self.before += surplus as u64;
    }
}

/// Reads a part of a file of any length. Memory is taken for that part alone, at most [`MAX_CLIP_SAMPLES`]; what lies before it is
/// passed over where that is exact, else decoded and dropped, and behind it nothing is read but one block.
///
/// # Errors
/// [`AudioError::NoSuchPart`] for a part that holds no frame of the file, [`AudioError::TooLong`] for one that memory is not taken for,
/// and the others.
pub fn import_part(path: &Path, part: Part) -> Result<Excerpt, AudioError> {
    let mut decoder = Decoder::open(path)?;
    let rate = decoder.info().sample_rate_hz;
    let Part::Last { seconds } = part else {
        let frames = part.frames(rate, u64::MAX);
        return gather(path, &mut decoder, frames, u64::MAX);
    };
    let keep = frame_at(seconds, rate);
    // What the file says of its length is where to begin to listen, and no more.
    let told = decoder.frames_ahead().or(decoder.info().declared_frames).unwrap_or(0);
    let hint = told.saturating_sub(keep);
    match gather(path, &mut decoder, hint..u64::MAX, keep) {
        Ok(excerpt) if hint == 0 || excerpt.clip.frames() as u64 >= keep => Ok(excerpt),
        Err(error) if hint == 0 => Err(error),
        // It ends before it says, so more of it is wanted from before.
        _ => gather(path, &mut Decoder::open(path)?, 0..u64::MAX, keep),
    }
}

/// Reads these frames, of which the last `keep` are kept.
fn gather(
    path: &Path,
    decoder: &mut Decoder,
    Range { start: begin, end }: Range<u64>,
    keep: u64,
) -> Result<Excerpt, AudioError> {
    let (rate, count) = (decoder.info().sample_rate_hz, decoder.info().channels);
    let most = MAX_CLIP_SAMPLES / count as u64;
    let mut tail = Tail { keep: keep.min(most) as usize, channels: vec![Vec::new(); count], before: 0 };
    let mut block = Vec::new();
    let mut ended = false;
    // One frame beyond the part tells that the file goes on.
    while decoder.frames_read() <= end {
        if decoder.frames_read() < begin {
            decoder.skip(begin - decoder.frames_read())?;
        }
        let at = decoder.frames_read();
        let frames = decoder.next_block(&mut block)? as u64;
        if frames == 0 {
            ended = true;
            break;
        }
        let wanted = begin.saturating_sub(at).min(frames)..end.saturating_sub(at).min(frames);
        if wanted.is_empty() {
            continue;
        }
        if tail.frames() == 0 {
            tail.before = at + wanted.start;
        }
        if keep > most && tail.frames() as u64 + (wanted.end - wanted.start) > most {
            let max_seconds = most as f64 / f64::from(rate);
            return Err(AudioError::TooLong { path: path.to_path_buf(), max_seconds });
        }
        tail.push(&block[wanted.start as usize * count..wanted.end as usize * count]);
    }
    tail.cut();
    let read = tail.frames() as u64;
    if read == 0 {
        return Err(AudioError::NoSuchPart {
            path: path.to_path_buf(),
            begin_seconds: begin as f64 / f64::from(rate),
            seconds: decoder.frames_read() as f64 / f64::from(rate),
        });
    }
    let frames = tail.before..tail.before + read;
    let is_inside = |at: u64| (at > frames.start || frames.start == 0) && (at < frames.end || ended);
    let losses = decoder.losses().iter().filter(|loss| is_inside(loss.at_frame)).cloned().collect();
    Ok(Excerpt {
        clip: Clip { sample_rate_hz: rate, channels: tail.channels },
        begin_frame: frames.start,
        is_whole: frames.start == 0 && ended,
        losses,
    })
}
