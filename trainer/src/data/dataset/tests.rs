#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use super::*;

/// Frames and split of each recording.
pub(crate) type Lengths = [(u64, Split)];

/// A dataset of recordings of the given lengths; recording `i`'s frame `t` is `i * 1000 + t` in every channel.
pub(crate) fn write(dir: &Path, channels: u16, lengths: &Lengths) -> Index {
    let mut offset = 0;
    let mut frames: Vec<i16> = Vec::new();
    let recordings = lengths
        .iter()
        .enumerate()
        .map(|(i, &(length, split))| {
            for t in 0..length {
                frames.extend((0..channels).map(|_| (i as i16) * 1000 + t as i16));
            }
            let recording = Recording {
                name: format!("r{i}.wav"),
                offset,
                frames: length,
                split,
                source: format!("/music/r{i}.wav").into(),
                source_sha256: format!("{i:064}"),
                source_rate_hz: 44_100,
                source_channels: 2,
                levels: Levels::default(),
                trimmed: None,
                warnings: Vec::new(),
            };
            offset += length;
            recording
        })
        .collect();
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: "0".into(),
        sample_rate_hz: 16_000,
        channels,
        holdout: 0.5,
        frames_total: offset,
        trim_silence_dbfs: None,
        recordings,
    };
    std::fs::write(dir.join(FRAMES_FILE), bytemuck::cast_slice::<i16, u8>(&frames)).unwrap();
    std::fs::write(dir.join(INDEX_FILE), serde_json::to_vec(&index).unwrap()).unwrap();
    index
}

#[test]
fn frames_are_those_that_were_written() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 2, &[(5, Split::Train), (0, Split::Train), (3, Split::Heldout)]);
    let dataset = Dataset::open(dir.path()).unwrap();
    assert_eq!((dataset.sample_rate_hz(), dataset.channels()), (16_000, 2));
    assert_eq!(dataset.total_frames(Split::Train), 5);
    let held: Vec<_> = dataset.recordings(Split::Heldout).collect();
    assert_eq!(held.len(), 1);
    assert_eq!(dataset.frames(held[0]), [2000, 2000, 2001, 2001, 2002, 2002]);
    assert_eq!(dataset.chunk(&Chunk { recording: 0, start: 3, frames: 2 }), [3, 3, 4, 4]);
    assert!(dataset.chunk(&Chunk { recording: 0, start: 4, frames: 2 }).is_empty());
    assert!(dataset.chunk(&Chunk { recording: 9, start: 0, frames: 1 }).is_empty());
}

#[test]
fn what_is_not_a_dataset_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Dataset::open(&dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("prepare"), "{error}");

    let index = write(dir.path(), 1, &[(5, Split::Train)]);
    let opens_with = |index: &Index| {
        std::fs::write(dir.path().join(INDEX_FILE), serde_json::to_vec(index).unwrap()).unwrap();
        Dataset::open(dir.path())
    };
    assert!(opens_with(&index).is_ok());
    let mut other = index.clone();
    other.format_version = 7;
    assert!(matches!(opens_with(&other), Err(DatasetError::Version { found: 7, .. })));
    let mut other = index.clone();
    other.recordings[0].offset = u64::MAX;
    assert!(matches!(opens_with(&other), Err(DatasetError::Damaged { .. })));
    let mut other = index.clone();
    other.recordings[0].frames = u64::MAX;
    assert!(matches!(opens_with(&other), Err(DatasetError::Damaged { .. })));
    let mut other = index.clone();
    (other.recordings[0].frames, other.frames_total) = (6, 6);
    assert!(opens_with(&other).unwrap_err().to_string().contains(FRAMES_FILE));
    let mut other = index.clone();
    (other.recordings[0].frames, other.frames_total) = (1 << 62, 1 << 62);
    assert!(opens_with(&other).is_err());
    std::fs::write(dir.path().join(INDEX_FILE), "{").unwrap();
    assert!(matches!(Dataset::open(dir.path()), Err(DatasetError::Damaged { .. })));
}

fn small() -> (tempfile::TempDir, Dataset) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[(100, Split::Train), (9, Split::Train), (10, Split::Train), (55, Split::Heldout)]);
    let dataset = Dataset::open(dir.path()).unwrap();
    (dir, dataset)
}

