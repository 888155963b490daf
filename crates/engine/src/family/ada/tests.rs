//! The networks and the voice against the equations in double precision, and the seam.

use super::codes::SEAM;
use super::conditioner::Heard;
use super::nets::Nets;
use super::start::Start;
use super::voice::AdaVoice;
use crate::backend::{LoadOptions, Stepping};
use crate::runtime::Runtime;
use crate::sampling::Sampling;
use crate::support::ada::{far_ahead, one_level, two_levels, weights, write};
use crate::support::clip::notes;
use crate::voice::{Voice, VoiceRequest};
use crate::workers::Workers;
use continuo_package::family::ada::AdaShape;
use continuo_package::family::ada::reference::Reference;
use continuo_package::{Package, Signal};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

fn runtime() -> Runtime {
    let path = std::env::var_os("CONTINUO_ONNXRUNTIME").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.cache/runtime").join(crate::runtime_file::NAME),
        PathBuf::from,
    );
    Runtime::open(&path).expect("ONNX Runtime: run `cargo xtask fetch-runtime`, or set CONTINUO_ONNXRUNTIME")
}

fn nets(shape: &AdaShape, stepping: Stepping) -> Arc<Nets> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.continuo");
    write(&path, shape, |_, _| ());
    let options = LoadOptions { runtime: Some(runtime()), stepping, ..LoadOptions::default() };
    Arc::new(Nets::load(&mut Package::open(&path).unwrap(), shape, &options).unwrap())
}

fn codes(clip: &[f32], shape: &AdaShape) -> Vec<u32> {
    let signal = Signal::MuLaw { levels: shape.levels };
    clip.iter().map(|&amplitude| signal.encode(amplitude)).collect()
}

/// The clip behind as much silence as a voice takes into account.
fn context(nets: &Nets, clip: &[f32]) -> Vec<f32> {
    let all = [vec![0.0; nets.context()], clip.to_vec()].concat();
    all[all.len() - nets.context()..].to_vec()
}

#[test]
fn codes_are_those_of_the_equations_wherever_the_clip_ends() {
    for shape in [one_level(), two_levels()] {
        let (nets, network) = (nets(&shape, Stepping::Auto), Reference::new(&shape, weights));
        for length in [0, 1, 3, 40, 97, 400] {
            let audio = codes(&context(&nets, &notes(length, 16_000.0, 3)), &shape);
            let found = nets.encode(&audio).unwrap();
            let mut symbols = audio;
            for (level, found) in (0..).zip(&found) {
                let whole = network.encode(level, &symbols[symbols.len() % nets.levels[level as usize].hop..]);
                // The first codes see the edge of the context.
                let kept = found.len().min(nets.known()[level as usize]);
                assert_eq!(found[found.len() - kept..], whole[whole.len() - kept..], "level {level}, {length} frames");
                symbols = found.clone();
            }
            let different: BTreeSet<u32> = found[0].iter().copied().collect();
            assert!(length < 400 || different.len() > 2, "the encoder says {different:?} alone");
        }
    }
}

#[test]
fn a_modulator_says_what_the_equations_say() {
    let shape = one_level();
    let (nets, network) = (nets(&shape, Stepping::Auto), Reference::new(&shape, weights));
    let codes: Vec<u32> = (0..22).map(|code| (code * code + 5) % 24).collect();
    let level = &nets.levels[0];
    let found = level.modulate(&codes, 3, 16).unwrap().unwrap();
    for (code, found) in found.chunks_exact(level.told).enumerate() {
        for (found, expected) in found.iter().zip(&network.modulate(0, &codes)[code + 3]) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} for {expected}");
        }
    }
}

