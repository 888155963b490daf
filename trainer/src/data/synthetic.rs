//! Music out of nothing, for checking and timing a device where nobody has recordings at hand.

use std::io;
use std::path::Path;

use super::dataset::{FORMAT_VERSION, FRAMES_FILE, INDEX_FILE, Index, Levels, Recording, Split};
use crate::random::{Purpose, Random};

const NOTES: Purpose = Purpose::named("notes of synthetic music");
/// Partials of a note.
const PARTIALS: u32 = 6;
/// Seconds from note to note, and in which a note falls to 1/e.
const SPACING: f64 = 0.25;
const DECAY: f64 = 0.4;

/// Writes a dataset of two recordings of decaying notes, `seconds` each, the second one held out. The same on every machine.
///
/// # Errors
/// What the system says of the folder.
pub fn write(dir: &Path, rate_hz: u32, channels: u16, seconds: f64) -> io::Result<()> {
    let length = ((seconds * f64::from(rate_hz)) as usize).max(1);
    let mut bytes = Vec::new();
    let mut recordings = Vec::new();
    for (at, split) in [Split::Train, Split::Heldout].into_iter().enumerate() {
        for frame in music(at as u64, rate_hz, length) {
            (0..channels).for_each(|_| bytes.extend(frame.to_le_bytes()));
        }
        recordings.push(Recording {
            name: format!("synthetic-{at}"),
            offset: (at * length) as u64,
            frames: length as u64,
            split,
            source: format!("synthetic-{at}").into(),
            source_sha256: String::new(),
            source_rate_hz: rate_hz,
            source_channels: channels,
            levels: Levels::default(),
            trimmed: None,
            warnings: Vec::new(),
        });
    }
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
        sample_rate_hz: rate_hz,
        channels,
        holdout: 0.5,
        frames_total: 2 * length as u64,
        trim_silence_dbfs: None,
        recordings,
    };
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(FRAMES_FILE), bytes)?;
    std::fs::write(dir.join(INDEX_FILE), serde_json::to_vec(&index)?)
}

/// One channel of notes on a pentatonic scale, each with partials that fall off.
fn music(index: u64, rate_hz: u32, length: usize) -> Vec<i16> {
    let rate = f64::from(rate_hz);
    let mut random = Random::new(1, NOTES, index);
    let mut sound = vec![0.0_f64; length];
    let spacing = ((SPACING * rate) as usize).max(1);
    for begin in (0..length).step_by(spacing) {
        let step = [0, 2, 4, 7, 9][random.below(5) as usize] + 12 * random.below(3);
        let pitch = 110.0 * 2_f64.powf(step as f64 / 12.0);
        let level = 0.1 + 0.1 * f64::from(random.uniform());
        let end = length.min(begin + (5.0 * DECAY * rate) as usize);
        for (t, value) in sound[begin..end].iter_mut().enumerate() {
            let seconds = t as f64 / rate;
            let partials = (1..=PARTIALS).map(f64::from).filter(|partial| pitch * partial < 0.45 * rate);
            let tone: f64 = partials
                .map(|partial| {
                    let fall = (-seconds * partial.sqrt() / DECAY).exp();
                    fall / partial * (std::f64::consts::TAU * pitch * partial * seconds).sin()
                })
                .sum();
            *value += level * tone;
        }
    }
    sound.into_iter().map(|value| (value.clamp(-1.0, 1.0) * 32_767.0) as i16).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::dataset::Dataset;

    #[test]
    fn it_is_a_dataset_of_music_that_neither_clips_nor_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 16_000, 2, 1.5).unwrap();
        let dataset = Dataset::open(dir.path()).unwrap();
        assert_eq!(
            (dataset.channels(), dataset.total_frames(Split::Train), dataset.total_frames(Split::Heldout)),
            (2, 24_000, 24_000)
        );
        for at in 0..2 {
            let frames = dataset.frames(dataset.recording(at).unwrap());
            let loudest = frames.iter().map(|frame| frame.unsigned_abs()).max().unwrap();
            assert!((6_000..32_000).contains(&loudest), "{loudest}");
        }
        assert_ne!(dataset.frames(dataset.recording(0).unwrap()), dataset.frames(dataset.recording(1).unwrap()));
    }
}
