//! A take on its whole way out of the window: from the instance that has it to the program on which it is dropped.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use continuo_engine::audio::import;

use super::Continuo;
use crate::editor;
use crate::session::Command;

#[test]
#[ignore = "needs an X server; cargo test --lib plugin::dragged -- --ignored, under Xvfb for one"]
fn a_take_that_is_dropped_on_another_program_arrives_there_as_the_file_that_an_export_gives() {
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states/2/inline.state");
    let mut plain = Vec::new();
    zstd::Decoder::new(&std::fs::read(state).unwrap()[8..]).unwrap().read_to_end(&mut plain).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    let plugin = Continuo::default();
    let session = &plugin.parameters().session;
    session.restore(serde_json::from_str(whole["fields"]["session"].as_str().unwrap()).unwrap());
    let take = session.saved().take.unwrap().unpack(None).unwrap();
    let options = session.snapshot().export;
    session.send(Command::SetExport(crate::session::ExportOptions { with_seed: false, model_rate: true, ..options }));

    // The first variation is the one that plays, and so the one that is exported.
    let files = [0, 1].map(|variation| editor::dropped(session, variation));
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export.wav");
    session.send(Command::ExportTake(export.clone()));
    let since = Instant::now();
    while !export.exists() {
        assert!(since.elapsed() < Duration::from_secs(20), "no export comes");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(std::fs::read(&files[0]).unwrap(), std::fs::read(&export).unwrap());
    for (file, variation) in files.iter().zip(&take.variations) {
        let written = import(file, 60.0).unwrap().clip;
        assert_eq!((written.sample_rate_hz, written.frames()), (variation.sample_rate_hz, variation.frames()));
        // The same frames, at the level at which they play.
        let frames =
            || written.channels[0].iter().zip(&variation.channels[0]).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let gain = frames().map(|(a, b)| a * b).sum::<f64>() / frames().map(|(_, b)| b * b).sum::<f64>();
        assert!(gain > 0.1 && frames().all(|(a, b)| (a - gain * b).abs() <= 1.0 / 4_194_304.0), "{gain}");
        std::fs::remove_file(file).unwrap();
    }
    assert_ne!(files[0], files[1]);
}