/// What a voice plays where the likeliest code and the likeliest frame are always taken, from the equations alone: each code goes to
/// the networks below as soon as it and what is looked ahead to are there.
fn likeliest(network: &mut Reference, shape: &AdaShape, known: &[Vec<u32>], audio: &[u32], count: usize) -> Vec<u32> {
    let best = |logits: &[f64]| (0..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
    let top = shape.top();
    // More codes than are needed, so that no end is in sight.
    let mut above: Vec<u32> = known[top as usize].clone();
    let prior = network.prior_mut().unwrap();
    prior.forget();
    let mut logits = Vec::new();
    // Endless repetition of the first code comes before.
    for &code in std::iter::repeat_n(&above[0], 60).chain(&above) {
        logits = prior.step(code);
    }
    for _ in 0..count {
        above.push(best(&logits) as u32);
        logits = prior.step(above[above.len() - 1]);
    }
    for level in (0..=top).rev() {
        let before = if level == 0 { audio } else { &known[level as usize - 1] };
        let hop = shape.autoencoders[level as usize].hop as usize;
        let told = network.modulate(level, &above);
        let seam = known[level as usize].len() as i64;
        let ahead = shape.autoencoders[level as usize].modulator.reach() as i64;
        let last = (above.len() as i64 - seam - ahead) * hop as i64;
        let mut symbols: Vec<u32> = before.to_vec();
        let decoder = network.decoder_mut(level);
        decoder.forget();
        // Its receptive field is all that it remembers.
        let first = before.len() as i64 - shape.autoencoders[level as usize].decoder.receptive_field_frames() as i64;
        for step in first..before.len() as i64 + last - 1 {
            let code = seam + (step + 1 - before.len() as i64).div_euclid(hop as i64);
            let logits = decoder.step_told(symbols[step as usize].into(), Some(&told[code as usize]));
            if step + 1 >= before.len() as i64 {
                symbols.push(best(&logits) as u32);
            }
        }
        above = symbols;
    }
    above[audio.len()..].to_vec()
}

#[test]
fn a_voice_plays_what_the_equations_say() {
    for (shape, stepping) in [one_level(), far_ahead(), two_levels()]
        .iter()
        .flat_map(|s| [Stepping::Native, Stepping::OnnxRuntime].map(|by| (s, by)))
    {
        let nets = nets(shape, stepping);
        let mut network = Reference::new(shape, weights);
        for length in [0, 57, 300] {
            let clip = notes(length, 16_000.0, 3);
            let sampling = Sampling { temperature: 0.0, code_temperature: 0.0, ..Sampling::default() };
            let mut voice = AdaVoice::new(&nets, &VoiceRequest::new(sampling, 0..1));
            voice.prime(&[&clip], &NEVER).unwrap();
            let mut out = vec![Vec::new()];
            voice.generate(140, &mut out, &NEVER).unwrap();
            let audio = codes(&context(&nets, &clip), shape);
            let known = nets.encode(&audio).unwrap();
            let expected = likeliest(&mut network, shape, &known, &audio, 123);
            assert_eq!(codes(&out[0], shape), expected[..140], "{stepping:?}, {length} frames");
        }
    }
}

#[test]
fn a_clip_and_its_own_codes_go_on_as_if_nothing_had_been_cut() {
    for shape in [one_level(), two_levels()] {
        let nets = nets(&shape, Stepping::Native);
        let clip = notes(150, 16_000.0, 5);
        let sampling = Sampling { rng_seed: 3, ..Sampling::default() };
        let request = VoiceRequest::new(sampling, 2..3);
        let mut whole = AdaVoice::new(&nets, &request);
        whole.prime(&[&clip], &NEVER).unwrap();
        let mut expected = vec![Vec::new()];
        whole.generate(700, &mut expected, &NEVER).unwrap();

        // The codes that it was drawn after, drawn once more.
        let known = nets.encode(&codes(&context(&nets, &clip), &shape)).unwrap();
        let start = Start::new(&nets, known.clone(), SEAM + 150, &request, &NEVER).unwrap();
        // What was cut lies on the grid on which modulators run.
        let cut = nets.levels.iter().map(|level| level.hop).product::<usize>() * 16 * 4;
        let mut all = known;
        for (level, codes) in all.iter_mut().enumerate() {
            let mut above = Arc::clone(&start).above(level, 2..3).unwrap();
            let mut drawn = vec![Vec::new()];
            above.generate(cut / nets.frames_per_code(level) as usize, &mut drawn, &NEVER).unwrap();
            codes.extend(drawn[0].iter().map(|&amplitude| above.head().code(amplitude)));
        }
        let mut again = AdaVoice::new(&nets, &request);
        again.prime(&[&clip], &NEVER).unwrap();
        again.prime(&[&expected[0][..cut]], &NEVER).unwrap();
        again.begin_with(all).unwrap();
        let mut rest = vec![Vec::new()];
        again.generate(700 - cut, &mut rest, &NEVER).unwrap();
        assert_eq!(rest[0], expected[0][cut..]);
    }
}

#[test]
fn prime_and_generate_is_one_run_however_it_is_cut() {
    for (shape, stepping) in [one_level(), far_ahead(), two_levels()]
        .iter()
        .flat_map(|s| [Stepping::Native, Stepping::OnnxRuntime].map(|by| (s, by)))
    {
        let nets = nets(shape, stepping);
        for length in [0, 5, 64, 131] {
            let clip = notes(length, 16_000.0, 7);
            let sampling = Sampling { rng_seed: 11, code_top_k: 9, ..Sampling::default() };
            let mut alone = Vec::new();
            for variation in 0..5 {
                let mut voice = AdaVoice::new(&nets, &VoiceRequest::new(sampling, variation..variation + 1));
                voice.prime(&[&clip], &NEVER).unwrap();
                let mut out = vec![Vec::new()];
                voice.generate(160, &mut out, &NEVER).unwrap();
                alone.append(&mut out);
            }
            assert_ne!(alone[0], alone[1]);
            for (threads, variations, cuts) in
                [(1, 0..5, [0, 1, 64]), (2, 1..4, [3, 4, 80]), (3, 0..5, [7, 90, 91]), (3, 2..3, [1, 65, 130])]
            {
                let workers = Workers::new(threads, || {}).unwrap();
                let request = VoiceRequest { workers, ..VoiceRequest::new(sampling, variations.clone()) };
                let mut voice = AdaVoice::new(&nets, &request);
                for piece in clip.chunks(13) {
                    voice.prime(&[piece], &NEVER).unwrap();
                }
                assert_eq!(voice.position(), length as u64);
                let mut out = vec![Vec::new(); variations.len()];
                let mut there = 0;
                for cut in cuts.into_iter().chain([160]) {
                    voice.generate(cut - there, &mut out, &NEVER).unwrap();
                    there = cut;
                }
                for (variation, out) in variations.zip(&out) {
                    let expected = &alone[variation as usize];
                    assert_eq!(out, expected, "variation {variation} on {threads} threads, {length} frames");
                }
                assert_eq!(voice.position(), 160 + length as u64);
                assert_eq!(voice.bits_per_symbol().len(), out.len());
            }
        }
    }
}

#[test]
fn what_was_heard_is_one_recording_when_it_is_primed_again() {
    let nets = nets(&one_level(), Stepping::Native);
    let sampling = Sampling { rng_seed: 1, ..Sampling::default() };
    let clip = notes(21, 16_000.0, 2);
    let mut voice = AdaVoice::new(&nets, &VoiceRequest::new(sampling, 0..3));
    let mut first = vec![Vec::new(); 3];
    voice.generate(30, &mut first, &NEVER).unwrap();
    voice.prime(&[&clip], &NEVER).unwrap();
    let mut rest = vec![Vec::new(); 3];
    voice.generate(50, &mut rest, &NEVER).unwrap();
    for variation in 0..3 {
        let mut other = AdaVoice::new(&nets, &VoiceRequest::new(sampling, variation..variation + 1));
        other.prime(&[&[&first[variation as usize][..], &clip].concat()], &NEVER).unwrap();
        let mut out = vec![Vec::new()];
        other.generate(50, &mut out, &NEVER).unwrap();
        assert_eq!(out[0], rest[variation as usize]);
    }
    // A clip that is all that matters makes the variations one again.
    let long = notes(nets.context(), 16_000.0, 2);
    voice.prime(&[&long], &NEVER).unwrap();
    let mut fresh = AdaVoice::new(&nets, &VoiceRequest::new(sampling, 0..3));
    fresh.prime(&[&[0.5; 80]], &NEVER).unwrap();
    fresh.prime(&[&notes(21, 16_000.0, 9)], &NEVER).unwrap();
    fresh.prime(&[&long], &NEVER).unwrap();
    let mut outs = [vec![Vec::new(); 3], vec![Vec::new(); 3]];
    voice.generate(40, &mut outs[0], &NEVER).unwrap();
    fresh.generate(40, &mut outs[1], &NEVER).unwrap();
    assert_eq!(outs[0], outs[1]);
}
