//! What a variation may depend on, and what not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::clip::notes;
use common::support::graph::{crooked, small};
use common::{RandomPackage, generate, prime, voice};
use continuo_engine::{EngineError, MOST_VARIATIONS, Model, Sampling, VoiceRequest};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

static CROOKED: LazyLock<Arc<Model>> = LazyLock::new(|| RandomPackage::new(crooked()).native());
static SMALL: LazyLock<Arc<Model>> = LazyLock::new(|| RandomPackage::new(small()).native());

fn whole(model: &Arc<Model>, sampling: Sampling, takes: std::ops::Range<u32>, frames: usize) -> Vec<Vec<f32>> {
    let mut out = vec![Vec::new(); takes.len()];
    generate(&mut *voice(model, sampling, takes), frames, &mut out);
    out
}

/// Cuts `length` at these places, in any order.
fn pieces(length: usize, cuts: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (length + 1)).chain([0, length]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Priming with a clip and generating N frames is, bit for bit, one uninterrupted run: however priming and
    /// generating are cut into calls, and whatever other takes are generated alongside.
    #[test]
    fn prime_and_generate_is_one_run(
        rng_seed in any::<u64>(),
        temperature in prop_oneof![Just(0.0f32), 0.5f32..1.5],
        top_k in prop_oneof![Just(0u32), 1u32..80],
        takes in (0u32..5, 1u32..10),
        alongside in (0u32..3, 0u32..3),
        primed in 1usize..140,
        prime_cuts in prop::collection::vec(any::<usize>(), 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        is_small in any::<bool>(),
    ) {
        // The receptive fields are 25 and 128 frames: clips below, at and above them are primed.
        let model = if is_small { &*SMALL } else { &*CROOKED };
        let sampling = Sampling { temperature, top_k, rng_seed, ..Sampling::default() };
        let takes = takes.0..takes.0 + takes.1;
        let frames = 200;
        let expected = whole(model, sampling, takes.clone(), frames);
        let chosen = (rng_seed % u64::from(takes.end - takes.start)) as usize;
        let take = takes.start + chosen as u32;

        let others = take.saturating_sub(alongside.0)..take + 1 + alongside.1;
        let mut again = voice(model, sampling, others.clone());
        for piece in pieces(primed, &prime_cuts) {
            prime(&mut *again, &expected[chosen][piece]);
        }
        prop_assert_eq!(again.position(), primed as u64);
        let mut rest = vec![Vec::new(); others.len()];
        for piece in pieces(frames - primed, &cuts) {
            generate(&mut *again, piece.len(), &mut rest);
        }
        prop_assert_eq!(&rest[(take - others.start) as usize][..], &expected[chosen][primed..]);
    }

    /// Priming in the middle of a run makes the past what was primed, for takes that had parted too.
    #[test]
    fn priming_again_forgets_what_is_out_of_reach(first in 1usize..200, between in 0usize..30, again in 130usize..300) {
        let clip = notes(again, 16_000.0, 4);
        let sampling = Sampling { rng_seed: 3, ..Sampling::default() };
        let mut parted = voice(&SMALL, sampling, 0..3);
        prime(&mut *parted, &notes(first, 16_000.0, 5));
        let mut thrown_away = vec![Vec::new(); 3];
        generate(&mut *parted, between, &mut thrown_away);
        prime(&mut *parted, &clip);

        let mut fresh = voice(&SMALL, sampling, 0..3);
        prime(&mut *fresh, &vec![0.3; first + between]);
        prime(&mut *fresh, &clip);
        let mut outs = [vec![Vec::new(); 3], vec![Vec::new(); 3]];
        generate(&mut *parted, 50, &mut outs[0]);
        generate(&mut *fresh, 50, &mut outs[1]);
        prop_assert_eq!(&outs[0], &outs[1]);
    }
}

#[test]
fn takes_seeds_and_settings_make_different_takes() {
    let base = Sampling { rng_seed: 1, ..Sampling::default() };
    let takes = whole(&SMALL, base, 0..4, 200);
    for one in 0..4 {
        for other in 0..one {
            assert_ne!(takes[one], takes[other], "takes {one} and {other}");
        }
    }
    assert_eq!(whole(&SMALL, base, 2..3, 200)[0], takes[2]);
    assert_ne!(whole(&SMALL, Sampling { rng_seed: 2, ..base }, 0..1, 200)[0], takes[0]);
    assert_ne!(whole(&SMALL, Sampling { temperature: 0.7, ..base }, 0..1, 200)[0], takes[0]);
    // The likeliest code needs no random number.
    let sure = Sampling { temperature: 0.0, ..base };
    let takes = whole(&SMALL, sure, 0..2, 200);
    assert_eq!(takes[0], takes[1]);
    assert_eq!(whole(&SMALL, Sampling { rng_seed: 9, ..sure }, 0..1, 200)[0], takes[0]);
}

#[test]
fn priming_matters() {
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    let continued = |clip: &[f32]| {
        let mut again = voice(&SMALL, sampling, 0..1);
        prime(&mut *again, clip);
        let mut out = vec![Vec::new()];
        generate(&mut *again, 60, &mut out);
        out.remove(0)
    };
    assert_ne!(continued(&notes(500, 16_000.0, 1)), continued(&notes(500, 16_000.0, 2)));
    assert_eq!(continued(&[]), whole(&SMALL, sampling, 0..1, 60)[0]);
    // Not a number is silence, and what is too loud is as loud as can be.
    assert_eq!(continued(&[f32::NAN, 7.0, -7.0]), continued(&[0.0, 1.0, -1.0]));
}

#[test]
fn before_the_first_frame_there_was_silence() {
    // The likeliest values are asked for, so that only the network's state decides and no random number does.
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    for model in [&*SMALL, &*CROOKED] {
        let fresh = whole(model, sampling, 0..2, 100);
        let silence = vec![0.0; model.manifest().reach.frames().unwrap() as usize + 1];
        let mut primed = voice(model, sampling, 0..2);
        prime(&mut *primed, &silence);
        let mut out = vec![Vec::new(); 2];
        generate(&mut *primed, 100, &mut out);
        assert_eq!(out, fresh);
    }
}

#[test]
fn amplitudes_are_the_levels_of_the_model() {
    let table = SMALL.manifest().signal.table();
    for take in whole(&SMALL, Sampling::default(), 0..3, 300) {
        assert!(take.iter().all(|value| table.contains(value)));
    }
}

#[test]
fn senseless_requests_are_refused() {
    let refused = |variations, sampling| SMALL.voice(&VoiceRequest::new(sampling, variations)).unwrap_err();
    let empty = 3..3;
    assert!(matches!(refused(empty, Sampling::default()), EngineError::Request { .. }));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let reversed = 3..1;
    assert!(matches!(refused(reversed, Sampling::default()), EngineError::Request { .. }));
    assert!(matches!(refused(0..MOST_VARIATIONS + 1, Sampling::default()), EngineError::Request { .. }));
    assert!(matches!(refused(0..u32::MAX, Sampling::default()), EngineError::Request { .. }));
    let hot = Sampling { temperature: f32::NAN, ..Sampling::default() };
    assert!(refused(0..1, hot).to_string().contains("temperature"));
    let never = AtomicBool::new(false);
    let mut two = voice(&SMALL, Sampling::default(), 0..2);
    let error = two.generate(1, &mut [Vec::new()], &never).unwrap_err();
    assert!(error.to_string().contains("2 variations"), "{error}");
    for clip in [&[&[0.0][..], &[0.0]][..], &[]] {
        let error = two.prime(clip, &never).unwrap_err();
        assert!(error.to_string().starts_with("the clip has"), "{error}");
    }
}

#[test]
fn voices_work_on_threads_of_their_own() {
    let expected = whole(&SMALL, Sampling::default(), 0..4, 300);
    let threads: Vec<_> = (0..4u32)
        .map(|take| std::thread::spawn(move || whole(&SMALL, Sampling::default(), take..take + 1, 300).remove(0)))
        .collect();
    for (thread, expected) in threads.into_iter().zip(expected) {
        assert_eq!(thread.join().unwrap(), expected);
    }
}
