//! Files of equal bytes: the first one by name stands for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::PrepareError;
use super::parallel::in_order;
use super::progress::Progress;
use super::read::{ImportError, hash_file};
use super::scan::Found;
use super::skipped::{SkipKind, Skipped};

/// Files with a content not seen before go on, in the order of names, with the hashes of those that had to be hashed for it: a
/// file is not equal to any other whose length no other has.
pub(crate) fn unique(
    found: Vec<Found>,
    threads: usize,
    stop: &AtomicBool,
    bar: &Progress,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<(Found, Option<String>)>, PrepareError> {
    let mut lengths: HashMap<u64, usize> = HashMap::new();
    for found in &found {
        *lengths.entry(found.bytes).or_default() += 1;
    }
    let hash_if_needed = |found: &Found| {
        if lengths.get(&found.bytes).is_some_and(|&files| files > 1) {
            return hash_file(found, stop, bar).map(Some);
        }
        bar.add(found.bytes);
        Ok(None)
    };
    let mut hashes = Vec::with_capacity(found.len());
    in_order(
        threads,
        &found,
        stop,
        |_, found| hash_if_needed(found),
        |_, hash| match hash {
            Err(ImportError::Fatal(error)) => Err(error),
            hash => {
                hashes.push(hash);
                Ok(())
            }
        },
    )?;
    if stop.load(Ordering::Relaxed) {
        return Err(PrepareError::Cancelled);
    }
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut unique = Vec::new();
    for (found, hash) in found.into_iter().zip(hashes) {
        match hash {
            Ok(None) => unique.push((found, None)),
            Ok(Some(hash)) => {
                if let Some(first) = seen.get(&hash) {
                    skipped.push(Skipped::double(found.name, SAME_FILE, first));
                } else {
                    seen.insert(hash.clone(), found.name.clone());
                    unique.push((found, Some(hash)));
                }
            }
            Err(ImportError::Skip(skip)) => skipped.push(skip),
            Err(ImportError::Fatal(error)) => return Err(error),
        }
    }
    Ok(unique)
}

/// How a file of equal bytes is told.
const SAME_FILE: &str = "the same file as";
/// How equal frames out of another file are told.
pub(crate) const SAME_SOUND: &str = "the same sound as";

/// Tells how long files of equal bytes are, where the ones that they equal were read.
pub(crate) fn measure_doubles(skipped: &mut [Skipped], kept: impl IntoIterator<Item = (String, u64)>) {
    let mut known: HashMap<String, u64> = kept.into_iter().collect();
    known.extend(skipped.iter().filter_map(|skip| Some((skip.name.clone(), skip.frames?))));
    for skip in skipped.iter_mut().filter(|skip| skip.kind == SkipKind::Duplicate && skip.frames.is_none()) {
        skip.frames = skip.same_as.as_ref().and_then(|name| known.get(name).copied());
    }
}
