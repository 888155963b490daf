//! Datasets of codes: what a trained encoder makes of every recording of a dataset, as a dataset that priors and second levels
//! are trained on.
//!
//! A code is stored as the amplitude that it would stand for if it were one of µ-law, so that everything that reads datasets
//! reads these too, and silence before a recording is the middle code, as a WaveNet's state begins with. Beside the index lies
//! [`ORIGIN_FILE`], which says what made them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use continuo_package::Signal;
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, DatasetError, FORMAT_VERSION, FRAMES_FILE, INDEX_FILE, Index, Levels, Recording};
use crate::prepare::PrepareError;
use crate::prepare::partial::Partial;

/// The largest number of codes whose amplitudes differ in 16 bits: of more, those around silence meet.
pub const MOST_CODES: u32 = 512;

/// Name of the file that says what made a dataset's codes.
pub const ORIGIN_FILE: &str = "codes.json";

/// What made the codes of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Level of the codes: those of level 0 are made of audio, those of level 1 of codes of level 0.
    pub level: u32,
    /// How many codes there are.
    pub codes: u32,
    /// Frames (or codes of the level below) that one code stands for.
    pub hop: u32,
    /// The run whose encoder made them.
    pub run_id: String,
    /// Its steps until then.
    pub steps: u64,
    /// The dataset that was encoded: hex SHA-256 of its index.
    pub data_fingerprint: String,
    /// `exp` of the entropy of the codes over all recordings: as many as would be used if all were used alike.
    pub perplexity: f64,
}

