//! Recordings and the codes of them: encoding whole ones, and which datasets a level is trained on.

use super::compute::{Compute, Symbols, Values};
use super::model::Model;
use crate::codes::dataset::Origin;
use crate::data::dataset::Dataset;
use crate::family::wavenet::compute::ComputeError;

/// The codes of a whole recording, some at a time, each with all that decides it: the same as if it were encoded at once.
/// Frames that are no whole hop at its end get none.
///
/// # Errors
/// If the device fails.
pub fn encode(
    model: &Model,
    compute: &mut dyn Compute,
    values: Values<'_>,
    heard: &[u16],
    at_once: usize,
) -> Result<Vec<u32>, ComputeError> {
    let (hop, margin) = (model.hop(), model.margin());
    let length = heard.len() / hop * hop;
    let mut codes = Vec::with_capacity(length / hop);
    for start in (0..length).step_by(at_once * hop) {
        let end = length.min(start + at_once * hop);
        let (first, last) = (start.saturating_sub(margin), length.min(end + margin));
        let part = Symbols { rows: 1, symbols: heard[first..last].to_vec() };
        let found = compute.codes(values, &part)?;
        codes.extend_from_slice(&found[(start - first) / hop..(end - first) / hop]);
    }
    Ok(codes)
}

/// Whether a dataset holds codes of `level`, of which there are so many; audio where that is none.
///
/// # Errors
/// Why it does not, in words.
pub fn accept_codes(dataset: &Dataset, level: Option<u32>, codes: u32) -> Result<(), String> {
    let origin = Origin::of(dataset).map_err(|error| error.to_string())?;
    match (level, origin) {
        (None, Some(_)) => {
            Err("holds codes, and level 0 is trained on audio; give the dataset that `prepare` made".into())
        }
        (Some(_), None) => Err("holds audio; give a dataset of codes, which `continuo-trainer codes` makes".into()),
        (Some(level), Some(origin)) if origin.level != level || origin.codes != codes => Err(format!(
            "holds {} codes of level {}, and the configuration is for {codes} codes of level {level}",
            origin.codes, origin.level
        )),
        (None, None) | (Some(_), Some(_)) => Ok(()),
    }
}
