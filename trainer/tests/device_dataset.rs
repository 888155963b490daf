//! A dataset that lies on the device gives the batches that would be sent there. The device is Burn's CPU backend here.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use burn::backend::flex::FlexDevice;
use burn::backend::{Autodiff, Flex};
use common::{real_shape, small_shape, told_shape, tones};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_trainer::data::batches::{BatchPlan, Batches};
use continuo_trainer::data::dataset::{Chunk, Order};
use continuo_trainer::family::wavenet::compute::Resident;
use continuo_trainer::family::wavenet::network::Network;
use continuo_trainer::family::wavenet::parameters::{Table, initial};
use continuo_trainer::family::wavenet::signal::{sequences, signal};
use continuo_trainer::nn::{self, Adam, AdamSettings, Schedule};

type Device = Network<Autodiff<Flex>>;

const ROOM: u64 = 1 << 20;

fn loaded(table: &Arc<Table>, room: u64) -> (Device, nn::Network) {
    let adam = Adam::new(AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, table.weights());
    let network = nn::Network::new("net", initial(table, 1), Box::new(adam), Schedule::constant(0.01));
    let mut device = Device::new(table, FlexDevice, "flex".into()).in_products().with_room(room);
    assert!(device.load(&network).unwrap());
    (device, network)
}

fn plan(shape: &WaveNetShape) -> BatchPlan {
    let context = shape.receptive_field_frames() as usize;
    BatchPlan { sequences: 3, frames: 50, context, signal: signal(shape), order: Order::Shuffled, carried: false }
}

#[test]
fn steps_on_chunks_that_are_held_are_those_on_sequences_that_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let data = tones(dir.path(), &[300, 40, 170, 200]);
    for shape in [small_shape(), real_shape(), told_shape()] {
        let table = Arc::new(Table::new(&shape));
        let ((mut sent, mut one), (mut held, mut other)) = (loaded(&table, 0), loaded(&table, ROOM));
        assert!(!sent.hold(&data).unwrap(), "there is no room");
        assert!(held.hold(&data).unwrap());
        let mut batches = Batches::new(&data, plan(&shape), 5).unwrap();
        let mut from_the_start = false;
        for number in 0..8 {
            let places = batches.next_places();
            let chunks: Vec<Chunk> = places.iter().map(|place| place.chunk).collect();
            // In front of a recording's first frames there is silence.
            from_the_start |= chunks.iter().any(|chunk| chunk.start == 0);
            let expected = sent.step(&sequences(&shape, &batches.cut(&places)), number).unwrap();
            assert_eq!(held.step_at(&chunks, number).unwrap(), expected);
        }
        assert!(from_the_start);
        sent.read(&mut one).unwrap();
        held.read(&mut other).unwrap();
        assert_eq!(one.weights, other.weights);
    }
}

#[test]
fn what_is_not_held_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = tones(dir.path(), &[300, 200]);
    let shape = small_shape();
    let table = Arc::new(Table::new(&shape));
    let (mut device, _) = loaded(&table, ROOM);
    let chunk = |recording, start| Chunk { recording, start, frames: 50 };
    assert!(device.step_at(&[chunk(0, 0)], 0).is_err(), "nothing is held");
    assert!(device.hold(&data).unwrap());
    assert!(device.step_at(&[chunk(0, 250)], 0).is_ok(), "the last chunk");
    for bad in [chunk(0, 251), chunk(0, u64::MAX), chunk(1, 0), chunk(2, 0)] {
        assert!(device.step_at(&[bad], 0).is_err(), "behind the end, held out, or nowhere: {bad:?}");
    }
    assert!(device.step_at(&[], 0).is_err(), "no chunks");
    // Bytes of 300 frames and the receptive field, four each, and one less than that.
    let bytes = 4 * (300 + shape.receptive_field_frames());
    assert!(loaded(&table, bytes).0.hold(&data).unwrap());
    assert!(!loaded(&table, bytes - 1).0.hold(&data).unwrap());
}
