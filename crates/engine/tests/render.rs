//! Offline rendering and its forecast.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::clip::notes;
use common::support::graph::small;
use common::{RandomPackage, generate, prime, voice};
use continuo_engine::audio::Clip;
use continuo_engine::{EngineError, Forecasts, RenderRequest, Sampling, Workers, Workload, render, seam};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn request(frames: u64) -> RenderRequest {
    let left = notes(3_000, 44_100.0, 6);
    let right = notes(3_000, 44_100.0, 7);
    let seed = Some(Clip { sample_rate_hz: 44_100, channels: vec![left, right] });
    let sampling = Sampling { rng_seed: 4, ..Sampling::default() };
    RenderRequest { seed, frames, sampling, class: 0, variations: 1..4, precision: None, workers: Workers::alone() }
}

/// Renders and collects, checking that blocks come in order and without gaps.
fn rendered(
    model: &Arc<continuo_engine::Model>,
    request: &RenderRequest,
    cancel: &AtomicBool,
    stop_after: u64,
) -> (Result<continuo_engine::RenderSummary, EngineError>, Vec<Vec<f32>>) {
    let mut takes = vec![Vec::new(); request.variations.len()];
    let result = render(model, request, cancel, &mut |block| {
        assert_eq!((block.channels, block.variations().count()), (1, takes.len()));
        for (take, frames) in takes.iter_mut().zip(block.sound) {
            assert_eq!(block.first_frame, take.len() as u64);
            assert_eq!(frames.len(), block.sound[0].len());
            take.extend_from_slice(frames);
        }
        if takes[0].len() as u64 >= stop_after {
            cancel.store(true, Ordering::Relaxed);
        }
    });
    (result, takes)
}

#[test]
fn a_render_is_what_the_voice_gives() {
    let model = RandomPackage::new(small()).native();
    let request = request(700);
    let (summary, takes) = rendered(&model, &request, &AtomicBool::new(false), u64::MAX);
    let summary = summary.unwrap();
    let seed = seam::model_seed(request.seed.as_ref().unwrap(), 16_000).unwrap();
    let mut primed = voice(&model, request.sampling, 1..4);
    prime(&mut *primed, &seed);
    let mut expected = vec![Vec::new(); 3];
    generate(&mut *primed, 700, &mut expected);
    assert!(takes == expected);
    assert_eq!((summary.frames, summary.variations, summary.primed_frames), (700, 3, seed.len() as u64));
    assert!(summary.frames_per_second > 0.0 && summary.frames_per_second.is_finite());
    let factor = summary.frames_per_second / 16_000.0;
    assert!((summary.real_time_factor - factor).abs() < 1e-9 * factor);
}

#[test]
fn a_render_tells_how_likely_its_takes_are_under_the_model() {
    let model = RandomPackage::new(small()).native();
    let signal = model.manifest().signal;
    for temperature in [0.5, 1.0] {
        let sampling = Sampling { temperature, ..request(1).sampling };
        let request = RenderRequest { seed: None, sampling, ..request(4_000) };
        let (summary, takes) = rendered(&model, &request, &AtomicBool::new(false), u64::MAX);
        let bits = summary.unwrap().bits_per_symbol;
        assert_eq!(bits.len(), takes.len());
        for (bits, take) in bits.iter().zip(&takes) {
            let codes: Vec<u32> = take.iter().map(|&frame| signal.encode(frame)).collect();
            let nats = model.nll_nats(continuo_engine::Precision::F32, &[codes]).unwrap();
            // The mean of every fourth step, beside that of all.
            let all = nats / std::f64::consts::LN_2;
            assert!((bits / all - 1.0).abs() < 0.2, "at {temperature}: {bits} and {all}");
        }
    }
}

#[test]
fn cancelling_leaves_nothing_behind() {
    let model = RandomPackage::new(small()).native();
    let request = request(5_000);
    let (full, expected) = rendered(&model, &request, &AtomicBool::new(false), u64::MAX);
    full.unwrap();
    let before = Arc::strong_count(&model);

    let (result, takes) = rendered(&model, &request, &AtomicBool::new(false), 1_000);
    assert!(matches!(result, Err(EngineError::Cancelled)));
    // Whole blocks up to the flag and not one frame more; they are the frames of the full render.
    assert_eq!(takes[0].len(), 1_024);
    for (cut, whole) in takes.iter().zip(&expected) {
        assert!(cut[..] == whole[..1_024]);
    }
    assert_eq!(Arc::strong_count(&model), before, "a cancelled render holds on to the model");

    let (again, takes) = rendered(&model, &request, &AtomicBool::new(false), u64::MAX);
    again.unwrap();
    assert!(takes == expected, "a cancelled render changed the next one");
}

#[test]
fn a_render_cancelled_beforehand_does_nothing() {
    let model = RandomPackage::new(small()).native();
    let (result, takes) = rendered(&model, &request(100), &AtomicBool::new(true), u64::MAX);
    assert!(matches!(result, Err(EngineError::Cancelled)));
    assert!(takes.iter().all(Vec::is_empty));
}

#[test]
fn priming_can_be_cancelled() {
    let model = RandomPackage::new(small()).native();
    let mut primed = voice(&model, Sampling::default(), 0..1);
    let result = primed.prime(&[&notes(100, 16_000.0, 1)], &AtomicBool::new(true));
    assert!(matches!(result, Err(EngineError::Cancelled)));
}

#[test]
fn a_render_without_a_seed_begins_in_silence() {
    let model = RandomPackage::new(small()).native();
    let unconditional = RenderRequest { seed: None, ..request(300) };
    let (summary, takes) = rendered(&model, &unconditional, &AtomicBool::new(false), u64::MAX);
    assert_eq!(summary.unwrap().primed_frames, 0);
    let mut expected = vec![Vec::new(); 3];
    generate(&mut *voice(&model, unconditional.sampling, 1..4), 300, &mut expected);
    assert!(takes == expected);
}

