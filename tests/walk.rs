//! A producer's way through a project: a seed clip, eight variations, listening, stars, undo, a branch, an export, and the project opened again.
//! What the editor asks for, beside a host that runs blocks.
// The take store is kept out of the home folder through a variable that only this system knows.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use continuo::params::ContinuoParams;
use continuo::plugin::newest_params;
use continuo::session::{Command, Origin, Snapshot, Sound};
use continuo_engine::audio::{WavFormat, read, write_wav};

use common::host::{Deck, EntryDescriptor, Plugin, Setup};

const RATE_HZ: u32 = 48_000;
const BLOCK: u32 = 512;

fn instance() -> (Plugin, Arc<ContinuoParams>) {
    // SAFETY: both are the structure that CLAP's headers define, and the entry is this program's own.
    let entry = unsafe { &*(&raw const continuo::plugin::clap::clap_entry).cast::<EntryDescriptor>() };
    // SAFETY: the framework's functions and ours keep to the CLAP headers.
    let plugin = unsafe { Plugin::linked(entry) }.unwrap();
    (plugin, newest_params().unwrap())
}

/// A host that runs blocks, and an editor beside it.
struct Studio {
    plugin: Plugin,
    params: Arc<ContinuoParams>,
    deck: Deck,
}

impl Studio {
    fn open() -> Self {
        let (mut plugin, params) = instance();
        let deck = plugin.start(Setup { sample_rate_hz: RATE_HZ, block: BLOCK }).unwrap();
        Self { plugin, params, deck }
    }

    fn send(&self, command: Command) {
        self.params.session.send(command);
    }

    /// Runs a block and gives the loudest sample of it.
    fn block(&mut self) -> f32 {
        let channels = self.deck.run(BLOCK).unwrap();
        channels.into_iter().flatten().fold(0.0, |high, value| high.max(value.abs()))
    }

    /// Runs blocks until what is shown and heard is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&Snapshot, f32) -> bool) -> Snapshot {
        for _ in 0..20_000 {
            let loudest = self.block();
            let snapshot = self.params.session.snapshot();
            assert_eq!(snapshot.error, None, "while waiting for {what}");
            if wanted(&snapshot, loudest) {
                return snapshot;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} never came: {:?}", self.params.session.snapshot());
    }

    fn set(&mut self, id: &str, text: &str) {
        let value = self.plugin.value(id, text).unwrap();
        self.deck.set(0, value);
        self.block();
    }

    /// What is heard from bar 1 on.
    fn bounce(&mut self, frames: usize) -> Vec<[u32; 2]> {
        (self.deck.playing, self.deck.position) = (true, 0);
        let heard = common::roll(&mut self.deck, frames, BLOCK).unwrap();
        self.deck.playing = false;
        self.block();
        common::bits(&heard)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn from_a_seed_clip_to_an_export_and_back_out_of_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // SAFETY: this is the program's only test and no other thread runs yet.
    unsafe {
        std::env::set_var("XDG_DATA_HOME", path("data"));
        std::env::set_var("CONTINUO_RESOURCES", path("nothing shipped"));
    }
    common::write_model(&path("model.continuo"));
    write_wav(&path("seed.wav"), &common::seed_clip(), WavFormat::I24).unwrap();

    let mut studio = Studio::open();
    studio.send(Command::ChooseModel(path("model.continuo")));
    studio.send(Command::ChooseSeed(path("seed.wav")));
    studio.until("the choices", |snapshot, _| {
        snapshot.model.origin == Origin::Chosen && snapshot.seed.origin == Origin::Chosen
    });
    studio.set("length", "0.5");
    studio.set("takes", "8");
    studio.set("rng_seed", "17");
    studio.send(Command::Render);
    let shown = studio.until("eight variations", |snapshot, _| snapshot.takes.len() == 1);
    let first = shown.takes[0].clone();
    assert_eq!((first.variations, first.seconds), (8, 0.5));

    // One of them is heard though the transport stands.
    let third = Sound::Take { variation: 2 };
    studio.send(Command::Listen { sound: third.clone(), from_seconds: 0.0 });
    studio.until("a sound", |_, loudest| loudest > 0.1);
    assert_eq!(studio.params.session.heard().unwrap().0, third);
    studio.send(Command::StopListening);
    studio.until("silence", |_, loudest| loudest == 0.0);

    let star = |variation| Command::Star { take: first.id, variation, on: true };
    studio.send(star(2));
    studio.send(star(5));
    studio.until("two stars", |snapshot, _| snapshot.takes[0].stars == 0b10_0100);
    studio.send(Command::Undo);
    studio.until("one star", |snapshot, _| snapshot.takes[0].stars == 0b100);
    studio.send(Command::Redo);
    studio.until("two stars again", |snapshot, _| snapshot.takes[0].stars == 0b10_0100);

    // From within the third variation on, another way.
    studio.set("takes", "2");
    studio.send(Command::SeedFromTake { variation: 2, until_seconds: Some(0.75), render: true });
    let shown = studio.until("a branch", |snapshot, _| snapshot.takes.len() == 2);
    let branch = shown.takes[1].clone();
    assert!(branch.chosen && branch.variations == 2);
    assert_eq!(branch.seconds, 0.5);
    studio.send(Command::Star { take: branch.id, variation: 0, on: true });
    studio.until("a third star", |snapshot, _| snapshot.takes[1].stars == 1);

    std::fs::create_dir(path("export")).unwrap();
    studio.send(Command::ExportStarred(path("export")));
    studio.until("the export", |snapshot, _| snapshot.notice.is_some());
    let exported = files(&path("export"));
    assert_eq!(exported.len(), 3, "{exported:?}");
    let mut lengths: Vec<usize> = Vec::new();
    for file in &exported {
        let clip = read(file).unwrap();
        assert_eq!(clip.sample_rate_hz, RATE_HZ, "{}", file.display());
        lengths.push(clip.frames());
    }
    lengths.sort_unstable();
    assert_eq!(lengths, [48_000, 48_000, 60_000]);

    // Saved, and opened without model, seed clip and take store.
    let frames = 70_000;
    let heard = studio.bounce(frames);
    assert!(heard.iter().any(|frame| *frame != [0, 0]));
    let state = studio.plugin.save().unwrap();
    let Studio { mut plugin, deck, .. } = studio;
    plugin.stop(deck);
    drop(plugin);
    for file in ["model.continuo", "seed.wav"] {
        std::fs::remove_file(path(file)).unwrap();
    }
    let mut studio = Studio::open();
    assert!(studio.plugin.restore(&state).unwrap());
    let shown = studio.until("the takes", |snapshot, _| snapshot.takes.len() == 2);
    assert_eq!((shown.takes[0].stars, shown.takes[1].stars), (0b10_0100, 1));
    assert!(studio.bounce(frames) == heard, "the project sounds otherwise");
    studio.send(Command::ChooseTake(shown.takes[0].id));
    studio.until("the first take", |snapshot, _| snapshot.takes[0].chosen);
    // It reaches the audio thread a moment later.
    assert!((0..1_000).any(|_| studio.bounce(frames) != heard), "the first take is not heard");
    let Studio { mut plugin, deck, .. } = studio;
    plugin.stop(deck);
}
