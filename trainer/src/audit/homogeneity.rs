//! How much alike the recordings of a set are, and which are not like the rest.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measure::Measured;
use crate::prepare::levels::dbfs;

/// What is this far under a recording's whole power counts as this far, in dB: it is hardly heard.
const RANGE_DB: f64 = -60.0;
/// Fewest recordings of which an average says anything.
const FEWEST: usize = 4;
/// Fewest recordings of a folder for its own average.
const FEWEST_OF_FOLDER: usize = 3;
/// A recording is unlike the rest if it is further from the median than so many median deviations, …
const DEVIATIONS: f64 = 5.0;
/// … and at least so far: spectrum and level in dB, centre in octaves.
const LEAST_APART_DB: f64 = 7.0;
const LEAST_LEVEL_DB: f64 = 10.0;
const LEAST_OCTAVES: f64 = 1.0;
/// Up to these typical distances from the median spectrum, in dB, recordings are of one kind, or of related kinds.
const ONE_KIND_DB: f64 = 4.5;
const RELATED_DB: f64 = 7.0;

/// How much alike recordings are. The measure: of each recording, the root mean square difference of its third-octave
/// spectrum (in dB of its own whole power, down to -60 dB) from the median spectrum of all.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Homogeneity {
    /// The median of these distances over all recordings, in dB; none of fewer than four recordings.
    pub typical_distance_db: Option<f64>,
    /// Median spectrum, and what nine of ten recordings lie above and below, in dB.
    pub median_db: Vec<f64>,
    /// A tenth of the recordings is below.
    pub low_db: Vec<f64>,
    /// A tenth of the recordings is above.
    pub high_db: Vec<f64>,
    /// RMS levels, in dBFS: a tenth of the recordings is below, the median, a tenth is above.
    pub level_dbfs: [f64; 3],
    /// The same of the centres of power, in Hz.
    pub centroid_hz: [f64; 3],
    /// The distance of each recording, in their order.
    pub distances_db: Vec<f64>,
    /// What is not like the rest, the furthest first.
    pub outliers: Vec<Outlier>,
    /// How far apart the median spectra of the folders lie, in dB, the furthest first.
    pub folders: Vec<FolderPair>,
}

/// A recording that is not like the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlier {
    /// Its place among the recordings.
    pub recording: usize,
    /// Its name.
    pub name: String,
    /// In what, in words.
    pub reasons: Vec<String>,
    /// Length in the dataset, in frames.
    pub frames: u64,
    /// How many times as far as would still be ordinary.
    severity: f64,
}

/// Two folders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FolderPair {
    /// Their names.
    pub folders: [String; 2],
    /// Distance of their median spectra.
    pub distance_db: f64,
}

/// In words, how much alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Like one instrument in one room.
    One,
    /// Related instruments, or one in several rooms.
    Related,
    /// Different things.
    Mixed,
}

impl Homogeneity {
    /// The typical distance in words.
    pub fn kind(&self) -> Option<Kind> {
        self.typical_distance_db.map(|distance| match distance {
            d if d <= ONE_KIND_DB => Kind::One,
            d if d <= RELATED_DB => Kind::Related,
            _ => Kind::Mixed,
        })
    }
}

/// Compares recordings with each other.
pub(crate) fn compare(recordings: &[Measured]) -> Homogeneity {
    let spectra: Vec<Vec<f64>> = recordings.iter().map(spectrum).collect();
    let levels: Vec<f64> = recordings.iter().map(|r| f64::from(dbfs(r.levels.rms))).collect();
    let centres: Vec<f64> = recordings.iter().filter_map(|r| r.centroid_hz).collect();
    let median_db = each_band(&spectra, 0.5);
    let distances_db: Vec<f64> = spectra.iter().map(|spectrum| distance(spectrum, &median_db)).collect();
    let mut found = Homogeneity {
        typical_distance_db: (recordings.len() >= FEWEST).then(|| quantile(&distances_db, 0.5)),
        low_db: each_band(&spectra, 0.1),
        high_db: each_band(&spectra, 0.9),
        median_db,
        level_dbfs: [0.1, 0.5, 0.9].map(|share| quantile(&levels, share)),
        centroid_hz: [0.1, 0.5, 0.9].map(|share| quantile(&centres, share)),
        folders: folders(recordings, &spectra),
        outliers: Vec::new(),
        distances_db,
    };
    if recordings.len() >= FEWEST {
        found.outliers = outliers(recordings, &found, &levels);
    }
    found
}

fn spectrum(recording: &Measured) -> Vec<f64> {
    recording.thirds_db.iter().map(|&level| f64::from(level).max(RANGE_DB)).collect()
}

