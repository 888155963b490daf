//! The GPU's passes against the CPU's, over whatever Vulkan, Metal or `DirectX` 12 offers: Debian's software Vulkan
//! (`mesa-vulkan-drivers`) will do, so that no GPU is needed. Built with the feature `gpu` only.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::gpu::{alone, both, device, number};
use common::{TINY, odd_shape, real_shape, sequences, small_shape, told_shape, tones, weights};
use continuo_trainer::check;
use continuo_trainer::cli::{CheckArgs, DeviceArg};
use continuo_trainer::config;
use continuo_trainer::data::dataset::Dataset;
use continuo_trainer::device::Device;
use continuo_trainer::family::FAMILIES;
use continuo_trainer::family::wavenet::Compute;
use continuo_trainer::nn::Precision;
use continuo_trainer::training::checkpoint::Checkpoint;
use continuo_trainer::training::run::Run;
use continuo_trainer::training::trainer::{End, Limits, Trainer};

#[test]
fn losses_outputs_and_gradients_are_those_of_the_cpu() {
    let _alone = alone();
    for shape in [odd_shape(true), odd_shape(false), small_shape(), real_shape(), told_shape()] {
        let (table, mut cpu, mut gpu) = both(&shape);
        let values = weights(&table, 11);
        let batch = sequences(&shape, 3, 150, 13);
        // With a penalty strong enough to show in every tensor.
        let penalty = if shape.is_real() { 0.0 } else { 0.3 };
        for compute in [&mut cpu as &mut dyn Compute, gpu.as_mut()] {
            compute.penalise_logits(penalty);
            compute.penalise_weights(0.01);
        }
        let (mut ours, mut theirs) = (vec![0.0; table.weights()], vec![0.0; table.weights()]);
        let expected = cpu.gradient(&values, &batch, &mut ours).unwrap();
        let loss = gpu.gradient(&values, &batch, &mut theirs).unwrap();
        assert!((loss - expected).abs() < 5e-6, "{loss} is not {expected}");
        for tensor in table.tensors() {
            let pairs = ours[tensor.range()].iter().zip(&theirs[tensor.range()]);
            let worst = pairs.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst < 5e-6, "{}: differs by {worst}", tensor.name);
            assert!(theirs[tensor.range()].iter().any(|&g| g.abs() > 1e-5), "{} has a gradient", tensor.name);
        }
        let (a, b) = (cpu.loss(&values, &batch).unwrap(), gpu.loss(&values, &batch).unwrap());
        assert!((a - b).abs() < 5e-6, "{b} is not {a}");
        let (a, b) = (cpu.outputs(&values, &batch[0]).unwrap(), gpu.outputs(&values, &batch[0]).unwrap());
        let worst = a.iter().zip(&b).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(a.len() == b.len() && worst < 2e-5, "outputs differ by {worst}");
    }
}

#[test]
fn half_precision_is_close_where_the_device_has_it_and_refused_where_not() {
    let _alone = alone();
    let shape = small_shape();
    for (precision, most) in [(Precision::Bf16, 6e-2), (Precision::F16, 8e-3)] {
        let (table, mut cpu, mut gpu) = both(&shape);
        let (values, batch) = (weights(&table, 11), sequences(&shape, 3, 150, 13));
        if let Err(error) = gpu.multiply_in(precision) {
            let said = error.to_string();
            assert!(said.contains(precision.name()) && said.contains("training.precision"), "{said}");
            eprintln!("{said}");
            continue;
        }
        let (mut ours, mut theirs) = (vec![0.0; table.weights()], vec![0.0; table.weights()]);
        let expected = cpu.gradient(&values, &batch, &mut ours).unwrap();
        let loss = gpu.gradient(&values, &batch, &mut theirs).unwrap();
        assert!((loss - expected).abs() < most * expected, "{loss} is not {expected}");
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let apart = norm(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b)) / norm(&mut ours.iter().copied());
        assert!(apart < most && apart > 1e-5, "{precision:?}: apart by {apart}");
    }
}

#[test]
fn ten_steps_of_training_are_those_of_the_cpu() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tiny.toml");
    std::fs::write(&file, TINY).unwrap();
    let json = dir.path().join("found.json");
    let device = DeviceArg::Gpu(number());
    check::run(&CheckArgs { config: file, device, steps: 10, json: Some(json.clone()) }).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!((found["losses"].as_array().unwrap().len(), &found["agrees"]), (10, &true.into()));
    let [loss, gradient, later] = ["loss", "gradient", "later_loss"].map(|name| found[name].as_f64().unwrap());
    assert!(loss < 1e-6 && gradient < 1e-5 && later < 1e-4, "{found}");
    assert!(found["device"].as_str().unwrap().starts_with("gpu:"), "{found}");
}

/// Goes on from the newest checkpoint, or begins, and trains so many steps.
fn sitting(run: &Run, data: &Dataset, steps: u64) -> End {
    let task = run.config.task(&device()).unwrap();
    let mut trainer = match Checkpoint::newest(&run.checkpoints()) {
        Ok((checkpoint, _)) => Trainer::resume(run, data, task, &checkpoint).unwrap(),
        Err(_) => Trainer::begin(run, data, task).unwrap(),
    };
    trainer.train(Limits { steps: Some(steps), quiet: true, ..Limits::default() }).unwrap()
}

#[test]
fn it_trains_and_a_resumed_run_is_the_one_that_never_stopped_to_rounding() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let data = tones(&dir.path().join("data"), &[2500, 390, 1900, 1200]);
    let create =
        |name: &str| Run::create(&dir.path().join(name), config::parse(TINY, FAMILIES).unwrap(), &data, false).unwrap();
    let newest = |run: &Run| Checkpoint::newest(&run.checkpoints()).unwrap().0;
    let (whole, broken) = (create("whole"), create("broken"));
    assert_eq!(sitting(&whole, &data, 99), End::Finished);
    let expected = newest(&whole);
    assert!(expected.progress.device.starts_with("gpu:"), "{}", expected.progress.device);
    // It learns: chance costs ln 64 = 4.16 nats.
    let learnt = expected.progress.heldout["nll_nats"];
    assert!(learnt < 3.9, "{learnt}");

    for (steps, end) in [(5, End::Limit), (1, End::Limit), (6, End::Finished)] {
        assert_eq!(sitting(&broken, &data, steps), end);
    }
    let found = newest(&broken);
    // Not bit for bit as on the CPU: in a process that has computed other things before, a few last bits were seen to differ.
    for (name, expected) in &expected.tensors {
        let pairs = found.tensors[name].values.iter().zip(&expected.values);
        let worst = pairs.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-6, "{name} differs by {worst}");
    }
    assert_eq!(found.tensors.len(), expected.tensors.len());
    assert_eq!(found.optimiser_steps, expected.optimiser_steps);
    assert!((found.progress.heldout["nll_nats"] - learnt).abs() < 1e-6);
}

#[test]
fn a_number_without_a_gpu_is_refused_with_those_that_are_there() {
    let _alone = alone();
    let error = Device::find(DeviceArg::Gpu(99)).unwrap_err().to_string();
    assert!(error.starts_with("gpu:99: there is no GPU of that number, only gpu:0, "), "{error}");
    // The same adapter twice is one device.
    assert_eq!(device(), device());
    assert!(config::parse(TINY, FAMILIES).unwrap().task(&device()).is_ok());
}
