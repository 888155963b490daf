//! Which recordings are held out.

use crate::data::dataset::{Recording, Split};

/// Where a recording's content hash lies in 0–1: the same for the same file in every folder, at every rate.
fn place(source_sha256: &str) -> f64 {
    let head = source_sha256.get(..16).and_then(|h| u64::from_str_radix(h, 16).ok()).unwrap_or(u64::MAX);
    head as f64 / (u64::MAX as f64)
}

/// Gives every recording its split: held out are those whose content hash lies below `holdout`. So a recording keeps its
/// split when others are added, and is held out from models at every rate. Where a split would stay empty although there
/// are two recordings or more, the one nearest to it is moved.
pub(super) fn assign(recordings: &mut [Recording], holdout: f64) {
    for r in recordings.iter_mut() {
        r.split = if place(&r.source_sha256) < holdout { Split::Heldout } else { Split::Train };
    }
    if holdout <= 0.0 || recordings.len() < 2 {
        return;
    }
    let by_place = |a: &&mut Recording, b: &&mut Recording| a.source_sha256.cmp(&b.source_sha256);
    if recordings.iter().all(|r| r.split == Split::Train)
        && let Some(nearest) = recordings.iter_mut().min_by(by_place)
    {
        nearest.split = Split::Heldout;
    } else if recordings.iter().all(|r| r.split == Split::Heldout)
        && let Some(nearest) = recordings.iter_mut().max_by(by_place)
    {
        nearest.split = Split::Train;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Levels;
    use continuo_package::hash::sha256_hex;

    fn recordings(n: usize) -> Vec<Recording> {
        (0..n)
            .map(|i| Recording {
                name: format!("{i}"),
                offset: 0,
                frames: 1,
                split: Split::Train,
                source: "x".into(),
                source_sha256: sha256_hex(&i.to_le_bytes()),
                source_rate_hz: 16_000,
                source_channels: 1,
                levels: Levels::default(),
                trimmed: None,
                warnings: Vec::new(),
            })
            .collect()
    }

    fn held(recordings: &[Recording]) -> Vec<&str> {
        recordings.iter().filter(|r| r.split == Split::Heldout).map(|r| r.name.as_str()).collect()
    }

    #[test]
    fn the_share_is_about_right_and_stable() {
        let mut few = recordings(1_000);
        assign(&mut few, 0.1);
        let count = held(&few).len();
        assert!((70..130).contains(&count), "{count}");
        let mut many = recordings(2_000);
        assign(&mut many, 0.1);
        assert_eq!(held(&many[..1_000]), held(&few), "new recordings do not move the old ones");
        let mut more = recordings(1_000);
        assign(&mut more, 0.2);
        assert!(held(&few).iter().all(|name| held(&more).contains(name)), "a larger share keeps the smaller one");
    }

    #[test]
    fn no_split_stays_empty_without_need() {
        for (n, holdout, wanted) in [(2, 1e-9, 1), (2, 0.999_999, 1), (1, 1e-9, 0), (5, 0.0, 0), (0, 0.5, 0)] {
            let mut recordings = recordings(n);
            assign(&mut recordings, holdout);
            assert_eq!(held(&recordings).len(), wanted, "{n} recordings, {holdout}");
        }
    }
}
