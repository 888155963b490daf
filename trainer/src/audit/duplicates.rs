//! Recordings that are nearly the same: one performance at another level, in another format, or mastered anew.

use super::measure::Measured;

/// Most recordings of about the same length that one is compared with.
const MOST_COMPARED: usize = 2_000;
/// Least difference in length that is allowed, in seconds: what encoders add.
const SLACK_SECONDS: f64 = 0.3;
/// Most difference of third octaves, in dB.
const MOST_APART_DB: f64 = 2.0;
/// Third octaves this far under the whole do not count.
const RANGE_DB: f32 = -50.0;

/// Places of recordings that are nearly the same: of each such recording, the first that it is like. Lengths, average
/// spectra and the courses of their levels agree. Excerpts are not found.
pub(super) fn nearly_the_same(recordings: &[Measured], rate_hz: u32) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..recordings.len()).collect();
    order.sort_by_key(|&at| (recordings[at].frames + recordings[at].trimmed.frames(), at));
    let length = |at: usize| recordings[at].frames + recordings[at].trimmed.frames();
    let slack = |frames: u64| (SLACK_SECONDS * f64::from(rate_hz)) as u64 + frames / 200;
    let mut first_like: Vec<Option<usize>> = vec![None; recordings.len()];
    for (place, &a) in order.iter().enumerate() {
        let near =
            order[place + 1..].iter().take(MOST_COMPARED).take_while(|&&b| length(b) - length(a) <= slack(length(a)));
        for &b in near {
            if apart_db(&recordings[a], &recordings[b]) > MOST_APART_DB
                || !recordings[a].envelope.is_like(&recordings[b].envelope)
            {
                continue;
            }
            let (first, second) = (a.min(b), a.max(b));
            let known = first_like[second].unwrap_or(first);
            first_like[second] = Some(known.min(first));
        }
    }
    first_like.iter().enumerate().filter_map(|(second, first)| Some(((*first)?, second))).collect()
}

fn apart_db(a: &Measured, b: &Measured) -> f64 {
    let pairs = a.thirds_db.iter().zip(&b.thirds_db).filter(|(a, b)| a.max(**b) > RANGE_DB);
    let (count, sum) = pairs.fold((0_u32, 0.0), |(count, sum), (a, b)| {
        (count + 1, sum + f64::from(a.max(RANGE_DB) - b.max(RANGE_DB)).powi(2))
    });
    (sum / f64::from(count.max(1))).sqrt()
}
