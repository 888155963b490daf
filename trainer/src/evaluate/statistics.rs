//! Means with what they are worth.

use serde::Serialize;

/// A mean over independent parts (clips, recordings), with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error; `None` of a single part.
    pub standard_error: Option<f64>,
    /// How many parts.
    pub parts: usize,
}

impl Mean {
    /// Of these values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let standard_error = (values.len() > 1).then(|| (square / (count - 1.0) / count).sqrt());
        Some(Self { mean, standard_error, parts: values.len() })
    }
}

/// A figure of all parts together, with the standard error that leaving out each part in turn gives (the delete-one
/// jackknife: Efron, *The Jackknife, the Bootstrap and Other Resampling Plans*, 1982, chapter 3). `figure` is given the parts
/// that stay.
pub fn jackknife(parts: usize, figure: impl Fn(&dyn Fn(usize) -> bool) -> Option<f64>) -> Option<Mean> {
    let mean = figure(&|_| true)?;
    let without: Vec<f64> = if parts < 2 {
        Vec::new()
    } else {
        (0..parts).filter_map(|left_out| figure(&|part| part != left_out)).collect()
    };
    // A part that cannot be left out says nothing about the others.
    let standard_error = (without.len() == parts && parts > 1).then(|| {
        let count = parts as f64;
        let centre = without.iter().sum::<f64>() / count;
        ((count - 1.0) / count * without.iter().map(|value| (value - centre).powi(2)).sum::<f64>()).sqrt()
    });
    Some(Mean { mean, standard_error, parts })
}

/// The middle value; of an even number, the mean of the two in the middle. `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

/// Slope of the straight line through evenly spaced values with the least squares, per step; `None` of fewer than two.
pub fn slope(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let middle = (values.len() - 1) as f64 / 2.0;
    let (mut along, mut across) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let from_middle = at as f64 - middle;
        along += from_middle * value;
        across += from_middle * from_middle;
    }
    Some(along / across)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]

    use super::*;

    #[test]
    fn means_medians_and_slopes_are_those_of_the_textbook() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((mean.mean, mean.parts), (3.0, 4));
        assert!((mean.standard_error.unwrap() - (14.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of(&[2.0]).unwrap().standard_error, None);
        assert_eq!(Mean::of(&[]), None);
        assert_eq!(
            (median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0]), median(&[])),
            (Some(2.0), Some(2.5), None)
        );
        assert_eq!((slope(&[1.0, 3.0, 5.0]), slope(&[1.0])), (Some(2.0), None));
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let values = [0.3, 1.2, -0.7, 2.2, 0.9];
        let of = |stays: &dyn Fn(usize) -> bool| {
            let kept: Vec<f64> =
                values.iter().enumerate().filter(|(at, _)| stays(*at)).map(|(_, value)| *value).collect();
            Mean::of(&kept).map(|mean| mean.mean)
        };
        let (found, expected) = (jackknife(values.len(), of).unwrap(), Mean::of(&values).unwrap());
        assert!((found.mean - expected.mean).abs() < 1e-12);
        assert!((found.standard_error.unwrap() - expected.standard_error.unwrap()).abs() < 1e-12);
        assert_eq!(jackknife(1, of).unwrap().standard_error, None);
    }
}