/// Root mean square difference over the bands in which one of them has something.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let heard = a.iter().zip(b).filter(|(a, b)| a.max(**b) > RANGE_DB);
    let (count, sum) = heard.fold((0_u32, 0.0), |(count, sum), (a, b)| (count + 1, sum + (a - b).powi(2)));
    (sum / f64::from(count.max(1))).sqrt()
}

fn each_band(spectra: &[Vec<f64>], share: f64) -> Vec<f64> {
    let bands = spectra.first().map_or(0, Vec::len);
    (0..bands)
        .map(|band| {
            quantile(&spectra.iter().filter_map(|spectrum| spectrum.get(band).copied()).collect::<Vec<_>>(), share)
        })
        .collect()
}

/// The value that this share of the others is below; 0 of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let place = share * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let at = |i: usize| sorted.get(i.min(last)).copied().unwrap_or(0.0);
    at(low) * (1.0 - part) + at(low + 1) * part
}

fn outliers(recordings: &[Measured], found: &Homogeneity, levels: &[f64]) -> Vec<Outlier> {
    let octaves: Vec<f64> = recordings.iter().map(|r| r.centroid_hz.unwrap_or(f64::NAN).log2()).collect();
    let bound = |values: &[f64], least: f64| {
        let middle = quantile(values, 0.5);
        let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
        (middle, (DEVIATIONS * quantile(&deviations, 0.5)).max(least))
    };
    let (level, level_bound) = bound(levels, LEAST_LEVEL_DB);
    let (octave, octave_bound) = bound(&octaves, LEAST_OCTAVES);
    let (apart, spread) = bound(&found.distances_db, 0.0);
    let apart_bound = (apart + spread).max(LEAST_APART_DB);
    let mut outliers: Vec<Outlier> = Vec::new();
    for (at, recording) in recordings.iter().enumerate() {
        let (mut reasons, mut severity) = (Vec::new(), 0.0_f64);
        let mut note = |share: f64, reason: String| {
            if share > 1.0 {
                reasons.push(reason);
                severity = severity.max(share);
            }
        };
        let distance = found.distances_db[at];
        note(distance / apart_bound, format!("its spectrum is {distance:.0} dB from the median"));
        let difference = levels[at] - level;
        let direction = if difference > 0.0 { "louder" } else { "quieter" };
        note(difference.abs() / level_bound, format!("{:.0} dB {direction}", difference.abs()));
        let difference = octaves[at] - octave;
        let direction = if difference > 0.0 { "brighter" } else { "darker" };
        note(difference.abs() / octave_bound, format!("{:.1} octaves {direction}", difference.abs()));
        if !reasons.is_empty() {
            let (name, frames) = (recording.name.clone(), recording.frames);
            outliers.push(Outlier { recording: at, name, reasons, frames, severity });
        }
    }
    outliers.sort_by(|a, b| b.severity.total_cmp(&a.severity).then(a.recording.cmp(&b.recording)));
    outliers
}

/// Distances between the folders below the audited one.
fn folders(recordings: &[Measured], spectra: &[Vec<f64>]) -> Vec<FolderPair> {
    let mut by_folder: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for (recording, spectrum) in recordings.iter().zip(spectra) {
        if let Some((folder, _)) = recording.name.split_once('/') {
            by_folder.entry(folder).or_default().push(spectrum.clone());
        }
    }
    let medians: Vec<(&str, Vec<f64>)> = by_folder
        .into_iter()
        .filter(|(_, spectra)| spectra.len() >= FEWEST_OF_FOLDER)
        .map(|(folder, spectra)| (folder, each_band(&spectra, 0.5)))
        // A list of thousands of folders says nothing about any of them.
        .take(32)
        .collect();
    let mut pairs = Vec::new();
    for (at, (a, of_a)) in medians.iter().enumerate() {
        for (b, of_b) in &medians[at + 1..] {
            pairs.push(FolderPair { folders: [(*a).to_owned(), (*b).to_owned()], distance_db: distance(of_a, of_b) });
        }
    }
    pairs.sort_by(|a, b| b.distance_db.total_cmp(&a.distance_db));
    pairs.truncate(8);
    pairs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn quantiles_lie_between_the_values() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
        assert_eq!(quantile(&[1.0, 2.0, f64::NAN], 1.0), 2.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn distance_counts_what_is_heard() {
        assert_eq!(distance(&[-10.0, -60.0], &[-13.0, -60.0]), 3.0);
        assert_eq!(distance(&[-60.0], &[-60.0]), 0.0);
        assert_eq!(distance(&[], &[]), 0.0);
    }
}
