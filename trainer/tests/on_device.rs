//! Networks that stay on a device move as those on the CPU do. The device is Burn's CPU backend here, and with the feature `gpu`
//! a GPU in `gpu.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexDevice;
use burn::tensor::{Tensor, TensorData};
use continuo_trainer::nn::{
    Adam, AdamSettings, Decay, DeviceNetwork, Diverged, Network, Optimiser, RmsProp, RmsPropSettings, Schedule, Sgd,
    TensorLayout, Tensors, Unmoved,
};
use continuo_trainer::random::{Purpose, Random};

const LEN: usize = 1003;

fn values(index: u64, size: f32) -> Vec<f32> {
    let mut random = Random::new(7, Purpose::named("values of the tests"), index);
    (0..LEN).map(|_| size * (random.uniform() - 0.5)).collect()
}

/// A network whose gradients are clipped at every other step, with a rate that rises and falls, and an average.
fn network() -> Network {
    let layout = Arc::new(TensorLayout::new([("a".to_owned(), vec![3]), ("b".to_owned(), vec![LEN - 3])]));
    let mut weights = Tensors::zeros(layout);
    weights.values = values(1000, 1.0);
    let adam = Adam::new(AdamSettings { beta1: 0.8, beta2: 0.95, epsilon: 1e-6 }, LEN);
    let schedule = Schedule {
        steps: 12,
        learning_rate: 0.01,
        warmup_steps: 3,
        decay: Decay::Linear,
        decay_steps: 4,
        decay_to: 0.1,
    };
    let mut network = Network::new("net", weights, Box::new(adam), schedule);
    network.clip_norm = 5.0;
    network.average_decay = 0.7;
    network
}

fn gradient(step: u64) -> Vec<f32> {
    values(step, if step.is_multiple_of(2) { 2.0 } else { 0.1 })
}

fn tensor(values: &[f32]) -> Tensor<Flex, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &FlexDevice)
}

fn close(ours: &[f32], theirs: &[f32], what: &str) {
    let worst = ours.iter().zip(theirs).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(ours.len() == theirs.len() && worst < 1e-6, "{what} differ by {worst}");
}

/// Every optimiser, before its first step.
fn optimisers() -> [Box<dyn Optimiser>; 3] {
    let settings = RmsPropSettings { decay: 0.8, momentum: 0.5, epsilon: 1e-6 };
    let adam = Adam::new(AdamSettings { beta1: 0.8, beta2: 0.95, epsilon: 1e-6 }, LEN);
    [Box::new(adam), Box::new(RmsProp::new(settings, LEN)), Box::new(Sgd::new(0.9, LEN))]
}

#[test]
fn a_network_on_a_device_moves_as_one_on_the_cpu() {
    for (ours, theirs) in optimisers().into_iter().zip(optimisers()) {
        moves_alike(Network { optimiser: ours, ..network() }, Network { optimiser: theirs, ..network() });
    }
}

fn moves_alike(mut ours: Network, mut theirs: Network) {
    let mut device = DeviceNetwork::<Flex>::new(&theirs, &FlexDevice).unwrap();
    for step in 0..12 {
        let norm = ours.update(&mut gradient(step), step).unwrap();
        let moved = device.update(tensor(&gradient(step)), tensor(&[0.5, 3.0]), step).unwrap();
        assert!((moved.norm - norm).abs() < 1e-5 * norm, "{} is not {norm}", moved.norm);
        assert_eq!(moved.losses, [0.5, 3.0]);
        if step == 6 {
            // By way of the CPU, as over a checkpoint, nothing changes.
            device.read(&mut theirs);
            device = DeviceNetwork::new(&theirs, &FlexDevice).unwrap();
        }
    }
    assert_ne!(ours.weights.values, network().weights.values);
    device.read(&mut theirs);
    close(&ours.weights.values, &theirs.weights.values, "weights");
    close(&ours.average, &theirs.average, "averages");
    for ((name, ours), (_, theirs)) in ours.optimiser.moments().into_iter().zip(theirs.optimiser.moments()) {
        close(ours, theirs, name);
    }
    assert_eq!(theirs.optimiser.steps(), 12);
}

#[test]
fn workers_move_one_network_on_devices_and_on_the_cpu() {
    // Worker 0's network is on a device, worker 1's is not; each brings a gradient of its own.
    let both = |step: u64| [gradient(2 * step), gradient(2 * step + 1)];
    let [on_device, on_cpu] = common::workers(|peers| {
        let mut network = Network { peers: peers.clone(), ..network() };
        let mut device = DeviceNetwork::<Flex>::new(&network, &FlexDevice).unwrap();
        for step in 0..12 {
            let own = &mut both(step)[peers.worker()];
            if peers.leads() {
                device.update(tensor(own), tensor(&[0.0]), step).unwrap();
            } else {
                let norm = network.update(own, step).unwrap();
                // What a device reads on the way is averaged too.
                peers
                    .figures(&mut [0.0, norm * norm, network.weights.values.iter().map(|w| f64::from(w.abs())).sum()])
                    .unwrap();
            }
        }
        if peers.leads() {
            device.read(&mut network);
        }
        network.weights.values
    });
    let mut alone = network();
    for step in 0..12 {
        let [first, second] = both(step);
        let mut mean: Vec<f32> = first.iter().zip(&second).map(|(a, b)| (a + b) / 2.0).collect();
        alone.update(&mut mean, step).unwrap();
    }
    assert_eq!(on_cpu, alone.weights.values);
    close(&on_device, &alone.weights.values, "weights");
}

#[test]
fn what_is_no_number_changes_nothing_and_a_weight_that_is_none_is_found() {
    let host = network();
    let mut device = DeviceNetwork::<Flex>::new(&host, &FlexDevice).unwrap();
    let refused = |device: &mut DeviceNetwork<Flex>, gradient: &[f32], loss: f32| -> Diverged {
        match device.update(tensor(gradient), tensor(&[loss]), 0).unwrap_err() {
            Unmoved::Diverged(diverged) => diverged,
            Unmoved::Peers(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused(&mut device, &gradient(0), f32::NAN).what, "the loss");
    let mut infinite = gradient(0);
    infinite[LEN - 1] = f32::INFINITY;
    assert_eq!(refused(&mut device, &infinite, 1.0).what, "the norm of the gradient");
    let mut read = network();
    device.read(&mut read);
    assert_eq!((&read.weights, &read.average), (&host.weights, &host.average));
    assert_eq!(read.optimiser.steps(), 0);

    read.weights.values[17] = f32::NAN;
    let mut device = DeviceNetwork::<Flex>::new(&read, &FlexDevice).unwrap();
    assert_eq!(refused(&mut device, &gradient(0), 1.0).what, "a weight");
}

/// An optimiser that names no rule.
#[derive(Debug)]
struct Own;

impl Optimiser for Own {
    fn update(&mut self, _: f64, _: &mut [f32], _: &[f32]) {}

    fn steps(&self) -> u64 {
        0
    }

    fn set_steps(&mut self, _: u64) {}

    fn moments(&self) -> Vec<(&'static str, &[f32])> {
        Vec::new()
    }

    fn moments_mut(&mut self) -> Vec<(&'static str, &mut [f32])> {
        Vec::new()
    }
}

#[test]
fn an_optimiser_without_a_rule_stays_on_the_cpu() {
    let mut host = network();
    host.optimiser = Box::new(Own);
    assert!(DeviceNetwork::<Flex>::new(&host, &FlexDevice).is_none());
}