impl Origin {
    /// What made the codes of a dataset; `None` where it holds audio.
    ///
    /// # Errors
    /// [`DatasetError`] if the file is there and cannot be read.
    pub fn of(dataset: &Dataset) -> Result<Option<Self>, DatasetError> {
        let file = dataset.dir().join(ORIGIN_FILE);
        match std::fs::read(&file) {
            Ok(bytes) => {
                let damaged = |error: serde_json::Error| DatasetError::Damaged { file, reason: error.to_string() };
                serde_json::from_slice(&bytes).map(Some).map_err(damaged)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(DatasetError::Io { file, reason }),
        }
    }
}

/// The signal that codes are stored as.
pub const fn signal(codes: u32) -> Signal {
    Signal::MuLaw { levels: codes }
}

/// The 16-bit amplitude of each code.
pub fn amplitudes(codes: u32) -> Vec<i16> {
    let signal = signal(codes);
    (0..codes).map(|code| (signal.decode(code) * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Codes per second of a rate, rounded; at least 1.
pub fn codes_per_second(sample_rate_hz: u32, hop: u32) -> u32 {
    ((f64::from(sample_rate_hz) / f64::from(hop)).round() as u32).max(1)
}

/// Writes the dataset of the codes of all recordings of `from`, which `encode` makes of the frames of one, and calls `told`
/// after each with how many of how many are done. Recordings of which no code comes are left out.
///
/// # Errors
/// [`PrepareError`] if `out` is in the way or cannot be written; what `encode` fails with.
pub fn write<E: From<PrepareError>>(
    (from, out, force): (&Dataset, &Path, bool),
    mut origin: Origin,
    mut encode: impl FnMut(&[i16]) -> Result<Vec<u32>, E>,
    mut told: impl FnMut(usize, usize),
) -> Result<Origin, E> {
    let partial = Partial::create(out, force)?;
    let io = |file: &Path, action: &'static str, error| PrepareError::io(file, action, error);
    let path = partial.dir().join(FRAMES_FILE);
    let mut frames = BufWriter::new(File::create(&path).map_err(|error| io(&path, "create", error))?);
    let table = amplitudes(origin.codes);
    let (mut counts, mut offset, mut recordings) = (vec![0_u64; origin.codes as usize], 0_u64, Vec::new());
    let all = &from.index().recordings;
    for (at, recording) in all.iter().enumerate() {
        let codes = encode(from.frames(recording))?;
        told(at + 1, all.len());
        if codes.is_empty() {
            continue;
        }
        for &code in &codes {
            counts[code as usize] += 1;
            frames.write_all(&table[code as usize].to_le_bytes()).map_err(|error| io(&path, "write", error))?;
        }
        let length = codes.len() as u64;
        recordings.push(Recording {
            offset,
            frames: length,
            levels: Levels::default(),
            trimmed: None,
            warnings: Vec::new(),
            ..recording.clone()
        });
        offset += length;
    }
    frames.flush().map_err(|error| io(&path, "write", error))?;
    let of_all = from.index();
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: env!("CARGO_PKG_VERSION").into(),
        sample_rate_hz: codes_per_second(of_all.sample_rate_hz, origin.hop),
        channels: 1,
        frames_total: offset,
        trim_silence_dbfs: None,
        recordings,
        ..of_all.clone()
    };
    origin.perplexity = perplexity(&counts);
    for (name, json) in [(INDEX_FILE, serde_json::to_vec(&index)), (ORIGIN_FILE, serde_json::to_vec_pretty(&origin))] {
        let file = partial.dir().join(name);
        let json = json.map_err(|error| io(&file, "write", std::io::Error::other(error)))?;
        std::fs::write(&file, json).map_err(|error| io(&file, "write", error))?;
    }
    partial.complete(force)?;
    Ok(origin)
}

/// `exp` of the entropy of counts.
pub fn perplexity(counts: &[u64]) -> f64 {
    let all: u64 = counts.iter().sum();
    let nats = |count: u64| {
        let share = count as f64 / all.max(1) as f64;
        if count > 0 { -share * share.ln() } else { 0.0 }
    };
    counts.iter().map(|&count| nats(count)).sum::<f64>().exp()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::batches::Coder;
    use crate::data::dataset::Split;
    use crate::data::dataset::tests::write as write_dataset;

    #[test]
    fn every_code_comes_back_from_its_amplitude() {
        for codes in (2..=256).chain([300, 511, MOST_CODES]) {
            let coder = Coder::new(signal(codes));
            let back = amplitudes(codes).into_iter().map(|amplitude| u32::from(coder.code(amplitude)));
            assert!(back.eq(0..codes), "{codes} codes");
        }
        assert_eq!(u32::from(Coder::new(signal(256)).silence()), 128, "the code that a WaveNet's state begins with");
    }

    #[test]
    fn a_dataset_of_codes_has_the_recordings_and_splits_of_what_was_encoded() {
        let dir = tempfile::tempdir().unwrap();
        let (train, heldout) = (Split::Train, Split::Heldout);
        let audio = dir.path().join("audio");
        std::fs::create_dir(&audio).unwrap();
        write_dataset(&audio, 1, &[(40, train), (7, train), (33, train), (25, heldout)]);
        let from = Dataset::open(&audio).unwrap();
        let origin = Origin {
            level: 0,
            codes: 16,
            hop: 8,
            run_id: "r".into(),
            steps: 3,
            data_fingerprint: from.fingerprint().into(),
            perplexity: 0.0,
        };
        let out = dir.path().join("codes");
        let encode =
            |frames: &[i16]| Ok::<_, PrepareError>((0..frames.len() as u32 / 8).map(|i| (i * 5) % 16).collect());
        let mut done = Vec::new();
        let origin = write((&from, &out, false), origin, encode, |at, of| done.push((at, of))).unwrap();
        assert_eq!(done, [(1, 4), (2, 4), (3, 4), (4, 4)]);
        let codes = Dataset::open(&out).unwrap();
        assert_eq!(Origin::of(&codes).unwrap(), Some(origin));
        assert_eq!(Origin::of(&from).unwrap(), None);
        assert_eq!(codes.sample_rate_hz(), from.sample_rate_hz() / 8);
        let lengths: Vec<u64> = codes.recordings(Split::Train).map(|recording| recording.frames).collect();
        assert_eq!(lengths, [5, 4], "one without a whole code is left out");
        let coder = Coder::new(signal(16));
        let heldout = codes.recordings(Split::Heldout).next().unwrap();
        let found: Vec<u16> = codes.frames(heldout).iter().map(|&frame| coder.code(frame)).collect();
        assert_eq!(found, [0, 5, 10]);
        let again = write((&from, &out, false), Origin::of(&codes).unwrap().unwrap(), encode, |_, _| ());
        assert!(again.is_err(), "nothing is replaced unless that is asked for");
    }
}