#[test]
fn in_order_chunks_come_one_after_the_other() {
    let (_dir, dataset) = small();
    let mut sampler = ChunkSampler::new(&dataset, Split::Train, 10, 10, Order::Sequential, 1).unwrap();
    assert_eq!((sampler.chunks_per_epoch(), sampler.too_short()), (11, 1));
    let epoch: Vec<_> = (0..11).map(|_| sampler.next_chunk()).map(|c| (c.recording, c.start)).collect();
    let mut wanted: Vec<_> = (0..10).map(|i| (0, i * 10)).collect();
    wanted.push((2, 0));
    assert_eq!(epoch, wanted);
    assert_eq!(sampler.next_chunk(), Chunk { recording: 0, start: 0, frames: 10 });
    assert_eq!(sampler.cursor().epoch, 1);
}

#[test]
fn a_shuffled_epoch_gives_every_chunk_once_and_epochs_differ() {
    let (_dir, dataset) = small();
    let mut sampler = ChunkSampler::new(&dataset, Split::Train, 10, 5, Order::Shuffled, 1).unwrap();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let epoch: Vec<_> = (0..sampler.chunks_per_epoch()).map(|_| sampler.next_chunk()).collect();
        assert_eq!(epoch.iter().map(|c| (c.recording, c.start)).collect::<HashSet<_>>().len(), epoch.len());
        assert!((19..=20).contains(&epoch.len()), "{}", epoch.len());
        assert!(epoch.iter().all(|c| dataset.chunk(c).len() == 10 && c.recording != 1 && c.recording != 3));
        assert!(epoch.windows(2).any(|w| w[1].start < w[0].start), "not shuffled");
        epochs.push(epoch);
        sampler.next_chunk();
        let at = sampler.cursor();
        sampler.restore(SamplerCursor { position: 0, ..at }).unwrap();
    }
    assert_ne!(epochs[0], epochs[1]);
    assert_ne!(epochs[1], epochs[2]);
}

#[test]
fn a_sampler_resumes_where_its_cursor_stood() {
    let (_dir, dataset) = small();
    for order in [Order::Sequential, Order::Shuffled] {
        let new = |seed| ChunkSampler::new(&dataset, Split::Train, 10, 5, order, seed).unwrap();
        let mut whole = new(42);
        let all: Vec<_> = (0..70).map(|_| whole.next_chunk()).collect();
        for cut in [0, 1, 19, 20, 21, 45, 69] {
            let mut first = new(42);
            let head: Vec<_> = (0..cut).map(|_| first.next_chunk()).collect();
            let cursor = serde_json::from_str(&serde_json::to_string(&first.cursor()).unwrap()).unwrap();
            let mut second = new(42);
            second.restore(cursor).unwrap();
            let tail: Vec<_> = (cut..70).map(|_| second.next_chunk()).collect();
            assert_eq!([head, tail].concat(), all, "{order:?} cut at {cut}");
        }
    }
}

#[test]
fn samplers_refuse_what_cannot_be() {
    let (_dir, dataset) = small();
    let new = |chunk, hop| ChunkSampler::new(&dataset, Split::Heldout, chunk, hop, Order::Shuffled, 0);
    assert!(matches!(new(0, 1), Err(DatasetError::ZeroLength { .. })));
    assert!(matches!(new(1, 0), Err(DatasetError::ZeroLength { .. })));
    assert!(new(56, 1).unwrap_err().to_string().contains("55"));
    let mut sampler = new(10, 10).unwrap();
    let before = sampler.clone().next_chunk();
    let cursor = SamplerCursor { epoch: 0, position: 1_000 };
    assert!(matches!(sampler.restore(cursor), Err(DatasetError::Cursor { .. })));
    assert_eq!(sampler.next_chunk(), before);
}

#[test]
fn first_and_last_frames_are_drawn_about_as_often_as_others() {
    for length in [10, 12, 17, 95] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 1, &[(length, Split::Train)]);
        let dataset = Dataset::open(dir.path()).unwrap();
        let mut sampler = ChunkSampler::new(&dataset, Split::Train, 10, 10, Order::Shuffled, 3).unwrap();
        let mut drawn = vec![0.0; length as usize];
        for _ in 0..2_000 {
            let chunk = sampler.next_chunk();
            drawn[chunk.start as usize..][..10].iter_mut().for_each(|count| *count += 1.0);
        }
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let share: Vec<f64> = drawn.iter().map(|count| count / mean).collect();
        assert!(share.iter().all(|share| (0.4..2.0).contains(share)), "{length}: {share:?}");
    }
    // In order, what is left at the end comes too, and is measured only once.
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[(25, Split::Train)]);
    let dataset = Dataset::open(dir.path()).unwrap();
    let mut sampler = ChunkSampler::new(&dataset, Split::Train, 10, 10, Order::Sequential, 3).unwrap();
    let starts: Vec<u64> = (0..4).map(|_| sampler.next_chunk().start).collect();
    assert_eq!(starts, [0, 10, 15, 0]);
}