#[test]
fn senseless_lengths_are_refused_before_any_work() {
    let model = RandomPackage::new(small()).native();
    for frames in [0, u64::MAX] {
        let (result, _) = rendered(&model, &request(frames), &AtomicBool::new(false), u64::MAX);
        assert!(matches!(result, Err(EngineError::Request { .. })), "{result:?}");
    }
}

#[test]
fn a_forecast_grows_with_the_work() {
    let model = RandomPackage::new(small()).native();
    let forecasts = Forecasts::new(&model, None);
    let work = |seed_frames, variations| Workload {
        seed_frames,
        frames: 16_000,
        variations,
        precision: None,
        workers: Workers::alone(),
    };
    let one = forecasts.seconds_per_frame(&work(0, 1), &AtomicBool::new(false)).unwrap();
    assert!(one > 0.0 && one < 0.1, "{one}");
    // Measured once: asking again gives the same number.
    assert_eq!(one.to_bits(), forecasts.seconds_per_frame(&work(0, 1), &AtomicBool::new(false)).unwrap().to_bits());
    assert_eq!(forecasts.known(&work(5, 1)), None, "priming was not measured yet");
    let cancelled = forecasts.forecast(&work(5, 3), &AtomicBool::new(true));
    assert!(matches!(cancelled, Err(EngineError::Cancelled)));
    let second = forecasts.forecast(&work(0, 1), &AtomicBool::new(false)).unwrap();
    assert!((second.as_secs_f64() - 16_000.0 * one).abs() < 1e-6);
    assert_eq!(forecasts.known(&work(0, 1)), Some(second));
    // Only the receptive field of the clip goes through the network.
    let reach = model.manifest().reach.frames().unwrap();
    assert!(forecasts.forecast(&work(reach, 1), &AtomicBool::new(false)).unwrap() > second);
    assert_eq!(
        forecasts.forecast(&work(reach, 1), &AtomicBool::new(false)).unwrap(),
        forecasts.forecast(&work(reach * 1_000, 1), &AtomicBool::new(false)).unwrap()
    );
    assert!(matches!(
        forecasts.seconds_per_frame(&work(0, 0), &AtomicBool::new(false)),
        Err(EngineError::Request { .. })
    ));
}

#[test]
fn a_render_teaches_the_forecast_and_another_run_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let package = RandomPackage::new(small());
    let (model, request) = (package.native(), request(6_000));
    let speed = folder.path().join("speed");
    let forecasts = || Forecasts::new(&model, Some(&speed));
    let summary = rendered(&model, &request, &AtomicBool::new(false), u64::MAX).0.unwrap();
    let work = request.workload(summary.primed_frames);
    let first = forecasts();
    first.learn(&work, summary.generate_seconds);
    let learnt = first.seconds_per_frame(&work, &AtomicBool::new(false)).unwrap();
    assert!((learnt * 6_000.0 - summary.generate_seconds).abs() < 1e-6);
    assert!((forecasts().seconds_per_frame(&work, &AtomicBool::new(true)).unwrap() / learnt - 1.0).abs() < 1e-12);
}

#[test]
fn threads_and_takes_alongside_do_not_change_a_bit() {
    use continuo_engine::Precision;
    // The wide one has a head that threads share, as its bytes say.
    let wide = continuo_package::family::wavenet::WaveNetShape { skip_channels: 640, end_channels: 640, ..small() };
    for shape in [small(), wide] {
        let model = RandomPackage::new(shape).native();
        for precision in Precision::ALL {
            let request = |variations, threads| RenderRequest {
                variations,
                precision: Some(precision),
                workers: Workers::new(threads, || {}).unwrap(),
                ..request(600)
            };
            let heard = |takes, threads| {
                let request = request(takes, threads);
                let (summary, takes) = rendered(&model, &request, &AtomicBool::new(false), u64::MAX);
                summary.unwrap();
                takes
            };
            let expected = heard(0..5, 1);
            for threads in [2, 3, 4, 7] {
                assert!(heard(0..5, threads) == expected, "{precision}, {threads} threads");
                assert!(heard(2..3, threads)[0] == expected[2], "{precision}, one take on {threads} threads");
            }
            assert!(heard(1..3, 2) == expected[1..3]);
        }
    }
}

#[test]
fn cancelling_threads_leaves_nothing_behind() {
    let wide = continuo_package::family::wavenet::WaveNetShape { skip_channels: 640, end_channels: 640, ..small() };
    let model = RandomPackage::new(wide).native();
    let workers = Workers::new(3, || {}).unwrap();
    for variations in [0..1, 0..4] {
        let request = RenderRequest { variations, workers: workers.clone(), ..request(1 << 30) };
        let (result, takes) = rendered(&model, &request, &AtomicBool::new(false), 1_000);
        assert!(matches!(result, Err(EngineError::Cancelled)));
        assert!(takes.iter().all(|take| take.len() == takes[0].len() && take.len() % 256 == 0));
        // The threads are free for the next render.
        let request = RenderRequest { frames: 300, ..request };
        assert!(rendered(&model, &request, &AtomicBool::new(false), u64::MAX).0.is_ok());
    }
}

#[test]
fn senseless_numbers_of_threads_are_refused() {
    for threads in [0, 65] {
        let error = Workers::new(threads, || {}).unwrap_err().to_string();
        assert!(error.starts_with("the number of threads is"), "{error}");
    }
    assert_eq!(Workers::new(1, || {}).unwrap().threads(), 1);
}
